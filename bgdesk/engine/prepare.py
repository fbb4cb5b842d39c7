"""The engine's kernels made ready: loaded, and before that compiled where this machine has none yet.

Loading takes three tenths of a second and goes on beside the network's pass. Compiling takes 8 s on two cores and happens
once: `packaging/dev.py` does it while it installs, a frozen build carries the kernels, and a program installed by pip does it
at its first start. It runs in processes of its own, because numba compiles one kernel at a time in each and holds the
interpreter meanwhile.
"""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from bgdesk.core.stages import Stage
from bgdesk.core.tasks import Progress, silent
from bgdesk.engine.runtime.kernel_folder import CARRIED, SUFFIX, kept

if TYPE_CHECKING:
    from bgdesk.engine.runtime.kernels import Kernel

#: More processes than this gain nothing: the largest kernel takes a quarter of the whole time.
_MOST_PROCESSES = 4
_PAUSE = 0.1


class _State:
    """How far this process is."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.loading: threading.Thread | None = None
        self.ready = False


_here = _State()


def all_kernels() -> "list[Kernel]":
    """Every kernel of the engine, the longest function first. Imports numba."""
    import bgdesk.engine.colours.foreground
    import bgdesk.engine.colours.spill
    import bgdesk.engine.matting.refine  # noqa: F401 - these three import every module that holds a kernel
    from bgdesk.engine.runtime import kernels

    found = [kernel for kernel in kernels.kernels if kernel.__module__.startswith("bgdesk.engine.")]
    return sorted(found, key=lambda kernel: -len(kernel.__code__.co_code))


def is_first_use() -> bool:
    """Whether nothing was compiled here before, so that the first engine takes seconds longer. Cheap, and a guess: what is kept
    may be of an older version."""
    folder = kept()
    return not CARRIED.is_dir() and not (folder is not None and _files(folder))


def begin() -> None:
    """Load the kernels that are kept, on a thread of their own, unless that was begun before. Returns at once."""
    with _here.lock:
        if _here.loading is None:
            _here.loading = threading.Thread(target=_load_kept, name="kernels")
            _here.loading.start()


def _load_kept() -> None:
    for kernel in all_kernels():
        if kernel.is_kept:
            kernel.load()


def wait(progress: Progress = silent) -> None:
    """Return when all kernels are ready. What is not kept is compiled now.

    Parameters
    ----------
    progress
        Called with Stage.PREPARE while kernels are compiled, and not at all if they only have to be loaded.

    Raises
    ------
    Cancelled
        By `progress`.
    """
    if _here.ready:
        return
    begin()
    with _here.lock:
        if _here.loading is not None:
            _here.loading.join()
        kernels = all_kernels()
        missing = sum(len(kernel.declared) for kernel in kernels if not kernel.is_ready)
        folder = kept()
        if missing and folder is not None and not getattr(sys, "frozen", False):
            compile_into(folder, missing, lambda done: progress(Stage.PREPARE, done))
        for done, kernel in enumerate(kernels):  # and here what the other processes did not manage
            if not (kernel.is_ready or kernel.is_kept):
                progress(Stage.PREPARE, done / len(kernels))
            kernel.load()
        _here.ready = True


def compile_into(folder: Path, missing: int, done: Callable[[float], None], cpu: str = "") -> None:
    """Compile the kernels that `folder` lacks, in several processes, and return when they have ended.

    Parameters
    ----------
    folder
        Where the kernels are kept, one file for each.
    missing
        How many files are expected to be added.
    done
        Told how much is done, from 0 to 1. If it raises, the processes are ended.
    cpu
        LLVM's name of the CPU to compile for; empty: the one that this is.
    """
    variables = {**os.environ, "NUMBA_CACHE_DIR": str(folder)}
    variables["PYTHONPATH"] = os.pathsep.join(filter(None, (str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH"))))
    if cpu:
        variables |= {"NUMBA_CPU_NAME": cpu, "NUMBA_CPU_FEATURES": ""}
    count = min(_MOST_PROCESSES, os.cpu_count() or 1)
    before = _files(folder)
    running: list[subprocess.Popen[bytes]] = []
    try:
        for number in range(count):
            running.append(
                subprocess.Popen(
                    [sys.executable, "-m", "bgdesk.engine.prepare", str(number), str(count)],
                    env=variables,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
                )
            )
        while any(process.poll() is None for process in running):
            done(min(1.0, (_files(folder) - before) / missing))
            time.sleep(_PAUSE)
        done(1.0)
    except OSError:  # another process cannot be started: the caller finds that kernels are missing
        return
    finally:
        for process in running:
            process.kill()
            process.wait()


def _files(folder: Path) -> int:
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
