"""HEIC and HEIF through pi-heif, which brings libheif; imported only when such a file is opened.

pi-heif is pillow-heif without encoders: the wheels of pillow-heif carry x265, which is under the GPL.
"""

from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from bgdesk.core.geometry import Size
from bgdesk.files import colour, icc
from bgdesk.files.metadata import bare_exif
from bgdesk.files.readers.decoded import DAMAGED, Decoded, Refused, check_claim

_CHANNELS = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4}


def decode(stream: IO[bytes], length: int) -> Decoded:
    """Decode the primary picture of a file of `length` bytes; more than 8 bits a channel become uint16.

    libheif turns and mirrors the picture as the container says (irot, imir). EXIF's orientation is ignored then, so that nothing
    is turned twice. Raises Refused, and whatever pi-heif raises on bad data.
    """
    import pi_heif

    heif: Any = pi_heif  # its classes are typed in part only
    file = heif.HeifFile(stream, convert_hdr_to_8bit=False, hdr_to_16bit=True)
    picture = file[file.primary_index]
    width, height = picture.size
    check_claim(width, height, length)
    info: dict[str, Any] = picture.info
    heif.set_orientation(info)  # EXIF and XMP then agree with the turned pixels
    data = np.frombuffer(picture.data, np.uint8)  # decodes; the true size is known only afterwards
    width, height = picture.size
    mode, _, deep = picture.mode.partition(";")
    if mode == "I":
        mode = "L"
    channels = _CHANNELS.get(mode)
    if channels is None:
        raise Refused(DAMAGED)
    depth = np.dtype(np.uint16 if deep else np.uint8)
    rows = data[: picture.stride * height].reshape(height, picture.stride)[:, : width * channels * depth.itemsize]
    pixels: NDArray[Any] = np.ascontiguousarray(rows).view(depth).reshape(height, width, channels)
    profile = info.get("icc_profile") or None
    result = colour.from_array(np.ascontiguousarray(pixels[:, :, 0] if channels <= 2 else pixels[:, :, :3]), profile)
    named = info.get("nclx_profile")
    if profile is None and isinstance(named, dict):
        primaries = icc.from_primaries(int(named.get("color_primaries", 1)))
        result = result if primaries is None else icc.apply(primaries, result)
    if channels in (2, 4):
        result = colour.on_white_any(result, pixels[:, :, -1])
    xmp = info.get("xmp")
    return Decoded(pixels=result, icc=profile, exif=bare_exif(info.get("exif")), xmp=xmp if isinstance(xmp, bytes) else None)


def measure(stream: IO[bytes]) -> Size:
    """Return width and height of the primary picture; nothing is decoded."""
    import pi_heif

    heif: Any = pi_heif
    file = heif.HeifFile(stream)
    return Size(*file[file.primary_index].size)
