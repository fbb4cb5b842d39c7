"""Finish a solved alpha: shift its edge, smooth it, feather it, steepen it, in this order.

Everything is computed in blocks that lie on one grid over the photo, each from the block's own surroundings, so that any part of
the photo comes out bit for bit as in the whole. A block without an edge in reach is copied.
"""

import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from typing import Generic, Protocol, TypeVar

import cv2
import numpy as np

from bgdesk.core.arrays import Alpha
from bgdesk.core.cutout import Cutout
from bgdesk.core.finishing.edges import Edges, shift_edges, shift_reach, shifted, smooth_edges, smooth_reach, smoothed, span_of
from bgdesk.core.finishing.filters import blur, blur_reach, field
from bgdesk.core.geometry import Rect
from bgdesk.core.parameters import FEATHER, SHIFT, SMOOTH
from bgdesk.core.recipe import EdgeRecipe

#: Side of a block. Smaller ones skip more of a photo, larger ones compute less of it twice.
BLOCK = 256
#: How much a finisher remembers, in blocks: results take 256 KiB each, measured edges up to 1.5 MiB.
_RESULTS, _EDGES = 256, 96
_EVEN = 8192
#: Distances in which evenness is remembered, in pixels.
_COARSE = 32
#: What measuring the edges of a block takes; the unit is moving those of a block full of hair.
_MEASURING = 5.0
#: A feather of this radius takes one unit.
_FEATHER = 40.0
_ROUNDING = np.float32(1e-6)


def finish(solved: Alpha, edge: EdgeRecipe, rect: Rect | None = None) -> Alpha:
    """Finish a photo's alpha, or a part of it.

    Parameters
    ----------
    solved
        float32 H×W in [0, 1]: the alpha of the whole photo. (A crop that holds `rect` and `reach` around it gives the same to
        rounding, but not bit for bit, unless it starts at a multiple of BLOCK.)
    edge
        How.
    rect
        The part that is wanted, inside the photo; default all.

    Returns
    -------
    Alpha
        float32 in [0, 1] of the size of `rect`; `solved` itself, or a view of it, where nothing is to be done.
    """
    return Finisher(solved).finish(edge, rect)


def finished(cutout: Cutout, edge: EdgeRecipe) -> Cutout:
    """The cut-out with its alpha finished."""
    return cutout if edge.neutral else replace(cutout, alpha=finish(cutout.alpha, edge))


def reach(edge: EdgeRecipe) -> int:
    """How far away, in pixels, alpha still has a say in what a pixel becomes."""
    return sum(step.reach for step in _steps(edge))


class Finisher:
    """Finishes one photo again and again, and keeps what the next time may need. One thread at a time.

    solved: as in `finish`; not copied. remember: keep measured edges and results between calls.
    """

    def __init__(self, solved: Alpha, *, remember: bool = False) -> None:
        self._solved = solved
        self._photo = Rect.of_shape(solved.shape)
        self._edges = _Memory[Edges](_EDGES if remember else 0)
        self._results = _Memory[Alpha](_RESULTS if remember else 0)
        self._even = _Memory[bool](_EVEN if remember else 0)

    def changed(self, solved: Alpha, rect: Rect) -> None:
        """Read from `solved` from now on, which differs in `rect` alone."""
        self._solved = solved
        # What was kept does not know how far it read: as far as any recipe does.
        near = rect.grow(reach(EdgeRecipe(shift=SHIFT.highest, smooth=SMOOTH.highest, feather=FEATHER.highest)))
        for memory in (self._edges, self._results, self._even):
            memory.forget(near)

    def finish(self, edge: EdgeRecipe, rect: Rect | None = None) -> Alpha:
        """As the function `finish`."""
        if edge.neutral and rect is None:
            return self._solved
        wanted = self._photo if rect is None else rect
        picture, place = self._solved, self._photo
        for step, target in self._plan(edge, wanted):
            picture, place = self._run(step, picture, place, target), target
        return _hardened(picture[wanted.shift(-place.left, -place.top).slices], edge.contrast)

    def effort(self, edge: EdgeRecipe, rect: Rect) -> float:
        """Estimate what finishing `rect` would take now: 1 is moving the edges of one block that is full of hair."""
        return sum(
            step.effort(self._edges, block)
            for step, target in self._plan(edge, rect)
            for block in target.tiles(BLOCK)
            if (step, block) not in self._results and not self.even(block, step.reach)
        )

    def even(self, block: Rect, margin: int) -> bool:
        """Whether alpha is the same everywhere in a block of the grid and so far around it: no recipe of that reach changes it.

        A little more than `margin` may be looked at, to remember the answer for others.
        """
        margin = -(-margin // _COARSE) * _COARSE

        def look() -> bool:
            lowest, highest, _, _ = cv2.minMaxLoc(self._solved[block.grow(margin).intersect(self._photo).slices])
            return lowest == highest

        return self._even.find(margin, block, look)

    def _plan(self, edge: EdgeRecipe, wanted: Rect) -> list[tuple["_Step", Rect]]:
        """The steps, each with the blocks in which the steps after it need its result."""
        steps = _steps(edge)
        targets = [_in_blocks(wanted, self._photo)]
        for _, after in reversed(list(pairwise(steps))):
            targets.insert(0, _in_blocks(targets[0].grow(after.reach), self._photo))
        return list(zip(steps, targets, strict=False))

    def _run(self, step: "_Step", picture: Alpha, place: Rect, target: Rect) -> Alpha:
        """The result of `step` in the blocks of `target`, from `picture`, which lies at `place` of the photo."""
        result = np.empty((target.height, target.width), np.float32)

        def work(block: Rect) -> None:
            out = self._results.get(step, block)
            if out is None:
                window = block.grow(step.reach).intersect(self._photo)
                values = picture[window.shift(-place.left, -place.top).slices]
                part = block.shift(-window.left, -window.top)
                lowest, highest, _, _ = cv2.minMaxLoc(values)
                if lowest == highest:
                    out = values[part.slices]
                else:
                    out = step.run(self._edges, block, np.ascontiguousarray(values), part)
                    self._results.keep(step, block, out)
            result[block.shift(-target.left, -target.top).slices] = out

        blocks = list(target.tiles(BLOCK))
        if len(blocks) == 1:
            work(blocks[0])
        else:
            list(_pool().map(work, blocks))
        return result


Kept = TypeVar("Kept")


class _Memory(Generic[Kept]):
    """What was computed for blocks; of more than `room`, the oldest goes. For several threads."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._kept: OrderedDict[tuple[Hashable, Rect], Kept] = OrderedDict()
        self._lock = threading.Lock()

    def __contains__(self, key: tuple[Hashable, Rect]) -> bool:
        return key in self._kept

    def get(self, what: Hashable, block: Rect) -> Kept | None:
        with self._lock:
            kept = self._kept.get((what, block))
            if kept is not None:
                self._kept.move_to_end((what, block))
            return kept

    def keep(self, what: Hashable, block: Rect, result: Kept) -> None:
        with self._lock:
            self._kept[what, block] = result
            while len(self._kept) > self._room:
                self._kept.popitem(last=False)

    def find(self, what: Hashable, block: Rect, make: Callable[[], Kept]) -> Kept:
        """What is kept, or else made now."""
        kept = self.get(what, block)
        if kept is None:
            kept = make()
            self.keep(what, block, kept)
        return kept

    def forget(self, near: Rect) -> None:
        if near.empty:
            return
        with self._lock:
            for key in [key for key in self._kept if key[1].overlaps(near)]:
                del self._kept[key]


# Steps. Equal ones make the same of the same photo: each knows what was done before it.


class _Step(Protocol):
    """What needs a pixel's neighbours."""

    def __hash__(self) -> int: ...

    @property
    def reach(self) -> int:
        """How far it reads, in pixels."""

    def run(self, edges: _Memory[Edges], block: Rect, values: Alpha, part: Rect) -> Alpha:
        """The step's result in a block of the photo, which is `part` of `values`, its surroundings."""

    def effort(self, edges: _Memory[Edges], block: Rect) -> float:
        """How long that takes, in blocks full of hair whose edges are moved."""


@dataclass(frozen=True)
class _Shift:
    amount: float

    @property
    def reach(self) -> int:
        return shift_reach(self.amount)

    @property
    def _measure(self) -> Hashable:
        return "shift", span_of(self.amount)

    def run(self, edges: _Memory[Edges], block: Rect, values: Alpha, part: Rect) -> Alpha:
        found = edges.find(self._measure, block, lambda: shift_edges(values, part, span_of(self.amount)))
        return shifted(values, part, found, self.amount)

    def effort(self, edges: _Memory[Edges], block: Rect) -> float:
        found = edges.get(self._measure, block)
        return _MEASURING if found is None else found.effort


@dataclass(frozen=True)
class _Smooth:
    shift: float
    radius: float

    @property
    def reach(self) -> int:
        return smooth_reach(self.radius)

    @property
    def _measure(self) -> Hashable:
        return "smooth", self.shift, span_of(self.radius)

    def run(self, edges: _Memory[Edges], block: Rect, values: Alpha, part: Rect) -> Alpha:
        found = edges.find(self._measure, block, lambda: smooth_edges(values, part, span_of(self.radius)))
        return smoothed(values, part, found, self.radius)

    def effort(self, edges: _Memory[Edges], block: Rect) -> float:
        return _MEASURING if edges.get(self._measure, block) is None else 2.0


@dataclass(frozen=True)
class _Feather:
    shift: float
    smooth: float
    radius: float

    @property
    def reach(self) -> int:
        return blur_reach(self.radius / 2)

    def run(self, edges: _Memory[Edges], block: Rect, values: Alpha, part: Rect) -> Alpha:
        """Blurred so that 95 % of a hard edge's softness lies within `radius` to each side."""
        soft = blur(values, self.radius / 2)[part.slices]
        # Kernels sum up to 1 only in exact arithmetic.
        return np.where(soft > 1 - _ROUNDING, np.float32(1), np.where(soft < _ROUNDING, np.float32(0), soft))

    def effort(self, edges: _Memory[Edges], block: Rect) -> float:
        return self.radius / _FEATHER


def _steps(edge: EdgeRecipe) -> list[_Step]:
    """What changes anything and needs neighbours; contrast needs none."""
    steps: list[_Step] = []
    if edge.shift:
        steps.append(_Shift(edge.shift))
    if edge.smooth:
        steps.append(_Smooth(edge.shift, edge.smooth))
    if edge.feather:
        steps.append(_Feather(edge.shift, edge.smooth, edge.feather))
    return steps


def _hardened(alpha: Alpha, percent: float) -> Alpha:
    """Steeper about one half; at 100 percent, one half and more is opaque, the rest clear."""
    if percent == 0:
        return alpha
    if percent == 100:
        return (alpha >= 0.5).astype(np.float32)
    half = np.float32(0.5)
    return field(np.clip((alpha - half) * np.float32(100 / (100 - percent)) + half, 0, 1))


def _in_blocks(rect: Rect, photo: Rect) -> Rect:
    """`rect` made larger to whole blocks, or to the photo's border."""
    left, top = rect.left // BLOCK * BLOCK, rect.top // BLOCK * BLOCK
    return Rect(left, top, -(-rect.right // BLOCK) * BLOCK, -(-rect.bottom // BLOCK) * BLOCK).intersect(photo)


@lru_cache(maxsize=1)
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(min(8, os.cpu_count() or 1), thread_name_prefix="finish")
