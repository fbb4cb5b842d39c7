"""What lies over the canvas's upper edge: messages, and the line that shows work."""

from collections.abc import Mapping

from PySide6.QtCore import QSize, Qt, QTimer, Signal
from PySide6.QtGui import QAccessible, QAccessibleEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QProgressBar, QPushButton, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from bgdesk.app.session.photos import Busy
from bgdesk.app.work.events import Message, Offer, Severity
from bgdesk.ui.kit import words
from bgdesk.ui.kit.controls import named, role
from bgdesk.ui.kit.icons import SIZE, Icons

#: Work that ends sooner than this is not announced: a stroke's answer must not flicker.
PATIENCE_MS = 250
#: A message that only informs leaves by itself after this long; a warning or an error stays until it is dismissed.
STAY_MS = 8000
_OFFERS: Mapping[Offer, str] = {
    Offer.INSTALL_MODEL: "Install…",
    Offer.IMPORT_MODEL: "Import a file…",
    Offer.SHOW_IN_FOLDER: "Show in folder",
    Offer.MAKE_QUEUE: "Make a queue…",
    Offer.RESUME_QUEUE: "Resume",
    Offer.LATER: "Later",
}
#: Offers that need not be made twice: the message has been answered.
_ANSWERS = frozenset({Offer.MAKE_QUEUE, Offer.RESUME_QUEUE, Offer.LATER})
_KEPT = 20


class MessageBar(QFrame):
    """The newest message; older ones that were not dismissed come back after it. Those about a photo are shown with it alone."""

    offered = Signal(object, object)  # Offer, Message

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        named(self, "message.bar", "Message")
        self._messages: list[Message] = []
        self._photo: int | None = None
        self._icons: Icons | None = None
        self._icon = QLabel()
        self._icon.setFixedSize(SIZE, SIZE)
        self._text = QLabel()
        named(self._text, "message.text", "Message text")
        self._text.setWordWrap(True)
        self._text.setTextFormat(Qt.TextFormat.PlainText)
        self._text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._text.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self._more = QLabel()
        named(self._more, "message.more", "Further messages")
        role(self._more, "hint")
        self._buttons: dict[Offer, QPushButton] = {}
        self._dismiss = QToolButton()
        named(self._dismiss, "message.dismiss", "Dismiss the message", "Dismiss")
        self._dismiss.setIconSize(QSize(16, 16))
        self._dismiss.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._dismiss.clicked.connect(self.dismiss)
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 6, 8, 6)
        row.setSpacing(8)
        row.addWidget(self._icon, 0, Qt.AlignmentFlag.AlignVCenter)
        row.addWidget(self._text, 1)
        row.addWidget(self._more)
        for offer, text in _OFFERS.items():
            button = QPushButton(text)
            named(button, "message." + offer.value, text.rstrip("…"))
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            button.clicked.connect(lambda _checked=False, offer=offer: self._take(offer))
            self._buttons[offer] = button
            row.addWidget(button)
        row.addWidget(self._dismiss)
        self._leave = QTimer(self)
        self._leave.setSingleShot(True)
        self._leave.setInterval(STAY_MS)
        self._leave.timeout.connect(self.dismiss)
        self.hide()

    @property
    def message(self) -> Message | None:
        shown = self._shown()
        return shown[-1] if shown else None

    def _shown(self) -> list[Message]:
        return [message for message in self._messages if message.about in (None, self._photo)]

    def show_photo(self, key: int | None) -> None:
        """Another photo is on the canvas."""
        if key != self._photo:
            self._photo = key
            self._show()

    def heeded(self, key: int) -> None:
        """A hand is at this photo: what was to be said of it has been."""
        if any(message.about == key for message in self._messages):
            self._messages = [message for message in self._messages if message.about != key]
            self._show()

    def tell(self, message: Message) -> None:
        """Show a message; the same one twice is shown once."""
        self._messages = [old for old in self._messages if old != message and _stays(old)][-_KEPT:]
        self._messages.append(message)
        self._show()

    def dismiss(self) -> None:
        if self.message is not None:
            self._messages.remove(self.message)
        self._show()

    def withdraw(self, offer: Offer) -> None:
        """What these messages offer has been done."""
        self._messages = [message for message in self._messages if offer not in message.offers]
        self._show()

    def tint(self, icons: Icons) -> None:
        self._icons = icons
        self._dismiss.setIcon(icons.icon("close"))
        self._show()

    def _take(self, offer: Offer) -> None:
        message = self.message
        if message is not None:
            if offer in _ANSWERS:
                self._messages.remove(message)
                self._show()
            self.offered.emit(offer, message)

    def _show(self) -> None:
        message = self.message
        self._leave.stop()
        self.setVisible(message is not None)
        if message is None:
            self._changed()
            return
        self._text.setText(message.text)
        self.setAccessibleDescription(f"{message.severity.value}: {message.text}")
        others = len(self._shown()) - 1
        self._more.setText(f"{others} more" if others else "")
        self._more.setVisible(others > 0)
        for offer, button in self._buttons.items():
            button.setVisible(offer in message.offers)
        if self._icons is not None:
            name = message.severity.value
            self._icon.setPixmap(self._icons.pixmap(name, SIZE, self.devicePixelRatioF(), getattr(self._icons.tokens, name)))
        if not _stays(message):
            self._leave.start()
        QAccessible.updateAccessibility(QAccessibleEvent(self, QAccessible.Event.Alert))  # read out at once
        self._changed()

    def _changed(self) -> None:
        parent = self.parentWidget()
        if isinstance(parent, Overlay):
            parent.arrange()


def _stays(message: Message) -> bool:
    """It waits until somebody answers or dismisses it."""
    return message.severity is not Severity.INFO or Offer.LATER in message.offers


class ProgressLine(QFrame):
    """A thin line, the stage in words, and Cancel. Appears only when work takes longer than PATIENCE_MS."""

    cancelled = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        named(self, "progress.line", "Work under way")
        self._busy: Busy | None = None
        self.bar = QProgressBar()
        named(self.bar, "progress.bar", "Progress")
        self.bar.setTextVisible(False)
        self.text = QLabel()
        named(self.text, "progress.stage", "Stage of work")
        self.cancel = QPushButton("Cancel")
        named(self.cancel, "progress.cancel", "Cancel the work", "Cancel (Esc)")
        self.cancel.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.cancel.clicked.connect(self.cancelled)
        row = QHBoxLayout()
        row.setContentsMargins(12, 2, 8, 4)
        row.addWidget(self.text, 1)
        row.addWidget(self.cancel)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.bar)
        layout.addLayout(row)
        self._patience = QTimer(self)
        self._patience.setSingleShot(True)
        self._patience.setInterval(PATIENCE_MS)
        self._patience.timeout.connect(self._appear)
        self.hide()

    def show_busy(self, busy: Busy | None) -> None:
        self._busy = busy
        if busy is None:
            self._patience.stop()
            self.hide()
            self._changed()
            return
        if busy.fraction is None:
            self.bar.setRange(0, 0)
        else:
            self.bar.setRange(0, 1000)
            self.bar.setValue(round(1000 * min(1.0, max(0.0, busy.fraction))))
        share = "" if busy.fraction is None else f" — {100 * busy.fraction:.0f} %"
        self.text.setText(words.stage(busy.stage) + share)
        self.cancel.setVisible(busy.cancellable)
        if not self.isVisible() and not self._patience.isActive():
            self._patience.start()

    def _appear(self) -> None:
        if self._busy is not None:
            self.show()
            self._changed()

    def _changed(self) -> None:
        parent = self.parentWidget()
        if isinstance(parent, Overlay):
            parent.arrange()


class Overlay(QWidget):
    """The canvas with what lies over it. Nothing here moves the photo when it comes and goes."""

    def __init__(self, canvas: QWidget, empty: QWidget) -> None:
        super().__init__()
        self.setObjectName("stage")
        self._canvas, self._empty = canvas, empty
        canvas.setParent(self)
        empty.setParent(self)
        self.messages = MessageBar(self)
        self.progress = ProgressLine(self)
        self._bars: list[QWidget] = [self.messages, self.progress]
        self._chips: list[QWidget] = []
        self._has_photo = False

    def add_chip(self, chip: QWidget) -> None:
        """A small control in the lower right corner; the last one added is the rightmost."""
        chip.setParent(self)
        self._chips.append(chip)

    def add_bar(self, bar: QWidget) -> None:
        """A bar at the upper edge, over those that come and go by themselves; it is shown while it is not hidden."""
        bar.setParent(self)
        self._bars.insert(0, bar)

    def show_photo(self, shown: bool) -> None:
        self._has_photo = shown
        self.arrange()

    def arrange(self) -> None:
        """Put everything in its place."""
        area = self.rect()
        self._canvas.setGeometry(area)
        self._empty.setGeometry(area)
        self._canvas.setVisible(self._has_photo)
        self._empty.setVisible(not self._has_photo)
        top = 0
        for bar in self._bars:
            if not bar.isHidden():
                height = bar.heightForWidth(area.width()) if bar.hasHeightForWidth() else bar.sizeHint().height()
                bar.setGeometry(0, top, area.width(), height)
                bar.raise_()
                top += height
        right = area.width() - 12
        for chip in reversed(self._chips):
            chip.setVisible(self._has_photo)
            hint = chip.sizeHint()
            chip.setGeometry(right - hint.width(), area.height() - 12 - hint.height(), hint.width(), hint.height())
            chip.raise_()
            right -= hint.width() + 8

    def resizeEvent(self, event: object) -> None:
        self.arrange()

    def sizeHint(self) -> QSize:
        return QSize(900, 640)

    def minimumSizeHint(self) -> QSize:
        return QSize(320, 240)
