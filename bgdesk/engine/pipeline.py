"""The engine as its callers use it: the stages in order, timed.

Nothing heavy is imported before the first stage that needs it.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import ClassVar

import numpy as np

from bgdesk.core.arrays import Alpha, Mask, Pixels, Trimap
from bgdesk.core.cutout import Cutout
from bgdesk.core.engine import EngineStatus, Reach
from bgdesk.core.errors import MattingError
from bgdesk.core.geometry import Rect
from bgdesk.core.recipe import MatteRecipe, Quality
from bgdesk.core.results import Coloured, Confidence, Patch, Refined
from bgdesk.core.tasks import Progress, silent
from bgdesk.engine.networks.network import MattingNet, Net, Network, Opened, Proven
from bgdesk.engine.networks.resident import Resident

#: A subject with a larger share of broad half-transparent areas is worth a look; hair and blurred edges stay far below.
MOST_BROAD_SOFTNESS = 0.02

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
        """Load the network and compile the kernels ahead of the first photo. Raises ModelError, DeviceError, Cancelled."""
        # Noise: on anything plainer the solver is done before its kernels are asked for.
        sample = np.random.default_rng(0).integers(0, 256, (48, 48, 3), np.uint8)
        trimap = np.zeros((48, 48), np.uint8)
        trimap[:, 16:32], trimap[:, 32:] = 128, 255
        from bgdesk.engine.matting.refine import refine

        self.foreground(sample, refine(sample, trimap, None).alpha, recipe=MatteRecipe(spill=(0, 177, 64)))
        progress("network", 0.5)
        self._segmenter.load()
        progress("network", 1.0)
        return self.status

    def segment(self, pixels: Pixels, progress: Progress = silent, quality: Quality = Quality.BALANCED) -> Alpha:
        """The network's matte: float32 H×W in [0, 1]. Raises ModelError, DeviceError, Cancelled, MattingError."""
        from bgdesk.engine.networks.segment import segment

        _check_pixels(pixels)
        progress("network", 0.0)

        def work(opened: Opened[Net]) -> Alpha:
            return segment(pixels, opened.net, opened.run, progress, quality)

        return self._segmenter.ask(work)

    def auto(self, pixels: Pixels, recipe: MatteRecipe = MatteRecipe(), progress: Progress = silent) -> Cutout:
        """Everything: network, trimap, alpha, foreground, as `recipe` says. Raises what the stages raise."""
        from bgdesk.core.trimap import from_matte
        from bgdesk.engine.matting.refine import broad_softness
        from bgdesk.engine.matting.tiles import pinned
        from bgdesk.engine.runtime import allocator

        timings: dict[str, float] = {}
        notes: tuple[str, ...] = ()
        with _timed(timings, "network"):
            matte = self.segment(pixels, progress, recipe.quality)
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
            notes += ("The network found no subject here: the cutout is all but empty. Paint the subject by hand, or give a trimap.",)
        elif broad_softness(alpha) > MOST_BROAD_SOFTNESS:
            notes += ("Large parts are half transparent, because the network was unsure of them. Paint Foreground or Background there.",)
        foreground = pixels
        if recipe.recolours:
            with _timed(timings, "foreground"):
                coloured = self.foreground(pixels, alpha, progress, recipe)
            foreground = coloured.foreground
            notes += coloured.notes
        allocator.settle(matte.size)
        status = self.status
        return Cutout(
            pixels, alpha, foreground, trimap, matte, timings, status.device, status.precision, status.model, status.notes + notes, recipe
        )

    def matte(self, pixels: Pixels, trimap: Trimap, prior: Alpha | None = None, progress: Progress = silent) -> Refined:
        """Alpha from a trimap (0, 128, 255), float32 H×W; exactly 0 and 1 where it is known. prior: a soft guess, H×W.

        Raises MattingError when the arrays do not fit together, Cancelled.
        """
        _check_pixels(pixels)
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
        """Alpha and labels around strokes. roi: the rectangle of what was painted.

        labels: the trimap with the strokes in it. alpha: from before them. fixed: bool H×W, pixels that SMART must not
        relabel, such as earlier strokes. again: whether the unknown pixels in roi ask for an answer that does not lean on
        the old one; None: yes, unless a known label contradicts the old alpha.

        Nothing farther than MARGIN from roi is read or answered. A solve that does not converge keeps its last step, and
        the patch's notes say so. Raises MattingError when the arguments do not fit together, Cancelled.
        """
        from bgdesk.engine.matting.rematte import rematte

        _check_pixels(pixels)
        _check_like(pixels, labels, "trimap")
        _check_like(pixels, alpha, "alpha")
        if labels.dtype != np.uint8:
            raise MattingError(f"A trimap holds 0 (background), 128 (unknown) and 255 (foreground) as uint8; this one is {labels.dtype}.")
        if fixed is not None:
            _check_like(pixels, fixed, "fixed pixels")
        inside = roi.intersect(Rect.of_shape(labels.shape))
        if inside.empty:
            raise MattingError(f"The region {tuple(roi)} lies outside the photo ({labels.shape[1]}×{labels.shape[0]}).")
        return rematte(pixels, labels, np.asarray(alpha, np.float32), inside, progress, reach=reach, fixed=fixed, again=again)

    def foreground(self, pixels: Pixels, alpha: Alpha, progress: Progress = silent, recipe: MatteRecipe = MatteRecipe()) -> Coloured:
        """The subject's own colours as `recipe` wants them, the source's shape and type. Raises MattingError, Cancelled.

        Where recipe.spill is AUTO and the backdrop has no colour of its own, the answer's notes say so.
        """
        from bgdesk.engine.colours.foreground import foreground

        _check_pixels(pixels)
        _check_like(pixels, alpha, "alpha")
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
        """How likely `cutout`, made of `pixels`, is good: see Confidence. Takes a few milliseconds; where those leave it
        open the network looks again, unless alpha came from a trimap alone.

        Raises MattingError when the two do not fit together, ModelError, DeviceError, Cancelled.
        """
        from bgdesk.engine.confidence import judge

        _check_pixels(pixels)
        _check_like(pixels, cutout.alpha, "cutout")
        progress("confidence", 0.0)
        found = judge(pixels, cutout, lambda part: self.mirrored(pixels, part, progress))
        progress("confidence", 1.0)
        return found

    def mirrored(self, pixels: Pixels, part: Rect, progress: Progress = silent) -> Alpha:
        """The network's matte of a small mirror image of `part`, turned back: float32 in [0, 1], of any size. Raises as segment."""
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
        from bgdesk.engine.matting.refine import refine

        solved = refine(pixels, trimap, prior, progress)
        note = f"{solved.failed} of {solved.tiles} tiles of the edge could not be refined and are less precise."
        return Refined(alpha=solved.alpha, converged=not solved.failed, notes=(note,) if solved.failed else ())


@contextmanager
def _timed(timings: dict[str, float], stage: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    timings[stage] = time.perf_counter() - start


def _check_pixels(pixels: Pixels) -> None:
    if not isinstance(pixels, np.ndarray):
        raise MattingError(f"Pixels must be an array, and this is a {type(pixels).__name__}. Of a loaded photo, give its .pixels.")
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype not in (np.uint8, np.uint16) or 0 in pixels.shape:
        raise MattingError(f"Pixels must be height × width × 3, uint8 or uint16; these are {pixels.shape} {pixels.dtype}.")


def _check_like(pixels: Pixels, other: Alpha | Trimap | Mask, name: str) -> None:
    if other.shape != pixels.shape[:2]:
        raise MattingError(f"The {name} is {other.shape[1::-1]} pixels and the photo {pixels.shape[1::-1]}: they must have the same size.")


def _check_trimap(trimap: Trimap) -> None:
    if trimap.dtype != np.uint8 or not np.isin(np.unique(trimap), (0, 128, 255)).all():
        raise MattingError("A trimap holds the values 0 (background), 128 (unknown) and 255 (foreground) only, as uint8.")
