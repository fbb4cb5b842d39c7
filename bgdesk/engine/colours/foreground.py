"""Colour decontamination: the subject's own colours where it is partly transparent.

Foreground F and background B minimise, with I the source and α the opacity,

    Σ_i (α_i F_i + (1 - α_i) B_i - I_i)² + Σ_ij (ε + ω |α_i - α_j|) ((F_i - F_j)² + (B_i - B_j)²)

over 4-neighbours, from a tiny picture up to the full one. Two things differ from the paper. The first sum of a coarse level is the fine
one's, with F and B constant in each cell (Galerkin's coarsening; see levels), not that of a resized photo. And
the coarse levels are solved once for the whole photo, the fine ones in tiles apart from each other, in the band alone:
where α is 1 the source is the foreground, where it is 0 the coarse level's smooth extension is good enough, and nobody
sees it. So the memory needed beside the answer hardly grows with the photo.

References
----------
Germer, Uelwer, Conrad, Harmeling, "Fast multi-level foreground estimation", ICPR 2020.
"""

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from bgdesk.core.arrays import Alpha, Pixels
from bgdesk.core.geometry import Rect, Size
from bgdesk.core.pixels.resample import linear
from bgdesk.core.tasks import Progress, silent
from bgdesk.engine.colours.levels import CLEAR, OPAQUE, Colours, Level, gather, halve, lift, pin, relax, write
from bgdesk.engine.runtime.parallel import each

#: The coarse level has at most this many cells.
_COARSE = 1 << 20
#: Levels up to this many cells are relaxed as a whole; above it the band alone.
_EVERYWHERE = 1 << 18
#: Levels whose longer side has at most this many cells …
_SMALL = 32
#: … get this many sweeps,
_SMALL_SWEEPS = 10
#: larger ones this many.
_SWEEPS = 3
#: Side of a tile, in pixels.
_TILE = 512
#: How far around a tile the fine levels are relaxed, in pixels.
_MARGIN = 32
#: Rows of the coarse level that one job gathers.
_ROWS = 64


def foreground(pixels: Pixels, alpha: Alpha, progress: Progress = silent, strength: float = 1.0) -> Pixels:
    """Estimate the subject's own colours.

    Parameters
    ----------
    pixels
        H×W×3 uint8 or uint16.
    alpha
        float32 H×W in [0, 1].
    strength
        1 gives the estimate, 0 the source, values between a mixture of the two.

    Returns
    -------
    ndarray
        Shape and type of `pixels`. Equal to the source wherever alpha rounds to opaque in 8 bits; smoothly extended
        outwards where alpha is 0, so that resizing the cutout draws in no dark or foreign rim.

    Raises
    ------
    Cancelled
    """
    progress("foreground", 0.0)
    if strength == 0.0:
        return pixels.copy()
    photo = Rect.of_shape(alpha.shape)
    factor = 1
    while _part(photo, factor).area > _COARSE:
        factor *= 2
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1), "colours") as pool:
        coarse = _solve(_reduced(pixels, alpha, factor, pool, progress), progress)
        extension = np.rint(coarse[..., :3] * np.float32(np.iinfo(pixels.dtype).max)).astype(pixels.dtype)
        answer = np.empty_like(pixels)

        def finish(tile: Rect) -> None:
            window = tile.grow(max(_MARGIN, factor)).intersect(photo)
            _finish(pixels, alpha, coarse, extension, factor, strength, tile, window, answer)

        each(pool, photo.tiles(_TILE), finish, progress, (0.4, 1.0))
    return answer


def _reduced(pixels: Pixels, alpha: Alpha, factor: int, pool: ThreadPoolExecutor, progress: Progress) -> Level:
    """The level of the whole photo whose cells are factor×factor pixels."""
    cells = _part(Rect.of_shape(alpha.shape), factor)
    level: Level = np.empty((cells.height, cells.width, 8), np.float32)
    rows = (Rect(0, first, cells.width, min(first + _ROWS, cells.height)) for first in range(0, cells.height, _ROWS))
    each(pool, rows, lambda band: gather(pixels, alpha, _top(pixels), factor, band.top, band.bottom, level), progress, (0.0, 0.2))
    return level


def _top(pixels: Pixels) -> float:
    return float(np.iinfo(pixels.dtype).max)


def _solve(level: Level, progress: Progress) -> Colours:
    """F and B of `level`, by way of all coarser ones."""
    levels = [level]
    while max(levels[-1].shape[:2]) > 2:
        progress("foreground", 0.2)
        levels.append(halve(levels[-1]))
    # Everywhere the mean colour of what is rather opaque, and of what is rather clear.
    mean = levels[-1].mean(axis=(0, 1), dtype=np.float64)
    trace = 1e-4
    front = (mean[2:5] + trace * mean[5:]) / (mean[0] + trace)
    back = (mean[5:] - mean[2:5] + trace * mean[5:]) / (1 - mean[0] + trace)
    colours: Colours = np.full((1, 1, 6), np.concatenate([front, back]), np.float32)
    for done, level in enumerate(reversed(levels)):
        progress("foreground", 0.2 + 0.2 * done / len(levels))
        height, width = level.shape[:2]
        colours = lift(colours, height, width)
        pin(level, colours)
        relax(level, colours, _SMALL_SWEEPS if max(height, width) <= _SMALL else _SWEEPS, height * width <= _EVERYWHERE)
    return colours


def _finish(
    pixels: Pixels,
    alpha: Alpha,
    coarse: Colours,
    extension: Pixels,
    factor: int,
    strength: float,
    tile: Rect,
    window: Rect,
    answer: Pixels,
) -> None:
    """Full resolution for one tile, from a window around it: the levels below the coarse one, the band alone."""
    seen = alpha[tile.slices]
    if seen.min() >= OPAQUE:
        answer[tile.slices] = pixels[tile.slices]
        return
    part = _part(window, factor)
    inner = tile.shift(-window.left, -window.top).slices
    if seen.max() <= CLEAR:
        lifted = linear(extension[part.slices], Size(part.width * factor, part.height * factor))[inner]
        if strength < 1.0:
            own = pixels[tile.slices].astype(np.float32)
            answer[tile.slices] = np.rint(own + np.float32(strength) * (lifted - own))
        else:
            answer[tile.slices] = lifted
        return
    levels = []
    if factor > 1:
        level: Level = np.empty((window.height, window.width, 8), np.float32)
        gather(pixels[window.slices], alpha[window.slices], _top(pixels), 1, 0, window.height, level)
        levels.append(level)
        while 2 ** len(levels) < factor:
            levels.append(halve(levels[-1]))
    colours = coarse[part.slices]
    for level in reversed(levels):
        colours = lift(colours, level.shape[0], level.shape[1])
        pin(level, colours)
        relax(level, colours, _SWEEPS, False)
    write(pixels[tile.slices], seen, colours[inner], _top(pixels), strength, answer[tile.slices])


def _part(window: Rect, factor: int) -> Rect:
    """The cells that cover `window`, whose corner lies on one of theirs."""
    return Rect(window.left // factor, window.top // factor, -(-window.right // factor), -(-window.bottom // factor))
