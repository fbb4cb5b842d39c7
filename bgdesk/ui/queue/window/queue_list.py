"""The page of the queue window that lists all queues."""

from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from bgdesk.batch.model.values import QueueKind, State
from bgdesk.batch.model.words import count, need_review, place
from bgdesk.batch.run.queue import QueueInfo
from bgdesk.ui.kit.controls import hint_label, named, role
from bgdesk.ui.kit.forms import scrolling
from bgdesk.ui.kit.icons import SIZE, Icons

_WIDEST = 720


class QueueListPage(QWidget):
    """Shows a card for each queue. The signals are the buttons: resume, look and review get the queue's folder, forget its info."""

    resume = Signal(object)
    look = Signal(object)
    review = Signal(object)
    forget = Signal(object)
    new = Signal()

    def __init__(self) -> None:
        super().__init__()
        named(self, "queues.page", "Queues")
        role(self, "page")
        self._icons: Icons | None = None
        cards = QWidget()
        self._cards = QVBoxLayout()
        self._cards.setSpacing(8)
        middle = QWidget()
        middle.setMaximumWidth(_WIDEST)
        middle.setLayout(self._cards)
        outer = QHBoxLayout(cards)
        outer.setContentsMargins(24, 24, 24, 24)
        outer.addStretch(1)
        outer.addWidget(middle, 100)
        outer.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(scrolling(cards, "queues.list"))

    def show_queues(self, infos: Sequence[QueueInfo], open_folder: Path | None) -> None:
        """Show these, newest first. open_folder: of the queue that is open here."""
        while self._cards.count():
            entry = self._cards.takeAt(0)
            widget = entry.widget() if entry is not None else None
            if widget is not None:
                widget.setParent(None)
                widget.deleteLater()
        head = QWidget()
        row = QHBoxLayout(head)
        row.setContentsMargins(0, 0, 0, 8)
        heading = QLabel("Queues" if infos else "No queues yet")
        role(heading, "heading")
        row.addWidget(heading, 1)
        row.addWidget(self._button("queues.new", "New queue", self.new.emit, main=True))
        self._cards.addWidget(head)
        for info in infos:
            self._cards.addWidget(self._card(info, info.folder == open_folder))
        self._cards.addStretch(1)

    def _card(self, info: QueueInfo, is_open: bool) -> QFrame:
        card = QFrame()
        name = f"queues.{info.id}"
        named(card, name, info.title)
        role(card, "card")
        title = _Elided(info.title)
        role(title, "title")
        facts = hint_label(" · ".join(standing(info, is_open)))
        named(facts, f"{name}.state", f"State of {info.title}")
        where = _Elided(place(info.output))
        role(where, "hint")
        where.setToolTip(str(info.output))
        text = QVBoxLayout()
        text.setSpacing(2)
        for widget in (title, facts, where):
            text.addWidget(widget)
        row = QHBoxLayout(card)
        row.setContentsMargins(16, 12, 16, 12)
        row.setSpacing(8)
        row.addLayout(text, 1)
        elsewhere = (info.locked and not is_open) or bool(info.damaged)
        buttons = []
        if not is_open and not elsewhere and open_count(info) and info.kind is QueueKind.BATCH:
            buttons.append(self._button(f"{name}.resume", "Resume", lambda: self.resume.emit(info.folder)))
        if not elsewhere and info.counts.get(State.REVIEW, 0):
            buttons.append(self._button(f"{name}.review", "Review", lambda: self.review.emit(info.folder)))
        if not elsewhere:
            buttons.append(self._button(f"{name}.open", "Show", lambda: self.look.emit(info.folder)))
        if not is_open and not info.locked:
            buttons.append(self._button(f"{name}.forget", "Forget…", lambda: self.forget.emit(info)))
        for button in buttons:
            button.setAccessibleName(f"{button.text().rstrip('…')}: {info.title}")
            row.addWidget(button)
        return card

    def _button(self, name: str, text: str, act: Callable[[], None], main: bool = False) -> QPushButton:
        button = QPushButton(text)
        named(button, name, text.rstrip("…"))
        if main:
            role(button, "main")
        button.clicked.connect(lambda _checked=False: act())
        return button

    def tint(self, icons: Icons) -> None:
        self._icons = icons


class _Elided(QLabel):
    """Shows one line of text, shortened in the middle: both ends of a path matter."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self._whole = text
        self.setMinimumWidth(SIZE * 4)
        self.setAccessibleName(text)
        self._fit()

    def _fit(self) -> None:
        self.setText(self.fontMetrics().elidedText(self._whole, Qt.TextElideMode.ElideMiddle, max(self.width(), self.minimumWidth())))

    def resizeEvent(self, event: object) -> None:
        self._fit()


def open_count(info: QueueInfo) -> int:
    """How many photos the queue has still to do."""
    return sum(number for state, number in info.counts.items() if state.open)


def standing(info: QueueInfo, is_open: bool = False) -> list[str]:
    """How far the queue is: `300 of 1,204 photos`, `3 need review`, …"""
    if info.damaged:
        return [info.damaged]
    total = sum(info.counts.values())
    said = [f"{total - open_count(info):,} of {count(total, 'photo')}"]
    if info.counts.get(State.REVIEW):
        said.append(need_review(info.counts[State.REVIEW]))
    if info.counts.get(State.FAILED):
        said.append(f"{info.counts[State.FAILED]:,} failed")
    if info.kind is QueueKind.WATCH:
        said.append("a watched folder")
    if is_open:
        said.append("open here")
    elif info.locked:
        said.append("open in another bgdesk")
    return said


def unfinished_text(info: QueueInfo) -> str:
    """What the main window says about an unfinished queue."""
    total, left = sum(info.counts.values()), open_count(info)
    return f"A queue of {count(total, 'photo')} is not finished: {total - left:,} {'is' if total - left == 1 else 'are'} done."
