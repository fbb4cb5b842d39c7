"""Turning a picture upright from its EXIF orientation."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bgdesk.core.arrays import Pixels


def upright(pixels: Pixels, orientation: int) -> Pixels:
    """`pixels` (H×W or H×W×C) shown the way EXIF tag 0x0112 asks, C-contiguous.

    1 as it is, 2 mirrored, 3 half turn, 4 flipped top to bottom, 5 transposed, 6 quarter turn clockwise,
    7 transversed, 8 quarter turn counter-clockwise. Any other value means 1 (as in every viewer).
    """
    turned: NDArray[Any] = pixels
    if orientation in (5, 6, 7, 8):
        turned = turned.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        turned = turned[:, ::-1]
    if orientation in (3, 4, 7, 8):
        turned = turned[::-1]
    return np.ascontiguousarray(turned)
