"""From a snapshot of a photo's work to a finished cut-out, and a name for its file. `one_photo.write` writes."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from bgdesk.app import one_photo
from bgdesk.app.editing.requests import ForegroundRequest, RematteRequest, join
from bgdesk.app.editing.work import Snapshot
from bgdesk.core.cutout import Cutout
from bgdesk.core.engine import EngineProtocol
from bgdesk.core.formats import Format
from bgdesk.core.recipe import ExportRecipe
from bgdesk.core.tasks import Progress, silent
from bgdesk.files import names


def needs_engine(snapshot: Snapshot, recipe: ExportRecipe) -> bool:
    """Return whether `prepare` needs the engine for this snapshot."""
    colours = not recipe.alpha_only and (snapshot.foreground is None or bool(snapshot.stale))
    return bool(snapshot.debt) or colours


def prepare(snapshot: Snapshot, recipe: ExportRecipe, engine: EngineProtocol | None, progress: Progress = silent) -> Cutout:
    """Work out what a snapshot still owes (alpha, then colours), and finish the edge.

    Parameters
    ----------
    snapshot
        Of a work that has a cut-out; nothing is written into it.
    recipe
        How the cut-out is going to be written: the opacity alone needs no colours.
    engine
        May be None if `needs_engine` returns False.
    progress
        Hears the stages, and may raise Cancelled.

    Returns
    -------
    Cutout
        Finished, with the notes of what was computed here.

    Raises
    ------
    MattingError, ModelError, DeviceError, Cancelled
    """
    source, labels, solved = snapshot.source, snapshot.labels, snapshot.solved
    foreground, stale, matte = snapshot.foreground, snapshot.stale, snapshot.recipe.matte
    notes: tuple[str, ...] = ()
    if engine is None:
        if needs_engine(snapshot, recipe):
            raise ValueError("this snapshot cannot be exported without an engine")
    else:
        if snapshot.debt:
            labels, solved = labels.copy(), solved.copy()
        for roi in snapshot.debt:
            request = RematteRequest.of(
                source, labels, solved, roi, engine.MARGIN, reach=snapshot.reach, gestures=snapshot.gestures, asked=snapshot.asked
            )
            patch = request.compute(engine, progress)
            labels[patch.rect.slices], solved[patch.rect.slices] = patch.labels, patch.alpha
            stale = join(stale, patch.rect)
            notes += patch.notes
        if not recipe.alpha_only:
            if foreground is None or (stale and matte.spill is not None):
                coloured = engine.foreground(source, solved, progress, matte)
                foreground, notes = coloured.foreground, notes + coloured.notes
            elif stale:
                foreground = foreground.copy()
                for rect in stale:
                    coloured = ForegroundRequest.of(source, solved, rect, matte).compute(engine, progress)
                    foreground[rect.slices] = coloured.foreground
    colours = source if foreground is None else foreground
    cutout = Cutout(source=source, alpha=solved, foreground=colours, trimap=labels, recipe=matte, notes=tuple(dict.fromkeys(notes)))
    return one_photo.finish(cutout, snapshot.recipe.edge, progress)


def free_name(folder: Path, photo: str, recipe: ExportRecipe, taken: Callable[[Path], bool] = os.path.lexists) -> Path:
    """Return NAME_cutout.png in `folder` (NAME_alpha.png for the opacity alone), or the first of -2, -3 … that is not taken.

    Parameters
    ----------
    folder
        Where the file is to go.
    photo
        The name of the photo's file, or of a pasted picture.
    recipe
        How the cut-out is going to be written.
    taken
        Tells whether a path cannot be used; by default, whether there is a file.
    """
    what = "alpha" if recipe.alpha_only else "cutout"
    return names.free_name(folder, f"{names.stem(photo)}_{what}", (recipe.format or Format.PNG).suffix, taken)
