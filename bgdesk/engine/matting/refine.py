"""The band of a whole photo: solved at a moderate size, lifted to its own along its own edges.

Solving again at full size, tied to the coarser answer, was measured against the lift on composites of 6 MP: it cost
five times as much and its error was larger (mean SAD 0.56 of the matte's against 0.52, MSE 0.42 against 0.35).
"""

import os
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
from numpy.typing import NDArray

from bgdesk.core.arrays import Alpha, Pixels, Trimap
from bgdesk.core.geometry import Rect, Size
from bgdesk.core.pixels.resample import by_area, nearest
from bgdesk.core.tasks import Progress, silent
from bgdesk.core.trimap import SURE_BACKGROUND, SURE_FOREGROUND, WORKING_SIDE, Label
from bgdesk.engine.matting.closed_form import estimate_alpha
from bgdesk.engine.matting.guided import lift
from bgdesk.engine.matting.sampling import sample_alpha
from bgdesk.engine.matting.tiles import ALONE, LED, TILE, Level, Solved, Solver, halved, pinned, solve_tiles, structure, unit

#: Photos with a matte up to this many pixels are solved at their own size; larger ones at half the size, and lifted. A matte
#: knows nothing finer than its network's grid, and leads the solver best near that size.
WHOLE = 1_600_000
#: The same for photos with a trimap alone.
_WHOLE_ALONE = 3_000_000
#: How strongly a matte that is sure of itself pulls. Its ratio to the next number says whom to believe. Chosen on composites
#: of known alpha; frames with hand-made masks, where the colours of a small subject mislead, need this much.
_MATTE_BESIDE = 0.02
#: How strongly samples pull beside a matte, where they are confident. Chosen on the same.
_SAMPLES_BESIDE = 0.06
#: How strongly samples pull alone. Chosen on photos with captured alpha; three times as much or a third of it moves the
#: error by two in a hundred.
_SAMPLES_ALONE = 1e-3
#: Beside a matte the band's two sides are near; a ray goes this far for them, in pixels.
_NEAR = 100
#: The colours of broad soft regions are looked for in the photo reduced to this longer side, in pixels …
_FAR_SIDE = 384
#: … and this far, in its pixels.
_FAR = 128
#: Side of the square in which samples have to agree, in pixels of the solved size. Frames with hand-made masks gain most by
#: it: subject and surroundings have colours in common.
_AGREED = 15
#: The same at _FAR_SIDE.
_AGREED_FAR = 5
#: How strongly the matte pulls besides where samples do not agree.
_MATTE_ALONE = 0.05
#: A pixel this deep inside the soft zone, in pixels of the working size, is not at an edge: the network is unsure of a whole
#: region, colours do not tell across it, and the matte is the best that is known.
_DEEP = 24.0
#: How strongly the matte pulls there.
_DEEP_WEIGHT = 0.05
#: Soft areas that are thicker than this on each side, in pixels of the working size, are not edges.
_BROAD = 8.0
#: A matte that is this sure (not at all at the first value, fully at the second) is not lowered deep inside its own subject.
#: What would pull alpha down there is a colour that the subject has in common with its surroundings.
_SURE = (0.8, 0.9)
#: How deep that is, in pixels of the working size from the subject's contour (not at all, fully). The contour strays by less,
#: and hair that leaves gaps lies nearer to it.
_INSIDE = (6.0, 12.0)


def certainty_weight(prior: Alpha, most: float) -> NDArray[np.float32]:
    """How much a soft prior (float32 H×W in [0, 1]) counts at each pixel: 0 at one half, `most` where it is 0 or 1."""
    weight: NDArray[np.float32] = np.square(2 * prior - 1)
    weight *= np.float32(most)
    return weight


def deep_weight(prior: Alpha) -> NDArray[np.float32]:
    """The extra pull of a prior (float32 H×W in [0, 1]) inside its own broad soft regions; float32 at the working size."""
    work = Size(prior.shape[1], prior.shape[0]).fit(WORKING_SIDE)
    small = by_area(prior, work)
    soft = ((small > SURE_BACKGROUND) & (small < SURE_FOREGROUND)).astype(np.uint8)
    depth = cv2.distanceTransform(soft, cv2.DIST_L2, 5)
    weight: NDArray[np.float32] = np.square(np.minimum(depth / np.float32(_DEEP), 1)) * np.float32(_DEEP_WEIGHT)
    return weight


def broad_softness(alpha: Alpha) -> float:
    """Measure how much of the subject is half transparent over broad areas.

    Hair and edges are soft over a few pixels of the working size; an area with more than _BROAD soft pixels on every side
    is what a network was unsure of (or glass, or a veil).

    Parameters
    ----------
    alpha
        float32 H×W in [0, 1].

    Returns
    -------
    float
        As a share of the subject (alpha above one half); 0 without a subject.
    """
    small = by_area(alpha, Size(alpha.shape[1], alpha.shape[0]).fit(WORKING_SIDE))
    soft = ((small > 0.1) & (small < 0.9)).astype(np.uint8)
    broad = cv2.distanceTransform(soft, cv2.DIST_L2, 5) > _BROAD
    subject = int(np.count_nonzero(small > 0.5))
    return int(np.count_nonzero(broad)) / subject if subject else 0.0


def inside(trimap: Trimap, small: Alpha) -> NDArray[np.float32]:
    """Measure how deep places lie inside the prior's subject. Known background lies outside.

    Parameters
    ----------
    trimap
        uint8 H×W, values of Label.
    small
        The prior at the working size, float32 in [0, 1].

    Returns
    -------
    ndarray
        float32 in [0, 1], of the size of `small`.
    """
    known = nearest(trimap, Size(small.shape[1], small.shape[0]))
    subject = (small >= 0.5) & (known != Label.BACKGROUND)
    return _rising(np.asarray(cv2.distanceTransform(subject.astype(np.uint8), cv2.DIST_L2, 5), np.float32), _INSIDE)


def keep_interiors(alpha: Alpha, trimap: Trimap, prior: Alpha, small: NDArray[np.float32]) -> None:
    """Raise alpha to the prior on the band where the prior is sure and far from its own contour.

    A prior of SURE_FOREGROUND or more counts as 1 there, just below that as nearly so.

    Parameters
    ----------
    alpha
        float32 H×W in [0, 1]; changed in place.
    trimap
        uint8 H×W, values of Label.
    prior
        float32 H×W in [0, 1].
    small
        What `inside` gives.
    """
    whole = Rect.of_shape(alpha.shape)
    sx, sy = small.shape[1] / whole.width, small.shape[0] / whole.height

    def one(tile: Rect) -> None:
        under = small[int(tile.top * sy) : int(tile.bottom * sy) + 2, int(tile.left * sx) : int(tile.right * sx) + 2]
        band = trimap[tile.slices] == Label.UNKNOWN
        if not under.any() or not band.any():
            return
        matte = prior[tile.slices]
        # What counts as foreground at the band's rim does so inside of it too.
        solid = matte + (1 - matte) * _rising(matte, (_SURE[1], SURE_FOREGROUND))
        least = solid * _rising(matte, _SURE) * _part_of(small, tile, whole.size)
        np.maximum(alpha[tile.slices], least, out=alpha[tile.slices], where=band)

    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        list(pool.map(one, whole.tiles(TILE)))


def _rising(values: NDArray[np.float32], ends: tuple[float, float]) -> NDArray[np.float32]:
    """0 up to the first end, 1 from the second on, straight between."""
    low, high = ends
    return np.asarray(np.clip((values - np.float32(low)) * np.float32(1 / (high - low)), 0, 1), np.float32)


def _part_of(small: NDArray[np.float32], window: Rect, size: Size) -> NDArray[np.float32]:
    """The part of a reduced map that belongs to `window` of a photo of `size`, at full size."""
    sx, sy = small.shape[1] / size.width, small.shape[0] / size.height
    move = np.array([[sx, 0, (window.left + 0.5) * sx - 0.5], [0, sy, (window.top + 0.5) * sy - 0.5]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(small, move, window.size, flags=flags, borderMode=cv2.BORDER_REPLICATE).astype(np.float32, copy=False)


def _half_trimap(trimap: Trimap, size: Size) -> Trimap:
    """Known only where all the pixels it stands for agree."""
    mean = by_area(trimap, size)
    half = np.full(mean.shape, Label.UNKNOWN, np.uint8)
    half[mean == Label.FOREGROUND] = Label.FOREGROUND
    half[mean == Label.BACKGROUND] = Label.BACKGROUND
    return half


def refine(pixels: Pixels, trimap: Trimap, prior: Alpha | None, progress: Progress = silent, solver: Solver = estimate_alpha) -> Solved:
    """Work out alpha of a whole photo from its trimap and, if there is one, the network's matte.

    Parameters
    ----------
    pixels
        H×W×3 uint8 or uint16.
    trimap
        uint8 H×W, values of Label.
    prior
        The matte, float32 H×W in [0, 1], or None.
    solver
        Solves a tile.

    Returns
    -------
    Solved
        A tile whose solve does not converge keeps what it began with (the matte, what sampling found, or the coarser level's
        alpha) and is counted in `failed`.

    Raises
    ------
    Cancelled
    """
    if not (trimap == Label.UNKNOWN).any():
        return Solved(pinned(trimap, np.zeros(trimap.shape, np.float32)), 0, 0)
    if prior is None:
        return _solved(pixels, trimap, None, np.zeros((1, 1), np.float32), progress, solver)
    small = by_area(prior, Size(prior.shape[1], prior.shape[0]).fit(WORKING_SIDE))
    refined = _solved(pixels, trimap, prior, deep_weight(small), progress, solver)
    keep_interiors(refined.alpha, trimap, prior, inside(trimap, small))
    return refined


def _solved(pixels: Pixels, trimap: Trimap, prior: Alpha | None, deep: NDArray[np.float32], progress: Progress, solver: Solver) -> Solved:
    """The same at one level, and at the coarser ones that it is lifted from. deep: the prior's `deep_weight`."""
    size = Size(trimap.shape[1], trimap.shape[0])
    if size.area <= (_WHOLE_ALONE if prior is None else WHOLE):
        guess, weight = _sampled_prior(pixels, trimap, prior, deep, progress)
        # Without a prior nothing ties a tile to what lies beyond it: solve it in one piece.
        side = max(size) if prior is None or size.area <= WHOLE // 2 else TILE
        settings = ALONE if prior is None else LED
        level = Level(pixels, trimap == Label.UNKNOWN, lambda window: (guess[window.slices], weight[window.slices]), solver, settings)
        return solve_tiles(level, pinned(trimap, guess if prior is None else prior), side, progress)
    half = halved(size)
    small = by_area(pixels, half)
    below = None if prior is None else by_area(prior, half)
    coarse = _solved(small, _half_trimap(trimap, half), below, deep, progress, solver)
    alpha = lift(pixels, trimap, small, coarse.alpha, structure(coarse.alpha) > 0, progress)
    return Solved(alpha, coarse.failed, coarse.tiles)


def _sampled_prior(
    pixels: Pixels, trimap: Trimap, prior: Alpha | None, deep: NDArray[np.float32], progress: Progress
) -> tuple[Alpha, NDArray[np.float32]]:
    """What alpha is pulled to, and how strongly: what sampling finds, and the matte if there is one."""
    samples = sample_alpha(unit(pixels), trimap, max(trimap.shape) if prior is None else _NEAR, progress)
    if prior is None:
        return samples.alpha, samples.confidence * np.float32(_SAMPLES_ALONE)
    whole = Rect.of_shape(trimap.shape)
    broad = _part_of(deep, whole, whole.size)
    by_matte = certainty_weight(prior, _MATTE_BESIDE) + broad
    # Where samples agree nowhere around, the colours do not tell the sides apart: the matte's sides are held to.
    by_matte += certainty_weight(prior, _MATTE_ALONE) * np.square(1 - _around(samples.confidence, trimap, _AGREED))
    broad *= np.float32(1 / _DEEP_WEIGHT)
    by_samples = samples.confidence * (np.float32(_SAMPLES_BESIDE) * (1 - broad))
    weight = by_matte + by_samples
    mixed = by_matte * prior + by_samples * samples.alpha
    if broad.any():
        # Inside a broad soft region the sure colours are far away. What they say there varies slowly.
        size = whole.size.fit(_FAR_SIDE)
        labels = _half_trimap(trimap, size)
        far = sample_alpha(unit(by_area(pixels, size)), labels, _FAR, progress)
        trust = far.confidence * np.square(_around(far.confidence, labels, _AGREED_FAR))
        by_far = broad * _part_of(trust, whole, whole.size) * np.float32(_SAMPLES_BESIDE)
        weight += by_far
        mixed += by_far * _part_of(far.alpha, whole, whole.size)
    mixed /= np.maximum(weight, np.float32(1e-12))
    return mixed.astype(np.float32, copy=False), weight.astype(np.float32, copy=False)


def _around(confidence: NDArray[np.float32], trimap: Trimap, side: int) -> NDArray[np.float32]:
    """The mean confidence of the band pixels in a square of this side around each pixel."""
    band = (trimap == Label.UNKNOWN).astype(np.float32)
    total, count = (cv2.blur(plane, (side, side)) for plane in (confidence * band, band))
    return np.asarray(total / np.maximum(count, np.float32(1e-3)), np.float32)
