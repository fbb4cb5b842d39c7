"""Kernels of the foreground's estimate: a picture's levels, from fine to coarse, and the relaxation on one of them.

A level is H×W×8 float32: the means, over the pixels of the photo that a cell covers, of α, α², αI (three channels) and
I. They are all that the term Σ (αF + (1-α)B - I)² of a cell with one F and one B depends on, so that a coarse cell
knows as much about its two colours as its pixels did together: a cell that holds hairs and gaps tells hair from gap,
where the mean alpha and the mean colour alone would only tell their mixture.
Colours are H×W×6 float32: F and B, three channels each. Both count the source's full range as 1.
"""

import numpy as np
from numpy.typing import NDArray

from bgdesk.core.arrays import Alpha, Pixels
from bgdesk.engine.runtime.kernels import b1, f4, f8, i8, kernel, read, u1, u2

#: Weight of the smoothness between neighbours everywhere.
EPSILON = 1e-3
#: The same for each unit of difference in alpha.
OMEGA = 1.0
#: From here on a pixel counts as opaque: it differs from that by less than half a step of an 8-bit alpha.
OPAQUE = 1 - 0.5 / 255
#: Up to here a pixel counts as clear.
CLEAR = 0.5 / 255

Level = NDArray[np.float32]
Colours = NDArray[np.float32]


@kernel(*((read(pixel[:, :, :]), read(f4[:, :]), f8, i8, i8, i8, f4[:, :, ::1]) for pixel in (u1, u2)))
def gather(pixels: Pixels, alpha: Alpha, top: float, factor: int, first: int, last: int, level: Level) -> None:
    """Rows first to last (exclusive) of the level whose cells are factor×factor pixels."""
    height, width = alpha.shape
    for y in range(first, last):
        bottom = min(height, (y + 1) * factor)
        for x in range(level.shape[1]):
            right = min(width, (x + 1) * factor)
            a = aa = f0 = f1 = f2 = c0 = c1 = c2 = np.float32(0)
            for j in range(y * factor, bottom):
                for i in range(x * factor, right):
                    t = alpha[j, i]
                    r, g, b = np.float32(pixels[j, i, 0]), np.float32(pixels[j, i, 1]), np.float32(pixels[j, i, 2])
                    a += t
                    aa += t * t
                    f0 += t * r
                    f1 += t * g
                    f2 += t * b
                    c0 += r
                    c1 += g
                    c2 += b
            share = np.float32(1.0 / ((bottom - y * factor) * (right - x * factor)))
            scale = np.float32(share / top)
            level[y, x, 0] = a * share
            level[y, x, 1] = aa * share
            level[y, x, 2] = f0 * scale
            level[y, x, 3] = f1 * scale
            level[y, x, 4] = f2 * scale
            level[y, x, 5] = c0 * scale
            level[y, x, 6] = c1 * scale
            level[y, x, 7] = c2 * scale


@kernel((f4[:, :, ::1],))
def halve(level: Level) -> Level:
    """The next coarser level."""
    height, width, planes = level.shape
    half = np.empty(((height + 1) // 2, (width + 1) // 2, planes), np.float32)
    for y in range(half.shape[0]):
        up, down = 2 * y, min(2 * y + 1, height - 1)
        for x in range(half.shape[1]):
            left, right = 2 * x, min(2 * x + 1, width - 1)
            for plane in range(planes):
                four = level[up, left, plane] + level[up, right, plane] + level[down, left, plane] + level[down, right, plane]
                half[y, x, plane] = np.float32(0.25) * four
    return half


@kernel((read(f4[:, :, :]), i8, i8))
def lift(small: Colours, height: int, width: int) -> Colours:
    """Twice the size, bilinear with sample points at cell centres, cut to height×width."""
    large = np.empty((height, width, small.shape[2]), np.float32)
    for y in range(height):
        y0 = y // 2
        y1 = min(small.shape[0] - 1, max(0, y0 - 1 + 2 * (y % 2)))
        for x in range(width):
            x0 = x // 2
            x1 = min(small.shape[1] - 1, max(0, x0 - 1 + 2 * (x % 2)))
            for c in range(small.shape[2]):
                near = np.float32(0.75) * small[y0, x0, c] + np.float32(0.25) * small[y0, x1, c]
                far = np.float32(0.75) * small[y1, x0, c] + np.float32(0.25) * small[y1, x1, c]
                large[y, x, c] = np.float32(0.75) * near + np.float32(0.25) * far
    return large


@kernel((f4[:, :, ::1], f4[:, :, ::1]))
def pin(level: Level, colours: Colours) -> None:
    """Where one side alone is seen, the source is that side."""
    for y in range(level.shape[0]):
        for x in range(level.shape[1]):
            if level[y, x, 0] >= OPAQUE:
                for c in range(3):
                    colours[y, x, c] = level[y, x, 5 + c]
            elif level[y, x, 0] <= CLEAR:
                for c in range(3):
                    colours[y, x, 3 + c] = level[y, x, 5 + c]


@kernel((f4[:, :, ::1], f4[:, :, ::1], i8, b1))
def relax(level: Level, colours: Colours, sweeps: int, everywhere: bool) -> None:
    """Gauss-Seidel sweeps over the cells that are neither opaque nor clear (or over all), in place.

    A cell's F and B solve the 2×2 system of its own data and of the smoothness towards its neighbours as they are.
    """
    height, width = level.shape[:2]
    one, zero = np.float32(1), np.float32(0)
    for sweep in range(sweeps):
        for step_y in range(height):
            y = height - 1 - step_y if sweep % 2 else step_y
            for step_x in range(width):
                x = width - 1 - step_x if sweep % 2 else step_x
                a = level[y, x, 0]
                if not everywhere and (a >= OPAQUE or a <= CLEAR):
                    continue
                total = f0 = f1 = f2 = b0 = b1 = b2 = zero
                for side in range(4):
                    ny = y + (side == 1) - (side == 0)
                    nx = x + (side == 3) - (side == 2)
                    if ny < 0 or nx < 0 or ny >= height or nx >= width:
                        continue
                    weight = np.float32(EPSILON) + np.float32(OMEGA) * abs(a - level[ny, nx, 0])
                    total += weight
                    f0 += weight * colours[ny, nx, 0]
                    f1 += weight * colours[ny, nx, 1]
                    f2 += weight * colours[ny, nx, 2]
                    b0 += weight * colours[ny, nx, 3]
                    b1 += weight * colours[ny, nx, 4]
                    b2 += weight * colours[ny, nx, 5]
                if total == zero:  # a picture of one pixel
                    continue
                squared = level[y, x, 1]
                ff = squared + total
                fb = a - squared
                bb = one - a - fb + total
                gain = one / (ff * bb - fb * fb)
                f0 += level[y, x, 2]
                f1 += level[y, x, 3]
                f2 += level[y, x, 4]
                b0 += level[y, x, 5] - level[y, x, 2]
                b1 += level[y, x, 6] - level[y, x, 3]
                b2 += level[y, x, 7] - level[y, x, 4]
                colours[y, x, 0] = min(one, max(zero, (bb * f0 - fb * b0) * gain))
                colours[y, x, 1] = min(one, max(zero, (bb * f1 - fb * b1) * gain))
                colours[y, x, 2] = min(one, max(zero, (bb * f2 - fb * b2) * gain))
                colours[y, x, 3] = min(one, max(zero, (ff * b0 - fb * f0) * gain))
                colours[y, x, 4] = min(one, max(zero, (ff * b1 - fb * f1) * gain))
                colours[y, x, 5] = min(one, max(zero, (ff * b2 - fb * f2) * gain))


@kernel(*((read(pixel[:, :, :]), read(f4[:, :]), read(f4[:, :, :]), f8, f8, pixel[:, :, :]) for pixel in (u1, u2)))
def write(pixels: Pixels, alpha: Alpha, colours: Colours, top: float, strength: float, answer: Pixels) -> None:
    """F into `answer`, mixed with the source as `strength` says; the source itself where it is opaque."""
    scale, share = np.float32(top), np.float32(strength)
    for y in range(alpha.shape[0]):
        for x in range(alpha.shape[1]):
            if alpha[y, x] >= OPAQUE:
                for c in range(3):
                    answer[y, x, c] = pixels[y, x, c]
            else:
                for c in range(3):
                    own = np.float32(pixels[y, x, c])
                    answer[y, x, c] = pixels.dtype.type(np.rint(own + share * (scale * colours[y, x, c] - own)))
