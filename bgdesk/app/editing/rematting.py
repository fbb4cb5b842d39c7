"""Alpha that follows the labels: the debt is worked out one rectangle at a time, and stale answers are dropped."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from bgdesk.app.editing.history import History, Step
from bgdesk.app.editing.requests import RematteRequest, join
from bgdesk.app.editing.work import Work
from bgdesk.app.work.activity import ActiveJob, Activity
from bgdesk.app.work.events import AlphaChanged, Event, LabelsChanged, Message, Severity
from bgdesk.app.work.jobs import Lane
from bgdesk.core.engine import EngineProtocol, Reach
from bgdesk.core.geometry import Rect
from bgdesk.core.results import Patch


@dataclass(frozen=True, kw_only=True)
class Listeners:
    """What is called when alpha is worked out."""

    emit: Callable[[Event], None]  #: events about the photo's pixels
    tell: Callable[[tuple[str, ...]], None]  #: notes of an answer, for the person
    pack: Callable[[], None]  #: new tiles were recorded
    changed: Callable[[], None]  #: memory in use may have changed
    painting: Callable[[], Step | None]  #: returns the step of the gesture under way
    caught_up: Callable[[], None]  #: nothing is owed, or nothing may be worked out now


@dataclass(frozen=True, eq=False)
class _Solving:
    """The re-matting under way."""

    job: ActiveJob  #: on the compute lane
    request: RematteRequest  #: what the job computes
    begun: float  #: seconds, as time.perf_counter counts them
    since: int  #: the number of the newest step that the request knows of


class Rematting:
    """Works out alpha inside the rectangles of `Work.debt`. Owner's thread only; the engine runs on the compute lane."""

    def __init__(self, work: Work, history: History, engine: EngineProtocol, activity: Activity, listeners: Listeners) -> None:
        self.reach = Reach.SMART  # how far strokes reach: see EngineProtocol.rematte
        self._work = work
        self._history = history
        self._engine = engine
        self._activity = activity
        self._listeners = listeners
        self._solving: _Solving | None = None
        self._locked = False  # the person cancelled: wait for the next stroke
        self._closed = False

    @property
    def busy(self) -> bool:
        """Whether a re-matting is under way."""
        return self._solving is not None

    def owe(self, rect: Rect) -> None:
        """Add `rect` to the debt.

        A re-matting that has not begun, or that overlaps `rect`, is cancelled and computed together with `rect`; any other one
        goes on.
        """
        if self._solving is not None:
            job, request = self._solving.job, self._solving.request
            if request.roi.overlaps(rect) or not job.started:
                self.drop()
        work = self._work
        if self._solving is None:
            work.debt = join(work.debt, rect)
        else:
            running = self._solving.request.roi
            work.debt = (running, *join(tuple(other for other in work.debt if other != running), rect))

    def drop(self) -> None:
        """Cancel the re-matting under way; its rectangle stays in the debt."""
        if self._solving is not None:
            self._solving.job.cancel()
            self._solving = None

    def unlock(self) -> None:
        """Allow re-matting again after the person has cancelled: something new is owed."""
        self._locked = False

    def close(self) -> None:
        """Cancel the re-matting, and start no other: nobody edits the work any more."""
        self._closed = True
        self.drop()

    def pump(self) -> None:
        """Start the next rectangle of the debt, if nothing is under way."""
        work = self._work
        if self._closed or self._solving is not None or not work.has_alpha:
            return
        if not work.debt or self._locked:
            self._listeners.caught_up()
            return
        request = RematteRequest.of(
            work.source,
            work.labels,
            work.solved,
            work.debt[0],
            self._engine.MARGIN,
            lineage=work.lineage,
            reach=self.reach,
            gestures=self._history.standing,
            asked=work.asked,
        )
        # The callbacks know their request, so that an answer to an older one is recognised.
        job = self._activity.submit(
            Lane.COMPUTE,
            partial(request.compute, self._engine),
            doing="working out the edge",
            stage="alpha",
            on_done=partial(self._solved, request),
            on_error=lambda _: self._failed(request),
            on_cancelled=lambda by_person: self._cancelled(request, by_person),
        )
        self._solving = _Solving(job, request, time.perf_counter(), self._history.count)

    def _solved(self, request: RematteRequest, answer: Patch) -> None:
        solving = self._solving
        # The one place where stale answers are dropped: another request has taken over, or the work has jumped since.
        if solving is None or solving.request is not request or request.lineage != self._work.lineage:
            return
        self._solving = None
        rect, work, history = answer.rect, self._work, self._history
        flown = request.changed(answer)
        if flown.any():
            painting = self._listeners.painting()
            if painting is not None and painting.overlaps(rect):
                return  # the stroke under way has saved these labels as they were: both are worked out when it ends
            if any(gesture.rect.overlaps(rect) for gesture in history.gestures(solving.since)):
                self.pump()  # the person has painted there since: compute again, with the new paint
                return
        step = history.touch_solved(rect)
        work.patch_solved(rect, answer.alpha)
        if flown.any():
            if step is not None:
                history.touch(step, rect)
            work.patch_labels(rect, np.where(flown, answer.labels, work.labels[rect.slices]))
            self._listeners.emit(LabelsChanged(rect))
        work.debt = tuple(other for other in work.debt if not request.roi.contains(other))
        work.asked = tuple(other for other in work.asked if not request.roi.contains(other))
        work.stale = join(work.stale, rect)
        work.timings["rematte"] = time.perf_counter() - solving.begun
        self._listeners.pack()
        self._listeners.emit(AlphaChanged(rect))
        self._listeners.tell(answer.notes)
        self._listeners.changed()
        self.pump()

    def _cancelled(self, request: RematteRequest, by_person: bool) -> None:
        if by_person and self._stop(request):
            text = "Cancelled. The paint stays; its edge is worked out with the next stroke."
            self._listeners.emit(Message(Severity.INFO, text))

    def _failed(self, request: RematteRequest) -> None:
        self._stop(request)

    def _stop(self, request: RematteRequest) -> bool:
        """Leave the debt until the next stroke; return False if another request has already taken over."""
        if self._solving is None or self._solving.request is not request:
            return False
        self._solving = None
        self._locked = True
        self.pump()
        return True
