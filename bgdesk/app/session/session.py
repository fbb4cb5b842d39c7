"""The one controller: gestures come in, events go out, the works hold the truth.

Every method is called on the owner's thread (the window's), and every event is delivered there. None of them waits:
reading, computing and writing happen on the lanes of `Jobs`, whose answers come back through `post`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bgdesk.app.editing.editor import Editor
from bgdesk.app.editing.gestures import Gesture
from bgdesk.app.editing.history import History
from bgdesk.app.editing.work import Work
from bgdesk.app.networks.onnx_presets import Description
from bgdesk.app.session.ahead import go_ahead
from bgdesk.app.session.cutting import Cutter
from bgdesk.app.session.exporter import End, Exporter, suggested_name
from bgdesk.app.session.network_installer import NetworkInstaller
from bgdesk.app.session.photos import Photo
from bgdesk.app.session.strip import Strip, StripEntry, tell
from bgdesk.app.system import paths
from bgdesk.app.system.settings import Settings
from bgdesk.app.work.activity import Activity, Busy
from bgdesk.app.work.events import (
    AlphaChanged,
    Event,
    ForegroundChanged,
    HistoryChanged,
    LabelsChanged,
    Listener,
    Message,
    PhotosChanged,
    PhotoShown,
    RecipeChanged,
    Severity,
)
from bgdesk.app.work.jobs import Jobs, Lane, Post
from bgdesk.app.work.ports import DiskFiles, FilesLike, ModelsLike
from bgdesk.core.arrays import Pixels, check_pixels
from bgdesk.core.cutout import Cutout
from bgdesk.core.engine import EngineProtocol, EngineStatus, Reach
from bgdesk.core.geometry import Rect
from bgdesk.core.recipe import ExportRecipe, Recipe
from bgdesk.core.trimap import Label
from bgdesk.files.find import Found

if TYPE_CHECKING:
    from bgdesk.files.load import LoadedImage


class Session:
    """The open photos, and everything that a person can do with them.

    `post` is the one that `jobs` was made with. `files` reads and writes photos; None: on the disk.
    """

    def __init__(
        self, engine: EngineProtocol, models: ModelsLike, settings: Settings, jobs: Jobs, post: Post, files: FilesLike | None = None
    ) -> None:
        self._engine = engine
        self._models = models
        self._settings = settings
        self._jobs = jobs
        self._post = post
        self._files = files or DiskFiles()
        self._listeners: list[Listener] = []
        self._activity = Activity(jobs, self._emit)
        self._strip = Strip(self._files, self._activity, self._make_editor, self._photos_changed, paths.cache_folder() / "undo")
        self._current: StripEntry | None = None
        self._wanted: StripEntry | None = None  # being read, to become current
        self._cutter = Cutter(engine, models, self._activity, self._emit, self._photos_changed)
        self._exporter = Exporter(engine, self._files, self._activity, self._emit, self._photos_changed)
        self._installer = NetworkInstaller(models, self._activity, self._emit, self._installed)
        self._announcing = False
        self._planning = False
        self._closed = False

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Deliver every event to `listener` from now on; the function that is returned stops that."""
        self._listeners.append(listener)

        def stop() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return stop

    def _emit(self, event: Event) -> None:
        if not self._closed:
            for listener in tuple(self._listeners):
                listener(event)

    @property
    def settings(self) -> Settings:
        return self._settings

    def configure(self, settings: Settings) -> None:
        """Use other settings from now on. Limits hold at once; device and precision are the engine's."""
        self._settings = settings
        for entry in self._strip.entries:
            if entry.editor is not None:
                entry.editor.history.limit = settings.undo_bytes
                entry.editor.reach = Reach(settings.reach)
                if entry.editor.history.trim() and entry is self._current:
                    self._emit(HistoryChanged())
        self._plan()

    # -- photos --------------------------------------------------------------------------------------------------

    @property
    def photos(self) -> Sequence[Photo]:
        """The film strip, in order."""
        return tuple(entry.photo for entry in self._strip.entries)

    @property
    def current(self) -> Photo | None:
        """The photo that is shown."""
        return None if self._current is None else self._current.photo

    @property
    def unsaved(self) -> Sequence[Photo]:
        """The photos of which a person changed something that no file holds."""
        return tuple(entry.photo for entry in self._strip.entries if entry.unsaved)

    @property
    def exporting(self) -> bool:
        """Whether a file is being prepared or written."""
        return any(entry.exporting for entry in self._strip.entries)

    @property
    def work(self) -> Work | None:
        """The current photo's arrays; None while there is no photo. Read only."""
        return None if self._editor is None else self._editor.work

    @property
    def _editor(self) -> Editor | None:
        return None if self._current is None else self._current.editor

    def open(self, files: Sequence[Path]) -> None:
        """Add files, and the photos in folders (not in their subfolders); the first new one becomes current.

        If all are in the film strip already, the first is selected. If one cannot be read, the current photo stays, and a
        Message says why.
        """
        if files:
            self._strip.expand([Path(file) for file in files], self._opened)

    def _opened(self, found: Found) -> None:
        for folder, text in found.problems:
            self._emit(Message(Severity.WARNING, text, path=folder))
        known = [entry for entry in map(self._strip.at, found.photos) if entry is not None]
        new = [self._strip.add(path, path.name) for path in found.photos if self._strip.at(path) is None]
        if new:
            self._try(new, alone=len(found.photos) == 1)
        elif known:
            self.select(known[0].key)
        for entry in new[1:]:
            self._strip.preview(entry)

    def _try(self, entries: list[StripEntry], alone: bool = False) -> None:
        """Show the first of `entries` that can be read. A photo that was opened alone and cannot be read leaves the strip."""
        entry, rest = entries[0], entries[1:]

        def next_one(failed: StripEntry, error: Exception) -> None:
            if alone:
                self._strip.drop(failed)
            if self._wanted is failed:
                self._wanted = None
                left = [other for other in rest if other in self._strip.entries]
                if left:
                    self._try(left)

        self._want(entry, next_one)

    def open_pixels(self, pixels: Pixels, name: str) -> None:
        """Add a pasted picture, H×W×3 uint8 or uint16 sRGB, and make it current."""
        check_pixels(pixels)
        entry = self._strip.add(None, name)
        entry.pixels = pixels.copy()  # the caller may change its own
        entry.pixels.flags.writeable = False
        self._want(entry)

    def select(self, key: int) -> None:
        """Make a photo current: at once if it is in memory, else when it has been read."""
        entry = self._strip.find(key)
        if entry is not None and entry is not self._wanted and (entry is not self._current or self._wanted is not None):
            self._want(entry)

    def _want(self, entry: StripEntry, failed: Callable[[StripEntry, Exception], None] | None = None) -> None:
        if self._wanted is not None and self._wanted is not entry and self._wanted.loading is not None:
            self._wanted.loading.cancel()
        self._wanted = entry
        self._strip.use(entry)
        if entry.cutting is not None and not entry.cutting.cancelled:
            entry.cutting.promote()
        self._activity.preempt()
        if entry.editor is not None:
            self._show(entry)
        elif entry.loading is not None and not entry.loading.cancelled:
            entry.loading.promote()
        else:
            self._strip.load(entry, self._loaded, failed or self._not_loaded, self._not_loaded)

    def _not_loaded(self, entry: StripEntry, error: Exception | None = None) -> None:
        if self._wanted is entry:
            self._wanted = None
        self._plan()

    def _loaded(self, entry: StripEntry) -> None:
        if entry is self._wanted:
            self._show(entry)
        self._plan()

    def _show(self, entry: StripEntry) -> None:
        self.stroke_end()
        self._wanted = None
        if entry is not self._current:
            self._current = entry
            self._strip.use(entry)
            self._emit(PhotoShown())
            self._emit(HistoryChanged())
        self._cutter.shown(entry)
        self._photos_changed()

    def remove(self, key: int) -> None:
        """Take a photo out of the film strip, with its work; its file stays. A neighbour becomes current."""
        entry = self._strip.find(key)
        if entry is None:
            return
        index = self._strip.entries.index(entry)
        self._strip.drop(entry)
        if self._wanted is entry:
            self._wanted = None
        if entry is self._current:
            self._current = None
            self._emit(PhotoShown())
            self._emit(HistoryChanged())
            if self._wanted is None and self._strip.entries:
                self._want(self._strip.entries[min(index, len(self._strip.entries) - 1)])

    def _make_editor(self, entry: StripEntry, work: Work, history: History | None) -> Editor:
        def emit(event: Event) -> None:
            about_pixels = isinstance(event, LabelsChanged | AlphaChanged | ForegroundChanged | HistoryChanged | RecipeChanged)
            if entry is self._current or not about_pixels:
                self._emit(event)

        if entry.recipe is None and history is None:
            work.recipe = self._settings.recipe
        editor = Editor(
            work,
            self._engine,
            self._activity,
            emit,
            self._photos_changed,
            lambda notes: tell(entry, notes, self._emit),
            self._settings.undo_bytes,
            history,
        )
        editor.reach = Reach(self._settings.reach)
        return editor

    def _photos_changed(self) -> None:
        """Post one PhotosChanged for everything that changes before it is delivered."""
        if not self._announcing:
            self._announcing = True
            self._post(self._announce)
        self._plan()

    def _announce(self) -> None:
        self._announcing = False
        self._emit(PhotosChanged())

    # -- ahead of time ------------------------------------------------------------------------------------------

    def _plan(self) -> None:
        """Soon, and once for many calls: free memory where it is short, and cut out ahead where there is time."""
        if not self._planning:
            self._planning = True
            self._post(self._plan_now)

    def _plan_now(self) -> None:
        self._planning = False
        if self._closed:
            return
        self._cutter.listen()
        self._strip.relieve(self._settings.memory_bytes, self._current)
        self._strip.bound_disk(self._settings.undo_disk_bytes)
        current, settings = self._current, self._settings
        if (
            settings.precut
            and current is not None
            and self._wanted is None
            and self._activity.idle
            and self._models.default_id() is not None
        ):
            go_ahead(self._strip, self._cutter, current, settings.memory_bytes, self._load_ahead)

    def _load_ahead(self, entry: StripEntry) -> None:
        self._strip.load(entry, self._loaded, self._not_loaded, self._not_loaded, background=True)

    # -- work ----------------------------------------------------------------------------------------------------

    @property
    def busy(self) -> Busy | None:
        """What the person is waiting for, or None. Background work (previews, cutting ahead) does not count."""
        return self._activity.busy

    def cancel(self) -> None:
        """Stop what `busy` shows. A cancelled re-matting keeps its paint and is taken up again by the next stroke."""
        self._activity.cancel()

    @property
    def engine_status(self) -> EngineStatus:
        """Device, precision, networks and notes of the engine; the first two are "" until a network is loaded."""
        return self._engine.status

    @property
    def timings(self) -> Mapping[str, float]:
        """Stage -> seconds for the current photo; "rematte" is the last stroke's."""
        return {} if self._editor is None else dict(self._editor.work.timings)

    def warm(self) -> None:
        """Load torch, the network and the kernels on the compute lane, so that the first photo waits less.

        Call this once the window is shown. A missing network is not reported here but with the first photo.
        """
        self._activity.submit(
            Lane.COMPUTE,
            self._engine.warm,
            doing="loading the network",
            on_done=lambda _: self._cutter.listen(),
            visible=False,
            quiet=True,
        )

    def cut_again(self) -> None:
        """Ask the network about the current photo once more. Its answer replaces the cut-out and all strokes, as one undo step."""
        if self._current is not None:
            self._cutter.cut_again(self._current)

    def install_model(self, id: str) -> None:
        """Download a network of the catalogue, then cut out the current photo if it waits for one."""
        self._installer.install(id)

    def import_model(self, path: Path, id: str) -> None:
        """Import a network of the catalogue from a file, then cut out the current photo if it waits for one."""
        self._installer.import_file(path, id)

    def import_own_model(self, path: Path, id: str, description: Description) -> None:
        """Import a network that is not in the catalogue from a file, then cut out the current photo if it waits for one."""
        self._installer.import_own(path, id, description)

    def _installed(self) -> None:
        for other in self._strip.entries:
            other.declined = False
        editor = self._editor
        if self._current is not None and editor is not None and (editor.by_hand or not editor.work.has_alpha):
            self._cutter.cut(self._current)
        self._plan()

    # -- gestures and strokes ------------------------------------------------------------------------------------

    def apply(self, gesture: Gesture) -> None:
        """Do a whole gesture on the current photo, as one undo step. See Editor.apply."""
        if self._editor is not None:
            self._editor.apply(gesture)

    def stroke_begin(self, label: Label, radius: float, point: tuple[float, float]) -> None:
        """Press the brush at `point`, (x, y) in pixels of the photo like `radius`. Without a photo nothing happens."""
        if self._editor is not None:
            self._editor.stroke_begin(label, radius, point)

    def stroke_extend(self, point: tuple[float, float]) -> None:
        """Drag the brush on to `point`; one LabelsChanged follows for the stretch."""
        if self._editor is not None:
            self._editor.stroke_extend(point)

    def stroke_end(self) -> None:
        """Release the brush: the stroke becomes one undo step, and alpha is worked out around it."""
        if self._editor is not None:
            self._editor.stroke_end()

    def stroke_cancel(self) -> None:
        """Take back the stroke under way, as if it had not begun."""
        if self._editor is not None:
            self._editor.stroke_cancel()

    @property
    def painting(self) -> bool:
        """Whether a stroke is under way."""
        return self._editor is not None and self._editor.painting

    @property
    def pending_rects(self) -> tuple[Rect, ...]:
        """Where the current photo's alpha has not caught up with its labels; paint is shown there."""
        return () if self._editor is None else self._editor.pending_rects

    @property
    def can_undo(self) -> bool:
        return self._editor is not None and bool(self._editor.history.done)

    @property
    def can_redo(self) -> bool:
        return self._editor is not None and bool(self._editor.history.undone)

    def undo(self) -> None:
        """Take back the last step, whatever it was. Nothing happens during a stroke, or without a step."""
        if self._editor is not None:
            self._editor.undo()

    def redo(self) -> None:
        """Bring back what `undo` took back last."""
        if self._editor is not None:
            self._editor.redo()

    @property
    def undo_name(self) -> str | None:
        """What `undo` would take back, in lower case: "paint foreground"; None if there is nothing."""
        return None if self._editor is None else self._editor.history.undo_name

    @property
    def redo_name(self) -> str | None:
        """What `redo` would bring back."""
        return None if self._editor is None else self._editor.history.redo_name

    # -- recipes -------------------------------------------------------------------------------------------------

    @property
    def recipe(self) -> Recipe:
        """The current photo's choices; those of new photos while there is no photo."""
        return self._settings.recipe if self._editor is None else self._editor.work.recipe

    def change_recipe(self, recipe: Recipe, name: str, drag: object = None) -> None:
        """Use other choices for the current photo, as one undo step called `name`. See Editor.change_recipe."""
        if self._editor is not None:
            self._editor.change_recipe(recipe, name, drag)

    def apply_to_all(self) -> None:
        """Give every open photo the current one's recipe, each as an undo step of its own."""
        self._strip.change_recipes(self.recipe, "apply a recipe to all photos")

    # -- export --------------------------------------------------------------------------------------------------

    def export(self, path: Path, recipe: ExportRecipe, *, replace: bool = False) -> None:
        """Write the current cut-out as it is now, in the background.

        Exported and a Message follow, or a Message that says why nothing was written. Without `replace` a file at `path` is
        kept, even if it appears meanwhile, and NameTaken follows.
        """
        self.stroke_end()
        if self._current is not None:
            sources = [entry.path for entry in self._strip.entries if entry.path is not None]
            self._exporter.export(self._current, path, recipe, sources, replace=replace)

    def cutout(self, then: Callable[[Cutout, LoadedImage | None, End], None]) -> None:
        """Finish the current cut-out as it is now, for somebody else to write. See Exporter.cutout."""
        self.stroke_end()
        if self._current is not None:
            self._exporter.cutout(self._current, then)

    def suggested_name(self, recipe: ExportRecipe) -> Path:
        """A free name for the current photo's export. See exporter.suggested_name."""
        return suggested_name(self._current, recipe, self._settings.export_folder)

    def close(self) -> None:
        """Cancel everything, stop the lanes, and close the engine. No event comes afterwards.

        A lane that is inside a library's code may not stop in time: then the engine stays open until the process ends.
        """
        if not self._closed:
            self._closed = True
            if self._jobs.close():
                self._engine.close()
