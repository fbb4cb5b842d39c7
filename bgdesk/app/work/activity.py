"""What is being worked on: the jobs with the words a person sees about them."""

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
    """What the progress line shows.

    stage: "load", "network", "trimap", "alpha", "foreground", "save", "download", … as the work reports it.
    fraction: how much of the stage is done in [0, 1]; None if unknown (show a running line without an end).
    """

    stage: str
    fraction: float | None = None
    cancellable: bool = True


class ActiveJob:
    """One job under way. `visible`: the person waits for it."""

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
        """Its lane has begun with it."""
        return self.job is not None and self.job.started

    @property
    def cancelled(self) -> bool:
        """It has been asked to stop, and may not have yet."""
        return self.job is not None and self.job.token.cancelled

    def cancel(self) -> None:
        """Nobody needs it any more."""
        if self.job is not None:
            self.job.cancel()

    @property
    def shown(self) -> bool:
        """It is shown as busy: so is the long preparation at the first start, whoever asked for it."""
        return self.visible or self.stage == Stage.PREPARE

    def promote(self) -> None:
        """The person waits for it now."""
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
        """Jobs.submit, with its place in `busy`.

        doing: "saving photo.png", for the sentence about a failure that nobody foresaw.
        on_error: called after the message; a failure without it is told and that is all.
        quiet: a foreseen failure is told only if the person waits for the work by then.
        on_cancelled(by_person): by_person if it was `cancel` here that stopped it.
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
        """Something urgent is about to be computed: background work makes room."""
        self._jobs.preempt(Lane.COMPUTE)

    @property
    def _shown(self) -> ActiveJob | None:
        """The oldest work that runs; before any runs, the oldest that waits. What has been cancelled is only ending."""
        waited = [work for work in self._works if work.shown and not work.cancelled]
        running = [work for work in waited if work.started]
        return next(iter(running or waited), None)

    @property
    def busy(self) -> Busy | None:
        shown = self._shown
        return None if shown is None else Busy(shown.stage, shown.fraction)

    @property
    def idle(self) -> bool:
        """Nobody waits for anything."""
        return not any(work.visible for work in self._works)

    def cancel(self) -> None:
        """The person stops what `busy` shows."""
        shown = self._shown
        if shown is not None:
            shown.by_person = True
            shown.cancel()
            self._emit(BusyChanged())

    def report(self, error: Exception, doing: str) -> None:
        """Tell the person about a failure: a foreseen one in its own words, any other in one sentence and the log."""
        if isinstance(error, ModelError):
            self._emit(Message(Severity.ERROR, str(error), (Offer.INSTALL_MODEL, Offer.IMPORT_MODEL)))
        elif isinstance(error, BgdeskError):
            self._emit(Message(Severity.ERROR, str(error)))
        elif isinstance(error, MemoryError):
            log.warning("out of memory while %s", doing)
            self._emit(Message(Severity.ERROR, f"There was not enough memory for {doing}. Close other programs and try again."))
        else:
            log.error("an unforeseen failure while %s", doing, exc_info=error)
            self._emit(Message(Severity.ERROR, f"Something unforeseen went wrong while {doing}; the log has the details."))
