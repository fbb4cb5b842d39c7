"""The page of the queue window on which a person decides about doubtful cutouts."""

from collections import Counter
from collections.abc import Callable
from functools import partial

from PySide6.QtCore import QSize, Qt, QTimer, Signal
from PySide6.QtGui import QImage, QKeySequence, QShortcut
from PySide6.QtWidgets import QButtonGroup, QFrame, QHBoxLayout, QLabel, QPushButton, QToolButton, QVBoxLayout, QWidget

from bgdesk.app.work.jobs import Post
from bgdesk.batch.model.values import Decision, Item, State
from bgdesk.batch.run.review_deck import Judgement, ReviewDeck
from bgdesk.ui.kit import words
from bgdesk.ui.kit.controls import hint_label, named, role
from bgdesk.ui.kit.icons import SIZE, Icons
from bgdesk.ui.kit.picture_cache import PictureCache
from bgdesk.ui.queue.open_queue import OpenQueue
from bgdesk.ui.queue.review.review_loader import LONGEST, Picture, Wanted, read, wanted
from bgdesk.ui.queue.review.review_view import Ground, ReviewCanvas

#: How many of the following photos are read ahead.
AHEAD = 2
#: How long a decision can be undone if no other follows, in milliseconds.
PENDING_MS = 10_000
_GROUNDS = (
    (Ground.BLACK, "Black", "1", "view-black"),
    (Ground.WHITE, "White", "2", "view-white"),
    (Ground.CHECKER, "Checkerboard", "3", "view-checkerboard"),
    (Ground.BESIDE, "Beside the photo", "4", "beside"),
)


class ReviewPage(QWidget):
    """Shows the open queue's doubtful photos one by one, and passes decisions on to the queue.

    fix_wanted(id): open the item's photo in the editor. judged: a decision was made or undone.
    """

    fix_wanted = Signal(int)
    judged = Signal()

    def __init__(self, open_queue: OpenQueue, post: Post) -> None:
        super().__init__()
        named(self, "review.page", "Review")
        role(self, "page")
        self._open_queue = open_queue
        self._icons: Icons | None = None
        self.deck = ReviewDeck()
        self.pictures: PictureCache[Wanted, Picture] = PictureCache("review", read, self._arrived, post, AHEAD + 3)
        self._whole: PictureCache[Wanted, Picture] = PictureCache("review-whole", read, self._arrived_whole, post, 1)
        self.canvas = ReviewCanvas()
        self.canvas.whole_wanted.connect(self._want_whole)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self._head())
        layout.addWidget(self.canvas, 1)
        layout.addWidget(self._foot())
        # The last decision of a review has no follower: carry it out after a while.
        self._pending_timer = QTimer(self)
        self._pending_timer.setSingleShot(True)
        self._pending_timer.setInterval(PENDING_MS)
        self._pending_timer.timeout.connect(self.settle)
        self._add_keys()
        self.set_ground(Ground.CHECKER)
        self.show_current()

    def _head(self) -> QFrame:
        head = QFrame()
        role(head, "header")
        self._name = QLabel()
        named(self._name, "review.name", "Name of the photo")
        role(self._name, "title")
        self._position = hint_label()
        named(self._position, "review.position", "Position")
        self._position.setWordWrap(False)
        self._confidence = QLabel()
        named(self._confidence, "review.confidence", "Confidence")
        self._rate = hint_label()
        named(self._rate, "review.rate", "Acceptance rate")
        self._rate.setWordWrap(False)
        self._reasons = hint_label()
        named(self._reasons, "review.reasons", "Why it may be wrong")
        line = QHBoxLayout()
        line.setSpacing(16)
        for widget in (self._name, self._position, self._confidence):
            line.addWidget(widget)
        line.addStretch(1)
        line.addWidget(self._rate)
        column = QVBoxLayout(head)
        column.setContentsMargins(16, 8, 16, 8)
        column.setSpacing(4)
        column.addLayout(line)
        column.addWidget(self._reasons)
        return head

    def _foot(self) -> QFrame:
        foot = QFrame()
        role(foot, "footer")
        row = QHBoxLayout(foot)
        row.setContentsMargins(16, 8, 16, 8)
        row.setSpacing(4)
        self._grounds = QButtonGroup(self)
        self._ground_buttons: dict[Ground, QToolButton] = {}
        for ground, text, key, _icon in _GROUNDS:
            button = self._tool("review." + ground.value, text, key, partial(self.set_ground, ground))
            button.setCheckable(True)
            self._grounds.addButton(button)
            self._ground_buttons[ground] = button
            row.addWidget(button)
        row.addSpacing(12)
        self._zoom = self._tool("review.zoom", "100 %", "Z", self.canvas.zoom)
        self._zoom.setCheckable(True)
        self.canvas.zoomed.connect(self._zoom.setChecked)
        row.addWidget(self._zoom)
        row.addStretch(1)
        self._undo = self._tool("review.undo", "Undo the last decision", "U", self.undo)
        self._previous = self._tool("review.previous", "Previous photo", "Left", lambda: self.step(-1))
        self._next = self._tool("review.next", "Next photo", "Right", lambda: self.step(1))
        for button in (self._undo, self._previous, self._next):
            row.addWidget(button)
        row.addSpacing(12)
        self._reject = self._push("review.reject", "Reject", "R", lambda: self.decide(Decision.REJECTED), "No cutout of this photo is kept")
        self._fix = self._push("review.fix", "Fix…", "F", self.fix, "Correct the photo in the editor and put it back")
        self._accept = self._push("review.accept", "Accept", "A", lambda: self.decide(Decision.ACCEPTED), "The cutout is good as it is")
        role(self._accept, "main")
        decisions = QHBoxLayout()
        decisions.setSpacing(8)
        for push in (self._reject, self._fix, self._accept):
            decisions.addWidget(push)
        row.addLayout(decisions)
        return foot

    def _tool(self, name: str, text: str, key: str, act: Callable[[], None]) -> QToolButton:
        button = QToolButton()
        named(button, name, text, f"{text} ({key})")
        role(button, "segment")
        button.setIconSize(QSize(SIZE, SIZE))
        button.setFixedSize(36, 28)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.clicked.connect(lambda _checked=False: act())
        return button

    def _push(self, name: str, text: str, key: str, act: Callable[[], None], hint: str) -> QPushButton:
        button = QPushButton(f"{text}  {key}")
        named(button, name, text.rstrip("…"), f"{hint} ({key})")
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.clicked.connect(lambda _checked=False: act())
        return button

    def _add_keys(self) -> None:
        keys: list[tuple[tuple[str, ...], Callable[[], None]]] = [
            (("A", "Return", "Enter"), lambda: self.decide(Decision.ACCEPTED)),
            (("R",), lambda: self.decide(Decision.REJECTED)),
            (("F",), self.fix),
            (("Right", "N"), lambda: self.step(1)),
            (("Left", "P"), lambda: self.step(-1)),
            (("Z",), self.canvas.zoom),
            (("U", "Ctrl+Z"), self.undo),
            *(((key,), partial(self.set_ground, ground)) for ground, _, key, _ in _GROUNDS),
        ]
        for sequences, act in keys:
            for sequence in sequences:
                shortcut = QShortcut(QKeySequence(sequence), self)
                shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
                shortcut.setAutoRepeat(sequence in ("Right", "Left", "N", "P"))  # a key that is held must not decide about ten photos
                shortcut.activated.connect(act)

    def tint(self, icons: Icons) -> None:
        self._icons = icons
        for ground, _, _, icon in _GROUNDS:
            self._ground_buttons[ground].setIcon(icons.icon(icon))
        for button, icon in ((self._zoom, "actual"), (self._undo, "undo"), (self._previous, "chevron-left"), (self._next, "chevron-right")):
            button.setIcon(icons.icon(icon))
        self.canvas.set_colours(icons.tokens.surround, icons.tokens.text if icons.tokens.dark else "#1c1c1c")
        self.show_current()

    # Following the queue.

    def begin(self) -> None:
        """Begin with the first photo in review."""
        self.settle()
        self.deck = ReviewDeck()
        self.follow()
        self.canvas.setFocus(Qt.FocusReason.OtherFocusReason)

    def follow(self) -> None:
        """The queue has changed: more photos may be in review."""
        before = self.deck.current
        self.deck.bring([item.id for item in self._open_queue.items.values() if item.state is State.REVIEW])
        if self.deck.current != before or before is None:
            self.show_current()
        else:
            self._show_figures()
            self._prefetch()

    def settle(self) -> None:
        """Carry out the decision that can still be undone."""
        due = self.deck.settle()
        if due is not None:
            self._carry_out(due)
            self.show_current()

    def fixed(self, id: int) -> None:
        """The item got another cut-out: go to the next photo."""
        self.deck.fixed(id)
        self.show_current()

    def close_caches(self) -> None:
        self.pictures.close()
        self._whole.close()

    # What a person does.

    def decide(self, decision: Decision) -> None:
        if self.deck.current is not None:
            self._carry_out(self.deck.decide(decision))
            self._pending_timer.start()
            self.show_current()
            self.judged.emit()

    def undo(self) -> None:
        if self.deck.undo():
            self.show_current()
            self.judged.emit()

    def step(self, direction: int) -> None:
        before = self.deck.current
        self.deck.step(direction)
        if self.deck.current != before:
            self.show_current()

    def fix(self) -> None:
        if self.deck.current is not None:
            self.settle()
            self.fix_wanted.emit(self.deck.current)

    def set_ground(self, ground: Ground) -> None:
        self._ground_buttons[ground].setChecked(True)
        self.canvas.set_ground(ground)

    def _carry_out(self, said: Judgement | None) -> None:
        if said is None:
            return
        if said.decision is Decision.ACCEPTED:
            self._open_queue.do(lambda queue: queue.accept(said.id))
        else:
            self._open_queue.do(lambda queue: queue.reject(said.id))

    # What is shown.

    def show_current(self) -> None:
        key, item = self._key(), self._item()
        if key is None:
            self.canvas.show_picture(None, self._nothing() if item is None else f"{item.name} has no cutout to show.")
        elif key in self.pictures:
            self.canvas.show_picture(self.pictures.get(key))
        else:
            self.canvas.show_picture(None, "Reading…")
        self._show_figures()
        self._prefetch()

    def _nothing(self) -> str:
        if not self.deck.decisions:
            return "There is nothing to review."
        return "That was the last one." + (" U undoes the last decision." if self.deck.pending is not None else "")

    def _item(self) -> Item | None:
        id = self.deck.current
        return None if id is None else self._open_queue.item(id)

    def _key(self) -> Wanted | None:
        queue, item = self._open_queue.queue, self._item()
        return None if queue is None or item is None else wanted(item, queue.recipe)

    def _prefetch(self) -> None:
        queue = self._open_queue.queue
        if queue is None:
            return
        ids = [self.deck.current, *self.deck.ahead(AHEAD)]
        items = [item for id in ids if id is not None and (item := self._open_queue.item(id)) is not None]
        self.pictures.want(key for item in items if (key := wanted(item, queue.recipe)) is not None)

    def _arrived(self, key: Wanted) -> None:
        if key == self._key():
            self.canvas.show_picture(self.pictures.get(key))

    def _want_whole(self) -> None:
        key, picture = self._key(), self.canvas.picture
        if key is None or picture is None:
            return
        if max(picture.size.width(), picture.size.height()) > LONGEST:  # what is there was scaled down
            whole = key._replace(whole=True)
            self._whole.want([whole])
            self._arrived_whole(whole)

    def _arrived_whole(self, whole: Wanted) -> None:
        key, picture = self._key(), self._whole.get(whole)
        if key is not None and whole == key._replace(whole=True) and picture is not None:
            image: QImage | None = picture.cutout
            self.canvas.show_whole(image)

    def _show_figures(self) -> None:
        item, deck = self._item(), self.deck
        for button in (self._accept, self._reject, self._fix, self._zoom, *self._ground_buttons.values()):
            button.setEnabled(item is not None)
        for button in (self._previous, self._next):
            button.setEnabled(deck.left > 1 or (deck.left == 1 and item is None))
        self._undo.setEnabled(deck.pending is not None)
        self._rate.setText(self._acceptance())
        if item is None:
            self._name.setText("Review")
            for label in (self._position, self._confidence, self._reasons):
                label.setText("")
            self._reasons.hide()
            return
        number, count = deck.position
        self._name.setText(self._name.fontMetrics().elidedText(item.name, Qt.TextElideMode.ElideMiddle, 360))
        self._name.setToolTip(str(item.source))
        self._position.setText(f"{number} of {count}")
        self._confidence.setText("" if item.confidence is None else f"Confidence {words.share(item.confidence)}")
        reasons = "" if item.outcome is None else " ".join(item.outcome.reasons)
        self._reasons.setText(reasons)
        self._reasons.setVisible(bool(reasons))
        self.canvas.setAccessibleDescription(f"{item.name}, {number} of {count}. {self._confidence.text()}. {reasons}")

    def _acceptance(self) -> str:
        """How the decisions of this queue divide, those of earlier sessions included."""
        counted = Counter(self._open_queue.summary.decisions)
        for id, decision in self.deck.decisions.items():  # the queue may not have them yet
            item = self._open_queue.item(id)
            counted[decision] += item is not None and item.decision is None
        return ", ".join(f"{counted[decision]:,} {decision.value}" for decision in Decision if counted[decision])
