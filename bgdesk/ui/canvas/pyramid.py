"""A picture at many sizes, sampled at screen resolution.

A frame must cost pixels on screen, not pixels of the photo: zoomed out, the nearest level whose pixels are no larger than the
screen's is read (each level averages 2×2 of the one below); zoomed in, the picture itself. Levels are built when first looked at
and kept current by rectangle, so that a stroke costs its own area.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from bgdesk.core.geometry import Rect
from bgdesk.ui.canvas.viewport import Viewport

Bytes: TypeAlias = NDArray[np.uint8]
#: Zoom from which photo pixels are shown as squares.
NEAREST_FROM = 2.0
#: Positions are rounded to this part of a level's pixel, which is also what OpenCV's bilinear filter resolves. Rounding them
#: before the crop's corner is taken off makes a pixel's value independent of which rectangle is being drawn: no seams.
_STEPS = 32
#: How many rectangles' positions are kept for the next frame; they take six bytes for each pixel of the screen.
_GRIDS = 24
#: Rows converted at a time while a level is built: bounds the memory of float and 16-bit pictures.
_STRIP = 512


@dataclass(frozen=True)
class Grid:
    """Which photo positions the screen pixels of one rectangle read; shared by all layers of a frame.

    level: pyramid level; crop: the rectangle of that level that is read; xs, ys: positions inside the crop, one for each column and
    row: whole numbers if `nearest`, else multiples of 1/32 measured between pixel centres.
    """

    level: int
    crop: Rect
    nearest: bool
    xs: NDArray[np.float32]
    ys: NDArray[np.float32]

    @classmethod
    @lru_cache(maxsize=_GRIDS)
    def of(cls, viewport: Viewport, rect: Rect, coarser: int = 0) -> "Grid":
        """For the screen pixels in `rect`, which must lie inside `viewport.visible`; read so many levels coarser than would be right."""
        xs, ys, nearest = _positions(viewport, coarser)
        visible = viewport.visible
        xs, ys = xs[rect.left - visible.left : rect.right - visible.left], ys[rect.top - visible.top : rect.bottom - visible.top]
        level = level_of(viewport) + coarser
        width, height = (-(-side // (1 << level)) for side in viewport.photo)
        crop = Rect(int(xs[0]), int(ys[0]), min(width, int(xs[-1]) + 2), min(height, int(ys[-1]) + 2))
        return cls(level, crop, nearest, (xs - crop.left).astype(np.float32), (ys - crop.top).astype(np.float32))

    def read(self, crop: Bytes) -> Bytes:
        """h×w or h×w×C bytes at the grid's positions, from those of its crop."""
        if self.plain:
            return crop[: self.ys.size, : self.xs.size]
        how = cv2.INTER_NEAREST if self.nearest else cv2.INTER_LINEAR
        return _bytes(cv2.remap(crop, *self._maps, how, borderMode=cv2.BORDER_REPLICATE))

    @cached_property
    def plain(self) -> bool:
        """Whether each screen pixel shows one of the crop's pixels, in order."""
        return all(places[0] == 0 and (np.diff(places) == 1).all() for places in (self.xs, self.ys))

    @cached_property
    def _maps(self) -> tuple[Any, Any]:
        """The positions spread over the rectangle, as OpenCV's remap wants them: whole pixels, and the parts of one between them."""
        shape = (self.ys.size, self.xs.size)
        xs, ys = np.ascontiguousarray(np.broadcast_to(self.xs, shape)), np.ascontiguousarray(np.broadcast_to(self.ys[:, None], shape))
        return cv2.convertMaps(xs, ys, cv2.CV_16SC2, nninterpolation=self.nearest)


@lru_cache(maxsize=8)
def _positions(viewport: Viewport, coarser: int) -> tuple[NDArray[np.float64], NDArray[np.float64], bool]:
    """The positions in a level that the visible columns and rows read, and whether these are whole pixels."""
    nearest = viewport.scale >= NEAREST_FROM and not coarser
    factor = 1 << (level_of(viewport) + coarser)
    visible, photo = viewport.visible, viewport.photo
    xs = (np.arange(visible.left, visible.right) + 0.5 - viewport.left) / (viewport.scale * factor)
    ys = (np.arange(visible.top, visible.bottom) + 0.5 - viewport.top) / (viewport.scale * factor)
    if nearest:
        xs, ys = np.floor(xs), np.floor(ys)
    else:
        xs, ys = np.round((xs - 0.5) * _STEPS) / _STEPS, np.round((ys - 0.5) * _STEPS) / _STEPS
    return np.clip(xs, 0, -(-photo.width // factor) - 1), np.clip(ys, 0, -(-photo.height // factor) - 1), nearest


def level_of(viewport: Viewport) -> int:
    """The level whose pixels are no larger than the screen's, or the picture itself."""
    return 0 if viewport.scale >= 1 else int(np.floor(np.log2(1 / viewport.scale) + 1e-9))


class Layer:
    """One picture of the document, H×W or H×W×C of any type, read as bytes through `convert`.

    convert: turns a crop of the picture into uint8 of the same height and width. blank: the picture's bytes are all 0 now, so that
    levels need not be computed until `refresh` says where something appeared.
    """

    def __init__(self, picture: NDArray[Any], convert: Callable[[NDArray[Any]], Bytes], *, blank: bool = False) -> None:
        self._picture = picture
        self._convert = convert
        self._blank = blank
        self._levels: list[Bytes] = []  # [0] is level 1
        self._building = threading.RLock()  # parts of one frame are composed by several threads

    def follow(self, picture: NDArray[Any]) -> None:
        """Read from `picture` from now on: a copy of the old one, of the same shape, but for what `refresh` is told about."""
        self._picture = picture

    def refresh(self, rect: Rect) -> None:
        """Bring the levels up to date after the picture's pixels in `rect` changed."""
        for level, target in enumerate(self._levels, 1):
            self._fill(level, target, down(rect, level))

    def sample(self, grid: Grid) -> Bytes:
        """The picture's bytes at the positions of `grid`: h×w or h×w×C, not to be written to."""
        return grid.read(self.crop(grid.level, grid.crop))

    def crop(self, level: int, rect: Rect) -> Bytes:
        """The bytes of a part of a level, not to be written to."""
        return np.ascontiguousarray(self._convert(self._picture[rect.slices]) if level == 0 else self.whole(level)[rect.slices])

    def whole(self, level: int) -> Bytes:
        """The bytes of a level, from 1 on; not to be written to."""
        with self._building:
            while len(self._levels) < level:
                self._build(len(self._levels) + 1)
        return self._levels[level - 1]

    def _build(self, level: int) -> None:
        height, width = (-(-side // (1 << level)) for side in self._picture.shape[:2])
        channels = self._convert(self._picture[:1, :1]).shape[2:]
        target = np.zeros((height, width, *channels), np.uint8)
        if not self._blank:
            for top in range(0, height, _STRIP):
                self._fill(level, target, Rect(0, top, width, min(height, top + _STRIP)))
        elif level > 1:
            # What was painted before this level existed is in the level below it.
            self._fill(level, target, Rect.of_shape(target.shape))
        else:
            rows = np.flatnonzero(self._picture.any(axis=1))
            if rows.size:
                self._fill(level, target, Rect(0, int(rows[0]) // 2, width, int(rows[-1]) // 2 + 1))
        self._levels.append(target)

    def _fill(self, level: int, target: Bytes, rect: Rect) -> None:
        """Compute `rect` of `target`, which is level `level`, from the level below."""
        if rect.empty:
            return
        shape = self._picture.shape if level == 1 else self._levels[level - 2].shape
        below = Rect(2 * rect.left, 2 * rect.top, min(2 * rect.right, shape[1]), min(2 * rect.bottom, shape[0]))
        crop = self.crop(level - 1, below)
        missing_x, missing_y = 2 * rect.width - below.width, 2 * rect.height - below.height
        if missing_x or missing_y:  # odd sizes: the last pixel stands for itself
            crop = _bytes(cv2.copyMakeBorder(crop, 0, missing_y, 0, missing_x, cv2.BORDER_REPLICATE))
        target[rect.slices] = cv2.resize(crop, (rect.width, rect.height), interpolation=cv2.INTER_AREA)


def down(rect: Rect, level: int) -> Rect:
    """The pixels of a level that show any of the picture's pixels in `rect`."""
    factor = 1 << level
    return Rect(rect.left // factor, rect.top // factor, -(-rect.right // factor), -(-rect.bottom // factor))


def _bytes(array: Any) -> Bytes:
    """OpenCV's stubs know arrays of any type only."""
    result: Bytes = array
    return result
