"""Frozen requests for a piece of alpha or of foreground, and what becomes of them: pure functions of their arrays.

A request copies what may change (crops of labels and alpha) when it is made, on the owner's thread: its cost follows
the rectangle, never the photo. The source never changes, so that it is only sliced.
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

#: pixels around a patch that its foreground is computed with, so that colours reach in from outside it.
COLOUR_MARGIN = 64


def join(rects: tuple[Rect, ...], rect: Rect) -> tuple[Rect, ...]:
    """`rects` (apart from each other) and `rect` as rectangles apart from each other, with those in one that belong together.

    Two become their union if they overlap, or if the union is hardly larger than the two: two strokes in opposite
    corners of a photo must not cost the whole photo.
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
    pixels: Pixels
    labels: Trimap
    solved: Alpha  #: from before the gestures
    lineage: int = 0  #: see Work
    reach: Reach = Reach.SMART
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
        """Crops of whole arrays. margin: EngineProtocol.MARGIN. asked: see Work."""
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
        """Ask the engine; the patch is in coordinates of the photo. Raises what the engine raises."""
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
        """Where the answer's labels differ from those that the request was made with. Bool, the patch's size."""
        differs: Mask = patch.labels != self.labels[patch.rect.shift(-self.window.left, -self.window.top).slices]
        return differs

    def _claimed(self, progress: Progress) -> Mask:
        """Where a hand has painted, unknown too: the hand said that this is to be worked out. Bool, the window's size."""
        claimed = np.zeros(self.labels.shape, np.bool_)
        for gesture in self.gestures:
            progress("alpha", 0.0)
            gesture.claim(claimed, self.window)
        return claimed


@dataclass(frozen=True, kw_only=True, eq=False)
class ForegroundRequest:
    """Work out the foreground inside `rect`, from a window that is COLOUR_MARGIN larger.

    Where spill is to go, `rect` must be the whole photo: what the subject's own colours are is seen deep inside it only.
    """

    rect: Rect
    window: Rect
    pixels: Pixels
    solved: Alpha
    recipe: MatteRecipe

    @classmethod
    def of(cls, source: Pixels, solved: Alpha, rect: Rect, recipe: MatteRecipe) -> ForegroundRequest:
        """Crops of whole arrays."""
        window = rect.grow(COLOUR_MARGIN).intersect(Rect.of_shape(source.shape))
        return cls(rect=rect, window=window, pixels=source[window.slices], solved=solved[window.slices].copy(), recipe=recipe)

    def compute(self, engine: EngineProtocol, progress: Progress) -> Coloured:
        """Ask the engine; the foreground is that of `rect`. Raises what the engine raises."""
        found = engine.foreground(self.pixels, self.solved, progress, self.recipe)
        return replace(found, foreground=found.foreground[self.rect.shift(-self.window.left, -self.window.top).slices])
