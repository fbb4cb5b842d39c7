"""What a network from an ONNX file takes and gives: enough to run it without knowing what is inside."""

import math
from dataclasses import dataclass

from bgdesk.core.errors import ModelError
from bgdesk.core.geometry import Size

#: segment: a photo in, its matte out. matte: a photo and a trimap in, alpha out.
KINDS = ("segment", "matte")
#: What is left to do with the answer: nothing, or the logistic function.
ACTIVATIONS = ("auto", "none", "sigmoid")
#: stretch: the photo is made as large as the network wants it, whatever its shape. aspect: it keeps its shape, its shorter
#: side fits. exact: as stretch, and the file takes nothing else.
FITS = ("stretch", "aspect", "exact")
#: A photo that keeps its shape is given to the network with a longer side of at most this many times the shorter one.
LONGEST = 4
_SMALLEST, _LARGEST = 32, 8192


@dataclass(frozen=True)
class NetworkSpec:
    """kind: one of KINDS. size: what the network is given at once, in pixels; None where only the file knows.

    mean, std, scale: a value v of 8-bit sRGB becomes (v / scale - mean) / std, channel by channel.
    activation: one of ACTIVATIONS; auto is decided by what the network answers when it is first tried.
    stretch: the answer is linearly stretched to fill [0, 1]. fit: one of FITS. multiple: sides are multiples of this.
    output: the name of the output that holds the map; empty for the only one, or the first that fits.
    """

    kind: str
    size: Size | None
    mean: tuple[float, ...]
    std: tuple[float, ...]
    scale: float = 255.0
    activation: str = "auto"
    stretch: bool = False
    fit: str = "stretch"
    multiple: int = 1
    output: str = ""

    @property
    def channels(self) -> int:
        return 4 if self.kind == "matte" else 3

    def check(self) -> None:
        """Raise ModelError for values that no network can have."""
        for value, allowed, name in ((self.kind, KINDS, "kind"), (self.activation, ACTIVATIONS, "activation"), (self.fit, FITS, "fit")):
            if value not in allowed:
                raise ModelError(f"The {name} of a network cannot be {value!r}. Use one of: {', '.join(allowed)}.")
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
                raise ModelError(f"This network wants sides that are multiples of {self.multiple}, and {sides(self.size)} is none.")


def sides(size: Size) -> str:
    """1024×1024, in words for a person."""
    return f"{size.width}×{size.height}"
