"""A cut-out on a colour, and the subject alone on a square canvas. Straight alpha in and out."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from bgdesk.core.arrays import Alpha, Pixels
from bgdesk.core.cutout import Cutout
from bgdesk.core.geometry import Rect, Size
from bgdesk.core.pixels.resample import by_area, cubic
from bgdesk.core.recipe import Colour
from bgdesk.core.trimap import Label

#: Fainter pixels do not belong to the subject's outline: this is five of 255 levels, which nobody sees on any background.
FAINTEST = 0.02

#: An opacity that rounds to 0 in 16 bits.
_NOTHING = 0.5 / 65535
#: How far sums of weights may differ from 1.
_ROUNDING = np.float32(2e-6)
#: Rows that are computed at a time, which bounds the memory of their floats.
_ROWS = 128


def over(foreground: Pixels, alpha: Alpha, background: Colour) -> Pixels:
    """Lay the subject on a colour.

    Parameters
    ----------
    foreground
        H×W×3 uint8 or uint16.
    alpha
        float32 H×W in [0, 1].
    background
        Red, green and blue, each 0 to 255.

    Returns
    -------
    ndarray
        foreground·alpha + background·(1 − alpha), H×W×3 of the foreground's type, rounded: exactly the foreground where
        alpha is 1, exactly the background where alpha is 0.
    """
    result = np.empty_like(foreground)
    ground = _levels(background, foreground.dtype)
    for top in range(0, len(foreground), _ROWS):
        rows = slice(top, top + _ROWS)
        share = alpha[rows, :, None]
        result[rows] = np.rint(foreground[rows] * share + ground * (1 - share))
    return result


def subject(alpha: Alpha) -> Rect:
    """Return the smallest rectangle that holds every pixel of at least FAINTEST opacity; empty if there is none."""
    return Rect.bounding(alpha >= np.float32(FAINTEST))


def place(photo: Rect, size: int, margin: float) -> Rect:
    """Return where a rectangle of this shape goes on a size×size canvas: in the middle, as large as the margin allows.

    Parameters
    ----------
    photo
        The rectangle, of at least one pixel; only its width and height matter.
    size
        The canvas's side in pixels.
    margin
        Share of the side that is kept free on each side, in [0, 0.45].
    """
    room = max(1, size - 2 * round(margin * size))
    scale = room / max(photo.width, photo.height)
    width, height = max(1, round(photo.width * scale)), max(1, round(photo.height * scale))
    left, top = (size - width) // 2, (size - height) // 2
    return Rect(left, top, left + width, top + height)


def squared(foreground: Pixels, alpha: Alpha, size: int, margin: float) -> tuple[Pixels, Alpha]:
    """Fit the subject alone into a size×size canvas.

    Colours are weighted with their opacity while they are resized, so that what lies under transparent pixels never bleeds
    into the edge. Around the subject the colours of its rim go on.

    Parameters
    ----------
    foreground
        H×W×3 uint8 or uint16.
    alpha
        float32 H×W in [0, 1].
    size
        The canvas's side in pixels.
    margin
        Share of the side that is kept free on each side, in [0, 0.45].

    Returns
    -------
    colours, alpha
        size×size×3 of the foreground's type, and float32 size×size. Both are 0 everywhere if nothing of the subject is seen.
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
    """Return foreground (H×W×3) and alpha (H×W) at another size, in their types: by area where they shrink, else bicubic."""
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
    """Return the cut-out on a square canvas if `size` is given, and on a colour if `background` is given.

    Parameters
    ----------
    cutout
        Finished.
    background
        Red, green and blue, each 0 to 255; None: the picture stays transparent.
    size
        The canvas's side in pixels; None: the photo's own size.
    margin
        Share of the canvas's side that is kept free on each side, in [0, 0.45].

    Returns
    -------
    Cutout
        `cutout` itself with neither; otherwise source, foreground, alpha and trimap are those of the new picture.
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
    return Cutout(
        source=foreground,
        alpha=alpha,
        foreground=foreground,
        trimap=trimap,
        matte=None,
        timings=cutout.timings,
        device=cutout.device,
        precision=cutout.precision,
        model=cutout.model,
        notes=cutout.notes,
    )


def checkered(foreground: NDArray[np.uint8], alpha: Alpha, side: int = 8) -> NDArray[np.uint8]:
    """Return the subject on a light checkerboard with squares of `side` pixels, H×W×3 uint8."""
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
