"""Frozen requests for a piece of alpha or of foreground, and what becomes of them: pure functions of their arrays.

A request copies what may change (crops of trimap and alpha) when it is made, on the owner's thread: its cost follows
the rectangle, never the photo. The source never changes, so that it is only sliced.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from bgdesk.app.editing.strokes import Stroke
from bgdesk.core.arrays import Alpha, Mask, Pixels, Trimap
from bgdesk.core.brush import paint_roughly
from bgdesk.core.engine import EngineProtocol, Reach
from bgdesk.core.geometry import Rect
from bgdesk.core.recipe import MatteRecipe
from bgdesk.core.results import Coloured
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


@dataclass(frozen=True, eq=False)
class AlphaPatch:
    """What a re-matting found inside `rect` (photo coordinates): alpha, and the labels that strokes have flown to.

    notes: sentences for a person about this patch.
    """

    rect: Rect
    alpha: Alpha
    trimap: Trimap
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class AlphaRequest:
    """Re-matte `roi`. window: the rectangle of the photo that the arrays are crops of; roi is in photo coordinates.

    reach, strokes: how far strokes reach, and those that may have painted here, oldest first; their labels stay.
    again: the strokes in question ask to look again.
    """

    roi: Rect
    window: Rect
    pixels: Pixels
    trimap: Trimap
    alpha: Alpha
    lineage: int = 0
    reach: Reach = Reach.SMART
    strokes: tuple[Stroke, ...] = ()
    again: bool = False

    @classmethod
    def of(
        cls,
        source: Pixels,
        trimap: Trimap,
        alpha: Alpha,
        roi: Rect,
        margin: int,
        *,
        lineage: int = 0,
        reach: Reach = Reach.SMART,
        strokes: Iterable[Stroke] = (),
        asked: Iterable[Rect] = (),
    ) -> AlphaRequest:
        """Crops of whole arrays. margin: EngineProtocol.MARGIN. asked: Document.asked."""
        window = roi.grow(margin).intersect(Rect.of_shape(source.shape))
        return cls(
            roi,
            window,
            source[window.slices],
            trimap[window.slices].copy(),
            alpha[window.slices].copy(),
            lineage,
            reach,
            tuple(stroke for stroke in strokes if stroke.rect.overlaps(window)),
            any(rect.overlaps(roi) for rect in asked),
        )

    def compute(self, engine: EngineProtocol, progress: Progress) -> AlphaPatch:
        """The rectangle that has new alpha, that alpha, and its labels."""
        dx, dy = self.window.left, self.window.top
        fixed = self._painted(progress) if self.reach is Reach.SMART and self.strokes else None
        roi = self.roi.shift(-dx, -dy)
        patch = engine.rematte(self.pixels, self.trimap, self.alpha, roi, progress, reach=self.reach, fixed=fixed, again=self.again)
        rect, shape = patch.rect, (patch.rect.height, patch.rect.width)
        if not Rect.of_shape(self.trimap.shape).contains(rect) or not shape == patch.alpha.shape == patch.labels.shape:
            raise ValueError(f"the engine's patch {patch.alpha.shape} at {rect} does not fit a window of {self.trimap.shape}")
        return AlphaPatch(rect.shift(dx, dy), patch.alpha, patch.labels, patch.notes)

    def _painted(self, progress: Progress) -> Mask:
        """Where a hand has painted, unknown too: it said that this is to be worked out. Bool, the window's size."""
        canvas = np.zeros(self.trimap.shape, np.uint8)
        for stroke in self.strokes:
            progress("alpha", 0.0)
            points = [(x - self.window.left, y - self.window.top) for x, y in stroke.points]
            paint_roughly(canvas, points, stroke.radius, 1)
        painted: Mask = canvas > 0
        return painted


@dataclass(frozen=True, eq=False)
class ColourRequest:
    """Compute the foreground inside `rect`, from a window that is COLOUR_MARGIN larger.

    Where spill is to go, rect must be the whole photo: what the subject's own colours are is seen deep inside it only.
    """

    rect: Rect
    window: Rect
    pixels: Pixels
    alpha: Alpha
    recipe: MatteRecipe = MatteRecipe()

    @classmethod
    def of(cls, source: Pixels, alpha: Alpha, rect: Rect, recipe: MatteRecipe = MatteRecipe()) -> ColourRequest:
        """Crops of whole arrays."""
        window = rect.grow(COLOUR_MARGIN).intersect(Rect.of_shape(source.shape))
        return cls(rect, window, source[window.slices], alpha[window.slices].copy(), recipe)

    def compute(self, engine: EngineProtocol, progress: Progress) -> Coloured:
        """The foreground of `rect`."""
        coloured = engine.foreground(self.pixels, self.alpha, progress, self.recipe)
        inside = self.rect.shift(-self.window.left, -self.window.top)
        return Coloured(foreground=coloured.foreground[inside.slices], notes=coloured.notes)
