"""Layered Photoshop documents, built from psd-tools' file structures.

Layers from the bottom: "Source", the untouched photo, hidden; "Cutout", the subject's colours (the photo's where nothing of
the subject shows), opaque, under a real layer mask that holds the alpha. The merged picture is composed here, because
psd-tools' compositing takes longer than everything else together: as in Photoshop, its colours are laid over white, and the
alpha is its transparency. In 16-bit documents the layers stand in an "Lr16" block, where Photoshop puts them.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray
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
from bgdesk.files.atomic import CheckedFile, Unwritable, patiently
from bgdesk.files.metadata import LoadedImage, upright_exif, upright_xmp

#: Most bytes of a PSD; Photoshop writes larger ones as PSB.
MAX_BYTES = 2_000_000_000

#: Bytes that are packed between two calls of progress.
_BAND_BYTES = 4 << 20
#: rows(top, bottom) -> those rows of a picture, n×W×C.
Rows = Callable[[int, int], Pixels]
#: step(rows): notes that so many more rows of one channel are done.
Step = Callable[[int], None]

#: Pixels around the subject in which the subject's layer still has the subject's colours.
_BEYOND = 8
_SOURCE, _CUTOUT = "Source", "Cutout"
_CHANNELS = (ChannelID.CHANNEL_0, ChannelID.CHANNEL_1, ChannelID.CHANNEL_2, ChannelID.TRANSPARENCY_MASK)


def build(cutout: Cutout, metadata: LoadedImage | None, progress: Progress) -> PSD:
    """Make the document in memory.

    Parameters
    ----------
    cutout
        Finished.
    metadata
        The photo that the pixels came from, or None.
    progress
        Hears "save" from 0 to 0.5, and may raise Cancelled.

    Raises
    ------
    Unwritable
        When the document is larger than a PSD can be.
    """
    height, width = cutout.alpha.shape
    depth = cutout.source.dtype.itemsize * 8
    header = FileHeader(channels=4, height=height, width=width, depth=depth, color_mode=ColorMode.RGB)
    step = _steps(progress, 10 * height, 0.0, 0.5)
    opaque = _packed_constant(height, width, depth)
    *merged, mask = _packed(_merged(cutout), 4, height, step)
    source = [*_packed(_rows(cutout.source), 3, height, step), opaque]
    subject = [*_packed(_subject(cutout), 3, height, step), opaque, mask]
    preview = [*merged, mask]
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
    """Write a document from `build`."""
    file.fraction = 0.5
    document.write(cast(IO[bytes], file))


def check(path: Path, cutout: Cutout, progress: Progress) -> bool:
    """Read the file back; return whether it holds every pixel of the layers, the mask and the merged picture.

    `progress` hears "save" from 0.7 to 1, and may raise Cancelled.
    """
    with open(path, "rb") as stream:
        document = patiently(lambda: PSD.read(stream), progress, "save", 0.7)
    height, width = cutout.alpha.shape
    depth = cutout.source.dtype.itemsize * 8
    info = document._get_layer_info()
    header = document.header
    if info is None or (header.width, header.height, header.channels, header.depth) != (width, height, 4, depth):
        return False
    names = [(record.name, record.flags.visible, record.width, record.height) for record in info.layer_records]
    if names != [(_SOURCE, False, width, height), (_CUTOUT, True, width, height)]:
        return False
    layers: list[Any] = list(info.channel_image_data)
    found = [channel.data for layer in layers for channel in layer]
    merged = _split(document.image_data.data, height)
    if len(found) != 9 or merged is None:
        return False
    opaque = found.pop(3), found.pop(6)
    constant = b"".join(_packed_constant(height, width, depth))
    step = _steps(progress, 11 * height, 0.7, 0.3)
    return (
        opaque == (constant, constant)
        and found[6] == merged[3]  # the layer mask and the merged picture's transparency are the same alpha
        and _same(found[0:3], _rows(cutout.source), height, width, step)
        and _same(found[3:6], _subject(cutout), height, width, step)
        and _same(merged, _merged(cutout), height, width, step)
    )


def _rows(pixels: Pixels) -> Rows:
    return lambda top, bottom: pixels[top:bottom]


def _subject(cutout: Cutout) -> Rows:
    """Rows of the subject's layer: its own colours where it shows and a little beyond, for resizing and soft brushes; the
    photo elsewhere, so that painting the mask white brings back what was there."""
    kernel = np.ones((2 * _BEYOND + 1, 2 * _BEYOND + 1), np.uint8)

    def rows(top: int, bottom: int) -> Pixels:
        first, last = max(0, top - _BEYOND), bottom + _BEYOND
        shows = (quantise(cutout.alpha[first:last], cutout.source.dtype) > 0).astype(np.uint8)
        near = cv2.dilate(shows, kernel)[top - first : bottom - first] > 0
        return np.where(near[:, :, None], cutout.foreground[top:bottom], cutout.source[top:bottom])

    return rows


def _merged(cutout: Cutout) -> Rows:
    """Rows of the merged picture: colours over white, and the alpha as a fourth channel."""

    def rows(top: int, bottom: int) -> Pixels:
        alpha = quantise(cutout.alpha[top:bottom], cutout.source.dtype)
        colours: NDArray[Any] = colour.on_white(cutout.foreground[top:bottom], alpha)
        return np.concatenate((colours, alpha[:, :, None]), axis=2)

    return rows


def _channel_data(planes: list[tuple[bytes, bytes]]) -> ChannelDataList:
    channels: list[Any] = [ChannelData(Compression.RLE, table + rows) for table, rows in planes]
    return ChannelDataList(channels)


def _packed(rows: Rows, channels: int, height: int, step: Step) -> list[tuple[bytes, bytes]]:
    """Each channel as PackBits: the table of row lengths, and the rows."""
    pieces: list[tuple[list[bytes], list[bytes]]] = [([], []) for _ in range(channels)]
    for top, bottom in _bands(rows, height):
        band = rows(top, bottom)
        for channel, (tables, packed) in enumerate(pieces):
            plane = np.ascontiguousarray(band[:, :, channel], band.dtype.newbyteorder(">"))
            data = encode_rle(plane.tobytes(), plane.shape[1], len(plane), plane.dtype.itemsize * 8, 1)
            tables.append(data[: 2 * len(plane)])
            packed.append(data[2 * len(plane) :])
            step(bottom - top)
    return [(b"".join(tables), b"".join(packed)) for tables, packed in pieces]


def _packed_constant(height: int, width: int, depth: int) -> tuple[bytes, bytes]:
    """A channel that is opaque everywhere, packed: every row is the same."""
    row = encode_rle(b"\xff" * (width * depth // 8), width, 1, depth, 1)
    return row[:2] * height, row[2:] * height


def _split(data: bytes, height: int) -> list[bytes] | None:
    """The merged picture's four channels, each with its own table; None if the lengths do not add up."""
    tables = np.frombuffer(data[: 8 * height], ">u2")
    if len(tables) != 4 * height:
        return None
    ends = (8 * height + np.cumsum(tables, dtype=np.int64))[height - 1 :: height]
    if ends[-1] != len(data):
        return None
    starts = (8 * height, *ends[:-1])
    return [data[2 * height * i : 2 * height * (i + 1)] + data[starts[i] : ends[i]] for i in range(4)]


def _same(channels: list[bytes], rows: Rows, height: int, width: int, step: Step) -> bool:
    """Whether packed channels hold these pixels."""
    tables = [np.frombuffer(data[: 2 * height], ">u2") for data in channels]
    ends = [2 * height + np.cumsum(table, dtype=np.int64) for table in tables]
    starts = [2 * height] * len(channels)
    for top, bottom in _bands(rows, height):
        band = rows(top, bottom)
        for channel, data in enumerate(channels):
            end = int(ends[channel][bottom - 1])
            packed = data[2 * top : 2 * bottom] + data[starts[channel] : end]
            plane = np.frombuffer(decode_rle(packed, width, bottom - top, band.dtype.itemsize * 8, 1), band.dtype.newbyteorder(">"))
            if not np.array_equal(plane.reshape(bottom - top, width), band[:, :, channel]):
                return False
            starts[channel] = end
            step(bottom - top)
    return starts == [len(data) for data in channels]


def _bands(rows: Rows, height: int) -> Iterator[tuple[int, int]]:
    count = max(1, _BAND_BYTES // max(1, rows(0, 1).nbytes))
    return ((top, min(top + count, height)) for top in range(0, height, count))


def _steps(progress: Progress, total: int, start: float, share: float) -> Step:
    """Return a Step that counts rows, and reports them as a share of `total`."""
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
