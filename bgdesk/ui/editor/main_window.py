"""The main window: its layout, the handlers of its actions, drops, and closing."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from PySide6.QtCore import QByteArray, QEvent, Qt, QTimer
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDragLeaveEvent, QDropEvent
from PySide6.QtWidgets import QApplication, QHBoxLayout, QMainWindow, QMenu, QSplitter, QToolButton, QVBoxLayout, QWidget

from bgdesk.app.system.settings import Settings
from bgdesk.app.work.events import Message, Severity
from bgdesk.core.formats import Format
from bgdesk.core.recipe import Recipe
from bgdesk.core.trimap import Label
from bgdesk.ui.canvas.canvas import Canvas
from bgdesk.ui.canvas.render import View
from bgdesk.ui.canvas.tools import Brush, Tool
from bgdesk.ui.editor.actions import Actions, export_id
from bgdesk.ui.editor.commands import Commands
from bgdesk.ui.editor.empty_state import EmptyState
from bgdesk.ui.editor.film_strip import FilmStrip
from bgdesk.ui.editor.inspector import GREEN_SCREEN, Inspector, ToolStrip
from bgdesk.ui.editor.presenter import LABELS, EditorViews, Presenter
from bgdesk.ui.editor.stage import EditorStage
from bgdesk.ui.editor.status_bar import StatusBar
from bgdesk.ui.kit import incoming, system
from bgdesk.ui.kit.controls import GiveBackFocus, named, role
from bgdesk.ui.kit.file_dialogs import Closing
from bgdesk.ui.kit.icons import Icons
from bgdesk.ui.kit.message_bar import MessageBar
from bgdesk.ui.kit.theme import DARK, INSPECTOR_WIDTH, SMALLEST_WINDOW, Tokens, choose, palette, style_sheet
from bgdesk.ui.kit.work_progress import WorkProgress
from bgdesk.ui.queue.window.fix_bar import FixBar
from bgdesk.ui.services import Services

if TYPE_CHECKING:
    from bgdesk.ui.queue.window.queue_controller import QueueController


class MainWindow(QMainWindow):
    """Shows one photo with its tools. The Presenter shows what the session reports; actions and gestures go to the session."""

    def __init__(self, services: Services) -> None:
        super().__init__()
        self.setObjectName("main_window")
        self.setAccessibleName("bgdesk")
        self._services, self._session = services, services.session
        settings = self._session.settings
        self.brush = Brush(round(settings.brush_size), self)
        self.canvas = Canvas(self._session, self.brush)
        self.commands = Commands(services, self, self.tell, self._make_queue_controller)
        self.fix_bar = FixBar()
        self.actions_ = Actions(self, self.canvas, self._handlers())
        self.actions_.fill(self.menuBar())
        self.empty = EmptyState(self.actions_)
        self.messages = MessageBar()
        self.progress = WorkProgress()
        self.stage = EditorStage(self.canvas, self.empty, self.progress.bar)
        self.strip = ToolStrip(self.actions_)
        self.inspector = Inspector(self.actions_, self.brush)
        self.film = FilmStrip()
        self.status = StatusBar(self.progress)
        self._view_chip = _chip("chip.view", "View")
        self._zoom_chip = _chip("chip.zoom", "Zoom")
        self._leaving = False
        self._tokens: Tokens | None = None
        self._lay_out(settings)
        views = EditorViews(
            window=self,
            actions=self.actions_,
            brush=self.brush,
            canvas=self.canvas,
            stage=self.stage,
            messages=self.messages,
            progress=self.progress,
            empty=self.empty,
            inspector=self.inspector,
            film=self.film,
            status=self.status,
            view_chip=self._view_chip,
            zoom_chip=self._zoom_chip,
        )
        self._presenter = Presenter(services, self.commands, views, lambda: QTimer.singleShot(0, self._leave_if_written))
        self._connect()
        self.setAcceptDrops(True)
        self.setMinimumSize(*SMALLEST_WINDOW)
        self.apply_theme()
        self._unsubscribe = self._session.subscribe(self._presenter.on_event)
        self._presenter.show_all()

    # Building.

    def _handlers(self) -> dict[str, Callable[[], None]]:
        commands = self.commands
        handlers: dict[str, Callable[[], None]] = {
            "action.open": commands.open,
            "action.sample": commands.sample,
            "action.queue": commands.queue,
            "action.put_back": commands.put_back,
            "action.export": lambda: _done(commands.export()),
            "action.close_photo": commands.close_photo,
            "action.quit": lambda: _done(self.close()),
            "action.undo": self._session.undo,
            "action.redo": self._session.redo,
            "action.paste": commands.paste,
            "action.cut_again": self._session.cut_again,
            "action.recipe.default": self._make_default,
            "action.recipe.all": self._session.apply_to_all,
            "action.cancel": self._cancel,
            "action.settings": lambda: commands.settings(self._take_settings),
            "tool.pan": lambda: self._use(Tool.PAN),
            "action.brush": lambda: self._use(Tool.BRUSH),
            "action.swap": self._swap,
            "action.brush.smaller": lambda: self.brush.step(-1),
            "action.brush.larger": lambda: self.brush.step(1),
            "action.brush.finer_smaller": lambda: self.brush.step(-1, fine=True),
            "action.brush.finer_larger": lambda: self.brush.step(1, fine=True),
            "action.view.next": self._next_view,
            "action.zoom.fit": self.canvas.fit,
            "action.zoom.actual": self.canvas.actual_size,
            "action.zoom.in": lambda: self.canvas.zoom_step(1),
            "action.zoom.out": lambda: self.canvas.zoom_step(-1),
            "action.inspector": lambda: self.inspector.setVisible(self.actions_["action.inspector"].isChecked()),
            "action.photo.next": lambda: commands.step_photo(1),
            "action.photo.previous": lambda: commands.step_photo(-1),
            "action.models": lambda: commands.models(self._presenter.show_engine),
            "action.shortcuts": commands.shortcuts,
            "action.about": commands.about,
        }
        for format in Format:
            handlers[export_id(format)] = lambda format=format: _done(commands.export(format))  # type: ignore[misc]
        for id, label in LABELS.items():
            handlers[id] = lambda label=label: self._use(Tool.BRUSH, label)  # type: ignore[misc]
        for view in View:
            handlers["view." + view.value] = lambda view=view: self._use_view(view)  # type: ignore[misc]
        return handlers

    def _lay_out(self, settings: Settings) -> None:
        self._splitter = QSplitter(Qt.Orientation.Horizontal)
        self._splitter.setObjectName("splitter")
        self._splitter.setHandleWidth(1)
        self._splitter.setChildrenCollapsible(False)
        middle = QWidget()
        column = QVBoxLayout(middle)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.stage, 1)
        column.addWidget(self.film)
        self._splitter.addWidget(middle)
        self._splitter.addWidget(self.inspector)
        self._splitter.setStretchFactor(0, 1)
        self._splitter.setStretchFactor(1, 0)
        row = QHBoxLayout()
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        row.addWidget(self.strip)
        row.addWidget(self._splitter, 1)
        body = QWidget()
        whole = QVBoxLayout(body)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(0)
        whole.addLayout(row, 1)
        whole.addWidget(self.status)
        self.setCentralWidget(body)
        for banner in (self.fix_bar, self.messages):
            self.stage.add_banner(banner)
        for chip in (self._view_chip, self._zoom_chip):
            self.stage.add_chip(chip)
        views, zooms = QMenu(self._view_chip), QMenu(self._zoom_chip)
        for menu in (views, zooms):
            menu.setLayoutDirection(self.layoutDirection())  # the chip's own is reversed to put its arrow last
        for view in View:
            views.addAction(self.actions_["view." + view.value])
        for id in ("action.zoom.fit", "action.zoom.actual", "action.zoom.in", "action.zoom.out"):
            zooms.addAction(self.actions_[id])
        self._view_chip.setMenu(views)
        self._zoom_chip.setMenu(zooms)
        system.fit(self, 1280, 800)
        self._splitter.setSizes([self.width() - INSPECTOR_WIDTH, INSPECTOR_WIDTH])
        if settings.window_geometry:
            self.restoreGeometry(QByteArray.fromBase64(settings.window_geometry.encode()))
        if settings.splitter_state:
            self._splitter.restoreState(QByteArray.fromBase64(settings.splitter_state.encode()))
        self.inspector.fold(settings.folded)
        self.inspector.show_format(Format(settings.export_format))
        self.inspector.strength.set_value(round(settings.overlay * 100))
        self.inspector.show_reach(settings.reach)
        self.canvas.set_strength(settings.overlay)
        for id in ("tool.foreground", "view.overlay", "action.inspector"):
            self.actions_[id].setChecked(True)

    def _connect(self) -> None:
        self.canvas.zoomed.connect(self._presenter.show_zoom)
        self.canvas.peeked.connect(lambda _on: self._presenter.show_view())
        self.brush.changed.connect(self._presenter.show_tool)
        self.film.chosen.connect(self._session.select)
        self.film.removed.connect(lambda _key: self.commands.close_photo())
        self.progress.cancelled.connect(self._session.cancel)
        self.messages.offered.connect(self.commands.take_offer)
        self.empty.install.connect(self._session.install_model)
        self.empty.import_file.connect(self.commands.import_network)
        self.inspector.strength_changed.connect(lambda value: self.canvas.set_strength(value / 100))
        self.inspector.reach_chosen.connect(self.commands.choose_reach)
        self.inspector.recipe_changed.connect(self._take_recipe)
        self.inspector.spill_asked.connect(self._ask_spill)
        self.inspector.model_chosen.connect(self.commands.choose_network)
        give_back = GiveBackFocus(self.canvas)
        for slider in self.inspector.sliders:
            slider.field.installEventFilter(give_back)
        system.hints().colorSchemeChanged.connect(lambda _scheme: self.apply_theme())

    # Theme.

    def apply_theme(self) -> None:
        """Choose the theme by the settings and the system, and use it if it is another one."""
        wish = self._session.settings.theme
        tokens = choose(
            wish,
            system_dark=system.dark(),
            system_contrast=wish == "contrast" or system.high_contrast(),
        )
        if tokens is self._tokens:
            return
        self._tokens = tokens
        application = QApplication.instance()
        if isinstance(application, QApplication):
            application.setPalette(palette(tokens))
            application.setStyleSheet(style_sheet(tokens))
        icons = Icons(tokens)
        self.actions_.tint(icons)
        for part in (self.inspector, self.empty, self.film, self.messages, self.fix_bar, self.commands.queue_controller):
            if part is not None:
                part.tint(icons)
        for chip in (self._view_chip, self._zoom_chip):
            chip.setIcon(icons.icon("chevron-down", tokens.hint))
        self.canvas.set_surround(tokens.surround)

    def _make_queue_controller(self) -> "QueueController":
        """Make the queue window and what it needs. Its modules are imported here, when they are first needed."""
        from bgdesk.ui.queue.window.queue_controller import QueueController

        commands = self.commands
        controller = QueueController(self._services, self, self.tell, commands.configure, self.fix_bar)
        controller.tint(Icons(self.tokens))
        return controller

    @property
    def tokens(self) -> Tokens:
        return self._tokens or DARK

    def _take_settings(self, settings: Settings) -> None:
        self.commands.configure(settings)
        self.inspector.strength.set_value(round(settings.overlay * 100))
        self.canvas.set_strength(settings.overlay)
        self.apply_theme()

    def _take_recipe(self, recipe: Recipe, name: str, drag: object) -> None:
        self.commands.change_recipe(recipe, name, drag)
        self._presenter.show_recipe()

    def _ask_spill(self) -> None:
        chosen = self._services.ask.colour(self, "The background's colour", self.inspector.spill_colour or GREEN_SCREEN)
        if chosen is not None:
            self.inspector.take_spill(chosen)

    def tell(self, message: Message) -> None:
        self.messages.tell(message)

    # Tools, views and drops.

    def _use(self, tool: Tool, label: Label | None = None) -> None:
        if label is not None:
            self.brush.set_label(label)
        self.canvas.set_tool(tool)
        self._presenter.show_tool()

    def _use_view(self, view: View) -> None:
        self.canvas.set_view(view)
        self._presenter.show_view()

    def _swap(self) -> None:
        self.brush.swap()
        self._use(Tool.BRUSH)

    def _next_view(self) -> None:
        views = list(View)
        following = views[(views.index(self.canvas.look.view) + 1) % len(views)]
        self.actions_["view." + following.value].trigger()

    def _cancel(self) -> None:
        """Esc cancels the stroke, else the work under way, else dismisses the message."""
        if self.canvas.cancel():
            self.canvas.settle_paint(tuple(self._session.pending_rects))
        elif self._session.busy is not None:
            self._session.cancel()
        else:
            self.messages.dismiss()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if incoming.acceptable(event.mimeData()):
            event.acceptProposedAction()
            self.empty.light(True)

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        self.empty.light(False)

    def dropEvent(self, event: QDropEvent) -> None:
        self.empty.light(False)
        event.acceptProposedAction()
        self.commands.take(event.mimeData(), "Dropped picture")
        self.activateWindow()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() is QEvent.Type.ThemeChange:
            self.apply_theme()

    # Leaving.

    def closeEvent(self, event: QCloseEvent) -> None:
        self.canvas.cancel()
        self.inspector.settle()
        unsaved = self._session.unsaved
        if unsaved:
            answer = self._services.ask.closing(self, [photo.name for photo in unsaved], True)
            if answer is Closing.EXPORT:
                current = self._session.current
                if current is None or not current.unsaved:
                    self._session.select(unsaved[0].key)
                self._leaving = self.commands.export()
            if answer is not Closing.DISCARD:
                event.ignore()
                return
        elif self._session.exporting:
            self._leaving = True
            self.tell(Message(Severity.INFO, "bgdesk closes as soon as the file is written."))
            event.ignore()
            return
        controller = self.commands.queue_controller
        if controller is not None and not controller.may_end():
            event.ignore()
            return
        self._unsubscribe()
        self._remember()
        if controller is not None:
            controller.end()
        self.hide()  # at once, because work under way takes a moment to stop
        self._session.close()
        event.accept()

    def _leave_if_written(self) -> None:
        """All work has ended: close the window if it was waiting for an export that succeeded."""
        if self._session.busy is not None:
            return
        leaving, self._leaving = self._leaving, False
        if leaving and not self._session.unsaved:
            self.close()

    def _make_default(self) -> None:
        self.inspector.settle()
        self.commands.make_default()

    def _remember(self) -> None:
        self.commands.configure(
            replace(
                self._session.settings,
                brush_size=float(self.brush.diameter),
                overlay=self.canvas.look.strength,
                window_geometry=bytes(self.saveGeometry().toBase64().data()).decode(),
                splitter_state=bytes(self._splitter.saveState().toBase64().data()).decode(),
                folded=self.inspector.folded_names,
            )
        )


def _chip(name: str, accessible: str) -> QToolButton:
    chip = QToolButton()
    named(chip, name, accessible)
    role(chip, "chip")
    chip.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
    chip.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
    chip.setLayoutDirection(Qt.LayoutDirection.RightToLeft)  # the arrow after the text
    chip.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    return chip


def _done(_result: bool) -> None:
    """Drop a result: handlers return None."""
