"""An engine without a network, for tests that are about something else than alpha."""

from typing import ClassVar

import numpy as np

from bgdesk.core.arrays import Alpha, Mask, Pixels, Trimap
from bgdesk.core.cutout import Cutout
from bgdesk.core.engine import EngineProtocol, EngineStatus, Reach
from bgdesk.core.geometry import Rect
from bgdesk.core.recipe import MatteRecipe, Quality
from bgdesk.core.results import Coloured, Confidence, Patch, Refined
from bgdesk.core.tasks import Progress, silent


class FakeEngine:
    """core.engine.EngineProtocol, answering at once: the left half of every photo is the subject.

    As with the real engine, `status` names device and network from the first photo on that a network looks at. recipes: what
    `auto` and `foreground` were asked for.
    """

    MARGIN: ClassVar[int] = 768

    def __init__(self) -> None:
        self.recipes: list[MatteRecipe] = []
        self._status = EngineStatus()

    @property
    def status(self) -> EngineStatus:
        return self._status

    def warm(self, progress: Progress = silent) -> EngineStatus:
        self._status = EngineStatus(device="CPU", precision="bf16", model="isnet-general")
        return self._status

    def segment(self, pixels: Pixels, progress: Progress = silent, quality: Quality = Quality.BALANCED) -> Alpha:
        self.warm()
        progress("network", 0.0)
        alpha = np.zeros(pixels.shape[:2], np.float32)
        alpha[:, : pixels.shape[1] // 2] = 1
        return alpha

    def auto(self, pixels: Pixels, recipe: MatteRecipe = MatteRecipe(), progress: Progress = silent) -> Cutout:
        self.recipes.append(recipe)
        alpha = self.segment(pixels, progress, recipe.quality)
        trimap = (alpha * 255).astype(np.uint8)
        timings, status = {"network": 0.5, "trimap": 0.001, "alpha": 0.25}, self.status
        return Cutout(pixels, alpha, pixels, trimap, alpha, timings, status.device, status.precision, status.model, (), recipe)

    def matte(self, pixels: Pixels, trimap: Trimap, prior: Alpha | None = None, progress: Progress = silent) -> Refined:
        """What is unknown is half opaque."""
        return Refined(alpha=np.where(trimap == 128, np.float32(0.5), trimap / np.float32(255)).astype(np.float32))

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
        part = labels[roi.slices]
        return Patch(rect=roi, alpha=self.matte(pixels[roi.slices], part).alpha, labels=part.copy())

    def foreground(self, pixels: Pixels, alpha: Alpha, progress: Progress = silent, recipe: MatteRecipe = MatteRecipe()) -> Coloured:
        """Darker wherever anything of the background shows."""
        self.recipes.append(recipe)
        colours = pixels.copy()
        colours[alpha < 1] //= 2
        return Coloured(foreground=colours)

    def confidence(self, pixels: Pixels, cutout: Cutout, progress: Progress = silent) -> Confidence:
        progress("confidence", 0.0)
        return Confidence(0.9)

    def close(self) -> None:
        self._status = EngineStatus()


_: EngineProtocol = FakeEngine()  # mypy tells when the protocol has grown
