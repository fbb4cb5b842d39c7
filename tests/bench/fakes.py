"""An engine that knows the truth of the pictures it was told about, and errs as much as it is asked to."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from bgdesk.bench.cases.folders import NO_DATA, Data
from bgdesk.bench.engines import MeasuredEngine
from bgdesk.bench.setup import Setup
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


class ToldEngine(FakeEngine):
    """say: pixels -> matte. mend: (matte inside the stroke's rectangle, rectangle) -> what re-matting makes of it."""

    def __init__(self, say: Callable[[Pixels], Alpha], mend: Callable[[Alpha, Rect], Alpha] | None = None) -> None:
        super().__init__()
        self.status = EngineStatus(device="fake", precision="bf16", model="fake")
        self._say, self._mend = say, mend or (lambda patch, rect: patch)
        self.rois: list[Rect] = []

    def segment(self, pixels: Pixels, progress: Progress = silent, quality: Quality = Quality.BALANCED) -> Alpha:
        return self._say(pixels)

    def auto(self, pixels: Pixels, recipe: MatteRecipe = MatteRecipe(), progress: Progress = silent) -> Cutout:
        matte = self._say(pixels)
        return Cutout(source=pixels, alpha=matte, foreground=pixels, trimap=from_matte(matte), matte=matte)

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
        return Patch(rect=roi, alpha=self._mend(alpha[roi.slices], roi).astype(np.float32), labels=labels[roi.slices])

    def colours_of(self, pixels: Pixels, alpha: Alpha, recipe: MatteRecipe = MatteRecipe()) -> Pixels:
        return pixels

    def confidence(self, pixels: Pixels, cutout: Cutout, progress: Progress = silent) -> Confidence:
        return judge(pixels, cutout, lambda part: self.mirrored(pixels, part))

    def mirrored(self, pixels: Pixels, part: Rect) -> Alpha:
        return self.segment(pixels[part.slices])


def by_brightness(pixels: Pixels) -> Alpha:
    """A matte from any picture: its green, smoothed."""
    return blurred(pixels[..., 1].astype(np.float32) / np.float32(255), 2)


def blurred(alpha: Alpha, deviation: float) -> Alpha:
    smooth: Any = cv2.GaussianBlur(alpha, (0, 0), deviation)
    answer: Alpha = smooth
    return answer


def setup_with(data: Data = NO_DATA, engine: MeasuredEngine | None = None, **more: Any) -> Setup:
    """A quick bench of `engine` (by_brightness if None)."""
    chosen = engine or ToldEngine(by_brightness)

    def open_engine(model: str | None = None, device: str = "auto", precision: str = "auto") -> MeasuredEngine:
        return chosen

    def open_given(matte: Alpha) -> MeasuredEngine:
        return ToldEngine(lambda pixels: matte)

    wanted: dict[str, Any] = {"onnx": Path("nowhere"), "quick": True} | more
    return Setup(engine=open_engine, given=open_given, data=data, **wanted)
