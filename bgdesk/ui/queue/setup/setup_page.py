"""The page of the queue window that sets up a queue: photos at the left, options at the right, what would be done below."""

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QProgressBar, QPushButton, QSplitter, QVBoxLayout, QWidget

from bgdesk.app.networks.model_files import ModelStatus
from bgdesk.app.system.settings import Settings
from bgdesk.app.work.jobs import Job
from bgdesk.batch.journal.journal import Ledger
from bgdesk.batch.model.values import BatchRecipe
from bgdesk.batch.model.words import count
from bgdesk.batch.planning import naming
from bgdesk.batch.planning.estimate import Pace, estimate
from bgdesk.batch.planning.plan import Plan
from bgdesk.batch.planning.scan import Order
from bgdesk.batch.planning.templates import Template, templates, variants_of
from bgdesk.core.errors import UsageError
from bgdesk.core.stages import Stage
from bgdesk.core.tasks import Progress
from bgdesk.ui.kit.controls import hint_label, named, role
from bgdesk.ui.kit.icons import Icons
from bgdesk.ui.queue.open_queue import OpenQueue
from bgdesk.ui.queue.setup.choices import SetupChoices, pattern_of, plan_of, recipe_of, remembered
from bgdesk.ui.queue.setup.options import OptionsPanel
from bgdesk.ui.queue.setup.sources import SourcesPanel

#: How long after the last change the photos are searched for anew, in milliseconds.
_PAUSE_MS = 300
#: Lines of a dry run that are shown; the rest is in the tool tip.
_LINES = 5


@dataclass(frozen=True, kw_only=True)
class SetupServices:
    """What the page needs from outside."""

    #: Asks the person for photos.
    ask_files: Callable[[], Sequence[Path]]
    #: Asks the person for a folder; the text is the dialog's title.
    ask_folder: Callable[[str], Path | None]
    #: The networks on this computer.
    networks: Callable[[], list[ModelStatus]]
    #: The settings as they are now.
    settings: Callable[[], Settings]
    #: Writes changed settings.
    remember: Callable[[Settings], None]
    #: Opens the record of all photos that queues have done; called on a worker thread.
    ledger: Callable[[], Ledger]
    #: The confidence under which a photo is shown to the person, until they choose another.
    standard_gate: float


class SetupPage(QWidget):
    """Shows the choices for a new queue and what would be done. `ready(choices, plan)`: the person pressed Start."""

    ready = Signal(object, object)

    def __init__(self, open_queue: OpenQueue, services: SetupServices) -> None:
        super().__init__()
        named(self, "setup.page", "New queue")
        role(self, "page")
        self._open_queue, self._services = open_queue, services
        self._job: Job[Any] | None = None
        self._found: Path | None = None  # a photo for the example
        self.sources = SourcesPanel(services.ask_files, lambda: services.ask_folder("Add a folder"))
        self.options = OptionsPanel(services.standard_gate, lambda: services.ask_folder("Where the cutouts go"))
        splitter = QSplitter(Qt.Orientation.Horizontal)
        splitter.setObjectName("setup.splitter")
        splitter.setHandleWidth(1)
        splitter.setChildrenCollapsible(False)
        splitter.addWidget(self.sources)
        splitter.addWidget(self.options)
        splitter.setStretchFactor(0, 1)
        splitter.setStretchFactor(1, 1)
        splitter.setSizes([440, 520])
        self.sources.setMinimumWidth(360)
        self.options.setMinimumWidth(420)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(splitter, 1)
        layout.addWidget(self._foot())
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.setInterval(_PAUSE_MS)
        self._pause.timeout.connect(self._look)
        self.options.show_templates(self._templates())
        self.options.show_networks(services.networks())
        first = SetupChoices(
            gate=services.standard_gate, quality=services.settings().recipe.matte.quality, matting=services.settings().matting
        )
        self.show_choices(remembered(services.settings().queue_setup, first))
        self.sources.changed.connect(self._changed)
        self.options.changed.connect(self._changed)
        self._changed()

    def _foot(self) -> QFrame:
        foot = QFrame()
        role(foot, "footer")
        self.said = hint_label()
        named(self.said, "setup.said", "What would be done")
        self.said.setTextFormat(Qt.TextFormat.PlainText)
        self._bar = QProgressBar()
        named(self._bar, "setup.bar", "Looking")
        self._bar.setTextVisible(False)
        self._bar.setRange(0, 0)
        self.cancel = self._push("setup.cancel", "Cancel", self.stop_looking, "Stop looking (Esc)")
        self.check = self._push("setup.check", "Check", self._check, "Estimate photos, disk space and time; nothing is written")
        self.start = self._push("setup.start", "Start", self._start, "Make the queue and start it")
        role(self.start, "main")
        row = QHBoxLayout()
        row.setContentsMargins(16, 8, 16, 8)
        row.setSpacing(8)
        row.addWidget(self.said, 1)
        buttons = QHBoxLayout()
        buttons.setSpacing(8)
        for button in (self.cancel, self.check, self.start):
            buttons.addWidget(button, 0, Qt.AlignmentFlag.AlignVCenter)
        row.addLayout(buttons)
        row.setAlignment(buttons, Qt.AlignmentFlag.AlignBottom)
        column = QVBoxLayout(foot)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._bar)
        column.addLayout(row)
        self._show_looking(False)
        return foot

    def _push(self, name: str, text: str, act: Callable[[], None], hint: str = "") -> QPushButton:
        button = QPushButton(text)
        named(button, name, text, hint)
        button.clicked.connect(lambda _checked=False: act())
        return button

    def _templates(self) -> list[Template]:
        broken: list[str] = []
        found = templates(lambda error: broken.append(str(error)))
        self._broken = broken
        return found

    def tint(self, icons: Icons) -> None:
        self.sources.tint(icons)

    # The choices.

    @property
    def choices(self) -> SetupChoices:
        """What is chosen now."""
        sources = self.sources
        choices = SetupChoices(
            sources=sources.paths,
            recursive=sources.recursive.isChecked(),
            include=sources.include.text(),
            exclude=sources.exclude.text(),
            newer=sources.newer.text(),
            smallest=sources.smallest.value(),
            order=Order(sources.order.currentData()),
        )
        return self.options.take(choices)

    def show_choices(self, choices: SetupChoices) -> None:
        self.sources.recursive.setChecked(choices.recursive)
        self.sources.order.setCurrentIndex(max(0, self.sources.order.findData(choices.order.value)))
        self.options.show_choices(choices)

    def renew(self) -> None:
        """Begin another queue: the same options, no photos. Read the list of networks again."""
        self.sources.clear()
        self.options.set_output(None)
        self.options.show_networks(self._services.networks())
        self._changed()

    def _recipe(self, choices: SetupChoices) -> BatchRecipe:
        return recipe_of(choices, variants_of(choices.templates), self._services.settings())

    # What would be done.

    def _changed(self) -> None:
        self.stop_looking()
        choices = self.choices
        self.start.setEnabled(bool(choices.sources))
        self.check.setEnabled(bool(choices.sources))
        self._show_example(choices)
        if choices.sources:
            self._pause.start()
        else:
            self._pause.stop()
            self._found = None
            self.sources.count.setText("")
            self._say(self._broken)

    def _show_example(self, choices: SetupChoices) -> None:
        try:
            recipe = self._recipe(choices)
            self.options.show_makes(recipe.variants)
            self.options.show_suggestion(choices.folder, naming.default(recipe, choices.recursive))
            photo = self._found or (
                choices.sources[0] / "photo.jpg" if choices.sources and choices.sources[0].is_dir() else Path("photo.jpg")
            )
            names = naming.example(pattern_of(choices, recipe), photo, recipe, choices.folder)
            self.options.show_example(f"{photo.name} becomes {names}")
        except UsageError as error:
            self.options.show_example(str(error), wrong=True)
            self.start.setEnabled(False)
            self.check.setEnabled(False)

    def _look(self) -> None:
        """Count the photos and check the names of their cutouts."""

        def done(plan: Plan) -> None:
            self._show_plan(plan)
            self._say(brief(plan))

        self._plan(done)

    def _show_plan(self, plan: Plan) -> None:
        self.sources.count.setText(count(len(plan.planned), "photo"))
        self._found = plan.planned[0].source if plan.planned else None
        self._show_example(self.choices)

    def _check(self) -> None:
        """Plan and estimate, without writing anything."""
        items = list(self._open_queue.items.values())

        def more(plan: Plan, progress: Progress) -> Sequence[str]:
            return estimate(plan, Pace.of(items), progress=progress).lines()

        def done(result: tuple[Plan, Sequence[str]]) -> None:
            self._show_plan(result[0])
            self._say(result[1])

        self._plan(done, more)

    def _start(self) -> None:
        choices = self.choices

        def done(plan: Plan) -> None:
            self._show_plan(plan)
            if not plan.todo:
                self._say(["There is nothing to do.", *brief(plan)])
                return
            self._say([])
            self._services.remember(replace(self._services.settings(), queue_setup=choices.to_json()))
            self.ready.emit(choices, plan)

        self._plan(done)

    def _plan(self, done: Callable[..., None], more: Callable[[Plan, Progress], Sequence[str]] | None = None) -> None:
        """Search and plan on a worker: done(plan), or done((plan, more(plan, progress))) with `more`."""
        self.stop_looking()
        self._pause.stop()
        choices, ledger = self.choices, self._services.ledger
        try:
            recipe = self._recipe(choices)
        except UsageError as error:
            self._say([str(error)])
            return

        def work(progress: Progress) -> object:
            with closing(ledger()) as known:
                plan = plan_of(choices, recipe, known, progress)
            return plan if more is None else (plan, more(plan, progress))

        def ended() -> None:
            if self._job is job:
                self._job = None
                self._show_looking(False)

        def moved(stage: str, fraction: float) -> None:
            self._bar.setRange(0, 0 if stage == Stage.SCAN else 1000)
            self._bar.setValue(round(1000 * fraction))

        self._show_looking(True)
        job = self._job = self._open_queue.look(work, done, lambda text: self._say([text]), ended, moved)

    def stop_looking(self) -> None:
        job, self._job = self._job, None
        if job is not None:
            job.cancel()
            self._show_looking(False)

    def _show_looking(self, on: bool) -> None:
        self._bar.setRange(0, 0 if on else 1)
        self._bar.setVisible(on)
        self.cancel.setVisible(on)

    def _say(self, lines: Sequence[str]) -> None:
        self.said.setText("\n".join([*lines[:_LINES], *([f"and {len(lines) - _LINES:,} more"] if len(lines) > _LINES else [])]))
        self.said.setToolTip("\n".join(lines[:40]) if len(lines) > _LINES else "")


def brief(plan: Plan) -> list[str]:
    """A plan in a few sentences, without reading the photos."""
    todo, skipped = len(plan.todo), len(plan.skipped)
    lines = [f"{count(todo, 'photo')} to do" + (f", {skipped:,} up to date." if skipped else ".")]
    if plan.collisions:
        first = plan.collisions[0]
        others = f", and {len(plan.collisions) - 1:,} more" if len(plan.collisions) > 1 else ""
        lines.append(
            f"{first.source.name} is saved as {first.given.name}, because {first.wanted.name} is taken by {first.other.name}{others}."
        )
    if plan.replaced:
        lines.append(f"{count(plan.replaced, 'file')} will be replaced.")
    if plan.numbered:
        lines.append(f"{count(plan.numbered, 'cutout')} will get a number because the name is taken.")
    return lines + [sentence for _, sentence in plan.problems]
