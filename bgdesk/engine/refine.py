"""The band, solved piece by piece: whole photos in bounded tiles, coarse to fine, and one stroke's ROI.

Memory depends on the tile, never on the photo. Tiles of one colour of a 2×2 pattern do not touch, so they are solved at
the same time on all cores; the answer does not depend on which finishes first.
"""

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from bgdesk.core.arrays import Alpha, Mask, Pixels, Trimap
from bgdesk.core.geometry import Rect, Size
from bgdesk.core.resample import by_area, linear, nearest
from bgdesk.core.tasks import Progress, silent
from bgdesk.core.trimap import SURE_BACKGROUND, SURE_FOREGROUND, WORKING_SIDE, Label
from bgdesk.engine.matting.closed_form import Matting, estimate_alpha

Solver: TypeAlias = Callable[..., Matting]

TILE, OVERLAP = 512, 40
#: Photos up to this many pixels are solved at their own size at once; larger ones first at half the size.
WHOLE = 3_000_000
#: How far around a stroke's ROI the solver looks, in pixels; at this distance alpha is pinned to what it was.
REACH = 48
#: How strongly a prior that is sure of itself pulls. Chosen on photos with captured alpha: from 0.001 to 0.01 the error
#: hardly moves, above it the solver loses what it could add, below it wide bands drift from the matte.
PRIOR_WEIGHT = 0.003
#: A pixel inside a stroke's ROI keeps to its old alpha only where the colours say nothing at all.
STROKE_WEIGHT, SEAM_WEIGHT = 1e-4, 0.05
#: With a prior: the residual at which alpha no longer changes visibly, and a ridge of about one 8-bit level (√ε · 255 ≈
#: 0.8), so that compression blocks and noise are not taken for edges. Without one the colours are all there is to go by:
#: the published ridge, and a solve close to the optimum.
_WITH_PRIOR = {"tolerance": 1e-3, "epsilon": 1e-5}
_WITHOUT = {"tolerance": 1e-5, "epsilon": 1e-7}
_MOST_STEPS = 400
#: A coarser level's alpha that varies less than this around a pixel has nothing finer to find there.
_FLAT = 0.04
#: A pixel this deep (in pixels of the working size) inside the soft zone is no edge: the network is unsure of a whole
#: region, no colour line reaches across it, and the matte is the best that is known. It then pulls this strongly.
_DEEP, _DEEP_WEIGHT = 24.0, 0.05


@dataclass(frozen=True, eq=False)
class Refined:
    """alpha: float32 H×W, exactly 0 and 1 where the trimap is known. failed, solved: tiles that kept their prior, tiles in all."""

    alpha: Alpha
    failed: int
    solved: int


def pinned(trimap: Trimap, inside: Alpha) -> Alpha:
    """`inside` on the band, exactly 0 and 1 on known pixels."""
    alpha = np.where(trimap == Label.FOREGROUND, np.float32(1), inside)
    alpha[trimap == Label.BACKGROUND] = 0
    return alpha


def certainty_weight(prior: Alpha) -> NDArray[np.float32]:
    """How much a soft prior counts at each pixel: nothing at one half, most where it is near 0 or 1."""
    weight: NDArray[np.float32] = np.square(2 * prior - 1)
    weight *= np.float32(PRIOR_WEIGHT)
    return weight


def deep_weight(prior: Alpha) -> NDArray[np.float32]:
    """The extra pull of a prior inside its own broad soft regions, at the working size."""
    work = Size(prior.shape[1], prior.shape[0]).fit(WORKING_SIDE)
    small = by_area(prior, work)
    soft = ((small > SURE_BACKGROUND) & (small < SURE_FOREGROUND)).astype(np.uint8)
    depth = cv2.distanceTransform(soft, cv2.DIST_L2, 5)
    weight: NDArray[np.float32] = np.square(np.minimum(depth / np.float32(_DEEP), 1)) * np.float32(_DEEP_WEIGHT)
    return weight


def _sampled(small: NDArray[np.float32], window: Rect, size: Size) -> NDArray[np.float32]:
    """The part of a reduced map that belongs to `window` of a photo of `size`, at full size."""
    sx, sy = small.shape[1] / size.width, small.shape[0] / size.height
    move = np.array([[sx, 0, (window.left + 0.5) * sx - 0.5], [0, sy, (window.top + 0.5) * sy - 0.5]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(small, move, window.size, flags=flags, borderMode=cv2.BORDER_REPLICATE).astype(np.float32, copy=False)


def _unit(pixels: Pixels) -> NDArray[np.float32]:
    return pixels.astype(np.float32) * np.float32(1 / np.iinfo(pixels.dtype).max)


def _halved(size: Size) -> Size:
    return Size((size.width + 1) // 2, (size.height + 1) // 2)


def _half_trimap(trimap: Trimap, size: Size) -> Trimap:
    """Known only where all the pixels it stands for agree."""
    mean = by_area(trimap, size)
    half = np.full(mean.shape, Label.UNKNOWN, np.uint8)
    half[mean == Label.FOREGROUND] = Label.FOREGROUND
    half[mean == Label.BACKGROUND] = Label.BACKGROUND
    return half


def refine(
    pixels: Pixels,
    trimap: Trimap,
    prior: Alpha | None,
    progress: Progress = silent,
    solver: Solver = estimate_alpha,
    deep: NDArray[np.float32] | None = None,
) -> Refined:
    """Alpha of a whole photo from its trimap and, if there is one, the network's matte as a soft prior.

    pixels: H×W×3 uint8 or uint16. trimap, prior: H×W. deep: the prior's `deep_weight`, if it is known already. A tile
    whose solve does not converge keeps the prior (without one: the solver's last step) and is counted in `failed`.
    """
    size = Size(trimap.shape[1], trimap.shape[0])
    band = trimap == Label.UNKNOWN
    if prior is not None and deep is None:
        deep = deep_weight(prior)
    failed = solved = 0
    guess = prior
    if size.area > WHOLE and band.any():
        half = _halved(size)
        coarse = refine(
            by_area(pixels, half),
            _half_trimap(trimap, half),
            None if prior is None else by_area(prior, half),
            progress,
            solver,
            deep,
        )
        failed, solved = coarse.failed, coarse.solved
        guess = linear(coarse.alpha, size)
        # Full size is worth its cost only where the coarser alpha has structure: edges and hair, not plateaus.
        around = np.ones((5, 5), np.uint8)
        structure = (cv2.dilate(coarse.alpha, around) - cv2.erode(coarse.alpha, around) > _FLAT).astype(np.uint8)
        band &= nearest(structure, size) > 0
        if deep is None:
            deep = np.zeros((1, 1), np.float32)
    if guess is None:
        start = pinned(trimap, np.full(band.shape, 0.5, np.float32))
        alpha, more_failed, more_solved = _solve_tiles(pixels, band, start, None, None, progress, solver)
    else:
        start = pinned(trimap, guess)
        alpha, more_failed, more_solved = _solve_tiles(pixels, band, start, start, deep, progress, solver)
    return Refined(alpha, failed + more_failed, solved + more_solved)


def _solve_tiles(
    pixels: Pixels,
    band: Mask,
    alpha: Alpha,
    prior: Alpha | None,
    deep: NDArray[np.float32] | None,
    progress: Progress,
    solver: Solver,
) -> tuple[Alpha, int, int]:
    """Solve every tile that holds band pixels; returns (alpha, tiles failed, tiles solved)."""
    whole = Rect.of_shape(band.shape)
    side = TILE
    if prior is None or whole.area <= WHOLE // 2:
        side = max(whole.width, whole.height)  # without a prior nothing ties a tile to what lies beyond it
    colours: list[list[Rect]] = [[], [], [], []]
    for tile in whole.tiles(side):
        if band[tile.slices].any():
            colours[tile.top // side % 2 * 2 + tile.left // side % 2].append(tile)
    total = sum(map(len, colours))
    alpha = alpha.copy()
    done = failed = 0

    lock = threading.Lock()

    def report(stage: str, fraction: float) -> None:
        # Called from all cores; whoever listens is promised one call at a time.
        with lock:
            progress("alpha", min(1.0, (done + (fraction if total == 1 else 0.0)) / max(1, total)))

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for tiles in colours:
            jobs = [pool.submit(_solve_tile, pixels, band, alpha, prior, deep, tile, whole, report, solver) for tile in tiles]
            try:
                for job in jobs:
                    failed += not job.result()
                    done += 1
                    report("alpha", 0.0)
            except BaseException:
                for job in jobs:
                    job.cancel()
                raise
    return alpha, failed, total


def _solve_tile(
    pixels: Pixels,
    band: Mask,
    alpha: Alpha,
    prior: Alpha | None,
    deep: NDArray[np.float32] | None,
    tile: Rect,
    whole: Rect,
    progress: Progress,
    solver: Solver,
) -> bool:
    """Solve one tile and its surroundings, and blend the answer into `alpha`; False when the solver did not converge."""
    window = tile.grow(OVERLAP).intersect(whole)
    open_ = band[window.slices].copy()
    ramp = _ramp(window, tile, whole)
    open_ &= ramp > 0
    before = alpha[window.slices]
    prior_part = weight = None
    if prior is not None and deep is not None:
        prior_part = prior[window.slices]
        weight = certainty_weight(prior_part) + _sampled(deep, window, whole.size)
    answer = solver(
        _unit(pixels[window.slices]),
        open_,
        before,
        prior_part,
        weight,
        most=_MOST_STEPS,
        progress=progress,
        **(_WITHOUT if prior is None else _WITH_PRIOR),
    )
    if not answer.converged and prior is not None:
        return False
    before += ramp * (answer.alpha - before)
    return answer.converged


def _ramp(window: Rect, tile: Rect, whole: Rect) -> NDArray[np.float32]:
    """1 on the tile, falling to 0 at the window's border; flat where the window ends with the photo."""

    def axis(low: int, high: int, inner_low: int, inner_high: int, end: int) -> NDArray[np.float32]:
        places = np.arange(low, high, dtype=np.float32)
        ramp = np.ones(high - low, np.float32)
        if low > 0:
            ramp = np.minimum(ramp, (places - low) / max(1, inner_low - low))
        if high < end:
            ramp = np.minimum(ramp, (high - 1 - places) / max(1, high - inner_high))
        return ramp

    x = axis(window.left, window.right, tile.left, tile.right, whole.right)
    y = axis(window.top, window.bottom, tile.top, tile.bottom, whole.bottom)
    return np.minimum(y[:, None], x[None, :])


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
    before = pinned(labels, alpha[window.slices])
    band = labels == Label.UNKNOWN
    # A side is the photo's own edge if the window was cut short there; a caller that passes just this window sees the same.
    free = (roi.left < REACH, roi.top < REACH, size.width - roi.right < REACH, size.height - roi.bottom < REACH)
    distance = _distance_outside(window, roi)
    for side, at_edge in zip((np.s_[:, :1], np.s_[:1], np.s_[:, -1:], np.s_[-1:]), free, strict=True):
        if not at_edge:
            band[side] = False
    seam = SEAM_WEIGHT * np.square(distance / REACH)
    weight = np.where(distance > 0, seam, STROKE_WEIGHT).astype(np.float32)
    answer = solver(_unit(pixels[window.slices]), band, before, before, weight, most=_MOST_STEPS, progress=progress, **_WITH_PRIOR)
    return window, answer.alpha, answer.converged


def _distance_outside(window: Rect, roi: Rect) -> NDArray[np.float32]:
    """Per pixel of `window`: how far outside `roi` it lies along the farther axis; 0 inside."""
    xs = np.arange(window.left, window.right)
    ys = np.arange(window.top, window.bottom)
    x = np.maximum(np.maximum(roi.left - xs, xs - roi.right + 1), 0).astype(np.float32)
    y = np.maximum(np.maximum(roi.top - ys, ys - roi.bottom + 1), 0).astype(np.float32)
    return np.maximum(y[:, None], x[None, :])
