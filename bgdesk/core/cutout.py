"""The result of cutting out one source, as plain arrays."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from bgdesk.core.arrays import Alpha, Pixels, Trimap
from bgdesk.core.recipe import MatteRecipe


@dataclass(frozen=True, kw_only=True, eq=False)
class Cutout:
    """One photo cut out. All arrays have the source's height and width."""

    source: Pixels  #: H×W×3 uint8 or uint16, untouched
    alpha: Alpha  #: float32 in [0, 1]; as it was solved, 0 and 1 exactly where the trimap is known; or finished
    foreground: Pixels  #: H×W×3, the source's type; equal to the source where alpha is 1, extended outwards where alpha is 0
    trimap: Trimap  #: uint8, values of trimap.Label
    matte: Alpha | None = None  #: float32 in [0, 1], as the network gave it; None if alpha came from a trimap alone
    timings: Mapping[str, float] = field(default_factory=dict)  #: stage -> seconds
    device: str = "cpu"  #: name of the device that computed, for a status bar
    precision: str = "fp32"  #: fp32, bf16 or fp16
    model: str | None = None  #: ids of the networks that computed, joined by " + "
    notes: tuple[str, ...] = ()  #: sentences that a person must see: fall-backs that were taken, and why
    recipe: MatteRecipe | None = None  #: what the cut-out was made with, if that is known
