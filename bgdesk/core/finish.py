"""Finish a solved alpha: shift its edge, smooth it, feather it, steepen it, in this order.

Everything is computed in blocks that lie on one grid over the photo, each from the block's own surroundings, so that any part of
the photo comes out bit for bit as in the whole. A block without an edge in reach is copied.
"""

import os
import threading
from collections.abc import Callable, Hashable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Generic, Protocol, TypeVar

import cv2
import numpy as np

from bgdesk.core.arrays import Alpha
from bgdesk.core.cutout import Cutout
from bgdesk.core.finishing.edges import Edges, Outline, outline, shift_edges, shift_reach, shifted, smooth_reach, smoothed, span_of
from bgdesk.core.finishing.filters import blur, blur_reach, field
from bgdesk.core.geometry import Rect
from bgdesk.core.parameters import FEATHER, SHIFT, SMOOTH
from bgdesk.core.recipe import EdgeRecipe

#: Side of a block. Smaller ones skip more of a photo, larger ones compute less of it twice.
BLOCK = 256
#: How many blocks a finisher remembers: results take 256 KiB each, edges up to 1 MiB, outlines 2 MiB.
_RESULTS, _EDGES, _OUTLINES = 128, 96, 48
_EVEN = 8192
#: Distances in which evenness is remembered, in pixels.
_COARSE = 32
#: What measuring the edges of a block takes, for a shift and for smoothing; the unit is moving those of a block full of hair.
_MEASURING, _MEASURING_AROUND = 5.0, 8.0
#: What steepening a block takes.
_HARDENING = 0.06
#: A feather of this radius takes one unit.
_FEATHER = 50.0
#: Moving edges takes this part of measuring them, as long as nobody knows better.
_TYPICAL = 0.1
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


def grid(rect: Rect, photo: Rect) -> Iterator[Rect]:
    """The blocks of the photo's grid that `rect` touches, row by row; each lies inside the photo."""
    rect = rect.intersect(photo)
    for top in range(rect.top // BLOCK * BLOCK, rect.bottom, BLOCK):
        bottom = min(top + BLOCK, photo.bottom)
        for left in range(rect.left // BLOCK * BLOCK, rect.right, BLOCK):
            yield Rect(left, top, min(left + BLOCK, photo.right), bottom)


class Finisher:
    """Finishes one photo again and again, and keeps what the next time may need. One thread at a time.

    solved: as in `finish`; not copied. remember: keep measured edges and results between calls.
    """

    def __init__(self, solved: Alpha, *, remember: bool = False) -> None:
        self._solved = solved
        self._photo = Rect.of_shape(solved.shape)
        self._measured = _Measured(remember)
        self._results = _Memory[Alpha](_RESULTS if remember else 0)
        self._even = _Memory[bool](_EVEN if remember else 0)

    def changed(self, solved: Alpha, rect: Rect) -> None:
        """Read from `solved` from now on, which differs in `rect` alone."""
        self._solved = solved
        # What was kept does not know how far it read: as far as any recipe does.
        near = rect.grow(reach(EdgeRecipe(shift=SHIFT.highest, smooth=SMOOTH.highest, feather=FEATHER.highest)))
        for memory in (self._measured.edges, self._measured.outlines, self._results, self._even):
            memory.forget(near)

    def finish(self, edge: EdgeRecipe, rect: Rect | None = None) -> Alpha:
        """As the function `finish`."""
        part = self._photo if rect is None else rect
        if edge.neutral:
            return self._solved if rect is None else self._solved[rect.slices]
        result = self._solved[part.slices].copy()
        for block, values in self.blocks(edge, grid(part, self._photo)).items():
            _paste(values, block, result, part)
        return result

    def blocks(self, edge: EdgeRecipe, wanted: Iterable[Rect]) -> dict[Rect, Alpha]:
        """Finish blocks of the grid; those that are missing stay as they were solved."""
        before: dict[Rect, Alpha] = {}
        for step, blocks in self._plan(edge, wanted):
            before = dict(zip(blocks, self._run(step, blocks, before), strict=True))
        return before

    def effort(self, edge: EdgeRecipe, wanted: Iterable[Rect], *, measured: bool = False) -> float:
        """Estimate what `blocks` would take now: 1 is moving the edges of one block that is full of hair, 4 ms on one core.

        measured: had all edges been measured before.
        """
        unknown = _TYPICAL if measured else 1.0
        return sum(
            step.effort(self._measured, block, unknown)
            for step, blocks in self._plan(edge, wanted)
            for block in blocks
            if (step, block) not in self._results
        )

    def even(self, block: Rect, margin: int) -> bool:
        """Whether a block of the grid and so much around it is opaque or clear throughout: no recipe of that reach changes it.

        A little more than `margin` may be looked at, to remember the answer for others.
        """
        margin = -(-margin // _COARSE) * _COARSE

        def look() -> bool:
            lowest, highest, _, _ = cv2.minMaxLoc(self._solved[block.grow(margin).intersect(self._photo).slices])
            return lowest == highest and lowest in (0, 1)

        return self._even.find(margin, block, look)

    def _plan(self, edge: EdgeRecipe, wanted: Iterable[Rect]) -> list[tuple["_Step", list[Rect]]]:
        """The steps, each with the blocks whose result is needed and may differ from what was solved."""
        steps = _steps(edge)
        needed, plan = set(wanted), list[tuple[_Step, list[Rect]]]()
        for number in range(len(steps) - 1, -1, -1):
            margin = sum(step.reach for step in steps[: number + 1])
            blocks = [block for block in sorted(needed) if not self.even(block, margin)]
            plan.insert(0, (steps[number], blocks))
            if number:
                needed = {other for block in blocks for other in grid(block.grow(steps[number].reach), self._photo)}
        return plan

    def _run(self, step: "_Step", blocks: list[Rect], before: dict[Rect, Alpha]) -> list[Alpha]:
        """The step's result in each of these blocks, from the results of the step before it."""

        def work(block: Rect) -> Alpha:
            def make() -> Alpha:
                window = block.grow(step.reach).intersect(self._photo)
                values = np.array(self._solved[window.slices], order="C")
                for other in grid(window, self._photo):
                    if other in before:
                        _paste(before[other], other, values, window)
                return step.run(self._measured, block, values, block.shift(-window.left, -window.top))

            return self._results.find(step, block, make)

        return [work(block) for block in blocks] if len(blocks) == 1 else list(_pool().map(work, blocks))


Kept = TypeVar("Kept")


class _Memory(Generic[Kept]):
    """What was computed for blocks; of more than `room`, what was computed first goes. For several threads."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._kept: dict[tuple[Hashable, Rect], Kept] = {}
        self._lock = threading.Lock()  # of what changes the dictionary's size

    def __contains__(self, key: tuple[Hashable, Rect]) -> bool:
        return key in self._kept

    def get(self, what: Hashable, block: Rect) -> Kept | None:
        return self._kept.get((what, block))

    def find(self, what: Hashable, block: Rect, make: Callable[[], Kept]) -> Kept:
        """What is kept, or else made now."""
        kept = self._kept.get((what, block))
        if kept is None:
            kept = make()
            with self._lock:
                self._kept[what, block] = kept
                while len(self._kept) > self._room:
                    del self._kept[next(iter(self._kept))]
        return kept

    def forget(self, near: Rect) -> None:
        if not near.empty:
            with self._lock:
                self._kept = {key: kept for key, kept in self._kept.items() if not key[1].overlaps(near)}


class _Measured:
    """What steps know of blocks."""

    def __init__(self, remember: bool) -> None:
        self.edges = _Memory[Edges](_EDGES if remember else 0)
        self.outlines = _Memory[Outline](_OUTLINES if remember else 0)


# Steps. Equal ones make the same of the same photo: each knows what was done before it.


class _Step(Protocol):
    """One step of a recipe."""

    def __hash__(self) -> int: ...

    @property
    def reach(self) -> int:
        """How far it reads, in pixels."""

    def run(self, measured: _Measured, block: Rect, values: Alpha, part: Rect) -> Alpha:
        """The step's result in a block of the photo, which is `part` of `values`, its surroundings."""

    def effort(self, measured: _Measured, block: Rect, unknown: float) -> float:
        """How long that takes, in blocks full of hair whose edges are moved. unknown: of what measuring would take, if it is due."""


@dataclass(frozen=True)
class _Shift:
    amount: float

    @property
    def reach(self) -> int:
        return shift_reach(self.amount)

    @property
    def _measure(self) -> Hashable:
        return "shift", span_of(self.amount)

    def run(self, measured: _Measured, block: Rect, values: Alpha, part: Rect) -> Alpha:
        found = measured.edges.find(self._measure, block, lambda: shift_edges(values, part, span_of(self.amount)))
        return shifted(values, part, found, self.amount)

    def effort(self, measured: _Measured, block: Rect, unknown: float) -> float:
        found = measured.edges.get(self._measure, block)
        return unknown * _MEASURING if found is None else found.effort


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

    def run(self, measured: _Measured, block: Rect, values: Alpha, part: Rect) -> Alpha:
        found = measured.outlines.find(self._measure, block, lambda: outline(values, part, span_of(self.radius)))
        return smoothed(values, part, found, self.radius)

    def effort(self, measured: _Measured, block: Rect, unknown: float) -> float:
        found = measured.outlines.get(self._measure, block)
        return unknown * _MEASURING_AROUND if found is None else found.effort


@dataclass(frozen=True)
class _Feather:
    shift: float
    smooth: float
    radius: float

    @property
    def reach(self) -> int:
        return blur_reach(self.radius / 2)

    def run(self, measured: _Measured, block: Rect, values: Alpha, part: Rect) -> Alpha:
        """Blurred so that 95 % of a hard edge's softness lies within `radius` to each side."""
        soft = blur(values, self.radius / 2)[part.slices].copy()
        # Kernels sum up to 1 only in exact arithmetic.
        soft[soft > 1 - _ROUNDING], soft[soft < _ROUNDING] = 1, 0
        return soft

    def effort(self, measured: _Measured, block: Rect, unknown: float) -> float:
        return 0.12 + self.radius / _FEATHER


@dataclass(frozen=True)
class _Harden:
    edge: EdgeRecipe

    @property
    def reach(self) -> int:
        return 0

    def run(self, measured: _Measured, block: Rect, values: Alpha, part: Rect) -> Alpha:
        """Steeper about one half; at 100 percent, one half and more is opaque, the rest clear."""
        half = np.float32(0.5)
        if self.edge.contrast == 100:
            return (values >= half).astype(np.float32)
        return field(np.clip((values - half) * np.float32(100 / (100 - self.edge.contrast)) + half, 0, 1))

    def effort(self, measured: _Measured, block: Rect, unknown: float) -> float:
        return _HARDENING


def _steps(edge: EdgeRecipe) -> list[_Step]:
    """What changes anything, in order."""
    steps: list[_Step] = []
    if edge.shift:
        steps.append(_Shift(edge.shift))
    if edge.smooth:
        steps.append(_Smooth(edge.shift, edge.smooth))
    if edge.feather:
        steps.append(_Feather(edge.shift, edge.smooth, edge.feather))
    if edge.contrast:
        steps.append(_Harden(edge))
    return steps


def _paste(values: Alpha, block: Rect, picture: Alpha, place: Rect) -> None:
    """Copy what a block and a picture share, which lies at `place` of the photo."""
    both = block.intersect(place)
    picture[both.shift(-place.left, -place.top).slices] = values[both.shift(-block.left, -block.top).slices]


@lru_cache(maxsize=1)
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(min(8, os.cpu_count() or 1), thread_name_prefix="finish")
