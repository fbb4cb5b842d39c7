"""What decoders return, and how they refuse a file."""

import math
from dataclasses import dataclass

from bgdesk.core.arrays import Pixels

#: Pictures above this many pixels are refused before they are decoded.
MAX_PIXELS = 500_000_000
# Headers are cheap to forge. Above this many pixels a picture must also carry data: deflate, the densest of the common
# codings, packs 1032 bytes (8256 one-bit pixels) into one.
_TRUSTED_PIXELS = 64_000_000
_PIXELS_PER_BYTE = 8256

ENDS_EARLY = "the file ends early. Copy it again from the camera."
DAMAGED = "it is damaged, or made in a way that bgdesk does not read. Open it in the program that made it and save it again."


class Refused(Exception):
    """A decoder refuses a file. The argument completes "NAME could not be read: …" and says what to do."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Decoded:
    """A picture as a decoder returns it."""

    pixels: Pixels  #: H×W×3 uint8 or uint16, sRGB, not yet turned
    orientation: int = 1  #: the value of EXIF tag 0x0112; see orient.upright
    icc: bytes | None = None  #: the colour profile, as found in the file
    exif: bytes | None = None  #: the bare TIFF structure, as found in the file
    xmp: bytes | None = None  #: as found in the file
    dpi: tuple[float, float] | None = None  #: across and down, before turning


def check_claim(width: int, height: int, carried: int) -> None:
    """Raise Refused for a header of width × height pixels, in a file of `carried` bytes, that must not be decoded."""
    pixels = width * height
    if width < 1 or height < 1:
        raise Refused(DAMAGED)
    if pixels > MAX_PIXELS:
        raise Refused(
            f"it has {width} × {height} pixels, more than the {MAX_PIXELS // 1_000_000} megapixels that bgdesk opens. "
            "Make it smaller in another program first."
        )
    if pixels > _TRUSTED_PIXELS and pixels > carried * _PIXELS_PER_BYTE:
        raise Refused(
            f"it claims to have {width} × {height} pixels but carries only {math.ceil(carried / 1000)} kB of data. "
            "It is damaged, or made to do harm: do not open it."
        )
