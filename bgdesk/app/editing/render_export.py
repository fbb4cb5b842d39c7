"""From a document's snapshot to a finished cutout, and a name for its file; writing is files.save's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from bgdesk.app.editing.document import Snapshot
from bgdesk.app.editing.requests import AlphaRequest, ColourRequest, join
from bgdesk.core.cutout import Cutout
from bgdesk.core.engine import EngineProtocol
from bgdesk.core.formats import Format
from bgdesk.core.recipe import ExportRecipe
from bgdesk.core.tasks import Progress, silent


def needs_engine(snapshot: Snapshot, recipe: ExportRecipe) -> bool:
    """Whether `prepare` has to compute anything."""
    colours = not recipe.alpha_only and (snapshot.foreground is None or bool(snapshot.stale))
    return bool(snapshot.debt) or colours


def prepare(snapshot: Snapshot, recipe: ExportRecipe, engine: EngineProtocol | None, progress: Progress = silent) -> Cutout:
    """What the snapshot amounts to once everything in it has caught up: owed alpha first, then stale colours.

    engine may be None if `needs_engine` says so. The snapshot stays as it is. The cutout's
    notes are what the engine said about this photo meanwhile. Raises Cancelled and BgdeskError.
    """
    source, trimap, alpha = snapshot.source, snapshot.trimap, snapshot.alpha
    foreground, stale, look = snapshot.foreground, snapshot.stale, snapshot.recipe
    notes: tuple[str, ...] = ()
    if engine is None:
        if needs_engine(snapshot, recipe):
            raise ValueError("this snapshot cannot be exported without an engine")
    else:
        if snapshot.debt:
            alpha, trimap = alpha.copy(), trimap.copy()
        for roi in snapshot.debt:
            request = AlphaRequest.of(
                source, trimap, alpha, roi, engine.MARGIN, reach=snapshot.reach, strokes=snapshot.strokes, asked=snapshot.asked
            )
            patch = request.compute(engine, progress)
            alpha[patch.rect.slices], trimap[patch.rect.slices] = patch.alpha, patch.trimap
            notes += patch.notes
            stale = join(stale, patch.rect)
        if not recipe.alpha_only:
            if foreground is None or (stale and look.spill is not None):
                coloured = engine.foreground(source, alpha, progress, look)
                foreground = coloured.foreground
                notes += coloured.notes
            elif stale:
                foreground = foreground.copy()
                for rect in stale:
                    coloured = ColourRequest.of(source, alpha, rect, look).compute(engine, progress)
                    foreground[rect.slices] = coloured.foreground
                    notes += coloured.notes
    return Cutout(source, alpha, source if foreground is None else foreground, trimap, notes=tuple(dict.fromkeys(notes)))


def free_name(folder: Path, stem: str, recipe: ExportRecipe, taken: Callable[[Path], bool] = Path.exists) -> Path:
    """stem_cutout.png in `folder` (stem_alpha.png for the opacity alone), or the first of -2, -3, … that is not there yet."""
    what = "alpha" if recipe.alpha_only else "cutout"
    suffix = (recipe.format or Format.PNG).suffix
    candidate = folder / f"{stem}_{what}{suffix}"
    number = 2
    while taken(candidate):
        candidate = folder / f"{stem}_{what}-{number}{suffix}"
        number += 1
    return candidate
