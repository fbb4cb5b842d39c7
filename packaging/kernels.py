"""Compile bgdesk's kernels ahead of their first use: kernels.py [FOLDER]

Run by dev.py with the Python of .venv. Without FOLDER: for the CPU of this machine, into the folder in which this checkout
looks for them. With FOLDER, which is emptied: for each level of CPU that a frozen build may meet, into a folder of its own.
"""

import platform
import shutil
import sys
from pathlib import Path

from bgdesk.app.system import paths
from bgdesk.engine import prepare
from bgdesk.engine.runtime import kernel_cache, kernel_folder


class Progress:
    """One line on stderr: drawn over again on a terminal, else begun and ended once."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._drawn = sys.stderr.isatty()
        print(text, end="" if self._drawn else " …\n", file=sys.stderr, flush=True)

    def __call__(self, done: float) -> None:
        if self._drawn:
            print(f"\r{self._text}: {100 * done:3.0f} %", end="\n" if done >= 1 else "", file=sys.stderr, flush=True)


def for_this_machine() -> None:
    """Compile what is missing; the next start of bgdesk loads it."""
    kernel_folder.keep_in(paths.kernels_folder())
    folder = kernel_folder.kept()
    missing = sum(len(kernel.declared) for kernel in prepare.all_kernels() if not kernel.is_kept)
    if missing and folder is not None:
        prepare.compile_into(folder, missing, Progress("Compiling for this machine"))


def for_a_build(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    wanted = sum(len(kernel.declared) for kernel in prepare.all_kernels())
    for level in kernel_cache.levels(platform.system(), platform.machine()):
        prepare.compile_into(folder / level, wanted, Progress(f"Compiling for {level}"), level)
        made = list((folder / level).glob(f"*{kernel_folder.SUFFIX}"))
        if len(made) != wanted:
            sys.exit(
                f"{len(made)} kernels were compiled for {level}, not {wanted}. Were the engine's sources changed meanwhile? Build again."
            )
        print(f"{level}: {len(made)} kernels, {sum(file.stat().st_size for file in made) / 1e6:.1f} MB", file=sys.stderr)


if __name__ == "__main__":
    for_a_build(Path(sys.argv[1]).absolute()) if len(sys.argv) > 1 else for_this_machine()
