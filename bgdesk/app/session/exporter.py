"""Exports in the background: what is computed on the compute lane, what is written on the IO lane."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from bgdesk.app.editing.document import Snapshot
from bgdesk.app.editing.render_export import needs_engine, prepare
from bgdesk.app.session.strip import Entry
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


class Exporter:
    """`export.prepare`, then `files.save`, each on its own lane: a slow disk must not hold up a stroke's re-matting."""

    def __init__(self, engine: EngineProtocol, files: FilesLike, activity: Activity, emit: Callable[[Event], None]) -> None:
        self._engine = engine
        self._files = files
        self._activity = activity
        self._emit = emit

    def export(self, entry: Entry, path: Path, recipe: ExportRecipe, protect: Sequence[Path], *, replace: bool) -> None:
        """Freeze the entry's document now, and write that, whatever is painted meanwhile. protect: never written to.

        Without `replace` no other file is written to either: NameTaken says so.
        """
        if entry.editor is None or not entry.editor.document.has_alpha:
            text = f"{entry.name} is not cut out yet. Wait for the network, or paint the subject by hand."
            self._emit(Message(Severity.WARNING, text))
            return
        document = entry.editor.document
        snapshot = document.freeze(entry.editor.reach, entry.editor.history.standing)
        metadata = entry.loaded

        def release(_: object = None) -> None:
            document.release(snapshot)

        def stopped(by_person: bool) -> None:
            release()
            if by_person:
                self._emit(Message(Severity.INFO, f"Cancelled. {path.name} was not written."))

        def written(target: Path | None) -> None:
            release()
            if target is None:
                self._emit(NameTaken(path, recipe, entry.key))
                return
            self._emit(Exported(target))
            self._emit(Message(Severity.INFO, f"{target.name} is saved.", (Offer.SHOW_IN_FOLDER,), target))

        def write(cutout: Cutout) -> None:
            def work(progress: Progress) -> Path | None:
                try:
                    return self._files.save(cutout, path, recipe, metadata, protect, progress, replace)
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
                on_error=release,
                on_cancelled=stopped,
            )

        self._prepare(entry, snapshot, recipe, path.name, write, release, stopped)

    def cutout(self, entry: Entry, then: Callable[[Cutout, LoadedImage | None, Callable[[], None]], None]) -> None:
        """Freeze the entry's document now: then(cutout, its photo, release) when all in it has caught up.

        `release` is to be called once the cutout has been read. Messages say what goes wrong; then `then` is not called.
        """
        if entry.editor is None or not entry.editor.document.has_alpha:
            text = f"{entry.name} is not cut out yet. Wait for the network, or paint the subject by hand."
            self._emit(Message(Severity.WARNING, text))
            return
        document = entry.editor.document
        snapshot = document.freeze(entry.editor.reach, entry.editor.history.standing)
        photo = entry.loaded

        def release(_: object = None) -> None:
            document.release(snapshot)

        self._prepare(entry, snapshot, ExportRecipe(), entry.name, lambda cutout: then(cutout, photo, release), release, release)

    def _prepare(
        self,
        entry: Entry,
        snapshot: Snapshot,
        recipe: ExportRecipe,
        name: str,
        then: Callable[[Cutout], None],
        failed: Callable[[Exception], None],
        stopped: Callable[[bool], None],
    ) -> None:
        """On the compute lane if anything has to be computed; then(cutout) on the owner's thread."""

        def done(cutout: Cutout) -> None:
            for note in cutout.notes:
                self._emit(Message(Severity.WARNING, f"{entry.name}: {note}", about=entry.key))
            then(cutout)

        if needs_engine(snapshot, recipe):
            self._activity.submit(
                Lane.COMPUTE,
                partial(prepare, snapshot, recipe, self._engine),
                doing=f"preparing {name}",
                stage="foreground",
                on_done=done,
                on_error=failed,
                on_cancelled=stopped,
                priority=Priority.NORMAL,  # after the strokes
            )
        else:
            then(prepare(snapshot, recipe, None))
