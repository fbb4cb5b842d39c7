"""The right half of the set-up page: what is made of each photo, where it goes, and which cutouts wait for a review."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import (
    QFormLayout,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from bgdesk.app.networks.model_files import ModelStatus
from bgdesk.batch.model.values import Existing, Variant
from bgdesk.batch.planning.naming import TOKENS
from bgdesk.batch.planning.templates import Template
from bgdesk.core.recipe import Quality
from bgdesk.ui.kit import words
from bgdesk.ui.kit.controls import Check, Combo, NumberSlider, hint_label, named, role
from bgdesk.ui.kit.forms import caption, form
from bgdesk.ui.kit.icons import Icons
from bgdesk.ui.kit.theme import CONTROL_HEIGHT
from bgdesk.ui.queue.setup.choices import BEST, SetupChoices

_EXISTING = (
    ("Skip what is up to date", Existing.SKIP),
    ("Replace it", Existing.REPLACE),
    ("Keep it, and number the new one", Existing.NUMBER),
)
#: Width of the captions at the left.
_CAPTION = 104


class OptionsPanel(QScrollArea):
    """Shows and takes the options of a new queue. `changed`: the person changed one. folder: asks for a folder."""

    changed = Signal()

    def __init__(self, standard_gate: float, folder: Callable[[], Path | None]) -> None:
        super().__init__()
        self.setObjectName("setup.options")
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._ask_folder = folder
        self.templates: dict[str, Check] = {}
        self._output: Path | None = None
        body = QWidget()
        body.setObjectName("setup.body")
        column = QVBoxLayout(body)
        column.setContentsMargins(24, 16, 24, 16)
        column.setSpacing(8)
        column.addWidget(_title("Cutouts"))
        self._templates = QGridLayout()
        self._templates.setHorizontalSpacing(16)
        self._templates.setVerticalSpacing(0)
        self.makes = hint_label()
        named(self.makes, "setup.makes", "What is made of each photo")
        self.quality = self._combo("setup.quality", "Quality", [(text, quality.value) for text, quality in words.QUALITIES])
        self.model = self._combo("setup.model", "Network", [])
        self.matting = self._combo("setup.matting", "Edges", [])
        made = form()
        made.addRow(_caption("Make", 24), self._templates)
        made.addRow(_caption(""), self.makes)
        made.addRow(_caption("Quality"), self.quality)
        self._model_row = _caption("Network")
        made.addRow(self._model_row, self.model)
        self._matting_row = _caption("Edges")
        made.addRow(self._matting_row, self.matting)
        column.addLayout(made)
        column.addSpacing(8)
        column.addWidget(_title("Where they go"))
        column.addLayout(self._where())
        column.addSpacing(8)
        column.addWidget(_title("Review"))
        self.gate = NumberSlider("setup.gate", "Review below this confidence", 0, 100, round(standard_gate * 100), "%")
        self.gate.field.setSpecialValueText("Off")
        self.gate.changed.connect(lambda _value: self._gated())
        self.gate_note = hint_label()
        named(self.gate_note, "setup.gate_note", "What the gate does")
        self.fallback = self._combo("setup.fallback", "Second try", [])
        review = form()
        review.addRow(self.gate)
        review.addRow(self.gate_note)
        review.addRow(_caption("Second try"), self.fallback)
        column.addLayout(review)
        column.addStretch(1)
        self.setWidget(body)

    def _where(self) -> QFormLayout:
        self.output = QLineEdit()
        named(self.output, "setup.output", "Output folder", "Choose a folder or type its name; bgdesk makes it if it does not exist")
        self.output.setPlaceholderText("Beside the photos")
        self.output.textEdited.connect(lambda _text: self._typed())
        choose = QPushButton("Choose…")
        named(choose, "setup.choose_output", "Choose the output folder")
        choose.clicked.connect(lambda _checked=False: self._choose_folder())
        line = QHBoxLayout()
        line.setSpacing(8)
        line.addWidget(self.output, 1)
        line.addWidget(choose)
        self.pattern = QLineEdit()
        known = "\n".join(f"{{{token}}}  {meaning}" for token, meaning in TOKENS.items())
        named(self.pattern, "setup.pattern", "Names", known)
        self.pattern.textChanged.connect(lambda _text: self.changed.emit())
        self.example = hint_label()
        named(self.example, "setup.example", "Example of a name")
        self.existing = self._combo("setup.existing", "If it exists", [(text, value.value) for text, value in _EXISTING])
        rows = form()
        rows.addRow(_caption("Folder"), line)
        rows.addRow(_caption("Names"), self.pattern)
        rows.addRow(_caption(""), self.example)
        rows.addRow(_caption("If it exists"), self.existing)
        return rows

    def _combo(self, name: str, accessible: str, choices: Sequence[tuple[str, str]]) -> Combo:
        combo = Combo()
        named(combo, name, accessible)
        combo.setSizeAdjustPolicy(Combo.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        combo.setMinimumContentsLength(16)
        for text, value in choices:
            combo.addItem(text, value)
        combo.activated.connect(lambda _index: self.changed.emit())
        return combo

    # The choices.

    def show_templates(self, templates: Sequence[Template]) -> None:
        for template in templates:
            box = Check(template.title + (" (yours)" if template.own else ""))
            named(box, f"setup.template.{template.id}", template.title, template.description)
            box.toggled.connect(lambda _on: self._toggled())
            number = len(self.templates)
            self.templates[template.id] = box
            self._templates.addWidget(box, number // 2, number % 2)

    def _toggled(self) -> None:
        chosen = [box for box in self.templates.values() if box.isChecked()]
        for box in self.templates.values():
            box.setEnabled(len(chosen) > 1 or not box.isChecked())  # at least one stays chosen
        self.changed.emit()

    def show_networks(self, statuses: Sequence[ModelStatus]) -> None:
        """Offer the installed networks. With a single one there is nothing to choose."""
        whole = [status for status in statuses if status.installed and not status.damaged]
        segment = [(words.marked(s.entry.title, s.entry.commercial), s.entry.id) for s in whole if s.kind == "segment"]
        matte = [(words.marked(s.entry.title, s.entry.commercial), s.entry.id) for s in whole if s.kind == "matte"]
        self._fill(self.model, [("Default", ""), *segment])
        self._fill(self.matting, [("bgdesk's own solver", ""), *matte])
        self._fill(
            self.fallback,
            [
                ("None: review it at once", ""),
                ("Best quality, then review what is still below", BEST),
                *((f"{title}, then review what is still below", id) for title, id in segment),
            ],
        )
        for row, combo, several in ((self._model_row, self.model, len(segment) > 1), (self._matting_row, self.matting, bool(matte))):
            row.setVisible(several)
            combo.setVisible(several)

    @staticmethod
    def _fill(combo: Combo, choices: Sequence[tuple[str, str]]) -> None:
        chosen = combo.currentData()
        combo.clear()
        for text, value in choices:
            combo.addItem(text, value)
        combo.setCurrentIndex(max(0, combo.findData(chosen)))

    # In and out.

    def show_choices(self, choices: SetupChoices) -> None:
        """Show these choices without emitting `changed`."""
        blocked = [QSignalBlocker(widget) for widget in (self, self.pattern, *self.templates.values())]
        for id, box in self.templates.items():
            box.setChecked(id in choices.templates)
        if not any(box.isChecked() for box in self.templates.values()) and self.templates:
            next(iter(self.templates.values())).setChecked(True)  # the chosen one no longer exists
        self._toggled()
        for combo, value in (
            (self.quality, choices.quality.value),
            (self.model, choices.model),
            (self.matting, choices.matting),
            (self.existing, choices.existing.value),
            (self.fallback, choices.fallback),
        ):
            combo.setCurrentIndex(max(0, combo.findData(value)))
        self.pattern.setText(choices.pattern)
        self.gate.set_value(0 if choices.gate is None else round(choices.gate * 100))
        self.set_output(choices.output)
        self._show_gate()
        del blocked

    def take(self, choices: SetupChoices) -> SetupChoices:
        """`choices` with the options that are chosen here."""
        return replace(
            choices,
            templates=tuple(id for id, box in self.templates.items() if box.isChecked()),
            quality=Quality(self.quality.currentData()),
            model=self.model.currentData() or "",
            matting=self.matting.currentData() or "",
            output=self._output,
            pattern=self.pattern.text(),
            existing=Existing(self.existing.currentData()),
            gate=self.gate.value / 100 if self.gate.value else None,
            fallback=self.fallback.currentData() or "",
        )

    def set_output(self, folder: Path | None) -> None:
        self._output = folder
        self.output.setText("" if folder is None else str(folder))
        self.output.setToolTip(self.output.text())

    def show_suggestion(self, folder: Path | None, pattern: str) -> None:
        """Show the folder and the pattern that are used if the person types none."""
        self.output.setPlaceholderText("Beside the photos" if folder is None else str(folder))
        self.pattern.setPlaceholderText(pattern)

    def show_makes(self, variants: Sequence[Variant]) -> None:
        self.makes.setText("\n".join(made(variant) for variant in variants))

    def show_example(self, text: str, wrong: bool = False) -> None:
        self.example.setText(text)
        role(self.example, "error" if wrong else "hint")
        self.example.style().unpolish(self.example)
        self.example.style().polish(self.example)

    def _typed(self) -> None:
        text = self.output.text().strip()
        self._output = Path(text).expanduser() if text else None
        self.output.setToolTip(text)
        self.changed.emit()

    def _choose_folder(self) -> None:
        folder = self._ask_folder()
        if folder is not None:
            self.set_output(folder)
            self.changed.emit()

    def _gated(self) -> None:
        self._show_gate()
        self.changed.emit()

    def _show_gate(self) -> None:
        value = self.gate.value
        self.fallback.setEnabled(value > 0)
        if value:
            self.gate_note.setText(f"Cutouts with a confidence below {value:g} % wait for your review.")
        else:
            self.gate_note.setText("There is no review: every cutout counts as done.")

    def tint(self, icons: Icons) -> None:
        """Nothing here has an icon."""


def made(variant: Variant) -> str:
    """A variant in words: `white: PNG, on #ffffff, 2000 × 2000 pixels`."""
    facts = variant.format.facts
    parts = [f"the opacity as grey {facts.title}" if variant.alpha_only else facts.title]
    if facts.layers:
        parts.append("the photo and the masked subject")
    elif not variant.alpha_only:
        parts.append("transparent" if variant.background is None else "on #{:02x}{:02x}{:02x}".format(*variant.background))
    parts.append("as large as the photo" if variant.size is None else f"{variant.size} × {variant.size} pixels")
    return (f"{variant.name}: " if variant.name else "") + ", ".join(parts)


def _title(text: str) -> QLabel:
    label = QLabel(text)
    role(label, "title")
    return label


def _caption(text: str, height: int = CONTROL_HEIGHT) -> QLabel:
    return caption(text, _CAPTION, height)
