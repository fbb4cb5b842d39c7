"""What the engine answers: frozen values, each with the notes about its own photo.

Notes are sentences for a person about this one photo; what concerns the device is in `EngineStatus.notes`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from bgdesk.core.arrays import Alpha, Pixels, Trimap
from bgdesk.core.geometry import Rect


@dataclass(frozen=True, kw_only=True, eq=False)
class Refined:
    """Alpha of a whole photo, worked out from a trimap."""

    alpha: Alpha  #: float32 H×W in [0, 1], exactly 0 and 1 where the trimap is known
    converged: bool = True  #: whether the solver converged everywhere
    notes: tuple[str, ...] = ()  #: sentences for a person about this photo


@dataclass(frozen=True, kw_only=True, eq=False)
class Patch:
    """Alpha around a stroke, worked out anew."""

    rect: Rect  #: where in the photo, in pixels
    alpha: Alpha  #: float32, of the size of `rect`, in [0, 1]
    labels: Trimap  #: uint8, of the size of `rect`: the trimap with the labels that the stroke has propagated to
    notes: tuple[str, ...] = ()  #: sentences for a person about this patch


@dataclass(frozen=True, kw_only=True, eq=False)
class Coloured:
    """The subject's own colours."""

    foreground: Pixels  #: H×W×3, the shape and type of the photo
    notes: tuple[str, ...] = ()  #: sentences for a person about this photo


@dataclass(frozen=True)
class Confidence:
    """How likely a cut-out is good, and what speaks against it."""

    value: float  #: the estimated probability, in [0, 1], that the cut-out is good (see engine.confidence.GOOD)
    reasons: tuple[str, ...] = ()  #: sentences for a person, the one that lowers the value most first; often empty
    features: Mapping[str, float] = field(default_factory=dict)  #: what was measured, by name
