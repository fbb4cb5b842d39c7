"""One photo's work while the photo is open: plain arrays, its recipe, revisions, and snapshots of it all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from bgdesk.app.editing.gestures import Gesture
from bgdesk.core.arrays import Alpha, Pixels, Trimap
from bgdesk.core.cutout import Cutout
from bgdesk.core.engine import Reach
from bgdesk.core.geometry import Rect, Size
from bgdesk.core.recipe import Recipe
from bgdesk.core.trimap import Label


@dataclass(frozen=True, kw_only=True, eq=False)
class Snapshot:
    """The work as it was when `Work.freeze` was called; its arrays never change until the snapshot is released."""

    source: Pixels  #: see Work
    labels: Trimap  #: see Work
    solved: Alpha  #: see Work
    foreground: Pixels | None  #: see Work
    recipe: Recipe  #: see Work
    edit_id: int  #: see Work
    debt: tuple[Rect, ...] = ()  #: rectangles whose solved alpha has not caught up with the labels
    asked: tuple[Rect, ...] = ()  #: what was painted UNKNOWN since: the engine is asked for an answer that does not lean on the old one
    stale: tuple[Rect, ...] = ()  #: rectangles whose foreground has not caught up with alpha or recipe
    reach: Reach = Reach.SMART  #: how the debt is to be worked out
    gestures: tuple[Gesture, ...] = ()  #: those that may have painted the labels, oldest first


@dataclass(eq=False, kw_only=True)
class Work:
    """Everything that a person and the engine made of one photo, beside the photo itself.

    A work is used on the owner's thread only; `source` and snapshots may go to other threads. Views read the arrays again at
    every event, and never keep or change them: an array may be replaced by another one of the same shape (see `freeze`).
    What is shown and exported is `core.finish` of `solved`; the solver never sees a finished alpha.
    """

    source: Pixels  #: H×W×3 uint8 or uint16, read-only
    path: Path | None  #: the photo's file; None for a pasted picture
    labels: Trimap  #: uint8 H×W, values of Label; all UNKNOWN while the network's answer is awaited
    solved: Alpha  #: float32 H×W in [0, 1], never finished; all 1 (the photo as it is) while `has_alpha` is False
    foreground: Pixels | None = None  #: H×W×3 of the source's type, may lag behind; None: the source stands in for it
    recipe: Recipe = field(default_factory=Recipe)  #: this photo's own choices
    has_alpha: bool = False  #: whether `solved` is a cut-out: the network's, or one that was begun by hand
    edit_id: int = 0  #: names what a person did; 0 before the first edit, and never changed by an engine's answer
    revision: int = 0  #: grows with every change of labels or solved
    lineage: int = 0  #: grows whenever the state jumps (undo, redo, a new cut-out): answers computed before are stale then
    debt: tuple[Rect, ...] = ()  #: see Snapshot
    asked: tuple[Rect, ...] = ()  #: see Snapshot
    stale: tuple[Rect, ...] = ()  #: see Snapshot
    colouring: Rect | None = None  #: taken out of `stale`, because its colours are being worked out
    timings: dict[str, float] = field(default_factory=dict)  #: stage -> seconds of the last cut-out; "rematte" of the last stroke
    _frozen: list[Snapshot] = field(default_factory=list, repr=False)

    @classmethod
    def awaiting(cls, source: Pixels, path: Path | None = None, recipe: Recipe | None = None) -> Work:
        """Return the work of a photo just loaded, which has no cut-out yet. May be called on any thread.

        Parameters
        ----------
        source
            H×W×3 uint8 or uint16; the work keeps a read-only view.
        path
            The photo's file; None for a pasted picture.
        recipe
            This photo's choices; None: the default recipe.
        """
        source = source.view()
        source.flags.writeable = False
        shape = source.shape[:2]
        # One value each, however large the photo is: filling a hundred megabytes would delay the first picture on the screen.
        # `own` makes real arrays of them when something is painted.
        labels = np.broadcast_to(np.uint8(Label.UNKNOWN), shape)
        return cls(source=source, path=path, labels=labels, solved=np.broadcast_to(np.float32(1), shape), recipe=recipe or Recipe())

    @property
    def size(self) -> Size:
        return Size(self.source.shape[1], self.source.shape[0])

    @property
    def rect(self) -> Rect:
        return Rect.full(self.size)

    @property
    def nbytes(self) -> int:
        """Memory that its arrays take, in bytes."""
        colours = 0 if self.foreground is None else self.foreground.nbytes
        return self.source.nbytes + self.labels.nbytes + self.solved.nbytes + colours

    # -- changes -------------------------------------------------------------------------------------------------

    def own(self, name: str) -> None:
        """Make the array called `name` safe to write to: it is replaced by a copy if it is read-only, or in a snapshot."""
        array = getattr(self, name)
        if not array.flags.writeable or any(getattr(snapshot, name) is array for snapshot in self._frozen):
            setattr(self, name, array.copy())

    def patch_solved(self, rect: Rect, patch: Alpha) -> None:
        """Replace the solved alpha inside `rect` by `patch`, of the size of `rect`."""
        self.own("solved")
        self.solved[rect.slices] = patch
        self.revision += 1

    def patch_labels(self, rect: Rect, patch: Trimap) -> None:
        """Replace the labels inside `rect` by `patch`, of the size of `rect`."""
        self.own("labels")
        self.labels[rect.slices] = patch
        self.revision += 1

    def patch_foreground(self, rect: Rect, patch: Pixels) -> None:
        """Replace the foreground inside `rect` by `patch`, of its size; the rest is the source if there was no foreground."""
        if rect == self.rect:
            self.foreground = patch
            return
        if self.foreground is None:
            self.foreground = self.source.copy()
        self.own("foreground")
        self.foreground[rect.slices] = patch

    def replace(self, labels: Trimap, solved: Alpha, foreground: Pixels | None, timings: Mapping[str, float]) -> None:
        """Take over the arrays of a whole new cut-out, whose foreground may be None. The old arrays are not written to."""
        self.labels, self.solved, self.foreground = labels, solved, foreground
        self.has_alpha = True
        self.debt = self.asked = ()
        self.stale = () if foreground is not None else (self.rect,)
        self.timings = dict(timings)
        self.revision += 1
        self.lineage += 1

    def adopt(self, cutout: Cutout) -> None:
        """Take over what the engine computed for this source."""
        self.replace(cutout.trimap, cutout.alpha, cutout.foreground, cutout.timings)
        # The recipe may have been changed while the engine worked.
        if cutout.recipe is not None and cutout.recipe.colours != self.recipe.matte.colours:
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

    def freeze(self, reach: Reach = Reach.SMART, gestures: Iterable[Gesture] = ()) -> Snapshot:
        """Return the present state, to be read on any thread. Nothing is copied now: the first change afterwards copies.

        Call `release` when the snapshot is not read any more; without that, one array too many is copied.

        Parameters
        ----------
        reach
            How the debt is to be worked out.
        gestures
            Those that may have painted the labels, oldest first.
        """
        snapshot = Snapshot(
            source=self.source,
            labels=self.labels,
            solved=self.solved,
            foreground=self.foreground,
            recipe=self.recipe,
            edit_id=self.edit_id,
            debt=self.debt,
            asked=self.asked,
            stale=self.stale if self.colouring is None else (*self.stale, self.colouring),
            reach=reach,
            gestures=tuple(gestures),
        )
        self._frozen.append(snapshot)
        return snapshot

    def release(self, snapshot: Snapshot) -> None:
        """Note that nobody reads `snapshot` any more."""
        self._frozen = [other for other in self._frozen if other is not snapshot]
