"""The dialog of the networks: their licences, and installing, importing, checking and removing them."""

import html
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from bgdesk.app.networks.model_files import ModelStatus
from bgdesk.app.networks.onnx_presets import Description
from bgdesk.app.work.activity import Busy
from bgdesk.app.work.jobs import Jobs, Lane
from bgdesk.core.errors import BgdeskError
from bgdesk.ui.kit import words
from bgdesk.ui.kit.controls import hint_label, named, role
from bgdesk.ui.kit.file_dialogs import Ask
from bgdesk.ui.kit.forms import scrolling
from bgdesk.ui.networks.own_network_dialog import OwnNetworkDialog
from bgdesk.ui.services import NetworkStore

T = TypeVar("T")

#: The list of networks is at most this high before it scrolls.
_TALLEST = 420


class Installer(Protocol):
    """The part of app.session.session.Session that installs networks."""

    @property
    def busy(self) -> Busy | None: ...
    def install_model(self, id: str) -> None: ...
    def import_model(self, path: Path, id: str) -> None: ...
    def import_own_model(self, path: Path, id: str, description: Description) -> None: ...
    def cancel(self) -> None: ...


@dataclass(frozen=True)
class NetworkChoice:
    """Which networks are used, and how to use others. chosen: ids of the one for subjects and the one for edges; "" for the default."""

    chosen: Callable[[], tuple[str, str]]
    use: Callable[[str], None]
    use_for_edges: Callable[[str], None]


class ModelsDialog(QDialog):
    """Shows a card for each network. `removed` is called after one was deleted.

    The session installs and imports; checking and removing run on the download lane.
    """

    def __init__(
        self,
        parent: QWidget,
        store: NetworkStore,
        session: Installer,
        jobs: Jobs,
        ask: Ask,
        removed: Callable[[], None],
        choice: NetworkChoice,
    ) -> None:
        super().__init__(parent)
        named(self, "dialog.models", "Networks")
        self.setWindowTitle("Networks")
        self._store, self._session, self._jobs, self._ask, self._removed = store, session, jobs, ask, removed
        self._choice = choice
        self._open = True
        cards = QWidget()
        self._cards = QVBoxLayout(cards)
        self._cards.setContentsMargins(0, 0, 0, 0)
        self._cards.setSpacing(8)
        self._list = scrolling(cards, "models.list")
        self._progress = QProgressBar()
        named(self._progress, "models.progress", "Progress")
        self._progress.setTextVisible(False)
        self._stage = hint_label()
        named(self._stage, "models.stage", "Stage of work")
        self._cancel = QPushButton("Cancel")
        named(self._cancel, "models.cancel", "Cancel the work")
        self._cancel.clicked.connect(session.cancel)
        work = QHBoxLayout()
        work.addWidget(self._stage, 1)
        work.addWidget(self._cancel)
        self._verify = QPushButton("Check installed networks")
        named(self._verify, "models.verify", "Check installed networks", "Compare every file with its recorded checksum")
        self._verify.setAutoDefault(False)
        self._verify.clicked.connect(self._check)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.addButton(self._verify, QDialogButtonBox.ButtonRole.ActionRole)
        own = self._button("models.import_own", "Import your own…", self._import_own)
        own.setToolTip("Any segmentation or matting network, from an ONNX file")
        buttons.addButton(own, QDialogButtonBox.ButtonRole.ActionRole)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(24, 24, 24, 16)
        layout.setSpacing(12)
        layout.addWidget(hint_label("A network finds the subject. It runs on this computer; photos are never sent anywhere."))
        layout.addWidget(self._list, 1)
        layout.addWidget(self._progress)
        layout.addLayout(work)
        layout.addWidget(buttons)
        self.setMinimumWidth(600)
        buttons.button(QDialogButtonBox.StandardButton.Close).setFocus()  # Return must not begin a long check
        self.finished.connect(self._closed)
        self.refresh()
        self.show_busy()

    def _closed(self) -> None:
        self._open = False

    def refresh(self) -> None:
        """Read the store again."""
        while self._cards.count():
            item = self._cards.takeAt(0)
            widget = item.widget() if item is not None else None
            if widget is not None:
                widget.setParent(None)
                widget.deleteLater()
        for status in self._store.statuses():
            self._cards.addWidget(self._card(status))
        self._cards.addStretch(1)
        # High enough for a few networks; many get a scroll bar.
        self._list.setMinimumHeight(min(self._cards.sizeHint().height(), _TALLEST))
        self._verify.setVisible(any(status.installed for status in self._store.statuses()))

    def show_busy(self) -> None:
        """Show the session's work here too, since this dialog covers the window's own line."""
        busy = self._session.busy
        for widget in (self._progress, self._cancel):
            widget.setVisible(busy is not None)
        self._cancel.setVisible(busy is not None and busy.cancellable)
        self._verify.setEnabled(busy is None)
        for button in self.findChildren(QPushButton):
            if button.property("changes"):
                button.setEnabled(busy is None)
        if busy is None:
            if self._stage.property("work"):
                self._say("")
            return
        self._progress.setRange(0, 0 if busy.fraction is None else 1000)
        self._progress.setValue(round(1000 * (busy.fraction or 0)))
        self._say(words.stage(busy.stage), work=True)

    def _say(self, text: str, work: bool = False) -> None:
        self._stage.setText(text)
        self._stage.setProperty("work", work)
        self._stage.setVisible(bool(text))

    def _card(self, status: ModelStatus) -> QFrame:
        entry = status.entry
        card = QFrame()
        named(card, f"models.{entry.id}", entry.title)
        role(card, "card")
        title = QLabel(entry.title)
        role(title, "title")
        heading = QHBoxLayout()
        heading.setSpacing(8)
        heading.addWidget(title)
        if not entry.commercial:
            badge = QLabel("Non-commercial" if entry.commercial is False else "Licence not known")
            named(badge, f"models.{entry.id}.badge", f"What {entry.title} may be used for")
            role(badge, "badge")
            heading.addWidget(badge)
        heading.addStretch(1)
        size = words.megabytes(status.size if status.installed else entry.sources[0].size)
        about = f' · <a href="{html.escape(entry.homepage, quote=True)}">about it</a>' if entry.homepage else ""
        facts = hint_label(f"{words.licence_line(entry.licence, entry.licence_url, entry.commercial)} · {size}{about}")
        facts.setTextFormat(Qt.TextFormat.RichText)
        facts.setOpenExternalLinks(True)
        state = QLabel(self._state(status))
        state.setWordWrap(True)
        named(state, f"models.{entry.id}.state", f"State of {entry.title}")
        text = QVBoxLayout()
        text.setSpacing(2)
        text.addLayout(heading)
        text.addWidget(facts)
        text.addWidget(state)
        row = QHBoxLayout(card)
        row.setContentsMargins(16, 12, 16, 12)
        row.addLayout(text, 1)
        if status.installed and not status.damaged:
            self._add_use(row, status)
        if (not status.installed or status.damaged) and not status.own:
            row.addWidget(self._button(f"models.{entry.id}.install", "Install", lambda: self._session.install_model(entry.id)))
            row.addWidget(self._button(f"models.{entry.id}.import", "Import…", lambda: self._import(entry.id, entry.title)))
        if status.installed:
            row.addWidget(self._button(f"models.{entry.id}.remove", "Remove", lambda: self._remove(entry.id, entry.title)))
        return card

    def _used(self, status: ModelStatus) -> bool:
        network, edges = self._choice.chosen()
        if status.kind == "matte":
            return status.entry.id == edges
        usable = {each.entry.id for each in self._store.statuses() if each.installed and each.kind == "segment"}
        return status.entry.id == (network if network in usable else self._store.default_id())

    def _state(self, status: ModelStatus) -> str:
        if status.damaged:
            return f"Damaged: {status.problem}. " + ("Remove it, and import it again." if status.own else "Install it again.")
        if not status.installed:
            return "Not installed"
        used = "Installed, in use" if self._used(status) else "Installed"
        return f"{used}. Works out edges in place of bgdesk's own solver." if status.kind == "matte" else used

    def _add_use(self, row: QHBoxLayout, status: ModelStatus) -> None:
        """Add the button that chooses a network. The use of one for edges can be stopped again."""
        id, used = status.entry.id, self._used(status)
        if status.kind == "matte":
            text, then = ("Stop using", "") if used else ("Use", id)
            row.addWidget(self._button(f"models.{id}.use", text, lambda: self._choose(self._choice.use_for_edges, then)))
        elif not used:
            row.addWidget(self._button(f"models.{id}.use", "Use", lambda: self._choose(self._choice.use, id)))

    def _choose(self, use: Callable[[str], None], id: str) -> None:
        use(id)
        self.refresh()

    def _import_own(self) -> None:
        dialog = OwnNetworkDialog(self, self._ask, self._session.import_own_model)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def tell(self, text: str) -> None:
        """Show a message here, because this dialog covers the message bar."""
        self._say(text)

    def _button(self, name: str, text: str, act: Callable[[], None]) -> QPushButton:
        button = QPushButton(text)
        named(button, name, text.rstrip("…"))
        button.setProperty("changes", True)
        button.setAutoDefault(False)
        button.clicked.connect(lambda _checked=False: act())
        return button

    def _import(self, id: str, title: str) -> None:
        path = self._ask.network_file(self, title)
        if path is not None:
            self._session.import_model(path, id)

    def _remove(self, id: str, title: str) -> None:
        if self._ask.remove_network(self, title):
            self._say("Removing…")
            self._submit(lambda: self._store.remove(id), lambda _none: self._after_remove())

    def _after_remove(self) -> None:
        self._say("")
        self.refresh()
        self._removed()

    def _check(self) -> None:
        self._say("Checking…")
        self._verify.setEnabled(False)
        self._submit(self._store.verify, self._checked)

    def _checked(self, statuses: list[ModelStatus]) -> None:
        self._verify.setEnabled(True)
        damaged = [status.entry.title for status in statuses if status.damaged]
        if damaged:
            self._say(f"Damaged: {', '.join(damaged)}. Install again.")
        else:
            self._say("Every installed network is whole." if statuses else "No network is installed.")
        self.refresh()

    def _submit(self, work: Callable[[], T], done: Callable[[T], None]) -> None:
        def if_open(result: T) -> None:
            if self._open:
                done(result)

        def failed(error: Exception) -> None:
            if not isinstance(error, BgdeskError):
                raise error
            if self._open:
                self._say(str(error))
                self.refresh()

        self._jobs.submit(Lane.DOWNLOAD, lambda _progress: work(), on_done=if_open, on_error=failed)
