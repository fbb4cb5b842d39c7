"""An engine that knows the truth of the pictures it was told about, and errs as much as it is asked to."""

from collections.abc import Callable

import cv2
import numpy as np

from bgdesk.core.cutout import Cutout
from bgdesk.core.geometry import Rect
from bgdesk.core.recipe import MatteRecipe
from bgdesk.core.trimap import from_matte
from bgdesk.engine.pipeline import EngineStatus


class FakeEngine:
    """say: pixels -> matte. mend: (matte inside the stroke's rectangle, rectangle) -> what re-matting makes of it."""

    def __init__(self, say: Callable[[np.ndarray], np.ndarray], mend: Callable[[np.ndarray, Rect], np.ndarray] | None = None) -> None:
        self.status = EngineStatus("fake", "bf16", "fake")
        self._say, self._mend = say, mend or (lambda patch, rect: patch)
        self.rois: list[tuple[int, int, int, int]] = []

    def segment(self, pixels: np.ndarray) -> np.ndarray:
        return self._say(pixels)

    def auto(self, pixels: np.ndarray, recipe: MatteRecipe = MatteRecipe()) -> Cutout:
        matte = self._say(pixels)
        return Cutout(pixels, matte, pixels, from_matte(matte), matte)

    def matte(self, pixels: np.ndarray, trimap: np.ndarray, prior: np.ndarray | None = None) -> np.ndarray:
        return np.where(trimap == 128, 0.5, trimap / 255).astype(np.float32)

    def rematte(self, pixels: np.ndarray, trimap: np.ndarray, alpha: np.ndarray, roi: tuple[int, int, int, int]) -> tuple[Rect, np.ndarray]:
        self.rois.append(roi)
        rect = Rect(*roi)
        return rect, self._mend(alpha[rect.slices], rect).astype(np.float32)

    def foreground(self, pixels: np.ndarray, alpha: np.ndarray) -> np.ndarray:
        return pixels


def by_brightness(pixels: np.ndarray) -> np.ndarray:
    """A matte from any picture: its green, smoothed."""
    return cv2.GaussianBlur(pixels[..., 1].astype(np.float32) / 255, (0, 0), 2)
