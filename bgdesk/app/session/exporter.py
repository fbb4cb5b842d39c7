"""Exports in the background: what is computed on the compute lane, what is written on the IO lane."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from bgdesk.app.editing.render_export import free_name, needs_engine, prepare
from bgdesk.app.session.strip import StripEntry, tell
from bgdesk.app.work.activity import Activity
from bgdesk.app.work.events import Event, Exported, Message, NameTaken, Offer, Severity
from bgdesk.app.work.jobs import Lane, Priority
from bgdesk.app.work.ports import FilesLike
from bgdesk.core.cutout import Cutout
from bgdesk.core.engine import EngineProtocol
from bgdesk.core.errors import Cause, SaveError
from bgdesk.core.recipe import ExportRecipe
from bgdesk.core.tasks import Progress

if TYPE_CHECKING:
    from bgdesk.files.load import LoadedImage

#: Called once, when nobody reads the cut-out any more, with whether it was written.
End: TypeAlias = Callable[[bool], None]


class Exporter:
    """Runs `render_export.prepare` on the compute lane, then the writing on the IO lane: a slow disk must not delay a stroke.

    Parameters
    ----------
    engine
        Works out what a work still owes.
    files
        Writes.
    activity
        Takes the jobs.
    emit
        Takes Exported, NameTaken and messages.
    changed
        Called when it may have changed which photos are saved.
    """

    def __init__(
        self,
        engine: EngineProtocol,
        files: FilesLike,
        activity: Activity,
        emit: Callable[[Event], None],
        changed: Callable[[], None],
    ) -> None:
        self._engine = engine
        self._files = files
        self._activity = activity
        self._emit = emit
        self._changed = changed

    def export(self, entry: StripEntry, path: Path, recipe: ExportRecipe, protect: Sequence[Path], *, replace: bool) -> None:
        """Write the entry's work as it is now, whatever is painted meanwhile.

        Parameters
        ----------
        path
            The file, in a folder that exists.
        recipe
            How the cut-out is written.
        protect
            Files that are never overwritten.
        replace
            Whether a file at `path` is overwritten; if not, NameTaken is emitted.
        """

        def then(cutout: Cutout, photo: LoadedImage | None, end: End) -> None:
            def stopped(by_person: bool) -> None:
                end(False)
                if by_person:
                    self._emit(Message(Severity.INFO, f"Cancelled. {path.name} was not written."))

            def written(target: Path | None) -> None:
                end(target is not None)
                if target is None:
                    self._emit(NameTaken(path, recipe, entry.key))
                    return
                self._emit(Exported(target))
                self._emit(Message(Severity.INFO, f"{target.name} is saved.", offers=(Offer.SHOW_IN_FOLDER,), path=target))

            def work(progress: Progress) -> Path | None:
                try:
                    return self._files.save(cutout, path, recipe, photo, protect, progress, replace)
                except SaveError as error:
                    if error.cause is Cause.EXISTS:
                        return None
                    raise

            self._activity.submit(
                Lane.IO,
                work,
                doing=f"saving {path.name}",
                stage="save",
                on_done=written,
                on_error=lambda _: end(False),
                on_cancelled=stopped,
            )

        self._prepare(entry, recipe, path.name, then)

    def cutout(self, entry: StripEntry, then: Callable[[Cutout, LoadedImage | None, End], None]) -> None:
        """Finish the entry's work as it is now, for somebody else to write.

        Parameters
        ----------
        then
            Called as then(cutout, photo, end) when everything has been worked out; the photo is None for a pasted picture.
            It must have `end` called on the owner's thread when the cut-out has been read, with whether it was written. It is
            not called when something goes wrong: a Message says what.
        """
        self._prepare(entry, ExportRecipe(), entry.name, then)

    def _prepare(self, entry: StripEntry, recipe: ExportRecipe, name: str, then: Callable[[Cutout, LoadedImage | None, End], None]) -> None:
        """On the compute lane if anything has to be computed; then(cutout, photo, end) on the owner's thread."""
        if entry.editor is None or not entry.editor.work.has_alpha:
            text = f"{entry.name} is not cut out yet. Wait for the network, or paint the subject by hand."
            self._emit(Message(Severity.WARNING, text))
            return
        work, snapshot, photo = entry.editor.work, entry.editor.freeze(), entry.loaded
        entry.exporting += 1

        def end(written: bool) -> None:
            work.release(snapshot)
            entry.exporting -= 1
            if written:
                entry.exported = snapshot.edit_id
            self._changed()

        def prepared(cutout: Cutout) -> None:
            tell(entry, cutout.notes, self._emit)
            then(cutout, photo, end)

        def stopped(by_person: bool) -> None:
            end(False)
            if by_person:
                self._emit(Message(Severity.INFO, f"Cancelled. {name} was not written."))

        if not needs_engine(snapshot, recipe) and snapshot.recipe.edge.neutral:
            then(prepare(snapshot, recipe, None), photo, end)
            return
        self._activity.submit(
            Lane.COMPUTE,
            partial(prepare, snapshot, recipe, self._engine),
            doing=f"preparing {name}",
            stage="foreground",
            on_done=prepared,
            on_error=lambda _: end(False),
            on_cancelled=stopped,
            priority=Priority.NORMAL,  # after the strokes
        )


def suggested_name(entry: StripEntry | None, recipe: ExportRecipe, last_folder: str) -> Path:
    """A free name for a photo's export: photo_cutout.png, photo_cutout-2.png, … ; never the source itself.

    Beside the source; for a pasted picture in `last_folder`, or the person's own folder where that is empty or gone.
    """
    if entry is not None and entry.path is not None:
        return free_name(entry.path.parent, entry.path.name, recipe)
    last = Path(last_folder) if last_folder else Path.home()
    return free_name(last if last.is_dir() else Path.home(), "photo" if entry is None else entry.name, recipe)
