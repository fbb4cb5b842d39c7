"""The page of the queue window that shows the progress: figures, the table, and what can be done with its rows."""

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QPoint, QSize, Qt, Signal
from PySide6.QtWidgets import (
    QButtonGroup,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QMenu,
    QProgressBar,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from bgdesk.app.work.jobs import Post
from bgdesk.batch.model.values import State, Summary
from bgdesk.batch.model.words import count, need_review, span
from bgdesk.batch.run.queue import Phase
from bgdesk.ui.kit import words
from bgdesk.ui.kit.controls import hint_label, named, role
from bgdesk.ui.kit.icons import SIZE, Icons
from bgdesk.ui.kit.paint import tabular
from bgdesk.ui.queue.open_queue import OpenQueue
from bgdesk.ui.queue.progress.table import QueueTable
from bgdesk.ui.queue.progress.table_model import Column, ItemsModel

#: The chips over the table: id, title, and the states that each shows; None: all.
CHIPS: tuple[tuple[str, str, frozenset[State] | None], ...] = (
    ("all", "All", None),
    ("waiting", "Waiting", frozenset({State.QUEUED})),
    ("running", "Running", frozenset({State.RUNNING, State.WRITTEN})),
    ("done", "Done", frozenset({State.DONE})),
    ("review", "Needs review", frozenset({State.REVIEW})),
    ("rejected", "Rejected", frozenset({State.REJECTED})),
    ("skipped", "Skipped", frozenset({State.SKIPPED})),
    ("failed", "Failed", frozenset({State.FAILED})),
)


class ProgressPage(QWidget):
    """Shows the open queue.

    open_wanted(photo): open it in the editor. show_wanted(path): show it in its folder. report_wanted: make and show the report.
    review_wanted: go to the review. summarised(summary): the figures are new.
    """

    open_wanted = Signal(object)
    show_wanted = Signal(object)
    report_wanted = Signal()
    review_wanted = Signal()
    summarised = Signal(object)

    def __init__(self, open_queue: OpenQueue, post: Post) -> None:
        super().__init__()
        named(self, "queue.page", "Progress")
        role(self, "page")
        self._open_queue = open_queue
        self._icons: Icons | None = None
        self.model = ItemsModel()
        self.table = QueueTable(self.model, post)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self._head())
        layout.addWidget(self.table, 1)
        layout.addWidget(self._foot())
        open_queue.changed.connect(self.reload)
        open_queue.refreshed.connect(self.follow)
        open_queue.progressed.connect(self.model.progress)
        open_queue.phase_changed.connect(self.show_figures)
        self.table.opened.connect(self._open)
        self.table.removed.connect(self.remove)
        self.table.chosen.connect(self._show_possible)
        self.table.menu_wanted.connect(self._menu)
        self.reload()

    def _head(self) -> QWidget:
        head = QWidget()
        self._done = QLabel()
        named(self._done, "queue.done", "How many are done")
        role(self._done, "heading")
        self._done.setFont(tabular(self._done.font()))
        self._figures = hint_label()
        named(self._figures, "queue.figures", "Rate and time left")
        self._figures.setFont(tabular(self._figures.font()))
        self._figures.setWordWrap(False)
        self.go = self._push("queue.go", "Start", self._go, "Start, or continue")
        role(self.go, "main")
        self.stop = self._push(
            "queue.stop",
            "Stop",
            lambda: self._open_queue.do(lambda queue: queue.stop()),
            "Finish the photos that are being done, then stop",
        )
        self._review = self._push("queue.review", "Review", self.review_wanted.emit, "Look at the doubtful cutouts")
        role(self._review, "main")
        self.bar = QProgressBar()
        named(self.bar, "queue.bar", "Progress of the queue")
        self.bar.setTextVisible(False)
        self.filter = QLineEdit()
        named(self.filter, "queue.filter", "Filter by name or reason")
        self.filter.setPlaceholderText("Filter by name or reason")
        self.filter.setClearButtonEnabled(True)
        self.filter.setFixedWidth(216)
        self.filter.textChanged.connect(lambda _text: self._sift())
        text = QVBoxLayout()
        text.setSpacing(0)
        text.addWidget(self._done)
        text.addWidget(self._figures)
        top = QHBoxLayout()
        top.setSpacing(8)
        top.addLayout(text, 1)
        top.addWidget(self.stop)
        top.addWidget(self.go)
        top.addWidget(self._review)
        chips = QHBoxLayout()
        chips.setSpacing(4)
        chips.addWidget(self.filter)
        chips.addSpacing(4)
        self._group = QButtonGroup(self)
        self.chips: dict[str, QToolButton] = {}
        for id, title, _states in CHIPS:
            chip = QToolButton()
            named(chip, f"queue.chip.{id}", title)
            role(chip, "segment")
            chip.setCheckable(True)
            chip.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            chip.setFont(tabular(chip.font()))
            chip.clicked.connect(lambda _checked=False: self._sift())
            self._group.addButton(chip)
            self.chips[id] = chip
            chips.addWidget(chip)
        self.chips["all"].setChecked(True)
        chips.addStretch(1)
        column = QVBoxLayout(head)
        column.setContentsMargins(16, 12, 16, 12)
        column.setSpacing(12)
        column.addLayout(top)
        column.addWidget(self.bar)
        column.addLayout(chips)
        return head

    def _foot(self) -> QFrame:
        foot = QFrame()
        role(foot, "footer")
        row = QHBoxLayout(foot)
        row.setContentsMargins(16, 8, 16, 8)
        row.setSpacing(8)
        self._retry = self._push("queue.retry", "Retry failed", self.retry, "Put all failed photos back into the queue")
        self._remove = self._push(
            "queue.remove", "Remove", self.remove, "Remove the selected photos from the queue (Del); no file is deleted"
        )
        self._top = self._push("queue.top", "Move to top", lambda: self.move_selected(first=True), "Do the selected photos next")
        self._edit = self._push("queue.edit", "Open in the editor", self.open, "Open the selected photos in the main window")
        self._show = self._push(
            "queue.show", "Show in folder", self.show_in_folder, "Show the cutout in its folder, or the photo if there is none"
        )
        self._report = self._push("queue.report", "Report", self.report_wanted.emit, "Figures, failures and thumbnails on one page")
        for button in (self._retry, self._remove, self._top, self._edit, self._show):
            row.addWidget(button)
        row.addStretch(1)
        row.addWidget(self._report)
        return foot

    def _push(self, name: str, text: str, act: Callable[[], None], hint: str = "") -> QPushButton:
        button = QPushButton(text)
        named(button, name, text.rstrip("…"), hint)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.setIconSize(QSize(SIZE, SIZE))
        button.clicked.connect(lambda _checked=False: act())
        return button

    def tint(self, icons: Icons) -> None:
        self._icons = icons
        self.table.tint(icons)
        self.show_figures()

    # What is shown.

    def reload(self) -> None:
        """Show another queue, or none."""
        self.filter.clear()
        self.chips["all"].setChecked(True)
        queue = self._open_queue.queue
        self.table.set_gate(None if queue is None else queue.recipe.gate)
        self._sift()
        self.follow(None)
        self.table.scrollToTop()

    def follow(self, ids: tuple[int, ...] | None) -> None:
        """Show these items anew; None: all."""
        if ids is None:
            self.model.set_items(self._open_queue.items.values())
        else:
            self.model.update([item for id in ids if (item := self._open_queue.item(id)) is not None])
        self.show_figures()

    def show_figures(self) -> None:
        summary, phase = self._open_queue.summary, self._open_queue.phase
        total = summary.total
        self._done.setText(f"{summary.finished:,} of {count(total, 'photo')}" if total else "No photos")
        self._figures.setText(" · ".join(figures(summary, phase)))
        self.bar.setRange(0, max(1, total))
        self.bar.setValue(summary.finished)
        for id, title, states in CHIPS:
            number = total if states is None else sum(summary.counts.get(state, 0) for state in states)
            chip = self.chips[id]
            chip.setText(f"{title} {number:,}")
            chip.setAccessibleName(f"{title}: {number:,}")
            chip.setVisible(number > 0 or id == "all" or chip.isChecked())
        self._show_possible()
        self.summarised.emit(summary)

    def _show_possible(self) -> None:
        queue, phase = self._open_queue.queue, self._open_queue.phase
        counts = self.model.counts()
        waiting = counts[State.QUEUED] > 0
        going = phase is Phase.RUNNING
        self.go.setText("Pause" if going else "Resume" if phase is Phase.PAUSED or len(counts) > 1 else "Start")
        self.go.setAccessibleName(self.go.text())
        self.go.setVisible(queue is not None and (phase is not Phase.IDLE or waiting))
        self.go.setEnabled(phase is not Phase.STOPPING)
        self.stop.setVisible(phase is not Phase.IDLE)
        self.stop.setEnabled(phase is not Phase.STOPPING)
        self.table.setColumnHidden(Column.STAGE, phase is Phase.IDLE)  # more room for reasons
        self._review.setVisible(self.go.isHidden() and counts[State.REVIEW] > 0)
        if self._icons is not None:
            self.go.setIcon(self._icons.icon("pause" if going else "play", self._icons.tokens.on_accent))
            self._review.setIcon(self._icons.icon("view", self._icons.tokens.on_accent))
        chosen = [item for id in self.table.selected if (item := self.model.item(id)) is not None]
        self._retry.setEnabled(counts[State.FAILED] > 0)
        self._remove.setEnabled(bool(chosen))
        self._top.setEnabled(any(item.state is State.QUEUED for item in chosen))
        self._edit.setEnabled(bool(chosen))
        self._show.setEnabled(bool(chosen))
        self._report.setEnabled(queue is not None and self.model.total > 0)

    # What a person does.

    def _go(self) -> None:
        phase = self._open_queue.phase
        if phase is Phase.RUNNING:
            self._open_queue.do(lambda queue: queue.pause())
        elif phase is Phase.PAUSED:
            self._open_queue.do(lambda queue: queue.resume())
        else:
            self._open_queue.do(lambda queue: queue.start())

    def _sift(self) -> None:
        states = next(states for id, _, states in CHIPS if self.chips[id].isChecked())
        self.model.set_row_filter(self.filter.text(), states)

    def retry(self) -> None:
        """Try all failed photos again. Starts the queue if it is stopped."""
        self._again(None)

    def _again(self, ids: list[int] | None) -> None:
        self._open_queue.do(lambda queue: queue.retry(ids))
        if self._open_queue.phase is Phase.IDLE:
            self._open_queue.do(lambda queue: queue.start())

    def remove(self) -> None:
        ids = self.table.selected
        if ids:
            self._open_queue.do(lambda queue: queue.remove(ids))

    def move_selected(self, first: bool) -> None:
        """Move the selected photos before all others that wait, or behind them."""
        ids = [id for id in self.table.selected if (item := self.model.item(id)) is not None and item.state is State.QUEUED]
        if not ids:
            return
        waiting = [item for item in self._open_queue.items.values() if item.state is State.QUEUED and item.id not in ids]
        before = min(waiting, key=lambda item: (item.position, item.id)).id if first and waiting else None
        self._open_queue.do(lambda queue: queue.move(ids, before))

    def open(self) -> None:
        for id in self.table.selected[:1]:
            self._open(id)

    def _open(self, id: int) -> None:
        item = self.model.item(id)
        if item is not None:
            self.open_wanted.emit(item.source)

    def show_in_folder(self) -> None:
        for id in self.table.selected[:1]:
            item = self.model.item(id)
            if item is None:
                continue
            written = [] if item.outcome is None else [w.staged if item.state is State.REVIEW else w.target for w in item.outcome.written]
            there: list[Path] = [*written, item.source]
            self.show_wanted.emit(there[0])

    def _menu(self, at: QPoint) -> None:
        chosen = [item for id in self.table.selected if (item := self.model.item(id)) is not None]
        if not chosen:
            return
        menu = QMenu(self)
        menu.setObjectName("queue.menu")
        waiting = any(item.state is State.QUEUED for item in chosen)
        failed = [item.id for item in chosen if item.state is State.FAILED]
        for text, act, possible in (
            ("Open in the editor", self.open, True),
            ("Show in folder", self.show_in_folder, True),
            ("Try again", lambda: self._again(failed), bool(failed)),
            ("Move to top", lambda: self.move_selected(first=True), waiting),
            ("Move to end", lambda: self.move_selected(first=False), waiting),
            ("Remove", self.remove, True),
        ):
            action = menu.addAction(text)
            action.setEnabled(possible)
            action.triggered.connect(lambda _checked=False, act=act: act())
        menu.aboutToHide.connect(menu.deleteLater)
        menu.popup(at)


def figures(summary: Summary, phase: Phase) -> list[str]:
    """What stands below the count: what the queue is doing, its rate, the time left, and what needs the person."""
    open_, waits, failed = summary.open, summary.counts.get(State.REVIEW, 0), summary.counts.get(State.FAILED, 0)
    said: list[str] = []
    if phase is Phase.RUNNING:
        if summary.rate:
            said.append(words.rate(summary.rate))
        said.append(f"{span(summary.left)} left" if summary.left is not None else "Running" if summary.finished else "Starting")
    elif phase is Phase.PAUSED:
        said.append("Paused" if not summary.counts.get(State.RUNNING, 0) else "Pausing after the photos that are being done")
    elif phase is Phase.STOPPING:
        said.append("Stopping after the photos that are being done")
    elif open_:
        said.append(f"Stopped. {count(open_, 'photo')} left")
    elif summary.total:
        said.append("Finished")
    if waits and phase is not Phase.RUNNING:
        said.append(need_review(waits))
    if failed and phase is not Phase.RUNNING:
        said.append(f"{failed:,} failed")
    return [text for text in said if text]
