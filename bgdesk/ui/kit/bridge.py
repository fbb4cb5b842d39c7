"""Runs calls from worker threads on the window's thread, in the order in which they were posted."""

from collections.abc import Callable

from PySide6.QtCore import QObject, Qt, Signal, Slot


class Bridge(QObject):
    """Make it on the GUI thread; `post` may then be called from any thread.

    Posts travel as a queued signal, which Qt delivers safely between threads. After `close` they are dropped, because workers may
    outlive the window.
    """

    _posted = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._open = True
        self._posted.connect(self._run, Qt.ConnectionType.QueuedConnection)

    def post(self, call: Callable[[], None]) -> None:
        if self._open:
            self._posted.emit(call)

    def close(self) -> None:
        """Drop all posts, also those that wait."""
        self._open = False

    @Slot(object)
    def _run(self, call: Callable[[], None]) -> None:
        if self._open:
            call()
