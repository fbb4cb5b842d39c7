"""One writer at a time, across processes. The system frees the lock when its holder dies, however it dies."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

_POLL = 0.1  # seconds between two tries


@contextmanager
def locked(path: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold the lock on `path` for the length of the block, whichever thread ends that.

    Parameters
    ----------
    path
        The lock's file. It is made if need be, in a folder that exists, and left there.
    waiting
        Called ten times a second while another process or thread holds the lock; what it raises ends the wait.

    Raises
    ------
    OSError
        When the file cannot be made, or the file system has no locks.
    """
    with path.open("ab"):  # FileLock would make a missing folder too: that of a queue which somebody has just removed
        pass
    lock = FileLock(path, thread_local=False)
    while True:
        try:
            lock.acquire(blocking=False)
            break
        except Timeout:
            waiting()
            time.sleep(_POLL)
    try:
        yield
    finally:
        lock.release()
