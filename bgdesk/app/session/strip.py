"""The film strip: which photos are open, which of them are in memory, and how they come and go."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bgdesk.app.editing.editor import Editor
from bgdesk.app.editing.history import History
from bgdesk.app.editing.parking import Parked, shrink
from bgdesk.app.editing.work import Work
from bgdesk.app.session.photos import THUMBNAIL, Photo, PhotoState
from bgdesk.app.work.activity import ActiveJob, Activity
from bgdesk.app.work.events import Event, Message, Severity
from bgdesk.app.work.jobs import Lane, Priority
from bgdesk.app.work.ports import FilesLike
from bgdesk.core.arrays import Pixels
from bgdesk.core.errors import LoadError
from bgdesk.core.recipe import Recipe
from bgdesk.core.tasks import Progress
from bgdesk.files.find import Found, find

if TYPE_CHECKING:
    from bgdesk.files.load import LoadedImage


@dataclass(eq=False, kw_only=True)
class StripEntry:
    """One photo of the strip."""

    key: int  #: names the entry as long as the session lives
    path: Path | None  #: the photo's file; None for a pasted picture
    name: str  #: of the file, or of the pasted picture
    error: str | None = None  #: why the photo could not be read or cut out
    thumbnail: NDArray[np.uint8] | None = None  #: h×w×3, at most THUMBNAIL pixels on its longer side; None until there is one
    editor: Editor | None = None  #: while the photo is in memory
    loaded: LoadedImage | None = None  #: what was read of the file, while the photo is in memory
    pixels: Pixels | None = None  #: of a pasted picture
    parked: Parked | None = None  #: the work, while the photo is not in memory
    recipe: Recipe | None = None  #: what the work is to begin with; None: the recipe of every new photo
    loading: ActiveJob | None = None  #: reads the file
    cutting: ActiveJob | None = None  #: asks the network
    parking: ActiveJob | None = None  #: packs the work
    previewing: ActiveJob | None = None  #: makes the thumbnail
    declined: bool = False  #: the network failed, or the person stopped it: it is not asked again by itself
    again: bool = False  #: the person asked for the network once more before the cancelled job had ended
    skipped: bool = False  #: the photo was read ahead of time, and there was no room for it
    used: int = 0  #: grows each time the photo is shown; the photo with the lowest number leaves memory first
    exported: int = 0  #: Work.edit_id of what was written last
    exporting: int = 0  #: how many files of the photo are being written

    @property
    def state(self) -> PhotoState:
        if self.loading is not None:
            return PhotoState.LOADING
        if self.cutting is not None:
            return PhotoState.MATTING
        if self.error is not None:
            return PhotoState.FAILED
        in_memory = self.editor is not None and (self.editor.work.has_alpha or self.declined)
        return PhotoState.READY if in_memory or self.parked is not None else PhotoState.WAITING

    @property
    def history(self) -> History | None:
        """The photo's undo steps, in memory or parked."""
        if self.editor is not None:
            return self.editor.history
        return None if self.parked is None else self.parked.history

    @property
    def edit_id(self) -> int:
        """See Work."""
        if self.editor is not None:
            return self.editor.work.edit_id
        return 0 if self.parked is None else self.parked.work.edit_id

    @property
    def unsaved(self) -> bool:
        """Whether a person changed something that was not written to a file."""
        return self.edit_id not in (0, self.exported)

    @property
    def photo(self) -> Photo:
        """The entry as the window sees it."""
        return Photo(
            key=self.key,
            path=self.path,
            name=self.name,
            state=self.state,
            edited=self.edit_id != 0,
            unsaved=self.unsaved,
            thumbnail=self.thumbnail,
            error=self.error,
        )

    @property
    def nbytes(self) -> int:
        """Memory that the photo's work takes, in bytes."""
        return (self.editor.nbytes if self.editor else 0) + (self.parked.nbytes if self.parked else 0)

    def jobs(self) -> list[ActiveJob]:
        """Return what runs or waits on a lane for this photo."""
        return [job for job in (self.loading, self.cutting, self.parking, self.previewing) if job is not None]


def tell(entry: StripEntry, notes: Iterable[str], emit: Callable[[Event], None]) -> None:
    """Emit the notes of an engine's answer as messages about this photo."""
    for note in notes:
        emit(Message(Severity.WARNING, f"{entry.name}: {note}", about=entry.key))


@dataclass(frozen=True, eq=False)
class _Read:
    """What was read of a photo."""

    image: LoadedImage | None  #: None for a pasted picture
    work: Work  #: with what was parked
    thumbnail: NDArray[np.uint8]  #: h×w×3


class Strip:
    """The entries in order, and how photos come into memory and leave it.

    Parameters
    ----------
    files
        Reads photos.
    activity
        Takes the jobs.
    make_editor
        Makes the editor of an entry's work; its third argument is the history that led to the work, or None.
    changed
        Called when something that `Photo` shows may have changed.
    spill_folder
        Where undo steps of parked photos are written.
    """

    def __init__(
        self,
        files: FilesLike,
        activity: Activity,
        make_editor: Callable[[StripEntry, Work, History | None], Editor],
        changed: Callable[[], None],
        spill_folder: Path,
    ) -> None:
        self.entries: list[StripEntry] = []
        self._files = files
        self._activity = activity
        self._make_editor = make_editor
        self._changed = changed
        self._spill_folder = spill_folder
        self._keys = itertools.count(1)
        self._uses = itertools.count(1)

    def find(self, key: int) -> StripEntry | None:
        """Return the entry of this key; None if it has left the strip."""
        return next((entry for entry in self.entries if entry.key == key), None)

    def add(self, path: Path | None, name: str) -> StripEntry:
        """Append a photo; return its entry."""
        entry = StripEntry(key=next(self._keys), path=path, name=name)
        self.entries.append(entry)
        self._changed()
        return entry

    def at(self, path: Path) -> StripEntry | None:
        """Return the entry of a file; None if the file is not open."""
        return next((entry for entry in self.entries if entry.path == path), None)

    def use(self, entry: StripEntry) -> None:
        """Note that the photo is shown: it is the last to leave memory, and is not parked now."""
        entry.used = next(self._uses)
        entry.skipped = False
        if entry.parking is not None:
            entry.parking.cancel()
            entry.parking = None

    def drop(self, entry: StripEntry) -> None:
        """Take an entry out of the strip, and cancel everything that runs for it."""
        for job in entry.jobs():
            job.cancel()
        if entry.editor is not None:
            entry.editor.close()
        entry.editor = entry.loaded = entry.pixels = entry.parked = None  # whoever still has the entry keeps no pixels alive
        self.entries.remove(entry)
        self._changed()

    # -- paths ---------------------------------------------------------------------------------------------------

    def expand(self, paths: Sequence[Path], done: Callable[[Found], None]) -> None:
        """Look for photos among `paths` and in the folders among them, on the IO lane; then call done(Found)."""

        def work(progress: Progress) -> Found:
            return find((path.absolute() for path in paths), lambda: progress("load", 0.0))

        names = ", ".join(path.name or str(path) for path in paths[:3])
        self._activity.submit(Lane.IO, work, doing=f"opening {names}", stage="load", on_done=done, visible=False)

    # -- into memory ---------------------------------------------------------------------------------------------

    def load(
        self,
        entry: StripEntry,
        done: Callable[[StripEntry], None],
        failed: Callable[[StripEntry, Exception], None],
        cancelled: Callable[[StripEntry], None],
        background: bool = False,
    ) -> None:
        """Read the entry's file, or take its pasted pixels, and make an editor of them. What was parked is put back.

        Parameters
        ----------
        done
            Called when the entry has its editor.
        failed
            Called with the error when the photo could not be read.
        cancelled
            Called when the reading was cancelled and nobody has asked for it again.
        background
            Nobody waits for the photo yet.
        """
        path, pasted, parked = entry.path, entry.pixels, entry.parked
        recipe = entry.recipe

        def work(progress: Progress) -> _Read:
            progress("load", 0.0)
            image = None if path is None else self._files.load(path)
            progress("load", 0.9)
            pixels = pasted if image is None else image.pixels
            if pixels is None:
                raise ValueError(f"{entry.name} has neither a file nor pixels")
            fits = parked is not None and pixels.shape[:2] == (parked.size.height, parked.size.width)
            if parked is not None and parked.edited and not fits:
                raise LoadError(
                    f"{entry.name} has another size than before, so its strokes cannot be put back. "
                    "Put the old file back, or remove the photo from the strip and open it again."
                )
            found = Work.awaiting(pixels, path, recipe)
            if parked is not None and fits:
                parked.put_back(found, *parked.unpack())
            return _Read(image, found, shrink(pixels, THUMBNAIL))

        def arrived(read: _Read) -> None:
            entry.loading = None
            entry.error = None
            self._place(entry, read)
            done(entry)

        def broken(error: Exception) -> None:
            entry.loading, entry.error = None, str(error)
            self._changed()
            failed(entry, error)

        def stopped(_: bool) -> None:
            if entry.loading is not loading:  # it was asked for again before this reading had come to a stop
                return
            entry.loading = None
            self._changed()
            cancelled(entry)

        loading = entry.loading = self._activity.submit(
            Lane.IO,
            work,
            doing=f"reading {entry.name}",
            stage="load",
            on_done=arrived,
            on_error=broken,
            on_cancelled=stopped,
            priority=Priority.BACKGROUND if background else Priority.INTERACTIVE,
            visible=not background,
            quiet=True,
        )
        self._changed()

    def _place(self, entry: StripEntry, read: _Read) -> None:
        entry.loaded, entry.thumbnail = read.image, read.thumbnail
        parked, entry.parked = entry.parked, None
        if parked is None or not read.work.has_alpha:
            entry.editor = self._make_editor(entry, read.work, None)
        else:
            read.work.recipe = parked.work.recipe  # it may have been changed while the photo was read
            read.work.edit_id = parked.work.edit_id
            entry.editor = self._make_editor(entry, read.work, parked.history)
            entry.editor.by_hand = parked.by_hand
            entry.editor.resume()
        self._changed()

    def preview(self, entry: StripEntry) -> None:
        """Make the thumbnail of a photo that is not loaded yet, on the IO lane."""
        path = entry.path
        if path is None or entry.thumbnail is not None or entry.loading is not None:
            return

        def done(thumbnail: NDArray[np.uint8]) -> None:
            entry.previewing = None
            if entry.thumbnail is None:
                entry.thumbnail = thumbnail
            self._changed()

        def failed(error: Exception) -> None:
            entry.previewing = None
            if entry.state is PhotoState.WAITING:
                entry.error = str(error)
            self._changed()

        def stopped(_: bool) -> None:
            entry.previewing = None

        entry.previewing = self._activity.submit(
            Lane.IO,
            lambda progress: self._files.preview(path, THUMBNAIL),
            doing=f"reading {entry.name}",
            on_done=done,
            on_error=failed,
            on_cancelled=stopped,
            priority=Priority.BACKGROUND,
            visible=False,
            quiet=True,  # the strip shows the error; the message bar is for what the person asked for
        )

    def change_recipes(self, recipe: Recipe, name: str) -> None:
        """Give every photo this recipe, each as an undo step called `name` where there is anything to undo yet."""
        for entry in self.entries:
            if entry.editor is not None:
                entry.editor.change_recipe(recipe, name)
            elif entry.parked is not None:
                if entry.parked.work.recipe != recipe:
                    entry.parked.history.change_recipe(recipe, name)
            else:
                entry.recipe = recipe
        self._changed()

    # -- out of memory -------------------------------------------------------------------------------------------

    @property
    def nbytes(self) -> int:
        """Memory that the open photos take."""
        return sum(entry.nbytes for entry in self.entries)

    def relieve(self, limit: int, keep: StripEntry | None) -> None:
        """Bring `nbytes` under `limit` as far as that is possible without losing anything that a person did.

        The photos that were shown longest ago go first. They are parked, one at a time in the background; when all are parked,
        cut-outs that nobody has edited are dropped, and the network makes them again when they are wanted. Call this again
        after each `changed`. `keep` stays in memory.
        """
        if self.nbytes <= limit or any(entry.parking is not None for entry in self.entries):
            return
        others = sorted((entry for entry in self.entries if entry is not keep), key=lambda entry: entry.used)
        for entry in others:
            if entry.editor is not None and entry.editor.idle and entry.loading is None and entry.cutting is None:
                self._park(entry, entry.editor)
                return
        for entry in others:
            if entry.parked is not None and not entry.parked.edited:
                entry.parked = None
                self._changed()
                if self.nbytes <= limit:
                    return

    def _park(self, entry: StripEntry, editor: Editor) -> None:
        if not editor.work.has_alpha:  # read, but never cut out: only the recipe is worth keeping
            entry.recipe, entry.skipped = editor.work.recipe, True
            self._let_go(entry, editor)
            return
        parked = Parked.of(editor)

        def done(_: None) -> None:
            entry.parking = None
            entry.parked = parked
            self._let_go(entry, editor)
            parked.detach()

        def ended(_: object) -> None:
            if entry.parking is parking:  # else a newer job has begun before this one had ended
                entry.parking = None

        parking = entry.parking = self._activity.submit(
            Lane.IO,
            partial(parked.pack, self._spill_folder),
            doing=f"making room for other photos beside {entry.name}",
            on_done=done,
            on_error=ended,
            on_cancelled=ended,
            priority=Priority.NORMAL,
            visible=False,
        )

    def _let_go(self, entry: StripEntry, editor: Editor) -> None:
        editor.close()
        entry.editor = entry.loaded = None
        self._changed()

    def bound_disk(self, limit: int) -> None:
        """Drop undo steps on disk until they take at most `limit` bytes: those of the photo shown longest ago first, oldest first."""
        spilled = {entry.key: entry.history.spilled for entry in self.entries if entry.history is not None}
        total = sum(spilled.values())
        for entry in sorted(self.entries, key=lambda entry: entry.used):
            if total <= limit:
                return
            if entry.history is not None and spilled[entry.key]:
                entry.history.trim_to_disk(max(0, spilled[entry.key] - (total - limit)))
                total += entry.history.spilled - spilled[entry.key]
