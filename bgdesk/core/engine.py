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
    """How far a stroke reaches.

    SMART: its label propagates to connected pixels like those under it. EXACT: only what was touched changes its label.
    """

    SMART = "smart"
    EXACT = "exact"


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
    def status(self) -> EngineStatus: ...

    def warm(self, progress: Progress = silent) -> EngineStatus:
        """Load the network and compile the kernels ahead of the first photo. Raises ModelError, DeviceError."""
        ...

    def segment(self, pixels: Pixels, progress: Progress = silent, quality: Quality = Quality.BALANCED) -> Alpha:
        """The network's matte. Raises ModelError, DeviceError, MattingError."""
        ...

    def auto(self, pixels: Pixels, recipe: MatteRecipe = MatteRecipe(), progress: Progress = silent) -> Cutout:
        """Network, trimap, alpha and foreground. Raises what those stages raise."""
        ...

    def matte(self, pixels: Pixels, trimap: Trimap, prior: Alpha | None = None, progress: Progress = silent) -> Refined:
        """Alpha from a trimap and, if there is one, a soft guess. Raises MattingError, and ModelError of a matting network."""
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
        """Alpha and labels around the strokes inside `roi`. Raises MattingError."""
        ...

    def foreground(self, pixels: Pixels, alpha: Alpha, progress: Progress = silent, recipe: MatteRecipe = MatteRecipe()) -> Coloured:
        """The subject's own colours. Raises MattingError."""
        ...

    def confidence(self, pixels: Pixels, cutout: Cutout, progress: Progress = silent) -> Confidence:
        """How likely `cutout` is good. Raises MattingError, ModelError, DeviceError."""
        ...

    def close(self) -> None:
        """Let go of the networks; the next call that needs one loads it again."""
        ...
