"""Independent pieces of a stage on several threads."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed

from bgdesk.core.geometry import Rect
from bgdesk.core.tasks import Progress


def each(
    pool: ThreadPoolExecutor, rects: Iterable[Rect], work: Callable[[Rect], None], progress: Progress, share: tuple[float, float]
) -> None:
    """Do `work` on all rectangles, in any order. Once `work` or `progress` raises, nothing more is begun.

    Parameters
    ----------
    pool
        Threads that work.
    rects
        Each is given to `work` once.
    work
        Called on the pool's threads.
    progress
        Called on this thread.
    share
        Begin and end of this work's share of the stage "foreground".

    Raises
    ------
    Cancelled
    """
    begin, end = share
    jobs = [pool.submit(work, rect) for rect in rects]
    try:
        for done, job in enumerate(as_completed(jobs), 1):
            job.result()
            progress("foreground", begin + (end - begin) * done / len(jobs))
    finally:
        for job in jobs:
            job.cancel()
