"""How far an answer is from the truth. Pure functions over arrays; each says where its definition comes from.

Opacities are floats H×W in [0, 1]. `region` (bool H×W, the band for instance) restricts what is counted; None counts all.
Errors are 0 for equal arrays and grow with the difference.
"""

from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from bgdesk.core.arrays import Alpha, Mask

Floats = NDArray[np.float64]
Array = TypeVar("Array", bound=NDArray[Any])

#: Sums over pixels are given in thousands, as the matting benchmarks print them.
THOUSAND = 1000.0
#: Rhemann et al. 2009: the derivative's Gaussian, and how much less connected a pixel has to be before it counts.
_GRADIENT_SIGMA, _CONNECTIVITY_STEP, _CONNECTIVITY_SLACK = 1.4, 0.1, 0.15


def iou(answer: Mask, truth: Mask, region: Mask | None = None) -> float:
    """Return the intersection over union (Jaccard 1901) of two bool masks, in [0, 1]; 1 when both are empty."""
    a, t = _picked(answer, region), _picked(truth, region)
    union = int(np.count_nonzero(a | t))
    return int(np.count_nonzero(a & t)) / union if union else 1.0


def f1(answer: Mask, truth: Mask, region: Mask | None = None) -> float:
    """Return the harmonic mean of precision and recall (Dice 1945) of two bool masks, in [0, 1]; 1 when both are empty."""
    a, t = _picked(answer, region), _picked(truth, region)
    total = int(np.count_nonzero(a)) + int(np.count_nonzero(t))
    return 2 * int(np.count_nonzero(a & t)) / total if total else 1.0


def mae(answer: Alpha, truth: Alpha, region: Mask | None = None) -> float:
    """Return the mean absolute error, in units of opacity; 0 where there is nothing to count."""
    difference = _difference(answer, truth, region)
    return float(np.abs(difference).mean()) if difference.size else 0.0


def sad(answer: Alpha, truth: Alpha, region: Mask | None = None) -> float:
    """Return the sum of absolute differences, in thousands: 1.0 for 1000 pixels whose opacity is wrong by 1.

    References
    ----------
    C. Rhemann et al.: A perceptually motivated online benchmark for image matting. CVPR 2009.
    """
    return float(np.abs(_difference(answer, truth, region)).sum()) / THOUSAND


def mse(answer: Alpha, truth: Alpha, region: Mask | None = None) -> float:
    """Return the mean squared error, in squared units of opacity (tables usually print a thousand times that)."""
    difference = _difference(answer, truth, region)
    return float(np.square(difference).mean()) if difference.size else 0.0


def gradient(answer: Alpha, truth: Alpha, region: Mask | None = None) -> float:
    """Return the gradient error, in thousands: Σ (|∇answer| − |∇truth|)².

    ∇ is the derivative of a Gaussian with σ = 1.4, its kernel scaled to unit length and its borders replicated, as in the
    evaluation code of Deep Image Matting, which published tables use.

    References
    ----------
    C. Rhemann et al.: A perceptually motivated online benchmark for image matting. CVPR 2009.
    N. Xu et al.: Deep image matting. CVPR 2017.
    """
    difference = _picked(_slope(answer) - _slope(truth), region)
    return float(np.square(difference).sum()) / THOUSAND


def connectivity(answer: Alpha, truth: Alpha, region: Mask | None = None) -> float:
    """Return the connectivity error, in thousands: Σ |φ(answer) − φ(truth)|.

    Let d be a pixel's opacity less the highest level at which the pixel is connected (4-neighbours) to the largest part that both
    agree on. φ is 1 − d where d is at least 0.15, else 1. Levels go in steps of 0.1, as in the published evaluation code.

    References
    ----------
    C. Rhemann et al.: A perceptually motivated online benchmark for image matting. CVPR 2009.
    """
    both = np.minimum(answer, truth)
    level = np.full(both.shape, -1.0)
    steps = np.arange(_CONNECTIVITY_STEP, 1 + 1e-9, _CONNECTIVITY_STEP)
    for step in steps:
        left = (level < 0) & ~_largest(both >= step - 1e-7)
        level[left] = step - _CONNECTIVITY_STEP
    level[level < 0] = 1.0
    difference = _picked(_belonging(answer, level) - _belonging(truth, level), region)
    return float(np.abs(difference).sum()) / THOUSAND


def lab(pixels: NDArray[Any]) -> Floats:
    """Return CIE L*a*b* (D65) of sRGB colours, shape …×3: uint8 or uint16 over their full range, or floats in [0, 1].

    References
    ----------
    IEC 61966-2-1 (sRGB); CIE 15 (L*a*b*).
    """
    top = {np.dtype(np.uint8): 255.0, np.dtype(np.uint16): 65535.0}.get(np.dtype(pixels.dtype), 1.0)
    encoded = pixels.astype(np.float64) / top
    light = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    matrix = np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]])
    relative = (light @ matrix.T) / matrix.sum(axis=1)
    edge = 6 / 29
    f = np.where(relative > edge**3, np.cbrt(relative), relative / (3 * edge**2) + 4 / 29)
    x, y, z = f[..., 0], f[..., 1], f[..., 2]
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def delta_e2000(first: Floats, second: Floats) -> Floats:
    """Return the colour difference CIEDE2000 between L*a*b* colours of shape …×3; the last axis is dropped.

    References
    ----------
    G. Sharma, W. Wu, E. Dalal: The CIEDE2000 color-difference formula. Color Research & Application 30, 2005.
    """
    l1, a1, b1 = np.moveaxis(first, -1, 0)
    l2, a2, b2 = np.moveaxis(second, -1, 0)
    mean7 = ((np.hypot(a1, b1) + np.hypot(a2, b2)) / 2) ** 7
    g = 0.5 * (1 - np.sqrt(mean7 / (mean7 + 25.0**7)))
    a1, a2 = (1 + g) * a1, (1 + g) * a2
    c1, c2 = np.hypot(a1, b1), np.hypot(a2, b2)
    h1, h2 = np.degrees(np.arctan2(b1, a1)) % 360, np.degrees(np.arctan2(b2, a2)) % 360
    grey = c1 * c2 == 0
    turn = h2 - h1
    turn = np.where(grey, 0.0, np.where(turn > 180, turn - 360, np.where(turn < -180, turn + 360, turn)))
    delta_l, delta_c = l2 - l1, c2 - c1
    delta_h = 2 * np.sqrt(c1 * c2) * np.sin(np.radians(turn / 2))
    l_mean, c_mean, total = (l1 + l2) / 2, (c1 + c2) / 2, h1 + h2
    far = np.abs(h1 - h2) > 180
    h_mean = np.where(grey, total, np.where(~far, total / 2, np.where(total < 360, (total + 360) / 2, (total - 360) / 2)))

    def cosine(degrees: Floats) -> Floats:
        return np.asarray(np.cos(np.radians(degrees)), np.float64)

    t = 1 - 0.17 * cosine(h_mean - 30) + 0.24 * cosine(2 * h_mean) + 0.32 * cosine(3 * h_mean + 6) - 0.20 * cosine(4 * h_mean - 63)
    middle = (l_mean - 50) ** 2
    s_l = 1 + 0.015 * middle / np.sqrt(20 + middle)
    s_c, s_h = 1 + 0.045 * c_mean, 1 + 0.015 * c_mean * t
    turned = 30 * np.exp(-(((h_mean - 275) / 25) ** 2))
    r = -2 * np.sqrt(c_mean**7 / (c_mean**7 + 25.0**7)) * np.sin(np.radians(2 * turned))
    lightness, chroma, hue = delta_l / s_l, delta_c / s_c, delta_h / s_h
    return np.asarray(np.sqrt(np.maximum(lightness**2 + chroma**2 + hue**2 + r * chroma * hue, 0)), np.float64)


def _picked(array: Array, region: Mask | None) -> Array:
    return array if region is None else array[region]  # type: ignore[return-value]


def _difference(answer: Alpha, truth: Alpha, region: Mask | None) -> Floats:
    if answer.shape != truth.shape:
        raise ValueError(f"an answer of {answer.shape} cannot be compared with a truth of {truth.shape}")
    return _picked(answer, region).astype(np.float64) - _picked(truth, region).astype(np.float64)


def _slope(alpha: Alpha) -> Floats:
    """The length of the smoothed gradient at every pixel."""
    sigma = _GRADIENT_SIGMA
    half = int(np.ceil(sigma * np.sqrt(-2 * np.log(np.sqrt(2 * np.pi) * sigma * 1e-2))))
    u = np.arange(-half, half + 1, dtype=np.float64)
    bell = np.exp(-(u**2) / (2 * sigma**2)) / (sigma * np.sqrt(2 * np.pi))
    slope = -u * bell / sigma**2
    scale = np.linalg.norm(bell) * np.linalg.norm(slope)  # the length of the two-dimensional kernel
    values = np.asarray(alpha, np.float64)
    across = cv2.sepFilter2D(values, cv2.CV_64F, slope / scale, bell, borderType=cv2.BORDER_REPLICATE)
    down = cv2.sepFilter2D(values, cv2.CV_64F, bell, slope / scale, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(np.hypot(across, down), np.float64)


def _largest(mask: Mask) -> Mask:
    """The largest 4-connected part of `mask`; all False if it is empty."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
    if count < 2:
        return np.zeros(mask.shape, np.bool_)
    return np.asarray(labels == 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax()), np.bool_)


def _belonging(alpha: Alpha, level: Floats) -> Floats:
    distance = alpha.astype(np.float64) - level
    return 1 - distance * (distance >= _CONNECTIVITY_SLACK)
