"""Automatic cut-outs against masks of objects: each preset, and rembg with the same weights on the same photos."""

import os
import statistics
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from bgdesk.bench.bench_report import Figure, at_least, at_most, not_measured
from bgdesk.bench.cases import corpus, metrics
from bgdesk.bench.cases.corpus import Bytes
from bgdesk.bench.setup import Setup, missing, timed
from bgdesk.core.arrays import Alpha, Mask, Pixels, to_uint8
from bgdesk.core.engine import EngineProtocol
from bgdesk.core.recipe import MatteRecipe, Quality
from bgdesk.engine.networks.onnx_net import runtime
from bgdesk.files.load import load

#: `best` against one pass: how much more IoU, at how much more time.
_GAIN, _COST = 0.03, 2.2
#: Pixels of this value in a mask are not counted.
_VOID = 128
#: The default network as it was published.
FILE = "isnet-general.onnx"


@dataclass(frozen=True)
class ObjectScore:
    """How good one cut-out is, compared with a mask."""

    iou: float  #: in [0, 1]
    f1: float  #: in [0, 1]
    mae: float  #: mean absolute error of alpha, in [0, 1]
    seconds: float  #: that the cut-out took


#: Cuts a photo out: pixels -> alpha.
Cut: TypeAlias = Callable[[Pixels], Alpha]


def presets(setup: Setup) -> Iterator[Figure]:
    """Measure every preset on every photo; the presets take turns."""
    if not setup.data.objects:
        yield not_measured("presets", "no --data folder with image/ and masks in alpha/ was given")
        return
    engine = setup.engine()
    cuts: dict[str, Cut] = {quality.value: partial(_alpha, engine, MatteRecipe(quality=quality)) for quality in Quality}
    means, note = _means("presets", cuts, setup)
    yield from _rows("presets", means, note)
    if means:
        gained = means["best"].iou - means["balanced"].iou
        yield Figure("presets.IoU that best gains over one pass", gained, bar=at_least(_GAIN), note=note)
        cost = means["best"].seconds / means["balanced"].seconds
        yield Figure("presets.time that best takes to one pass", cost, unit="×", bar=at_most(_COST), note=note)


def _alpha(engine: EngineProtocol, recipe: MatteRecipe, pixels: Pixels) -> Alpha:
    return engine.auto(pixels, recipe).alpha


def rembg(setup: Setup) -> Iterator[Figure]:
    """Measure rembg beside us, with the same weights and photos: mattes alone, and cut-outs with solved edges."""
    why = missing_for_rembg(setup)
    if not why and not setup.data.objects:
        why = "no --data folder with image/ and masks in alpha/ was given"
    if why:
        yield not_measured("rembg", why)
        return
    engine = setup.engine("isnet-general")
    session = rembg_session(setup.onnx / FILE)
    for name, ours, theirs in (
        ("mask", engine.segment, lambda pixels: _remove(pixels, session, only_mask=True)),
        ("cut-out, edges solved", partial(_alpha, engine, MatteRecipe()), lambda pixels: _remove(pixels, session, alpha_matting=True)),
    ):
        cuts: dict[str, Cut] = {"ours": ours, "theirs": theirs}
        means, note = _means(f"rembg, {name}", cuts, setup)
        mine, other = means["ours"], means["theirs"]
        yield Figure(f"rembg.{name}, IoU", mine.iou, unit="", peer="rembg", peer_value=other.iou, bar=None, note=note)
        yield Figure(f"rembg.{name}, MAE", mine.mae, unit="", peer="rembg", peer_value=other.mae, bar=None, note=note)
        yield Figure(f"rembg.{name}, seconds", mine.seconds, unit="s", peer="rembg", peer_value=other.seconds, bar=None, note=note)


def missing_for_rembg(setup: Setup) -> str:
    """Return "" if rembg can be measured with our weights, else the reason why not."""
    why = missing("rembg", "onnxruntime")
    if not why and not (setup.onnx / FILE).is_file():
        why = f"the published file {FILE} is not there; name its folder with --onnx"
    return why


def rembg_session(file: Path) -> object:
    """Open rembg's session for an ONNX file. rembg accepts only files in its models folder, so that is set to the file's folder."""
    runtime()  # our own import sets ONNX Runtime up; rembg imports it too
    before = os.environ.get("U2NET_HOME")
    os.environ["U2NET_HOME"] = str(file.parent)
    try:
        import rembg

        return rembg.new_session("dis_custom", model_path=str(file))
    finally:
        os.environ.pop("U2NET_HOME")
        if before is not None:
            os.environ["U2NET_HOME"] = before


def cut_out(pixels: Bytes, session: object, refined: bool) -> Bytes:
    """Return rembg's cut-out of a photo (H×W×3 uint8), H×W×4 uint8; `refined`: with its alpha matting."""
    import rembg

    answer: Bytes = rembg.remove(pixels, session=session, alpha_matting=refined)
    return answer


def _remove(pixels: Pixels, session: object, **options: bool) -> Alpha:
    import rembg

    answer: NDArray[np.uint8] = rembg.remove(pixels, session=session, **options)
    return np.asarray((answer if answer.ndim == 2 else answer[..., 3]).astype(np.float32) / 255)


def _means(name: str, cuts: Mapping[str, Cut], setup: Setup) -> tuple[dict[str, ObjectScore], str]:
    """The mean score of each, over all photos with masks; the first photo is done twice and timed the second time."""
    found = [pair for folder in setup.data.objects for pair in corpus.pairs(folder)]
    found = found[:2] if setup.quick else found
    scores: dict[str, list[ObjectScore]] = {cut: [] for cut in cuts}
    for number, (photo, answer) in enumerate(found, 1):
        setup.say(f"{name}: {photo.name} ({number} of {len(found)})")
        pixels = to_uint8(load(photo).pixels)
        mask = np.rint(255 * corpus.read_alpha(answer)).astype(np.uint8)
        for cut, work in cuts.items():
            if number == 1:
                work(pixels)
            seconds, alpha = timed(work, pixels)
            scores[cut].append(_score(alpha, mask, seconds))
    means = {
        cut: ObjectScore(*(statistics.fmean(getattr(score, field.name) for score in each) for field in fields(ObjectScore)))
        for cut, each in scores.items()
    }
    return means, f"{len(found)} photos"


def _score(alpha: Alpha, mask: NDArray[np.uint8], seconds: float) -> ObjectScore:
    counted: Mask = np.asarray(mask != _VOID, np.bool_)
    answer, truth = np.asarray(alpha >= 0.5, np.bool_), np.asarray(mask > _VOID, np.bool_)
    wrong = metrics.mae(alpha, truth.astype(np.float32), counted)
    return ObjectScore(metrics.iou(answer, truth, counted), metrics.f1(answer, truth, counted), wrong, seconds)


def _rows(name: str, means: Mapping[str, ObjectScore], note: str) -> Iterator[Figure]:
    for preset, score in means.items():
        yield Figure(f"{name}.{preset}, IoU", score.iou, note=note)
        yield Figure(f"{name}.{preset}, F1", score.f1, note=note)
        yield Figure(f"{name}.{preset}, MAE", score.mae, note=note)
        yield Figure(f"{name}.{preset}, seconds", score.seconds, unit="s", note=note)
