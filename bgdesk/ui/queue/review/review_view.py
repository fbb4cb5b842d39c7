"""Shows one cutout large, on different backgrounds, alone or beside its photo."""

from enum import Enum

from PySide6.QtCore import QPointF, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QImage, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget

from bgdesk.ui.kit.controls import named
from bgdesk.ui.kit.paint import checker
from bgdesk.ui.queue.review.review_loader import Picture

#: Space around a photo that is fitted into the view, in logical pixels.
_MARGIN = 24
#: The same on the left and right where two pictures stand side by side.
_GAP = 16


class Ground(Enum):
    """What is behind or beside a cutout; the value is part of object names."""

    BLACK = "black"
    WHITE = "white"
    CHECKER = "checkerboard"
    BESIDE = "beside"


class ReviewCanvas(QWidget):
    """Shows a Picture fitted, or at 100 %. `whole_wanted`: the full size is needed. `zoomed(on)`: it is shown at 100 %, or no longer."""

    whole_wanted = Signal()
    zoomed = Signal(bool)

    def __init__(self) -> None:
        super().__init__()
        named(self, "review.canvas", "Photo under review")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setMinimumSize(240, 160)
        self._picture: Picture | None = None
        self._whole: QImage | None = None
        self._ground = Ground.CHECKER
        self._close = False
        self._centre = QPointF(0.5, 0.5)  # of the view, as a share of the photo
        self._dragged: QPointF | None = None
        self._surround, self._text = QColor("#3c3c3c"), QColor("#e8e8e8")
        self._words = ""

    @property
    def ground(self) -> Ground:
        return self._ground

    @property
    def is_close(self) -> bool:
        """At 100 %."""
        return self._close

    @property
    def picture(self) -> Picture | None:
        return self._picture

    def show_picture(self, picture: Picture | None, words: str = "") -> None:
        """Show a photo, fitted, or the words while there is none."""
        self._picture, self._whole, self._words = picture, None, words
        self._set_close(False)
        self.update()

    def show_whole(self, image: QImage | None) -> None:
        """Show the same photo in full size."""
        self._whole = image
        self.update()

    def set_ground(self, ground: Ground) -> None:
        self._ground = ground
        self.update()

    def set_colours(self, surround: str, text: str) -> None:
        self._surround, self._text = QColor(surround), QColor(text)
        self.update()

    def zoom(self) -> None:
        """Change between the fitted photo and 100 %, at the pointer if that is over the photo."""
        if self._picture is None or self._picture.cutout is None:
            return
        at = self.mapFromGlobal(self.cursor().pos())
        pane = next((pane for pane, _ in self._panes() if pane.contains(at)), None)
        if not self._close and pane is not None:
            shown = self._fitted(pane)
            share = QPointF((at.x() - shown.x()) / shown.width(), (at.y() - shown.y()) / shown.height())
            self._centre = QPointF(min(1.0, max(0.0, share.x())), min(1.0, max(0.0, share.y())))
        elif not self._close:
            self._centre = QPointF(0.5, 0.5)
        self._set_close(not self._close)
        if self._close and self._whole is None:
            self.whole_wanted.emit()
        self.update()

    def _set_close(self, close: bool) -> None:
        if close != self._close:
            self._close = close
            self.zoomed.emit(close)
        self.setCursor(Qt.CursorShape.OpenHandCursor if close else Qt.CursorShape.ArrowCursor)

    # Where things are.

    def _panes(self) -> list[tuple[QRect, bool]]:
        """The parts of the view, and whether each shows the source."""
        area = self.rect()
        if self._ground is not Ground.BESIDE or self._picture is None or self._picture.source is None:
            return [(area, False)]
        half = area.width() // 2
        return [(QRect(0, 0, half, area.height()), True), (QRect(half, 0, area.width() - half, area.height()), False)]

    def _size(self) -> QSize:
        """Size of the photo at 100 %, in logical pixels."""
        if self._picture is None or self._picture.size.isEmpty():
            return QSize(1, 1)
        return self._picture.size / self.devicePixelRatioF()

    def _fitted(self, pane: QRect) -> QRectF:
        beside = self._ground is Ground.BESIDE
        open_queue = pane.adjusted(_GAP if beside else _MARGIN, _MARGIN, -(_GAP if beside else _MARGIN), -_MARGIN)
        size = self._size().toSizeF()
        fitted = size.scaled(open_queue.size().toSizeF(), Qt.AspectRatioMode.KeepAspectRatio)
        if fitted.width() > size.width():  # a small photo is not enlarged
            fitted = size
        return QRectF(
            open_queue.center().x() + 0.5 - fitted.width() / 2,
            open_queue.center().y() + 0.5 - fitted.height() / 2,
            fitted.width(),
            fitted.height(),
        )

    def _placed(self, pane: QRect) -> QRectF:
        if not self._close:
            return self._fitted(pane)
        size = self._size()
        x = pane.center().x() - self._centre.x() * size.width()
        y = pane.center().y() - self._centre.y() * size.height()
        return QRectF(round(x), round(y), size.width(), size.height())

    # Painting.

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        plain = {Ground.BLACK: QColor("#000000"), Ground.WHITE: QColor("#ffffff")}.get(self._ground, self._surround)
        picture = self._picture
        if picture is None or picture.cutout is None:
            painter.fillRect(self.rect(), self._surround)
            painter.setPen(self._text)
            words = self._words if picture is None else picture.problem
            flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
            painter.drawText(self.rect().adjusted(48, 48, -48, -48), flags, words)
            painter.end()
            return
        painter.fillRect(self.rect(), plain)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        for pane, is_source in self._panes():
            painter.setClipRect(pane)
            target = self._placed(pane)
            if is_source and picture.source is not None:
                painter.drawImage(target, picture.source)
                continue
            if self._ground in (Ground.CHECKER, Ground.BESIDE):
                painter.fillRect(target, checker(8))
            whole = self._whole if self._close else None
            painter.drawImage(target, whole or picture.cutout)
        painter.end()

    # Panning.

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() is Qt.MouseButton.LeftButton and self._close:
            self._dragged = event.position()
            self.setCursor(Qt.CursorShape.ClosedHandCursor)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._dragged is None:
            return
        moved, size = event.position() - self._dragged, self._size()
        self._dragged = event.position()
        x, y = self._centre.x() - moved.x() / size.width(), self._centre.y() - moved.y() / size.height()
        self._centre = QPointF(min(1.0, max(0.0, x)), min(1.0, max(0.0, y)))
        self.update()

    def mouseReleaseEvent(self, _event: QMouseEvent) -> None:
        if self._dragged is not None:
            self._dragged = None
            self.setCursor(Qt.CursorShape.OpenHandCursor)

    def mouseDoubleClickEvent(self, _event: QMouseEvent) -> None:
        self.zoom()
