"""A simulated hand: how many strokes an automatic cut-out still needs.

Each turn the hand finds the connected region with the largest error in one direction, paints one straight stroke along the region,
and has the engine re-matte the stroke's rectangle, until the mean error is below the target. The label is that of the truth under
the stroke. Where the truth is soft, the hand first paints unknown, so that the engine decides; if it has done that before, it
paints the label of the nearer side.
"""

import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from bgdesk.bench.bench_report import Figure, at_least, at_most, not_measured
from bgdesk.bench.cases import corpus
from bgdesk.bench.cases.folders import MASK_LEVELS
from bgdesk.bench.setup import Setup, timed
from bgdesk.core.arrays import Alpha, Mask, Pixels, to_uint8
from bgdesk.core.engine import EngineProtocol
from bgdesk.core.pixels.brush import paint
from bgdesk.core.trimap import Label
from bgdesk.files.load import load

#: Mean absolute error over a photo that counts as good, and the strokes after which the hand gives up.
TARGET, PATIENCE = 0.01, 20
#: What a folder holds -> most strokes a photo, least share of photos that become good.
_BARS = {"objects": (5.0, 18 / 20), "matting": (9.0, 9 / 13)}
#: A pixel is visibly wrong beyond this error; a stroke's radius is this share of the region's half-width.
_SEEN, _INSIDE = 0.15, 0.9
_VOID = 128


@dataclass(frozen=True)
class Stroke:
    """A straight stroke."""

    start: tuple[float, float]  #: (x, y) in pixels, as core.brush counts them
    end: tuple[float, float]  #: (x, y) in pixels
    radius: float  #: in pixels
    label: int  #: a value of Label


@dataclass(frozen=True)
class HandScore:
    """What a hand needed for one photo."""

    strokes: int  #: PATIENCE + 1 if the photo did not become good
    errors: tuple[float, ...]  #: mean absolute errors: before the first stroke, and after each
    seconds: tuple[float, ...]  #: of each re-matting

    @property
    def mended(self) -> bool:
        """Whether the photo became good."""
        return self.strokes <= PATIENCE


def run(setup: Setup) -> Iterator[Figure]:
    """Measure how many strokes the photos of every folder with masks or captured alpha need."""
    for kind, folders in (("objects", setup.data.objects), ("matting", setup.data.matting)):
        for folder in folders:
            yield from _folder(setup, kind, folder.name, corpus.pairs(folder))
        if not folders:
            yield not_measured(f"hand.{kind}", "no --data folder of this kind was given")


def _folder(setup: Setup, kind: str, name: str, pairs: list[tuple[Path, Path]]) -> Iterator[Figure]:
    engine = setup.engine()
    scores = []
    chosen = pairs[:1] if setup.quick else pairs
    for number, (photo, answer) in enumerate(chosen, 1):
        setup.say(f"hand: {name} ({number} of {len(chosen)})")
        truth = corpus.read_alpha(answer)
        levels = np.unique(np.rint(255 * truth))
        counted = np.asarray(np.rint(255 * truth) != _VOID if len(levels) < MASK_LEVELS else np.ones(truth.shape), np.bool_)
        scores.append(mend(engine, to_uint8(load(photo).pixels), truth, counted))
    note = f"{len(scores)} photos"
    most, least = _BARS[kind]
    mended = sum(score.mended for score in scores)
    seconds = [second for score in scores for second in score.seconds]
    yield Figure(f"hand.{name}, strokes a photo", statistics.fmean(score.strokes for score in scores), bar=at_most(most), note=note)
    bar = at_least(round(least * len(scores)))
    yield Figure(f"hand.{name}, photos mended in {PATIENCE}", mended, unit="", bar=bar, note=note)
    for turn in (0, 1, 5, 10):
        left = statistics.fmean(score.errors[min(turn, len(score.errors) - 1)] for score in scores)
        yield Figure(f"hand.{name}, error after {turn} strokes", left, note=note)
    if seconds:
        yield Figure(f"hand.{name}, seconds a stroke", statistics.fmean(seconds), unit="s", note=note)


def mend(engine: EngineProtocol, pixels: Pixels, truth: Alpha, counted: Mask) -> HandScore:
    """Cut a photo out, and mend its alpha stroke by stroke.

    Parameters
    ----------
    engine
        Cuts out and re-mattes.
    pixels
        H×W×3 uint8 or uint16.
    truth
        float32 H×W in [0, 1].
    counted
        bool H×W, the pixels whose truth is known.
    """
    cutout = engine.auto(pixels)
    alpha, trimap = cutout.alpha.copy(), cutout.trimap.copy()
    asked = np.zeros(truth.shape, np.bool_)
    errors = [_error(alpha, truth, counted)]
    seconds: list[float] = []
    while errors[-1] > TARGET and len(seconds) < PATIENCE:
        stroke = next_stroke(alpha, truth, counted, asked)
        if stroke is None:
            break
        rect = paint(trimap, stroke.start, stroke.end, stroke.radius, stroke.label)
        elapsed, patch = timed(engine.rematte, pixels, trimap, alpha, rect)
        alpha[patch.rect.slices], trimap[patch.rect.slices] = patch.alpha, patch.labels
        seconds.append(elapsed)
        errors.append(_error(alpha, truth, counted))
    return HandScore(len(seconds) if errors[-1] <= TARGET else PATIENCE + 1, tuple(errors), tuple(seconds))


def _error(alpha: Alpha, truth: Alpha, counted: Mask) -> float:
    return float(np.abs(alpha - truth)[counted].mean())


def next_stroke(alpha: Alpha, truth: Alpha, counted: Mask, asked: Mask) -> Stroke | None:
    """Return the stroke that the hand paints now; None when nothing is visibly wrong.

    Parameters
    ----------
    alpha, truth
        float32 H×W in [0, 1].
    counted
        bool H×W, the pixels whose truth is known.
    asked
        bool H×W, where the hand has painted unknown; the new stroke is added in place.
    """
    region = _worst_region(np.where(counted, alpha - truth, 0).astype(np.float32))
    if region is None:
        return None
    depth = cv2.distanceTransform(np.pad(region.astype(np.uint8), 1), cv2.DIST_L2, 5)[1:-1, 1:-1]
    row, column = divmod(int(depth.argmax()), depth.shape[1])
    radius = max(1.5, _INSIDE * float(depth[row, column]))
    start, end = _along(depth >= 0.5 * radius, row, column)
    under = np.zeros(truth.shape, np.uint8)
    paint(under, start, end, radius, 1)
    beneath = (under == 1) & region
    values = truth[beneath]
    if ((values > 0.05) & (values < 0.95)).mean() > 0.2 and asked[beneath].mean() < 0.5:
        asked[beneath] = True
        return Stroke(start, end, radius, Label.UNKNOWN)
    return Stroke(start, end, radius, Label.FOREGROUND if values.mean() > 0.5 else Label.BACKGROUND)


def _worst_region(difference: Alpha) -> Mask | None:
    """The connected region with the largest summed error of one sign."""
    worst, region = 0.0, None
    for signed in (difference, -difference):
        excess = np.maximum(signed, 0)
        count, labels = cv2.connectedComponents((excess > _SEEN).astype(np.uint8), connectivity=8)
        sums = np.bincount(labels.ravel(), excess.ravel(), minlength=count)
        sums[0] = 0  # what is not visibly wrong
        if sums.max() > worst:
            worst, region = float(sums.max()), np.asarray(labels == int(sums.argmax()), np.bool_)
    return region


def _along(wide: NDArray[np.bool_], row: int, column: int, directions: int = 12) -> tuple[tuple[float, float], tuple[float, float]]:
    """The longest straight stretch through the middle of (row, column) that stays where the region is wide enough."""
    height, width = wide.shape
    middle = np.array([column + 0.5, row + 0.5])
    steps_out = np.arange(1, int(np.hypot(height, width)) + 1)
    best = (middle, middle)
    for angle in np.pi * np.arange(directions) / directions:
        way = np.array([np.cos(angle), np.sin(angle)])
        ends = []
        for sign in (-1, 1):
            points = middle + sign * steps_out[:, None] * way
            columns, rows = np.floor(points).astype(int).T
            inside = (columns >= 0) & (rows >= 0) & (columns < width) & (rows < height)
            inside[inside] = wide[rows[inside], columns[inside]]
            steps = int(np.argmin(inside)) if not inside.all() else len(inside)
            ends.append(middle + sign * steps * way)
        if np.linalg.norm(ends[1] - ends[0]) > np.linalg.norm(best[1] - best[0]):
            best = (ends[0], ends[1])
    return (float(best[0][0]), float(best[0][1])), (float(best[1][0]), float(best[1][1]))
