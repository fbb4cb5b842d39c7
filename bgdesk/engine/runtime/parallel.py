"""Independent pieces of a stage on several threads."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed

from bgdesk.core.geometry import Rect
from bgdesk.core.tasks import Progress


def each(
    pool: ThreadPoolExecutor, rects: Iterable[Rect], work: Callable[[Rect], None], progress: Progress, share: tuple[float, float]
) -> None:
    """`work` on all of `rects`, in any order; `progress` is called on this thread, share: of the stage "foreground".

    Once it (or `work`) raises, nothing more is begun.
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
