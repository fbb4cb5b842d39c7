"""Matrix profiles in full depth.

Pillow gives Little CMS 8 bits a channel. The profile of nearly every 16-bit photo consists of three curves and a 3×3 matrix
(Adobe RGB, Display P3, ProPhoto RGB, Rec. 2020, grey gammas), which is simple enough to be applied here at full depth:
ICC.1:2022, 8.3 (the model), 10.6 (curveType), 10.18 (parametricCurveType).
"""

import functools
import os
import struct
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from bgdesk.core.arrays import Pixels

Floats = NDArray[np.float32]

#: Linear sRGB -> XYZ relative to D50: the numbers (in 65536ths) that sRGB profiles hold.
_SRGB_TO_XYZ = np.array([[28578, 25241, 9376], [14581, 46981, 3972], [912, 6362, 46799]]) / 65536
#: CICP colour primaries (ITU-T H.273, table 2) -> XYZ relative to D50: 9 is BT.2020, 11 and 12 are P3.
_PRIMARIES = {
    9: np.array([[0.6734241, 0.1656411, 0.1251286], [0.2790177, 0.6753402, 0.0456377], [-0.0019300, 0.0299784, 0.7973330]]),
    12: np.array([[0.5151187, 0.2919778, 0.1571035], [0.2411892, 0.6922441, 0.0665668], [-0.0010505, 0.0418791, 0.7840713]]),
}
#: Pixels that are converted at a time: their floats stay in the processor's cache.
_STRIP = 1 << 17


@dataclass(frozen=True, eq=False)
class MatrixProfile:
    """The matrix model of a colour profile."""

    curves: tuple[Floats, Floats, Floats]  #: of red, green and blue: 65536 device values -> linear light in [0, 1]
    to_srgb: Floats  #: 3×3, linear device RGB -> linear sRGB
    alone: bool = True  #: whether the profile has no lookup tables, which would be preferred to the matrix


@functools.lru_cache(maxsize=4)
def parse(icc: bytes) -> MatrixProfile | None:
    """Return the matrix model of a profile; None for one of lookup tables only, a damaged one, or one neither RGB nor grey."""
    try:
        space = icc[16:20]
        count = struct.unpack_from(">I", icc, 128)[0]
        tags = {}
        for index in range(min(count, 200)):
            name, offset, length = struct.unpack_from(">4sII", icc, 132 + 12 * index)
            tags[name] = icc[offset : offset + length]
        if space == b"GRAY":
            curve = _curve(tags[b"kTRC"])
            return MatrixProfile((curve, curve, curve), np.eye(3, dtype=np.float32))
        if space != b"RGB ":
            return None
        columns = [_xyz(tags[name]) for name in (b"rXYZ", b"gXYZ", b"bXYZ")]
        curves = (_curve(tags[b"rTRC"]), _curve(tags[b"gTRC"]), _curve(tags[b"bTRC"]))
        matrix = _to_srgb(np.array(columns).T)
    except (KeyError, ValueError, IndexError, struct.error):
        return None
    return MatrixProfile(curves, matrix, alone=not {b"A2B0", b"A2B1"}.intersection(tags))


def from_primaries(primaries: int) -> MatrixProfile | None:
    """Return a profile of CICP colour primaries (ITU-T H.273) with sRGB's curve; None for sRGB's and unknown primaries."""
    matrix = _PRIMARIES.get(12 if primaries == 11 else primaries)
    if matrix is None:
        return None
    curve = _srgb_curve()
    return MatrixProfile((curve, curve, curve), _to_srgb(matrix))


def apply(profile: MatrixProfile, pixels: Pixels) -> Pixels:
    """Convert device colours (H×W×3 uint8 or uint16) to sRGB of the same type; colours outside sRGB are clipped.

    Strips are converted on all processors: numpy and OpenCV release the interpreter while they compute.
    """
    flat = pixels.reshape(-1, 3)
    result = np.empty_like(flat)
    encode = _encode_table(pixels.dtype)
    table = np.stack([curve[::257] for curve in profile.curves], axis=-1)[None]

    def convert(start: int) -> None:
        part = flat[start : start + _STRIP]
        linear: NDArray[Any]
        if part.dtype == np.uint8:
            linear = cv2.LUT(part[None], table)
        else:
            linear = np.empty((1, len(part), 3), np.float32)
            for channel, curve in enumerate(profile.curves):
                linear[0, :, channel] = curve[part[:, channel]]
        linear = cv2.transform(linear, profile.to_srgb)
        # The table is indexed by the square root: even steps there are fine enough in the shadows, where sRGB is steep.
        steps = np.sqrt(np.clip(linear, 0, 1, out=linear), out=linear)
        steps *= np.float32(65535)
        steps += np.float32(0.5)
        np.take(encode, steps[0].astype(np.uint16), out=result[start : start + _STRIP], mode="clip")

    with ThreadPoolExecutor(min(8, os.cpu_count() or 1), thread_name_prefix="icc") as lane:
        list(lane.map(convert, range(0, len(flat), _STRIP)))
    return result.reshape(pixels.shape)


def _to_srgb(to_xyz: NDArray[np.float64]) -> Floats:
    matrix: Floats = (np.linalg.inv(_SRGB_TO_XYZ) @ to_xyz).astype(np.float32)
    sums = matrix.sum(axis=1, keepdims=True)
    if (np.abs(sums - 1) < 0.01).all():  # profiles round their numbers, and white must stay white
        matrix = matrix / sums
    if not np.isfinite(matrix).all():
        raise ValueError("no usable matrix")
    return matrix


def _srgb_curve() -> Floats:
    v = np.arange(65536) / 65535
    curve: Floats = np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4).astype(np.float32)
    return curve


@functools.lru_cache(maxsize=2)
def _encode_table(dtype: np.dtype[Any]) -> NDArray[Any]:
    """Index round(65535·√linear) -> sRGB code of that type."""
    linear = (np.arange(65536) / 65535) ** 2
    coded = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    table: NDArray[Any] = np.rint(coded * np.iinfo(dtype).max).astype(dtype)
    return table


def _xyz(tag: bytes) -> tuple[float, float, float]:
    if tag[:4] != b"XYZ ":
        raise ValueError("not an XYZ tag")
    x, y, z = struct.unpack_from(">3i", tag, 8)
    return x / 65536, y / 65536, z / 65536


def _curve(tag: bytes) -> Floats:
    """A tone curve as a table from 65536 device values to linear light."""
    v = np.arange(65536) / 65535
    count = struct.unpack_from(">I", tag, 8)[0]
    if tag[:4] == b"curv":
        if count == 0:
            curve = v
        elif count == 1:
            curve = v ** (struct.unpack_from(">H", tag, 12)[0] / 256)
        else:
            points = np.frombuffer(tag, ">u2", min(count, 65536), 12) / 65535
            curve = np.interp(v, np.linspace(0, 1, len(points)), points)
    elif tag[:4] == b"para":
        curve = _parametric(tag, v)
    else:
        raise ValueError("not a curve")
    table: Floats = np.clip(np.nan_to_num(curve), 0, 1).astype(np.float32)
    return table


def _parametric(tag: bytes, v: NDArray[np.float64]) -> NDArray[np.float64]:
    kind = struct.unpack_from(">H", tag, 8)[0]
    if kind > 4:
        raise ValueError("unknown parametric curve")
    g, *rest = (value / 65536 for value in struct.unpack_from(f">{(1, 3, 4, 5, 7)[kind]}i", tag, 12))
    a, b, c, d, e, f = 1.0, 0.0, 0.0, 0.0, 0.0, 0.0
    if kind == 1:
        a, b = rest
        d = -b / a if a else 0.0
    elif kind == 2:
        a, b, e = rest
        f, d = e, (-b / a if a else 0.0)
    elif kind == 3:
        a, b, c, d = rest
    elif kind == 4:
        a, b, c, d, e, f = rest
    return np.where(v >= d, np.maximum(a * v + b, 0) ** g + e, c * v + f)
