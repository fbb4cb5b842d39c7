"""What decoders give, and how they refuse."""

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
    """Raised by decoders; the argument completes "NAME could not be read: …" and says what to do."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Decoded:
    """A picture as a decoder gives it."""

    pixels: Pixels  #: H×W×3 uint8 or uint16, sRGB, not yet turned
    orientation: int = 1  #: EXIF's number
    icc: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    dpi: tuple[float, float] | None = None


def check_claim(width: int, height: int, carried: int) -> None:
    """Refuse a header that claims width × height pixels, in a file of `carried` bytes, if decoding it is not sensible."""
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
