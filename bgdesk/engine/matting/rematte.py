"""One stroke's alpha anew: cost follows the stroke, never the photo.

A stroke of foreground or background corrects the alpha that is there: band pixels near the correction are solved anew,
those farther off keep to what they were. A stroke of unknown asks for an answer that does not lean on the old one: the
colours of the known pixels around are sampled, as if there were no matte.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from bgdesk.core.arrays import Alpha, Mask, Pixels, Trimap
from bgdesk.core.engine import Reach
from bgdesk.core.geometry import Rect, Size
from bgdesk.core.pixels.resample import by_area
from bgdesk.core.results import Patch
from bgdesk.core.tasks import Progress, silent
from bgdesk.core.trimap import Label
from bgdesk.engine.matting.closed_form import estimate_alpha
from bgdesk.engine.matting.guided import lift
from bgdesk.engine.matting.propagate import propagate
from bgdesk.engine.matting.sampling import sample_alpha
from bgdesk.engine.matting.tiles import LED, MOST_STEPS, Solver, halved, pinned, structure, unit

#: How far around a stroke's ROI the solver works, in pixels; at this distance alpha is pinned to what it was.
MARGIN = 48
#: How strongly a band pixel inside a stroke's ROI keeps to its old alpha: only where the colours say nothing at all.
STROKE_WEIGHT = 1e-4
#: How strongly a band pixel keeps to its old alpha at the seam, where alpha is pinned.
SEAM_WEIGHT = 0.05
#: A stroke's band of up to this many pixels is solved at once, a larger one at half the size.
_AT_ONCE = 60_000
#: Around a correction that contradicts the old alpha, this many pixels are free to follow it …
_FOLLOW = 3.0
#: … and band pixels farther off keep to what they were, this strongly.
_KEEP_WEIGHT = 0.2
#: Looking again: how far around its ROI colours are sampled, in pixels.
SAMPLED = 256
#: Looking again: how strongly samples pull where they are confident.
_SAMPLES = 0.02
#: Looking again: pairs of samples are gathered in the photo reduced by this.
_COARSE = 4
#: Old alpha this near to 0 and 1 stands for a known colour where a stroke looks again.
_SURE = 0.02
#: A label that is neither known nor asked about: rays of samples pass over it.
_NEITHER = 64

_UNSOLVED = "The edge of a stroke could not be refined and is less precise. Look at it, or paint over it again."


def rematte(
    pixels: Pixels,
    labels: Trimap,
    alpha: Alpha,
    roi: Rect,
    progress: Progress = silent,
    *,
    reach: Reach = Reach.SMART,
    fixed: Mask | None = None,
    again: bool | None = None,
) -> Patch:
    """Work out labels and alpha anew around strokes.

    Parameters
    ----------
    pixels, labels, alpha, roi, progress, reach, fixed, again
        As Pipeline.rematte; `roi` lies inside the photo, and is not empty.

    Returns
    -------
    Patch
        Nothing of it is farther from `roi` than propagate.MARGIN + MARGIN.

    Raises
    ------
    Cancelled
    """
    if reach is Reach.SMART:
        progress("alpha", 0.0)
        roi, spread = propagate(pixels, labels, alpha, roi, fixed, again)
    else:
        spread = labels[roi.slices]
    # A part of the trimap is copied, never all of it: cost follows the stroke.
    part = roi.grow(SAMPLED).clip(Size(labels.shape[1], labels.shape[0]))
    inside = roi.shift(-part.left, -part.top)
    trimap = labels[part.slices].copy()
    trimap[inside.slices] = spread
    window, answer, converged = solve(pixels[part.slices], trimap, alpha[part.slices], inside, progress, again=again)
    return Patch(
        rect=window.shift(part.left, part.top), alpha=answer, labels=trimap[window.slices], notes=() if converged else (_UNSOLVED,)
    )


def solve(
    pixels: Pixels,
    trimap: Trimap,
    alpha: Alpha,
    roi: Rect,
    progress: Progress = silent,
    solver: Solver = estimate_alpha,
    again: bool | None = None,
) -> tuple[Rect, Alpha, bool]:
    """Work out alpha anew around strokes whose labels stay as they are.

    Nothing outside roi.grow(SAMPLED) is read, so cost follows the stroke. Known pixels take their label. At the border of
    the answer alpha is pinned to what it was, and between there and `roi` it is pulled to that ever less, so that the seam
    cannot be seen. Where the photo itself ends there is nothing to pin.

    Parameters
    ----------
    pixels
        H×W×3 uint8 or uint16.
    trimap
        uint8 H×W, values of Label.
    alpha
        float32 H×W in [0, 1], from before the strokes.
    roi
        The rectangle of the strokes, in pixels.
    solver
        Solves the band.
    again
        See Pipeline.rematte.

    Returns
    -------
    rect, alpha, converged
        roi.grow(MARGIN) as far as it lies in the photo, its alpha, and whether the solver converged.

    Raises
    ------
    Cancelled
    """
    size = Size(trimap.shape[1], trimap.shape[0])
    window = roi.grow(MARGIN).clip(size)
    labels = trimap[window.slices]
    old = alpha[window.slices]
    before = pinned(labels, old)
    band = labels == Label.UNKNOWN
    # A side is the photo's own edge if the window was cut short there; a caller that passes just this window sees the same.
    free = (roi.left < MARGIN, roi.top < MARGIN, size.width - roi.right < MARGIN, size.height - roi.bottom < MARGIN)
    for side, at_edge in zip((np.s_[:, :1], np.s_[:1], np.s_[:, -1:], np.s_[-1:]), free, strict=True):
        if not at_edge:
            band[side] = False
    contradicted = np.abs(old - before) > 0.5 / 255
    target, weight = before, _keeping(_distance_outside(window, roi), contradicted)
    if not contradicted.any() if again is None else again:
        target, weight = _looking_again(pixels, trimap, alpha, roi, window, before, weight, progress)
    start = np.where(band, target, before)  # what is known about the answer already: fewer steps to it
    region = _Region(pixels[window.slices], band, start, target, weight)
    answer, converged = _solve_region(region, progress, solver)
    return window, answer, converged


def _keeping(outside: NDArray[np.float32], contradicted: Mask) -> NDArray[np.float32]:
    """How strongly band pixels keep to their old alpha. outside: distance from the ROI."""
    weight = np.where(outside > 0, SEAM_WEIGHT * np.square(outside / MARGIN), STROKE_WEIGHT).astype(np.float32)
    if contradicted.any():
        away = cv2.distanceTransform((~contradicted).astype(np.uint8), cv2.DIST_L2, 5)
        np.maximum(weight, np.float32(_KEEP_WEIGHT) * np.square(np.minimum(away / np.float32(_FOLLOW), 1)), out=weight)
    return weight


def _looking_again(
    pixels: Pixels,
    trimap: Trimap,
    alpha: Alpha,
    roi: Rect,
    window: Rect,
    before: Alpha,
    weight: NDArray[np.float32],
    progress: Progress,
) -> tuple[Alpha, NDArray[np.float32]]:
    """`before` and its weight in `window`, joined by what the colours around say about the ROI's unknown pixels."""
    around = roi.grow(SAMPLED).clip(Size(trimap.shape[1], trimap.shape[0]))
    old = alpha[around.slices]
    seen = np.full(old.shape, _NEITHER, np.uint8)
    seen[old > 1 - _SURE] = Label.FOREGROUND
    seen[old < _SURE] = Label.BACKGROUND
    seen[roi.shift(-around.left, -around.top).slices][trimap[roi.slices] == Label.UNKNOWN] = Label.UNKNOWN
    samples = sample_alpha(unit(pixels[around.slices]), seen, SAMPLED, progress, _COARSE)
    part = window.shift(-around.left, -around.top).slices
    by_samples = np.where(seen[part] == Label.UNKNOWN, _SAMPLES * samples.confidence[part], 0).astype(np.float32)
    total = weight + by_samples
    return (weight * before + by_samples * samples.alpha[part]) / total, total


@dataclass(frozen=True, eq=False)
class _Region:
    """What is solved at once."""

    pixels: Pixels
    band: Mask
    before: Alpha  #: where the solver starts; right outside the band
    target: Alpha  #: what band pixels are pulled to …
    weight: NDArray[np.float32]  #: … and how strongly


def _solve_region(region: _Region, progress: Progress, solver: Solver) -> tuple[Alpha, bool]:
    """Alpha on the band of one region; of a large one at half the size, lifted along the photo's edges."""
    pixels, band, before, target, weight = region.pixels, region.band, region.before, region.target, region.weight
    if np.count_nonzero(band) <= _AT_ONCE:
        answer = solver(unit(pixels), band, before, target, weight, most=MOST_STEPS, progress=progress, **LED)
        return answer.alpha, answer.converged
    half = halved(Size(band.shape[1], band.shape[0]))
    progress("alpha", 0.0)
    small = by_area(pixels, half)
    half_band = by_area(band.astype(np.float32), half) > 0
    reduced = _Region(small, half_band, by_area(before, half), by_area(target, half), by_area(weight, half))
    coarse, converged = _solve_region(reduced, progress, solver)
    labels = np.where(band, np.uint8(Label.UNKNOWN), np.uint8(Label.BACKGROUND))
    lifted = lift(pixels, labels, small, coarse, structure(coarse) > 0, progress)
    return np.where(band, lifted, before), converged


def _distance_outside(window: Rect, roi: Rect) -> NDArray[np.float32]:
    """Per pixel of `window`: how far outside `roi` it lies along the farther axis; 0 inside."""
    xs = np.arange(window.left, window.right)
    ys = np.arange(window.top, window.bottom)
    x = np.maximum(np.maximum(roi.left - xs, xs - roi.right + 1), 0).astype(np.float32)
    y = np.maximum(np.maximum(roi.top - ys, ys - roi.bottom + 1), 0).astype(np.float32)
    return np.maximum(y[:, None], x[None, :])
