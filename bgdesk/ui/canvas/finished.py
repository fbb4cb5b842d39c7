"""The document's alpha as its edge recipe finishes it, at any level of its pyramid. No Qt here.

From 100 % on, the solved alpha itself is finished, exactly as an export does it; below, the pyramid's level, with lengths to its
scale, so that a frame costs pixels on the screen.
"""

from collections.abc import Iterator

import numpy as np

from bgdesk.core.arrays import Alpha
from bgdesk.core.finish import BLOCK, Finisher, reach
from bgdesk.core.finish import grid as blocks_of
from bgdesk.core.geometry import Rect
from bgdesk.core.recipe import EdgeRecipe
from bgdesk.ui.canvas.blending import alpha_bytes
from bgdesk.ui.canvas.pyramid import Bytes, Grid, Layer, down

#: Finished blocks that are kept of each level: 64 MiB.
_ROOM = 1024


class FinishedAlpha:
    """Reads like a Layer. layer: the solved alpha's pyramid. picture: the solved alpha."""

    def __init__(self, layer: Layer, picture: Alpha) -> None:
        self._layer = layer
        self._picture = picture
        self._edge = EdgeRecipe()
        self._levels: dict[int, _Level] = {}

    @property
    def edge(self) -> EdgeRecipe:
        return self._edge

    def set_edge(self, edge: EdgeRecipe) -> None:
        self._edge = edge
        for number, level in self._levels.items():
            level.set_edge(_scaled(edge, number))

    def follow(self, picture: Alpha) -> None:
        """Read from `picture` from now on: a copy of the old one but for what `changed` is told about."""
        self._picture = picture
        if 0 in self._levels:
            self._levels[0].changed(picture, Rect(0, 0, 0, 0))

    def changed(self, rect: Rect) -> None:
        """The picture changed in `rect`; its pyramid is up to date."""
        for number, level in self._levels.items():
            part = down(rect, number)
            if number:
                level.values[part.slices] = _unit(self._layer.crop(number, part))
            level.changed(level.values, part)

    def finish(self, level: int, rect: Rect) -> None:
        """Compute all that `crop` needs in `rect`, at once and on all cores."""
        if not self._edge.neutral:
            self._level(level).finish(rect)

    def crop(self, level: int, rect: Rect) -> Bytes:
        """Bytes of a part of a level."""
        solved = self._layer.crop(level, rect)
        if self._edge.neutral:
            return solved
        result = np.array(solved)
        for block, values in self._level(level).finished(rect):
            part = block.intersect(rect)
            result[part.shift(-rect.left, -rect.top).slices] = values[part.shift(-block.left, -block.top).slices]
        return result

    def sample(self, grid: Grid) -> Bytes:
        """Bytes at the positions of `grid`."""
        return grid.read(self.crop(grid.level, grid.crop))

    def reach(self, level: int) -> int:
        """How far a change of alpha is seen at a level, in pixels of the photo."""
        return 0 if self._edge.neutral else (reach(_scaled(self._edge, level)) + 1) << level

    def effort(self, level: int, rect: Rect, *, measured: bool = False) -> float:
        """What `crop` would take now, or if all edges had been measured (see core.finish.Finisher.effort)."""
        return 0.0 if self._edge.neutral else self._level(level).effort(rect, measured)

    def uneven(self, level: int, rect: Rect) -> list[Rect]:
        """The parts of a level's `rect` that the recipe may change."""
        return self._level(level).uneven(rect)

    def preparing(self, level: int, rect: Rect, least: float = 0.0) -> Iterator[None]:
        """Compute what `crop` needs, a block or two between two steps; only those that take more than `least`."""
        for top in range(rect.top // BLOCK * BLOCK, rect.bottom, BLOCK):
            for left in range(rect.left // BLOCK * BLOCK, rect.right, 2 * BLOCK):
                part = Rect(left, top, left + 2 * BLOCK, top + BLOCK).intersect(rect)
                if self.effort(level, part) > least:
                    self._level(level).finish(part)
                    yield

    def _level(self, number: int) -> "_Level":
        if number not in self._levels:
            self._levels[number] = _Level(_unit(self._layer.whole(number)) if number else self._picture)
            self._levels[number].set_edge(_scaled(self._edge, number))
        return self._levels[number]


class _Level:
    """One level of the pyramid and what of it is finished."""

    def __init__(self, values: Alpha) -> None:
        self.values = values
        self._area = Rect.of_shape(values.shape)
        self._finisher = Finisher(values, remember=True)
        self._edge = EdgeRecipe()
        self._reach = 0
        #: Finished blocks; None is one that stays as it was solved.
        self._ready: dict[Rect, Bytes | None] = {}

    def set_edge(self, edge: EdgeRecipe) -> None:
        self._edge, self._reach = edge, reach(edge)
        self._ready = {}

    def changed(self, values: Alpha, rect: Rect) -> None:
        if values is not self.values or not rect.empty:
            self.values = values
            self._finisher.changed(values, rect)
            for block in blocks_of(rect.grow(self._reach), self._area):
                self._ready.pop(block, None)

    def finish(self, rect: Rect) -> None:
        """Have what `finished` gives."""
        if len(self._ready) > _ROOM:
            self._ready = {}
        missing = [block for block in blocks_of(rect, self._area) if block not in self._ready]
        if missing:
            found = self._finisher.blocks(self._edge, missing)
            self._ready.update((block, alpha_bytes(found[block]) if block in found else None) for block in missing)

    def finished(self, rect: Rect) -> Iterator[tuple[Rect, Bytes]]:
        """The blocks in `rect` that do not stay as they were solved."""
        self.finish(rect)
        for block in blocks_of(rect, self._area):
            values = self._ready[block]
            if values is not None:
                yield block, values

    def effort(self, rect: Rect, measured: bool) -> float:
        missing = [block for block in blocks_of(rect, self._area) if block not in self._ready]
        return self._finisher.effort(self._edge, missing, measured=measured)

    def uneven(self, rect: Rect) -> list[Rect]:
        parts: list[Rect] = []
        for block in blocks_of(rect, self._area):
            if not self._finisher.even(block, self._reach):
                # As few as possible: along the row, and then with what is above.
                if parts and (parts[-1].right, parts[-1].top) == (block.left, block.top):
                    block = parts.pop().union(block)
                parts.append(block)
        merged: list[Rect] = []
        for part in parts:
            above = next((each for each in merged if (each.left, each.right, each.bottom) == (part.left, part.right, part.top)), None)
            if above is not None:
                merged.remove(above)
                part = above.union(part)
            merged.append(part)
        return merged


def _scaled(edge: EdgeRecipe, level: int) -> EdgeRecipe:
    return edge.scaled(1 / (1 << level))


def _unit(alpha: Bytes) -> Alpha:
    return alpha.astype(np.float32) * np.float32(1 / 255)
