"""What a person did to a photo by hand, as frozen values: each gesture knows its rectangle, its name, and how it paints labels.

A brush stroke is one kind of gesture. Code that replays gestures, or asks where a person has painted, uses the protocol alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from bgdesk.core.arrays import Mask, Trimap
from bgdesk.core.geometry import Rect, Size
from bgdesk.core.pixels.brush import RIM, paint, paint_roughly, stretch_rect
from bgdesk.core.trimap import Label

#: (x, y) in pixels of the photo; pixel (column, row) covers [column, column + 1) × [row, row + 1).
Point = tuple[float, float]

#: Share of a brush's radius: up to so far from its path, a person surely means what the brush paints. Farther out the brush
#: laps over the edge of what is meant, and later strokes may correct that. Simulated hands on two sets of 20 photos each needed
#: 5.4 and 8.0 strokes where the whole brush counted, 5.05 and 5.35 with half of it, and 5.1 and 5.35 with 0.7.
CORE = 0.5


class Gesture(Protocol):
    """One thing that a person did to a photo's labels by hand."""

    @property
    def label(self) -> Label:
        """What was painted."""

    @property
    def name(self) -> str:
        """Words for Edit › Undo, in lower case: "paint foreground"."""

    @property
    def rect(self) -> Rect:
        """The rectangle outside which nothing was painted; not clipped to the photo."""

    def parts(self, size: Size) -> Iterator[Rect]:
        """Give rectangles that together hold every pixel that `paint` may change in a photo of `size`."""

    def paint(self, labels: Trimap) -> Rect:
        """Paint the whole gesture into a photo's labels, in place; return the rectangle outside which nothing changed."""

    def claim(self, mask: Mask, window: Rect) -> None:
        """Set the pixels of `mask` that the person surely meant, to within a pixel.

        Parameters
        ----------
        mask
            bool, of the size of `window`; changed in place.
        window
            Where in the photo `mask` lies, in pixels.
        """


@dataclass(frozen=True)
class BrushStroke:
    """One press, drag and release of the brush."""

    label: Label  #: what was painted
    radius: float  #: of the brush, in pixels of the photo
    points: tuple[Point, ...]  #: where the pointer was, in order; at least one

    @property
    def name(self) -> str:
        return f"paint {self.label.name.lower()}"

    @cached_property
    def rect(self) -> Rect:
        xs, ys = [x for x, _ in self.points], [y for _, y in self.points]
        margin = max(0.5, self.radius) + RIM
        return Rect(
            math.floor(min(xs) - margin), math.floor(min(ys) - margin), math.ceil(max(xs) + margin) + 1, math.ceil(max(ys) + margin) + 1
        )

    @property
    def stretches(self) -> Iterator[tuple[Point, Point]]:
        """The segments from point to point; the first begins and ends where the brush was pressed."""
        return zip((self.points[0], *self.points), self.points, strict=False)

    def parts(self, size: Size) -> Iterator[Rect]:
        for start, end in self.stretches:
            yield stretch_rect(start, end, max(0.5, self.radius), size)

    def paint(self, labels: Trimap) -> Rect:
        rect = Rect(0, 0, 0, 0)
        for start, end in self.stretches:
            rect = rect.union(paint(labels, start, end, self.radius, self.label))
        return rect

    def claim(self, mask: Mask, window: Rect) -> None:
        points = [(x - window.left, y - window.top) for x, y in self.points]
        paint_roughly(mask.view(np.uint8), points, CORE * self.radius, 1)
