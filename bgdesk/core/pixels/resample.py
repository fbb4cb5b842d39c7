"""Changing an array's size, typed: what goes in comes out in the same type and number of channels."""

from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from bgdesk.core.geometry import Size

Array = TypeVar("Array", bound=NDArray[np.uint8] | NDArray[np.uint16] | NDArray[np.float32])


def _resize(array: Array, size: Size, interpolation: int) -> Array:
    if array.shape[1::-1] == tuple(size):
        return array
    # OpenCV drops a last axis of length 1; reshape keeps H×W and H×W×3 as they came.
    resized = cv2.resize(array, size, interpolation=interpolation).reshape(size.height, size.width, *array.shape[2:])
    return resized  # type: ignore[return-value]


def by_area(array: Array, size: Size) -> Array:
    """Smaller: each pixel is the mean of what it covers."""
    return _resize(array, size, cv2.INTER_AREA)


def linear(array: Array, size: Size) -> Array:
    """Larger, bilinear, sample points at pixel centres."""
    return _resize(array, size, cv2.INTER_LINEAR)


def cubic(array: Array, size: Size) -> Array:
    """Larger, bicubic; float results may overshoot the input's range."""
    return _resize(array, size, cv2.INTER_CUBIC)


def nearest(array: Array, size: Size) -> Array:
    """Either way, each pixel copied from the nearest one."""
    return _resize(array, size, cv2.INTER_NEAREST)
