"""Small filters on float32 pictures, alike in both directions and at a photo's border, where the last pixel goes on."""

from functools import lru_cache
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

#: float32 H×W, or one number for each of N pixels.
Field: TypeAlias = NDArray[np.float32]

#: Standard deviations after which a Gaussian kernel ends.
_REACH = 3.0
#: The normal distribution's share below z is close to logistic(A·z + B·z³) (Page 1977, error below 0.0002), which has an exact
#: inverse in closed form.
_A, _B = 1.5976, 0.070566
#: Central difference, and the smoothing across that goes with it.
_DIFFERENCE = np.array([-0.5, 0, 0.5], np.float32)
_ACROSS = np.array([0.25, 0.5, 0.25], np.float32)
_SELF = np.ones(1, np.float32)


def blur_reach(sigma: float) -> int:
    """Pixels over which `blur` reads to each side."""
    return max(1, int(np.ceil(_REACH * sigma)))


@lru_cache(maxsize=64)
def kernel(sigma: float) -> Field:
    """Gaussian weights, which sum up to 1."""
    x = np.arange(-blur_reach(sigma), blur_reach(sigma) + 1, dtype=np.float64)
    weights = np.exp(-0.5 * (x / sigma) ** 2)
    return field(weights / weights.sum())


@lru_cache(maxsize=8)
def steepness_kernel(sigma: float) -> Field:
    """Derivative of a Gaussian, exact for a slope."""
    x = np.arange(-blur_reach(sigma), blur_reach(sigma) + 1, dtype=np.float64)
    weights = x * kernel(sigma)
    return field(weights / (weights * x).sum())


def separable(picture: Field, along: Field, down: Field) -> Field:
    """Correlate with `along` in x and `down` in y."""
    return field(cv2.sepFilter2D(picture, -1, along, down, borderType=cv2.BORDER_REPLICATE))


def blur(picture: Field, sigma: float) -> Field:
    """Gaussian blur; `sigma` in pixels, more than 0."""
    weights = kernel(sigma)
    return separable(picture, weights, weights)


def gradient(picture: Field) -> tuple[Field, Field]:
    """Central differences in x and y, smoothed a little across."""
    return separable(picture, _DIFFERENCE, _ACROSS), separable(picture, _ACROSS, _DIFFERENCE)


def slope(picture: Field) -> Field:
    """How much the picture changes from pixel to pixel, in whatever direction."""
    dx, dy = separable(picture, _DIFFERENCE, _SELF), separable(picture, _SELF, _DIFFERENCE)
    # Not cv2.magnitude: its last bit depends on where in memory the picture lies.
    return field(np.sqrt(dx * dx + dy * dy))


def extended(picture: Field, left: int, top: int, right: int, bottom: int) -> Field:
    """The picture with so many more pixels on its sides, in which every slope goes on as it is at the border."""
    height, width = picture.shape
    if min(height, width) == 1:  # no slope to go on with
        return field(cv2.copyMakeBorder(picture, top, bottom, left, right, cv2.BORDER_REPLICATE))
    level, mirrored = (
        field(cv2.copyMakeBorder(picture, top, bottom, left, right, kind)) for kind in (cv2.BORDER_REPLICATE, cv2.BORDER_REFLECT_101)
    )
    return 2 * level - mirrored


def share_below(z: Field) -> Field:
    """The normal distribution's share below `z`, exactly 0 and 1 beyond six standard deviations."""
    logits = z * (np.float32(_A) + np.float32(_B) * z * z)
    share = field(1 / (1 + np.exp(-np.clip(logits, -60, 60))))
    return np.where(z > 6, np.float32(1), np.where(z < -6, np.float32(0), share))


def standing_at(share: Field) -> Field:
    """The `z` below which the normal distribution has this share: the inverse of `share_below`."""
    inside = np.clip(share, np.float32(1e-6), np.float32(1 - 1e-6))
    logits = np.log(inside / (1 - inside))
    # Cardano, for B·z³ + A·z = logits, which has one real root.
    scale = 2 * np.sqrt(_A / (3 * _B))
    turn = np.arcsinh(logits * np.float32(1.5 / _A * np.sqrt(3 * _B / _A)))
    return field(np.float32(scale) * np.sinh(turn / 3))


def smooth_step(value: Field, start: float, end: float) -> Field:
    """0 up to `start`, 1 from `end` on, without a kink; falls where `end` is the smaller one."""
    t = np.clip((value - np.float32(start)) / np.float32(end - start), 0, 1)
    return field(t * t * (3 - 2 * t))


def field(array: Any) -> Field:
    """The same as float32: OpenCV's stubs know arrays of any type only, NumPy's lose it on the way."""
    return np.asarray(array, np.float32)
