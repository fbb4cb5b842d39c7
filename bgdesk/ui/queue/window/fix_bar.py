"""The banner above the canvas while a photo of the queue is being fixed in the editor."""

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QSizePolicy, QToolButton

from bgdesk.ui.kit.controls import named, role
from bgdesk.ui.kit.icons import SIZE, Icons


class FixBar(QFrame):
    """Shows which photo of the queue is being fixed. `put_back`: use the cut-out on the canvas. `left`: keep the queued one."""

    put_back = Signal()
    left = Signal()

    def __init__(self) -> None:
        super().__init__()
        named(self, "fix.bar", "A photo of the queue is being fixed")
        self._icon = QLabel()
        self._icon.setFixedSize(SIZE, SIZE)
        self._text = QLabel()
        named(self._text, "fix.text", "What is being fixed")
        self._text.setTextFormat(Qt.TextFormat.PlainText)
        self._text.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self._go = QPushButton("Put back into the queue")
        named(self._go, "fix.put_back", "Put back into the queue", "This cut-out replaces the queued one (Ctrl+Return)")
        self._go.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._go.clicked.connect(self.put_back)
        self._leave = QToolButton()
        named(self._leave, "fix.leave", "Keep the queued cutout", "Keep the queued cutout; the photo stays in review")
        self._leave.setIconSize(QSize(16, 16))
        self._leave.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._leave.clicked.connect(self.left)
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 6, 8, 6)
        row.setSpacing(8)
        row.addWidget(self._icon)
        row.addWidget(self._text, 1)
        row.addWidget(self._go)
        row.addWidget(self._leave)
        role(self._go, "accent")
        self.hide()

    def show_photo(self, name: str | None, ready: bool) -> None:
        """name: of the photo being fixed, None for none. ready: it is what the canvas shows, and it is cut out."""
        self._text.setText("" if name is None else f"{name} is in review. Correct it, then put it back.")
        self._go.setEnabled(ready)
        self.setVisible(name is not None)

    def tint(self, icons: Icons) -> None:
        self._icon.setPixmap(icons.pixmap("brush", SIZE, self.devicePixelRatioF(), icons.tokens.text))
        self._leave.setIcon(icons.icon("close"))
