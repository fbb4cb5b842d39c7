"""Decoding through Pillow, which reads and checks most kinds of pictures; colours in 8 bits only (see `opencv_read`)."""

import io
import struct
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bgdesk.core.arrays import Pixels
from bgdesk.files import colour, icc
from bgdesk.files.metadata import bare_exif, sane_dpi
from bgdesk.files.readers import opencv_read, png_chunks
from bgdesk.files.readers.decoded import DAMAGED, ENDS_EARLY, Decoded, Refused, check_claim
from bgdesk.files.readers.sniff import Kind

_ORIENTATION = 0x0112
#: The tags of a TIFF that are copied: description, make, model, software, date, artist, copyright.
_TIFF_TAGS = (0x010E, 0x010F, 0x0110, 0x0131, 0x0132, 0x013B, 0x8298)


def decode(stream: IO[bytes], kind: Kind, length: int) -> Decoded:
    """Decode the first picture of a file of `length` bytes. Raises Refused, and whatever Pillow raises on bad data."""
    try:
        return _decode(stream, kind, length)
    except (OSError, SyntaxError, ValueError):
        # Pillow refuses a PNG with any damaged chunk; other programs open it if its pixels are whole.
        bare = png_chunks.essential(stream) if kind is Kind.PNG else None
        if bare is not None:
            return _decode(io.BytesIO(bare), kind, length)
        floats = opencv_read.float_tiff(stream, length) if kind is Kind.TIFF else None
        if floats is None:
            raise
        return floats


def _decode(stream: IO[bytes], kind: Kind, length: int) -> Decoded:
    if kind is Kind.PNG and not png_chunks.sound(stream):
        raise Refused(ENDS_EARLY if png_chunks.ends_early(stream) else DAMAGED)  # Pillow does not check the pixels' checksums
    stream.seek(0)
    with Image.open(stream, formats=pillow_formats(kind)) as image:
        check_claim(*image.size, length)
        profile = image.info.get("icc_profile") or None
        exif = bare_exif(image.info.get("exif")) or _tiff_exif(image)
        dpi = sane_dpi(image.info.get("dpi"))
        turn = orientation(image)
        xmp = image.info.get("xmp")
        pixels = opencv_read.decode(image, stream, kind, profile)
        if pixels is not None:
            turn = 1 if kind is Kind.TIFF else turn  # OpenCV has turned the picture
        else:
            image.load()
            # Pillow may learn the orientation or find an EXIF block behind the pixels only while loading.
            exif, turn = exif or bare_exif(image.info.get("exif")), orientation(image)
            pixels = to_srgb(image, profile)
        if kind is Kind.AVIF and profile is None:
            pixels = _named_primaries(pixels, stream)
    xmp = xmp if isinstance(xmp, bytes) else None
    return Decoded(pixels=pixels, orientation=turn, icc=profile, exif=exif, xmp=xmp, dpi=dpi)


def pillow_formats(kind: Kind) -> tuple[str, ...]:
    """Return the names of Pillow's decoders for a kind: no others are tried."""
    return ("JPEG", "MPO") if kind is Kind.JPEG else ("BMP", "DIB") if kind is Kind.BMP else (kind.value,)


def orientation(image: Image.Image) -> int:
    """Return the orientation from EXIF (or XMP); 1 if it is missing or unreadable."""
    try:
        value = image.getexif().get(_ORIENTATION, 1)
    except (SyntaxError, ValueError, OSError, KeyError, IndexError, TypeError, struct.error):
        return 1
    return value if isinstance(value, int) else 1


def to_srgb(image: Image.Image, profile: bytes | None) -> Pixels:
    """Convert a loaded Pillow picture of any mode to H×W×3 sRGB, uint8 or uint16; transparent pixels are laid over white."""
    if image.mode.startswith("I;16"):
        return colour.from_array(np.asarray(image).astype(np.uint16), profile)
    if image.mode == "I":
        return colour.from_array(_whole_numbers(np.asarray(image)), profile)
    if image.mode == "F":
        return colour.from_array(colour.floats_to_16_bits(np.asarray(image)), profile)
    image, alpha = _split_alpha(image)
    pixels = colour.from_pillow(image, profile)
    return pixels if alpha is None else colour.on_white(pixels, alpha)


def _whole_numbers(values: NDArray[np.int32]) -> NDArray[np.uint16]:
    """Pillow's 32-bit grey -> uint16: kept where it fits, otherwise scaled by the largest value."""
    top = int(values.max(initial=0))
    if top <= 65535:
        return np.clip(values, 0, 65535).astype(np.uint16)
    scaled: NDArray[np.float64] = np.clip(values.astype(np.float64) / top, 0, 1) * 65535
    return np.rint(scaled).astype(np.uint16)


def _split_alpha(image: Image.Image) -> tuple[Image.Image, NDArray[np.uint8] | None]:
    """The picture in mode L, RGB, CMYK or LAB, and its opacity (None if it is opaque)."""
    if image.mode in ("CMYK", "LAB"):
        return image, None
    if image.mode in ("LA", "La"):
        image = image.convert("LA") if image.mode == "La" else image
        return image.getchannel("L"), np.asarray(image.getchannel("A"))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return image.convert("RGB"), np.asarray(image.getchannel("A"))
    if image.mode == "1":
        return image.convert("L"), None
    return image if image.mode in ("L", "RGB") else image.convert("RGB"), None


def _tiff_exif(image: Image.Image) -> bytes | None:
    """The camera tags of a TIFF, as an EXIF block of their own."""
    if image.format != "TIFF":
        return None
    exif = Image.Exif()
    tags: Any = getattr(image, "tag_v2", {})
    for tag in _TIFF_TAGS:
        value = tags.get(tag)
        if isinstance(value, str) and value:
            exif[tag] = value
    return bare_exif(exif.tobytes()) if len(exif) else None


def _named_primaries(pixels: Pixels, stream: IO[bytes]) -> Pixels:
    """Convert from the primaries that a `colr` box names by number, instead of carrying a profile."""
    stream.seek(0)
    head = stream.read(1 << 16)
    at = head.find(b"colrnclx")
    if at < 0 or at + 10 > len(head):
        return pixels
    profile = icc.from_primaries(int.from_bytes(head[at + 8 : at + 10], "big"))
    return pixels if profile is None else icc.apply(profile, pixels)
