"""Lanes: threads beside the owner's, each of which runs its jobs one at a time."""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable
from enum import Enum, IntEnum
from functools import partial
from typing import Generic, TypeAlias, TypeVar

from bgdesk.core.tasks import Cancelled, CancelToken, Progress

T = TypeVar("T")
#: post(f) runs f later on the owner's thread; may be called from any thread.
Post: TypeAlias = Callable[[Callable[[], None]], None]

log = logging.getLogger(__name__)

#: Seconds between two progress reports of one job: about 30 a second, as often as anybody can see.
REPORT_INTERVAL = 1 / 30


class Lane(Enum):
    """One thread each."""

    COMPUTE = "compute"  #: the engine
    IO = "io"  #: reading and writing photos
    DOWNLOAD = "download"  #: networks: a download takes minutes and must not delay a photo that is opened


class Priority(IntEnum):
    """Which job a lane takes next: the lowest number, and within one priority the oldest job."""

    INTERACTIVE = 0  #: the person waits: strokes, cutting out, opening
    NORMAL = 1  #: colours, exports, packing
    BACKGROUND = 2  #: previews, cutting out ahead of time


class Job(Generic[T]):
    """Work that was submitted to a lane. Everything but `token` belongs to the owner's thread.

    After `cancel` only on_cancelled is called, and neither on_done nor on_error: an answer that nobody wants is dropped here,
    even if the work could not stop in time.
    """

    def __init__(
        self,
        work: Callable[[Progress], T],
        priority: Priority,
        preemptible: bool,
        on_done: Callable[[T], None] | None,
        on_error: Callable[[Exception], None] | None,
        on_cancelled: Callable[[], None] | None,
        on_progress: Callable[[str, float], None] | None,
    ) -> None:
        self.token = CancelToken()
        self.priority = priority
        self.preemptible = preemptible
        self.started = False
        self.finished = False
        self.error: Exception | None = None  # what the work raised, Cancelled excepted
        self._work = work
        self._on_done = on_done
        self._on_error = on_error
        self._on_cancelled = on_cancelled
        self._on_progress = on_progress
        self._latest: tuple[str, float] | None = None
        self._posted = False  # a report is on its way and has not been read yet
        self._last_report = 0.0
        self._stages: set[str] = set()
        self._leave: Callable[[], bool] | None = None  # out of the queue; False if it is not in it any more
        self._post: Post | None = None

    def cancel(self) -> None:
        """Ask the job to stop. on_cancelled follows when it has stopped; a job that has not begun leaves its lane at once."""
        self.token.cancel()
        if self._leave is not None and self._post is not None and self._leave():
            self._post(self._deliver_cancelled)

    def queued(self, leave: Callable[[], bool], post: Post) -> None:
        """Note how the job leaves the queue of its lane, and how it posts to the owner's thread."""
        self._leave, self._post = leave, post

    # -- on the lane's thread ------------------------------------------------------------------------------------

    def run(self, post: Post) -> None:
        """Do the work, and post the answer, the error or that it was cancelled."""

        def progress(stage: str, fraction: float) -> None:
            self.token.check()
            self._latest = (stage, fraction)
            now = time.monotonic()
            # At most one report is under way, so that many reports cannot flood the owner's thread. A new stage is reported
            # at once, because its next report may be long in coming (a network reports once and then computes).
            if not self._posted and (stage not in self._stages or now - self._last_report >= REPORT_INTERVAL):
                self._stages.add(stage)
                self._last_report = now
                self._posted = True
                post(self._report)

        try:
            self.token.check()
            self.started = True
            result = self._work(progress)
        except Cancelled:
            self.token.cancel()
            post(self._deliver_cancelled)
        except Exception as error:  # of any kind: the owner decides, and the lane goes on
            self.error = error
            post(partial(self._deliver_error, error))
        else:
            post(partial(self._deliver, result))

    # -- on the owner's thread -----------------------------------------------------------------------------------

    def _report(self) -> None:
        self._posted = False
        if self._on_progress is not None and self._latest is not None and not self.finished and not self.token.cancelled:
            self._on_progress(*self._latest)

    def _deliver(self, result: T) -> None:
        if self.token.cancelled:
            self._deliver_cancelled()
        else:
            self.finished = True
            if self._on_done is not None:
                self._on_done(result)

    def _deliver_error(self, error: Exception) -> None:
        if self.token.cancelled:
            # The error may come of the cancelling: it is a developer's concern, not the person's.
            log.debug("a cancelled job ended with an error", exc_info=error)
            self._deliver_cancelled()
        else:
            self.finished = True
            if self._on_error is None:
                log.error("a job failed", exc_info=error)
            else:
                self._on_error(error)

    def _deliver_cancelled(self) -> None:
        self.finished = True
        if self._on_cancelled is not None:
            self._on_cancelled()


class _Worker:
    """One lane: a thread, started with its first job, and the jobs that wait for it."""

    def __init__(self, name: str, post: Post) -> None:
        self._name = name
        self._post = post
        self._condition = threading.Condition()
        self._waiting: list[tuple[int, int, Job[object]]] = []
        self._order = itertools.count()
        self._running: Job[object] | None = None
        self._closed = False
        self._thread: threading.Thread | None = None

    def add(self, job: Job[object]) -> None:
        with self._condition:
            if self._closed:
                job.token.cancel()
                return
            job.queued(partial(self.discard, job), self._post)
            heapq.heappush(self._waiting, (job.priority, next(self._order), job))
            self._preempt(job)
            if self._thread is None:
                self._thread = threading.Thread(target=self._loop, name=f"bgdesk-{self._name}", daemon=True)
                self._thread.start()
            self._condition.notify()

    def discard(self, job: Job[object]) -> bool:
        with self._condition:
            kept = [item for item in self._waiting if item[2] is not job]
            found = len(kept) < len(self._waiting)
            if found:
                heapq.heapify(kept)
                self._waiting = kept
            return found

    def preempt(self) -> None:
        with self._condition:
            if self._running is not None and self._running.preemptible:
                self._running.token.cancel()

    def promote(self, job: Job[object], priority: Priority) -> None:
        with self._condition:
            job.priority = priority
            job.preemptible = False
            self._waiting = [(other.priority, order, other) for _, order, other in self._waiting]
            heapq.heapify(self._waiting)
            self._preempt(job)

    def _preempt(self, job: Job[object]) -> None:
        running = self._running
        if running is not None and running.preemptible and running is not job and job.priority < running.priority:
            running.token.cancel()

    def _loop(self) -> None:
        while True:
            with self._condition:
                while not self._waiting and not self._closed:
                    self._condition.wait()
                if not self._waiting:
                    return
                job = self._running = heapq.heappop(self._waiting)[2]
            job.run(self._post)
            with self._condition:
                self._running = None
            del job  # let go of its arrays while waiting for the next one

    def close(self) -> None:
        with self._condition:
            self._closed = True
            for _, _, job in self._waiting:
                job.token.cancel()
            self._waiting.clear()
            if self._running is not None:
                self._running.token.cancel()
            self._condition.notify_all()

    def join(self, timeout: float) -> bool:
        if self._thread is None:
            return True
        self._thread.join(timeout)
        return not self._thread.is_alive()


class Jobs:
    """The lanes. `post(f)` runs f later on the owner's thread and may be called from any thread."""

    def __init__(self, post: Post) -> None:
        self._closed = False
        self._post = post
        self._workers = {lane: _Worker(lane.value, self._post_if_open) for lane in Lane}

    def submit(
        self,
        lane: Lane,
        work: Callable[[Progress], T],
        *,
        priority: Priority = Priority.NORMAL,
        preemptible: bool = False,
        on_done: Callable[[T], None] | None = None,
        on_error: Callable[[Exception], None] | None = None,
        on_cancelled: Callable[[], None] | None = None,
        on_progress: Callable[[str, float], None] | None = None,
    ) -> Job[T]:
        """Queue `work(progress)`. Exactly one of on_done, on_error and on_cancelled follows, on the owner's thread.

        Parameters
        ----------
        lane
            Where the work runs.
        work
            Gives the answer; calls `progress` often, which raises Cancelled.
        priority
            Which job of a lane comes first.
        preemptible
            The job is cancelled when a more urgent one comes to its lane; whoever submitted it submits it again later.
        on_done
            Called with the answer.
        on_error
            Called with the error; without on_error it is logged.
        on_cancelled
            Called when the cancelled job has stopped.
        on_progress
            Called with stage and fraction, at most 30 times a second.
        """
        job = Job(work, priority, preemptible, on_done, on_error, on_cancelled, on_progress)
        self._workers[lane].add(job)  # type: ignore[arg-type]  # Job is invariant, the lane never looks at the result
        return job

    def promote(self, lane: Lane, job: Job[T], priority: Priority = Priority.INTERACTIVE) -> None:
        """Give `job` another priority because somebody waits for it now; it is not preemptible any more."""
        self._workers[lane].promote(job, priority)  # type: ignore[arg-type]

    def preempt(self, lane: Lane) -> None:
        """Cancel a preemptible job that runs on `lane`: something urgent is about to be submitted."""
        self._workers[lane].preempt()

    def close(self, timeout: float = 5.0) -> bool:
        """Cancel every job and wait until the lanes have ended; no callback comes afterwards.

        Parameters
        ----------
        timeout
            Seconds in all.

        Returns
        -------
        bool
            False if a lane is still at work.
        """
        self._closed = True
        deadline = time.monotonic() + timeout
        for worker in self._workers.values():
            worker.close()
        ended = [worker.join(max(0.0, deadline - time.monotonic())) for worker in self._workers.values()]
        return all(ended)

    def _post_if_open(self, call: Callable[[], None]) -> None:
        if not self._closed:
            self._post(lambda: None if self._closed else call())
