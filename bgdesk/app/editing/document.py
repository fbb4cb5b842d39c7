"""One photo and its cut-out while it is open: plain arrays, revisions, snapshots."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from bgdesk.app.editing.strokes import Stroke
from bgdesk.core.arrays import Alpha, Pixels, Trimap
from bgdesk.core.cutout import Cutout
from bgdesk.core.engine import Reach
from bgdesk.core.geometry import Rect, Size
from bgdesk.core.recipe import MatteRecipe
from bgdesk.core.trimap import Label


@dataclass(frozen=True, eq=False)
class Snapshot:
    """The document as it was when `Document.freeze` was called; its arrays never change until it is released.

    debt: rectangles whose alpha has not caught up with the trimap yet. asked: those of strokes that ask to look again.
    stale: rectangles whose foreground has not caught up with alpha (or with the recipe) yet; everything if foreground is None.
    recipe: how the foreground is to be made, and alpha when the network is asked again.
    reach, strokes: how the debt is to be worked out, see AlphaRequest.
    """

    source: Pixels
    trimap: Trimap
    alpha: Alpha
    foreground: Pixels | None
    debt: tuple[Rect, ...]
    stale: tuple[Rect, ...]
    recipe: MatteRecipe = MatteRecipe()
    reach: Reach = Reach.SMART
    strokes: tuple[Stroke, ...] = ()
    asked: tuple[Rect, ...] = ()


@dataclass(eq=False)
class Document:
    """The photo being worked on. Lives on the owner's thread alone; only `source` and snapshots go to other threads.

    Views read the arrays afresh at every event and never keep or change them: an array may be replaced by another
    one of the same shape (see `freeze`).

    source: H×W×3 uint8 or uint16, read-only.
    path: the file, or None for a pasted picture.
    trimap: uint8 H×W, values of Label; all UNKNOWN while the network's answer is awaited.
    alpha: float32 H×W in [0, 1]; all 1 (the photo as it is) while has_alpha is False.
    foreground: H×W×3 of the source's type, or None: show the source instead. It may lag behind alpha.
    has_alpha: whether alpha is a cut-out (the network's, or one begun by hand).
    revision: grows with every change of trimap or alpha.
    lineage: grows whenever the state jumps (undo, redo, a new cut-out): answers computed before are stale then.
    debt, asked, stale, recipe: see Snapshot. colouring: taken out of stale, because it is being worked out.
    timings: stage -> seconds of the last cut-out; "rematte" of the last stroke.
    """

    source: Pixels
    path: Path | None
    trimap: Trimap
    alpha: Alpha
    foreground: Pixels | None = None
    has_alpha: bool = False
    revision: int = 0
    lineage: int = 0
    debt: tuple[Rect, ...] = ()
    asked: tuple[Rect, ...] = ()
    stale: tuple[Rect, ...] = ()
    colouring: Rect | None = None
    recipe: MatteRecipe = MatteRecipe()
    timings: dict[str, float] = field(default_factory=dict)
    _frozen: list[Snapshot] = field(default_factory=list, repr=False)

    @classmethod
    def awaiting(cls, source: Pixels, path: Path | None = None) -> Document:
        """A photo just loaded: shown as it is until alpha comes. May be called on any thread."""
        source = source.view()
        source.flags.writeable = False
        shape = source.shape[:2]
        # One value each, however large the photo: filling a hundred megabytes would keep its first pixels off the screen.
        # `own` makes real arrays of them when something is painted.
        trimap = np.broadcast_to(np.uint8(Label.UNKNOWN), shape)
        return cls(source, path, trimap, np.broadcast_to(np.float32(1), shape))

    @property
    def size(self) -> Size:
        return Size(self.source.shape[1], self.source.shape[0])

    @property
    def rect(self) -> Rect:
        return Rect.full(self.size)

    @property
    def nbytes(self) -> int:
        """Memory its arrays take, in bytes."""
        colours = 0 if self.foreground is None else self.foreground.nbytes
        return self.source.nbytes + self.trimap.nbytes + self.alpha.nbytes + colours

    # -- changes -------------------------------------------------------------------------------------------------

    def own(self, name: str) -> None:
        """Make the array called `name` safe to write to: replaced by a copy if a snapshot or somebody else holds it."""
        array = getattr(self, name)
        if not array.flags.writeable or any(getattr(snapshot, name) is array for snapshot in self._frozen):
            setattr(self, name, array.copy())

    def patch_alpha(self, rect: Rect, patch: Alpha) -> None:
        """Replace alpha inside `rect` by `patch` (of its size)."""
        self.own("alpha")
        self.alpha[rect.slices] = patch
        self.revision += 1

    def patch_trimap(self, rect: Rect, patch: Trimap) -> None:
        """Replace the labels inside `rect` by `patch` (of its size)."""
        self.own("trimap")
        self.trimap[rect.slices] = patch
        self.revision += 1

    def patch_foreground(self, rect: Rect, patch: Pixels) -> None:
        """Replace the foreground inside `rect`; where there was none yet the source stands in for the rest."""
        if rect == self.rect:
            self.foreground = patch
            return
        if self.foreground is None:
            self.foreground = self.source.copy()
        self.own("foreground")
        self.foreground[rect.slices] = patch

    def replace(self, trimap: Trimap, alpha: Alpha, foreground: Pixels | None, timings: Mapping[str, float]) -> None:
        """Take over a whole new cut-out. The old arrays are let go of, untouched."""
        self.trimap, self.alpha, self.foreground = trimap, alpha, foreground
        self.has_alpha = True
        self.debt = self.asked = ()
        self.stale = () if foreground is not None else (self.rect,)
        self.timings = dict(timings)
        self.revision += 1
        self.lineage += 1

    def adopt(self, cutout: Cutout) -> None:
        """`replace` by what the engine computed for this source."""
        self.replace(cutout.trimap, cutout.alpha, cutout.foreground, cutout.timings)
        if cutout.recipe is not None and cutout.recipe.colours != self.recipe.colours:  # it was changed while the engine worked
            self.stale = (self.rect,)

    def start_by_hand(self, label: Label) -> None:
        """Begin without a network: everything BACKGROUND with alpha 0, or everything FOREGROUND with alpha 1."""
        shape = self.source.shape[:2]
        if label == Label.FOREGROUND:
            self.replace(np.full(shape, label, np.uint8), np.ones(shape, np.float32), None, {})
        else:  # zeros cost nothing until they are written to
            self.replace(np.zeros(shape, np.uint8), np.zeros(shape, np.float32), None, {})
        self.stale = ()  # an alpha of one value has no colours to work out

    # -- snapshots -----------------------------------------------------------------------------------------------

    def freeze(self, reach: Reach = Reach.SMART, strokes: Iterable[Stroke] = ()) -> Snapshot:
        """The present state, to be read on any thread. Costs nothing now: the first change afterwards copies.

        Give it back with `release` when it is done with; forgetting to costs one copy, not correctness.
        """
        stale = self.stale if self.colouring is None else (*self.stale, self.colouring)
        arrays = (self.source, self.trimap, self.alpha, self.foreground)
        snapshot = Snapshot(*arrays, self.debt, stale, self.recipe, reach, tuple(strokes), self.asked)
        self._frozen.append(snapshot)
        return snapshot

    def release(self, snapshot: Snapshot) -> None:
        """Nobody reads `snapshot` any more."""
        self._frozen = [other for other in self._frozen if other is not snapshot]
