"""The foreground that follows alpha, rectangle by rectangle, when nothing more urgent is to be computed."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from bgdesk.app.editing.requests import ForegroundRequest, join
from bgdesk.app.editing.work import Work
from bgdesk.app.work.activity import ActiveJob, Activity
from bgdesk.app.work.events import Event, ForegroundChanged
from bgdesk.app.work.jobs import Lane, Priority
from bgdesk.core.engine import EngineProtocol
from bgdesk.core.results import Coloured


class ForegroundJob:
    """Works out the colours inside the rectangles of `Work.stale`. The arguments are those of Editor."""

    def __init__(
        self,
        work: Work,
        engine: EngineProtocol,
        activity: Activity,
        emit: Callable[[Event], None],
        changed: Callable[[], None],
        tell: Callable[[tuple[str, ...]], None],
    ) -> None:
        self._work = work
        self._engine = engine
        self._activity = activity
        self._emit = emit
        self._changed = changed
        self._tell = tell
        self._told: tuple[str, ...] = ()
        self._running: tuple[ActiveJob, ForegroundRequest] | None = None
        self._closed = False

    @property
    def busy(self) -> bool:
        """Whether colours are being worked out."""
        return self._running is not None

    def pump(self) -> None:
        """Start the next stale rectangle; or the whole photo, if it has no colours yet or spill is to be removed."""
        work = self._work
        if self._closed or self._running is not None or not work.stale:
            return
        matte = work.recipe.matte
        whole = work.foreground is None or matte.spill is not None
        rect = work.rect if whole else work.stale[0]
        work.stale = () if whole else work.stale[1:]
        work.colouring = rect
        request = ForegroundRequest.of(work.source, work.solved, rect, matte)
        job = self._activity.submit(
            Lane.COMPUTE,
            partial(request.compute, self._engine),
            doing="working out the colours",
            stage="foreground",
            on_done=partial(self._done, request),
            on_error=lambda _: self._not_done(request, again=False),
            on_cancelled=lambda _: self._not_done(request, again=True),
            priority=Priority.NORMAL,
            visible=False,
            preemptible=True,
        )
        self._running = (job, request)

    def _done(self, request: ForegroundRequest, answer: Coloured) -> None:
        # Alpha may have changed there meanwhile: then the rectangle is stale again, and these colours serve until then.
        if self._running is not None and self._running[1] is request:
            self._running = self._work.colouring = None
            self._work.patch_foreground(request.rect, answer.foreground)
            self._emit(ForegroundChanged(request.rect))
            if answer.notes != self._told:  # else every stroke would repeat the same notes
                self._told = answer.notes
                self._tell(answer.notes)
            self._changed()
            self.pump()

    def _not_done(self, request: ForegroundRequest, again: bool) -> None:
        """Keep the rectangle stale. After a failure its colours stay as they are until something changes; an export tries again."""
        if self._running is not None and self._running[1] is request:
            self._running = self._work.colouring = None
            self._work.stale = join(self._work.stale, request.rect)
            if again:
                self.pump()

    def drop(self) -> None:
        """Cancel the job, and do not start it again: another cut-out or recipe brings its own colours."""
        self._told = ()
        if self._running is not None:
            self._running[0].cancel()
            self._running = self._work.colouring = None

    def close(self) -> None:
        """Cancel the job, and start no other: nobody edits the work any more."""
        self._closed = True
        self.drop()
