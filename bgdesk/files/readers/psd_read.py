"""The merged picture of PSD and PSB files, read with psd-tools' low-level structures.

Only the header, the resources and the merged picture are read: layers are skipped, and may be many, large or damaged. For a file
that was saved without a merged picture ("Maximize compatibility" off) psd-tools merges the layers; where psd-tools cannot do that,
the file is refused, and the message says so.
"""

import struct
import zlib
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from psd_tools.compression import decode_prediction, decode_rle
from psd_tools.constants import ColorMode, Compression, Resource
from psd_tools.psd.color_mode_data import ColorModeData
from psd_tools.psd.header import FileHeader
from psd_tools.psd.image_resources import ImageResources

from bgdesk.core.arrays import Pixels
from bgdesk.files import colour
from bgdesk.files.metadata import bare_exif, sane_dpi
from bgdesk.files.readers import pillow_read
from bgdesk.files.readers.decoded import DAMAGED, ENDS_EARLY, Decoded, Refused, check_claim

_NO_PICTURE = 'it holds layers but no merged picture. Save it again in Photoshop with "Maximize compatibility" on.'
_COLOURS = {
    ColorMode.BITMAP: 1,
    ColorMode.GRAYSCALE: 1,
    ColorMode.INDEXED: 1,
    ColorMode.RGB: 3,
    ColorMode.CMYK: 4,
    ColorMode.MULTICHANNEL: 1,
    ColorMode.DUOTONE: 1,
    ColorMode.LAB: 3,
}


def decode(stream: IO[bytes], length: int) -> Decoded:
    """Decode the merged picture of a file of `length` bytes; Photoshop has laid transparent pixels over white in it.

    Raises Refused, and whatever psd-tools raises on bad data.
    """
    try:
        header = FileHeader.read(stream)
        check_claim(header.width, header.height, length)
        palette = ColorModeData.read(stream)
        resources = ImageResources.read(stream)
    except OSError as error:
        if error.errno is not None:  # a failure of the disk; psd-tools raises OSError without a number for a short file
            raise
        raise Refused(ENDS_EARLY) from error
    size = "I" if header.version == 1 else "Q"
    (skip,) = struct.unpack(">" + size, _read(stream, struct.calcsize(">" + size)))
    stream.seek(skip, 1)
    if stream.tell() + 2 > length:
        raise Refused(ENDS_EARLY)
    planes = _planes(stream, header, min(header.channels, _COLOURS[header.color_mode]))
    icc = resources.get_data(Resource.ICC_PROFILE)
    icc = icc if isinstance(icc, bytes) and icc else None
    version = resources.get_data(Resource.VERSION_INFO)
    merged = version is None or version.has_composite or (planes != planes[:, :1, :1]).any()
    pixels = _to_srgb(planes, header.color_mode, palette, icc) if merged else _merge_layers(stream)
    exif = resources.get_data(Resource.EXIF_DATA_1)
    xmp = resources.get_data(Resource.XMP_METADATA)
    return Decoded(pixels=pixels, icc=icc, exif=bare_exif(exif), xmp=xmp if isinstance(xmp, bytes) else None, dpi=_dpi(resources))


def _merge_layers(stream: IO[bytes]) -> Pixels:
    """The layers merged by psd-tools (8 bits, sRGB), for a file whose own merged picture is blank."""
    from psd_tools import PSDImage

    stream.seek(0)
    try:
        image = PSDImage.open(stream).composite()
    except (ImportError, ValueError, TypeError, AttributeError, KeyError, NotImplementedError, OSError) as error:
        raise Refused(_NO_PICTURE) from error  # psd-tools merges most but not all kinds of layers
    if image is None:
        raise Refused(_NO_PICTURE)
    return pillow_read.to_srgb(image, None)


def _read(stream: IO[bytes], count: int) -> bytes:
    data = stream.read(count)
    if len(data) < count:
        raise Refused(ENDS_EARLY)
    return data


def _planes(stream: IO[bytes], header: FileHeader, count: int) -> NDArray[Any]:
    """The first `count` channels as count×H×W uint8 or uint16."""
    width, height, depth = header.width, header.height, header.depth
    row = (width * depth + 7) // 8
    wanted = row * height * count
    compression = Compression(struct.unpack(">H", _read(stream, 2))[0])
    if compression == Compression.RAW:
        data = _read(stream, wanted)
    elif compression == Compression.RLE:
        entry = 2 * header.version
        table = np.frombuffer(_read(stream, entry * height * header.channels), f">u{entry}")[: height * count]
        packed = _read(stream, int(table.sum(dtype=np.int64)))
        data = decode_rle(table.tobytes() + packed, width, height * count, depth, header.version)
    else:
        data = zlib.decompressobj().decompress(stream.read(), wanted)
        if len(data) < wanted:
            raise Refused(ENDS_EARLY)
        if compression == Compression.ZIP_WITH_PREDICTION:
            data = decode_prediction(data, width, height * count, depth)
    if depth == 1:
        bits = np.unpackbits(np.frombuffer(data, np.uint8).reshape(count * height, row), axis=1)[:, :width]
        return ((1 - bits) * np.uint8(255)).reshape(count, height, width)
    if depth == 32:
        return _linear_to_16_bits(np.frombuffer(data, ">f4")).reshape(count, height, width)
    values = np.frombuffer(data, ">u2" if depth == 16 else np.uint8).reshape(count, height, width)
    return values.astype(np.uint16 if depth == 16 else np.uint8)


def _linear_to_16_bits(values: NDArray[Any]) -> NDArray[np.uint16]:
    """32-bit documents hold linear light: coded with sRGB's curve, brighter than white is clipped."""
    linear = np.clip(np.nan_to_num(values.astype(np.float32)), 0, 1)
    coded = np.where(linear <= 0.0031308, linear * np.float32(12.92), np.float32(1.055) * linear ** np.float32(1 / 2.4) - np.float32(0.055))
    return np.rint(coded * np.float32(65535)).astype(np.uint16)


def _to_srgb(planes: NDArray[Any], mode: ColorMode, palette: ColorModeData, icc: bytes | None) -> Pixels:
    if mode == ColorMode.INDEXED:
        table = np.frombuffer(palette.interleave(), np.uint8).reshape(-1, 3)
        if len(table) < 256:
            raise Refused(DAMAGED)
        return colour.from_array(table[planes[0].astype(np.intp) & 255], icc)
    if mode == ColorMode.RGB and len(planes) == 3:
        return colour.from_array(np.ascontiguousarray(planes.transpose(1, 2, 0)), icc)
    if mode in (ColorMode.CMYK, ColorMode.LAB):
        # Pillow's colour engine is 8-bit: these modes come out in 8 bits. Photoshop stores CMYK inverted.
        narrow = planes if planes.dtype == np.uint8 else (planes >> 8).astype(np.uint8)
        if len(narrow) == (4 if mode == ColorMode.CMYK else 3):
            if mode == ColorMode.CMYK:
                return colour.from_pillow(Image.fromarray(np.ascontiguousarray(255 - narrow.transpose(1, 2, 0)), "CMYK"), icc)
            # Pillow's Lab keeps a and b signed, Photoshop adds 128.
            lab = np.ascontiguousarray(narrow.transpose(1, 2, 0))
            lab[:, :, 1:] ^= 0x80
            return colour.from_pillow(Image.frombuffer("LAB", (lab.shape[1], lab.shape[0]), lab.tobytes(), "raw", "LAB", 0, 1), icc)
    grey = planes[0]
    return colour.from_array(grey, icc)


def _dpi(resources: ImageResources) -> tuple[float, float] | None:
    info = resources.get_data(Resource.RESOLUTION_INFO)
    if info is None:
        return None
    return sane_dpi((info.horizontal / 65536, info.vertical / 65536))
