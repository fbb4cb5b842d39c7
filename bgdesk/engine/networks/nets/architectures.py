"""The networks that bgdesk builds itself, as a table: architecture id -> how to build it, its input size, its normalisation."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bgdesk.core.arrays import Alpha
from bgdesk.core.geometry import Size

if TYPE_CHECKING:
    from torch import nn


#: The networks halve their maps five times: sides that are multiples of this halve evenly.
STEP = 32


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """How to build a network, and how to feed it (see network.Net)."""

    build: "Callable[[], nn.Module]"  #: makes the module with uninitialised weights
    side: int  #: the input is side×side pixels; the photo is stretched to it
    normalise: Callable[[NDArray[np.float32]], NDArray[np.float32]]  #: side×side×3 in [0, 255] to the same shape
    stretch: bool  #: the answer is linearly stretched to fill [0, 1]
    #: It keeps its accuracy in bf16 and fp16. Measured: the matte of the small U²-Net moves by 0.5, so it does not.
    reduced: bool
    #: The size of the mirror image that the best quality looks at too, relative to side. Two views that differ in size as well
    #: as in direction go wrong in different places: IS-Net gains more by them than by two large ones, at less cost. The small
    #: network has nothing to spare.
    mirror: float

    def size_for(self, photo: Size, scale: float = 1.0) -> Size:
        """The size that a photo of this size is given to the network in; scale: wished relative to the network's own."""
        side = round(self.side * scale / STEP) * STEP
        return Size(side, side)


def stretch(matte: Alpha) -> Alpha:
    """Linearly to the full range [0, 1]; a constant matte stays as it is."""
    low, high = float(matte.min()), float(matte.max())
    if high - low < 1e-6:
        return matte
    stretched: Alpha = (matte - np.float32(low)) / np.float32(high - low)
    return stretched


def _isnet() -> "nn.Module":
    from bgdesk.engine.networks.nets.isnet import ISNet

    return ISNet()


def _u2netp() -> "nn.Module":
    from bgdesk.engine.networks.nets.u2net import U2NetSmall

    return U2NetSmall()


def _centred(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    return (pixels - np.float32(128)) / np.float32(256)


def _imagenet(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    mean = np.array([0.485, 0.456, 0.406], np.float32)
    deviation = np.array([0.229, 0.224, 0.225], np.float32)
    scaled: NDArray[np.float32] = pixels / max(np.float32(1e-6), pixels.max())
    return (scaled - mean) / deviation


NETS: Mapping[str, Architecture] = {
    "isnet": Architecture(build=_isnet, side=1024, normalise=_centred, stretch=False, reduced=True, mirror=0.75),
    "u2netp": Architecture(build=_u2netp, side=320, normalise=_imagenet, stretch=True, reduced=False, mirror=1.0),
}
