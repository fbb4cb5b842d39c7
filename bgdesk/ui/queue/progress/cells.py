"""Draws the cells of the queue's table, and reads the pictures in them."""

from collections.abc import Mapping
from pathlib import Path

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QImage, QImageReader, QPainter
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem

from bgdesk.batch.model import words
from bgdesk.batch.model.values import Item, State
from bgdesk.core.errors import LoadError
from bgdesk.ui.kit.icons import Icons
from bgdesk.ui.kit.paint import checker, tabular
from bgdesk.ui.kit.picture_cache import PictureCache
from bgdesk.ui.kit.theme import Tokens
from bgdesk.ui.queue.progress.table_model import ITEM, Column, ItemsModel, alignment

ROW_HEIGHT = 48
#: Longest side of the pictures kept for the table, in pixels: 40 high in a row, twice that on dense screens.
_THUMBNAIL = 96
WIDTHS: Mapping[Column, int] = {
    Column.PICTURE: 72,
    Column.NAME: 240,
    Column.STATE: 136,
    Column.STAGE: 128,
    Column.TIME: 72,
    Column.CONFIDENCE: 96,
    Column.REASON: 200,
}
_ICONS: Mapping[State, str] = {
    State.QUEUED: "clock",
    State.RUNNING: "again",
    State.WRITTEN: "export",
    State.REVIEW: "view",
    State.DONE: "check",
    State.REJECTED: "close",
    State.SKIPPED: "skip",
    State.FAILED: "warning",
}

#: What a picture is read from: a file, and whether it is the queue's thumbnail rather than the photo itself.
Source = tuple[Path, bool]


def picture_of(item: Item) -> Source:
    thumbnail = None if item.outcome is None else item.outcome.thumbnail
    return (item.source, False) if thumbnail is None else (thumbnail, True)


def read_picture(source: Source) -> QImage | None:
    """Read a small picture, on any thread; None if that fails."""
    path, small = source
    if small:
        reader = QImageReader(str(path))
        reader.setAutoTransform(True)
        image = reader.read()
        if image.isNull():
            return None
        longest = max(image.width(), image.height())
        if longest > _THUMBNAIL:
            image = image.scaled(_THUMBNAIL, _THUMBNAIL, Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation)
        return image
    from bgdesk.files.load import preview  # decoders: here, on the cache's thread

    try:
        pixels = preview(path, _THUMBNAIL)
    except LoadError:  # the queue reports it when it comes to this photo
        return None
    height, width = pixels.shape[:2]
    return QImage(pixels.tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888).copy()


class CellDelegate(QStyledItemDelegate):
    """Draws every cell itself: style sheets, which are asked ten times a row, make tables slow.

    icons: of the theme. gate: confidences below stand out. hovered, current: rows under the pointer and the keyboard, or -1.
    """

    icons: Icons | None = None
    gate: float | None = None
    hovered = -1
    current = -1

    def __init__(self, pictures: PictureCache[Source, QImage], model: ItemsModel) -> None:
        super().__init__()
        self._pictures, self._model = pictures, model

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        return QSize(WIDTHS[Column(index.column())], ROW_HEIGHT)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> None:
        item: Item | None = index.data(ITEM)
        if item is None or self.icons is None:
            return
        tokens, column = self.icons.tokens, Column(index.column())
        rect: QRect = option.rect
        state: QStyle.StateFlag = option.state
        painter.save()
        if state & QStyle.StateFlag.State_Selected:
            painter.fillRect(rect, QColor(tokens.selected))
        elif index.row() == self.hovered:
            painter.fillRect(rect, QColor(tokens.raised))
        painter.fillRect(rect.left(), rect.bottom(), rect.width(), 1, QColor(tokens.line))
        inner = rect.adjusted(8, 0, -8, -1)
        if column is Column.PICTURE:
            self._picture(painter, rect.adjusted(16, 3, -8, -4), item, tokens)
        elif column is Column.STATE:
            self._state(painter, inner, item, tokens)
        elif column is Column.STAGE:
            self._stage(painter, inner, item, tokens)
        else:
            self._text(painter, inner, column, str(index.data()), self._colour(column, item, tokens), option.font)
        if column is Column.PICTURE and index.row() == self.current:
            painter.fillRect(rect.left(), rect.top(), 3, rect.height() - 1, QColor(tokens.accent))
        painter.restore()

    def _picture(self, painter: QPainter, cell: QRect, item: Item, tokens: Tokens) -> None:
        image = self._pictures.get(picture_of(item)) or self._pictures.get((item.source, False))
        if image is None:
            if self.icons is not None:
                self.icons.icon("sample", tokens.disabled).paint(painter, QRect(cell.center().x() - 9, cell.center().y() - 9, 20, 20))
            return
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        size = image.size().scaled(cell.size(), Qt.AspectRatioMode.KeepAspectRatio)
        target = QRect(0, 0, size.width(), size.height())
        target.moveCenter(cell.center())
        if image.hasAlphaChannel():
            painter.fillRect(target, checker(4))
        painter.drawImage(target, image)

    def _state(self, painter: QPainter, cell: QRect, item: Item, tokens: Tokens) -> None:
        colours = {State.REVIEW: tokens.warning, State.FAILED: tokens.error, State.RUNNING: tokens.accent, State.DONE: tokens.text}
        if self.icons is not None:
            icon = self.icons.icon(_ICONS[item.state], colours.get(item.state, tokens.hint))
            icon.paint(painter, QRect(cell.left(), cell.center().y() - 8, 18, 18))
        quiet = item.state in (State.QUEUED, State.SKIPPED, State.REJECTED)
        painter.setPen(QColor(tokens.hint if quiet else tokens.text))
        beside = cell.adjusted(26, 0, 0, 0)
        text = painter.fontMetrics().elidedText(words.state(item.state), Qt.TextElideMode.ElideRight, beside.width())
        painter.drawText(beside, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, text)

    def _stage(self, painter: QPainter, cell: QRect, item: Item, tokens: Tokens) -> None:
        stage = self._model.stage_of(item.id) if item.state is State.RUNNING else None
        if stage is None:
            return
        painter.setPen(QColor(tokens.text))
        words_at = cell.adjusted(0, 8, 0, -18)
        painter.drawText(words_at, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, words.stage(stage[0]))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        line = QRectF(cell.left(), cell.bottom() - 14, cell.width(), 4)
        painter.setBrush(QColor(tokens.edge))
        painter.drawRoundedRect(line, 2, 2)
        line.setWidth(max(4.0, line.width() * min(1.0, max(0.0, stage[1]))))
        painter.setBrush(QColor(tokens.accent))
        painter.drawRoundedRect(line, 2, 2)

    def _text(self, painter: QPainter, cell: QRect, column: Column, text: str, colour: str, font: QFont) -> None:
        painter.setPen(QColor(colour))
        if column in (Column.TIME, Column.CONFIDENCE):
            painter.setFont(tabular(font))
        # Names are shortened in the middle, sentences at the end.
        mode = Qt.TextElideMode.ElideMiddle if column is Column.NAME else Qt.TextElideMode.ElideRight
        shown = painter.fontMetrics().elidedText(text, mode, cell.width())
        painter.drawText(cell, Qt.AlignmentFlag.AlignVCenter | alignment(column), shown)

    def _colour(self, column: Column, item: Item, tokens: Tokens) -> str:
        if column is Column.CONFIDENCE and self.gate is not None and item.confidence is not None and item.confidence < self.gate:
            return tokens.warning if item.decision is None else tokens.hint
        if column is Column.REASON:
            return tokens.error if item.state is State.FAILED else tokens.hint
        return tokens.hint if column is Column.TIME else tokens.text
