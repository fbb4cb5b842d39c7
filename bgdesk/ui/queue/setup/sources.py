"""The left half of the set-up page: files and folders of photos, and filters for them."""

from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from bgdesk.batch.model.words import place
from bgdesk.batch.planning.scan import Order
from bgdesk.ui.kit.controls import Check, Combo, Section, hint_label, named, role
from bgdesk.ui.kit.forms import caption, form
from bgdesk.ui.kit.icons import SIZE, Icons

_ORDERS = (("By name", Order.NAME), ("Oldest first", Order.DATE), ("Smallest first", Order.SIZE), ("As added", Order.GIVEN))
_PATH = Qt.ItemDataRole.UserRole + 1


class SourcesPanel(QWidget):
    """Shows the files and folders of a new queue. `changed`: they or their filters changed. add_files, add_folder: ask the person."""

    changed = Signal()

    def __init__(self, add_files: Callable[[], Sequence[Path]], add_folder: Callable[[], Path | None]) -> None:
        super().__init__()
        self._icons: Icons | None = None
        title = QLabel("Photos")
        role(title, "title")
        self.count = hint_label()
        named(self.count, "setup.count", "How many photos were found")
        self.list = _SourceList()
        named(self.list, "setup.sources", "Files and folders")
        self.list.setIconSize(QSize(SIZE, SIZE))
        self.list.setUniformItemSizes(True)
        self.list.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setSelectionMode(QListWidget.SelectionMode.ExtendedSelection)
        self.list.delete_pressed.connect(self._remove_selected)
        self.list.itemSelectionChanged.connect(self._show_possible)
        self._invitation = QWidget()
        self._icon = QLabel()
        self._icon.setAlignment(Qt.AlignmentFlag.AlignCenter)
        words = QLabel("Drop folders and photos here")
        words.setAlignment(Qt.AlignmentFlag.AlignCenter)
        below = hint_label("Photos are never changed, moved or deleted")
        below.setAlignment(Qt.AlignmentFlag.AlignCenter)
        inside = QVBoxLayout(self._invitation)
        inside.setSpacing(8)
        inside.addStretch(1)
        for widget in (self._icon, words, below):
            inside.addWidget(widget)
        inside.addStretch(1)
        self._target = QFrame()
        self._target.setObjectName("setup.target")
        role(self._target, "target")
        shell = QVBoxLayout(self._target)
        shell.setContentsMargins(1, 1, 1, 1)
        shell.addWidget(self._invitation, 1)
        shell.addWidget(self.list, 1)
        files = _button("setup.add_files", "Add photos…", lambda: self.add(add_files()))
        folder = _button("setup.add_folder", "Add a folder…", lambda: self._add_folder(add_folder()))
        self.setFocusProxy(folder)
        self._remove = _button("setup.remove", "Remove", self._remove_selected)
        buttons = QHBoxLayout()
        buttons.setSpacing(8)
        for button in (folder, files, self._remove):
            buttons.addWidget(button)
        buttons.addStretch(1)
        self.recursive = Check("Include subfolders")
        named(self.recursive, "setup.recursive", "Include subfolders")
        self.recursive.toggled.connect(lambda _on: self.changed.emit())
        self.order = Combo()
        named(self.order, "setup.order", "Order", "Which photos are done first")
        for text, order in _ORDERS:
            self.order.addItem(text, order.value)
        self.order.activated.connect(lambda _index: self.changed.emit())
        line = QHBoxLayout()
        line.addWidget(self.recursive, 1)
        line.addWidget(self.order)
        head = QHBoxLayout()
        head.setSpacing(8)
        head.addWidget(title)
        head.addWidget(self.count, 1)
        self.count.setAlignment(Qt.AlignmentFlag.AlignRight)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 16, 16, 8)
        layout.setSpacing(8)
        layout.addLayout(head)
        layout.addWidget(self._target, 1)
        layout.addLayout(buttons)
        layout.addLayout(line)
        layout.addWidget(self._filters())
        self._show_possible()

    def _filters(self) -> Section:
        self.filters = Section("setup.filters", "Filters")
        rows = form()
        self.include = self._field("setup.include", "Only names like", "*_front.*, shoe")
        self.exclude = self._field("setup.exclude", "Not names like", "*_old*")
        self.newer = self._field("setup.newer", "Changed after", "2026-03-01")
        self.smallest = QSpinBox()
        named(self.smallest, "setup.smallest", "At least", "Leaves smaller files out")
        self.smallest.setRange(0, 1_000_000)
        self.smallest.setSuffix(" kB")
        self.smallest.setSpecialValueText("Any size")
        self.smallest.setKeyboardTracking(False)
        self.smallest.valueChanged.connect(lambda _value: self.changed.emit())
        for text, field in (
            ("Only names like", self.include),
            ("Not names like", self.exclude),
            ("Changed after", self.newer),
            ("At least", self.smallest),
        ):
            rows.addRow(caption(text), field)
        self.filters.body.addLayout(rows)
        self.filters.body.setContentsMargins(16, 4, 0, 8)
        self.filters.set_folded(True)
        return self.filters

    def _field(self, name: str, accessible: str, example: str) -> QLineEdit:
        field = QLineEdit()
        named(field, name, accessible)
        field.setPlaceholderText(example)
        field.textChanged.connect(lambda _text: self.changed.emit())
        return field

    @property
    def paths(self) -> tuple[Path, ...]:
        return tuple(self.list.item(row).data(_PATH) for row in range(self.list.count()))

    def add(self, paths: Sequence[Path]) -> None:
        """Add those that are not in the list yet."""
        known = set(self.paths)
        new = [path for path in dict.fromkeys(paths) if path not in known]
        for path in new:
            item = QListWidgetItem(place(path))
            item.setData(_PATH, path)
            item.setToolTip(str(path))
            item.setSizeHint(QSize(0, 32))
            self.list.addItem(item)
        if new:
            self._draw()
            self._show_possible()
            self.changed.emit()

    def clear(self) -> None:
        self.list.clear()
        self._show_possible()

    def light(self, on: bool) -> None:
        """Light the list while something is dragged over the window."""
        self._target.setProperty("lit", "true" if on else "false")
        self._target.style().unpolish(self._target)
        self._target.style().polish(self._target)

    def tint(self, icons: Icons) -> None:
        self._icons = icons
        self._icon.setPixmap(icons.pixmap("drop", 40, self.devicePixelRatioF(), icons.tokens.hint))
        self.filters.tint(icons)
        self._draw()

    def _draw(self) -> None:
        if self._icons is None:
            return
        for row in range(self.list.count()):
            item = self.list.item(row)
            path: Path = item.data(_PATH)
            item.setIcon(self._icons.icon("sample" if path.suffix and not path.is_dir() else "folder", self._icons.tokens.hint))

    def _add_folder(self, path: Path | None) -> None:
        if path is not None:
            self.add([path])

    def _remove_selected(self) -> None:
        rows = sorted((self.list.row(item) for item in self.list.selectedItems()), reverse=True)
        for row in rows:
            self.list.takeItem(row)
        if rows:
            self._show_possible()
            self.changed.emit()

    def _show_possible(self) -> None:
        some = self.list.count() > 0
        self.list.setVisible(some)
        self._invitation.setVisible(not some)
        self._remove.setEnabled(bool(self.list.selectedItems()))


class _SourceList(QListWidget):
    """A list that reports Delete. `delete_pressed`: that key was pressed."""

    delete_pressed = Signal()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.delete_pressed.emit()
        else:
            super().keyPressEvent(event)


def _button(name: str, text: str, act: Callable[[], None]) -> QPushButton:
    button = QPushButton(text)
    named(button, name, text.rstrip("…"))
    button.clicked.connect(lambda _checked=False: act())
    return button
