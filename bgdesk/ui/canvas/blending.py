"""Arithmetic on bytes that lie on the screen, and the patterns by which labels are told apart without colour. No Qt here."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from bgdesk.core.geometry import Rect
from bgdesk.ui.canvas.pyramid import Bytes

#: From this share of partly opaque pixels on, all are mixed: picking them out would take longer.
_MUCH = 0.08


def blend(top: Bytes, bottom: Bytes, alpha: Bytes) -> Bytes:
    """top·alpha + bottom·(1 - alpha) for h×w×3 bytes and h×w alpha, rounded to nearest."""
    mixed = np.asarray(cv2.inRange(alpha, 1, 254))
    count = cv2.countNonZero(mixed)
    if count > _MUCH * alpha.size:
        # OpenCV divides by the sum of both weights and a hundred thousandth, which is nothing beside 255.
        weight = alpha.astype(np.float32)
        return np.asarray(cv2.blendLinear(top, bottom, weight, 255 - weight), np.uint8)
    blended = np.array(bottom)
    cv2.copyTo(top, (alpha == 255).view(np.uint8), blended)
    if count:
        partial = np.flatnonzero(mixed)
        opacity = alpha.ravel()[partial][:, None].astype(np.uint16)
        above, below = (picture.reshape(-1, 3)[partial] for picture in (top, bottom))
        total = above * opacity + below * (255 - opacity)
        # v/255 rounded, in integers: (v + 128 + (v + 128)/256)/256. The largest v, 255·255, leaves room in 16 bits.
        total += 128
        blended.reshape(-1, 3)[partial] = (total + (total >> 8)) >> 8
    return blended


def alpha_bytes(crop: NDArray[Any]) -> Bytes:
    """Opacity in [0, 1] as bytes, rounded to nearest."""
    return np.asarray(cv2.convertScaleAbs(np.ascontiguousarray(crop), alpha=255), np.uint8).reshape(crop.shape)


def spread(grey: Bytes) -> Bytes:
    """h×w to h×w×3."""
    return np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB), np.uint8)


def rising(rect: Rect, unit: float) -> NDArray[np.bool_]:
    return _stripes(rect, unit, 1)


def falling(rect: Rect, unit: float) -> NDArray[np.bool_]:
    return _stripes(rect, unit, -1)


def dots(rect: Rect, unit: float) -> NDArray[np.bool_]:
    period, size = max(2, round(8 * unit)), max(1, round(2 * unit))
    columns, rows = np.arange(rect.left, rect.right), np.arange(rect.top, rect.bottom)
    return np.asarray((columns % period < size) & ((rows % period)[:, None] < size))


def _stripes(rect: Rect, unit: float, slope: int) -> NDArray[np.bool_]:
    period, line = max(4, round(10 * unit)), max(1, round(2 * unit))
    # One long row, of which each row of the pattern is a part, a pixel farther on.
    first = rect.left + (slope * rect.top if slope > 0 else -(rect.bottom - 1))
    row: Any = np.arange(first, first + rect.width + rect.height - 1) % period < line
    windows = np.lib.stride_tricks.sliding_window_view(row, rect.width)
    return np.asarray(windows if slope > 0 else windows[::-1])
