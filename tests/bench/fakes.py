"""An engine that knows the truth of the pictures it was told about, and errs as much as it is asked to."""

from collections.abc import Callable

import cv2
import numpy as np

from bgdesk.core.cutout import Cutout
from bgdesk.core.engine import EngineStatus
from bgdesk.core.geometry import Rect
from bgdesk.core.recipe import MatteRecipe
from bgdesk.core.results import Coloured, Patch, Refined
from bgdesk.core.trimap import from_matte


class FakeEngine:
    """say: pixels -> matte. mend: (matte inside the stroke's rectangle, rectangle) -> what re-matting makes of it."""

    def __init__(self, say: Callable[[np.ndarray], np.ndarray], mend: Callable[[np.ndarray, Rect], np.ndarray] | None = None) -> None:
        self.status = EngineStatus(device="fake", precision="bf16", model="fake")
        self._say, self._mend = say, mend or (lambda patch, rect: patch)
        self.rois: list[Rect] = []

    def segment(self, pixels: np.ndarray) -> np.ndarray:
        return self._say(pixels)

    def auto(self, pixels: np.ndarray, recipe: MatteRecipe = MatteRecipe()) -> Cutout:
        matte = self._say(pixels)
        return Cutout(pixels, matte, pixels, from_matte(matte), matte)

    def matte(self, pixels: np.ndarray, trimap: np.ndarray, prior: np.ndarray | None = None) -> Refined:
        return Refined(alpha=np.where(trimap == 128, 0.5, trimap / 255).astype(np.float32))

    def rematte(self, pixels: np.ndarray, labels: np.ndarray, alpha: np.ndarray, roi: Rect) -> Patch:
        self.rois.append(roi)
        return Patch(rect=roi, alpha=self._mend(alpha[roi.slices], roi).astype(np.float32), labels=labels[roi.slices])

    def foreground(self, pixels: np.ndarray, alpha: np.ndarray) -> Coloured:
        return Coloured(foreground=pixels)


def by_brightness(pixels: np.ndarray) -> np.ndarray:
    """A matte from any picture: its green, smoothed."""
    return cv2.GaussianBlur(pixels[..., 1].astype(np.float32) / 255, (0, 0), 2)
