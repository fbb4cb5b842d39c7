"""Layered Photoshop documents, built from psd-tools' file structures.

Layers from the bottom: "Source", the untouched photo, hidden; "Cutout", the subject's colours, opaque, under a real layer
mask that holds the alpha. The merged picture is ours rather than psd-tools' own compositing, which would take longer than
all the rest: as Photoshop does, its colours are laid over white, with the alpha as its transparency. In 16-bit documents
the layers stand in an "Lr16" block, where Photoshop puts them.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
from psd_tools.compression import decode_rle, encode_rle
from psd_tools.constants import ChannelID, ColorMode, Compression, Resource, Tag
from psd_tools.psd.document import PSD
from psd_tools.psd.header import FileHeader
from psd_tools.psd.image_data import ImageData
from psd_tools.psd.image_resources import ImageResource, ImageResources, ResoulutionInfo, VersionInfo
from psd_tools.psd.layer_and_mask import (
    ChannelData,
    ChannelDataList,
    ChannelImageData,
    ChannelInfo,
    GlobalLayerMaskInfo,
    LayerAndMaskInformation,
    LayerFlags,
    LayerInfo,
    LayerInfoBlock,
    LayerRecord,
    LayerRecords,
    MaskData,
)
from psd_tools.psd.tagged_blocks import TaggedBlock, TaggedBlocks

from bgdesk.core.arrays import Pixels, quantise
from bgdesk.core.cutout import Cutout
from bgdesk.core.tasks import Progress
from bgdesk.files import colour
from bgdesk.files.metadata import LoadedImage, upright_exif, upright_xmp
from bgdesk.files.target import CheckedFile, Unwritable, patiently

#: Limits of the format; beyond them Photoshop writes PSB.
MAX_SIDE, MAX_BYTES = 30_000, 2_000_000_000

_BAND_BYTES = 4 << 20  # packed between looks at the cancel token
_SOURCE, _CUTOUT = "Source", "Cutout"
_CHANNELS = (ChannelID.CHANNEL_0, ChannelID.CHANNEL_1, ChannelID.CHANNEL_2, ChannelID.TRANSPARENCY_MASK)


def build(cutout: Cutout, metadata: LoadedImage | None, progress: Progress) -> PSD:
    """The document in memory. Raises Unwritable where a PSD cannot hold it; progress hears "save" from 0 to 0.5."""
    height, width = cutout.alpha.shape
    if max(height, width) > MAX_SIDE:
        raise Unwritable(f"a PSD has at most {MAX_SIDE} pixels a side, this photo is {width} × {height}. Export PNG instead.")
    depth = cutout.source.dtype.itemsize * 8
    header = FileHeader(channels=4, height=height, width=width, depth=depth, color_mode=ColorMode.RGB)
    alpha = quantise(cutout.alpha, cutout.source.dtype)
    merged = colour.on_white(cutout.foreground, alpha)
    step = _steps(progress, 10 * height, 0.0, 0.5)
    opaque = _packed_constant(height, width, depth)
    mask = _packed(alpha, step)
    source = [*(_packed(cutout.source[:, :, c], step) for c in range(3)), opaque]
    subject = [*(_packed(cutout.foreground[:, :, c], step) for c in range(3)), opaque, mask]
    preview = [*(_packed(merged[:, :, c], step) for c in range(3)), mask]
    if sum(len(table) + len(rows) for table, rows in source + subject + preview) > MAX_BYTES:
        raise Unwritable("it would be larger than the 2 GB that a PSD can have. Export PNG instead.")
    bounds = (0, 0, height, width)
    records: list[Any] = [
        _record(_SOURCE, bounds, _CHANNELS, visible=False),
        _record(_CUTOUT, bounds, (*_CHANNELS, ChannelID.USER_LAYER_MASK), mask=MaskData(*bounds, background_color=0)),
    ]
    channels: list[Any] = [_channel_data(source), _channel_data(subject)]
    # A negative count says that the merged picture's fourth channel is its transparency.
    kind = LayerInfo if depth == 8 else LayerInfoBlock
    layers = kind(-2, LayerRecords(records), ChannelImageData(channels))
    blocks = TaggedBlocks()
    if depth == 16:
        blocks[Tag.LAYER_16] = TaggedBlock(key=Tag.LAYER_16, data=cast(Any, layers))
    return PSD(
        header=header,
        image_resources=_resources(metadata, width, height),
        layer_and_mask_information=LayerAndMaskInformation(layers if depth == 8 else LayerInfo(), GlobalLayerMaskInfo(), blocks),
        image_data=ImageData(Compression.RLE, b"".join([table for table, _ in preview] + [rows for _, rows in preview])),
    )


def write(document: PSD, file: CheckedFile) -> None:
    document.write(cast(IO[bytes], file))


def check(path: Path, cutout: Cutout, progress: Progress) -> bool:
    """Whether the file read back holds every pixel of both layers, the mask and the merged picture; "save" 0.6 to 1."""
    with open(path, "rb") as stream:
        document = patiently(lambda: PSD.read(stream), progress, "save", 0.6)
    height, width = cutout.alpha.shape
    depth = cutout.source.dtype.itemsize * 8
    info = document._get_layer_info()
    header = document.header
    if info is None or (header.width, header.height, header.channels, header.depth) != (width, height, 4, depth):
        return False
    names = [(record.name, record.flags.visible, record.width, record.height) for record in info.layer_records]
    if names != [(_SOURCE, False, width, height), (_CUTOUT, True, width, height)]:
        return False
    alpha = quantise(cutout.alpha, cutout.source.dtype)
    merged = colour.on_white(cutout.foreground, alpha)
    opaque = np.broadcast_to(np.array(np.iinfo(alpha.dtype).max, alpha.dtype), alpha.shape)
    layers = list(info.channel_image_data)
    data = document.image_data.data
    found: list[bytes] = [channel.data for layer in layers for channel in layer]
    split = 2 * height * 4
    ends = np.cumsum(np.frombuffer(data[:split], ">u2").reshape(4, height).sum(axis=1, dtype=np.int64))
    for index, (start, end) in enumerate(zip([0, *ends[:-1]], ends, strict=True)):
        found.append(data[2 * height * index : 2 * height * (index + 1)] + data[split + start : split + end])
    wanted: list[Pixels] = [
        *_planes(cutout.source), opaque, *_planes(cutout.foreground), opaque, alpha, *_planes(merged), alpha,
    ]  # fmt: skip
    step = _steps(progress, len(wanted) * height, 0.7, 0.3)
    return len(found) == len(wanted) and all(_same(packed, plane, step) for packed, plane in zip(found, wanted, strict=True))


def _channel_data(planes: list[tuple[bytes, bytes]]) -> ChannelDataList:
    channels: list[Any] = [ChannelData(Compression.RLE, table + rows) for table, rows in planes]
    return ChannelDataList(channels)


def _planes(pixels: Pixels) -> Iterator[Pixels]:
    return (pixels[:, :, channel] for channel in range(3))


def _packed(plane: Pixels, step: Callable[[int], None]) -> tuple[bytes, bytes]:
    """A plane as PackBits: the table of row lengths, and the rows."""
    tables, rows = [], []
    for top, bottom in _bands(plane):
        band = np.ascontiguousarray(plane[top:bottom], plane.dtype.newbyteorder(">"))
        packed = encode_rle(band.tobytes(), plane.shape[1], len(band), plane.dtype.itemsize * 8, 1)
        tables.append(packed[: 2 * len(band)])
        rows.append(packed[2 * len(band) :])
        step(len(band))
    return b"".join(tables), b"".join(rows)


def _packed_constant(height: int, width: int, depth: int) -> tuple[bytes, bytes]:
    """A plane that is full everywhere: every row is the same."""
    row = encode_rle(b"\xff" * (width * depth // 8), width, 1, depth, 1)
    return row[:2] * height, row[2:] * height


def _same(packed: bytes, plane: Pixels, step: Callable[[int], None]) -> bool:
    height, width = plane.shape
    ends = 2 * height + np.cumsum(np.frombuffer(packed[: 2 * height], ">u2"), dtype=np.int64)
    start = 2 * height
    for top, bottom in _bands(plane):
        data = packed[2 * top : 2 * bottom] + packed[start : ends[bottom - 1]]
        start = int(ends[bottom - 1])
        depth = plane.dtype.itemsize * 8
        values = np.frombuffer(decode_rle(data, width, bottom - top, depth, 1), plane.dtype.newbyteorder(">"))
        if not np.array_equal(values.reshape(bottom - top, width), plane[top:bottom]):
            return False
        step(bottom - top)
    return bool(start == len(packed))


def _bands(plane: Pixels) -> Iterator[tuple[int, int]]:
    height, width = plane.shape
    rows = max(1, _BAND_BYTES // (width * plane.dtype.itemsize))
    return ((top, min(top + rows, height)) for top in range(0, height, rows))


def _steps(progress: Progress, total: int, start: float, share: float) -> Callable[[int], None]:
    """Counts rows that are done and reports them as a part of the whole."""
    done = 0

    def step(rows: int) -> None:
        nonlocal done
        done += rows
        progress("save", start + share * done / total)

    return step


def _record(
    name: str, bounds: tuple[int, int, int, int], channels: tuple[ChannelID, ...], *, visible: bool = True, mask: MaskData | None = None
) -> LayerRecord:
    blocks = TaggedBlocks()
    blocks.set_data(Tag.UNICODE_LAYER_NAME, name)
    return LayerRecord(
        *bounds,
        channel_info=[ChannelInfo(channel) for channel in channels],
        flags=LayerFlags(visible=visible),
        mask_data=mask,
        name=name,
        tagged_blocks=blocks,
    )


def _resources(metadata: LoadedImage | None, width: int, height: int) -> ImageResources:
    """Resolution, sRGB profile, the photo's EXIF and XMP, and the note that there is a merged picture."""
    x, y = (metadata.dpi if metadata else None) or (72.0, 72.0)
    resolution = ResoulutionInfo(round(x * 65536), 1, 1, round(y * 65536), 1, 1)  # 1: pixels per inch, shown in inches
    entries: dict[Resource, Any] = {
        Resource.RESOLUTION_INFO: resolution,
        Resource.ICC_PROFILE: colour.srgb_profile(),
        Resource.VERSION_INFO: VersionInfo(has_composite=True, writer="bgdesk", reader="bgdesk"),
    }
    if metadata is not None:
        entries[Resource.EXIF_DATA_1] = upright_exif(metadata.exif, metadata.size._replace(width=width, height=height))
        entries[Resource.XMP_METADATA] = upright_xmp(metadata.xmp)
    resources: Any = [(key, ImageResource(key=key, data=data)) for key, data in entries.items() if data is not None]
    return ImageResources(resources)
