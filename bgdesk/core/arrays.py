"""Names for the arrays that travel through the program."""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from bgdesk.core.errors import MattingError

#: Upright sRGB, H×W×3, uint8 or uint16 over the full range of its type.
Pixels: TypeAlias = NDArray[np.uint8] | NDArray[np.uint16]
#: float32 H×W in [0, 1]; also used for the network's coarse matte.
Alpha: TypeAlias = NDArray[np.float32]
#: uint8 H×W holding the values of `trimap.Label` only.
Trimap: TypeAlias = NDArray[np.uint8]
#: bool H×W.
Mask: TypeAlias = NDArray[np.bool_]


def check_pixels(pixels: object) -> None:
    """Raise MattingError for anything but Pixels (H×W×3, uint8 or uint16) with at least one pixel."""
    if not isinstance(pixels, np.ndarray):
        raise MattingError(f"Pixels must be an array, not a {type(pixels).__name__}. Pass the .pixels of a loaded photo.")
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype not in (np.uint8, np.uint16) or 0 in pixels.shape:
        raise MattingError(f"Pixels must be height × width × 3, uint8 or uint16; these are {pixels.shape} {pixels.dtype}.")


def to_uint8(pixels: Pixels) -> NDArray[np.uint8]:
    """Return the picture in 8 bits: uint8 is returned itself, uint16 is rounded to the nearest of 256 levels."""
    if pixels.dtype == np.uint8:
        return pixels  # type: ignore[return-value]
    # v·255/65535 is v/257; (v + 128) // 257 rounds it in integers. uint32 keeps the sum from wrapping.
    return ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)


def quantise(alpha: Alpha, dtype: np.dtype[np.uint8] | np.dtype[np.uint16] | type) -> Pixels:
    """Return opacity in [0, 1] as integers of `dtype`, rounded; values outside are clipped, 0 and 1 become the type's ends."""
    top = np.float32(np.iinfo(dtype).max)
    levels: Pixels = np.rint(np.clip(alpha, 0, 1) * top).astype(dtype)
    return levels
