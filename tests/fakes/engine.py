"""An engine without a network: core.engine.EngineProtocol with answers that can be computed beforehand."""

import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

import numpy as np

from bgdesk.core.arrays import Alpha, Mask, Pixels, Trimap
from bgdesk.core.cutout import Cutout
from bgdesk.core.engine import EngineProtocol, EngineStatus, Reach
from bgdesk.core.geometry import Rect
from bgdesk.core.recipe import MatteRecipe, Quality
from bgdesk.core.results import Coloured, Confidence, Patch, Refined
from bgdesk.core.tasks import Progress, silent
from bgdesk.core.trimap import Label

#: What a method reports as its stage.
_STAGES = {"auto": "network", "segment": "network", "matte": "alpha", "rematte": "alpha"}


class FakeEngine:
    """The left half of every photo is the subject. Every answer is a pure function of the arrays.

    A subclass says something else by `trimap_of`, `alpha_of` and `colours_of`. Each method can be held until it is released, or
    made to fail. As with the real engine, `status` names device and network from the first photo on that a network looks at.
    """

    MARGIN: ClassVar[int] = 768
    #: A patch of `rematte` is this much larger than its ROI, in pixels; beyond the ROI alpha stays as it was.
    SEAM: ClassVar[int] = 0
    #: The status once a network is loaded.
    LOADED: ClassVar[EngineStatus] = EngineStatus(device="CPU", precision="bf16", model="isnet-general")

    #: Of every cut-out.
    TIMINGS: ClassVar[Mapping[str, float]] = {"network": 0.5, "trimap": 0.001, "alpha": 0.25}

    def __init__(self) -> None:
        self.status = EngineStatus()
        self.calls: list[tuple[str, object]] = []  # method, and what it was asked about: a shape, or an ROI
        self.recipes: list[MatteRecipe] = []  # of `auto` and `foreground`
        self.reaches: list[tuple[Reach, Mask | None, bool | None]] = []  # reach, fixed, again of every `rematte`
        self.threads: set[str] = set()  # names of those that have called
        self.failures: dict[str, Exception] = {}  # method -> what it raises
        self.notes: tuple[str, ...] = ()  # of the status, from the first `auto` on
        self.photo_notes: tuple[str, ...] = ()  # of `auto`
        self.stroke_notes: tuple[str, ...] = ()  # of `rematte`
        self.colour_notes: tuple[str, ...] = ()  # of `foreground`
        self.deaf = False  # while held, does not listen to cancelling
        self._gates: dict[str, threading.Event] = {}
        self._entered: Counter[str] = Counter()

    # -- control -------------------------------------------------------------------------------------------------

    def hold(self, method: str) -> None:
        """Let calls of `method` wait from now on."""
        self._gates[method] = threading.Event()

    def release(self, method: str) -> None:
        self._gates.pop(method).set()

    def release_all(self) -> None:
        for method in list(self._gates):
            self.release(method)

    def entered(self, method: str) -> int:
        """How many calls have begun."""
        return self._entered[method]

    def count(self, method: str) -> int:
        return self.called.count(method)

    @property
    def called(self) -> list[str]:
        """The methods in order."""
        return [method for method, _ in self.calls]

    def _enter(self, method: str, what: object, progress: Progress) -> None:
        self.calls.append((method, what))
        self.threads.add(threading.current_thread().name)
        gate = self._gates.get(method)
        self._entered[method] += 1
        stage = _STAGES.get(method, method)
        progress(stage, 0.25)
        while gate is not None and not gate.wait(0.002):
            if not self.deaf:
                progress(stage, 0.5)
        if method in self.failures:
            raise self.failures[method]

    # -- the protocol --------------------------------------------------------------------------------------------

    def warm(self, progress: Progress = silent) -> EngineStatus:
        self._enter("warm", None, progress)
        self.status = replace(self.LOADED, notes=self.status.notes)
        return self.status

    def segment(self, pixels: Pixels, progress: Progress = silent, quality: Quality = Quality.BALANCED) -> Alpha:
        self._enter("segment", pixels.shape, progress)
        self.status = replace(self.LOADED, notes=self.status.notes)
        return self.alpha_of(pixels, self.trimap_of(pixels))

    def auto(self, pixels: Pixels, recipe: MatteRecipe = MatteRecipe(), progress: Progress = silent) -> Cutout:
        self.recipes.append(recipe)
        self._enter("auto", pixels.shape, progress)
        self.status = status = replace(self.LOADED, notes=self.notes)
        trimap = self.trimap_of(pixels)
        alpha = self.alpha_of(pixels, trimap)
        foreground = self.colours_of(pixels, alpha, recipe) if recipe.recolours else pixels
        notes = self.notes + self.photo_notes
        return Cutout(
            source=pixels,
            alpha=alpha,
            foreground=foreground,
            trimap=trimap,
            matte=alpha,
            timings=self.TIMINGS,
            device=status.device,
            precision=status.precision,
            model=status.model,
            notes=notes,
            recipe=recipe,
        )

    def matte(self, pixels: Pixels, trimap: Trimap, prior: Alpha | None = None, progress: Progress = silent) -> Refined:
        self._enter("matte", pixels.shape, progress)
        return Refined(alpha=self.alpha_of(pixels, trimap), notes=self.photo_notes)

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
        self.reaches.append((reach, fixed, again))
        self._enter("rematte", roi, progress)
        assert pixels.shape[:2] == labels.shape == alpha.shape
        roi, trimap = self.propagated(labels, roi, reach, fixed)
        rect = roi.grow(self.SEAM).intersect(Rect.of_shape(labels.shape))
        solved = alpha.copy()
        solved[roi.slices] = self.alpha_of(pixels, trimap)[roi.slices]
        return Patch(rect=rect, alpha=solved[rect.slices], labels=trimap[rect.slices].copy(), notes=self.stroke_notes)

    def foreground(self, pixels: Pixels, alpha: Alpha, progress: Progress = silent, recipe: MatteRecipe = MatteRecipe()) -> Coloured:
        self.recipes.append(recipe)
        self._enter("foreground", pixels.shape, progress)
        return Coloured(foreground=self.colours_of(pixels, alpha, recipe), notes=self.colour_notes)

    def confidence(self, pixels: Pixels, cutout: Cutout, progress: Progress = silent) -> Confidence:
        self._enter("confidence", pixels.shape, progress)
        return Confidence(0.9)

    def close(self) -> None:
        self.calls.append(("close", None))
        self.status = EngineStatus()

    # -- what it answers -----------------------------------------------------------------------------------------

    def trimap_of(self, pixels: Pixels) -> Trimap:
        trimap = np.full(pixels.shape[:2], Label.BACKGROUND, np.uint8)
        trimap[:, : pixels.shape[1] // 2] = Label.FOREGROUND
        return trimap

    def alpha_of(self, pixels: Pixels, trimap: Trimap) -> Alpha:
        """What is unknown is half opaque."""
        return np.where(trimap == Label.UNKNOWN, np.float32(0.5), trimap / np.float32(255)).astype(np.float32)

    def colours_of(self, pixels: Pixels, alpha: Alpha, recipe: MatteRecipe = MatteRecipe()) -> Pixels:
        """Darker where the subject is partly transparent."""
        colours = pixels.copy()
        colours[(alpha > 0) & (alpha < 1)] //= 2
        return colours

    def propagated(self, labels: Trimap, roi: Rect, reach: Reach, fixed: Mask | None) -> tuple[Rect, Trimap]:
        """Where strokes inside `roi` change labels, and all labels then: nowhere else, unless a subclass says so."""
        return roi, labels


_: EngineProtocol = FakeEngine()  # mypy tells when the protocol has grown
