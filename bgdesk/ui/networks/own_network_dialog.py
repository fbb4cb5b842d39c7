"""The dialog that imports any network: its file, the input that it expects, and what its licence allows."""

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QHBoxLayout, QLabel, QLineEdit, QPushButton, QVBoxLayout, QWidget

from bgdesk.app.networks.onnx_presets import PRESETS, Description, describe, parse_size, parse_three
from bgdesk.core.errors import ModelError
from bgdesk.core.geometry import Size
from bgdesk.core.network import NetworkSpec
from bgdesk.ui.kit import system
from bgdesk.ui.kit.controls import Combo, hint_label, named, role
from bgdesk.ui.kit.file_dialogs import Ask
from bgdesk.ui.kit.forms import caption, form, scrolling
from bgdesk.ui.kit.words import licence_line

_KINDS = (("segment", "Finds the subject of a photo"), ("matte", "Works out edges, from photo and trimap"))
_USES = ((None, "Not known"), (True, "Allowed"), (False, "Not allowed"))


class OwnNetworkDialog(QDialog):
    """Asks for a file and its description. `take(file, id, description)` is called once they make sense; the file is not read here."""

    def __init__(self, parent: QWidget, ask: Ask, take: Callable[[Path, str, Description], None]) -> None:
        super().__init__(parent)
        named(self, "dialog.own_network", "Import a network of your own")
        self.setWindowTitle("Import a network of your own")
        self._ask, self._take = ask, take
        self._path: Path | None = None
        self._file = QLabel("No file chosen")
        named(self._file, "own.file", "File")
        choose = QPushButton("Choose…")
        named(choose, "own.choose", "Choose the ONNX file")
        choose.setAutoDefault(False)
        choose.clicked.connect(self._choose)
        file = QHBoxLayout()
        file.addWidget(self._file, 1)
        file.addWidget(choose)
        self._preset = _combo("own.preset", "Preset", [("", "None: I fill it in"), *((id, each.title) for id, each in PRESETS.items())])
        self._kind = _combo("own.kind", "Kind", _KINDS)
        self._use = _combo("own.commercial", "Commercial use", _USES)
        self._id = _line("own.id", "Id", "letters, digits, - and _")
        self._title = _line("own.title", "Title", "what lists call it")
        self._size = _line("own.size", "Size", "1024 or 1280x720; empty: the file's own")
        self._mean = _line("own.mean", "Mean", "0.485, 0.456, 0.406")
        self._std = _line("own.std", "Deviation", "0.229, 0.224, 0.225")
        self._licence = _line("own.licence", "Licence", "of its weights, such as MIT")
        self._terms = hint_label()
        named(self._terms, "own.terms", "What the licence allows")
        self._terms.setTextFormat(Qt.TextFormat.RichText)
        self._terms.setOpenExternalLinks(True)
        self._error = QLabel()
        named(self._error, "own.error", "Problem")
        self._error.setWordWrap(True)
        rows = form()
        rows.addRow(caption("File"), file)
        rows.addRow(caption("Preset"), self._preset)
        rows.addRow(caption(""), self._terms)
        for text, field in (
            ("Id", self._id),
            ("Title", self._title),
            ("Kind", self._kind),
            ("Size", self._size),
            ("Mean", self._mean),
            ("Deviation", self._std),
            ("Licence", self._licence),
            ("Commercial use", self._use),
        ):
            rows.addRow(caption(text), field)
        self._import = QPushButton("Import")
        named(self._import, "own.import", "Import")
        role(self._import, "main")
        self._import.setDefault(True)
        self._import.clicked.connect(self._accept)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        buttons.addButton(self._import, QDialogButtonBox.ButtonRole.ActionRole)
        buttons.rejected.connect(self.reject)
        body = QWidget()
        body.setLayout(rows)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(24, 24, 24, 16)
        layout.setSpacing(16)
        layout.addWidget(scrolling(body, "own.form"), 1)
        layout.addWidget(self._error)
        layout.addWidget(buttons)
        self.setMinimumWidth(520)
        self._preset.currentIndexChanged.connect(lambda _index: self._fill())
        self._licence.textChanged.connect(lambda _text: self._show_terms())
        self._use.currentIndexChanged.connect(lambda _index: self._show_terms())
        self._show_terms()
        self._say("")
        margins = layout.contentsMargins()
        rest = margins.top() + margins.bottom() + layout.spacing() + buttons.sizeHint().height()
        system.fit(self, 520, body.sizeHint().height() + rest + 8)

    def _choose(self) -> None:
        path = self._ask.network_file(self, "a network")
        if path is not None:
            self._path = path
            self._file.setText(path.name)
            self._suggest()

    def _fill(self) -> None:
        """Fill the fields from the preset, to be seen and changed."""
        preset = PRESETS.get(self._preset.currentData())
        if preset is not None:
            spec = preset.spec
            self._title.setText(preset.title)
            self._kind.setCurrentIndex(self._kind.findData(spec.kind.value))
            self._size.setText(_size_text(spec.size))
            self._mean.setText(_three_text(spec.mean))
            self._std.setText(_three_text(spec.std))
            self._licence.setText(preset.licence)
            self._use.setCurrentIndex(self._use.findData(preset.commercial))
        self._suggest()
        self._show_terms()

    def _suggest(self) -> None:
        """Suggest an id, unless the person has typed one."""
        if not self._id.isModified():
            name = self._preset.currentData() or (self._path.stem if self._path is not None else "")
            self._id.setText("".join(c if c.isascii() and (c.isalnum() or c in "-_.") else "-" for c in name).strip("-_."))

    def _show_terms(self) -> None:
        preset = PRESETS.get(self._preset.currentData())
        same = preset is not None and self._licence.text() == preset.licence
        url = preset.licence_url if preset is not None and same else ""
        self._terms.setText(licence_line(self._licence.text(), url, self._use.currentData()))

    def _say(self, text: str) -> None:
        self._error.setText(text)
        self._error.setVisible(bool(text))

    def _accept(self) -> None:
        if self._path is None:
            self._say("Choose the ONNX file first.")
            return
        try:
            description = self._describe()
        except (ModelError, ValueError) as error:
            self._say(str(error))
            return
        self.accept()
        self._take(self._path, self._id.text(), description)

    def _describe(self) -> Description:
        """Describe what differs from the preset. A size that was not changed is left out, so that the file's own is used."""
        name = self._preset.currentData() or None
        preset = PRESETS[name] if name else None
        spec: NetworkSpec | None = preset.spec if preset else None
        size = parse_size(self._size.text()) if self._size.text().strip() else None
        mean = parse_three(self._mean.text()) if self._mean.text().strip() else None
        std = parse_three(self._std.text()) if self._std.text().strip() else None
        licence, commercial = self._licence.text().strip(), self._use.currentData()
        same_terms = preset is not None and (licence, commercial) == (preset.licence, preset.commercial)
        return describe(
            self._id.text(),
            name,
            kind=self._kind.currentData(),
            size=None if spec and size == spec.size else size,
            mean=mean,
            std=std,
            title=self._title.text().strip() or None,
            licence=None if same_terms else licence,
            commercial=None if same_terms else commercial,
        )


def _combo(name: str, accessible: str, choices: "list[tuple[str, str]] | tuple[tuple[object, str], ...]") -> Combo:
    combo = Combo()
    named(combo, name, accessible)
    for value, text in choices:
        combo.addItem(text, value)
    for index in range(combo.count()):
        preset = PRESETS.get(combo.itemData(index))
        if preset is not None and not preset.commercial:
            combo.setItemText(index, f"{preset.title} (non-commercial)")
    return combo


def _line(name: str, accessible: str, example: str) -> QLineEdit:
    line = QLineEdit()
    named(line, name, accessible)
    line.setPlaceholderText(example)
    return line


def _size_text(size: Size | None) -> str:
    if size is None:
        return ""
    return str(size.width) if size.width == size.height else f"{size.width}x{size.height}"


def _three_text(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:g}" for value in values)
