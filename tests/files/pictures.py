"""Files that the tests of bgdesk.files need, made on the spot."""

import io
import struct
import zlib
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from bgdesk.core.cutout import Cutout

ORIENTATION = 0x0112


def photo(width: int = 40, height: int = 30, seed: int = 1) -> NDArray[np.uint8]:
    """A smooth picture with noise: no two rows, columns or corners are alike, and JPEG keeps it nearly as it is."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    ramps = np.stack([x / width * 200, y / height * 200, (x + y) / (width + height) * 180 + 40], axis=-1)
    return np.clip(ramps + np.random.default_rng(seed).integers(0, 12, ramps.shape), 0, 255).astype(np.uint8)


def deep(width: int = 40, height: int = 30) -> NDArray[np.uint16]:
    """16-bit colours whose low bytes matter."""
    low = np.random.default_rng(2).integers(0, 256, (height, width, 3), np.uint16)
    pixels: NDArray[np.uint16] = photo(width, height).astype(np.uint16) * np.uint16(256) + low
    return pixels


def encoded(image: Image.Image, format_: str, **options: Any) -> bytes:
    with io.BytesIO() as stream:
        image.save(stream, format_, **options)
        return stream.getvalue()


def heif(name: str) -> bytes:
    """A HEIC file that lies beside the tests; see heif/README.md."""
    return (Path(__file__).parent / "heif" / f"{name}.heic").read_bytes()


def png_bytes(pixels: NDArray[Any], colour_type: int, chunks: tuple[tuple[bytes, bytes], ...] = (), *, spoil: bytes = b"") -> bytes:
    """A PNG written by the book, unfiltered; `spoil` names chunks that get a wrong checksum."""
    height, width = pixels.shape[:2]
    big = np.ascontiguousarray(pixels, pixels.dtype.newbyteorder(">")).view(np.uint8).reshape(height, -1)
    rows = np.concatenate((np.zeros((height, 1), np.uint8), big), axis=1).tobytes()
    header = struct.pack(">IIBBBBB", width, height, pixels.dtype.itemsize * 8, colour_type, 0, 0, 0)

    def chunk(name: bytes, content: bytes) -> bytes:
        checksum = zlib.crc32(name + content) ^ (1 if name == spoil else 0)
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", checksum)

    parts = [(b"IHDR", header), *chunks, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def tiff_bytes(
    pixels: NDArray[Any],
    *,
    orientation: int = 1,
    extra: int | None = None,
    planar: bool = False,
    floats: bool = False,
    order: Literal["<", ">"] = "<",
) -> bytes:
    """An uncompressed RGB TIFF, which Pillow cannot write in 16 bits."""
    height, width, samples = pixels.shape
    size = pixels.dtype.itemsize
    layout = pixels.transpose(2, 0, 1) if planar else pixels
    data = np.ascontiguousarray(layout, pixels.dtype.newbyteorder(order)).tobytes()
    plane = len(data) // samples
    shorts = {258: [8 * size] * samples, 339: [3 if floats else 1] * samples}
    longs = {273: [0, plane, 2 * plane] if planar else [0], 279: [plane] * samples if planar else [len(data)]}
    entries: dict[int, tuple[int, list[int]]] = {
        256: (4, [width]), 257: (4, [height]), 259: (3, [1]), 262: (3, [2]), 274: (3, [orientation]), 277: (3, [samples]),
        278: (4, [height]),
        284: (3, [2 if planar else 1]), **{tag: (3, values) for tag, values in shorts.items()}, **{tag: (4, v) for tag, v in longs.items()},
    }  # fmt: skip
    if extra is not None:
        entries[338] = (3, [extra])
    after = 8 + 2 + 12 * len(entries) + 4
    lengths = {tag: len(values) * (2 if kind == 3 else 4) for tag, (kind, values) in entries.items()}
    start = after + sum(length for length in lengths.values() if length > 4)
    entries[273] = (4, [start + offset for offset in longs[273]])
    directory, heap = struct.pack(order + "H", len(entries)), b""
    for tag, (kind, values) in sorted(entries.items()):
        packed = struct.pack(f"{order}{len(values)}{'H' if kind == 3 else 'I'}", *values)
        directory += struct.pack(order + "HHI", tag, kind, len(values))
        if len(packed) > 4:
            directory += struct.pack(order + "I", after + len(heap))
            heap += packed
        else:
            directory += packed.ljust(4, b"\0")
    magic = b"II*\0" if order == "<" else b"MM\0*"
    return magic + struct.pack(order + "I", 8) + directory + struct.pack(order + "I", 0) + heap + data


def gamma_profile(gamma: float, swap: bool = False) -> bytes:
    """A matrix profile: sRGB's primaries (red and blue swapped, if asked) and a pure power curve."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    count = struct.unpack_from(">I", profile, 128)[0]
    body, table = b"", b""
    start = 132 + 12 * count
    for index in range(count):
        name, offset, length = struct.unpack_from(">4sII", profile, 132 + 12 * index)
        content = bytes(profile[offset : offset + length])
        if name in (b"rTRC", b"gTRC", b"bTRC"):
            content = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256))
        if swap and name in (b"rXYZ", b"bXYZ"):
            name = b"bXYZ" if name == b"rXYZ" else b"rXYZ"
        content += bytes(-len(content) % 4)
        table += struct.pack(">4sII", name, start + len(body), len(content))
        body += content
    head = bytes(profile[:132])
    return struct.pack(">I", len(head) + len(table) + len(body)) + head[4:] + table + body


def grey_profile(gamma: float) -> bytes:
    """A grey profile with a pure power curve."""

    def tag(content: bytes) -> bytes:
        return content + bytes(-len(content) % 4)

    parts = {
        b"wtpt": tag(b"XYZ \0\0\0\0" + struct.pack(">3i", 63190, 65536, 54061)),
        b"kTRC": tag(b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256))),
        b"desc": tag(b"desc\0\0\0\0" + struct.pack(">I", 5) + b"grey\0" + bytes(78)),
        b"cprt": tag(b"text\0\0\0\0none\0"),
    }
    start, table, body = 132 + 12 * len(parts), b"", b""
    for name, content in parts.items():
        table += struct.pack(">4sII", name, start + len(body), len(content))
        body += content
    header = bytearray(128)
    struct.pack_into(">I4sI4s4s4s", header, 0, start + len(body), b"lcms", 0x02100000, b"mntr", b"GRAY", b"XYZ ")
    header[36:40] = b"acsp"
    struct.pack_into(">3i", header, 68, 63190, 65536, 54061)
    return bytes(header) + struct.pack(">I", len(parts)) + table + body


def psd_bytes(
    planes: NDArray[Any], mode: int, *, resources: tuple[tuple[int, bytes], ...] = (), palette: bytes = b"", version: int = 1
) -> bytes:
    """A flat PSD (or PSB, version 2) with uncompressed channels, by Adobe's specification."""
    channels, height, width = planes.shape
    depth = 1 if planes.dtype == np.bool_ else planes.dtype.itemsize * 8
    blocks = b"".join(b"8BIM" + struct.pack(">HHI", key, 0, len(content)) + content + bytes(len(content) % 2) for key, content in resources)
    data = np.packbits(planes, axis=2).tobytes() if depth == 1 else planes.astype(planes.dtype.newbyteorder(">")).tobytes()
    return (
        b"8BPS" + struct.pack(">H6xHIIHH", version, channels, height, width, depth, mode)
        + struct.pack(">I", len(palette)) + palette
        + struct.pack(">I", len(blocks)) + blocks
        + struct.pack(">I" if version == 1 else ">Q", 0)
        + struct.pack(">H", 0) + data
    )  # fmt: skip


def exif_bytes(orientation: int, order: str = "<", thumbnail: bytes = b"") -> bytes:
    """An EXIF block: camera name, orientation, pixel size 40 × 30, and a thumbnail if given."""
    make = b"Camera\0\0"
    ifd0 = [(0x010F, 2, 7, None), (ORIENTATION, 3, 1, orientation), (0x8769, 4, 1, None)]
    make_at = 8 + 2 + 12 * 3 + 4
    details_at = make_at + len(make)
    thumb_ifd_at = details_at + 2 + 12 * 2 + 4
    thumb_at = thumb_ifd_at + 2 + 12 * 2 + 4
    out = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "IH", 8, 3)
    for tag, kind, count, value in ifd0:
        value = {0x010F: make_at, 0x8769: details_at}.get(tag, value)
        cell = struct.pack(order + ("HH" if kind == 3 else "I"), *((value, 0) if kind == 3 else (value,)))
        out += struct.pack(order + "HHI", tag, kind, count) + cell
    out += struct.pack(order + "I", thumb_ifd_at if thumbnail else 0) + make
    out += struct.pack(order + "H", 2)
    for tag, value in ((0xA002, 40), (0xA003, 30)):
        out += struct.pack(order + "HHII", tag, 4, 1, value)
    out += struct.pack(order + "I", 0)
    if thumbnail:
        out += struct.pack(order + "H", 2)
        for tag, value in ((0x0201, thumb_at), (0x0202, len(thumbnail))):
            out += struct.pack(order + "HHII", tag, 4, 1, value)
        out += struct.pack(order + "I", 0) + thumbnail
    return out


def cutout(width: int = 40, height: int = 30, dtype: type = np.uint8) -> Cutout:
    """A disc with a soft rim over `photo`, its colours extended outwards."""
    source: NDArray[Any] = photo(width, height) if dtype is np.uint8 else deep(width, height)
    y, x = np.mgrid[:height, :width]
    distance = np.hypot(x - width / 2, y - height / 2)
    alpha = np.clip((min(width, height) * 0.35 - distance) / 6 + 0.5, 0, 1).astype(np.float32)
    foreground = source.copy()
    foreground[alpha < 1] = np.roll(source, 3, axis=1)[alpha < 1]
    trimap = np.where(alpha == 0, 0, np.where(alpha == 1, 255, 128)).astype(np.uint8)
    return Cutout(source=source, alpha=alpha, foreground=foreground, trimap=trimap)


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path
