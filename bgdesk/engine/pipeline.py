"""The engine as its callers use it: the stages in order, timed.

Nothing heavy is imported before the first stage that needs it.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import ClassVar

import numpy as np

from bgdesk.core.arrays import Alpha, Mask, Pixels, Trimap, check_pixels
from bgdesk.core.cutout import Cutout
from bgdesk.core.engine import EngineStatus, Reach
from bgdesk.core.errors import MattingError
from bgdesk.core.geometry import Rect
from bgdesk.core.recipe import MatteRecipe, Quality
from bgdesk.core.results import Coloured, Confidence, Patch, Refined
from bgdesk.core.tasks import Progress, silent
from bgdesk.engine import prepare
from bgdesk.engine.networks.network import MattingNet, Net, Network, Opened, Proven
from bgdesk.engine.networks.resident import Resident

#: A subject with a larger share of broad half-transparent areas is worth a look; hair and blurred edges stay far below.
MOST_BROAD_SOFTNESS = 0.02

_NO_SUBJECT = "The network found no subject here: the cutout is all but empty. Paint the subject by hand, or give a trimap."
_BROADLY_SOFT = "Large parts are half transparent, because the network was unsure of them. Paint Foreground or Background there."
_NO_BACKDROP = "No spill was found: the background is white, grey, or of several colours. If it tints the subject, name its colour."


class Pipeline:
    """Stages from pixels to a cutout: the EngineProtocol. One call at a time; calls may come from different threads.

    Parameters
    ----------
    weights
        Gives the verified network that finds subjects, or raises ModelError; asked at the first `segment`.
    device
        auto, cpu, cuda, xpu or mps.
    precision
        auto, fp32, bf16 or fp16.
    matting
        Gives the network that works out whole bands in place of our solver, or None for our solver; asked for each photo.
    proven
        Remembers which devices gave the CPU's answer, so that the proof is not made again.
    """

    #: See EngineProtocol.
    MARGIN: ClassVar[int] = 512 + 256

    def __init__(
        self,
        weights: Callable[[], Network[Net]],
        device: str = "auto",
        precision: str = "auto",
        matting: Callable[[], Network[MattingNet] | None] = lambda: None,
        proven: Proven | None = None,
    ) -> None:
        self._proven: Proven = set[str]() if proven is None else proven
        self._weights, self._matting = weights, matting
        self._device, self._precision = device, precision
        self._segmenter = Resident(weights, device, precision, self._proven)
        self._matter: tuple[Network[MattingNet], Resident[MattingNet]] | None = None

    @property
    def status(self) -> EngineStatus:
        """Device, precision and networks; the device is that of the network that finds subjects, if that is loaded."""
        matter = self._matter
        each = [self._segmenter.status] + ([matter[1].status] if matter else [])
        notes = tuple(dict.fromkeys(note for status in each for note in status.notes))
        loaded = [status for status in each if status.model is not None]
        if not loaded:
            return EngineStatus(notes=notes)
        return replace(loaded[0], model=" + ".join(str(status.model) for status in loaded), notes=notes)

    def reference(self) -> "Pipeline":
        """The same network on the CPU in fp32: what every other device's answer is measured against."""
        return Pipeline(self._weights, "cpu", "fp32")

    def close(self) -> None:
        """Let go of the networks, and of what was said of them; the next call that needs one asks for it again."""
        self._segmenter.close()
        self._matter = None

    def warm(self, progress: Progress = silent) -> EngineStatus:
        """See EngineProtocol.warm."""
        prepare.begin()
        try:
            progress("network", 0.5)
            self._segmenter.load()
            progress("network", 1.0)
        finally:
            prepare.wait(progress)
        return self.status

    def segment(self, pixels: Pixels, progress: Progress = silent, quality: Quality = Quality.BALANCED) -> Alpha:
        """See EngineProtocol.segment."""
        from bgdesk.engine.networks.segment import segment

        check_pixels(pixels)
        progress("network", 0.0)

        def work(opened: Opened[Net]) -> Alpha:
            # Loading the network keeps the interpreter busy; its pass does not, and the kernels load beside that.
            prepare.begin()
            return segment(pixels, opened.net, opened.run, progress, quality)

        return self._segmenter.ask(work)

    def auto(self, pixels: Pixels, recipe: MatteRecipe = MatteRecipe(), progress: Progress = silent) -> Cutout:
        """See EngineProtocol.auto."""
        timings: dict[str, float] = {}
        notes: tuple[str, ...] = ()
        with _timed(timings, "network"):
            matte = self.segment(pixels, progress, recipe.quality)
        from bgdesk.core.trimap import from_matte
        from bgdesk.engine.matting.refine import broad_softness
        from bgdesk.engine.matting.tiles import pinned
        from bgdesk.engine.runtime import allocator

        with _timed(timings, "trimap"):
            progress("trimap", 0.0)
            trimap = from_matte(matte)
        with _timed(timings, "alpha"):
            if recipe.refine:
                refined = self._refine(pixels, trimap, matte, progress)
                alpha, notes = refined.alpha, refined.notes
            else:
                alpha = pinned(trimap, matte)
        if alpha.max() < 0.5:
            notes += (_NO_SUBJECT,)
        elif broad_softness(alpha) > MOST_BROAD_SOFTNESS:
            notes += (_BROADLY_SOFT,)
        foreground = pixels
        if recipe.recolours:
            with _timed(timings, "foreground"):
                coloured = self.foreground(pixels, alpha, progress, recipe)
            foreground = coloured.foreground
            notes += coloured.notes
        allocator.settle(matte.size)
        status = self.status
        return Cutout(
            source=pixels,
            alpha=alpha,
            foreground=foreground,
            trimap=trimap,
            matte=matte,
            timings=timings,
            device=status.device,
            precision=status.precision,
            model=status.model,
            notes=status.notes + notes,
            recipe=recipe,
        )

    def matte(self, pixels: Pixels, trimap: Trimap, prior: Alpha | None = None, progress: Progress = silent) -> Refined:
        """See EngineProtocol.matte."""
        check_pixels(pixels)
        _check_like(pixels, trimap, "trimap")
        _check_trimap(trimap)
        if not (trimap != 128).any():
            raise MattingError("The trimap marks nothing as foreground or background. Paint some white and some black into it.")
        if prior is not None:
            _check_like(pixels, prior, "prior")
            prior = np.asarray(prior, np.float32)
        return self._refine(pixels, trimap, prior, progress)

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
        """See EngineProtocol.rematte."""
        check_pixels(pixels)
        _check_like(pixels, labels, "trimap")
        _check_like(pixels, alpha, "alpha")
        if labels.dtype != np.uint8:
            raise MattingError(f"A trimap holds 0 (background), 128 (unknown) and 255 (foreground) as uint8; this one is {labels.dtype}.")
        if fixed is not None:
            _check_like(pixels, fixed, "fixed pixels")
        inside = roi.intersect(Rect.of_shape(labels.shape))
        if inside.empty:
            raise MattingError(f"The region {tuple(roi)} lies outside the photo ({labels.shape[1]}×{labels.shape[0]}).")
        prepare.wait(progress)
        from bgdesk.engine.matting.rematte import rematte

        return rematte(pixels, labels, np.asarray(alpha, np.float32), inside, progress, reach=reach, fixed=fixed, again=again)

    def foreground(self, pixels: Pixels, alpha: Alpha, progress: Progress = silent, recipe: MatteRecipe = MatteRecipe()) -> Coloured:
        """See EngineProtocol.foreground."""
        check_pixels(pixels)
        _check_like(pixels, alpha, "alpha")
        prepare.wait(progress)
        from bgdesk.engine.colours.foreground import foreground

        alpha = np.ascontiguousarray(alpha, np.float32)
        colours = foreground(pixels, alpha, progress, recipe.amount)
        if recipe.spill is None:
            return Coloured(foreground=colours)
        from bgdesk.engine.colours.spill import backdrop_of, suppress

        backdrop = backdrop_of(pixels, alpha) if isinstance(recipe.spill, str) else recipe.spill
        if backdrop is None:
            return Coloured(foreground=colours, notes=(_NO_BACKDROP,))
        suppress(colours, alpha, backdrop, progress)
        return Coloured(foreground=colours)

    def confidence(self, pixels: Pixels, cutout: Cutout, progress: Progress = silent) -> Confidence:
        """See EngineProtocol.confidence."""
        from bgdesk.engine.confidence import judge

        check_pixels(pixels)
        _check_like(pixels, cutout.alpha, "cutout")
        progress("confidence", 0.0)
        found = judge(pixels, cutout, lambda part: self.mirrored(pixels, part, progress))
        progress("confidence", 1.0)
        return found

    def mirrored(self, pixels: Pixels, part: Rect, progress: Progress = silent) -> Alpha:
        """Ask the network about a small mirror image of a part of the photo.

        Parameters
        ----------
        pixels
            H×W×3 sRGB, uint8 or uint16.
        part
            In pixels, inside the photo.

        Returns
        -------
        ndarray
            Its matte turned back, float32 in [0, 1], of any size.

        Raises
        ------
        ModelError, DeviceError, Cancelled
        """
        from bgdesk.engine.networks.segment import mirrored

        seen = pixels[part.slices]

        def work(opened: Opened[Net]) -> Alpha:
            return mirrored(seen, opened.net, opened.run, lambda _, done: progress("confidence", done))

        return self._segmenter.ask(work)

    def _refine(self, pixels: Pixels, trimap: Trimap, prior: Alpha | None, progress: Progress) -> Refined:
        """Alpha of a whole photo: by the matting network that was chosen, else by our solver."""
        network = self._matting()
        if network is None:
            self._matter = None
            return self._solve(pixels, trimap, prior, progress)
        from bgdesk.engine.matting.matting_net import matte

        matter = self._matter
        if matter is None or matter[0] != network:
            matter = self._matter = network, Resident(lambda: network, self._device, self._precision, self._proven)

        def work(opened: Opened[MattingNet]) -> Alpha:
            return matte(pixels, trimap, opened.net, opened.run, progress)

        return Refined(alpha=matter[1].ask(work))

    def _solve(self, pixels: Pixels, trimap: Trimap, prior: Alpha | None, progress: Progress) -> Refined:
        prepare.wait(progress)
        from bgdesk.engine.matting.refine import refine

        solved = refine(pixels, trimap, prior, progress)
        note = f"{solved.failed} of {solved.tiles} tiles of the edge could not be refined and are less precise."
        return Refined(alpha=solved.alpha, converged=not solved.failed, notes=(note,) if solved.failed else ())


@contextmanager
def _timed(timings: dict[str, float], stage: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    timings[stage] = time.perf_counter() - start


def _check_like(pixels: Pixels, other: Alpha | Trimap | Mask, name: str) -> None:
    if other.shape != pixels.shape[:2]:
        raise MattingError(f"The {name} is {other.shape[1::-1]} pixels and the photo {pixels.shape[1::-1]}: they must have the same size.")


def _check_trimap(trimap: Trimap) -> None:
    if trimap.dtype != np.uint8 or not np.isin(np.unique(trimap), (0, 128, 255)).all():
        raise MattingError("A trimap holds the values 0 (background), 128 (unknown) and 255 (foreground) only, as uint8.")
