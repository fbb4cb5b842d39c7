"""The tool strip on the left and the inspector on the right."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial

from PySide6.QtCore import QSize, Qt, QTimer, Signal
from PySide6.QtWidgets import (
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QMenu,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from bgdesk.core.formats import Format
from bgdesk.core.parameters import EDGE
from bgdesk.core.recipe import AUTO, EdgeRecipe, MatteRecipe, Recipe
from bgdesk.ui.canvas.tools import LARGEST, SMALLEST, STANDARD, Brush
from bgdesk.ui.editor.actions import ACTIONS, Actions, export_id
from bgdesk.ui.kit.controls import Combo, NumberSlider, Section, action_button, hint_label, named, role
from bgdesk.ui.kit.icons import SIZE, Icons
from bgdesk.ui.kit.theme import INSPECTOR_WIDTH, TOOL_STRIP_WIDTH
from bgdesk.ui.kit.words import QUALITIES

TOOLS = ("tool.foreground", "tool.background", "tool.unknown", "tool.pan")
VIEWS = tuple(spec.id for spec in ACTIONS if spec.group == "views")
STANDARD_STRENGTH = 45
REACHES = (
    ("Smart: flows to what is alike", "smart"),
    ("Exact: only under the brush", "exact"),
)
#: In place of a spill's colour: the person wants to choose one.
OTHER = "other"
GREEN_SCREEN = "#00b140"
_CLEAN = "Clean edge colours"


class ToolStrip(QFrame):
    """One button for each tool."""

    def __init__(self, actions: Actions) -> None:
        super().__init__()
        self.setObjectName("tool_strip")
        self.setFixedWidth(TOOL_STRIP_WIDTH)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(7, 8, 7, 8)
        layout.setSpacing(4)
        for id in TOOLS:
            if id == "tool.pan":
                layout.addSpacing(8)
            layout.addWidget(_square(actions, id))
        layout.addStretch(1)
        for id in ("action.undo", "action.redo"):
            layout.addWidget(_square(actions, id))


def _square(actions: Actions, id: str) -> QToolButton:
    button = action_button(actions[id], look="tool")
    button.setObjectName("strip." + id)
    button.setFixedSize(34, 34)
    return button


def _button_grid(actions: Actions, ids: Sequence[str]) -> QGridLayout:
    """The actions' buttons, two in a row."""
    grid = QGridLayout()
    grid.setSpacing(4)
    for number, id in enumerate(ids):
        button = action_button(actions[id], text=True)
        button.setObjectName("panel." + id)
        button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        button.setIconSize(QSize(18, 18))
        grid.addWidget(button, number // 2, number % 2)
    for column in (0, 1):
        grid.setColumnStretch(column, 1)
    return grid


class Inspector(QFrame):
    """Brush, view, edge, colours, cut-out, export. Shows what it is told and tells what a person did; it decides nothing."""

    strength_changed = Signal(float)
    #: Another recipe, what was changed in lower case, and what the changes of one drag have in common (or None).
    recipe_changed = Signal(object, str, object)
    #: The person wants to choose a backdrop's colour in a dialog.
    spill_asked = Signal()
    reach_chosen = Signal(str)
    model_chosen = Signal(str)
    folded = Signal()

    def __init__(self, actions: Actions, brush: Brush) -> None:
        super().__init__()
        self.setObjectName("inspector")
        self.setMinimumWidth(240)
        self.setMaximumWidth(420)
        self._brush = brush
        self._recipe = Recipe()
        self.sections = (
            self._brush_section(actions),
            self._edge_section(),
            self._colours_section(),
            self._cut_section(actions),
            self._view_section(actions),
        )
        # Colours of a large photo take a second: a slider that is dragged starts that work when it rests.
        self._colours_rest = QTimer(self)
        self._colours_rest.setSingleShot(True)
        self._colours_rest.setInterval(150)
        self._colours_rest.timeout.connect(self.settle)
        body = QWidget()
        body.setObjectName("inspector_body")
        column = QVBoxLayout(body)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        for section in self.sections:
            column.addWidget(section)
            section.folded.connect(lambda _on: self.folded.emit())
        column.addStretch(1)
        scroll = QScrollArea()
        scroll.setObjectName("inspector_scroll")
        scroll.setWidgetResizable(True)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        scroll.setWidget(body)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(scroll, 1)
        layout.addWidget(self._export_box(actions))
        brush.changed.connect(lambda: self.brush_size.set_value(brush.diameter))

    def sizeHint(self) -> QSize:
        return QSize(INSPECTOR_WIDTH, 600)

    def _brush_section(self, actions: Actions) -> Section:
        section = Section("panel.brush", "Brush", lambda: self._brush.set_diameter(STANDARD))
        section.body.addLayout(_button_grid(actions, TOOLS[:3]))
        self.brush_size = NumberSlider(
            "panel.brush.size", "Size", SMALLEST, LARGEST, STANDARD, "px", curved=True, hint="Diameter in photo pixels ([ and ])"
        )
        self.brush_size.set_value(self._brush.diameter)
        self.brush_size.changed.connect(lambda value: self._brush.set_diameter(round(value)))
        section.body.addWidget(self.brush_size)
        self.reach = Combo()
        hint = "Smart: a stroke also takes connected parts that look like what is under it. Exact: it takes what is under it"
        named(self.reach, "panel.brush.reach", "Reach of strokes", hint)
        self.reach.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        for text, reach in REACHES:
            self.reach.addItem(text, reach)
        self.reach.activated.connect(lambda index: self.reach_chosen.emit(self.reach.itemData(index)))
        section.body.addWidget(self.reach)
        return section

    def _view_section(self, actions: Actions) -> Section:
        section = Section("panel.view", "View", self._reset_view)
        self._overlay_action = actions["view.overlay"]
        section.body.addLayout(_button_grid(actions, VIEWS))
        self.strength = NumberSlider(
            "panel.view.strength", "Tint strength", 0, 100, STANDARD_STRENGTH, "%", hint="How strongly labels tint the photo"
        )
        self.strength.changed.connect(self.strength_changed)
        section.body.addWidget(self.strength)
        return section

    def _reset_view(self) -> None:
        self._overlay_action.trigger()
        self.strength.reset()

    def _edge_section(self) -> Section:
        section = Section("panel.edge", "Edge", self._reset_edge)
        self.edges: dict[str, NumberSlider] = {}
        for name, parameter in EDGE.items():
            slider = self.edges[name] = NumberSlider(
                f"panel.edge.{name}",
                parameter.label,
                parameter.lowest,
                parameter.highest,
                parameter.standard,
                parameter.unit,
                decimals=parameter.decimals,
                hint=parameter.help,
            )
            slider.changed.connect(partial(self._take_edge, name))
            section.body.addWidget(slider)
        return section

    def _take_edge(self, name: str, value: float) -> None:
        changes: dict[str, float] = {name: value}
        self._tell(replace(self._recipe, edge=replace(self._recipe.edge, **changes)), EDGE[name].label.lower(), self.edges[name].drag)

    def _reset_edge(self) -> None:
        self._tell(replace(self._recipe, edge=EdgeRecipe()), "reset the edge")

    def _colours_section(self) -> Section:
        section = Section("panel.colours", "Colours", self._reset_colours)
        self.clean = NumberSlider(
            "panel.colours.clean", _CLEAN, 0, 100, 100, "%", hint="How much of the old background's colour leaves soft edges"
        )
        self.clean.changed.connect(lambda _value: self._colours_rest.start())
        section.body.addWidget(self.clean)
        self.spill = Combo()
        named(self.spill, "panel.colours.spill", "Spill", "Takes the light of a coloured background off the subject's rim")
        self.spill.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.spill.activated.connect(lambda index: self._choose_spill(self.spill.itemData(index)))
        section.body.addWidget(self.spill)
        return section

    def settle(self) -> None:
        """Take the colours' slider over now, if it was moved and has not rested yet."""
        self._colours_rest.stop()
        matte = self._recipe.matte
        if round(100 * matte.amount) != self.clean.value:
            self._tell_matte(replace(matte, decontaminate=True, strength=self.clean.value / 100), _CLEAN.lower(), self.clean.drag)

    def _choose_spill(self, choice: str) -> None:
        if choice == OTHER:
            self._show_spill()
            self.spill_asked.emit()
        else:
            self.take_spill(choice)

    def take_spill(self, choice: str) -> None:
        """A person chose what backdrop's light is taken off: "" for none, AUTO, or a colour as #rrggbb."""
        self._tell_matte(replace(self._recipe.matte, spill=choice or None), "spill")

    def _reset_colours(self) -> None:
        self._colours_rest.stop()
        standard = MatteRecipe()
        colours = replace(self._recipe.matte, decontaminate=True, strength=standard.strength, spill=standard.spill)
        self._tell_matte(colours, "reset the colours")

    def _tell_matte(self, matte: MatteRecipe, name: str, drag: object = None) -> None:
        self._tell(replace(self._recipe, matte=matte), name, drag)

    def _tell(self, recipe: Recipe, name: str, drag: object = None) -> None:
        self.recipe_changed.emit(recipe, name, drag)

    def _cut_section(self, actions: Actions) -> Section:
        section = Section("panel.cutout", "Cut-out")
        again = action_button(actions["action.cut_again"], look="button", text=True)
        again.setObjectName("panel.cutout.again")
        again.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.quality = Combo()
        named(self.quality, "panel.cutout.quality", "Quality", "How much time the network takes when a photo is cut out")
        self.quality.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        for text, quality in QUALITIES:
            self.quality.addItem(text, quality)
        self.quality.activated.connect(
            lambda index: self._tell_matte(replace(self._recipe.matte, quality=self.quality.itemData(index)), "quality")
        )
        section.body.addWidget(self.quality)
        section.body.addWidget(again)
        self.model = Combo()
        named(self.model, "panel.cutout.model", "Network", "The network that finds the subject")
        self.model.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        # A long title must not make the inspector wider than it is.
        self.model.setSizeAdjustPolicy(Combo.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.model.setMinimumContentsLength(8)
        self.model.activated.connect(lambda index: self.model_chosen.emit(self.model.itemData(index)))
        section.body.addWidget(self.model)
        for id in ("action.recipe.default", "action.recipe.all"):
            button = action_button(actions[id], look="button", text=True)
            button.setObjectName("panel." + id)
            button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
            section.body.addWidget(button)
        self.note = hint_label()
        self.note.setObjectName("panel.cutout.note")
        self.note.setAccessibleName("About the cut-out")
        section.body.addWidget(self.note)
        return section

    def _export_box(self, actions: Actions) -> QWidget:
        box = QWidget()
        layout = QHBoxLayout(box)
        layout.setContentsMargins(16, 12, 16, 16)
        layout.setSpacing(1)
        self.export = QPushButton()
        named(self.export, "panel.export", "Export", actions["action.export"].toolTip())
        role(self.export, "main")
        self.export.setProperty("joined", "left")
        self.export.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.export.setIconSize(QSize(SIZE, SIZE))
        self.export.clicked.connect(actions["action.export"].trigger)
        self.formats = QToolButton()
        named(self.formats, "panel.export.format", "Export format", "Choose the format")
        role(self.formats, "main")
        self.formats.setProperty("joined", "right")
        self.formats.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.formats.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(self.formats)
        menu.setObjectName("panel.export.menu")
        for format in Format:
            menu.addAction(actions[export_id(format)])
        self.formats.setMenu(menu)
        layout.addWidget(self.export, 1)
        layout.addWidget(self.formats)
        return box

    # What is shown.

    def show_format(self, format: Format) -> None:
        """The format that the button exports in."""
        self.export.setText(f"Export {format.facts.title}…")

    def show_recipe(self, recipe: Recipe) -> None:
        """The choices of the current photo, or those that new photos begin with."""
        self._recipe = recipe
        for name, slider in self.edges.items():
            slider.set_value(getattr(recipe.edge, name))
        if not self._colours_rest.isActive():
            self.clean.set_value(round(100 * recipe.matte.amount))
        self._show_spill()
        self.quality.setCurrentIndex(self.quality.findData(recipe.matte.quality))

    @property
    def spill_colour(self) -> str:
        """The backdrop's colour that is chosen, as #rrggbb; "" where none is."""
        spill = self._recipe.matte.spill
        return "#{:02x}{:02x}{:02x}".format(*spill) if isinstance(spill, tuple) else ""

    def _show_spill(self) -> None:
        """What is chosen, and the usual choices; the last entry asks for another colour."""
        spill = AUTO if self._recipe.matte.spill == AUTO else self.spill_colour
        choices = [("Leave spill", ""), ("Remove spill, find its colour", AUTO)]
        if spill not in ("", AUTO):
            choices.append((f"Remove spill of {spill}", spill))
        self.spill.clear()
        for text, value in (*choices, ("Remove spill, choose its colour…", OTHER)):
            self.spill.addItem(text, value)
        self.spill.setCurrentIndex(self.spill.findData(spill))

    def show_reach(self, reach: str) -> None:
        self.reach.setCurrentIndex(self.reach.findData(reach))

    def show_models(self, models: Sequence[tuple[str, str]], current: str) -> None:
        """(id, title) of the installed networks; the choice is shown from the second one on."""
        self.model.clear()
        for id, title in models:
            self.model.addItem(title, id)
        self.model.setCurrentIndex(max(0, self.model.findData(current)))
        self.model.setVisible(len(models) > 1)

    def show_note(self, text: str) -> None:
        self.note.setText(text)
        self.note.setVisible(bool(text))

    def set_working(self, possible: bool) -> None:
        """Whether there is a photo to work on."""
        self.export.setEnabled(possible)
        self.formats.setEnabled(possible)

    @property
    def sliders(self) -> tuple[NumberSlider, ...]:
        return (self.brush_size, self.strength, *self.edges.values(), self.clean)

    def fold(self, names: Iterable[str]) -> None:
        chosen = set(names)
        for section in self.sections:
            section.set_folded(section.name in chosen)

    @property
    def folded_names(self) -> tuple[str, ...]:
        return tuple(section.name for section in self.sections if section.is_folded)

    def tint(self, icons: Icons) -> None:
        for section in self.sections:
            section.tint(icons)
        self.export.setIcon(icons.icon("export", icons.tokens.on_accent))
        self.formats.setIcon(icons.icon("chevron-down", icons.tokens.on_accent))
