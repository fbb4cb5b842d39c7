"""The bytes of one frame, kept between paints: only rectangles that changed are composed anew. No Qt here.

Finishing alpha exactly may take longer than a frame has. While a slider moves or the photo does, alpha is then read from a coarser
level of the pyramid; when everything rests, the exact frame is prepared piece by piece and drawn.
"""

from collections.abc import Iterator
from functools import reduce

import cv2
import numpy as np
from numpy.typing import NDArray

from bgdesk.core.geometry import Rect, Size
from bgdesk.core.recipe import EdgeRecipe
from bgdesk.ui.canvas.render import Look, Rgb, Scene
from bgdesk.ui.canvas.viewport import Viewport

#: More rectangles than this are drawn as their union.
_MANY = 64
#: What finishing alpha may take in a frame (see core.finish.Finisher.effort): 14 ms on one core, about 8 on two.
_AFFORDED = 3.5
#: What takes more has edges that were not measured yet.
_UNMEASURED = 2.5
#: How much coarser a frame may be.
_COARSEST = 3


class Frame:
    """Everything is in device pixels."""

    def __init__(self) -> None:
        self._pixels: NDArray[np.uint8] = np.zeros((1, 1, 4), np.uint8)
        self._stale: list[Rect] = []
        self._coarser = 0
        self._preparing: Iterator[None] | None = None
        self._exact = False  # everything visible has been prepared since anything moved

    @property
    def pixels(self) -> NDArray[np.uint8]:
        """H×W×4: blue, green, red, and a byte that nobody reads."""
        return self._pixels

    @property
    def size(self) -> Size:
        return Size(self._pixels.shape[1], self._pixels.shape[0])

    @property
    def coarse(self) -> bool:
        """Whether an exact frame is still to be drawn."""
        return self._coarser > 0

    @property
    def stale(self) -> bool:
        """Whether something is out of date."""
        return bool(self._stale)

    def resize(self, size: Size) -> None:
        if size != self.size:
            self._pixels = np.full((size.height, size.width, 4), 255, np.uint8)  # opaque: the photo's pixels leave the last byte alone
        self.spoil()

    def spoil(self, rect: Rect | None = None) -> None:
        """What `rect` shows is out of date; None: everything."""
        self._stale = [Rect.full(self.size)] if rect is None else [*self._stale, rect]

    def moved(self) -> None:
        """The edge recipe, alpha or what is visible has changed: nothing is prepared for that yet."""
        self._preparing, self._exact = None, False

    def set_edge(self, scene: Scene, viewport: Viewport, edge: EdgeRecipe) -> None:
        """Show alpha finished by another recipe: only what one of the two may change is composed anew."""
        before = scene.uneven(viewport, self._coarser)
        scene.set_edge(edge)
        self.moved()
        for rect in dict.fromkeys([*before, *scene.uneven(viewport, self._coarser)]):
            self.spoil(rect)

    def seen_from(self, scene: Scene, viewport: Viewport, rect: Rect) -> Rect:
        """The photo pixels that look different after alpha changed in `rect`."""
        return scene.seen_from(viewport, rect, self._coarser)

    def warm(self, scene: Scene, viewport: Viewport) -> bool:
        """Measure some edges for a sharper frame, while things still move; False when nothing is left to do or the frame can be drawn."""
        levels = (coarser for coarser in range(self._coarser) if scene.effort(viewport, coarser, measured=True) <= _AFFORDED)
        for coarser in levels:
            for _ in scene.preparing(viewport, coarser, _UNMEASURED):
                return True
            self.spoil()
            return False
        return False

    def prepare(self, scene: Scene, viewport: Viewport) -> bool:
        """Everything rests: do a little for the exact frame; True when that can be drawn."""
        if self._preparing is None:
            self._preparing = scene.preparing(viewport)
        for _ in self._preparing:
            return False
        self._preparing, self._exact = None, True
        self.spoil()
        return True

    def compose(self, scene: Scene | None, viewport: Viewport | None, look: Look, surround: Rgb) -> None:
        """Bring everything up to date."""
        if scene is not None and viewport is not None and self._stale:
            coarser = self._affordable(scene, viewport, look)
            if coarser != self._coarser:
                self._coarser = coarser
                self.spoil()
        stale, self._stale = self._stale, []
        if len(stale) > _MANY:
            stale = [reduce(Rect.union, stale)]
        visible = viewport.visible if viewport is not None else Rect(0, 0, 0, 0)
        if scene is not None and viewport is not None and len(stale) > 1 and look.view.shows_alpha:
            scene.finish(viewport, reduce(Rect.union, stale).intersect(visible), self._coarser)
        for rect in stale:
            rect = rect.clip(self.size)
            if not visible.contains(rect) or visible.empty:
                self._pixels[rect.slices] = (*surround[::-1], 255)
            part = rect.intersect(visible)
            if scene is not None and viewport is not None and not part.empty:
                scene.draw(viewport, part, look, self._coarser, self._put)

    def _put(self, rect: Rect, pixels: NDArray[np.uint8]) -> None:
        # 32 bits to the pixel in Qt's order, so that the blit converts nothing.
        cv2.cvtColor(pixels, cv2.COLOR_RGB2BGRA, self._pixels[rect.slices])

    def _affordable(self, scene: Scene, viewport: Viewport, look: Look) -> int:
        """How much coarser alpha has to be read for now."""
        if self._exact or not look.view.shows_alpha:
            return 0
        return next((coarser for coarser in range(_COARSEST) if scene.effort(viewport, coarser) <= _AFFORDED), _COARSEST)
