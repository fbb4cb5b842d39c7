"""An engine that knows the truth of the pictures it was told about, and errs as much as it is asked to."""

from collections.abc import Callable
from typing import ClassVar

import cv2
import numpy as np

from bgdesk.core.arrays import Alpha, Mask, Pixels, Trimap
from bgdesk.core.cutout import Cutout
from bgdesk.core.engine import EngineStatus, Reach
from bgdesk.core.geometry import Rect
from bgdesk.core.recipe import MatteRecipe, Quality
from bgdesk.core.results import Confidence, Patch
from bgdesk.core.tasks import Progress, silent
from bgdesk.core.trimap import from_matte
from bgdesk.engine.confidence import judge
from tests.fakes.engine import FakeEngine


class TruthfulEngine(FakeEngine):
    """say: pixels -> matte. mend: (matte inside the stroke's rectangle, rectangle) -> what re-matting makes of it."""

    LOADED: ClassVar[EngineStatus] = EngineStatus(device="fake", precision="bf16", model="fake")

    def __init__(self, say: Callable[[Pixels], Alpha], mend: Callable[[Alpha, Rect], Alpha] | None = None) -> None:
        super().__init__()
        self.status = self.LOADED
        self._say, self._mend = say, mend or (lambda patch, rect: patch)
        self.rois: list[Rect] = []

    def segment(self, pixels: Pixels, progress: Progress = silent, quality: Quality = Quality.BALANCED) -> Alpha:
        return self._say(pixels)

    def auto(self, pixels: Pixels, recipe: MatteRecipe = MatteRecipe(), progress: Progress = silent) -> Cutout:
        matte = self._say(pixels)
        return Cutout(pixels, matte, pixels, from_matte(matte), matte)

    def rematte(
        self,
        pixels: Pixels,
        labels: Trimap,
        alpha: Alpha,
        roi: Rect,
        progress: Progress = silent,
        *,
        reach: Reach = Reach.SMART,
        fixed: Mask | None = None,
        again: bool | None = None,
    ) -> Patch:
        self.rois.append(roi)
        return Patch(rect=roi, alpha=self._mend(alpha[roi.slices], roi).astype(np.float32), labels=labels[roi.slices].copy())

    def colours_of(self, pixels: Pixels, alpha: Alpha, recipe: MatteRecipe = MatteRecipe()) -> Pixels:
        return pixels

    def confidence(self, pixels: Pixels, cutout: Cutout, progress: Progress = silent) -> Confidence:
        return judge(pixels, cutout, lambda part: self.mirrored(pixels, part))

    def mirrored(self, pixels: Pixels, part: Rect) -> Alpha:
        return self._say(pixels[part.slices])


def by_brightness(pixels: Pixels) -> Alpha:
    """A matte from any picture: its green, smoothed."""
    return np.asarray(cv2.GaussianBlur(pixels[..., 1].astype(np.float32) / 255, (0, 0), 2), np.float32)
