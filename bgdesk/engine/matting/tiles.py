"""Matting in bounded tiles: memory depends on the tile, never on the photo.

Tiles of one colour of a 2×2 pattern do not touch, so they are solved at the same time on all cores; the answer does not
depend on which finishes first.
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
from bgdesk.core.tasks import Progress
from bgdesk.core.trimap import Label
from bgdesk.engine.matting.closed_form import Matting

Solver: TypeAlias = Callable[..., Matting]

#: Side of a tile, in pixels.
TILE = 512
#: How far around a tile the solver works, in pixels; over this width tiles fade into each other.
OVERLAP = 40
#: Solver settings where a matte leads, whose place is right and whose detail is not: the residual at which alpha no longer
#: changes visibly, and a ridge of about one 8-bit level (√ε · 255 ≈ 0.8), so that compression blocks and noise are not
#: taken for edges.
LED = {"tolerance": 1e-3, "epsilon": 1e-5}
#: Solver settings where the colours are all there is to go by: a ridge of a quarter of a level.
ALONE = {"tolerance": 1e-3, "epsilon": 1e-6}
#: Solver steps, at most.
MOST_STEPS = 400
#: Tiles solved at once. Each takes up to a hundred megabytes, so that more cores must not mean more of them without end.
_WORKERS = min(4, os.cpu_count() or 1)
#: A coarser level's alpha that varies less than this around a pixel has nothing finer to find there.
_FLAT = 0.04


@dataclass(frozen=True, eq=False)
class Solved:
    """The band of a photo, worked out tile by tile."""

    alpha: Alpha  #: float32 H×W, exactly 0 and 1 where the trimap is known
    failed: int  #: tiles whose solve did not converge, which keep what they began with
    tiles: int  #: tiles in all


def pinned(trimap: Trimap, inside: Alpha) -> Alpha:
    """`inside` (float32 H×W) on the band, exactly 0 and 1 where `trimap` (uint8 H×W) is known; a new array."""
    alpha = np.where(trimap == Label.FOREGROUND, np.float32(1), inside)
    alpha[trimap == Label.BACKGROUND] = 0
    return alpha


def unit(pixels: Pixels) -> NDArray[np.float32]:
    """uint8 or uint16 as float32 in [0, 1], the same shape."""
    return pixels.astype(np.float32) * np.float32(1 / np.iinfo(pixels.dtype).max)


def halved(size: Size) -> Size:
    """Half the size in each direction, rounded up."""
    return Size((size.width + 1) // 2, (size.height + 1) // 2)


def structure(coarse: Alpha) -> NDArray[np.uint8]:
    """1 where full size is worth its cost: where `coarse` (float32 H×W) has edges or hair, not on plateaus; uint8 H×W."""
    around = np.ones((5, 5), np.uint8)
    return (cv2.dilate(coarse, around) - cv2.erode(coarse, around) > _FLAT).astype(np.uint8)


@dataclass(frozen=True, eq=False)
class Level:
    """One resolution at which a band is solved."""

    pixels: Pixels  #: H×W×3
    band: Mask  #: H×W, the pixels to solve
    pull: Callable[[Rect], tuple[Alpha, NDArray[np.float32]]]  #: window -> (prior, weight) there
    solver: Solver
    settings: dict[str, float]  #: of the solver: LED or ALONE

    @property
    def whole(self) -> Rect:
        """All of it, in pixels."""
        return Rect.of_shape(self.band.shape)


def solve_tiles(level: Level, alpha: Alpha, side: int, progress: Progress) -> Solved:
    """Solve every tile that holds band pixels.

    Parameters
    ----------
    level
        What is solved.
    alpha
        float32 H×W, where the solver starts; the answer is written into it.
    side
        Of a tile, in pixels.

    Returns
    -------
    Solved
        Its alpha is the array that was given.

    Raises
    ------
    Cancelled
    """
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
    return Solved(alpha, failed, total)


def _solve_tile(level: Level, alpha: Alpha, tile: Rect, progress: Progress) -> bool:
    """Solve one tile and its surroundings, and blend the answer into `alpha`; False when the solver did not converge."""
    window = tile.grow(OVERLAP).intersect(level.whole)
    ramp = _ramp(window, tile, level.whole)
    before = alpha[window.slices]
    prior, weight = level.pull(window)
    answer = level.solver(
        unit(level.pixels[window.slices]),
        level.band[window.slices] & (ramp > 0),
        before,
        prior,
        weight,
        most=MOST_STEPS,
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
