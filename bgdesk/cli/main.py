"""Which commands there are, and how their endings become exit statuses.

0: done. 1: something failed; what could be done was done. 2: wrong usage. 3: some results need review. 130: stopped with
Ctrl-C.
Nothing heavy is imported here: `bgdesk --version` has to answer at once.
"""

import argparse
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from types import FrameType
from typing import NamedTuple, NoReturn, Protocol

from bgdesk import __version__
from bgdesk.core.errors import BgdeskError, UsageError
from bgdesk.core.tasks import Cancelled

EXIT_FAILED, EXIT_USAGE, EXIT_STOPPED = 1, 2, 130


class Command(Protocol):
    """A module of this package that is a command."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None: ...
    def run(self, args: argparse.Namespace) -> int: ...


class Entry(NamedTuple):
    help: str
    load: Callable[[], Command]


# Imports are written out, so that tools which follow imports (import-linter, PyInstaller) see them.
def _cut() -> Command:
    from bgdesk.cli import cut

    return cut


def _matte() -> Command:
    from bgdesk.cli import matte

    return matte


def _models() -> Command:
    from bgdesk.cli import models

    return models


def _doctor() -> Command:
    from bgdesk.cli import doctor

    return doctor


def _bench() -> Command:
    from bgdesk.cli import bench

    return bench


def _batch() -> Command:
    from bgdesk.cli.queue import batch

    return batch


def _watch() -> Command:
    from bgdesk.cli.queue import watch_folder

    return watch_folder


COMMANDS: Mapping[str, Entry] = {
    "cut": Entry("cut photos out and save them", _cut),
    "batch": Entry("cut out folders of photos unattended, and go on with what was left", _batch),
    "watch": Entry("cut out whatever photos appear in a folder", _watch),
    "matte": Entry("make an alpha from a photo and a trimap", _matte),
    "models": Entry("list, install, verify, import and remove networks", _models),
    "doctor": Entry("check this machine: device, networks, libraries", _doctor),
    "bench": Entry("measure the engine on this machine, beside its peers", _bench),
}


def run_command(arguments: Sequence[str]) -> int:
    """Run `arguments[0]`, a key of COMMANDS, with the rest; returns the exit status. SystemExit for --help and wrong usage."""
    name, entry = arguments[0], COMMANDS[arguments[0]]
    command = entry.load()
    parser = argparse.ArgumentParser(prog=f"bgdesk {name}", description=entry.help[0].upper() + entry.help[1:] + ".")
    command.add_arguments(parser)
    args = parser.parse_args(arguments[1:])
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a console that lacks a letter of a file's name must not stop the work
            stream.reconfigure(errors="backslashreplace")
    previous = signal.signal(signal.SIGTERM, _terminated)
    try:
        return command.run(args)
    except UsageError as error:
        parser.error(str(error))
    except BgdeskError as error:
        print(f"bgdesk: {error}", file=sys.stderr)
        return EXIT_FAILED
    except (KeyboardInterrupt, Cancelled):
        print("Stopped.", file=sys.stderr)
        return EXIT_STOPPED
    except BrokenPipeError:
        # Whoever read our output has gone (`bgdesk models list | head -1`). Python would complain again when it closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAILED
    finally:
        signal.signal(signal.SIGTERM, previous)


def _terminated(signum: int, frame: FrameType | None) -> NoReturn:
    """SIGTERM as an exception, so that temporary files are removed and package clients ended, as on Ctrl-C."""
    sys.exit(128 + signum)


def window_parser() -> argparse.ArgumentParser:
    """The parser of `bgdesk [FILES]`, which also answers --version and --help."""
    width = max(map(len, COMMANDS))
    commands = "\n".join(f"  {name:<{width}}  {entry.help}" for name, entry in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="bgdesk",
        usage="bgdesk [FILES ...]\n       bgdesk COMMAND ...",
        description="Takes the background off photos. Without a command, opens the window with FILES.",
        epilog=f"commands (bgdesk COMMAND --help tells more):\n{commands}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("files", nargs="*", metavar="FILES", help="photos, or folders of photos")
    parser.add_argument("--version", action="version", version=f"bgdesk {__version__}")
    return parser


def window_files(arguments: Sequence[str]) -> list[str]:
    """The files to open in the window. SystemExit for --version, --help and wrong usage, such as a mistyped command."""
    parser = window_parser()
    files: list[str] = parser.parse_args(arguments).files
    for file in files[:1]:
        if not os.path.splitext(file)[1] and not os.path.dirname(file) and not os.path.exists(file):
            parser.error(f"there is no file and no command called {file!r}. The commands are: {', '.join(COMMANDS)}")
    return files
