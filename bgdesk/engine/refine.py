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
from bgdesk.engine.matting.shared import sample_alpha

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
#: How strongly what sampling finds pulls where it is confident: beside a matte, and alone. Chosen on photos with captured
#: alpha; alone, three times as much or a third of it moves the error by two in a hundred.
_SAMPLES_BESIDE, _SAMPLES_ALONE = 0.003, 3e-4
#: Beside a matte the band's two sides are near; a ray goes this far for them, in pixels.
_NEAR = 100
#: The residual at which alpha no longer changes visibly, and the ridge. Led by a matte, whose place is right and whose
#: detail is not, the ridge is about one 8-bit level (√ε · 255 ≈ 0.8), so that compression blocks and noise are not taken
#: for edges. Alone, the colours are all there is to go by: a quarter of a level.
_LED = {"tolerance": 1e-3, "epsilon": 1e-5}
_ALONE = {"tolerance": 1e-3, "epsilon": 1e-6}
_MOST_STEPS = 400
#: Tiles solved at once. Each takes up to a hundred megabytes, so that more cores must not mean more of them without end.
_WORKERS = min(4, os.cpu_count() or 1)
#: A stroke's band of up to this many pixels is solved at once, a larger one in tiles, coarse to fine.
_AT_ONCE = 300_000
#: Around a correction that contradicts the old alpha, this many pixels are free to follow it; farther off, and where
#: nothing was contradicted, band pixels keep to what they were unless the stroke itself asks to look again.
_FOLLOW, _KEEP_WEIGHT = 40.0, 0.005
#: A coarser level's alpha that varies less than this around a pixel has nothing finer to find there.
_FLAT = 0.04
#: A pixel this deep (in pixels of the working size) inside the soft zone is no edge: the network is unsure of a whole
#: region, no colour line reaches across it, and the matte is the best that is known. It then pulls this strongly.
_DEEP, _DEEP_WEIGHT = 24.0, 0.05
#: Soft areas that are thicker than this on each side (pixels of the working size) are no edges.
_BROAD = 8.0


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


def broad_softness(alpha: Alpha) -> float:
    """How much of the subject (alpha above one half) is half transparent over broad areas, as a share; 0 without a subject.

    Hair and edges are soft over a few pixels of the working size; an area with more than _BROAD soft pixels on every side
    is what a network was unsure of (or glass, or a veil).
    """
    small = by_area(alpha, Size(alpha.shape[1], alpha.shape[0]).fit(WORKING_SIDE))
    soft = ((small > 0.1) & (small < 0.9)).astype(np.uint8)
    broad = cv2.distanceTransform(soft, cv2.DIST_L2, 5) > _BROAD
    subject = int(np.count_nonzero(small > 0.5))
    return int(np.count_nonzero(broad)) / subject if subject else 0.0


def _part_of(small: NDArray[np.float32], window: Rect, size: Size) -> NDArray[np.float32]:
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
    whose solve does not converge keeps what it began with (the matte, what sampling found, or the coarser level's
    alpha) and is counted in `failed`.
    """
    size = Size(trimap.shape[1], trimap.shape[0])
    band = trimap == Label.UNKNOWN
    if not band.any():
        return Refined(pinned(trimap, np.zeros(band.shape, np.float32)), 0, 0)
    if deep is None:
        deep = np.zeros((1, 1), np.float32) if prior is None else deep_weight(prior)
    if size.area <= WHOLE:
        guess, weight = _sampled_prior(pixels, trimap, prior, deep, progress)
        # Without a prior nothing ties a tile to what lies beyond it: solve it in one piece.
        side = max(size) if prior is None or size.area <= WHOLE // 2 else TILE
        level = _Level(
            pixels, band, lambda window: (guess[window.slices], weight[window.slices]), solver, _ALONE if prior is None else _LED
        )
        return _solve_tiles(level, pinned(trimap, guess if prior is None else prior), side, progress)
    half = _halved(size)
    coarse = refine(
        by_area(pixels, half),
        _half_trimap(trimap, half),
        None if prior is None else by_area(prior, half),
        progress,
        solver,
        deep,
    )
    start = pinned(trimap, linear(coarse.alpha, size))
    band &= nearest(_structure(coarse.alpha), size) > 0
    lifted = start.copy()

    def pull(window: Rect) -> tuple[Alpha, NDArray[np.float32]]:
        part = lifted[window.slices]
        return part, certainty_weight(part) + _part_of(deep, window, size)

    fine = _solve_tiles(_Level(pixels, band, pull, solver, _LED), start, TILE, progress)
    return Refined(fine.alpha, coarse.failed + fine.failed, coarse.solved + fine.solved)


def _structure(coarse: Alpha) -> NDArray[np.uint8]:
    """1 where full size is worth its cost: where the coarser alpha has edges or hair, not on plateaus."""
    around = np.ones((5, 5), np.uint8)
    return (cv2.dilate(coarse, around) - cv2.erode(coarse, around) > _FLAT).astype(np.uint8)


def _sampled_prior(
    pixels: Pixels, trimap: Trimap, prior: Alpha | None, deep: NDArray[np.float32], progress: Progress
) -> tuple[Alpha, NDArray[np.float32]]:
    """What alpha is pulled to, and how strongly: what sampling finds, and the matte if there is one."""
    samples = sample_alpha(_unit(pixels), trimap, max(trimap.shape) if prior is None else _NEAR, progress)
    if prior is None:
        return samples.alpha, samples.confidence * np.float32(_SAMPLES_ALONE)
    whole = Rect.of_shape(trimap.shape)
    broad = _part_of(deep, whole, whole.size)
    by_matte = certainty_weight(prior) + broad
    # Inside a broad soft region the nearest sure colours are far away, and say nothing about what is there.
    by_samples = samples.confidence * (np.float32(_SAMPLES_BESIDE) * (1 - broad / np.float32(_DEEP_WEIGHT)))
    weight = by_matte + by_samples
    mixed = (by_matte * prior + by_samples * samples.alpha) / np.maximum(weight, np.float32(1e-12))
    return mixed.astype(np.float32, copy=False), weight.astype(np.float32, copy=False)


@dataclass(frozen=True, eq=False)
class _Level:
    """One resolution of the solve. pull: window -> (prior, weight) there. settings: of the solver."""

    pixels: Pixels
    band: Mask
    pull: Callable[[Rect], tuple[Alpha, NDArray[np.float32]]]
    solver: Solver
    settings: dict[str, float]

    @property
    def whole(self) -> Rect:
        return Rect.of_shape(self.band.shape)


def _solve_tiles(level: _Level, alpha: Alpha, side: int, progress: Progress) -> Refined:
    """Solve every side×side tile that holds band pixels, in place in `alpha`."""
    colours: list[list[Rect]] = [[], [], [], []]
    for tile in level.whole.tiles(side):
        if level.band[tile.slices].any():
            colours[tile.top // side % 2 * 2 + tile.left // side % 2].append(tile)
    total = sum(map(len, colours))
    done = failed = 0
    lock = threading.Lock()

    def report(stage: str, fraction: float) -> None:
        # Called from all cores; whoever listens is promised one call at a time.
        with lock:
            progress("alpha", min(1.0, (done + (fraction if total == 1 else 0.0)) / max(1, total)))

    with ThreadPoolExecutor(_WORKERS) as pool:
        for tiles in colours:
            jobs = [pool.submit(_solve_tile, level, alpha, tile, report) for tile in tiles]
            try:
                for job in jobs:
                    failed += not job.result()
                    done += 1
                    report("alpha", 0.0)
            except BaseException:
                for job in jobs:
                    job.cancel()
                raise
    return Refined(alpha, failed, total)


def _solve_tile(level: _Level, alpha: Alpha, tile: Rect, progress: Progress) -> bool:
    """Solve one tile and its surroundings, and blend the answer into `alpha`; False when the solver did not converge."""
    window = tile.grow(OVERLAP).intersect(level.whole)
    ramp = _ramp(window, tile, level.whole)
    before = alpha[window.slices]
    prior, weight = level.pull(window)
    answer = level.solver(
        _unit(level.pixels[window.slices]),
        level.band[window.slices] & (ramp > 0),
        before,
        prior,
        weight,
        most=_MOST_STEPS,
        progress=progress,
        **level.settings,
    )
    if answer.converged:
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
        answer = solver(_unit(pixels), band, before, before, weight, most=_MOST_STEPS, progress=progress, **_LED)
        return answer.alpha, answer.converged
    size = Size(band.shape[1], band.shape[0])
    half = _halved(size)
    progress("alpha", 0.0)
    half_band = by_area(band.astype(np.float32), half) > 0
    coarse, converged = _solve_region(by_area(pixels, half), half_band, by_area(before, half), by_area(weight, half), progress, solver)
    guess = np.where(band, linear(coarse, size), before)
    fine_band = band & (nearest(_structure(coarse), size) > 0)
    lifted = guess.copy()

    def pull(part: Rect) -> tuple[Alpha, NDArray[np.float32]]:
        return lifted[part.slices], certainty_weight(lifted[part.slices])

    fine = _solve_tiles(_Level(pixels, fine_band, pull, solver, _LED), guess, TILE, progress)
    return fine.alpha, converged and not fine.failed


def _distance_outside(window: Rect, roi: Rect) -> NDArray[np.float32]:
    """Per pixel of `window`: how far outside `roi` it lies along the farther axis; 0 inside."""
    xs = np.arange(window.left, window.right)
    ys = np.arange(window.top, window.bottom)
    x = np.maximum(np.maximum(roi.left - xs, xs - roi.right + 1), 0).astype(np.float32)
    y = np.maximum(np.maximum(roi.top - ys, ys - roi.bottom + 1), 0).astype(np.float32)
    return np.maximum(y[:, None], x[None, :])
