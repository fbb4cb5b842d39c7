"""The queue's photos as rows, filtered and sorted in plain lists: ten thousand of them take milliseconds."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt

from bgdesk.batch.model import words as queue_words
from bgdesk.batch.model.values import Item, State
from bgdesk.core.stages import Stage
from bgdesk.files.find import natural
from bgdesk.ui.kit import words

Index = QModelIndex | QPersistentModelIndex
_NO_INDEX = QModelIndex()

#: Role under which every cell gives its Item.
ITEM = Qt.ItemDataRole.UserRole + 1
#: When more rows than this come or go at once, the table is laid out anew.
_MANY = 100


class Column(IntEnum):
    PICTURE = 0
    NAME = 1
    STATE = 2
    STAGE = 3
    TIME = 4
    CONFIDENCE = 5
    REASON = 6


_TITLES: Mapping[Column, str] = {
    Column.PICTURE: "",
    Column.NAME: "Photo",
    Column.STATE: "State",
    Column.STAGE: "Stage",
    Column.TIME: "Time",
    Column.CONFIDENCE: "Confidence",
    Column.REASON: "Reason",
}
_ORDER: Mapping[State, int] = {state: number for number, state in enumerate(State)}


@dataclass(frozen=True)
class RowFilter:
    """Which items are shown: text in the name or the reason, ignoring case; states, None for all."""

    text: str = ""
    states: frozenset[State] | None = None

    def takes(self, item: Item) -> bool:
        if self.states is not None and item.state not in self.states:
            return False
        return not self.text or self.text in item.name.casefold() or self.text in item.reason.casefold()


class ItemsModel(QAbstractTableModel):
    """Holds the items by id, and which of them are shown in which order."""

    def __init__(self) -> None:
        super().__init__()
        self._items: dict[int, Item] = {}
        self._stages: dict[int, tuple[Stage, float]] = {}
        self._names: dict[int, tuple[str | int, ...]] = {}  # sort keys of names, made when first needed
        self._shown: list[int] = []  # ids
        self._rows: dict[int, int] = {}  # id -> row
        self._row_filter = RowFilter()
        self._order: Column | None = None
        self._descending = False

    # The items.

    def set_items(self, items: Iterable[Item]) -> None:
        """Replace all items."""
        self.beginResetModel()
        self._items = {item.id: item for item in items}
        self._stages = {id: stage for id, stage in self._stages.items() if id in self._items}
        self._lay_out()
        self.endResetModel()

    def update(self, items: Iterable[Item]) -> None:
        """Replace these items. Unknown ids are ignored; `set_items` adds items."""
        changed = [item for item in items if item.id in self._items]
        moved = False
        for item in changed:
            before = self._items[item.id]
            self._items[item.id] = item
            moved = moved or before.position != item.position
            if item.state is not State.RUNNING:
                self._stages.pop(item.id, None)
        self._refilter([item.id for item in changed])
        if self._order in (Column.STATE, Column.STAGE, Column.TIME, Column.CONFIDENCE, Column.REASON) or (moved and self._order is None):
            self._resort()
        self._tell(item.id for item in changed)

    def progress(self, stages: Mapping[int, tuple[Stage, float]]) -> None:
        """Note how far running items are: id -> (stage, fraction done)."""
        known = {id: stage for id, stage in stages.items() if id in self._items and self._items[id].state is State.RUNNING}
        self._stages.update(known)
        self._tell(known, Column.STAGE, Column.STAGE)

    def item(self, id: int) -> Item | None:
        return self._items.get(id)

    def item_at(self, row: int) -> Item:
        return self._items[self._shown[row]]

    def row_of(self, id: int) -> int | None:
        """The item's row; None if it is not shown."""
        return self._rows.get(id)

    def stage_of(self, id: int) -> tuple[Stage, float] | None:
        return self._stages.get(id)

    @property
    def ids(self) -> tuple[int, ...]:
        """The shown items, from the top."""
        return tuple(self._shown)

    @property
    def total(self) -> int:
        return len(self._items)

    def counts(self) -> Counter[State]:
        return Counter(item.state for item in self._items.values())

    # Which rows, in which order.

    def set_row_filter(self, text: str, states: Iterable[State] | None) -> None:
        row_filter = RowFilter(text.strip().casefold(), None if states is None else frozenset(states))
        if row_filter != self._row_filter:
            self._row_filter = row_filter
            self.beginResetModel()
            self._lay_out()
            self.endResetModel()

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Sort the rows. Column -1 and the column of pictures stand for the queue's own order."""
        self._order = None if column in (-1, Column.PICTURE) else Column(column)
        self._descending = order is Qt.SortOrder.DescendingOrder
        self._resort()

    def _lay_out(self) -> None:
        if self._row_filter == RowFilter():
            ids = list(self._items)
        else:
            ids = [id for id, item in self._items.items() if self._row_filter.takes(item)]
        self._shown = self._sorted(ids)
        self._rows = {id: row for row, id in enumerate(self._shown)}

    def _refilter(self, ids: Sequence[int]) -> None:
        """Hide and show those of `ids` for which the filter's answer changed."""
        leaving = sorted((self._rows[id] for id in ids if id in self._rows and not self._row_filter.takes(self._items[id])), reverse=True)
        coming = [id for id in ids if id not in self._rows and self._row_filter.takes(self._items[id])]
        if not leaving and not coming:
            return
        if len(leaving) + len(coming) > _MANY:
            self.beginResetModel()
            self._lay_out()
            self.endResetModel()
            return
        for row in leaving:
            self.beginRemoveRows(_NO_INDEX, row, row)
            del self._shown[row]
            self.endRemoveRows()
        if coming:
            self.beginInsertRows(_NO_INDEX, len(self._shown), len(self._shown) + len(coming) - 1)
            self._shown += coming
            self.endInsertRows()
        self._rows = {id: row for row, id in enumerate(self._shown)}
        if coming:
            self._resort()

    def _resort(self) -> None:
        order = self._sorted(self._shown)
        if order == self._shown:
            return
        self.layoutAboutToBeChanged.emit()
        before = self.persistentIndexList()
        ids = [self._shown[index.row()] for index in before]
        self._shown = order
        self._rows = {id: row for row, id in enumerate(order)}
        after = [self.index(self._rows[id], index.column()) for id, index in zip(ids, before, strict=True)]
        self.changePersistentIndexList(before, after)
        self.layoutChanged.emit()

    def _sorted(self, ids: Sequence[int]) -> list[int]:
        items = self._items
        queued = sorted(ids, key=lambda id: (items[id].position, id))
        key = self._key()
        if key is None:
            return queued
        # Items without a value come last in both directions.
        values = {id: value for id in queued if (value := key(items[id])) is not None}
        some = sorted(values, key=values.__getitem__, reverse=self._descending)
        return some + [id for id in queued if id not in values]

    def _key(self) -> Callable[[Item], Any] | None:
        match self._order:
            case Column.NAME:
                return self._natural
            case Column.STATE:
                return lambda item: _ORDER[item.state]
            case Column.STAGE:
                return lambda item: self._stages.get(item.id)
            case Column.TIME:
                return lambda item: item.seconds
            case Column.CONFIDENCE:
                return lambda item: item.confidence
            case Column.REASON:
                return lambda item: item.reason or None
        return None

    def _natural(self, item: Item) -> tuple[str | int, ...]:
        if item.id not in self._names:
            self._names[item.id] = natural(item.name)
        return self._names[item.id]

    def _tell(self, ids: Iterable[int], first: Column = Column.PICTURE, last: Column = Column.REASON) -> None:
        """Emit dataChanged for these rows only, once for each run of neighbours."""
        rows = sorted(self._rows[id] for id in ids if id in self._rows)
        start = 0
        for at in range(1, len(rows) + 1):
            if at == len(rows) or rows[at] != rows[at - 1] + 1:
                self.dataChanged.emit(self.index(rows[start], first), self.index(rows[at - 1], last))
                start = at

    # QAbstractTableModel.

    def rowCount(self, parent: Index = _NO_INDEX) -> int:
        return 0 if parent.isValid() else len(self._shown)

    def columnCount(self, parent: Index = _NO_INDEX) -> int:
        return 0 if parent.isValid() else len(Column)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation is Qt.Orientation.Horizontal:
            if role == Qt.ItemDataRole.DisplayRole:
                return _TITLES[Column(section)]
            if role == Qt.ItemDataRole.TextAlignmentRole:
                return Qt.AlignmentFlag.AlignVCenter | alignment(Column(section))
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid() or index.row() >= len(self._shown):
            return None
        item = self.item_at(index.row())
        if role == ITEM:
            return item
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            return self._text(item, Column(index.column()))
        if role == Qt.ItemDataRole.ToolTipRole:
            return {Column.NAME: str(item.source), Column.REASON: item.reason, Column.PICTURE: item.name}.get(Column(index.column()))
        if role == Qt.ItemDataRole.AccessibleDescriptionRole:
            return f"{item.name}, {queue_words.state(item.state)}"
        return None

    def _text(self, item: Item, column: Column) -> str:
        match column:
            case Column.NAME:
                return item.name
            case Column.STATE:
                return queue_words.state(item.state)
            case Column.STAGE:
                stage = self._stages.get(item.id) if item.state is State.RUNNING else None
                return "" if stage is None else queue_words.stage(stage[0])
            case Column.TIME:
                return "" if item.seconds is None else words.duration(item.seconds)
            case Column.CONFIDENCE:
                return "" if item.confidence is None else words.share(item.confidence)
            case Column.REASON:
                return item.reason
        return ""


def alignment(column: Column) -> Qt.AlignmentFlag:
    """Numbers stand at the right, so that their digits stand under each other."""
    return Qt.AlignmentFlag.AlignRight if column in (Column.TIME, Column.CONFIDENCE) else Qt.AlignmentFlag.AlignLeft
