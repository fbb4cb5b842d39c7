"""The table of a queue's photos. Ten thousand rows are as fast as ten."""

from PySide6.QtCore import QEvent, QItemSelectionModel, QPoint, QRect, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QFocusEvent, QImage, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableView

from bgdesk.app.work.jobs import Post
from bgdesk.ui.kit.controls import named
from bgdesk.ui.kit.icons import Icons
from bgdesk.ui.kit.picture_cache import PictureCache
from bgdesk.ui.queue.progress.cells import ROW_HEIGHT, WIDTHS, CellDelegate, Source, picture_of, read_picture
from bgdesk.ui.queue.progress.table_model import ITEM, Column, ItemsModel

#: Pictures that are kept: a few screens of rows.
_KEPT = 600


class QueueTable(QTableView):
    """Shows the items of a queue; loads only the pictures of rows that can be seen.

    opened(id): double click or Return on a row. removed: Delete was pressed. chosen: the selection changed.
    menu_wanted(point): a context menu, at global coordinates.
    """

    opened = Signal(int)
    removed = Signal()
    chosen = Signal()
    menu_wanted = Signal(QPoint)

    def __init__(self, model: ItemsModel, post: Post) -> None:
        super().__init__()
        named(self, "queue_table", "Photos of the queue")
        self.items = model
        self.pictures: PictureCache[Source, QImage] = PictureCache("thumbnails", read_picture, self._arrived, post, _KEPT)
        self.setModel(model)
        self._delegate = CellDelegate(self.pictures, model)
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
        for column, width in WIDTHS.items():
            self.setColumnWidth(column, width)
        columns.setSectionResizeMode(Column.PICTURE, QHeaderView.ResizeMode.Fixed)
        columns.setSectionResizeMode(Column.REASON, QHeaderView.ResizeMode.Stretch)
        columns.setSortIndicatorClearable(True)  # a third click restores the queue's order
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
        """Mark confidences below this."""
        self._delegate.gate = gate

    def tint(self, icons: Icons) -> None:
        self._delegate.icons = icons
        self.viewport().update()

    def select(self, id: int) -> None:
        """Make this item current, if it is shown."""
        row = self.items.row_of(id)
        if row is not None:
            self.setCurrentIndex(self.items.index(row, Column.NAME))

    def visible_ids(self) -> list[int]:
        """Items in view, and some below them, so that scrolling finds their pictures ready."""
        first = self.rowAt(0)
        if first < 0:
            return []
        count = self.viewport().height() // ROW_HEIGHT + 2
        return list(self.items.ids[first : first + count + count // 2])

    def _want_pictures(self) -> None:
        items = [self.items.item(id) for id in self.visible_ids()]
        self.pictures.want(picture_of(item) for item in items if item is not None)

    def _arrived(self, _source: Source) -> None:
        self.viewport().update(QRect(0, 0, self.columnWidth(Column.PICTURE), self.viewport().height()))

    def _remember(self) -> None:
        current = self.currentIndex()
        self._selected = tuple(self.selected), (self.items.item_at(current.row()).id if current.isValid() else None)

    def _restore(self) -> None:
        """Select the same photos as before, as far as they are shown."""
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

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if self.items.rowCount() == 0 and self._delegate.icons is not None:
            painter = QPainter(self.viewport())
            painter.setPen(QColor(self._delegate.icons.tokens.hint))
            words = "No photo matches." if self.items.total else "There are no photos in this queue."
            painter.drawText(self.viewport().rect(), Qt.AlignmentFlag.AlignCenter, words)
            painter.end()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._look.start()
