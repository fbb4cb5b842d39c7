"""The engine's kernels made ready: loaded, and before that compiled where this machine has none yet.

Loading takes two tenths of a second and goes on beside the network's pass. Compiling takes 8 s on two cores and happens once:
`packaging/dev.py` does it while it installs, a frozen build carries the kernels, and a program installed by pip does it at its
first start. It runs in processes of its own, because numba compiles one kernel at a time in each and holds the interpreter.
"""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from bgdesk.core.tasks import Progress, silent

if TYPE_CHECKING:
    from bgdesk.engine.runtime.kernels import Kernel

#: The stage that `wait` reports while kernels are compiled.
STAGE = "prepare"
#: More processes than this gain nothing: the largest kernel takes a quarter of the whole time.
_MOST_PROCESSES = 4
_PAUSE = 0.1


class _Preparation:
    """What this process has done so far."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.thread: threading.Thread | None = None
        self.compiled: float | None = None  # how much of the compiling is done; None: nothing has to be compiled
        self.error: BaseException | None = None


_here = _Preparation()


def all_kernels() -> "list[Kernel]":
    """Every kernel of the engine, the longest function first. Imports numba."""
    from bgdesk.engine.colours import levels, spill
    from bgdesk.engine.matting import closed_form, sampling, solver
    from bgdesk.engine.runtime import kernels

    modules = {module.__name__ for module in (levels, spill, closed_form, sampling, solver)}
    found = [kernel for kernel in kernels.kernels if kernel.__module__ in modules]
    return sorted(found, key=lambda kernel: -len(kernel.__code__.co_code))


def begin() -> None:
    """Make the kernels ready on a thread of their own, unless that was begun before. Returns at once."""
    with _here.lock:
        if _here.thread is None:
            _here.thread = threading.Thread(target=_work, name="kernels", daemon=True)
            _here.thread.start()


def wait(progress: Progress = silent) -> None:
    """Return when all kernels are ready.

    Parameters
    ----------
    progress
        Called with the stage "prepare" while kernels are compiled, and not at all if they only have to be loaded.

    Raises
    ------
    Cancelled
        By `progress`. What was begun goes on in the background.
    """
    begin()
    thread = _here.thread
    while thread is not None and thread.is_alive():
        if _here.compiled is not None:
            progress(STAGE, _here.compiled)
        thread.join(_PAUSE)
    if _here.error is not None:
        raise _here.error


def _work() -> None:
    from bgdesk.engine.runtime import kernel_cache

    def done(share: float) -> None:
        _here.compiled = share

    try:
        kernels = all_kernels()
        missing = sum(len(kernel.declared) for kernel in kernels if not kernel.is_kept)
        if missing:
            done(0.0)
            folder = kernel_cache.kept()
            if folder is not None and not getattr(sys, "frozen", False):
                compile_into(folder, missing, done)
        for kernel in kernels:  # what the other processes did not manage is compiled here
            kernel.load()
    except BaseException as error:
        _here.error = error


def compile_into(folder: Path, missing: int, done: Callable[[float], None], cpu: str = "") -> None:
    """Compile the kernels that `folder` lacks, in several processes, and return when they have ended.

    Parameters
    ----------
    folder
        Where the kernels are kept, one file for each.
    missing
        How many files are expected to be added.
    done
        Told how much is done, from 0 to 1.
    cpu
        LLVM's name of the CPU to compile for; empty: the one that this is.
    """
    variables = {**os.environ, "NUMBA_CACHE_DIR": str(folder)}
    variables["PYTHONPATH"] = os.pathsep.join(filter(None, (str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH"))))
    if cpu:
        variables |= {"NUMBA_CPU_NAME": cpu, "NUMBA_CPU_FEATURES": ""}
    count = min(_MOST_PROCESSES, os.cpu_count() or 1)
    window = getattr(subprocess, "CREATE_NO_WINDOW", 0)
    before = _files(folder)
    try:
        running = [
            subprocess.Popen(
                [sys.executable, "-m", "bgdesk.engine.prepare", str(number), str(count)],
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                creationflags=window,
            )
            for number in range(count)
        ]
    except OSError:  # no second process can be started: the caller compiles by itself
        return
    while any(process.poll() is None for process in running):
        done(min(1.0, (_files(folder) - before) / missing))
        time.sleep(_PAUSE)
    done(1.0)


def _files(folder: Path) -> int:
    from bgdesk.engine.runtime.kernel_cache import SUFFIX

    return sum(1 for _ in folder.glob(f"*{SUFFIX}"))


def main(number: int, count: int) -> None:
    """One of `count` processes that compile: first its own share, then, from the other end, what the others have left."""
    kernels = all_kernels()
    own = kernels[number::count]  # the longest functions come first, and every process begins with one of them
    for kernel in own + [other for other in reversed(kernels) if other not in own]:
        if not kernel.is_kept:
            kernel.load()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
