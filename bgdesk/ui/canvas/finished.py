"""The document's alpha as its edge recipe finishes it, at any level of its pyramid. No Qt here.

From 100 % on, the solved alpha itself is finished, exactly as an export does it; below, the pyramid's level, with lengths to its
scale, so that a frame costs pixels on the screen.
"""

from collections.abc import Iterator

import numpy as np

from bgdesk.core.arrays import Alpha
from bgdesk.core.finish import BLOCK, Finisher, reach
from bgdesk.core.geometry import Rect
from bgdesk.core.recipe import EdgeRecipe
from bgdesk.ui.canvas.pyramid import Bytes, Layer, down


class FinishedAlpha:
    """Reads like a Layer. layer: the solved alpha's pyramid. picture: the solved alpha."""

    def __init__(self, layer: Layer, picture: Alpha) -> None:
        self._layer = layer
        self._picture = picture
        self._edge = EdgeRecipe()
        self._levels: dict[int, tuple[Alpha, Finisher]] = {}

    @property
    def edge(self) -> EdgeRecipe:
        return self._edge

    def set_edge(self, edge: EdgeRecipe) -> None:
        self._edge = edge

    def follow(self, picture: Alpha) -> None:
        """Read from `picture` from now on: a copy of the old one but for what `changed` is told about."""
        if picture is not self._picture:
            self._picture = picture
            if 0 in self._levels:
                finisher = self._levels[0][1]
                finisher.changed(picture, Rect(0, 0, 0, 0))
                self._levels[0] = picture, finisher

    def changed(self, rect: Rect) -> None:
        """The picture changed in `rect`; its pyramid is up to date."""
        for level, (values, finisher) in self._levels.items():
            part = down(rect, level)
            if level:
                values[part.slices] = _unit(self._layer.crop(level, part))
            finisher.changed(values, part)

    def crop(self, level: int, rect: Rect) -> Bytes:
        """Bytes of a part of a level."""
        if self._edge.neutral:
            return self._layer.crop(level, rect)
        return np.rint(self._finisher(level).finish(self._at(level), rect) * 255).astype(np.uint8)

    def reach(self, level: int) -> int:
        """How far a change of alpha is seen at a level, in pixels of the photo."""
        return 0 if self._edge.neutral else (reach(self._at(level)) + 1) << level

    def effort(self, level: int, rect: Rect) -> float:
        """What `crop` would take now."""
        return 0.0 if self._edge.neutral else self._finisher(level).effort(self._at(level), rect)

    def uneven(self, level: int, rect: Rect) -> list[Rect]:
        """The parts of a level's `rect` that the recipe may change."""
        finisher, margin = self._finisher(level), reach(self._at(level))
        return [block for block in _blocks(rect, BLOCK) if not finisher.even(block, margin)]

    def preparing(self, level: int, rect: Rect) -> Iterator[None]:
        """Compute what `crop` needs, some blocks between two steps."""
        for part in _blocks(rect, 2 * BLOCK):
            part = part.intersect(Rect.of_shape(self._values(level).shape))
            if self.effort(level, part):
                self._finisher(level).finish(self._at(level), part)
                yield

    def _at(self, level: int) -> EdgeRecipe:
        return self._edge.scaled(1 / (1 << level))

    def _values(self, level: int) -> Alpha:
        self._finisher(level)
        return self._levels[level][0]

    def _finisher(self, level: int) -> Finisher:
        if level not in self._levels:
            values = _unit(self._layer.whole(level)) if level else self._picture
            self._levels[level] = values, Finisher(values, remember=True)
        return self._levels[level][1]


def _blocks(rect: Rect, width: int) -> Iterator[Rect]:
    """The pieces of the finisher's grid that `rect` touches, one block high."""
    for top in range(rect.top // BLOCK * BLOCK, rect.bottom, BLOCK):
        for left in range(rect.left // width * width, rect.right, width):
            yield Rect(left, top, left + width, top + BLOCK)


def _unit(alpha: Bytes) -> Alpha:
    return alpha.astype(np.float32) * np.float32(1 / 255)
