"""Pixels that are kept for later: raw, compressed, or on disk. They always come back bit for bit."""

from __future__ import annotations

import tempfile
import threading
import weakref
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bgdesk.core.geometry import Rect, Size

#: Side of a tile in pixels: small enough that a dab costs little, large enough that zlib compresses well.
TILE = 128


def tiles_over(rect: Rect, size: Size) -> Iterator[Rect]:
    """Give the tiles of a photo of `size` that overlap `rect`."""
    rect = rect.clip(size)
    if rect.empty:
        return
    for tile in Rect(rect.left // TILE * TILE, rect.top // TILE * TILE, rect.right, rect.bottom).tiles(TILE):
        yield Rect(tile.left, tile.top, tile.left + TILE, tile.top + TILE).clip(size)


class SpillFile:
    """A file without a name for the tiles of one photo; the system removes it when it is closed or the program ends."""

    def __init__(self, folder: Path) -> None:
        """Make the file in `folder`. Raises OSError where nothing can be written."""
        folder.mkdir(parents=True, exist_ok=True)
        stream = self._stream = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - open for as long as a tile lies in it
        weakref.finalize(self, stream.close)
        self._lock = threading.Lock()  # written on the IO lane, read by whoever undoes
        self.nbytes = 0

    def write(self, data: bytes) -> int:
        """Append `data`; return at which byte it begins. Raises OSError; `nbytes` has not changed then."""
        with self._lock:
            self._stream.seek(self.nbytes)
            self._stream.write(data)
            self._stream.flush()
            start, self.nbytes = self.nbytes, self.nbytes + len(data)
            return start

    def read(self, start: int, length: int) -> bytes:
        """Return `length` bytes from byte `start` on. Raises OSError."""
        with self._lock:
            self._stream.seek(start)
            return self._stream.read(length)


class Saved:
    """One tile's pixels: an array of any shape and type.

    `pack` and `spill` may run on another thread: they replace one attribute, and `load` works with every form.
    """

    __slots__ = ("_data", "_dtype", "_shape")

    def __init__(self, array: NDArray[Any]) -> None:
        """Keep `array` itself: pass a copy, or an array that nobody changes any more."""
        #: The array; or one value, where all are equal; or compressed bytes; or where those are: (file, start, length).
        self._data: NDArray[Any] | bytes | tuple[SpillFile, int, int] = array
        self._dtype = array.dtype
        self._shape = array.shape

    @property
    def packed(self) -> bool:
        """Whether the pixels are compressed, in memory or on disk."""
        return not isinstance(self._data, np.ndarray) or self._data.ndim == 0

    @property
    def nbytes(self) -> int:
        """Memory that the pixels take, in bytes."""
        data = self._data
        if isinstance(data, tuple):
            return 0
        return len(data) if isinstance(data, bytes) else data.nbytes

    @property
    def spilled(self) -> int:
        """Bytes that the pixels take on disk."""
        return self._data[2] if isinstance(self._data, tuple) else 0

    def pack(self) -> None:
        """Compress the pixels: to one value if all are equal, else by zlib over the bytes sorted by significance."""
        data = self._data
        if not isinstance(data, np.ndarray) or data.ndim == 0:
            return
        bits = data.view(f"u{self._dtype.itemsize}")  # compared as bits: -0 and 0 are equal, but not the same
        if (bits == bits.flat[0]).all():
            self._data = np.array(data.flat[0], self._dtype)
            return
        # Neighbouring floats share their high bytes: side by side they compress about twice as well.
        planes = np.ascontiguousarray(data).view(np.uint8).reshape(-1, self._dtype.itemsize).T
        self._data = zlib.compress(planes.tobytes(), 1)

    def spill(self, file: SpillFile) -> None:
        """Move the compressed pixels to `file`. Raises OSError; the pixels stay in memory then."""
        self.pack()
        data = self._data
        if isinstance(data, bytes):
            self._data = (file, file.write(data), len(data))

    def load(self) -> NDArray[Any]:
        """Return the pixels, bit for bit as they were; the array must not be written to. Raises OSError where the disk fails."""
        data = self._data
        if isinstance(data, tuple):
            file, start, length = data
            data = file.read(start, length)
        if isinstance(data, bytes):
            planes = np.frombuffer(zlib.decompress(data), np.uint8).reshape(self._dtype.itemsize, -1)
            return np.ascontiguousarray(planes.T).view(self._dtype).reshape(self._shape)
        return np.broadcast_to(data, self._shape) if data.ndim == 0 else data
