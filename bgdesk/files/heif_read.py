"""HEIC and HEIF through pillow-heif, which brings libheif; imported only when such a file is opened."""

from typing import IO

import numpy as np

from bgdesk.core.arrays import Pixels
from bgdesk.files import colour, icc
from bgdesk.files.decoded import DAMAGED, Decoded, Refused, check_claim
from bgdesk.files.metadata import bare_exif

_CHANNELS = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4}


def decode(stream: IO[bytes], length: int) -> Decoded:
    """Decode the primary picture; more than 8 bits a channel come out as uint16.

    libheif obeys the container's own turning and mirroring (irot, imir), which replaces EXIF's: it is never turned twice.
    """
    import pillow_heif

    file = pillow_heif.HeifFile(stream, convert_hdr_to_8bit=False, hdr_to_16bit=True)
    picture = file[file.primary_index]
    check_claim(*picture.size, length)
    info = picture.info
    pillow_heif.set_orientation(info)  # EXIF and XMP then agree with the turned pixels
    data = memoryview(picture.data)  # decodes
    width, height = picture.size
    mode, _, deep = picture.mode.partition(";")
    if mode == "I":
        mode, deep = "L", "16"
    channels = _CHANNELS.get(mode)
    if channels is None:
        raise Refused(DAMAGED)
    depth = np.dtype(np.uint16 if deep else np.uint8)
    row = width * channels * depth.itemsize
    rows = np.frombuffer(data, np.uint8)[: picture.stride * height].reshape(height, picture.stride)[:, :row]
    pixels: Pixels = np.ascontiguousarray(rows).view(depth).reshape(height, width, channels)
    profile = info.get("icc_profile") or None
    alpha = np.ascontiguousarray(pixels[:, :, -1]) if channels in (2, 4) else None
    colours = np.ascontiguousarray(pixels[:, :, 0] if channels <= 2 else pixels[:, :, :3])
    result = colour.from_array(colours, profile)
    nclx = info.get("nclx_profile")
    if profile is None and isinstance(nclx, dict):
        named = icc.from_primaries(int(nclx.get("color_primaries", 1)))
        result = result if named is None else icc.apply(named, result)
    if alpha is not None:
        result = colour.on_white(result, alpha if alpha.dtype == result.dtype else (alpha >> 8).astype(np.uint8))
    xmp = info.get("xmp")
    return Decoded(result, 1, profile, bare_exif(info.get("exif")), xmp if isinstance(xmp, bytes) else None)
