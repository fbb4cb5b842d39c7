"""Undo and redo: tiles of labels and solved alpha, and recipes.

A step that is done holds what was there *before* it; undoing swaps that with what is there, so that the step then holds
what was there *after* it. One copy is enough for both ways.

Alpha arrives late: a stroke's re-matting may come when other steps have been made since. The rule that keeps undo exact
is a stack's: whatever changes, changes in the step that is on top at that time, whatever kind of step that is. A step
also holds the debt (the rectangles whose alpha had not caught up) of its other side; whoever undoes the step has that
debt computed again. So undoing stroke 2 leaves exactly what was there when stroke 1 was done, and then brings stroke 1's
own re-matting if it is owed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from bgdesk.app.editing.gestures import Gesture
from bgdesk.app.editing.tiles import TILE, Saved, tiles_over
from bgdesk.app.editing.work import Work
from bgdesk.core.geometry import Rect
from bgdesk.core.recipe import Recipe


@dataclass(eq=False, kw_only=True)
class Step:
    """One thing to undo. What it holds is the state on its other side."""

    name: str  #: words for Edit › Undo and the list of steps, in lower case: "paint foreground"
    number: int = 0  #: names the state that this step made; grows with every step
    gesture: Gesture | None = None  #: what the hand did
    recipe: Recipe | None = None  #: of a change of recipe: the other side's
    whole: bool = False  #: a new cut-out: the labels were made anew, and gestures before it are not in them
    labels: dict[Rect, Saved] = field(default_factory=dict)  #: tile -> the other side's labels; only tiles that changed
    solved: dict[Rect, Saved] = field(default_factory=dict)  #: the same of solved alpha
    debt: tuple[Rect, ...] = ()  #: see Snapshot
    asked: tuple[Rect, ...] = ()  #: see Snapshot
    drag: object = None  #: of a change of recipe: what the changes of one drag of a slider have in common

    @property
    def saved(self) -> Iterator[Saved]:
        """All tiles of the step."""
        yield from self.labels.values()
        yield from self.solved.values()

    @property
    def nbytes(self) -> int:
        """Memory that the tiles take, in bytes."""
        return sum(saved.nbytes for saved in self.saved)

    @property
    def spilled(self) -> int:
        """Bytes that the tiles take on disk."""
        return sum(saved.spilled for saved in self.saved)

    def overlaps(self, rect: Rect) -> bool:
        """Whether the step changed labels in a tile that overlaps `rect`."""
        return any(tile.overlaps(rect) for tile in self.labels)


def union(rects: Iterable[Rect]) -> Rect:
    """Return the smallest rectangle that holds all `rects`; empty if there are none."""
    whole = Rect(0, 0, 0, 0)
    for rect in rects:
        whole = whole.union(rect)
    return whole


class History:
    """The steps of one photo's work, oldest first.

    Whoever changes the work's labels or solved alpha calls `touch` (while a gesture is under way) or `touch_solved`
    *before* the change. `Work.edit_id` follows the newest step that is a person's.
    """

    def __init__(self, work: Work, limit: int) -> None:
        """
        Parameters
        ----------
        work
            What the steps change.
        limit
            Most memory that all steps together may take, in bytes; the last step is kept however much it takes.
        """
        self.limit = limit
        self.done: list[Step] = []
        self.undone: list[Step] = []
        self.trimmed = False  # steps have been dropped: `done` does not reach back to the beginning
        self._work = work
        self._count = 0
        self._base = 0  # the state before the oldest step

    @property
    def nbytes(self) -> int:
        """Memory that all steps take, in bytes."""
        return sum(step.nbytes for step in (*self.done, *self.undone))

    @property
    def spilled(self) -> int:
        """Bytes that all steps take on disk."""
        return sum(step.spilled for step in (*self.done, *self.undone))

    def move_to(self, work: Work) -> None:
        """Go on with the same steps over `work`, which holds the same state as the work before."""
        self._work = work

    # -- recording -----------------------------------------------------------------------------------------------

    def touch(self, step: Step, rect: Rect) -> None:
        """Save the labels inside `rect`, which are about to change as part of `step`; the step need not be pushed yet."""
        for tile in tiles_over(rect, self._work.size):
            if tile not in step.labels:
                step.labels[tile] = Saved(self._work.labels[tile.slices].copy())

    def touch_solved(self, rect: Rect) -> Step | None:
        """Save solved alpha inside `rect`, which is about to change, in the last step. Return that step; None if there is none."""
        if not self.done:
            return None
        step = self.done[-1]
        for tile in tiles_over(rect, self._work.size):
            if tile not in step.solved:
                step.solved[tile] = Saved(self._work.solved[tile.slices].copy())
        return step

    def push(self, step: Step) -> None:
        """Add `step`, which has just been done. What was undone cannot be redone any more.

        Call this before the work's debt is changed: the step keeps the debt from before.
        """
        step.debt, step.asked = self._work.debt, self._work.asked
        self.done.append(step)
        self.undone.clear()
        self._renumber(step)

    def whole(self, name: str) -> Step:
        """Return a step over every pixel, for labels and alpha that are about to be *replaced*: it keeps the old arrays themselves."""
        work, step = self._work, Step(name=name, whole=True)
        for tile in work.rect.tiles(TILE):
            step.labels[tile] = Saved(work.labels[tile.slices])
            step.solved[tile] = Saved(work.solved[tile.slices])
        return step

    def change_recipe(self, recipe: Recipe, name: str, drag: object = None) -> None:
        """Give the work another recipe, as one step; changes with the same `drag` (not None) become one step."""
        work = self._work
        last = self.done[-1] if self.done else None
        if last is not None and last.recipe is not None and drag is not None and last.drag is drag and not self.undone:
            work.recipe = recipe
            if last.recipe == recipe and not last.labels and not last.solved:  # dragged back to where it began
                self.done.pop()
                self._follow()
            else:
                self._renumber(last)
            return
        step = Step(name=name, recipe=work.recipe, drag=drag)
        work.recipe = recipe
        self.push(step)

    def _renumber(self, step: Step) -> None:
        self._count += 1
        step.number = self._count
        self._follow()

    def _follow(self) -> None:
        # A new cut-out is the network's answer: it does not count as an edit of the person's.
        self._work.edit_id = next((step.number for step in reversed(self.done) if not step.whole), self._base)

    # -- reading -------------------------------------------------------------------------------------------------

    @property
    def count(self) -> int:
        """The number of the newest step; grows with every step that is pushed."""
        return self._count

    @property
    def undo_name(self) -> str | None:
        """What `undo` would take back."""
        return self.done[-1].name if self.done else None

    @property
    def redo_name(self) -> str | None:
        """What `redo` would bring back."""
        return self.undone[-1].name if self.undone else None

    def gestures(self, since: int = 0) -> list[Gesture]:
        """Return the gestures of all done steps with a number greater than `since`, oldest first."""
        return [step.gesture for step in self.done if step.gesture is not None and step.number > since]

    @property
    def standing(self) -> list[Gesture]:
        """The gestures that the present labels were painted with since they were made anew, oldest first."""
        found: list[Gesture] = []
        for step in reversed(self.done):
            if step.whole:
                break
            if step.gesture is not None:
                found.append(step.gesture)
        return found[::-1]

    def restore(self, step: Step) -> Rect:
        """Put back the labels of a step that was never pushed. Return the rectangle outside which nothing changed."""
        self._work.own("labels")
        for tile, saved in step.labels.items():
            self._work.labels[tile.slices] = saved.load()
        return union(step.labels)

    # -- going back and forth ------------------------------------------------------------------------------------

    def undo(self) -> Step | None:
        """Take back the last step.

        Returns
        -------
        Step or None
            The step, which now holds what it changed; None if there is none.

        Raises
        ------
        OSError
            When a tile cannot be read back from the disk; nothing has changed then.
        """
        return self._move(self.done, self.undone)

    def redo(self) -> Step | None:
        """Bring back the step that was taken back last; otherwise like `undo`."""
        return self._move(self.undone, self.done)

    def _move(self, source: list[Step], target: list[Step]) -> Step | None:
        if not source:
            return None
        work, step = self._work, source[-1]
        # All tiles first: a disk that fails must leave everything as it is.
        pixels = {name: {tile: saved.load() for tile, saved in getattr(step, name).items()} for name in ("labels", "solved")}
        source.pop()
        for name, tiles in pixels.items():
            if tiles:
                work.own(name)
            array, kept = getattr(work, name), getattr(step, name)
            for tile, before in tiles.items():
                kept[tile] = Saved(array[tile.slices].copy())
                array[tile.slices] = before
        step.debt, work.debt = work.debt, step.debt
        step.asked, work.asked = work.asked, step.asked
        if step.recipe is not None:
            step.recipe, work.recipe = work.recipe, step.recipe
        if step.labels or step.solved:
            work.revision += 1
        work.lineage += 1
        target.append(step)
        self._follow()
        return step

    # -- size ----------------------------------------------------------------------------------------------------

    def trim(self) -> bool:
        """Drop the oldest steps until the rest fits into `limit`; return whether any were dropped.

        Call this when tiles have been packed. While some are not packed yet, twice the limit is allowed: they nearly always fit
        once they are packed.
        """
        steps = (*self.done, *self.undone)
        packed = all(saved.packed for step in steps for saved in step.saved)
        sizes = {id(step): step.nbytes for step in steps}
        return self._drop(sizes, self.limit if packed else 2 * self.limit)

    def trim_to_disk(self, limit: int) -> bool:
        """Drop the oldest steps until those on disk take at most `limit` bytes; return whether any were dropped."""
        return self._drop({id(step): step.spilled for step in (*self.done, *self.undone)}, limit, keep=0)

    def _drop(self, sizes: dict[int, int], limit: int, keep: int = 1) -> bool:
        total, dropped = sum(sizes.values()), False
        while total > limit and len(self.done) + len(self.undone) > keep:
            # The oldest done step goes first; of what was undone, the step that would be redone last.
            if len(self.done) > 1 or (self.done and not self.undone):
                step = self.done.pop(0)
                if not step.whole:
                    self._base = step.number
                self.trimmed = True
            else:
                step = self.undone.pop(0)
            dropped = True
            total -= sizes[id(step)]
        return dropped

    def clear(self) -> None:
        """Forget every step: the present state becomes the beginning, and does not count as edited."""
        self.done.clear()
        self.undone.clear()
        self.trimmed = False
        self._base = 0
        self._follow()
