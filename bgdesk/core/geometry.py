"""Rectangles and sizes in whole pixels; origin top left, right and bottom edges exclusive."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from bgdesk.core.arrays import Mask


class Size(NamedTuple):
    """Width and height in pixels, both at least 1 for a real photo."""

    width: int
    height: int

    @property
    def area(self) -> int:
        return self.width * self.height

    def fit(self, longest: int) -> "Size":
        """The largest size of the same shape whose longer side is at most `longest`; never enlarges."""
        scale = min(1.0, longest / max(self.width, self.height))
        return Size(max(1, round(self.width * scale)), max(1, round(self.height * scale)))


class Rect(NamedTuple):
    """Half-open rectangle [left, right) × [top, bottom). Empty when it has no pixel."""

    left: int
    top: int
    right: int
    bottom: int

    @classmethod
    def full(cls, size: Size) -> "Rect":
        return cls(0, 0, size.width, size.height)

    @classmethod
    def of_shape(cls, shape: tuple[int, ...]) -> "Rect":
        """The rectangle of a whole array, from its `shape` (height first)."""
        return cls(0, 0, shape[1], shape[0])

    @classmethod
    def bounding(cls, mask: Mask) -> "Rect":
        """The smallest rectangle that holds every True pixel of `mask`; empty if there is none."""
        rows = np.flatnonzero(mask.any(axis=1))
        if rows.size == 0:
            return cls(0, 0, 0, 0)
        columns = np.flatnonzero(mask[rows[0] : rows[-1] + 1].any(axis=0))
        return cls(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)

    @property
    def width(self) -> int:
        return max(0, self.right - self.left)

    @property
    def height(self) -> int:
        return max(0, self.bottom - self.top)

    @property
    def size(self) -> Size:
        return Size(self.width, self.height)

    @property
    def area(self) -> int:
        return self.width * self.height

    @property
    def empty(self) -> bool:
        return self.right <= self.left or self.bottom <= self.top

    @property
    def slices(self) -> tuple[slice, slice]:
        """Index of these pixels in an array: `array[rect.slices]`. The rectangle must lie inside the array."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def intersect(self, other: "Rect") -> "Rect":
        rect = Rect(max(self.left, other.left), max(self.top, other.top), min(self.right, other.right), min(self.bottom, other.bottom))
        return Rect(0, 0, 0, 0) if rect.empty else rect

    def clip(self, size: Size) -> "Rect":
        """Return the part of the rectangle inside a photo of `size`."""
        return self.intersect(Rect.full(size))

    def grow(self, margin: int) -> "Rect":
        """`margin` pixels more on every side; unclipped. An empty rectangle stays empty."""
        if self.empty:
            return self
        return Rect(self.left - margin, self.top - margin, self.right + margin, self.bottom + margin)

    def union(self, other: "Rect") -> "Rect":
        """The smallest rectangle that holds both; an empty one adds nothing."""
        if self.empty:
            return other
        if other.empty:
            return self
        return Rect(min(self.left, other.left), min(self.top, other.top), max(self.right, other.right), max(self.bottom, other.bottom))

    def overlaps(self, other: "Rect") -> bool:
        return not self.intersect(other).empty

    def contains(self, other: "Rect") -> bool:
        return other.empty or self.intersect(other) == other

    def shift(self, dx: int, dy: int) -> "Rect":
        return Rect(self.left + dx, self.top + dy, self.right + dx, self.bottom + dy)

    def tiles(self, side: int) -> Iterator["Rect"]:
        """Cut into tiles of at most side×side, row by row; they cover the rectangle once, without overlap."""
        for top in range(self.top, self.bottom, side):
            for left in range(self.left, self.right, side):
                yield Rect(left, top, min(left + side, self.right), min(top + side, self.bottom))
