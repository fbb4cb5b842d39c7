"""Turning a picture upright from its EXIF orientation."""

from collections.abc import Callable, Mapping
from typing import Any

import cv2
import numpy as np

from bgdesk.core.arrays import Pixels

# OpenCV turns in blocks that fit the processor's cache: several times as quick as copying a turned numpy view.
_TURNS: Mapping[int, Callable[[Any], Any]] = {
    2: lambda pixels: cv2.flip(pixels, 1),
    3: lambda pixels: cv2.rotate(pixels, cv2.ROTATE_180),
    4: lambda pixels: cv2.flip(pixels, 0),
    5: cv2.transpose,
    6: lambda pixels: cv2.rotate(pixels, cv2.ROTATE_90_CLOCKWISE),
    7: lambda pixels: cv2.rotate(cv2.transpose(pixels), cv2.ROTATE_180),
    8: lambda pixels: cv2.rotate(pixels, cv2.ROTATE_90_COUNTERCLOCKWISE),
}


def upright(pixels: Pixels, orientation: int) -> Pixels:
    """Turn a picture as EXIF tag 0x0112 says.

    Parameters
    ----------
    pixels
        H×W×3 uint8 or uint16.
    orientation
        1 as it is, 2 mirrored, 3 half turn, 4 flipped top to bottom, 5 transposed, 6 quarter turn clockwise, 7 transversed,
        8 quarter turn counter-clockwise. Any other value counts as 1, as in every viewer.

    Returns
    -------
    ndarray
        H×W×3 or W×H×3, C-contiguous, of the same type.
    """
    turn = _TURNS.get(orientation)
    return np.ascontiguousarray(pixels if turn is None else turn(pixels))
