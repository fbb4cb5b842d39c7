"""What is being worked on, how far it is, and a way to cancel it."""

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QProgressBar, QToolButton

from bgdesk.app.work.activity import Busy
from bgdesk.ui.kit import words
from bgdesk.ui.kit.controls import named

#: Work that ends sooner than this, in milliseconds, is not shown: the answer to a stroke must not flicker.
PATIENCE_MS = 250


class WorkProgress(QFrame):
    """Shows the stage of work in words and a Cancel button. `cancelled`: the person pressed it.

    `bar` is a thin line for another place of the window; it is shown and hidden together with this widget.
    """

    cancelled = Signal()

    def __init__(self) -> None:
        super().__init__()
        named(self, "progress.line", "Work under way")
        self._busy: Busy | None = None
        self.bar = QProgressBar()
        named(self.bar, "progress.bar", "Progress")
        self.bar.setTextVisible(False)
        self.bar.hide()
        self._text = QLabel()
        named(self._text, "progress.stage", "Stage of work")
        self._cancel = QToolButton()
        named(self._cancel, "progress.cancel", "Cancel the work", "Cancel (Esc)")
        self._cancel.setText("Cancel")
        self._cancel.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._cancel.clicked.connect(self.cancelled)
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 0, 12, 0)
        row.setSpacing(8)
        row.addWidget(self._text)
        row.addWidget(self._cancel)
        self._patience = QTimer(self)
        self._patience.setSingleShot(True)
        self._patience.setInterval(PATIENCE_MS)
        self._patience.timeout.connect(self._appear)
        self.hide()

    def show_busy(self, busy: Busy | None) -> None:
        """Show this work if it takes longer than PATIENCE_MS; None: nothing runs."""
        self._busy = busy
        if busy is None:
            self._patience.stop()
            self.hide()
            self.bar.hide()
            return
        if busy.fraction is None:
            self.bar.setRange(0, 0)
        else:
            self.bar.setRange(0, 1000)
            self.bar.setValue(round(1000 * min(1.0, max(0.0, busy.fraction))))
        share = "" if busy.fraction is None else f" — {100 * busy.fraction:.0f} %"
        self._text.setText(words.stage(busy.stage) + share)
        self._cancel.setVisible(busy.cancellable)
        if self.isHidden() and not self._patience.isActive():
            self._patience.start()

    def _appear(self) -> None:
        if self._busy is not None:
            self.show()
            self.bar.show()
