"""The open photos in a row, shown when there are two or more."""

from collections.abc import Sequence

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QSize, Qt, Signal
from PySide6.QtGui import QColor, QImage, QKeyEvent, QPainter, QPen, QPixmap
from PySide6.QtWidgets import QFrame, QHBoxLayout, QListWidget, QListWidgetItem, QStyle, QStyledItemDelegate, QStyleOptionViewItem

from bgdesk.app.session.photos import Photo, PhotoState
from bgdesk.ui.kit.controls import named
from bgdesk.ui.kit.icons import Icons
from bgdesk.ui.kit.theme import FILM_STRIP_HEIGHT

_CELL = QSize(104, 84)
_STATES = {
    PhotoState.WAITING: "waiting",
    PhotoState.LOADING: "being read",
    PhotoState.MATTING: "being cut out",
    PhotoState.READY: "ready",
    PhotoState.FAILED: "failed",
}
_PHOTO = Qt.ItemDataRole.UserRole + 1
_PIXMAP = Qt.ItemDataRole.UserRole + 2
_UNSAVED = Qt.ItemDataRole.UserRole + 3


class FilmStrip(QFrame):
    """Shows the session's photos. chosen(key), removed(key): the person selected a photo, or pressed Delete on it."""

    chosen = Signal(int)
    removed = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("film_strip")
        self.setFixedHeight(FILM_STRIP_HEIGHT)
        self.list = _PhotoList()
        named(self.list, "film_strip.list", "Photos")
        self.list.setFlow(QListWidget.Flow.LeftToRight)
        self.list.setWrapping(False)
        self.list.setHorizontalScrollMode(QListWidget.ScrollMode.ScrollPerPixel)
        self.list.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setUniformItemSizes(True)
        self.list.setSpacing(2)
        self.list.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._delegate = _Delegate()
        self.list.setItemDelegate(self._delegate)
        self.list.currentItemChanged.connect(self._current_changed)
        self.list.delete_pressed.connect(self._delete)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(8, 3, 8, 3)
        layout.addWidget(self.list)
        self.hide()

    def show_photos(self, photos: Sequence[Photo], current: Photo | None) -> None:
        blocked = self.list.blockSignals(True)
        known = {self.list.item(row).data(_PHOTO).key: row for row in range(self.list.count())}
        if list(known) != [photo.key for photo in photos]:
            self.list.clear()
            for _ in photos:
                self.list.addItem(QListWidgetItem())
        for row, photo in enumerate(photos):
            item = self.list.item(row)
            before: Photo | None = item.data(_PHOTO)
            if before is None or before.thumbnail is not photo.thumbnail:
                item.setData(_PIXMAP, _pixmap(photo))
            item.setData(_PHOTO, photo)
            item.setData(_UNSAVED, photo.unsaved)
            state = photo.error or _STATES[photo.state]
            item.setToolTip(f"{photo.name}\n{photo.error}" if photo.error else photo.name)
            item.setData(Qt.ItemDataRole.AccessibleTextRole, f"{photo.name}, {state}" + (", not exported" if photo.unsaved else ""))
            if current is not None and photo.key == current.key and self.list.currentRow() != row:
                self.list.setCurrentRow(row)
                self.list.scrollToItem(item)
        self.list.blockSignals(blocked)
        self.list.viewport().update()
        self.setVisible(len(photos) > 1)

    def tint(self, icons: Icons) -> None:
        self._delegate.icons = icons
        self.list.viewport().update()

    def _current_changed(self, item: QListWidgetItem | None) -> None:
        if item is not None:
            self.chosen.emit(item.data(_PHOTO).key)

    def _delete(self) -> None:
        item = self.list.currentItem()
        if item is not None:
            self.removed.emit(item.data(_PHOTO).key)


class _PhotoList(QListWidget):
    """A list that reports Delete. `delete_pressed`: that key was pressed."""

    delete_pressed = Signal()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.delete_pressed.emit()
        else:
            super().keyPressEvent(event)


def _pixmap(photo: Photo) -> QPixmap | None:
    if photo.thumbnail is None:
        return None
    height, width = photo.thumbnail.shape[:2]
    data = photo.thumbnail.tobytes()
    return QPixmap.fromImage(QImage(data, width, height, 3 * width, QImage.Format.Format_RGB888))


class _Delegate(QStyledItemDelegate):
    """Draws thumbnail and name, a ring around the current photo, and marks on unsaved, failed and unfinished ones."""

    icons: Icons | None = None

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        return _CELL

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> None:
        photo: Photo | None = index.data(_PHOTO)
        if photo is None or self.icons is None:
            return
        tokens = self.icons.tokens
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        cell: QRect = option.rect.adjusted(2, 2, -2, -2)
        state: QStyle.StateFlag = option.state
        if state & QStyle.StateFlag.State_Selected:
            painter.setPen(QPen(QColor(tokens.accent), 2 if state & QStyle.StateFlag.State_HasFocus else 1))
            painter.setBrush(QColor(tokens.selected))
            painter.drawRoundedRect(cell, 4, 4)
        elif state & QStyle.StateFlag.State_MouseOver:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(tokens.hover))
            painter.drawRoundedRect(cell, 4, 4)
        frame = cell.adjusted(4, 4, -4, -20)
        pixmap: QPixmap | None = index.data(_PIXMAP)
        if pixmap is not None:
            size = pixmap.size().scaled(frame.size(), Qt.AspectRatioMode.KeepAspectRatio)
            target = QRect(0, 0, size.width(), size.height())
            target.moveCenter(frame.center())
            if photo.state in (PhotoState.LOADING, PhotoState.MATTING):
                painter.setOpacity(0.5)
            painter.drawPixmap(target, pixmap)
            painter.setOpacity(1)
        else:
            name = "warning" if photo.state is PhotoState.FAILED else "sample"
            self._icon(painter, name, frame.center().x() - 10, frame.center().y() - 10, tokens.hint)
        if photo.state is PhotoState.FAILED and pixmap is not None:
            self._icon(painter, "warning", frame.right() - 18, frame.top(), tokens.warning)
        if photo.state in (PhotoState.LOADING, PhotoState.MATTING):
            self._icon(painter, "again", frame.center().x() - 10, frame.center().y() - 10, tokens.text)
        if index.data(_UNSAVED):
            painter.setPen(QPen(QColor(tokens.panel), 1.5))
            painter.setBrush(QColor(tokens.accent))
            painter.drawEllipse(cell.right() - 11, cell.top() + 4, 8, 8)
        painter.setPen(QColor(tokens.text if state & QStyle.StateFlag.State_Selected else tokens.hint))
        caption = cell.adjusted(4, cell.height() - 18, -4, -2)
        font = painter.font()
        font.setPointSizeF(font.pointSizeF() * 0.88)
        painter.setFont(font)
        text = painter.fontMetrics().elidedText(photo.name, Qt.TextElideMode.ElideMiddle, caption.width())
        painter.drawText(caption, Qt.AlignmentFlag.AlignCenter, text)
        painter.restore()

    def _icon(self, painter: QPainter, name: str, x: int, y: int, colour: str) -> None:
        if self.icons is not None:
            self.icons.icon(name, colour).paint(painter, QRect(x, y, 20, 20))
