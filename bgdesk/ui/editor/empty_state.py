"""What the main window shows without photos: where to drop some, and whether a network is installed."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from bgdesk.app.networks.model_files import ModelStatus
from bgdesk.ui.editor.actions import Actions
from bgdesk.ui.kit import words
from bgdesk.ui.kit.controls import named, role
from bgdesk.ui.kit.icons import Icons


class EmptyState(QWidget):
    """Shows a target to drop photos on, and the state of the network. install(id), import_file(id): the person wants that network."""

    install = Signal(str)
    import_file = Signal(str)

    def __init__(self, actions: Actions) -> None:
        super().__init__()
        self._wanted = ""
        self.setObjectName("empty")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._target = QFrame()
        named(self._target, "empty_target", "Drop photos here")
        self._target.setMaximumSize(560, 360)
        self._icon = QLabel()
        self._icon.setAlignment(Qt.AlignmentFlag.AlignCenter)
        title = QLabel("Drop photos here")
        named(title, "empty_title", "Drop photos here")
        title.setAlignment(Qt.AlignmentFlag.AlignCenter)
        formats = QLabel("PNG, JPEG, TIFF, WebP, HEIC, AVIF, PSD — or paste a picture")
        role(formats, "hint")
        formats.setAlignment(Qt.AlignmentFlag.AlignCenter)
        open_button = QPushButton("Open…")
        role(open_button, "main")
        named(open_button, "empty.open", "Open photos")
        open_button.clicked.connect(actions["action.open"].trigger)
        sample = QPushButton("Try a sample")
        named(sample, "empty.sample", "Try a sample photo")
        sample.setFixedHeight(34)
        sample.setStyleSheet("min-height: 30px; max-height: 30px;")
        sample.clicked.connect(actions["action.sample"].trigger)
        buttons = QHBoxLayout()
        buttons.setSpacing(8)
        buttons.addStretch(1)
        buttons.addWidget(open_button)
        buttons.addWidget(sample)
        buttons.addStretch(1)
        inner = QVBoxLayout(self._target)
        inner.setContentsMargins(32, 32, 32, 32)
        inner.setSpacing(8)
        inner.addStretch(1)
        inner.addWidget(self._icon)
        inner.addSpacing(8)
        inner.addWidget(title)
        inner.addWidget(formats)
        inner.addSpacing(16)
        inner.addLayout(buttons)
        inner.addStretch(1)
        self._network = QLabel()
        named(self._network, "empty.network", "State of the network")
        self._install = QPushButton()
        named(self._install, "empty.install", "Install the network")
        self._install.clicked.connect(lambda: self.install.emit(self._wanted))
        self._import = QPushButton("Import a file…")
        named(self._import, "empty.import", "Import a network from a file")
        self._import.clicked.connect(lambda: self.import_file.emit(self._wanted))
        line = QHBoxLayout()
        line.setSpacing(8)
        line.addStretch(1)
        line.addWidget(self._network)
        line.addWidget(self._install)
        line.addWidget(self._import)
        line.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(32, 48, 32, 24)
        layout.setSpacing(16)
        layout.addStretch(1)
        centre = QHBoxLayout()
        centre.addStretch(1)
        centre.addWidget(self._target, 8)
        centre.addStretch(1)
        layout.addLayout(centre, 8)
        layout.addLayout(line)
        layout.addStretch(1)
        self._target.setMinimumHeight(280)

    def show_network(self, statuses: list[ModelStatus], busy: bool) -> None:
        """Show whether the network is ready, and if not, how to get it. busy: work is under way, so the buttons are disabled."""
        ready = next((status for status in statuses if status.installed and not status.damaged and status.kind == "segment"), None)
        wanted = next((status for status in statuses if status.entry.default), None)
        self._install.setVisible(ready is None and wanted is not None)
        self._import.setVisible(ready is None and wanted is not None)
        self._install.setEnabled(not busy)
        self._import.setEnabled(not busy)
        if ready is not None:
            self._network.setText(f"Ready: {ready.entry.title}")
        elif wanted is not None:
            self._wanted = wanted.entry.id
            self._network.setText("The network that finds the subject is not installed yet.")
            size = wanted.entry.sources[0].size
            self._install.setText(f"Install {wanted.entry.title.partition(',')[0]} ({words.megabytes(size)}, {wanted.entry.licence})")

    def light(self, on: bool) -> None:
        """Light the target while something is dragged over the window."""
        self._target.setProperty("lit", "true" if on else "false")
        self._target.style().unpolish(self._target)
        self._target.style().polish(self._target)

    def tint(self, icons: Icons) -> None:
        self._icon.setPixmap(icons.pixmap("drop", 48, self.devicePixelRatioF(), icons.tokens.hint))
