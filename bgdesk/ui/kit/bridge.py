"""From a worker thread to the window's: `post(f)` runs f on the GUI thread soon, in the order of the calls."""

from collections.abc import Callable

from PySide6.QtCore import QObject, Qt, Signal, Slot


class Bridge(QObject):
    """Make it on the GUI thread; `post` may then be called from any thread.

    A queued signal is the one door that Qt keeps open between threads. After `close`, posts are dropped: workers may still be
    ending while the window is already gone.
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
        """What was posted and has not run yet will not run."""
        self._open = False

    @Slot(object)
    def _run(self, call: Callable[[], None]) -> None:
        if self._open:
            call()
