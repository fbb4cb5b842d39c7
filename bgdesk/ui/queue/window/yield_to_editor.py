"""Pauses the queue's work while a person works in the editor."""

from collections.abc import Callable

from PySide6.QtCore import QObject, QTimer

from bgdesk.app.session.session import Session
from bgdesk.app.work.events import Event
from bgdesk.core.stages import Stage

#: Time after the last interactive work until the queue goes on, in milliseconds: strokes come in groups.
REST_MS = 1000


class YieldToEditor(QObject):
    """Lets the queue's workers pause while the person paints or waits for the editor, and for a moment after. pause(paused): does it."""

    def __init__(self, session: Session, pause: Callable[[bool], None], rest_ms: int = REST_MS) -> None:
        super().__init__()
        self._session, self._pause = session, pause
        self._paused = False
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(rest_ms)
        self._rest.timeout.connect(self._rested)

    def on_event(self, _event: Event) -> None:
        if self._busy():
            if not self._paused:
                self._paused = True
                self._pause(True)
            self._rest.start()

    def _busy(self) -> bool:
        busy = self._session.busy
        return self._session.painting or (busy is not None and not Stage(busy.stage).queue_may_go_on)

    def _rested(self) -> None:
        if self._busy():
            self._rest.start()
        else:
            self._paused = False
            self._pause(False)
