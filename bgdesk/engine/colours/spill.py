"""Spill: a coloured backdrop lights the subject's rim, where it is opaque too. Its cast is taken off again.

Written for this program. In the plane of chroma (Cb, Cr of Rec. 709, so that luma stays as it is) a pixel p of the rim is
told as p = a·r + s·k with a, s ≥ 0: r is the subject's own chroma near there, from deeper inside where there is no spill,
and k the backdrop's hue. What s·k explains goes. Colours that differ from r by brightness or saturation alone keep
theirs, neutral ones next to a neutral inside too; and what is as strongly coloured as half the backdrop itself is no
reflection of it, but the subject.
"""

import os
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
from numpy.typing import NDArray

from bgdesk.core.arrays import Alpha, Pixels
from bgdesk.core.geometry import Rect, Size
from bgdesk.core.pixels.resample import by_area, linear
from bgdesk.core.recipe import Colour
from bgdesk.core.tasks import Progress, silent
from bgdesk.engine.colours.levels import CLEAR, OPAQUE
from bgdesk.engine.runtime.kernels import f4, f8, kernel, read, u1, u2
from bgdesk.engine.runtime.parallel import each

#: How far inside the edge spill is looked for, as a share of the photo's longer side; it fades over the inner half.
_DEPTH = 0.02
#: Side of the grid that the subject's own chroma is gathered on, at most.
_GRID = 1024
#: Cost of a ≠ 1: with the next one it decides where r and k are hardly told apart, in favour of leaving colours alone.
_OWN_COST = 0.03
#: Cost of s ≠ 0.
_SPILL_COST = 0.1
#: Opaque pixels: spill up to this share of the backdrop's chroma is taken off …
_SURE = 0.4
#: … and beyond this share the colour is the subject's own.
_NEVER = 0.8
#: A backdrop with less chroma (of 0.5 at most) casts no colour that could be told from the subject's.
_FAINT = 0.04
#: The background near the subject is of one colour if this share of it …
_UNIFORM_SHARE = 0.7
#: … lies within this distance in chroma.
_UNIFORM_RADIUS = 0.06
#: Side of a tile, in pixels.
_TILE = 512

Plane = NDArray[np.float32]


def _luma_chroma(colours: Plane) -> Plane:
    """…×3 RGB in [0, 1] to …×3 Y, Cb, Cr of Rec. 709."""
    luma = colours @ np.array([0.2126, 0.7152, 0.0722], np.float32)
    return np.stack([luma, (colours[..., 2] - luma) / 1.8556, (colours[..., 0] - luma) / 1.5748], axis=-1)


def _grid(pixels: Pixels, alpha: Alpha) -> tuple[int, Plane, Alpha]:
    """(pixels a cell is wide, RGB in [0, 1], alpha) of the grid."""
    factor = 1
    while max(alpha.shape) > factor * _GRID:
        factor *= 2
    size = Size(-(-alpha.shape[1] // factor), -(-alpha.shape[0] // factor))
    return factor, by_area(pixels, size).astype(np.float32) / np.float32(np.iinfo(pixels.dtype).max), by_area(alpha, size)


def backdrop_of(pixels: Pixels, alpha: Alpha) -> Colour | None:
    """Find the colour of the sure background around the subject.

    Parameters
    ----------
    pixels
        The photo, H×W×3 uint8 or uint16.
    alpha
        float32 H×W in [0, 1].

    Returns
    -------
    tuple of int or None
        Red, green and blue, 0 to 255 each; None if the background is grey, or is not of one colour.
    """
    factor, colours, opacity = _grid(pixels, alpha)
    around = max(3, round(3 * _DEPTH * max(alpha.shape) / factor))
    near = cv2.dilate((opacity > CLEAR).astype(np.uint8), np.ones((2 * around + 1, 2 * around + 1), np.uint8)) > 0
    # Not the cells right beside the subject: there its shadow and what alpha missed would be counted in.
    close = cv2.dilate((opacity > CLEAR).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    sure = colours[near & ~close]
    if len(sure) < 16:
        return None
    ycc = _luma_chroma(sure)
    middle = np.median(ycc, axis=0)
    share = float((np.hypot(*(ycc[:, 1:] - middle[1:]).T) < _UNIFORM_RADIUS).mean())
    if share < _UNIFORM_SHARE or np.hypot(middle[1], middle[2]) < _FAINT:
        return None
    luma, blue, red = (float(part) for part in middle)
    r, b = luma + 1.5748 * red, luma + 1.8556 * blue
    g = (luma - 0.2126 * r - 0.0722 * b) / 0.7152
    return tuple(min(255, max(0, round(255 * part))) for part in (r, g, b))  # type: ignore[return-value]


def suppress(foreground: Pixels, alpha: Alpha, backdrop: Colour, progress: Progress = silent) -> None:
    """Take the backdrop's cast off the subject's rim.

    Pixels deeper inside than 2 % of the photo's longer side stay as they are, bit for bit; so does every pixel if the
    backdrop is (almost) grey.

    Parameters
    ----------
    foreground
        H×W×3 uint8 or uint16; changed in place.
    alpha
        float32 H×W in [0, 1].
    backdrop
        Red, green and blue, 0 to 255 each.

    Raises
    ------
    Cancelled
    """
    progress("foreground", 0.0)
    hue = _luma_chroma(np.array(backdrop, np.float32) / np.float32(255))[1:]
    strength = float(np.hypot(hue[0], hue[1]))
    if strength < _FAINT:
        return
    factor, guide = _guide(foreground, alpha)
    progress("foreground", 0.2)
    photo = Rect.of_shape(alpha.shape)
    top = float(np.iinfo(foreground.dtype).max)

    def work(tile: Rect) -> None:
        window = tile.grow(factor).intersect(photo)
        part = Rect(window.left // factor, window.top // factor, -(-window.right // factor), -(-window.bottom // factor))
        cells = guide[part.slices]
        if cells[..., 0].max() > 0:
            lifted = linear(cells, Size(part.width * factor, part.height * factor))
            fine = lifted[tile.shift(-part.left * factor, -part.top * factor).slices]
            _remove(foreground[tile.slices], alpha[tile.slices], fine, hue[0] / strength, hue[1] / strength, strength, top)

    with ThreadPoolExecutor(min(8, os.cpu_count() or 1), "spill") as pool:
        each(pool, photo.tiles(_TILE), work, progress, (0.2, 1.0))


def _guide(foreground: Pixels, alpha: Alpha) -> tuple[int, Plane]:
    """(pixels a cell is wide, H×W×3: how much a cell takes part, and the subject's own Cb and Cr around it)."""
    factor, colours, opacity = _grid(foreground, alpha)
    chroma = _luma_chroma(colours)[..., 1:]
    opaque = (opacity >= OPAQUE).astype(np.uint8)
    depth = cv2.distanceTransform(opaque, cv2.DIST_L2, cv2.DIST_MASK_5)
    if opaque.all():  # no edge at all
        return factor, np.zeros((*opaque.shape, 3), np.float32)
    deepest = max(2.0, _DEPTH * max(alpha.shape) / factor)
    inside = depth >= min(deepest, 0.8 * float(depth.max()))
    inside &= opaque > 0
    taking_part = np.clip(2 * (1 - depth / np.float32(deepest)), 0, 1)
    seen = cv2.dilate((opacity > CLEAR).astype(np.uint8), np.ones((5, 5), np.uint8))
    taking_part *= seen
    return factor, np.concatenate([taking_part[..., None], _spread(chroma, inside.astype(np.float32))], axis=-1).astype(np.float32)


def _spread(values: Plane, weight: Plane) -> Plane:
    """The values where weight is 1, and their smooth extension where it is 0; all 0 if it is nowhere 1. Pull and push."""
    levels = [np.concatenate([values * weight[..., None], weight[..., None]], axis=-1).astype(np.float32)]
    while max(levels[-1].shape[:2]) > 1:
        height, width = levels[-1].shape[:2]
        levels.append(by_area(levels[-1], Size((width + 1) // 2, (height + 1) // 2)))
    field: Plane = np.zeros((1, 1, values.shape[-1]), np.float32)
    trace = np.float32(1e-2)
    for level in reversed(levels):
        height, width = level.shape[:2]
        field = linear(field, Size(width, height))
        field = (level[..., :-1] + trace * field) / (level[..., -1:] + trace)
    return field


@kernel(*((pixel[:, :, :], read(f4[:, :]), read(f4[:, :, :]), f8, f8, f8, f8) for pixel in (u1, u2)))
def _remove(foreground: Pixels, alpha: Alpha, guide: Plane, blue: float, red: float, strength: float, top: float) -> None:
    """One tile. guide: how much each pixel takes part, r's Cb and Cr; (blue, red): k, a unit vector; strength: the backdrop's chroma."""
    for y in range(alpha.shape[0]):
        for x in range(alpha.shape[1]):
            share = guide[y, x, 0]
            if share <= 0.0:
                continue
            r, g, b = foreground[y, x, 0] / top, foreground[y, x, 1] / top, foreground[y, x, 2] / top
            luma = 0.2126 * r + 0.7152 * g + 0.0722 * b
            p0, p1 = (b - luma) / 1.8556, (r - luma) / 1.5748
            r0, r1 = guide[y, x, 1], guide[y, x, 2]
            along, own, both = p0 * blue + p1 * red, r0 * r0 + r1 * r1, r0 * blue + r1 * red
            # The 2×2 system of a and s; the trace keeps it solvable for a grey inside.
            aa, ss = own * (1 + _OWN_COST) + 1e-6, 1 + _SPILL_COST
            right = r0 * p0 + r1 * p1 + _OWN_COST * own
            determinant = aa * ss - both * both
            spill = (aa * along - both * right) / determinant
            if ss * right - both * along < 0:  # a < 0: nothing of the subject's own chroma in it
                spill = along / ss
            if spill <= 0.0:
                continue
            if alpha[y, x] >= OPAQUE:
                likely = (_NEVER - spill / strength) / (_NEVER - _SURE)
                spill *= min(1.0, max(0.0, likely))
            spill *= share
            cb, cr = p0 - spill * blue, p1 - spill * red
            r, b = luma + 1.5748 * cr, luma + 1.8556 * cb
            g = (luma - 0.2126 * r - 0.0722 * b) / 0.7152
            foreground[y, x, 0] = foreground.dtype.type(np.rint(top * min(1.0, max(0.0, r))))
            foreground[y, x, 1] = foreground.dtype.type(np.rint(top * min(1.0, max(0.0, g))))
            foreground[y, x, 2] = foreground.dtype.type(np.rint(top * min(1.0, max(0.0, b))))
