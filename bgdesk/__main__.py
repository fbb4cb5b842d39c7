"""The program's door: a command goes to the command line, everything else to the window. Imports as little as it can."""

import atexit
import gc
import sys
from collections.abc import Sequence
from pathlib import Path

from bgdesk.cli.display import NO_DISPLAY, has_display
from bgdesk.cli.main import COMMANDS, EXIT_FAILED, EXIT_USAGE, run_command, window_files


def main(arguments: Sequence[str] | None = None) -> int:
    """Run bgdesk with these arguments (those of the process if None) and return its exit status."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    atexit.register(gc.freeze)  # else the interpreter's end takes half a second to look through all that torch has made
    if arguments and arguments[0] == "_worker":  # a child process of the folder queue; nothing for a person
        from bgdesk.batch.workers.worker import main as work

        return work()
    if arguments[:2] == ["bench", "interactive"]:  # the command line knows no Qt
        from bgdesk.ui.bench_interactive import main as measure

        return measure(arguments[2:])
    if arguments and arguments[0] in COMMANDS:
        return run_command(arguments)
    files = window_files(arguments)
    if not has_display():
        print(NO_DISPLAY, file=sys.stderr)
        return EXIT_USAGE
    try:
        from bgdesk.ui.application import run
    except ImportError as error:  # a system library that Qt needs is missing, such as libEGL.so.1
        print(f"The window could not be opened: {error}. To see what is missing, run: bgdesk doctor", file=sys.stderr)
        return EXIT_FAILED
    return run([Path(file) for file in files])


if __name__ == "__main__":
    sys.exit(main())
