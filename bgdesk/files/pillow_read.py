"""Decoding through Pillow, and through OpenCV where that is quicker or keeps 16 bits.

Pillow reads more kinds and checks more; it gives colour pictures in 8 bits only. OpenCV reads JPEG in half the time and
16-bit PNG and TIFF at full depth, but knows nothing of profiles or of Adobe's inverted CMYK and is silent about files
that end early: it is used only where those cannot matter or have been checked.
"""

import struct
import zlib
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bgdesk.core.arrays import Pixels
from bgdesk.files import colour, icc
from bgdesk.files.decoded import DAMAGED, ENDS_EARLY, Decoded, Refused, check_claim
from bgdesk.files.metadata import bare_exif, sane_dpi
from bgdesk.files.sniff import Kind

_ORIENTATION = 0x0112
_TIFF_BITS, _TIFF_PHOTOMETRIC, _TIFF_SAMPLES, _TIFF_FORMAT = 258, 262, 277, 339


def decode(stream: IO[bytes], kind: Kind, length: int) -> Decoded:
    """Decode the first picture in `stream` (`length` bytes). Raises Refused, and whatever Pillow raises on bad data."""
    with Image.open(stream, formats=pillow_formats(kind)) as image:
        width, height = image.size
        check_claim(width, height, length)
        profile = image.info.get("icc_profile") or None
        exif = bare_exif(image.info.get("exif")) or _tiff_exif(image)
        dpi = sane_dpi(image.info.get("dpi"))
        turn = orientation(image)
        xmp = image.info.get("xmp")
        pixels: Pixels | None = None
        if kind is Kind.JPEG:
            pixels = _quick_jpeg(image, stream, profile)
        elif kind is Kind.PNG:
            pixels = _deep_png(image, stream, profile)
        elif kind is Kind.TIFF:
            pixels = _deep_tiff(image, stream, profile)
            if pixels is not None:
                turn = 1  # OpenCV's TIFF reader turns by itself
        if pixels is None:
            image.load()
            # Pillow may learn the size, an EXIF block behind the pixels, or the right frame only while loading.
            exif, turn = exif or bare_exif(image.info.get("exif")), orientation(image)
            pixels = to_srgb(image, profile)
        if kind is Kind.AVIF and profile is None:
            pixels = _named_primaries(pixels, stream)
    return Decoded(pixels, turn, profile, exif, xmp if isinstance(xmp, bytes) else None, dpi)


def pillow_formats(kind: Kind) -> tuple[str, ...]:
    """Pillow's decoders to try for a kind: never more than the signature says."""
    return ("JPEG", "MPO") if kind is Kind.JPEG else ("BMP", "DIB") if kind is Kind.BMP else (kind.value,)


def to_srgb(image: Image.Image, profile: bytes | None) -> Pixels:
    """A loaded Pillow picture of any mode as H×W×3 sRGB; transparent pixels are laid over white."""
    if image.mode.startswith("I;16"):
        return colour.from_array(np.asarray(image).astype(np.uint16), profile)
    if image.mode == "I":
        return colour.from_array(_whole_numbers(np.asarray(image)), profile)
    if image.mode == "F":
        return colour.from_array(floats_to_16_bits(np.asarray(image)), profile)
    image, alpha = _split_alpha(image)
    pixels = colour.from_pillow(image, profile)
    return pixels if alpha is None else colour.on_white(pixels, alpha)


def floats_to_16_bits(values: NDArray[np.floating[Any]]) -> NDArray[np.uint16]:
    """Brightness as floats -> uint16. 1 is white, unless values go beyond: then 255, then 65535, then the largest."""
    values = np.nan_to_num(values.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    top = float(values.max(initial=0.0))
    white = next((limit for limit in (1.0, 255.0, 65535.0) if top <= limit), top)
    return np.rint(np.clip(values / np.float32(white), 0, 1) * np.float32(65535)).astype(np.uint16)


def _whole_numbers(values: NDArray[np.int32]) -> NDArray[np.uint16]:
    """Pillow's 32-bit grey -> uint16: kept where it fits, otherwise scaled by the largest value."""
    top = int(values.max(initial=0))
    if top <= 65535:
        return np.clip(values, 0, 65535).astype(np.uint16)
    return np.rint(np.clip(values.astype(np.float64) / top, 0, 1) * 65535).astype(np.uint16)


def _split_alpha(image: Image.Image) -> tuple[Image.Image, NDArray[np.uint8] | None]:
    """The picture in mode L, RGB, CMYK or LAB, and its opacity (None if it is opaque)."""
    if image.mode in ("L", "RGB", "CMYK", "LAB") and "transparency" not in image.info:
        return image, None
    if image.mode == "1" and "transparency" not in image.info:
        return image.convert("L"), None
    if image.mode in ("LA", "La"):
        image = image.convert("LA") if image.mode == "La" else image
        return image.getchannel("L"), np.asarray(image.getchannel("A"))
    if image.mode in ("CMYK", "LAB"):
        return image, None
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return image.convert("RGB"), np.asarray(image.getchannel("A"))
    return image.convert("RGB"), None


def orientation(image: Image.Image) -> int:
    """EXIF's (or XMP's) orientation; 1 where it is missing or unreadable: the picture is still worth showing."""
    try:
        value = image.getexif().get(_ORIENTATION, 1)
    except (SyntaxError, ValueError, OSError, KeyError, IndexError, TypeError, struct.error):
        return 1
    return value if isinstance(value, int) else 1


def _tiff_exif(image: Image.Image) -> bytes | None:
    """The camera tags of a TIFF, as an EXIF block of their own."""
    if image.format != "TIFF":
        return None
    exif = Image.Exif()
    wanted = (0x010E, 0x010F, 0x0110, 0x0131, 0x0132, 0x013B, 0x8298)  # description, make, model, software, date, artist, copyright
    tags = getattr(image, "tag_v2", {})
    for tag in wanted:
        value = tags.get(tag)
        if isinstance(value, str) and value:
            exif[tag] = value
    return bare_exif(exif.tobytes()) if len(exif) else None


def _bytes(stream: IO[bytes]) -> NDArray[np.uint8]:
    stream.seek(0)
    return np.frombuffer(stream.read(), np.uint8)


def _opencv(data: NDArray[np.uint8], flags: int) -> Pixels | None:
    """cv2.imdecode without its chatter; None if it cannot decode."""
    import cv2  # a tenth of a second that opening a GIF need not pay

    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        return cv2.imdecode(data, flags)  # type: ignore[no-any-return]
    except cv2.error:
        return None


def _quick_jpeg(image: Image.Image, stream: IO[bytes], profile: bytes | None) -> Pixels | None:
    """OpenCV for the ordinary colour JPEG that ends where a JPEG must; None leaves it to Pillow."""
    if image.mode != "RGB":
        return None
    data = _bytes(stream)
    if b"\xff\xd9" not in data[-64:].tobytes():
        return None
    import cv2

    pixels = _opencv(data, cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION)
    if pixels is None or pixels.shape != (image.height, image.width, 3):
        return None
    return colour.from_array(pixels, profile)


def _deep_png(image: Image.Image, stream: IO[bytes], profile: bytes | None) -> Pixels | None:
    """16-bit colour PNG, and 16-bit grey with alpha; None for any other PNG."""
    data = _bytes(stream)
    depth, colour_type = int(data[24]), int(data[25])
    if depth != 16 or colour_type not in (2, 4, 6) or "transparency" in image.info:
        return None
    _check_png(data)
    pixels = _opencv(data, -1)
    if pixels is None or pixels.dtype != np.uint16 or pixels.shape[:2] != (image.height, image.width):
        return None
    return _from_bgr(pixels, profile, grey=colour_type == 4)


def _check_png(data: NDArray[np.uint8]) -> None:
    """Refuse a PNG with a broken or missing chunk: OpenCV would give what it has, and grey for the rest."""
    view = memoryview(data)
    at = 8
    while True:
        if at + 12 > len(view):
            raise Refused(ENDS_EARLY)
        length, name = int.from_bytes(view[at : at + 4], "big"), bytes(view[at + 4 : at + 8])
        end = at + 12 + length
        if end > len(view):
            raise Refused(ENDS_EARLY)
        if name in (b"IHDR", b"IDAT", b"IEND") and zlib.crc32(view[at + 4 : end - 4]) != int.from_bytes(view[end - 4 : end], "big"):
            raise Refused(DAMAGED)
        if name == b"IEND":
            return
        at = end


def _deep_tiff(image: Image.Image, stream: IO[bytes], profile: bytes | None) -> Pixels | None:
    """TIFF with 16-bit or float colours; None for any other, and for those that OpenCV cannot read (Pillow then tries)."""
    tags: Any = getattr(image, "tag_v2", {})
    bits = tags.get(_TIFF_BITS, ())
    samples = tags.get(_TIFF_SAMPLES, 1)
    kinds = set(tags.get(_TIFF_FORMAT, (1,)))
    deep = (set(bits), kinds) in (({16}, {1}), ({32}, {3}))
    if tags.get(_TIFF_PHOTOMETRIC) != 2 or samples not in (3, 4) or not deep:
        return None
    pixels: Any = _opencv(_bytes(stream), -1)
    if pixels is None or pixels.ndim != 3 or sorted(pixels.shape[:2]) != sorted(image.size):
        return None
    if pixels.dtype == np.float32:
        pixels = floats_to_16_bits(pixels)
    if pixels.dtype != np.uint16:
        return None
    return _from_bgr(pixels, profile, grey=False)


def _from_bgr(pixels: Pixels, profile: bytes | None, *, grey: bool) -> Pixels:
    """OpenCV's order of channels -> sRGB over white."""
    alpha = np.ascontiguousarray(pixels[:, :, 3]) if pixels.shape[2] == 4 else None
    colours = np.ascontiguousarray(pixels[:, :, 0] if grey else pixels[:, :, 2::-1])
    result = colour.from_array(colours, profile)
    if alpha is None:
        return result
    return colour.on_white(result, alpha if result.dtype == alpha.dtype else (alpha >> 8).astype(np.uint8))


def _named_primaries(pixels: Pixels, stream: IO[bytes]) -> Pixels:
    """Obey a `colr` box that names its primaries by number instead of carrying a profile."""
    stream.seek(0)
    head = stream.read(1 << 16)
    at = head.find(b"colrnclx")
    if at < 0 or at + 10 > len(head):
        return pixels
    profile = icc.from_primaries(int.from_bytes(head[at + 8 : at + 10], "big"))
    return pixels if profile is None else icc.apply(profile, pixels)
