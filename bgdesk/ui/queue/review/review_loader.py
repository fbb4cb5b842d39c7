"""Reads the pictures for the review, on a worker thread."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QColorSpace, QImage, QImageReader

from bgdesk.batch.model.values import BatchRecipe, Item
from bgdesk.core.errors import LoadError

#: Longest side of pictures that are read ahead: fills a large screen, and three of them take less than 50 MB.
LONGEST = 2048
#: Qt refuses pictures that need more memory than this, in MB.
_LIMIT_MB = 4096


class Wanted(NamedTuple):
    """What to read. cutout: its file. source: the photo. whole: the cutout in full size, without the photo."""

    id: int
    cutout: Path
    source: Path
    whole: bool = False


@dataclass(frozen=True, eq=False)
class Picture:
    """A cutout and its photo, upright; None where one could not be read, and `problem` says why.

    size: of the cutout in its file, before it was scaled.
    """

    cutout: QImage | None
    source: QImage | None
    size: QSize
    problem: str = ""


def wanted(item: Item, recipe: BatchRecipe, whole: bool = False) -> Wanted | None:
    """What to read for an item: the output that shows its edge best. None if it has no output."""
    if item.outcome is None or not item.outcome.written:
        return None
    written = item.outcome.written[best(recipe, len(item.outcome.written))]
    return Wanted(item.id, written.staged, item.source, whole)


def best(recipe: BatchRecipe, count: int) -> int:
    """Which of the first `count` variants shows errors best: a transparent one rather than one on a colour, PNG first."""
    variants = recipe.variants[:count]
    order = sorted(
        range(len(variants)), key=lambda i: (variants[i].alpha_only, variants[i].background is not None, variants[i].format.value)
    )
    return order[0] if order else 0


def read(key: Wanted) -> Picture:
    """Read the pictures, on any thread. Problems are part of the result."""
    try:
        cutout = read_cutout(key.cutout)
    except LoadError as error:
        return Picture(None, None, QSize(), str(error))
    size = cutout.size()
    if key.whole:
        return Picture(cutout, None, size)
    from bgdesk.files.load import preview  # decoders: here, on the cache's thread

    try:
        pixels = preview(key.source, LONGEST)
    except LoadError as error:
        return Picture(_fitted(cutout), None, size, str(error))
    height, width = pixels.shape[:2]
    source = QImage(pixels.tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888).copy()
    return Picture(_fitted(cutout), source, size)


def read_cutout(path: Path) -> QImage:
    """Read a cutout that bgdesk wrote: 8 bits, sRGB, premultiplied alpha. Raises LoadError."""
    image = _read_psd(path) if path.suffix.lower() == ".psd" else _read_png(path)
    space = image.colorSpace()
    if space.isValid() and space != QColorSpace(QColorSpace.NamedColorSpace.SRgb):
        image.convertToColorSpace(QColorSpace(QColorSpace.NamedColorSpace.SRgb))
    return image.convertToFormat(QImage.Format.Format_ARGB32_Premultiplied)


def _read_png(path: Path) -> QImage:
    QImageReader.setAllocationLimit(_LIMIT_MB)
    reader = QImageReader(str(path))
    image = reader.read()
    if image.isNull():
        raise LoadError(_gone(path, reader.errorString()))
    return image


def _read_psd(path: Path) -> QImage:
    """Read the layer of the subject and its mask; the merged picture would be on white."""
    from psd_tools import PSDImage

    try:
        layer = PSDImage.open(path)[-1]
        colours, mask = layer.topil(), layer.mask.topil() if layer.mask is not None else None
    except (OSError, ValueError, IndexError, AssertionError) as error:
        raise LoadError(_gone(path, str(error))) from error
    if colours is None or mask is None:
        raise LoadError(_gone(path, "its layers are not those that bgdesk writes"))
    rgba = np.dstack((np.asarray(colours.convert("RGB")), np.asarray(mask.convert("L"))))
    height, width = rgba.shape[:2]
    return QImage(rgba.tobytes(), width, height, 4 * width, QImage.Format.Format_RGBA8888).copy()


def _gone(path: Path, why: str) -> str:
    return f"{path.name} could not be shown: {why[:1].lower()}{why[1:].rstrip('.')}. Check whether it was moved; Fix makes a new one."


def _fitted(image: QImage) -> QImage:
    if max(image.width(), image.height()) <= LONGEST:
        return image
    return image.scaled(LONGEST, LONGEST, Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation)
