"""What a photo carries beside its pixels (camera data, profile, resolution), and how that is copied into a cut-out."""

import math
import re
import struct
from dataclasses import dataclass
from pathlib import Path

from bgdesk.core.arrays import Pixels
from bgdesk.core.geometry import Size

_ORIENTATION, _EXIF_IFD = 0x0112, 0x8769
_PIXEL_WIDTH, _PIXEL_HEIGHT = 0xA002, 0xA003
_THUMBNAIL_OFFSET, _THUMBNAIL_LENGTH = 0x0201, 0x0202


@dataclass(frozen=True, eq=False, kw_only=True)
class LoadedImage:
    """A decoded photo."""

    pixels: Pixels  #: H×W×3 uint8 or uint16, C-contiguous, read-only, turned upright, sRGB
    path: Path  #: where it was read from
    icc: bytes | None = None  #: the colour profile, as found in the file; `pixels` are converted already
    exif: bytes | None = (
        None  #: the bare TIFF structure ("II*\\0…"), as found in the file; pass it through `upright_exif` before writing it
    )
    xmp: bytes | None = None  #: as found in the file
    dpi: tuple[float, float] | None = None  #: across and down, after turning; None if the file does not say

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def size(self) -> Size:
        height, width = self.pixels.shape[:2]
        return Size(width, height)


def sane_dpi(value: object) -> tuple[float, float] | None:
    """Return a resolution as a decoder reports it, (across, down) in dpi; None if it is missing, below 1 or above 20 000."""
    if not isinstance(value, tuple) or len(value) != 2:
        return None
    try:
        x, y = float(value[0]), float(value[1])
    except (TypeError, ValueError, ZeroDivisionError):  # TIFF fractions may be n/0
        return None
    return (x, y) if all(math.isfinite(v) and 1 <= v <= 20_000 for v in (x, y)) else None


def bare_exif(exif: object) -> bytes | None:
    """Return the TIFF structure inside an EXIF block, without the JPEG marker's prefix; None if there is none."""
    if not isinstance(exif, bytes):
        return None
    if exif.startswith(b"Exif\x00\x00"):
        exif = exif[6:]
    return exif if exif[:4] in (b"II*\x00", b"MM\x00*") else None


def upright_exif(exif: bytes | None, size: Size) -> bytes | None:
    """Return `exif` for a picture that has been turned upright: orientation 1, pixel size `size`, no thumbnail.

    The thumbnail is removed because it shows the photo before it was cut out. Values are patched in place, so that offsets
    inside maker notes stay right.

    Parameters
    ----------
    exif
        A bare TIFF structure, or None.
    size
        Of the picture that is written.

    Returns
    -------
    bytes or None
        None if there is no EXIF, or a damaged one.
    """
    if exif is None or exif[:4] not in (b"II*\x00", b"MM\x00*"):
        return None
    data = bytearray(exif)
    order = "<" if data[:2] == b"II" else ">"
    try:
        first = struct.unpack_from(order + "I", data, 4)[0]
        entries, link = _directory(data, order, first)
        _set_number(data, order, entries, _ORIENTATION, 1)
        if _EXIF_IFD in entries:
            details, _ = _directory(data, order, _number(data, order, entries[_EXIF_IFD]))
            _set_number(data, order, details, _PIXEL_WIDTH, size.width)
            _set_number(data, order, details, _PIXEL_HEIGHT, size.height)
        second = struct.unpack_from(order + "I", data, link)[0]
        if second:
            struct.pack_into(order + "I", data, link, 0)
            _drop_thumbnail(data, order, second)
    except (struct.error, ValueError, IndexError):
        return None
    return bytes(data)


def upright_xmp(xmp: bytes | None) -> bytes | None:
    """Return `xmp` with every tiff:Orientation set to 1."""
    if xmp is None:
        return None
    return re.sub(rb"(tiff:Orientation(?:\s*=\s*[\"']|>))\s*[2-8]", rb"\g<1>1", xmp)


def _directory(data: bytearray, order: str, offset: int) -> tuple[dict[int, int], int]:
    """Tag -> position of its 12-byte entry, and the position of the link to the next directory."""
    count = struct.unpack_from(order + "H", data, offset)[0]
    link = offset + 2 + 12 * count
    if link + 4 > len(data):
        raise ValueError("directory runs past the end")
    return {struct.unpack_from(order + "H", data, at)[0]: at for at in range(offset + 2, link, 12)}, link


def _number(data: bytearray, order: str, entry: int) -> int:
    """The value of a single SHORT or LONG entry."""
    kind, count = struct.unpack_from(order + "HI", data, entry + 2)
    if count != 1 or kind not in (3, 4):
        raise ValueError("not a single whole number")
    return int(struct.unpack_from(order + ("H" if kind == 3 else "I"), data, entry + 8)[0])


def _set_number(data: bytearray, order: str, entries: dict[int, int], tag: int, value: int) -> None:
    if tag not in entries:
        return
    entry = entries[tag]
    kind, count = struct.unpack_from(order + "HI", data, entry + 2)
    if count != 1 or kind not in (3, 4):
        raise ValueError("not a single whole number")
    struct.pack_into(order + "4x", data, entry + 8)
    if kind == 3:
        struct.pack_into(order + "H", data, entry + 8, min(value, 0xFFFF))
    else:
        struct.pack_into(order + "I", data, entry + 8, value)


def _drop_thumbnail(data: bytearray, order: str, offset: int) -> None:
    """Wipe the thumbnail's bytes; cut them off where they are the last thing in the block."""
    entries, _ = _directory(data, order, offset)
    if _THUMBNAIL_OFFSET not in entries or _THUMBNAIL_LENGTH not in entries:
        return
    start = _number(data, order, entries[_THUMBNAIL_OFFSET])
    end = start + _number(data, order, entries[_THUMBNAIL_LENGTH])
    if not 8 <= start <= end <= len(data):
        raise ValueError("thumbnail lies outside the block")
    if end == len(data):
        del data[start:]
    else:
        data[start:end] = bytes(end - start)
