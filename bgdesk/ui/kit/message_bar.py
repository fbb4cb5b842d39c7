"""Messages to the person: a bar with a text, what it offers, and a way to dismiss it."""

from collections.abc import Mapping

from PySide6.QtCore import QSize, Qt, QTimer, Signal
from PySide6.QtGui import QAccessible, QAccessibleEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QSizePolicy, QToolButton

from bgdesk.app.work.events import Message, Offer, Severity
from bgdesk.ui.kit.controls import named, role
from bgdesk.ui.kit.icons import SIZE, Icons

#: A message that only informs disappears after this long, in milliseconds; a warning or an error stays until it is dismissed.
STAY_MS = 8000
_OFFERS: Mapping[Offer, str] = {
    Offer.INSTALL_MODEL: "Install…",
    Offer.IMPORT_MODEL: "Import a file…",
    Offer.SHOW_IN_FOLDER: "Show in folder",
    Offer.MAKE_QUEUE: "Make a queue…",
    Offer.RESUME_QUEUE: "Resume",
    Offer.LATER: "Later",
}
#: Offers that answer their message, so that it goes.
_ANSWERS = frozenset({Offer.MAKE_QUEUE, Offer.RESUME_QUEUE, Offer.LATER})
#: Messages that are kept at most.
_KEPT = 20


class MessageBar(QFrame):
    """Shows the newest message; the older ones that were not dismissed come back after it.

    A message about a photo is shown only while that photo is. `offered(offer, message)`: the person took an offer.
    """

    offered = Signal(object, object)

    def __init__(self) -> None:
        super().__init__()
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
        """Another photo is on the canvas; None for none."""
        if key != self._photo:
            self._photo = key
            self._show()

    def photo_edited(self, key: int) -> None:
        """The photo was edited: drop its messages."""
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
        """Drop the messages with this offer: it is no longer needed."""
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


def _stays(message: Message) -> bool:
    """Whether the message stays until somebody answers or dismisses it."""
    return message.severity is not Severity.INFO or Offer.LATER in message.offers
