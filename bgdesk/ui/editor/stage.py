"""The middle of the main window: banners above, the canvas below them, small controls in its corner."""

from PySide6.QtCore import QEvent, QObject, QRect, QSize, QTimer
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget

from bgdesk.ui.canvas.canvas import Canvas
from bgdesk.ui.kit.controls import named

#: Height of the line that shows progress, in logical pixels. Its place is always free, so that it covers nothing when it appears.
LINE_HEIGHT = 3
#: How long the pointer must have rested before a banner may move the photo, in milliseconds: strokes come in groups.
REST_MS = 1000


class EditorStage(QWidget):
    """Shows the canvas, or `empty` while there is no photo.

    A banner never covers the photo: the canvas ends where the banners begin. A photo that is fitted is fitted into what is left;
    one that is zoomed stays where it is on the screen. While the person paints or drags, and for a moment after, nothing moves:
    a banner that appears then gets its place later.
    """

    def __init__(self, canvas: Canvas, empty: QWidget, line: QWidget) -> None:
        super().__init__()
        self.setObjectName("stage")
        self._canvas, self._empty, self._line = canvas, empty, line
        self._banners = QWidget()
        named(self._banners, "stage.banners", "Messages")
        self._column = QVBoxLayout(self._banners)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(0)
        for widget in (canvas, empty, line, self._banners):
            widget.setParent(self)
        self._chips: list[QWidget] = []
        self._has_photo = False
        self._banner_height = 0
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(REST_MS)
        self._rest.timeout.connect(self._make_room)
        canvas.resting.connect(self._rest.start)
        self._banners.installEventFilter(self)

    def add_banner(self, banner: QWidget) -> None:
        """Put a banner below those that are there. It takes room while it is not hidden."""
        self._column.addWidget(banner)

    def add_chip(self, chip: QWidget) -> None:
        """Put a small control into the lower right corner, to the right of those that are there."""
        chip.setParent(self)
        self._chips.append(chip)

    def show_photo(self, shown: bool) -> None:
        """Show the canvas, or what invites to open a photo."""
        self._has_photo = shown
        self.arrange()

    def arrange(self) -> None:
        """Put everything in its place; banners keep the room they have."""
        width, top = self.width(), self._banner_height + LINE_HEIGHT
        self._banners.setGeometry(0, 0, width, self._banner_height)
        self._line.setGeometry(0, self._banner_height, width, LINE_HEIGHT)
        below = QRect(0, top, width, max(0, self.height() - top))
        self._canvas.place(below)
        self._empty.setGeometry(below)
        self._canvas.setVisible(self._has_photo)
        self._empty.setVisible(not self._has_photo)
        right = width - 12
        for chip in reversed(self._chips):
            chip.setVisible(self._has_photo)
            hint = chip.sizeHint()
            chip.setGeometry(right - hint.width(), self.height() - 12 - hint.height(), hint.width(), hint.height())
            chip.raise_()
            right -= hint.width() + 8

    def _make_room(self) -> None:
        """Give the banners the height they want, unless the person is painting."""
        if not self._canvas.held and not self._rest.isActive():
            column = self._column
            self._banner_height = (
                column.totalHeightForWidth(self.width()) if column.hasHeightForWidth() else column.totalSizeHint().height()
            )
            self.arrange()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self._banners and event.type() is QEvent.Type.LayoutRequest:  # a banner came, went or changed its text
            self._make_room()
        return super().eventFilter(watched, event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._make_room()
        self.arrange()

    def sizeHint(self) -> QSize:
        return QSize(900, 640)

    def minimumSizeHint(self) -> QSize:
        return QSize(320, 240)
