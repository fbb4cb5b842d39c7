"""Undo and redo as tiles of trimap and alpha.

A step that is done holds what its tiles were *before* it; undoing swaps them with what is there, so that it then holds
what they were *after* it. One copy is enough for both ways.

Alpha arrives late: a stroke's re-matting may come when other strokes have been painted since. The rule that keeps undo
exact is a stack's: whatever changes, changes in the step that is on top at that time. A step also holds the debt (the
rectangles whose alpha had not caught up) of its other side; whoever undoes it has that debt computed again. So undoing
stroke 2 leaves exactly what was there when stroke 1 was done, and then brings stroke 1's own re-matting if it is owed.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bgdesk.app.editing.document import Document
from bgdesk.app.editing.strokes import Stroke
from bgdesk.core.geometry import Rect, Size

#: side of a tile in pixels: small enough that a dab costs little, large enough that zlib has something to work on.
TILE = 128


class Saved:
    """One tile's pixels. `pack` may run on another thread: it swaps one attribute, and both forms load alike."""

    __slots__ = ("_data", "_dtype", "_shape")

    def __init__(self, array: NDArray[Any]) -> None:
        """Keeps `array` itself: give it a copy, or an array that nobody changes any more."""
        self._data: NDArray[Any] | bytes = array
        self._dtype = array.dtype
        self._shape = array.shape

    @property
    def packed(self) -> bool:
        return isinstance(self._data, bytes) or self._data.ndim == 0

    @property
    def nbytes(self) -> int:
        data = self._data
        return len(data) if isinstance(data, bytes) else data.nbytes

    def pack(self) -> None:
        """Compress: one value if all pixels are alike, else zlib over the bytes sorted by significance."""
        data = self._data
        if isinstance(data, bytes) or data.ndim == 0:
            return
        bits = data.view(f"u{self._dtype.itemsize}")  # compared as bits: -0 and 0 are equal, but not the same
        if (bits == bits.flat[0]).all():
            self._data = np.array(data.flat[0], self._dtype)
            return
        # Neighbouring floats share their high bytes: side by side they compress about twice as well.
        planes = np.ascontiguousarray(data).view(np.uint8).reshape(-1, self._dtype.itemsize).T
        self._data = zlib.compress(planes.tobytes(), 1)

    def load(self) -> NDArray[Any]:
        """The pixels as they were, bit for bit; not to be written to."""
        data = self._data
        if isinstance(data, bytes):
            planes = np.frombuffer(zlib.decompress(data), np.uint8).reshape(self._dtype.itemsize, -1)
            return np.ascontiguousarray(planes.T).view(self._dtype).reshape(self._shape)
        return np.broadcast_to(data, self._shape) if data.ndim == 0 else data


@dataclass(eq=False)
class Step:
    """One thing to undo: tiles by their rectangle, the debt (see Snapshot) of the step's other side, and the stroke if it is one."""

    stroke: Stroke | None = None
    number: int = 0
    trimap: dict[Rect, Saved] = field(default_factory=dict)
    alpha: dict[Rect, Saved] = field(default_factory=dict)
    debt: tuple[Rect, ...] = ()
    asked: tuple[Rect, ...] = ()

    @property
    def saved(self) -> Iterator[Saved]:
        yield from self.trimap.values()
        yield from self.alpha.values()

    @property
    def nbytes(self) -> int:
        return sum(saved.nbytes for saved in self.saved)

    def overlaps(self, rect: Rect) -> bool:
        """Whether it holds labels of a pixel of `rect`."""
        return any(tile.overlaps(rect) for tile in self.trimap)


def tiles_over(rect: Rect, size: Size) -> Iterator[Rect]:
    """The tiles of a photo of `size` that hold a pixel of `rect`."""
    rect = rect.clip(size)
    if rect.empty:
        return
    for tile in Rect(rect.left // TILE * TILE, rect.top // TILE * TILE, rect.right, rect.bottom).tiles(TILE):
        yield Rect(tile.left, tile.top, tile.left + TILE, tile.top + TILE).clip(size)


def union(rects: Iterable[Rect]) -> Rect:
    """The smallest rectangle that holds them all; empty if there are none."""
    whole = Rect(0, 0, 0, 0)
    for rect in rects:
        whole = whole.union(rect)
    return whole


class History:
    """The steps of one document, oldest first.

    Whoever changes the document's trimap or alpha calls `touch` (while a stroke is under way) or `touch_alpha`
    *before* the change.
    """

    def __init__(self, document: Document, limit: int) -> None:
        """limit: most bytes all steps together may take; the last step is kept whatever it takes."""
        self.limit = limit
        self.done: list[Step] = []
        self.undone: list[Step] = []
        self.trimmed = False  # steps have been dropped: `done` does not reach back to the beginning
        self._document = document
        self._count = 0

    @property
    def nbytes(self) -> int:
        return sum(step.nbytes for step in (*self.done, *self.undone))

    # -- recording -----------------------------------------------------------------------------------------------

    def touch(self, step: Step, rect: Rect) -> None:
        """The trimap is about to change inside `rect` as part of `step`, which need not be pushed yet."""
        for tile in tiles_over(rect, self._document.size):
            if tile not in step.trimap:
                step.trimap[tile] = Saved(self._document.trimap[tile.slices].copy())

    def touch_alpha(self, rect: Rect) -> Step | None:
        """Alpha is about to change inside `rect`: recorded in the last step, which comes back; None if there is none."""
        if not self.done:
            return None
        step = self.done[-1]
        for tile in tiles_over(rect, self._document.size):
            if tile not in step.alpha:
                step.alpha[tile] = Saved(self._document.alpha[tile.slices].copy())
        return step

    def push(self, step: Step) -> None:
        """`step` has been done; what was undone cannot be redone any more. The document's debt must still be the one before it."""
        self._count += 1
        step.number = self._count
        step.debt, step.asked = self._document.debt, self._document.asked
        self.done.append(step)
        self.undone.clear()

    def whole(self) -> Step:
        """A step over every pixel, made just before trimap and alpha are *replaced*: it keeps the old arrays themselves."""
        document, step = self._document, Step()
        for tile in document.rect.tiles(TILE):
            step.trimap[tile] = Saved(document.trimap[tile.slices])
            step.alpha[tile] = Saved(document.alpha[tile.slices])
        return step

    @property
    def count(self) -> int:
        """Grows with every step pushed; the number of the newest one."""
        return self._count

    def strokes(self, since: int = 0) -> list[Stroke]:
        """The strokes that are done, with a number greater than `since`, oldest first."""
        return [step.stroke for step in self.done if step.stroke is not None and step.number > since]

    @property
    def standing(self) -> list[Stroke]:
        """The strokes that the present trimap was painted with since it was made anew, oldest first."""
        found = list(takewhile(lambda stroke: stroke is not None, (step.stroke for step in reversed(self.done))))
        return [stroke for stroke in reversed(found) if stroke is not None]

    def restore(self, step: Step) -> Rect:
        """Put back the trimap of a step that was never pushed; the rectangle that changed."""
        self._document.own("trimap")
        for tile, saved in step.trimap.items():
            self._document.trimap[tile.slices] = saved.load()
        return union(step.trimap)

    # -- going back and forth ------------------------------------------------------------------------------------

    def undo(self) -> Step | None:
        """Swap the last step out; it comes back, None if there is none."""
        return self._move(self.done, self.undone)

    def redo(self) -> Step | None:
        """Swap the step undone last in again."""
        return self._move(self.undone, self.done)

    def _move(self, source: list[Step], target: list[Step]) -> Step | None:
        if not source:
            return None
        document, step = self._document, source.pop()
        for name, tiles in (("trimap", step.trimap), ("alpha", step.alpha)):
            if tiles:
                document.own(name)
            array = getattr(document, name)
            for tile, saved in tiles.items():
                tiles[tile] = Saved(array[tile.slices].copy())
                array[tile.slices] = saved.load()
        step.debt, document.debt = document.debt, step.debt
        step.asked, document.asked = document.asked, step.asked
        document.revision += 1
        document.lineage += 1
        target.append(step)
        return step

    # -- size ----------------------------------------------------------------------------------------------------

    def trim(self) -> bool:
        """Drop the oldest steps until the rest fits; True if any went. Call it when tiles have been packed.

        While some are still to be packed twice as much is let pass: nearly always they are going to fit.
        """
        steps = (*self.done, *self.undone)
        sizes = {id(step): step.nbytes for step in steps}
        total = sum(sizes.values())
        limit = self.limit if all(saved.packed for step in steps for saved in step.saved) else 2 * self.limit
        dropped = False
        while total > limit and len(self.done) + len(self.undone) > 1:
            # Behind us goes first; of what was undone, the step farthest ahead.
            step = self.done.pop(0) if len(self.done) > 1 or not self.undone else self.undone.pop(0)
            self.trimmed = True
            dropped = True
            total -= sizes[id(step)]
        return dropped

    def clear(self) -> None:
        """Forget everything: the state as it is now is the beginning."""
        self.done.clear()
        self.undone.clear()
        self.trimmed = False
