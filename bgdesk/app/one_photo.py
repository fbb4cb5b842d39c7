"""One photo, one way through: load -> cut (by a network, or from labels by hand) -> finish -> write.

`bgdesk cut` and `matte`, the queue's workers, the window's export and the Python interface all go this way. The stages can be
called one by one: a worker reads and writes other photos while it computes one, and the window's cut-out is there already.
Decoders and writers are imported when the first photo needs them.
"""

import dataclasses
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from bgdesk.core.arrays import Pixels, Trimap
from bgdesk.core.cutout import Cutout
from bgdesk.core.engine import EngineProtocol, EngineStatus
from bgdesk.core.errors import BgdeskError
from bgdesk.core.finish import finished
from bgdesk.core.recipe import EdgeRecipe, ExportRecipe, MatteRecipe, Recipe
from bgdesk.core.stages import Stage
from bgdesk.core.tasks import Progress, silent

if TYPE_CHECKING:
    from bgdesk.files.metadata import LoadedImage


@dataclass(frozen=True, kw_only=True)
class Request:
    """A photo, and what is to be made of it."""

    source: Path  #: the photo; never written to
    target: Path  #: the file to write, in a folder that exists
    recipe: Recipe = field(default_factory=Recipe)  #: how it is cut out and finished
    export: ExportRecipe = field(default_factory=ExportRecipe)  #: how it is written
    trimap: Path | None = None  #: a grey picture of labels that alpha is worked out from, without a network's matte
    protect: tuple[Path, ...] = ()  #: other files that are never written to


@dataclass(frozen=True, kw_only=True, eq=False)
class Loaded:
    """What `load` read."""

    photo: "LoadedImage"  #: pixels and metadata
    labels: Trimap | None = None  #: uint8 of the photo's size, values of trimap.Label; None where a network is to find them
    seconds: float = 0.0  #: that reading took


@dataclass(frozen=True, kw_only=True, eq=False)
class Done:
    """A photo that went through all stages."""

    output: Path  #: the file that was written
    cutout: Cutout  #: what it holds, with the notes of every stage
    timings: Mapping[str, float]  #: stage -> seconds, in the order in which the stages ran


def through(request: Request, engine: EngineProtocol, progress: Progress = silent) -> Done:
    """Take one photo through all stages: load, cut, finish, write.

    Parameters
    ----------
    request
        What is to be done.
    engine
        Computes; with `request.trimap` no network that finds subjects has to be installed.
    progress
        Hears the stages, and may raise Cancelled.

    Returns
    -------
    Done
        The file, and the cut-out in it.

    Raises
    ------
    LoadError, MattingError, ModelError, DeviceError, SaveError
        As the stages do. Whatever was at `request.target` before is still there, and nothing is left beside it.
    """
    matte = request.recipe.matte.without_colours if request.export.alpha_only else request.recipe.matte
    loaded = load(request.source, request.trimap, progress)
    cutout = finish(cut(loaded, engine, matte, progress), request.recipe.edge, progress)
    begun = time.perf_counter()
    output = write(cutout, request.target, request.export, loaded.photo, _protected(request), progress)
    timings = {Stage.LOAD: loaded.seconds, **cutout.timings, Stage.SAVE: time.perf_counter() - begun}
    return Done(output=output, cutout=cutout, timings=timings)


def load(source: Path, trimap: Path | None = None, progress: Progress = silent) -> Loaded:
    """Read a photo, and its labels if there are some.

    Parameters
    ----------
    source
        The photo's file.
    trimap
        A grey picture of the photo's size: dark is background, light foreground, the rest unknown.
    progress
        Hears Stage.LOAD, and may raise Cancelled.

    Raises
    ------
    LoadError
        The text names the file that could not be read and says what to do.
    """
    from bgdesk.files.load import load as load_photo
    from bgdesk.files.load import load_trimap

    progress(Stage.LOAD, 0.0)
    begun = time.perf_counter()
    photo = load_photo(source)
    labels = None if trimap is None else load_trimap(trimap, photo.size)
    progress(Stage.LOAD, 1.0)
    return Loaded(photo=photo, labels=labels, seconds=time.perf_counter() - begun)


def cut(loaded: Loaded, engine: EngineProtocol, recipe: MatteRecipe = MatteRecipe(), progress: Progress = silent) -> Cutout:
    """Make alpha and the subject's colours: by a network, or from the labels where there are some.

    Parameters
    ----------
    loaded
        The photo, and its labels or None.
    engine
        Computes.
    recipe
        How alpha and colours are made.
    progress
        Hears the stages, and may raise Cancelled.

    Returns
    -------
    Cutout
        Solved and not finished, with the seconds of its own stages and everything that a person should be told.

    Raises
    ------
    MattingError, ModelError, DeviceError
        As the engine does.
    """
    if loaded.labels is None:
        return engine.auto(loaded.photo.pixels, recipe, progress)
    return _from_labels(loaded.photo.pixels, loaded.labels, engine, recipe, progress)


def finish(cutout: Cutout, edge: EdgeRecipe, progress: Progress = silent) -> Cutout:
    """Finish the edge of a solved cut-out. `cutout` itself is returned where `edge` is neutral."""
    if edge.neutral:
        return cutout
    progress(Stage.FINISH, 0.0)
    begun = time.perf_counter()
    result = finished(cutout, edge)
    progress(Stage.FINISH, 1.0)
    return dataclasses.replace(result, timings={**cutout.timings, Stage.FINISH: time.perf_counter() - begun})


def write(
    cutout: Cutout,
    target: Path,
    export: ExportRecipe | None = None,
    photo: "LoadedImage | None" = None,
    protect: Collection[Path] = (),
    progress: Progress = silent,
    replace: bool = True,
) -> Path:
    """Write a cut-out as it is: nothing is finished here.

    Parameters
    ----------
    cutout
        What the file is to hold.
    target
        The file, in a folder that exists.
    export
        How the cut-out is written; None: as the suffix of `target` says.
    photo
        Where the pixels came from; its EXIF, XMP and resolution travel along, and its file is never overwritten.
    protect
        Other files that are never overwritten.
    progress
        Hears Stage.SAVE, and may raise Cancelled.
    replace
        Whether a file at `target` is replaced; otherwise SaveError is raised with Cause.EXISTS.

    Returns
    -------
    Path
        The file that was written.

    Raises
    ------
    SaveError
        Whatever was at `target` before is still there.
    """
    from bgdesk.files.save import save

    return save(cutout, target, export or ExportRecipe(), metadata=photo, protect=protect, progress=progress, replace=replace)


def failure(source: Path, error: BaseException) -> str:
    """Return what a person is told of a photo that failed: the text of a BgdeskError, or a sentence that names the photo."""
    if isinstance(error, BgdeskError):
        return str(error)
    if isinstance(error, MemoryError):
        return f"{source.name} does not fit into this computer's memory. Close other programs, or make it smaller."
    said = next(iter(str(error).splitlines()), "") or type(error).__name__
    advice = "If memory is short, close other programs or make it smaller; else leave this photo out."
    return f"{source.name} could not be cut out, something unforeseen went wrong: {said.rstrip('.')}. {advice}"


def _protected(request: Request) -> tuple[Path, ...]:
    return (request.source, *request.protect, *([] if request.trimap is None else [request.trimap]))


def _from_labels(pixels: Pixels, labels: Trimap, engine: EngineProtocol, recipe: MatteRecipe, progress: Progress) -> Cutout:
    begun = time.perf_counter()
    refined = engine.matte(pixels, labels, progress=progress)
    timings = {str(Stage.ALPHA): time.perf_counter() - begun}
    foreground, notes = pixels, refined.notes
    if recipe.recolours:
        begun = time.perf_counter()
        coloured = engine.foreground(pixels, refined.alpha, progress, recipe)
        timings[Stage.FOREGROUND] = time.perf_counter() - begun
        foreground, notes = coloured.foreground, notes + coloured.notes
    status = engine.status
    if not status.model:  # without a network no device was chosen: these stages always run on the CPU
        status = EngineStatus(device="CPU", precision="fp32", notes=status.notes)
    return Cutout(
        source=pixels,
        alpha=refined.alpha,
        foreground=foreground,
        trimap=labels,
        timings=timings,
        device=status.device,
        precision=status.precision,
        model=status.model,
        notes=status.notes + notes,
        recipe=recipe,
    )
