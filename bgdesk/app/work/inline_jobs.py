"""Lanes without an event loop: jobs of the compute lane run when the caller says so, on the caller's thread."""

from __future__ import annotations

import queue
from collections.abc import Callable
from typing import Any, TypeVar

from bgdesk.app.work.jobs import Job, Jobs, Lane, Priority
from bgdesk.core.tasks import Progress

T = TypeVar("T")


class InlineJobs(Jobs):
    """Jobs for a caller that waits: `run` runs what was submitted to the compute lane, and delivers the answers of all lanes.

    Other lanes, which pack undo steps, have threads of their own as in Jobs.
    """

    def __init__(self) -> None:
        self._answers: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._pending: list[Job[Any]] = []
        super().__init__(self._answers.put)

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
        if lane is not Lane.COMPUTE:
            return super().submit(
                lane, work, priority=priority, preemptible=preemptible,
                on_done=on_done, on_error=on_error, on_cancelled=on_cancelled, on_progress=on_progress,
            )  # fmt: skip
        job = Job(work, priority, preemptible, on_done, on_error, on_cancelled, on_progress)
        job.queued(lambda: self._leave(job), self._answers.put)
        self._pending.append(job)
        return job

    def _leave(self, job: Job[Any]) -> bool:
        found = job in self._pending
        if found:
            self._pending.remove(job)
        return found

    def run(self, least: Priority) -> None:
        """Run the jobs of the compute lane, and those that their answers submit.

        Parameters
        ----------
        least
            Jobs of this priority and of more urgent ones are run; others stay queued.

        Raises
        ------
        Exception
            The first error of a job, when all have run.
        """
        errors: list[Exception] = []
        self._deliver()
        while ready := sorted((job for job in self._pending if job.priority <= least), key=lambda job: job.priority):
            job = ready[0]
            self._pending.remove(job)
            job.run(self._answers.put)
            if job.error is not None:
                errors.append(job.error)
            self._deliver()
        if errors:
            raise errors[0]

    def close(self, timeout: float = 5.0) -> bool:
        self._pending.clear()  # with the arrays that the jobs hold
        return super().close(timeout)

    def _deliver(self) -> None:
        while not self._answers.empty():
            self._answers.get()()
