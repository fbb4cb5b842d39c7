"""The work on one photo, from file to files: shared by the workers on this machine, a cluster's, and a person's fix.

Three stages that can overlap with other photos': `load` (disk), `compute` (the engine), `finish` (disk again). `do` is all
three, for whoever does one photo at a time.
"""

import logging
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, TypeAlias

import cv2

from bgdesk.app.networks.download import sha256_of
from bgdesk.batch.model.values import BatchRecipe, Fallback, Outcome, PhotoJob, Variant, Written
from bgdesk.batch.outputs.placing import sweep
from bgdesk.core.arrays import Pixels, to_uint8
from bgdesk.core.composite import checkered, rendered, resized
from bgdesk.core.cutout import Cutout
from bgdesk.core.errors import BgdeskError, Cause, SaveError
from bgdesk.core.geometry import Size
from bgdesk.core.recipe import ExportRecipe, MatteRecipe
from bgdesk.core.results import Confidence
from bgdesk.core.stages import Stage
from bgdesk.core.tasks import Progress, silent
from bgdesk.engine.confidence import judge
from bgdesk.files.load import LoadedImage
from bgdesk.files.load import load as load_photo
from bgdesk.files.save import save

log = logging.getLogger(__name__)

#: Longest side of an outcome's thumbnail in pixels.
THUMBNAIL = 256
_QUALITY = 85


class Engine(Protocol):
    """engine.pipeline.Pipeline, as far as a photo of a queue needs it."""

    def auto(self, pixels: Pixels, recipe: MatteRecipe = ..., progress: Progress = silent) -> Cutout: ...
    def confidence(self, pixels: Pixels, cutout: Cutout, progress: Progress = silent) -> Confidence: ...


@dataclass(frozen=True)
class Opened:
    """An engine that is ready, and the hash of its network's file."""

    engine: Engine
    sha256: str = ""


#: engines(model) gives the engine for a network (None: the default one), always the same one for the same id.
Engines: TypeAlias = Callable[[str | None], Opened]


@dataclass(frozen=True, eq=False)
class Loaded:
    """A photo that has been read. sha256: of its file. seconds: what reading took."""

    job: PhotoJob
    photo: LoadedImage
    sha256: str
    seconds: float


@dataclass(frozen=True, eq=False)
class Computed:
    """A photo that has been cut out, and everything of its outcome but the files."""

    job: PhotoJob
    photo: LoadedImage
    cutout: Cutout
    outcome: Outcome


def do(job: PhotoJob, engines: Engines, progress: Progress = silent) -> Outcome:
    """Everything for one photo. Raises BgdeskError, Cancelled, MemoryError; no output is left under any name then."""
    return finish(compute(load(job, progress), engines, progress), progress)


def load(job: PhotoJob, progress: Progress = silent) -> Loaded:
    """Read the photo. Raises LoadError, Cancelled."""
    progress("load", 0.0)
    begun = time.perf_counter()
    try:
        sha256 = sha256_of(job.source)
    except OSError:
        sha256 = ""  # the loader says it in words
    photo = load_photo(job.source)
    progress("load", 1.0)
    return Loaded(job, photo, sha256, time.perf_counter() - begun)


def compute(loaded: Loaded, engines: Engines, progress: Progress = silent) -> Computed:
    """Cut the photo out, look how sure that is (twice where the recipe has a gate), and try again under it if the recipe says how.

    Raises what the engine raises: MattingError, ModelError, DeviceError, Cancelled.
    """
    job, photo, recipe = loaded.job, loaded.photo, loaded.job.recipe
    matte, opaque_only = recipe.matte, all(variant.alpha_only for variant in recipe.variants)
    if opaque_only:  # nobody sees the foreground then
        matte = replace(matte, decontaminate=False, spill=None)
    tried = _try(engines(recipe.model), photo, matte, recipe, progress)
    notes = tried.cutout.notes
    again = _fallback(recipe)
    if again is not None and recipe.gate is not None and tried.confidence < recipe.gate:
        second = _try(engines(again.model or recipe.model), photo, replace(matte, quality=again.quality), recipe, progress)
        before, after = tried.confidence, second.confidence
        what = f"{again.quality.value} quality" + (f" with {again.model}" if again.model else "")
        spent = _sum(tried.timings, second.timings)
        if after > before:
            tried = second
            said = f"A second attempt ({what}) was more confident and was used: {after:.2f} instead of {before:.2f}."
        else:
            said = f"A second attempt ({what}) was not more confident: {after:.2f}, and {before:.2f} before. The first was used."
        tried, notes = replace(tried, timings=spent), (*tried.cutout.notes, said)
    cutout = tried.cutout
    # The network's matte has done its work: on a large photo it is a quarter of what waits to be written.
    lean = replace(cutout, matte=None, notes=notes)
    size = photo.size
    outcome = Outcome(
        written=(),
        width=size.width,
        height=size.height,
        timings={Stage.LOAD: loaded.seconds, **tried.timings},
        confidence=tried.confidence,
        reasons=tried.reasons,
        notes=notes,
        device=cutout.device,
        precision=cutout.precision,
        model=cutout.model or "",
        model_sha256=tried.sha256,
        source_sha256=loaded.sha256,
    )
    return Computed(job, photo, lean, outcome)


def finish(computed: Computed, progress: Progress = silent) -> Outcome:
    """Write all outputs and the thumbnail. Raises SaveError, Cancelled, MemoryError; nothing staged is left then."""
    begun = time.perf_counter()
    written = write(computed.cutout, computed.photo, computed.job, progress)
    picture = thumbnail(computed.cutout, computed.job)
    timings = {**computed.outcome.timings, Stage.SAVE: time.perf_counter() - begun}
    return replace(computed.outcome, written=written, thumbnail=picture, timings=timings)


def write(cutout: Cutout, photo: LoadedImage, job: PhotoJob, progress: Progress = silent) -> tuple[Written, ...]:
    """Every variant of the job's recipe, complete, checked and hashed under its staged name; targets are left alone.

    cutout: may have been edited since it was computed. Folders are made. Raises SaveError, Cancelled, MemoryError; nothing
    staged is left then.
    """
    written: list[Written] = []
    try:
        for variant, staged, target in zip(job.recipe.variants, job.staged, job.targets, strict=True):
            part = _share(progress, len(written), len(job.staged))
            written.append(_write(cutout, photo, variant, Written(staged, target, ""), part))
    except BaseException:
        sweep(job.staged)
        raise
    return tuple(written)


def thumbnail(cutout: Cutout, job: PhotoJob) -> Path | None:
    """A small picture of the result on a light checkerboard, in the queue's folder; None if it could not be written."""
    height, width = cutout.alpha.shape
    size = Size(width, height).fit(THUMBNAIL)
    # Every n-th pixel first: what is skipped is far below what can be seen, and a large photo costs no more than a small one.
    step = max(1, min(width // (4 * size.width), height // (4 * size.height)))
    colours, opacity = resized(to_uint8(cutout.foreground[::step, ::step]), cutout.alpha[::step, ::step], size)
    file = job.folder / "thumbs" / f"{job.id}.jpg"
    temporary = file.with_suffix(".tmp")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        board = cv2.cvtColor(checkered(to_uint8(colours), opacity), cv2.COLOR_RGB2BGR)
        good, data = cv2.imencode(".jpg", board, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
        if not good:
            return None
        temporary.write_bytes(data.tobytes())
        temporary.replace(file)
    except OSError as error:  # a picture less in a list is no reason to lose a photo
        log.info("%s could not be written: %s", file, error)
        with suppress(OSError):
            temporary.unlink()
        return None
    return file


def open_engines(recipe: BatchRecipe) -> Engines:
    """Engines with networks from the person's store, kept once they are open.

    What would stand in the way of every photo is told now: ModelError for a missing or damaged network, DeviceError for a
    device or precision that this machine lacks.
    """
    from bgdesk.app.networks.store import default_store
    from bgdesk.app.system.proven_devices import ProvenFile
    from bgdesk.engine.pipeline import Pipeline

    store, proven, kept = default_store(), ProvenFile(), dict[str | None, Opened]()
    matting = None if recipe.matting is None else store.matting(recipe.matting)

    def opened(model: str | None) -> Opened:
        weights = store.weights(model)
        if weights.id in kept:
            return kept[weights.id]
        if (recipe.device, recipe.precision) != ("auto", "auto"):
            weights.devices(recipe.device, recipe.precision)
        pipeline = Pipeline(lambda: store.weights(weights.id), recipe.device, recipe.precision, lambda: matting, proven)
        kept[weights.id] = Opened(pipeline, weights.sha256)
        return kept[weights.id]

    def engines(model: str | None) -> Opened:
        if model not in kept:
            kept[model] = opened(model)
        return kept[model]

    engines(recipe.model)
    if recipe.fallback is not None:
        engines(recipe.fallback.model or recipe.model)
    return engines


def sentence(source: Path, error: BaseException) -> str:
    """What a person is told of a failure: BgdeskErrors speak for themselves, the rest is named after the photo."""
    if isinstance(error, BgdeskError):
        return str(error)
    if isinstance(error, MemoryError):
        return f"{source.name} does not fit into this computer's memory. Close other programs, or make it smaller."
    said = next(iter(str(error).splitlines()), "") or type(error).__name__
    advice = "If memory is short, close other programs or make it smaller; else leave this photo out."
    return f"{source.name} could not be cut out, something unforeseen went wrong: {said.rstrip('.')}. {advice}"


@dataclass(frozen=True, eq=False)
class _Try:
    """One cut-out of a photo and how sure it is."""

    cutout: Cutout
    timings: Mapping[Stage, float]
    sha256: str
    confidence: float
    reasons: tuple[str, ...]


def _try(opened: Opened, photo: LoadedImage, matte: MatteRecipe, recipe: BatchRecipe, progress: Progress) -> _Try:
    cutout = opened.engine.auto(photo.pixels, matte, progress)
    begun = time.perf_counter()
    if recipe.gate is None:
        # Nothing depends on it, so the network is not asked again: the signs alone took 1 % of a photo's time, with it 9 %.
        progress("confidence", 0.0)
        found = judge(photo.pixels, cutout)
    else:
        found = opened.engine.confidence(photo.pixels, cutout, progress)
    timings = {**{Stage(stage): spent for stage, spent in cutout.timings.items()}, Stage.CONFIDENCE: time.perf_counter() - begun}
    return _Try(cutout, timings, opened.sha256, found.value, found.reasons)


def _fallback(recipe: BatchRecipe) -> Fallback | None:
    """The other try, if it is another one."""
    other = recipe.fallback
    if other is None or (other.quality is recipe.matte.quality and other.model in (None, recipe.model)):
        return None
    return other


def _sum(first: Mapping[Stage, float], second: Mapping[Stage, float]) -> dict[Stage, float]:
    return {stage: first.get(stage, 0.0) + second.get(stage, 0.0) for stage in {**first, **second}}


def _write(cutout: Cutout, photo: LoadedImage, variant: Variant, output: Written, progress: Progress) -> Written:
    """One output, and its hash."""
    staged, target = output.staged, output.target
    try:
        staged.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        where = f"the folder {staged.parent} could not be made ({error.strerror})"
        raise SaveError(f"{target.name} could not be saved: {where}. Choose another folder.", Cause.of(error)) from error
    picture = rendered(cutout, variant.background, variant.size, variant.margin)
    recipe = ExportRecipe(variant.format, variant.alpha_only)
    try:
        save(picture, staged, recipe, metadata=photo, protect=[photo.path], progress=progress)
        return replace(output, sha256=sha256_of(staged))
    except SaveError as error:  # it names the staged file, which nobody has ever seen
        raise SaveError(str(error).replace(staged.name, target.name), error.cause) from error
    except OSError as error:
        said = f"{target.name} could not be read back: {error.strerror}. Check the disk, and try again."
        raise SaveError(said, Cause.of(error)) from error


def _share(progress: Progress, done: int, count: int) -> Progress:
    """Progress of one file of several."""
    return lambda stage, fraction: progress(stage, (done + fraction) / count)
