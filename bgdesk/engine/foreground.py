"""Colour decontamination: the subject's own colours where it is partly transparent.

Source: Germer, Uelwer, Conrad, Harmeling, "Fast multi-level foreground estimation", ICPR 2020. Foreground F and
background B minimise, with I the source and α the opacity,

    Σ_i (α_i F_i + (1 - α_i) B_i - I_i)² + Σ_ij (ε + ω |α_i - α_j|) ((F_i - F_j)² + (B_i - B_j)²)

over 4-neighbours, from a tiny picture up to the full one. Here the finest levels visit the band alone: where α is 1 the
source is the foreground, where it is 0 the coarser level's smooth extension is good enough, and nobody sees it.
"""

import numpy as np
from numpy.typing import NDArray

from bgdesk.core.arrays import Alpha, Pixels
from bgdesk.core.geometry import Rect, Size
from bgdesk.core.resample import by_area, linear
from bgdesk.core.tasks import Progress, silent
from bgdesk.engine.compiled import kernel

_EPSILON, _OMEGA = 1e-5, 1.0
#: Below one step of an 8-bit alpha nothing shows through: such a pixel counts as opaque (or as clear).
OPAQUE, CLEAR = 1 - 0.5 / 255, 0.5 / 255
_TILE, _HALO = 512, 8
_SMALL = 32
#: Levels up to this many pixels are relaxed as a whole; above it the band alone.
_EVERYWHERE = 1 << 18

Colours = NDArray[np.float32]


@kernel
def _relax(image: Colours, alpha: Alpha, f: Colours, b: Colours, sweeps: int, everywhere: bool) -> None:
    """Gauss-Seidel sweeps over the pixels that are neither opaque nor clear (or over all), in place."""
    height, width = alpha.shape
    for sweep in range(sweeps):
        for step_y in range(height):
            y = height - 1 - step_y if sweep % 2 else step_y
            for step_x in range(width):
                x = width - 1 - step_x if sweep % 2 else step_x
                a = alpha[y, x]
                if not everywhere and (a >= OPAQUE or a <= CLEAR):
                    continue
                total = 0.0
                f0 = f1 = f2 = b0 = b1 = b2 = 0.0
                for side in range(4):
                    ny = y + (side == 1) - (side == 0)
                    nx = x + (side == 3) - (side == 2)
                    if ny < 0 or nx < 0 or ny >= height or nx >= width:
                        continue
                    weight = _EPSILON + _OMEGA * abs(a - alpha[ny, nx])
                    total += weight
                    f0 += weight * f[ny, nx, 0]
                    f1 += weight * f[ny, nx, 1]
                    f2 += weight * f[ny, nx, 2]
                    b0 += weight * b[ny, nx, 0]
                    b1 += weight * b[ny, nx, 1]
                    b2 += weight * b[ny, nx, 2]
                if total == 0.0:  # a picture of one pixel
                    continue
                # The 2×2 system of this pixel, after Sherman and Morrison: the neighbours' mean, moved along (α, 1-α)
                # so that the mixture meets the source.
                c = 1.0 - a
                gain = 1.0 / (total + a * a + c * c)
                f0, f1, f2, b0, b1, b2 = f0 / total, f1 / total, f2 / total, b0 / total, b1 / total, b2 / total
                r0 = (image[y, x, 0] - a * f0 - c * b0) * gain
                r1 = (image[y, x, 1] - a * f1 - c * b1) * gain
                r2 = (image[y, x, 2] - a * f2 - c * b2) * gain
                f[y, x, 0] = min(1.0, max(0.0, f0 + a * r0))
                f[y, x, 1] = min(1.0, max(0.0, f1 + a * r1))
                f[y, x, 2] = min(1.0, max(0.0, f2 + a * r2))
                b[y, x, 0] = min(1.0, max(0.0, b0 + c * r0))
                b[y, x, 1] = min(1.0, max(0.0, b1 + c * r1))
                b[y, x, 2] = min(1.0, max(0.0, b2 + c * r2))


def _pin(image: Colours, alpha: Alpha, f: Colours, b: Colours) -> None:
    """Where one side alone is seen, the source is that side."""
    opaque, clear = alpha >= OPAQUE, alpha <= CLEAR
    f[opaque] = image[opaque]
    b[clear] = image[clear]


def _coarse(image: Colours, alpha: Alpha, progress: Progress) -> tuple[Colours, Colours]:
    """F and B of a whole (already reduced) picture, coarse to fine."""
    levels = [(image, alpha)]
    while max(levels[-1][1].shape) > 2:
        last_image, last_alpha = levels[-1]
        progress("foreground", 0.0)
        size = Size((last_alpha.shape[1] + 1) // 2, (last_alpha.shape[0] + 1) // 2)
        levels.append((by_area(last_image, size), by_area(last_alpha, size)))
    smallest, opacity = levels[-1]
    weight = np.clip(opacity, 1e-3, 1 - 1e-3)[..., None]
    f = np.full(smallest.shape, (smallest * weight).sum((0, 1)) / weight.sum(), np.float32)
    b = np.full(smallest.shape, (smallest * (1 - weight)).sum((0, 1)) / (1 - weight).sum(), np.float32)
    for done, (level_image, level_alpha) in enumerate(reversed(levels)):
        progress("foreground", 0.5 * done / len(levels))
        size = Size(level_alpha.shape[1], level_alpha.shape[0])
        f, b = linear(f, size), linear(b, size)
        _pin(level_image, level_alpha, f, b)
        _relax(level_image, level_alpha, f, b, 10 if max(size) <= _SMALL else 2, size.area <= _EVERYWHERE)
    return f, b


def foreground(pixels: Pixels, alpha: Alpha, progress: Progress = silent, strength: float = 1.0) -> Pixels:
    """The subject's colours, H×W×3 of the source's type.

    pixels: H×W×3 uint8 or uint16. alpha: float32 H×W in [0, 1]. strength: 1 gives the estimate, 0 the source, values
    between a mixture of the two. Equal to the source wherever alpha rounds to opaque in
    8 bits; smoothly extended outwards where it is 0, so that resizing the cutout draws in no dark or foreign rim.
    """
    height, width = alpha.shape
    progress("foreground", 0.0)
    if strength == 0.0:
        return pixels.copy()
    top = np.float32(np.iinfo(pixels.dtype).max)
    half = Size((width + 1) // 2, (height + 1) // 2)
    small_alpha = by_area(alpha, half)
    progress("foreground", 0.0)
    reduced = by_area(pixels, half).astype(np.float32)
    progress("foreground", 0.0)
    reduced /= top
    f_half, b_half = _coarse(reduced, small_alpha, progress)
    del reduced
    answer = np.empty_like(pixels)
    whole = Rect(0, 0, width, height)
    tiles = list(whole.tiles(_TILE))
    for done, tile in enumerate(tiles):
        progress("foreground", 0.5 + 0.5 * done / len(tiles))
        _finish(pixels, alpha, f_half, b_half, top, tile, tile.grow(_HALO).intersect(whole), strength, answer)
    progress("foreground", 1.0)
    return answer


def _finish(
    pixels: Pixels,
    alpha: Alpha,
    f_half: Colours,
    b_half: Colours,
    top: np.float32,
    tile: Rect,
    window: Rect,
    strength: float,
    answer: Pixels,
) -> None:
    """Full resolution for one tile: lift the half-size colours, relax the band, keep the source where it is opaque."""
    a = alpha[window.slices]
    opaque = a >= OPAQUE
    inner = tile.shift(-window.left, -window.top).slices
    if opaque[inner].all():
        answer[tile.slices] = pixels[tile.slices]
        return
    # Half-size pixel k covers full-size 2k and 2k+1; an even origin keeps the two grids in step.
    left, upper = window.left - window.left % 2, window.top - window.top % 2
    part = (slice(upper // 2, (window.bottom + 1) // 2), slice(left // 2, (window.right + 1) // 2))
    cut = (slice(window.top - upper, window.bottom - upper), slice(window.left - left, window.right - left))

    def lift(half: Colours) -> Colours:
        small = half[part]
        return np.ascontiguousarray(linear(small, Size(small.shape[1] * 2, small.shape[0] * 2))[cut])

    f = lift(f_half)
    source = pixels[window.slices]
    if ((a > CLEAR) & ~opaque).any():
        image = source.astype(np.float32) / top
        b = lift(b_half)
        a = np.ascontiguousarray(a)
        _pin(image, a, f, b)
        _relax(image, a, f, b, 3, False)
    if strength < 1.0:
        f = np.float32(strength) * f + np.float32(1 - strength) * (source.astype(np.float32) / top)
    colours = np.rint(f * top).astype(pixels.dtype)
    colours[opaque] = source[opaque]
    answer[tile.slices] = colours[inner]
