"""Rasterise one stretch of a stroke into a trimap."""

from collections.abc import Sequence

import cv2
import numpy as np

from bgdesk.core.arrays import Trimap
from bgdesk.core.geometry import Rect, Size
from bgdesk.core.trimap import Label

#: Where a stroke of a known label meets the opposite label, so many pixels around the stroke become unknown: the edge between
#: the two is then solved and follows the photo, instead of showing the brush's hard stairs.
RIM = 2
_OPPOSITE = {int(Label.FOREGROUND): Label.BACKGROUND, int(Label.BACKGROUND): Label.FOREGROUND}


def stretch_rect(start: tuple[float, float], end: tuple[float, float], radius: float, size: Size) -> Rect:
    """Return the pixels that `paint` may change for this stretch, clipped to a photo of `size`; empty beside the photo.

    Parameters
    ----------
    start, end
        (x, y) in pixels: pixel (column, row) covers [column, column + 1) × [row, row + 1).
    radius
        Of the brush, in pixels, at least 0.5.
    size
        Of the photo.
    """
    (x0, y0), (x1, y1) = start, end
    farthest = radius + RIM
    return Rect(
        int(np.floor(min(x0, x1) - farthest)),
        int(np.floor(min(y0, y1) - farthest)),
        int(np.ceil(max(x0, x1) + farthest)) + 1,
        int(np.ceil(max(y0, y1) + farthest)) + 1,
    ).clip(size)


def paint(trimap: Trimap, start: tuple[float, float], end: tuple[float, float], radius: float, label: int) -> Rect:
    """Set every pixel of `trimap` whose centre lies within `radius` of the segment start–end to `label`, in place.

    Pixels of the opposite known label up to RIM farther out become unknown. The time depends on the stretch and not on the
    photo: only the stretch's own rectangle is read or written.

    Parameters
    ----------
    trimap
        uint8 H×W, values of Label.
    start, end
        (x, y) in pixels: pixel (column, row) covers [column, column + 1) × [row, row + 1).
    radius
        In pixels; a smaller one than 0.5 counts as 0.5. The pixel under `start` is always painted.
    label
        A value of Label.

    Returns
    -------
    Rect
        Nothing changed outside this rectangle; empty beside the photo.
    """
    radius = max(0.5, radius)
    height, width = trimap.shape
    rect = stretch_rect(start, end, radius, Size(width, height))
    if rect.empty:
        return rect
    (x0, y0), (x1, y1) = start, end
    dx, dy = x1 - x0, y1 - y0
    xs = (np.arange(rect.left, rect.right, dtype=np.float32) + np.float32(0.5 - x0))[None, :]
    ys = (np.arange(rect.top, rect.bottom, dtype=np.float32) + np.float32(0.5 - y0))[:, None]
    length2 = dx * dx + dy * dy
    if length2 > 1e-6:  # distance to the segment: project, clamp to its ends, measure
        t = np.clip((xs * np.float32(dx) + ys * np.float32(dy)) / np.float32(length2), 0, 1)
        distance2 = (xs - t * np.float32(dx)) ** 2 + (ys - t * np.float32(dy)) ** 2
    else:
        distance2 = xs**2 + ys**2
    part = trimap[rect.slices]
    if label in _OPPOSITE:
        part[(part == _OPPOSITE[label]) & (distance2 <= (radius + RIM) ** 2)] = Label.UNKNOWN
    part[distance2 <= radius * radius] = label
    column, row = int(np.floor(x0)), int(np.floor(y0))
    if 0 <= column < width and 0 <= row < height:
        trimap[row, column] = label
    return rect


def paint_roughly(canvas: Trimap, points: Sequence[tuple[float, float]], radius: float, label: int) -> None:
    """Paint a whole stroke in place, to within a pixel of what `paint` makes of its stretches, and without the rim.

    Serves to find out where a person has painted: on long strokes this is a hundred times quicker than `paint`.
    """
    fine = 4  # bits of a pixel's fraction that OpenCV is given
    places = np.rint((np.asarray(points, np.float64) - 0.5) * (1 << fine)).astype(np.int32)
    if len(places) == 1:
        places = np.repeat(places, 2, 0)
    cv2.polylines(canvas, [places[:, None]], False, int(label), max(1, round(2 * radius)), cv2.LINE_8, fine)
