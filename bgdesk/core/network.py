"""What a network from an ONNX file takes and gives: enough to run it without knowing what is inside."""

import math
from dataclasses import dataclass
from enum import StrEnum

from bgdesk.core.errors import ModelError
from bgdesk.core.geometry import Size


class NetworkKind(StrEnum):
    """What a network is for."""

    SEGMENT = "segment"  #: a photo in, its matte out
    MATTE = "matte"  #: a photo and a trimap in, alpha out


class Activation(StrEnum):
    """Which function turns the network's answer into [0, 1]."""

    AUTO = "auto"  #: decided by what the network answers when it is first tried
    NONE = "none"  #: nothing
    SIGMOID = "sigmoid"  #: the logistic function


class Fit(StrEnum):
    """How a photo is brought to the network's size."""

    STRETCH = "stretch"  #: to the network's size, whatever the photo's shape
    ASPECT = "aspect"  #: the photo keeps its shape, its shorter side fits
    EXACT = "exact"  #: as STRETCH, and the file takes nothing else


#: A photo that keeps its shape is given to the network with a longer side of at most this many times the shorter one.
LONGEST = 4
_SMALLEST, _LARGEST = 32, 8192


@dataclass(frozen=True, kw_only=True)
class NetworkSpec:
    """How a network is fed, and what its answer means.

    A value v of 8-bit sRGB becomes (v / scale - mean) / std, channel by channel.

    Raises
    ------
    ModelError
        When kind, activation or fit is not one of its values (as a member or as text).
    """

    kind: NetworkKind  #: what the network is for
    size: Size | None  #: of the picture that the network is given, in pixels; None where only the file knows
    mean: tuple[float, ...]  #: of red, green and blue
    std: tuple[float, ...]  #: of red, green and blue
    scale: float = 255.0  #: what values of 8-bit sRGB are divided by
    activation: Activation = Activation.AUTO  #: what is left to do with the answer
    stretch: bool = False  #: the answer is linearly stretched to fill [0, 1]
    fit: Fit = Fit.STRETCH  #: how a photo is brought to `size`
    multiple: int = 1  #: sides are multiples of this
    output: str = ""  #: the name of the output that holds the map; empty for the only one, or the first that fits

    def __post_init__(self) -> None:
        # Records and options give text.
        for name, kind in (("kind", NetworkKind), ("activation", Activation), ("fit", Fit)):
            value = getattr(self, name)
            try:
                object.__setattr__(self, name, kind(value))
            except ValueError:
                raise ModelError(f"The {name} of a network cannot be {value!r}. Use one of: {', '.join(kind)}.") from None

    @property
    def channels(self) -> int:
        """How many channels the network is given: three colours, and the trimap for a matting network."""
        return 4 if self.kind is NetworkKind.MATTE else 3

    def check(self) -> None:
        """Raise ModelError for a size, scale, mean or deviation that a network cannot have; the text says which."""
        if len(self.mean) != 3 or len(self.std) != 3 or not all(map(math.isfinite, (*self.mean, *self.std))):
            raise ModelError("Mean and standard deviation are three numbers each, one for red, green and blue.")
        if min(self.std) <= 0 or not (math.isfinite(self.scale) and self.scale > 0):
            raise ModelError("The standard deviation and the scale of a network must be above zero.")
        if not 1 <= self.multiple <= 256:
            raise ModelError(f"A network cannot want sides that are multiples of {self.multiple}. Use a number from 1 to 256.")
        if self.size is not None:
            if not all(_SMALLEST <= side <= _LARGEST for side in self.size):
                raise ModelError(f"A network's size must lie between {_SMALLEST} and {_LARGEST} pixels, not {sides(self.size)}.")
            if any(side % self.multiple for side in self.size):
                raise ModelError(f"This network wants sides that are multiples of {self.multiple}, and {sides(self.size)} is not.")


def sides(size: Size) -> str:
    """Return a size in words for a person: "1024×1024"."""
    return f"{size.width}×{size.height}"
