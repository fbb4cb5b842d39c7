"""The longer commands of the main window: opening, pasting, exporting, dialogs, networks, the queue."""

import itertools
import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QMimeData
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QWidget

import bgdesk
from bgdesk.app.session.photos import PhotoState
from bgdesk.app.session.session import Session
from bgdesk.app.system.paths import data_folder, resource
from bgdesk.app.system.settings import Settings
from bgdesk.app.work.events import Message, NameTaken, Offer, Severity
from bgdesk.app.work.jobs import Lane, Priority
from bgdesk.core.formats import Format
from bgdesk.core.recipe import ExportRecipe, Recipe
from bgdesk.core.tasks import Progress
from bgdesk.files.find import SUFFIXES, has_photo_suffix
from bgdesk.ui.editor.help_dialogs import AboutDialog, ShortcutsDialog
from bgdesk.ui.editor.settings_dialog import SettingsDialog
from bgdesk.ui.kit import incoming
from bgdesk.ui.kit.file_dialogs import Closing
from bgdesk.ui.kit.system import show_outside
from bgdesk.ui.networks.models_dialog import ModelsDialog, NetworkChoice
from bgdesk.ui.services import Services

if TYPE_CHECKING:
    from bgdesk.batch.run.queue import QueueInfo
    from bgdesk.ui.queue.window.queue_controller import QueueController

log = logging.getLogger(__name__)

#: From this many photos in a folder on, a queue is suggested.
MANY = 25


class Commands:
    """Carries out commands on the session. window: parent of dialogs. tell: shows a message. make_queue_controller: called once."""

    def __init__(
        self, services: Services, window: QWidget, tell: Callable[[Message], None], make_queue_controller: "Callable[[], QueueController]"
    ) -> None:
        self._services, self._window, self._tell, self._make_queue_controller = services, window, tell, make_queue_controller
        self.models_dialog: ModelsDialog | None = None
        self.queue_controller: QueueController | None = None

    @property
    def _session(self) -> Session:
        return self._services.session

    def warm(self) -> None:
        """Start the engine in the background: torch takes seconds to load."""
        self._session.warm()

    # Photos in.

    def open_paths(self, paths: Sequence[Path]) -> None:
        self._session.open(paths)

    def open(self) -> None:
        paths = self._services.ask.photos(self._window, SUFFIXES)
        if paths:
            self._session.open(paths)

    def sample(self) -> None:
        """Open the first photo of resources/samples."""
        folder = resource("samples")
        photos = sorted(path for path in folder.glob("*") if path.suffix.lower() in (".png", ".jpg", ".jpeg", ".webp"))
        if photos:
            self._session.open(photos[:1])
        else:
            self._tell(Message(Severity.ERROR, f"There are no sample photos in {folder}. Install bgdesk again."))

    def paste(self) -> None:
        self.take(QGuiApplication.clipboard().mimeData(), "Pasted picture")

    def take(self, mime: QMimeData | None, name: str) -> None:
        """Open what was dropped or pasted. mime: None for an empty clipboard. name: for a picture without a file."""
        mime = mime or QMimeData()
        paths = incoming.paths(mime)
        if paths:
            self._session.open(paths)
            self._offer_queue(paths)
            return
        pixels = incoming.picture(mime)
        if pixels is not None:
            self._session.open_pixels(pixels, name)
        elif mime.hasUrls():
            self._tell(Message(Severity.WARNING, "Only files on this computer can be opened. Save the picture first, then drop the file."))
        else:
            self._tell(Message(Severity.INFO, "There is no picture to paste. Copy a picture or a file first."))

    def close_photo(self) -> None:
        photo = self._session.current
        if photo is None:
            return
        if photo.unsaved:
            answer = self._services.ask.closing(self._window, [photo.name], True)
            if answer is Closing.EXPORT:
                self.export()
            if answer is not Closing.DISCARD:
                return
        self._session.remove(photo.key)

    def step_photo(self, direction: int) -> None:
        """Select the next (+1) or previous (-1) photo of the film strip; after the last comes the first."""
        current = self._session.current
        # Skip photos that could not be read: selecting one only repeats its message.
        photos = [photo for photo in self._session.photos if photo.state is not PhotoState.FAILED or photo.thumbnail is not None]
        if len(photos) > 1:
            at = next((index for index, photo in enumerate(photos) if current and photo.key == current.key), 0)
            self._session.select(photos[(at + direction) % len(photos)].key)

    # The queue.

    def queue(self, sources: Sequence[Path] = ()) -> None:
        """Show the queue window; with sources, set up a queue of them."""
        self._open_queue_window().show(sources)

    def put_back(self) -> None:
        if self.queue_controller is not None:
            self.queue_controller.put_back()

    def _open_queue_window(self) -> "QueueController":
        if self.queue_controller is None:
            self.queue_controller = self._make_queue_controller()
        return self.queue_controller

    def _offer_queue(self, paths: Sequence[Path]) -> None:
        """Suggest a queue if a folder with many photos was opened."""

        def work(_progress: Progress) -> Path | None:
            folders = [path for path in paths if path.is_dir()]
            for folder in folders:
                with os.scandir(folder) as entries:
                    found = (entry for entry in entries if has_photo_suffix(entry.name))
                    if len(list(itertools.islice(found, MANY))) == MANY:
                        return folder
            return None

        def done(folder: Path | None) -> None:
            if folder is not None:
                text = f"{folder.name} holds many photos. A queue can cut them all out while you do something else."
                self._tell(Message(Severity.INFO, text, offers=(Offer.MAKE_QUEUE,), path=folder))

        self._services.jobs.submit(Lane.IO, work, on_done=done, on_error=lambda error: log.debug("not counted", exc_info=error))

    def offer_unfinished(self) -> None:
        """Offer to continue an unfinished queue. Call when the window is on the screen."""

        def work(_progress: Progress) -> "list[QueueInfo]":
            import bgdesk.batch.workers.local_pool  # noqa: F401 - so that Ctrl+B need not wait for it
            from bgdesk.ui.queue.window.queue_controller import unfinished

            return unfinished(data_folder())

        def done(infos: "list[QueueInfo]") -> None:
            if infos:
                from bgdesk.ui.queue.window.queue_list import unfinished_text

                more = f" There are {len(infos) - 1} more." if len(infos) > 2 else " There is another one." if len(infos) == 2 else ""
                text = unfinished_text(infos[0]) + more
                self._tell(Message(Severity.INFO, text, offers=(Offer.RESUME_QUEUE, Offer.LATER), path=infos[0].folder))

        self._services.jobs.submit(Lane.IO, work, priority=Priority.BACKGROUND, on_done=done)

    # Photos out.

    def export(self, format: Format | None = None) -> bool:
        """Ask for a name and write the current cut-out; False if there is none or the person cancelled."""
        work = self._session.work
        if work is None or not work.has_alpha:
            return False
        chosen = format or Format(self._session.settings.export_format)
        suggestion = self._session.suggested_name(ExportRecipe(chosen))
        target = self._services.ask.export_target(self._window, suggestion, chosen)
        if target is None:
            return False
        self.configure(replace(self._session.settings, export_format=target.format.value))
        self._session.export(target.path, ExportRecipe(target.format), replace=target.replace)
        return True

    def name_taken(self, event: NameTaken) -> None:
        """A file of that name appeared after the person chose it: ask again."""
        current = self._session.current
        if current is None or current.key != event.photo:
            text = f"{event.path.name} was not exported: a file of that name is there now. Export the photo again."
            self._tell(Message(Severity.WARNING, text))
        elif self._services.ask.replace(self._window, event.path):
            self._session.export(event.path, event.recipe, replace=True)
        else:
            self.export(event.recipe.format)

    def show_in_folder(self, path: Path) -> None:
        failure = show_outside(path.parent)
        if failure:
            self._tell(Message(Severity.WARNING, failure))

    # Networks.

    def take_offer(self, offer: Offer, message: Message) -> None:
        if offer is Offer.SHOW_IN_FOLDER and message.path is not None:
            self.show_in_folder(message.path)
        elif offer is Offer.INSTALL_MODEL:
            self.models()
        elif offer is Offer.MAKE_QUEUE and message.path is not None:
            self.queue([message.path])
        elif offer is Offer.RESUME_QUEUE and message.path is not None:
            self._open_queue_window().resume(message.path)
        elif offer is Offer.IMPORT_MODEL:
            wanted = next((status.entry.id for status in self._services.store.statuses() if status.entry.default), None)
            if wanted is not None:
                self.import_network(wanted)

    def import_network(self, id: str) -> None:
        title = next((status.entry.title for status in self._services.store.statuses() if status.entry.id == id), id)
        path = self._services.ask.network_file(self._window, title)
        if path is not None:
            self._session.import_model(path, id)

    def choose_network(self, id: str) -> None:
        """Use this network from now on, and cut the current photo out with it."""
        if id != (self._session.settings.model or self._services.store.default_id()):
            self.configure(replace(self._session.settings, model=id))
            self._services.renew_engine()
            self._session.cut_again()

    def choose_matting(self, id: str) -> None:
        """Use this network for edges from now on ("" for our own solver), and cut the current photo out with it."""
        if id != self._session.settings.matting:
            self.configure(replace(self._session.settings, matting=id))
            self._services.renew_engine()
            self._session.cut_again()

    def choose_reach(self, reach: str) -> None:
        """Set how far strokes reach from now on: "smart" or "exact"."""
        self.configure(replace(self._session.settings, reach=reach))

    def change_recipe(self, recipe: Recipe, name: str, drag: object = None) -> None:
        """Change the current photo's recipe, as an undo step; without a photo, the recipe of new photos."""
        if self._session.work is not None:
            self._session.change_recipe(recipe, name, drag)
        else:
            self.configure(self._session.settings.with_recipe(recipe))

    def make_default(self) -> None:
        """Use the current photo's recipe for new photos."""
        self.configure(self._session.settings.with_recipe(self._session.recipe))
        self._tell(Message(Severity.INFO, "New photos begin with this photo's edge, colours and quality."))

    def models(self, show_engine: Callable[[], None] = lambda: None) -> None:
        def removed() -> None:
            self._services.renew_engine()
            show_engine()

        def then_show(choose: Callable[[str], None]) -> Callable[[str], None]:
            def chosen(id: str) -> None:
                choose(id)
                show_engine()

            return chosen

        session, store = self._session, self._services.store
        choice = NetworkChoice(
            lambda: (session.settings.model, session.settings.matting), then_show(self.choose_network), then_show(self.choose_matting)
        )
        self.models_dialog = ModelsDialog(self._window, store, session, self._services.jobs, self._services.ask, removed, choice)
        self.models_dialog.finished.connect(self._forget_dialog)
        self.models_dialog.open()

    def _forget_dialog(self) -> None:
        if self.models_dialog is not None:
            self.models_dialog.deleteLater()
        self.models_dialog = None

    # Settings and help.

    def configure(self, settings: Settings) -> None:
        """Use new settings and write them. If writing fails, they hold until the program ends."""
        self._session.configure(settings)
        try:
            self._services.remember(settings)
        except OSError as error:
            reason = error.strerror or str(error)
            self._tell(Message(Severity.WARNING, f"The settings could not be saved: {reason}. They hold until bgdesk is closed."))

    def settings(self, changed: Callable[[Settings], None]) -> None:
        dialog = SettingsDialog(self._window, self._session.settings, changed)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def shortcuts(self) -> None:
        dialog = ShortcutsDialog(self._window)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def about(self) -> None:
        dialog = AboutDialog(self._window, bgdesk.__version__)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()
