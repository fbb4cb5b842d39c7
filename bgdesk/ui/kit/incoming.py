"""What is dropped or pasted: files, folders, or a picture."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QMimeData
from PySide6.QtGui import QImage


def paths(mime: QMimeData) -> list[Path]:
    """The local files and folders that were dropped or pasted, in order, each once."""
    return list(dict.fromkeys(Path(url.toLocalFile()) for url in mime.urls() if url.isLocalFile()))


def picture(mime: QMimeData) -> NDArray[np.uint8] | None:
    """The picture that was dropped or pasted, H×W×3 uint8, or None. Transparent pixels show the colour stored under them."""
    if not mime.hasImage():
        return None
    image = mime.imageData()
    return pixels(image) if isinstance(image, QImage) and not image.isNull() else None


def pixels(image: QImage) -> NDArray[np.uint8]:
    """A QImage as H×W×3 uint8, copied."""
    # Via 32 bits with unmultiplied alpha: a pasted cut-out keeps its colours, and rows need no padding.
    plain = image.convertToFormat(QImage.Format.Format_RGBA8888)
    rows: NDArray[np.uint8] = np.frombuffer(plain.constBits(), np.uint8).reshape(plain.height(), plain.bytesPerLine())
    return np.ascontiguousarray(rows[:, : 4 * plain.width()].reshape(plain.height(), plain.width(), 4)[..., :3])


def acceptable(mime: QMimeData) -> bool:
    """Whether there is a file or a picture in it."""
    return bool(paths(mime)) or mime.hasImage()
