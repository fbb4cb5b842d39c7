"""The result of cutting out one source, as plain arrays."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from bgdesk.core.arrays import Alpha, Pixels, Trimap
from bgdesk.core.recipe import MatteRecipe


@dataclass(frozen=True, eq=False)
class Cutout:
    """All arrays have the source's height and width.

    source: H×W×3 uint8 or uint16, untouched.
    alpha: float32 in [0, 1]; exactly 0 and 1 where the trimap is known.
    foreground: H×W×3, the source's type; equal to the source where alpha is 1, extended outwards where it is 0.
    trimap: uint8, values of trimap.Label.
    matte: float32 in [0, 1] as the network gave it, or None if alpha came from a trimap alone.
    timings: stage name -> seconds.
    device, precision, model: what computed it, as words for a status bar.
    recipe: what it was made with, if that is known.
    notes: sentences a person must see: fall-backs that were taken, and why.
    """

    source: Pixels
    alpha: Alpha
    foreground: Pixels
    trimap: Trimap
    matte: Alpha | None = None
    timings: Mapping[str, float] = field(default_factory=dict)
    device: str = "cpu"
    precision: str = "fp32"
    model: str | None = None
    notes: tuple[str, ...] = ()
    recipe: MatteRecipe | None = None
