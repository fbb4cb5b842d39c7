"""The table of a queue's photos, as quick with ten thousand rows as with ten."""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from PySide6.QtCore import QEvent, QItemSelectionModel, QModelIndex, QPersistentModelIndex, QPoint, QRect, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QBrush, QColor, QFocusEvent, QFont, QImage, QImageReader, QKeyEvent, QMouseEvent, QPainter, QResizeEvent
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QStyle, QStyledItemDelegate, QStyleOptionViewItem, QTableView

from bgdesk.app.jobs import Post
from bgdesk.batch.values import Item, State
from bgdesk.core.errors import LoadError
from bgdesk.ui import words
from bgdesk.ui.batch_model import ITEM, Column, ItemsModel, alignment
from bgdesk.ui.controls import named
from bgdesk.ui.icons import Icons
from bgdesk.ui.render import CHECKER_DARK, CHECKER_LIGHT
from bgdesk.ui.shelf import Shelf
from bgdesk.ui.theme import Tokens

ROW_HEIGHT = 48
#: Longest side of the pictures kept for the table, in pixels: 40 high in a row, twice that on dense screens.
_THUMBNAIL = 96
_KEPT = 600
_WIDTHS: Mapping[Column, int] = {
    Column.PICTURE: 72,
    Column.NAME: 240,
    Column.STATE: 112,
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

#: What a picture is read from: the queue's own thumbnail, or the photo itself while there is none.
Source = tuple[Path, bool]


def picture_of(item: Item) -> Source:
    thumbnail = None if item.outcome is None else item.outcome.thumbnail
    return (item.source, False) if thumbnail is None else (thumbnail, True)


def read_picture(source: Source) -> QImage | None:
    """A small picture, on any thread; None if there is none to be had."""
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
    from bgdesk.files.load import preview  # decoders: here, on the shelf's thread

    try:
        pixels = preview(path, _THUMBNAIL)
    except LoadError:  # the table says it where the queue comes to this photo
        return None
    height, width = pixels.shape[:2]
    return QImage(pixels.tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888).copy()


class QueueTable(QTableView):
    """Asks for the pictures of the rows that can be seen, and for no others."""

    opened = Signal(int)  # item id: double click or Return
    removed = Signal()  # Delete
    chosen = Signal()  # the selection is another one
    menu_wanted = Signal(QPoint)  # global

    def __init__(self, model: ItemsModel, post: Post) -> None:
        super().__init__()
        named(self, "queue_table", "Photos of the queue")
        self.items = model
        self.shelf: Shelf[Source, QImage] = Shelf("thumbnails", read_picture, self._arrived, post, _KEPT)
        self.setModel(model)
        self._delegate = _Delegate(self.shelf, model)
        self.setItemDelegate(self._delegate)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setCornerButtonEnabled(False)
        self.setTabKeyNavigation(False)  # the Tab key leaves the table
        self.setMouseTracking(True)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        rows = self.verticalHeader()
        rows.hide()
        rows.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)  # one height for all: nothing is measured
        rows.setDefaultSectionSize(ROW_HEIGHT)
        columns = self.horizontalHeader()
        columns.setHighlightSections(False)
        columns.setMinimumSectionSize(48)
        for column, width in _WIDTHS.items():
            self.setColumnWidth(column, width)
        columns.setSectionResizeMode(Column.PICTURE, QHeaderView.ResizeMode.Fixed)
        columns.setSectionResizeMode(Column.REASON, QHeaderView.ResizeMode.Stretch)
        columns.setSortIndicatorClearable(True)  # a third click: as they are done
        columns.setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        self.setSortingEnabled(True)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.customContextMenuRequested.connect(lambda at: self.menu_wanted.emit(self.viewport().mapToGlobal(at)))
        self.doubleClicked.connect(lambda index: self.opened.emit(index.data(ITEM).id))
        self._look = QTimer(self)
        self._look.setSingleShot(True)
        self._look.setInterval(30)
        self._look.timeout.connect(self._want_pictures)
        self.verticalScrollBar().valueChanged.connect(self._look.start)
        self._selected: tuple[tuple[int, ...], int | None] = ((), None)
        for changed in (model.modelReset, model.layoutChanged, model.dataChanged, model.rowsInserted, model.rowsRemoved):
            changed.connect(lambda *_: self._look.start())
        model.modelAboutToBeReset.connect(self._remember)
        model.modelReset.connect(self._restore)
        model.layoutChanged.connect(lambda *_: self._show_current())
        self.selectionModel().selectionChanged.connect(lambda *_: self.chosen.emit())
        self.selectionModel().currentRowChanged.connect(lambda *_: self._show_current())

    @property
    def selected(self) -> list[int]:
        """Ids of the selected items, from the top."""
        return [self.items.item_at(row).id for row in sorted({index.row() for index in self.selectionModel().selectedRows()})]

    def set_gate(self, gate: float | None) -> None:
        """Confidences below it stand out."""
        self._delegate.gate = gate

    def tint(self, icons: Icons) -> None:
        self._delegate.icons = icons
        self.viewport().update()

    def select(self, id: int) -> None:
        """Go to this item, if it is shown."""
        row = self.items.row_of(id)
        if row is not None:
            self.setCurrentIndex(self.items.index(row, Column.NAME))

    def visible_ids(self) -> list[int]:
        """What can be seen, and a little more below: it will be there when the wheel turns."""
        first = self.rowAt(0)
        if first < 0:
            return []
        count = self.viewport().height() // ROW_HEIGHT + 2
        return list(self.items.ids[first : first + count + count // 2])

    def _want_pictures(self) -> None:
        items = [self.items.item(id) for id in self.visible_ids()]
        self.shelf.want(picture_of(item) for item in items if item is not None)

    def _arrived(self, _source: Source) -> None:
        self.viewport().update(QRect(0, 0, self.columnWidth(Column.PICTURE), self.viewport().height()))

    def _remember(self) -> None:
        current = self.currentIndex()
        self._selected = tuple(self.selected), (self.items.item_at(current.row()).id if current.isValid() else None)

    def _restore(self) -> None:
        """The same photos are selected as before, as far as they are shown."""
        ids, current = self._selected
        chosen = self.selectionModel()
        if current is not None and (row := self.items.row_of(current)) is not None:
            chosen.setCurrentIndex(self.items.index(row, Column.NAME), QItemSelectionModel.SelectionFlag.NoUpdate)
        flags = QItemSelectionModel.SelectionFlag.Select | QItemSelectionModel.SelectionFlag.Rows
        for id in ids:
            row = self.items.row_of(id)
            if row is not None:
                chosen.select(self.items.index(row, Column.NAME), flags)
        self.chosen.emit()

    def _show_current(self) -> None:
        row = self.currentIndex().row() if self.hasFocus() else -1
        if row != self._delegate.current:
            self._delegate.current = row
            self.viewport().update()

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self._show_current()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self._show_current()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        super().mouseMoveEvent(event)
        self._hover(self.rowAt(round(event.position().y())))

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self._hover(-1)

    def _hover(self, row: int) -> None:
        if row != self._delegate.hovered:
            self._delegate.hovered = row
            self.viewport().update()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.removed.emit()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            if self.currentIndex().isValid():
                self.opened.emit(self.currentIndex().data(ITEM).id)
        else:
            super().keyPressEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._look.start()


class _Delegate(QStyledItemDelegate):
    """Draws every cell itself: a style sheet that is asked ten times a row is what makes tables slow."""

    icons: Icons | None = None
    gate: float | None = None
    hovered = -1  # row
    current = -1  # row that the keyboard is on

    def __init__(self, shelf: Shelf[Source, QImage], model: ItemsModel) -> None:
        super().__init__()
        self._shelf, self._model = shelf, model

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        return QSize(_WIDTHS[Column(index.column())], ROW_HEIGHT)

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
        image = self._shelf.get(picture_of(item)) or self._shelf.get((item.source, False))
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
        painter.drawText(cell.adjusted(26, 0, 0, 0), Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, words.state(item.state))

    def _stage(self, painter: QPainter, cell: QRect, item: Item, tokens: Tokens) -> None:
        stage = self._model.stage_of(item.id) if item.state is State.RUNNING else None
        if stage is None:
            return
        painter.setPen(QColor(tokens.text))
        words_at = cell.adjusted(0, 8, 0, -18)
        painter.drawText(words_at, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, words.short_stage(stage[0]))
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
        # A name is told by its beginning and its end, a sentence by its beginning.
        mode = Qt.TextElideMode.ElideMiddle if column is Column.NAME else Qt.TextElideMode.ElideRight
        shown = painter.fontMetrics().elidedText(text, mode, cell.width())
        painter.drawText(cell, Qt.AlignmentFlag.AlignVCenter | alignment(column), shown)

    def _colour(self, column: Column, item: Item, tokens: Tokens) -> str:
        if column is Column.CONFIDENCE and self.gate is not None and item.confidence is not None and item.confidence < self.gate:
            return tokens.warning
        if column is Column.REASON:
            return tokens.error if item.state is State.FAILED else tokens.hint
        return tokens.hint if column is Column.TIME else tokens.text


def tabular(font: QFont) -> QFont:
    """The same with figures of one width, so that numbers stand under each other and do not shake while they count."""
    result = QFont(font)
    result.setFeature(QFont.Tag("tnum"), 1)
    return result


def checker(side: int) -> QBrush:
    """The checkerboard behind what is transparent; `side` of a square in logical pixels."""
    return QBrush(_tile(side))


@lru_cache(maxsize=4)
def _tile(side: int) -> QImage:
    grey = [[CHECKER_LIGHT if (x < side) is (y < side) else CHECKER_DARK for x in range(2 * side)] for y in range(2 * side)]
    return QImage(bytes(value for row in grey for value in row), 2 * side, 2 * side, 2 * side, QImage.Format.Format_Grayscale8).copy()
