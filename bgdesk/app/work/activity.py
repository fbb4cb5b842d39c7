"""What is being worked on: jobs, and what a person is told about them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from bgdesk.app.work.events import BusyChanged, Event, Message, Offer, Severity
from bgdesk.app.work.jobs import Job, Jobs, Lane, Priority
from bgdesk.core.errors import BgdeskError, ModelError
from bgdesk.core.stages import Stage
from bgdesk.core.tasks import Progress

log = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True)
class Busy:
    """What the progress line shows."""

    stage: str  #: as the work reports it: a value of core.stages.Stage, or another word
    fraction: float | None = None  #: how much of the stage is done, in [0, 1]; None if unknown
    cancellable: bool = True  #: whether a person can stop the work


class ActiveJob:
    """A job that is queued or runs. `visible`: the person waits for the job."""

    def __init__(self, activity: Activity, lane: Lane, stage: str, visible: bool) -> None:
        self._activity = activity
        self._lane = lane
        self.stage = stage
        self.fraction: float | None = None
        self.visible = visible
        self.by_person = False
        self.job: Job[Any] | None = None

    @property
    def started(self) -> bool:
        """Whether the job's lane has begun with it."""
        return self.job is not None and self.job.started

    @property
    def cancelled(self) -> bool:
        """Whether the job has been asked to stop; it may still run."""
        return self.job is not None and self.job.token.cancelled

    def cancel(self) -> None:
        """Stop the job: nobody needs its answer any more."""
        if self.job is not None:
            self.job.cancel()

    @property
    def shown(self) -> bool:
        """Whether the progress line shows the job: a visible one, or the long preparation at the first start."""
        return self.visible or self.stage == Stage.PREPARE

    def promote(self) -> None:
        """Note that the person waits for the job now: it moves up in its lane."""
        if self.job is not None and not self.visible:
            self.visible = True
            self._activity.promote(self._lane, self.job)


class Activity:
    """Submits jobs, keeps the list behind `busy`, and turns failures into messages."""

    def __init__(self, jobs: Jobs, emit: Callable[[Event], None]) -> None:
        self._jobs = jobs
        self._emit = emit
        self._works: list[ActiveJob] = []

    def submit(
        self,
        lane: Lane,
        work: Callable[[Progress], T],
        *,
        doing: str,
        on_done: Callable[[T], None],
        on_error: Callable[[Exception], None] | None = None,
        on_cancelled: Callable[[bool], None] | None = None,
        stage: str = "",
        priority: Priority = Priority.INTERACTIVE,
        visible: bool = True,
        preemptible: bool = False,
        quiet: bool = False,
    ) -> ActiveJob:
        """Submit a job as Jobs.submit does, show it in `busy`, and tell the person of its failure.

        Parameters
        ----------
        doing
            Completes "Something unforeseen went wrong while …": "saving photo.png".
        on_done
            Called with the answer.
        on_error
            Called with the error, after the message.
        on_cancelled
            Called with whether it was the person who cancelled, by `cancel`.
        stage
            What `busy` shows until the work reports a stage.
        visible
            The person waits for the job.
        quiet
            A foreseen failure is told only if the person waits for the job by then.

        Returns
        -------
        ActiveJob
            Cancels or promotes the job.
        """
        entry = ActiveJob(self, lane, stage, visible)
        self._works.append(entry)

        def progressed(stage: str, fraction: float) -> None:
            entry.stage, entry.fraction = stage, fraction
            if entry.shown:
                self._emit(BusyChanged())

        def done(result: T) -> None:
            self._end(entry)
            on_done(result)

        def failed(error: Exception) -> None:
            self._end(entry)
            if entry.visible or not (quiet and isinstance(error, BgdeskError)):
                self.report(error, doing)
            if on_error is not None:
                on_error(error)

        def cancelled() -> None:
            self._end(entry)
            if on_cancelled is not None:
                on_cancelled(entry.by_person)

        entry.job = self._jobs.submit(
            lane,
            work,
            priority=priority,
            preemptible=preemptible,
            on_done=done,
            on_error=failed,
            on_cancelled=cancelled,
            on_progress=progressed,
        )
        if visible:
            self._emit(BusyChanged())
        return entry

    def _end(self, entry: ActiveJob) -> None:
        self._works.remove(entry)
        if entry.shown:
            self._emit(BusyChanged())

    def promote(self, lane: Lane, job: Job[Any]) -> None:
        """See ActiveJob.promote."""
        self._jobs.promote(lane, job)
        self._emit(BusyChanged())

    def preempt(self) -> None:
        """Stop background work on the compute lane: something urgent is about to be submitted."""
        self._jobs.preempt(Lane.COMPUTE)

    @property
    def _shown(self) -> ActiveJob | None:
        """The oldest job that runs, or else the oldest that is queued; cancelled jobs do not count."""
        waited = [work for work in self._works if work.shown and not work.cancelled]
        running = [work for work in waited if work.started]
        return next(iter(running or waited), None)

    @property
    def busy(self) -> Busy | None:
        """What the person is waiting for, or None."""
        shown = self._shown
        return None if shown is None else Busy(shown.stage, shown.fraction)

    @property
    def idle(self) -> bool:
        """Whether the person waits for nothing."""
        return not any(work.visible for work in self._works)

    def cancel(self) -> None:
        """Stop what `busy` shows, because the person wants that."""
        shown = self._shown
        if shown is not None:
            shown.by_person = True
            shown.cancel()
            self._emit(BusyChanged())

    def report(self, error: Exception, doing: str) -> None:
        """Tell the person about a failure: a foreseen one by its text, any other by one sentence, and the log."""
        if isinstance(error, ModelError):
            self._emit(Message(Severity.ERROR, str(error), offers=(Offer.INSTALL_MODEL, Offer.IMPORT_MODEL)))
        elif isinstance(error, BgdeskError):
            self._emit(Message(Severity.ERROR, str(error)))
        elif isinstance(error, MemoryError):
            log.warning("out of memory while %s", doing)
            self._emit(Message(Severity.ERROR, f"There was not enough memory for {doing}. Close other programs and try again."))
        else:
            log.error("an unforeseen failure while %s", doing, exc_info=error)
            self._emit(Message(Severity.ERROR, f"Something unforeseen went wrong while {doing}; the log has the details."))
