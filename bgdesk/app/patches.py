"""Frozen requests for a piece of alpha or of foreground, and what becomes of them: pure functions of their arrays.

A request copies what may change (crops of trimap and alpha) when it is made, on the owner's thread: its cost follows
the rectangle, never the photo. The source never changes, so that it is only sliced.
"""

from __future__ import annotations

from dataclasses import dataclass

from bgdesk.app.ports import EngineLike
from bgdesk.core.arrays import Alpha, Pixels, Trimap
from bgdesk.core.geometry import Rect
from bgdesk.core.recipe import MatteRecipe
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
class AlphaRequest:
    """Re-matte `roi`. window: the rectangle of the photo that the arrays are crops of; roi is in photo coordinates."""

    roi: Rect
    window: Rect
    pixels: Pixels
    trimap: Trimap
    alpha: Alpha
    lineage: int = 0

    @classmethod
    def of(cls, source: Pixels, trimap: Trimap, alpha: Alpha, roi: Rect, reach: int, lineage: int = 0) -> AlphaRequest:
        """Crops of whole arrays; reach: EngineLike.REACH."""
        window = roi.grow(reach).intersect(Rect.of_shape(source.shape))
        return cls(roi, window, source[window.slices], trimap[window.slices].copy(), alpha[window.slices].copy(), lineage)

    def compute(self, engine: EngineLike, progress: Progress) -> tuple[Rect, Alpha]:
        """The rectangle (photo coordinates) that has new alpha, and that alpha."""
        dx, dy = self.window.left, self.window.top
        where, patch = engine.rematte(self.pixels, self.trimap, self.alpha, self.roi.shift(-dx, -dy), progress)
        rect = Rect(*where)
        if not Rect.of_shape(self.trimap.shape).contains(rect) or patch.shape != (rect.height, rect.width):
            raise ValueError(f"the engine's patch {patch.shape} at {rect} does not fit a window of {self.trimap.shape}")
        return rect.shift(dx, dy), patch


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

    def compute(self, engine: EngineLike, progress: Progress) -> Pixels:
        """The foreground of `rect`."""
        colours = engine.foreground(self.pixels, self.alpha, progress, self.recipe)
        return colours[self.rect.shift(-self.window.left, -self.window.top).slices]
