"""The foreground that follows alpha, rectangle by rectangle, when nothing more urgent is to be computed."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from bgdesk.app.editing.document import Document
from bgdesk.app.editing.requests import ColourRequest, join
from bgdesk.app.work.activity import Activity, Work
from bgdesk.app.work.events import Event, ForegroundChanged, Message, Severity
from bgdesk.app.work.jobs import Lane, Priority
from bgdesk.core.engine import EngineProtocol
from bgdesk.core.results import Coloured


class Colours:
    """Works off `document.stale`. Arguments as Editor's."""

    def __init__(
        self, document: Document, engine: EngineProtocol, activity: Activity, emit: Callable[[Event], None], changed: Callable[[], None]
    ) -> None:
        self._document = document
        self._engine = engine
        self._activity = activity
        self._emit = emit
        self._changed = changed
        self._running: tuple[Work, ColourRequest] | None = None
        self._closed = False

    @property
    def busy(self) -> bool:
        return self._running is not None

    def pump(self) -> None:
        """Start what is stale, one rectangle at a time; where there are no colours at all yet, or spill is to go, the whole photo."""
        document = self._document
        if self._closed or self._running is not None or not document.stale:
            return
        whole = document.foreground is None or document.recipe.spill is not None
        rect = document.rect if whole else document.stale[0]
        document.stale = () if whole else document.stale[1:]
        document.colouring = rect
        request = ColourRequest.of(document.source, document.alpha, rect, document.recipe)
        work = self._activity.submit(
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
        self._running = (work, request)

    def _done(self, request: ColourRequest, coloured: Coloured) -> None:
        # Alpha may have changed there meanwhile: then the rectangle is stale again, and these colours serve until then.
        if self._running is not None and self._running[1] is request:
            self._running = self._document.colouring = None
            self._document.patch_foreground(request.rect, coloured.foreground)
            self._emit(ForegroundChanged(request.rect))
            for note in coloured.notes:
                self._emit(Message(Severity.WARNING, note))
            self._changed()
            self.pump()

    def _not_done(self, request: ColourRequest, again: bool) -> None:
        """Colours that failed stay as they are until something changes; an export tries anew."""
        if self._running is not None and self._running[1] is request:
            self._running = self._document.colouring = None
            self._document.stale = join(self._document.stale, request.rect)
            if again:
                self.pump()

    def drop(self) -> None:
        """Cancel for good: another cut-out brings its own colours."""
        if self._running is not None:
            self._running[0].cancel()
            self._running = self._document.colouring = None

    def close(self) -> None:
        """The document is let go of."""
        self._closed = True
        self.drop()
