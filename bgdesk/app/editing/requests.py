"""Frozen requests for a piece of alpha or of foreground. What they compute depends on their own arrays alone.

A request copies what may change (crops of labels and alpha) when it is made, on the owner's thread: the time depends on the
rectangle and never on the photo. The source never changes, and is only sliced.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from bgdesk.app.editing.gestures import Gesture
from bgdesk.core.arrays import Alpha, Mask, Pixels, Trimap
from bgdesk.core.engine import EngineProtocol, Reach
from bgdesk.core.geometry import Rect
from bgdesk.core.recipe import MatteRecipe
from bgdesk.core.results import Coloured, Patch
from bgdesk.core.tasks import Progress

#: Pixels around a rectangle that its foreground is computed with, because its colours depend on those around it.
COLOUR_MARGIN = 64


def join(rects: tuple[Rect, ...], rect: Rect) -> tuple[Rect, ...]:
    """Add a rectangle to rectangles that do not overlap, and unite those that belong together.

    Two rectangles become their union if they overlap, or if the union is at most half as large again as both together. Two
    strokes in opposite corners of a photo must not cost the whole photo.

    Parameters
    ----------
    rects
        Rectangles that do not overlap.
    rect
        The new one; nothing is added if it is empty.

    Returns
    -------
    tuple of Rect
        Rectangles that do not overlap, and that together hold every pixel of `rects` and `rect`.
    """
    if rect.empty:
        return rects
    apart: list[Rect] = list(rects)
    merged = True
    while merged:
        merged = False
        for other in apart:
            both = rect.union(other)
            if rect.overlaps(other) or 2 * both.area <= 3 * (rect.area + other.area):
                apart.remove(other)
                rect = both
                merged = True
                break
    return (*apart, rect)


@dataclass(frozen=True, kw_only=True, eq=False)
class RematteRequest:
    """Work out alpha anew in and around `roi`, from crops of the photo."""

    roi: Rect  #: what was painted, in coordinates of the photo
    window: Rect  #: the rectangle of the photo that the arrays are crops of
    pixels: Pixels  #: H×W×3 uint8 or uint16, like all arrays of the size of `window`
    labels: Trimap  #: uint8 H×W, values of Label: with the gestures painted in
    solved: Alpha  #: float32 H×W in [0, 1], from before the gestures
    lineage: int = 0  #: see Work
    reach: Reach = Reach.SMART  #: how far the gestures reach
    gestures: tuple[Gesture, ...] = ()  #: those that may have painted here, oldest first; their labels stay
    again: bool = False  #: the gestures in question ask to look again

    @classmethod
    def of(
        cls,
        source: Pixels,
        labels: Trimap,
        solved: Alpha,
        roi: Rect,
        margin: int,
        *,
        lineage: int = 0,
        reach: Reach = Reach.SMART,
        gestures: Iterable[Gesture] = (),
        asked: Iterable[Rect] = (),
    ) -> RematteRequest:
        """Make a request from the arrays of a whole photo.

        Parameters
        ----------
        source, labels, solved
            As in Work; labels and solved are copied where they are needed.
        roi
            What was painted, in pixels.
        margin
            EngineProtocol.MARGIN.
        lineage
            See Work.
        reach
            How far the gestures reach.
        gestures
            Those that may have painted the labels, oldest first.
        asked
            See Snapshot.
        """
        window = roi.grow(margin).intersect(Rect.of_shape(source.shape))
        return cls(
            roi=roi,
            window=window,
            pixels=source[window.slices],
            labels=labels[window.slices].copy(),
            solved=solved[window.slices].copy(),
            lineage=lineage,
            reach=reach,
            gestures=tuple(gesture for gesture in gestures if gesture.rect.overlaps(window)),
            again=any(rect.overlaps(roi) for rect in asked),
        )

    def compute(self, engine: EngineProtocol, progress: Progress) -> Patch:
        """Ask the engine.

        Returns
        -------
        Patch
            Its rectangle is in coordinates of the photo.

        Raises
        ------
        MattingError, Cancelled
        """
        dx, dy = self.window.left, self.window.top
        fixed = self._claimed(progress) if self.reach is Reach.SMART and self.gestures else None
        found = engine.rematte(
            self.pixels, self.labels, self.solved, self.roi.shift(-dx, -dy), progress, reach=self.reach, fixed=fixed, again=self.again
        )
        shape = (found.rect.height, found.rect.width)
        inside = Rect.of_shape(self.labels.shape).contains(found.rect)
        if not inside or found.alpha.shape != shape or found.labels.shape != shape:
            raise ValueError(f"the engine's patch {found.alpha.shape} at {found.rect} does not fit a window of {self.labels.shape}")
        return replace(found, rect=found.rect.shift(dx, dy))

    def changed(self, patch: Patch) -> Mask:
        """Return where the answer's labels differ from the request's: bool, of the size of the patch."""
        differs: Mask = patch.labels != self.labels[patch.rect.shift(-self.window.left, -self.window.top).slices]
        return differs

    def _claimed(self, progress: Progress) -> Mask:
        """Where a person has painted, whatever the label: bool, of the size of `window`.

        Unknown counts too, because it asks for these pixels to be solved, not relabelled.
        """
        claimed = np.zeros(self.labels.shape, np.bool_)
        for gesture in self.gestures:
            progress("alpha", 0.0)
            gesture.claim(claimed, self.window)
        return claimed


@dataclass(frozen=True, kw_only=True, eq=False)
class ForegroundRequest:
    """Work out the foreground inside `rect`, from a window that is COLOUR_MARGIN larger.

    Where spill is to be removed, `rect` must be the whole photo: the subject's own colours are found deep inside the subject.
    """

    rect: Rect  #: what is wanted, in coordinates of the photo
    window: Rect  #: the rectangle of the photo that the arrays are crops of
    pixels: Pixels  #: H×W×3 uint8 or uint16, of the size of `window`
    solved: Alpha  #: float32 H×W in [0, 1], of the size of `window`
    recipe: MatteRecipe  #: how much of the estimate is used, and which backdrop's spill is removed

    @classmethod
    def of(cls, source: Pixels, solved: Alpha, rect: Rect, recipe: MatteRecipe) -> ForegroundRequest:
        """Make a request from the arrays of a whole photo; `solved` is copied where it is needed."""
        window = rect.grow(COLOUR_MARGIN).intersect(Rect.of_shape(source.shape))
        return cls(rect=rect, window=window, pixels=source[window.slices], solved=solved[window.slices].copy(), recipe=recipe)

    def compute(self, engine: EngineProtocol, progress: Progress) -> Coloured:
        """Ask the engine; the foreground that is returned has the size of `rect`. Raises MattingError and Cancelled."""
        found = engine.foreground(self.pixels, self.solved, progress, self.recipe)
        return replace(found, foreground=found.foreground[self.rect.shift(-self.window.left, -self.window.top).slices])
