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


@dataclass(eq=False)
class Entry:
    """One photo of the strip."""

    key: int
    path: Path | None
    name: str
    error: str | None = None  #: why it could not be read or cut out
    thumbnail: NDArray[np.uint8] | None = None
    editor: Editor | None = None  #: while it is in memory
    loaded: LoadedImage | None = None
    pixels: Pixels | None = None  #: of a pasted picture, which has no file
    parked: Parked | None = None  #: its work while it is not in memory
    recipe: Recipe | None = None  #: to begin with, where it is not that of any new photo
    loading: ActiveJob | None = None
    cutting: ActiveJob | None = None
    parking: ActiveJob | None = None
    previewing: ActiveJob | None = None
    declined: bool = False  #: the person stopped the network for it
    again: bool = False  #: and asked for it once more before it had come to a stop
    skipped: bool = False  #: it was read ahead of time, and there was no room for it
    used: int = 0  #: grows with every time it is shown; the least used leaves memory first
    exported: int = 0  #: Work.edit_id of what was written last
    exporting: int = 0  #: how many files of it are being written

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
        """Its undo steps, wherever they are."""
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
        return self.edit_id not in (0, self.exported)

    @property
    def photo(self) -> Photo:
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
        """Memory it takes that could be given back."""
        return (self.editor.nbytes if self.editor else 0) + (self.parked.nbytes if self.parked else 0)

    def jobs(self) -> list[ActiveJob]:
        return [job for job in (self.loading, self.cutting, self.parking, self.previewing) if job is not None]


def tell(entry: Entry, notes: Iterable[str], emit: Callable[[Event], None]) -> None:
    """Say what an engine's answer noted about this photo."""
    for note in notes:
        emit(Message(Severity.WARNING, f"{entry.name}: {note}", about=entry.key))


@dataclass(frozen=True, eq=False)
class _Read:
    image: LoadedImage | None
    work: Work
    thumbnail: NDArray[np.uint8]


class Strip:
    """Entries in order, and the work of bringing them into memory and out of it.

    make_editor: the editor of an entry's work, with the steps that led to it. changed: something that `Photo` shows is
    different. spill_folder: for undo steps on disk.
    """

    def __init__(
        self,
        files: FilesLike,
        activity: Activity,
        make_editor: Callable[[Entry, Work, History | None], Editor],
        changed: Callable[[], None],
        spill_folder: Path,
    ) -> None:
        self.entries: list[Entry] = []
        self._files = files
        self._activity = activity
        self._make_editor = make_editor
        self._changed = changed
        self._spill_folder = spill_folder
        self._keys = itertools.count(1)
        self._uses = itertools.count(1)

    def find(self, key: int) -> Entry | None:
        return next((entry for entry in self.entries if entry.key == key), None)

    def add(self, path: Path | None, name: str) -> Entry:
        """A new entry at the end."""
        entry = Entry(next(self._keys), path, name)
        self.entries.append(entry)
        self._changed()
        return entry

    def at(self, path: Path) -> Entry | None:
        """The entry of a file that is open already."""
        return next((entry for entry in self.entries if entry.path == path), None)

    def use(self, entry: Entry) -> None:
        """It is shown: it leaves memory last."""
        entry.used = next(self._uses)
        entry.skipped = False
        if entry.parking is not None:
            entry.parking.cancel()
            entry.parking = None

    def drop(self, entry: Entry) -> None:
        """Out of the strip, with everything that runs for it."""
        for job in entry.jobs():
            job.cancel()
        if entry.editor is not None:
            entry.editor.close()
        entry.editor = entry.loaded = entry.pixels = entry.parked = None  # whoever still holds the entry holds no pixels
        self.entries.remove(entry)
        self._changed()

    # -- paths ---------------------------------------------------------------------------------------------------

    def expand(self, paths: Sequence[Path], done: Callable[[Found], None]) -> None:
        """done(Found) with the files among `paths` and in the folders among them.

        On the IO lane: a folder may lie on a slow network.
        """

        def work(progress: Progress) -> Found:
            return find((path.absolute() for path in paths), lambda: progress("load", 0.0))

        names = ", ".join(path.name or str(path) for path in paths[:3])
        self._activity.submit(Lane.IO, work, doing=f"opening {names}", stage="load", on_done=done, visible=False)

    # -- into memory ---------------------------------------------------------------------------------------------

    def load(
        self,
        entry: Entry,
        done: Callable[[Entry], None],
        failed: Callable[[Entry, Exception], None],
        cancelled: Callable[[Entry], None],
        background: bool = False,
    ) -> None:
        """Read the entry's file, or take the pasted pixels; `done` when it has an editor. What was parked is put back."""
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

    def _place(self, entry: Entry, read: _Read) -> None:
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

    def preview(self, entry: Entry) -> None:
        """Make the thumbnail of a photo that waits."""
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
            quiet=True,  # the strip says it; the message bar is for what the person asked for
        )

    # -- out of memory -------------------------------------------------------------------------------------------

    @property
    def nbytes(self) -> int:
        """Memory that the open photos take."""
        return sum(entry.nbytes for entry in self.entries)

    def relieve(self, limit: int, keep: Entry | None) -> None:
        """Bring `nbytes` under `limit` if it can be done without losing anything that was painted, `keep` excepted.

        What was used least goes first: photos are parked, one at a time in the background; then parked cut-outs that
        nobody painted on are dropped, for the network to make again. `changed` tells when it is worth calling again.
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

    def _park(self, entry: Entry, editor: Editor) -> None:
        if not editor.work.has_alpha:  # read, but never cut out: only its recipe is worth keeping
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
            if entry.parking is parking:  # not another one, begun before this one had come to a stop
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

    def _let_go(self, entry: Entry, editor: Editor) -> None:
        editor.close()
        entry.editor = entry.loaded = None
        self._changed()

    def bound_disk(self, limit: int) -> None:
        """Bring the undo steps on disk under `limit` bytes: those of the photo used least go first, the oldest of them first."""
        spilled = {entry.key: entry.history.spilled for entry in self.entries if entry.history is not None}
        total = sum(spilled.values())
        for entry in sorted(self.entries, key=lambda entry: entry.used):
            if total <= limit:
                return
            if entry.history is not None and spilled[entry.key]:
                entry.history.trim_to_disk(max(0, spilled[entry.key] - (total - limit)))
                total += entry.history.spilled - spilled[entry.key]
