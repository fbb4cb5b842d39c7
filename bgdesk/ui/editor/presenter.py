"""Shows on the widgets what the session reports. It keeps no state: every event makes it read the session again."""

from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QToolButton, QWidget

from bgdesk.app.session.photos import PhotoState
from bgdesk.app.work.events import (
    AlphaChanged,
    BusyChanged,
    EngineChanged,
    Event,
    Exported,
    ForegroundChanged,
    HistoryChanged,
    LabelsChanged,
    Message,
    NameTaken,
    Offer,
    PhotosChanged,
    PhotoShown,
    RecipeChanged,
)
from bgdesk.core.formats import Format
from bgdesk.core.trimap import Label
from bgdesk.ui.canvas.canvas import Canvas
from bgdesk.ui.canvas.tools import Brush, Tool
from bgdesk.ui.editor.actions import Actions, export_id
from bgdesk.ui.editor.commands import Commands
from bgdesk.ui.editor.empty_state import EmptyState
from bgdesk.ui.editor.film_strip import FilmStrip
from bgdesk.ui.editor.inspector import Inspector
from bgdesk.ui.editor.stage import EditorStage
from bgdesk.ui.editor.status_bar import StatusBar
from bgdesk.ui.kit import words
from bgdesk.ui.kit.message_bar import MessageBar
from bgdesk.ui.kit.work_progress import WorkProgress
from bgdesk.ui.services import Services

LABELS = {"tool.foreground": Label.FOREGROUND, "tool.background": Label.BACKGROUND, "tool.unknown": Label.UNKNOWN}
_NO_NETWORK = "No network is installed: paint what to keep by hand, or install one in Help, Networks."


@dataclass(frozen=True, kw_only=True)
class EditorViews:
    """The widgets of the main window that show the session."""

    window: QWidget
    actions: Actions
    brush: Brush
    canvas: Canvas
    stage: EditorStage
    messages: MessageBar
    progress: WorkProgress
    empty: EmptyState
    inspector: Inspector
    film: FilmStrip
    status: StatusBar
    view_chip: QToolButton
    zoom_chip: QToolButton


class Presenter:
    """Updates `views` from the session. idle: called when all work has ended."""

    def __init__(self, services: Services, commands: Commands, views: EditorViews, idle: Callable[[], None]) -> None:
        self._services, self._session, self._commands, self._views, self._idle = services, services.session, commands, views, idle

    def on_event(self, event: Event) -> None:
        pending = tuple(self._session.pending_rects)
        match event:
            case AlphaChanged(rect, first):
                self._views.canvas.alpha_changed(rect, pending, first)
                self._views.canvas.settle_paint(pending)
                self.show_state()
            case LabelsChanged(rect):
                self._views.canvas.labels_changed(rect)
            case ForegroundChanged(rect):
                self._views.canvas.foreground_changed(rect)
            case PhotoShown():
                self.show_photo()
            case RecipeChanged():
                self.show_recipe()
            case PhotosChanged():
                self.show_photos()
            case HistoryChanged():
                self._views.canvas.settle_paint(pending)
                if self._session.current is not None and self._session.can_undo:
                    self._views.messages.photo_edited(self._session.current.key)
                self.show_state()
            case BusyChanged():
                self._views.canvas.settle_paint(pending)
                self.show_busy()
            case EngineChanged():
                self.show_engine()
            case Message():
                self._views.messages.tell(event)
                if self._commands.models_dialog is not None:  # it covers the message bar
                    self._commands.models_dialog.tell(event.text)
            case NameTaken():
                QTimer.singleShot(0, lambda: self._commands.name_taken(event))  # a dialog, once every view knows
            case Exported():
                self._views.inspector.show_format(Format(self._session.settings.export_format))
                self.show_photos()

    def show_all(self) -> None:
        self.show_photo()
        self.show_photos()
        self.show_engine()
        self.show_busy()
        self.show_tool()
        self.show_view()

    def show_photo(self) -> None:
        self._views.canvas.show_document(self._session.work)
        self.show_recipe()
        self.show_stage()
        self.show_state()
        if self._session.work is not None:
            self._views.canvas.setFocus(Qt.FocusReason.OtherFocusReason)

    def show_recipe(self) -> None:
        """The current photo's choices, and its edge as they make it."""
        recipe = self._session.recipe
        self._views.canvas.set_edge(recipe.edge)
        self._views.inspector.show_recipe(recipe)

    def show_stage(self) -> None:
        """Show the canvas as soon as a photo is being read, so that the empty state does not flash up between two photos."""
        on_its_way = any(photo.state in (PhotoState.LOADING, PhotoState.WAITING) for photo in self._session.photos)
        shown = self._session.work is not None or on_its_way
        if not shown and self._views.empty.isHidden():
            self._views.empty.show_network(self._services.store.statuses(), self._session.busy is not None)
        self._views.stage.show_photo(shown)

    def show_photos(self) -> None:
        current = self._session.current
        self._views.messages.show_photo(None if current is None else current.key)
        self._views.film.show_photos(self._session.photos, current)
        self._views.window.setWindowTitle(f"{current.name}[*] — bgdesk" if current else "bgdesk")
        self._views.window.setWindowModified(current is not None and current.unsaved)
        self.show_stage()
        self.show_state()

    def show_state(self) -> None:
        """Enable the actions that are possible now, and show the figures of the current photo."""
        session, work = self._session, self._session.work
        cut = work is not None and work.has_alpha
        several = len(session.photos) > 1
        for id, possible in (
            ("action.export", cut),
            *((export_id(format), cut) for format in Format),
            ("action.close_photo", session.current is not None),
            ("action.undo", session.can_undo),
            ("action.redo", session.can_redo),
            ("action.cut_again", work is not None),
            ("action.recipe.default", work is not None),
            ("action.recipe.all", several),
            ("action.put_back", self._commands.queue_controller is not None and self._commands.queue_controller.can_put_back),
            ("action.photo.next", several),
            ("action.photo.previous", several),
        ):
            self._views.actions[id].setEnabled(possible)
        for id, verb, name in (("action.undo", "Undo", session.undo_name), ("action.redo", "Redo", session.redo_name)):
            self._views.actions.say(id, f"{verb} {name}" if name else verb)
        self._views.inspector.set_working(cut)
        self._views.status.show_photo(work.size if work is not None else None)
        self._views.status.show_timings(session.timings)
        if work is None:
            self._views.canvas.setAccessibleDescription("No photo is open")
        else:
            name = session.current.name if session.current else "Photo"
            state = "cut out" if work.has_alpha else "not cut out yet"
            self._views.canvas.setAccessibleDescription(f"{name}, {words.size(work.size)} pixels, {state}")

    def show_busy(self) -> None:
        busy = self._session.busy
        self._views.progress.show_busy(busy)
        if not self._views.empty.isHidden():
            self._views.empty.show_network(self._services.store.statuses(), busy is not None)
        if self._commands.models_dialog is not None:
            self._commands.models_dialog.show_busy()
        self.show_state()
        if busy is None:
            self._idle()

    def show_engine(self) -> None:
        statuses = self._services.store.statuses()
        whole = [status for status in statuses if status.installed and not status.damaged]
        installed = [status for status in whole if status.kind == "segment"]
        chosen = self._session.settings.model
        wanted = chosen if any(each.entry.id == chosen for each in installed) else self._services.store.default_id() or ""
        status = self._session.engine_status
        restricted = any(each.entry.commercial is False for each in whole if each.entry.id in (wanted, self._session.settings.matting))
        model = status.model or wanted
        marked = f"{model} (non-commercial)" if restricted else model
        self._views.status.show_engine(status.device, status.precision, marked, status.notes, status.instead_of)
        titles = [(each.entry.id, words.marked(each.entry.title, each.entry.commercial)) for each in installed]
        self._views.inspector.show_models(titles, wanted)
        self._views.inspector.show_note("\n".join(status.notes) if installed else _NO_NETWORK)
        self._views.empty.show_network(statuses, self._session.busy is not None)
        if installed:
            self._views.messages.withdraw(Offer.INSTALL_MODEL)
        if self._commands.models_dialog is not None:
            self._commands.models_dialog.refresh()

    def show_zoom(self) -> None:
        viewport = self._views.canvas.viewport
        self._views.status.show_zoom(viewport.scale if viewport else None)
        self._views.zoom_chip.setText(words.percent(viewport.scale) if viewport else "")
        self._views.stage.arrange()

    def show_view(self) -> None:
        self._views.view_chip.setText(self._views.actions["view." + self._views.canvas.view.value].text())
        self._views.stage.arrange()

    def show_tool(self) -> None:
        id = (
            "tool.pan"
            if self._views.canvas.tool is Tool.PAN
            else next(i for i, label in LABELS.items() if label is self._views.brush.label)
        )
        self._views.actions[id].setChecked(True)
