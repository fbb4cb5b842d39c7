"""The engine as everybody but the engine itself sees it: what it can be asked, and what it says about itself."""

from dataclasses import dataclass
from enum import Enum
from typing import ClassVar, Protocol

from bgdesk.core.arrays import Alpha, Mask, Pixels, Trimap
from bgdesk.core.cutout import Cutout
from bgdesk.core.geometry import Rect
from bgdesk.core.recipe import MatteRecipe, Quality
from bgdesk.core.results import Coloured, Confidence, Patch, Refined
from bgdesk.core.tasks import Progress, silent


class Reach(Enum):
    """How far a stroke reaches."""

    SMART = "smart"  #: the stroke's label propagates to connected pixels like those under the stroke
    EXACT = "exact"  #: only painted pixels change their label


@dataclass(frozen=True, kw_only=True)
class EngineStatus:
    """Where the engine computes, and with which networks, in words for a status bar."""

    device: str = ""  #: name of the device; empty until a network is loaded
    precision: str = ""  #: fp32, bf16 or fp16; empty until a network is loaded
    model: str | None = None  #: ids of the loaded networks, joined by " + "
    notes: tuple[str, ...] = ()  #: sentences for a person: which device is not used, and why
    instead_of: str = ""  #: name of the device whose place the CPU has taken; empty if it has taken none


class EngineProtocol(Protocol):
    """The stages from pixels to a cut-out; `engine.pipeline.Pipeline` is the real one.

    One call at a time, from any thread; `status` may be read meanwhile. No method writes into its arguments, and arrays in
    an answer belong to the caller, except `Cutout.source` and a foreground that is the source itself. Every method that
    takes `progress` raises Cancelled when that does.
    """

    MARGIN: ClassVar[int]  #: `rematte` reads and changes nothing farther than this from its ROI, in pixels

    @property
    def status(self) -> EngineStatus:
        """Device, precision and networks; empty until a network is loaded."""
        ...

    def warm(self, progress: Progress = silent) -> EngineStatus:
        """Load the network and the kernels ahead of the first photo.

        The stage "prepare" is reported while kernels are compiled, which happens at the first start after an installation.
        Without a network the kernels are loaded all the same.

        Raises
        ------
        ModelError, DeviceError, Cancelled
        """
        ...

    def segment(self, pixels: Pixels, progress: Progress = silent, quality: Quality = Quality.BALANCED) -> Alpha:
        """Ask the network for the photo's matte.

        Parameters
        ----------
        pixels
            H×W×3 sRGB, uint8 or uint16.
        quality
            How much time the network takes.

        Returns
        -------
        ndarray
            float32 H×W in [0, 1].

        Raises
        ------
        ModelError, DeviceError, MattingError, Cancelled
        """
        ...

    def auto(self, pixels: Pixels, recipe: MatteRecipe = MatteRecipe(), progress: Progress = silent) -> Cutout:
        """Cut a subject out: network, trimap, alpha, foreground.

        Parameters
        ----------
        pixels
            H×W×3 sRGB, uint8 or uint16.
        recipe
            How alpha and colours are made.

        Returns
        -------
        Cutout
            Its notes are those of `status` and of the stages.

        Raises
        ------
        ModelError, DeviceError, MattingError, Cancelled
        """
        ...

    def matte(self, pixels: Pixels, trimap: Trimap, prior: Alpha | None = None, progress: Progress = silent) -> Refined:
        """Work out alpha from a trimap.

        Parameters
        ----------
        pixels
            H×W×3 sRGB, uint8 or uint16.
        trimap
            uint8 H×W, values of Label.
        prior
            A soft guess, H×W in [0, 1], or None.

        Returns
        -------
        Refined
            Tiles that could not be refined keep a coarser answer; the notes say how many.

        Raises
        ------
        MattingError
            The arrays do not fit together.
        ModelError
            Of the matting network.
        Cancelled
        """
        ...

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
        """Work out alpha and labels anew around strokes.

        Parameters
        ----------
        pixels
            H×W×3 sRGB, uint8 or uint16.
        labels
            uint8 H×W, values of Label: the trimap with the strokes painted into it.
        alpha
            float32 H×W in [0, 1], from before the strokes.
        roi
            The rectangle of what was painted, in pixels. Nothing farther than MARGIN from it is read or answered.
        reach
            How far the strokes reach.
        fixed
            bool H×W, pixels that SMART must not relabel, such as earlier strokes.
        again
            Whether the unknown pixels in `roi` ask for an answer that does not lean on the old one; None: yes, unless a
            known label contradicts the old alpha.

        Returns
        -------
        Patch
            A solve that does not converge keeps its last step; the notes say so.

        Raises
        ------
        MattingError
            The arguments do not fit together.
        Cancelled
        """
        ...

    def foreground(self, pixels: Pixels, alpha: Alpha, progress: Progress = silent, recipe: MatteRecipe = MatteRecipe()) -> Coloured:
        """Estimate the subject's own colours.

        Parameters
        ----------
        pixels
            H×W×3 sRGB, uint8 or uint16.
        alpha
            float32 H×W in [0, 1].
        recipe
            How much of the estimate is used, and which backdrop's spill is taken off.

        Returns
        -------
        Coloured
            Where recipe.spill is AUTO and the backdrop has no colour of its own, the notes say so.

        Raises
        ------
        MattingError
            The arrays do not fit together.
        Cancelled
        """
        ...

    def confidence(self, pixels: Pixels, cutout: Cutout, progress: Progress = silent) -> Confidence:
        """Judge how likely a cut-out is good.

        Cheap signs, which take a few milliseconds, come first. Where they do not decide, the network looks at the photo again,
        unless alpha came from a trimap alone.

        Parameters
        ----------
        pixels
            H×W×3 sRGB, uint8 or uint16.
        cutout
            Made of `pixels`.

        Raises
        ------
        MattingError
            The two do not fit together.
        ModelError, DeviceError, Cancelled
        """
        ...

    def close(self) -> None:
        """Let go of the networks; the next call that needs one loads it again."""
        ...
