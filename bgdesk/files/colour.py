"""Embedded colour profiles -> sRGB, and transparency -> white.

Pictures with a profile that is a plain matrix are converted by `icc`, at full depth and on all processors. All others go
through Little CMS (relative colorimetric with black-point compensation, what Photoshop does by default), in 8 bits: a
16-bit picture whose profile consists of lookup tables comes out as uint8, because Pillow gives Little CMS only 8 bits a
channel.
A profile that is damaged, or made for another kind of picture, is ignored: the picture is taken as sRGB.
"""

import functools
import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from bgdesk.core.arrays import Pixels, to_uint8
from bgdesk.files import icc as icc_matrix

_STRIP_ROWS = 256
_SPACES = {"L": "GRAY", "RGB": "RGB ", "CMYK": "CMYK", "LAB": "Lab "}


def srgb_profile() -> bytes:
    """Return Little CMS's sRGB profile, with a fixed creation date, so that equal exports are equal files."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    profile[24:36] = (2000).to_bytes(2, "big") + (1).to_bytes(2, "big") + (1).to_bytes(2, "big") + bytes(6)
    return bytes(profile)


def from_pillow(image: Image.Image, icc: bytes | None) -> NDArray[np.uint8]:
    """Convert an 8-bit Pillow picture in mode L, RGB, CMYK or LAB to H×W×3 sRGB; `icc` is its profile, or None."""
    if image.mode == "L" and icc is not None and _transform(icc, "RGB") is not None:
        image = image.convert("RGB")  # a grey picture that keeps the profile of the RGB program it came from
    transform = _transform(icc, image.mode)
    if transform is None:
        return _three_channels(np.asarray(image)) if image.mode == "L" else np.array(image.convert("RGB"))
    profile = icc_matrix.parse(icc) if icc is not None and image.mode in ("L", "RGB") else None
    if profile is not None and profile.alone:
        return icc_matrix.apply(profile, _three_channels(np.asarray(image))).astype(np.uint8, copy=False)
    result = np.empty((image.height, image.width, 3), np.uint8)
    for top in range(0, image.height, _STRIP_ROWS):
        strip = image.crop((0, top, image.width, min(top + _STRIP_ROWS, image.height)))
        result[top : top + strip.height] = np.asarray(transform.apply(strip))
    return result


def from_array(pixels: Pixels, icc: bytes | None) -> Pixels:
    """Convert colours to sRGB.

    Parameters
    ----------
    pixels
        H×W×3 colours or H×W grey, uint8 or uint16; may be written to.
    icc
        Their profile; None: sRGB.

    Returns
    -------
    ndarray
        H×W×3, of the same type, except for the case that the module names.
    """
    grey = pixels.ndim == 2
    if icc is None or not _differs(icc, "L" if grey else "RGB"):
        return _three_channels(pixels)
    profile = icc_matrix.parse(icc)
    if profile is not None and (pixels.dtype == np.uint16 or profile.alone):
        return icc_matrix.apply(profile, _three_channels(pixels))
    if grey:
        return from_pillow(Image.fromarray(to_uint8(pixels)), icc)
    transform = _transform(icc, "RGB")
    narrow = np.require(to_uint8(pixels), requirements=["C", "W"])
    if transform is not None:
        _apply_in_strips(transform, narrow)
    return narrow


def on_white(pixels: Pixels, alpha: Pixels) -> Pixels:
    """Lay colours (H×W×3) over white by their opacity (H×W, the same type), rounded; opaque pixels stay as they are."""
    wide: Any = np.uint16 if pixels.dtype == np.uint8 else np.uint32  # top² and the rounding still fit
    top = wide(np.iinfo(pixels.dtype).max)
    if (alpha == top).all():
        return pixels
    result = np.empty_like(pixels)
    for start in range(0, len(pixels), _STRIP_ROWS):
        a = alpha[start : start + _STRIP_ROWS, :, None].astype(wide)
        c = pixels[start : start + _STRIP_ROWS].astype(wide)
        result[start : start + _STRIP_ROWS] = (c * a + top * (top - a) + top // wide(2)) // top
    return result


def on_white_any(pixels: Pixels, alpha: NDArray[Any]) -> Pixels:
    """Do the same for an opacity of any depth: colours may have become 8-bit while they were converted."""
    return on_white(pixels, alpha if alpha.dtype == pixels.dtype else (alpha >> 8).astype(np.uint8))


def unpremultiplied(pixels: NDArray[Any]) -> NDArray[np.uint16]:
    """Divide colours by the opacity that they were multiplied by, the fourth channel of uint16 H×W×4; black where it is 0."""
    alpha = pixels[:, :, 3:].astype(np.uint32)
    straight = (pixels[:, :, :3] * np.uint32(65535) + alpha // 2) // np.maximum(alpha, 1)
    return np.concatenate((np.minimum(straight, 65535).astype(np.uint16), pixels[:, :, 3:]), axis=2)


def floats_to_16_bits(values: NDArray[Any]) -> NDArray[np.uint16]:
    """Convert brightness from floats to uint16. White is 1, or the first of 255, 65535 and the largest value that none exceeds."""
    values = np.nan_to_num(values.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    top = float(values.max(initial=0.0))
    white = next((limit for limit in (1.0, 255.0, 65535.0) if top <= limit), top)
    return np.rint(np.clip(values / np.float32(white), 0, 1) * np.float32(65535)).astype(np.uint16)


def _three_channels(pixels: NDArray[Any]) -> NDArray[Any]:
    return np.repeat(pixels[:, :, None], 3, axis=2) if pixels.ndim == 2 else pixels


def _apply_in_strips(transform: ImageCms.ImageCmsTransform, pixels: NDArray[np.uint8]) -> None:
    """Strip by strip, so that Pillow's four-byte copy of a large photo is never whole in memory."""
    for top in range(0, len(pixels), _STRIP_ROWS):
        strip = Image.fromarray(pixels[top : top + _STRIP_ROWS])
        transform.apply_in_place(strip)
        pixels[top : top + _STRIP_ROWS] = np.asarray(strip)


def _differs(icc: bytes, mode: str) -> bool:
    return _transform(icc, mode) is not None or (mode == "L" and _transform(icc, "RGB") is not None)


@functools.lru_cache(maxsize=8)
def _transform(icc: bytes | None, mode: str) -> ImageCms.ImageCmsTransform | None:
    """From `icc` to sRGB for pictures in a Pillow mode; None where it would change nothing or cannot be built."""
    srgb = ImageCms.createProfile("sRGB")
    try:
        if mode == "LAB":  # Lab needs no profile: it is a colour space of its own
            return ImageCms.buildTransform(ImageCms.createProfile("LAB"), srgb, "LAB", "RGB", ImageCms.Intent.RELATIVE_COLORIMETRIC)
        if icc is None:
            return None
        profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        if profile.profile.xcolor_space != _SPACES.get(mode):
            return None
        transform = ImageCms.buildTransform(
            profile, srgb, mode, "RGB", ImageCms.Intent.RELATIVE_COLORIMETRIC, ImageCms.Flags.BLACKPOINTCOMPENSATION
        )
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):  # a damaged profile: see the module
        return None
    return None if mode in ("L", "RGB") and _is_identity(transform, mode) else transform


def _is_identity(transform: ImageCms.ImageCmsTransform, mode: str) -> bool:
    """Whether a transform changes every colour of a coarse grid by at most one level, as that of the many sRGB profiles does."""
    steps = np.linspace(0, 255, 9 if mode == "RGB" else 256).astype(np.uint8)
    if mode == "RGB":
        grid = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), -1).reshape(9, 81, 3)
        expected = grid
    else:
        grid = steps[None, :]
        expected = np.repeat(grid[:, :, None], 3, axis=2)
    image = Image.fromarray(grid)
    return int(np.abs(np.asarray(transform.apply(image)).astype(int) - expected).max()) <= 1
