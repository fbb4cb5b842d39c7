"""One stroke's alpha anew: cost follows the stroke, never the photo."""

import cv2
import numpy as np
from numpy.typing import NDArray

from bgdesk.core.arrays import Alpha, Mask, Pixels, Trimap
from bgdesk.core.geometry import Rect, Size
from bgdesk.core.resample import by_area, linear, nearest
from bgdesk.core.tasks import Progress, silent
from bgdesk.core.trimap import Label
from bgdesk.engine.matting.closed_form import estimate_alpha
from bgdesk.engine.refine import certainty_weight
from bgdesk.engine.tiles import LED, MOST_STEPS, TILE, Level, Solver, halved, pinned, solve_tiles, structure, unit

#: How far around a stroke's ROI the solver looks, in pixels; at this distance alpha is pinned to what it was.
REACH = 48
#: A pixel inside a stroke's ROI keeps to its old alpha only where the colours say nothing at all.
STROKE_WEIGHT, SEAM_WEIGHT = 1e-4, 0.05
#: A stroke's band of up to this many pixels is solved at once, a larger one in tiles, coarse to fine.
_AT_ONCE = 300_000
#: Around a correction that contradicts the old alpha, this many pixels are free to follow it; farther off, and where
#: nothing was contradicted, band pixels keep to what they were unless the stroke itself asks to look again.
_FOLLOW, _KEEP_WEIGHT = 40.0, 0.005


def rematte(
    pixels: Pixels, trimap: Trimap, alpha: Alpha, roi: Rect, progress: Progress = silent, solver: Solver = estimate_alpha
) -> tuple[Rect, Alpha, bool]:
    """Alpha anew around one stroke; (rectangle, its alpha, whether the solver converged).

    Reads nothing outside roi.grow(REACH), so cost follows the stroke. Known pixels take their label. At the border of
    the rectangle alpha is pinned to what it was, and between there and the ROI it is pulled to it ever less, so that
    the seam cannot be seen. Where the photo itself ends there is nothing to pin.
    """
    size = Size(trimap.shape[1], trimap.shape[0])
    window = roi.grow(REACH).clip(size)
    labels = trimap[window.slices]
    old = alpha[window.slices]
    before = pinned(labels, old)
    band = labels == Label.UNKNOWN
    # A side is the photo's own edge if the window was cut short there; a caller that passes just this window sees the same.
    free = (roi.left < REACH, roi.top < REACH, size.width - roi.right < REACH, size.height - roi.bottom < REACH)
    for side, at_edge in zip((np.s_[:, :1], np.s_[:1], np.s_[:, -1:], np.s_[-1:]), free, strict=True):
        if not at_edge:
            band[side] = False
    weight = _stroke_weight(_distance_outside(window, roi), old, before)
    answer, converged = _solve_region(pixels[window.slices], band, before, weight, progress, solver)
    return window, answer, converged


def _stroke_weight(outside: NDArray[np.float32], old: Alpha, before: Alpha) -> NDArray[np.float32]:
    """How strongly band pixels keep to their old alpha. outside: distance from the ROI."""
    weight = np.where(outside > 0, SEAM_WEIGHT * np.square(outside / REACH), STROKE_WEIGHT).astype(np.float32)
    contradicted = (np.abs(old - before) > 0.5 / 255).astype(np.uint8)
    if contradicted.any():
        away = cv2.distanceTransform(1 - contradicted, cv2.DIST_L2, 5)
        keep = np.float32(_KEEP_WEIGHT) * np.square(np.minimum(away / np.float32(_FOLLOW), 1))
        np.maximum(weight, keep, out=weight)
    return weight


def _solve_region(
    pixels: Pixels, band: Mask, before: Alpha, weight: NDArray[np.float32], progress: Progress, solver: Solver
) -> tuple[Alpha, bool]:
    """Alpha on the band of one region, pulled to `before`; large bands coarse to fine in tiles, in bounded memory."""
    if np.count_nonzero(band) <= _AT_ONCE:
        answer = solver(unit(pixels), band, before, before, weight, most=MOST_STEPS, progress=progress, **LED)
        return answer.alpha, answer.converged
    size = Size(band.shape[1], band.shape[0])
    half = halved(size)
    progress("alpha", 0.0)
    half_band = by_area(band.astype(np.float32), half) > 0
    coarse, converged = _solve_region(by_area(pixels, half), half_band, by_area(before, half), by_area(weight, half), progress, solver)
    guess = np.where(band, linear(coarse, size), before)
    fine_band = band & (nearest(structure(coarse), size) > 0)
    lifted = guess.copy()

    def pull(part: Rect) -> tuple[Alpha, NDArray[np.float32]]:
        return lifted[part.slices], certainty_weight(lifted[part.slices])

    fine = solve_tiles(Level(pixels, fine_band, pull, solver, LED), guess, TILE, progress)
    return fine.alpha, converged and not fine.failed


def _distance_outside(window: Rect, roi: Rect) -> NDArray[np.float32]:
    """Per pixel of `window`: how far outside `roi` it lies along the farther axis; 0 inside."""
    xs = np.arange(window.left, window.right)
    ys = np.arange(window.top, window.bottom)
    x = np.maximum(np.maximum(roi.left - xs, xs - roi.right + 1), 0).astype(np.float32)
    y = np.maximum(np.maximum(roi.top - ys, ys - roi.bottom + 1), 0).astype(np.float32)
    return np.maximum(y[:, None], x[None, :])
