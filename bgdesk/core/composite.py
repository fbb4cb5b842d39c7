"""A cut-out on a colour, and the subject alone on a square canvas. Straight alpha in and out."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from bgdesk.core.arrays import Alpha, Pixels
from bgdesk.core.cutout import Cutout
from bgdesk.core.geometry import Rect, Size
from bgdesk.core.recipe import Colour
from bgdesk.core.resample import by_area, cubic
from bgdesk.core.trimap import Label

#: What is fainter is no part of the subject's outline: five of 255 levels, which nobody sees on any background.
FAINTEST = 0.02

#: An opacity that rounds to nothing in 16 bits.
_NOTHING = 0.5 / 65535
#: What sums of weights may be off from 1.
_ROUNDING = np.float32(2e-6)
_ROWS = 128


def over(foreground: Pixels, alpha: Alpha, background: Colour) -> Pixels:
    """The subject laid on a colour, foreground's type, rounded: foreground·alpha + background·(1 − alpha).

    foreground: H×W×3 uint8 or uint16. alpha: float32 H×W in [0, 1]. Exactly the foreground where alpha is 1, exactly the
    background where it is 0.
    """
    result = np.empty_like(foreground)
    ground = _levels(background, foreground.dtype)
    for top in range(0, len(foreground), _ROWS):
        rows = slice(top, top + _ROWS)
        share = alpha[rows, :, None]
        result[rows] = np.rint(foreground[rows] * share + ground * (1 - share))
    return result


def subject(alpha: Alpha) -> Rect:
    """The smallest rectangle that holds whatever can be seen of the subject; empty if there is none."""
    return Rect.bounding(alpha >= np.float32(FAINTEST))


def place(photo: Rect, size: int, margin: float) -> Rect:
    """Where on a size×size canvas a rectangle of this shape goes: as large as the margin allows, in the middle."""
    room = max(1, size - 2 * round(margin * size))
    scale = room / max(photo.width, photo.height)
    width, height = max(1, round(photo.width * scale)), max(1, round(photo.height * scale))
    left, top = (size - width) // 2, (size - height) // 2
    return Rect(left, top, left + width, top + height)


def squared(foreground: Pixels, alpha: Alpha, size: int, margin: float) -> tuple[Pixels, Alpha]:
    """The subject alone, fitted into a size×size canvas: (colours, alpha), the types they had.

    margin: of the canvas's side, kept free on each side. Without any subject the canvas is empty. Colours are weighted with
    their opacity while they are resized, so that what lies under transparent pixels never bleeds into the edge; around the
    subject they go on as they are at its rim.
    """
    found = subject(alpha)
    if found.empty:
        return np.zeros((size, size, 3), foreground.dtype), np.zeros((size, size), np.float32)
    spot = place(found, size, margin)
    colours, opacity = resized(foreground[found.slices], alpha[found.slices], Size(spot.width, spot.height))
    edges = (spot.top, size - spot.bottom, spot.left, size - spot.right)
    canvas = np.zeros((size, size), np.float32)
    canvas[spot.slices] = opacity
    return cv2.copyMakeBorder(colours, *edges, cv2.BORDER_REPLICATE), canvas  # type: ignore[return-value]


def resized(foreground: Pixels, alpha: Alpha, size: Size) -> tuple[Pixels, Alpha]:
    """Colours and opacity at another size: by area where it shrinks, bicubic where it grows."""
    height, width = alpha.shape
    if (width, height) == tuple(size):
        return foreground.copy(), alpha.copy()
    # Both ways of resizing are separable: across first, in strips, so that the floats of a large photo are never whole in memory.
    weighted, plain = np.empty((height, size.width, 4), np.float32), np.empty((height, size.width, 3), np.float32)
    for top in range(0, height, _ROWS):
        rows = slice(top, top + _ROWS)
        colours = foreground[rows].astype(np.float32)
        opacity = alpha[rows, :, None]
        both = np.concatenate((colours * opacity, opacity), axis=2)
        weighted[rows] = _resize(both, Size(size.width, len(both)))
        plain[rows] = _resize(colours, Size(size.width, len(both)))
    weighted, plain = _resize(weighted, size), _resize(plain, size)
    # Bicubic rings: weights beyond [0, 1] are divided out before they are cut off, so that an even colour stays what it is.
    opacity = weighted[..., 3:]
    seen = opacity > _NOTHING
    colours = np.where(seen, weighted[..., :3] / np.where(seen, opacity, 1), plain)
    levels = np.rint(np.clip(colours, 0, np.iinfo(foreground.dtype).max))
    # What is opaque or clear stays so exactly, whatever the sums of the weights were rounded to.
    opacity = np.clip((opacity[..., 0] - _ROUNDING) / (1 - 2 * _ROUNDING), 0, 1)
    return levels.astype(foreground.dtype), opacity  # type: ignore[return-value]


def rendered(cutout: Cutout, background: Colour | None = None, size: int | None = None, margin: float = 0.05) -> Cutout:
    """The cut-out as a file of it shall show it: on a square canvas if `size` is given, on a colour if `background` is.

    With neither, the very cut-out that came. Otherwise source, foreground, alpha and trimap are those of the new picture.
    """
    foreground, alpha = cutout.foreground, cutout.alpha
    if size is None and background is None:
        return cutout
    if size is not None:
        foreground, alpha = squared(foreground, alpha, size, margin)
    if background is not None:
        foreground, alpha = over(foreground, alpha, background), np.ones_like(alpha)
    trimap = np.full(alpha.shape, Label.UNKNOWN, np.uint8)
    trimap[alpha == 0], trimap[alpha == 1] = Label.BACKGROUND, Label.FOREGROUND
    return Cutout(foreground, alpha, foreground, trimap, None, cutout.timings, cutout.device, cutout.precision, cutout.model, cutout.notes)


def checkered(foreground: NDArray[np.uint8], alpha: Alpha, side: int = 8) -> NDArray[np.uint8]:
    """The subject on a light checkerboard of squares of `side` pixels, H×W×3 uint8."""
    height, width = alpha.shape
    dark = (np.arange(height)[:, None] // side + np.arange(width) // side) % 2
    ground = np.where(dark[:, :, None] > 0, np.float32(225), np.float32(250))
    share = alpha[:, :, None]
    board: NDArray[np.uint8] = np.rint(foreground * share + ground * (1 - share)).astype(np.uint8)
    return board


def _levels(colour: Colour, dtype: Any) -> NDArray[np.float32]:
    """A colour of 0 to 255 in the levels of `dtype`: 255 becomes its largest."""
    return np.asarray(colour, np.float32) * np.float32(np.iinfo(dtype).max // 255)


def _resize(array: NDArray[np.float32], size: Size) -> NDArray[np.float32]:
    grows = size.width > array.shape[1] or size.height > array.shape[0]
    return cubic(array, size) if grows else by_area(array, size)
