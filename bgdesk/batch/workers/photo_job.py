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
from typing import TypeAlias

import cv2

from bgdesk.app import one_photo
from bgdesk.app.networks.download import sha256_of
from bgdesk.app.networks.open_engine import EngineChoice, check_engine, open_engine
from bgdesk.app.networks.store import default_store
from bgdesk.batch.model.values import BatchRecipe, Fallback, Outcome, PhotoJob, Variant, Written
from bgdesk.batch.outputs.placing import sweep
from bgdesk.core.arrays import to_uint8
from bgdesk.core.cutout import Cutout
from bgdesk.core.engine import EngineProtocol
from bgdesk.core.errors import Cause, SaveError
from bgdesk.core.geometry import Size
from bgdesk.core.pixels.composite import checkered, rendered, resized
from bgdesk.core.recipe import ExportRecipe, MatteRecipe
from bgdesk.core.stages import Stage
from bgdesk.core.tasks import Progress, silent
from bgdesk.engine.confidence import judge
from bgdesk.files.metadata import LoadedImage

log = logging.getLogger(__name__)

#: Longest side of an outcome's thumbnail in pixels.
THUMBNAIL = 256
_QUALITY = 85


@dataclass(frozen=True)
class QueueEngine:
    """An engine that is ready."""

    engine: EngineProtocol
    sha256: str = ""  #: of its network's file, lower-case hex


#: engines(model) gives the engine for a network (None: the default one), always the same one for the same id.
Engines: TypeAlias = Callable[[str | None], QueueEngine]


@dataclass(frozen=True, eq=False)
class LoadedJob:
    """A job whose photo has been read."""

    job: PhotoJob
    photo: LoadedImage
    sha256: str  #: of the photo's file, lower-case hex
    seconds: float  #: that reading took


@dataclass(frozen=True, eq=False)
class ComputedJob:
    """A job whose photo has been cut out."""

    job: PhotoJob
    photo: LoadedImage
    cutout: Cutout  #: solved, not finished
    outcome: Outcome  #: everything but the files


def do(job: PhotoJob, engines: Engines, progress: Progress = silent) -> Outcome:
    """Everything for one photo. Raises BgdeskError, Cancelled, MemoryError; no output is left under any name then."""
    return finish(compute(load(job, progress), engines, progress), progress)


def load(job: PhotoJob, progress: Progress = silent) -> LoadedJob:
    """Read the photo. Raises LoadError, Cancelled."""
    begun = time.perf_counter()
    try:
        sha256 = sha256_of(job.source)
    except OSError:
        sha256 = ""  # the loader says it in words
    photo = one_photo.load(job.source, progress=progress).photo
    return LoadedJob(job, photo, sha256, time.perf_counter() - begun)


def compute(loaded: LoadedJob, engines: Engines, progress: Progress = silent) -> ComputedJob:
    """Cut the photo out, look how sure that is (twice where the recipe has a gate), and try again under it if the recipe says how.

    Raises what the engine raises: MattingError, ModelError, DeviceError, Cancelled.
    """
    job, photo, recipe = loaded.job, loaded.photo, loaded.job.recipe
    matte = recipe.matte.without_colours if all(variant.alpha_only for variant in recipe.variants) else recipe.matte
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
    lean = replace(cutout, matte=None, notes=notes, timings={})
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
    return ComputedJob(job, photo, lean, outcome)


def finish(computed: ComputedJob, progress: Progress = silent) -> Outcome:
    """Finish the edge, and write all outputs and the thumbnail. Raises SaveError, Cancelled, MemoryError; nothing staged is left then."""
    cutout = one_photo.finish(computed.cutout, computed.job.recipe.edge, progress)
    begun = time.perf_counter()
    written = write(cutout, computed.photo, computed.job, progress)
    picture = thumbnail(cutout, computed.job)
    timings = {**computed.outcome.timings, **_by_stage(cutout.timings), Stage.SAVE: time.perf_counter() - begun}
    return replace(computed.outcome, written=written, thumbnail=picture, timings=timings)


def write(cutout: Cutout, photo: LoadedImage, job: PhotoJob, progress: Progress = silent) -> tuple[Written, ...]:
    """Every variant of the job's recipe, complete, checked and hashed under its staged name; targets are left alone.

    cutout: finished; it may have been edited since it was computed. Folders are made. Raises SaveError, Cancelled,
    MemoryError; nothing staged is left then.
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
    store, kept, asked = default_store(), dict[str, QueueEngine](), dict[str | None, QueueEngine]()
    choices = choices_of(recipe)
    for choice in choices:
        check_engine(choice, store)

    def engines(model: str | None) -> QueueEngine:
        if model not in asked:
            network = store.weights(model)
            if network.id not in kept:
                kept[network.id] = QueueEngine(open_engine(replace(choices[0], model=network.id), store), network.sha256)
            asked[model] = kept[network.id]
        return asked[model]

    for choice in choices:
        engines(choice.model)
    return engines


def choices_of(recipe: BatchRecipe) -> tuple[EngineChoice, ...]:
    """The engines that a queue of this recipe may need: that of the first try, and of the fallback if it has another network."""
    first = EngineChoice(model=recipe.model, matting=recipe.matting, device=recipe.device, precision=recipe.precision)
    again = None if recipe.fallback is None else recipe.fallback.model
    return (first,) if again is None else (first, replace(first, model=again))


@dataclass(frozen=True, eq=False)
class _Try:
    """One cut-out of a photo and how sure it is."""

    cutout: Cutout
    timings: Mapping[Stage, float]
    sha256: str
    confidence: float
    reasons: tuple[str, ...]


def _try(opened: QueueEngine, photo: LoadedImage, matte: MatteRecipe, recipe: BatchRecipe, progress: Progress) -> _Try:
    cutout = one_photo.cut(one_photo.Loaded(photo=photo), opened.engine, matte, progress)
    begun = time.perf_counter()
    if recipe.gate is None:
        # Nothing depends on it, so the network is not asked again: the signs alone took 1 % of a photo's time, with it 9 %.
        progress("confidence", 0.0)
        found = judge(photo.pixels, cutout)
    else:
        found = opened.engine.confidence(photo.pixels, cutout, progress)
    timings = {**_by_stage(cutout.timings), Stage.CONFIDENCE: time.perf_counter() - begun}
    return _Try(cutout, timings, opened.sha256, found.value, found.reasons)


def _by_stage(timings: Mapping[str, float]) -> dict[Stage, float]:
    return {Stage(stage): seconds for stage, seconds in timings.items()}


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
        one_photo.write(picture, staged, recipe, photo, [photo.path], progress)
        return replace(output, sha256=sha256_of(staged))
    except SaveError as error:  # it names the staged file, which nobody has ever seen
        raise SaveError(str(error).replace(staged.name, target.name), error.cause) from error
    except OSError as error:
        said = f"{target.name} could not be read back: {error.strerror}. Check the disk, and try again."
        raise SaveError(said, Cause.of(error)) from error


def _share(progress: Progress, done: int, count: int) -> Progress:
    """Progress of one file of several."""
    return lambda stage, fraction: progress(stage, (done + fraction) / count)
