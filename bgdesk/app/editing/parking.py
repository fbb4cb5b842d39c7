"""A photo's cut-out in little memory, and its picture in a few pixels, for when it is not the one being worked on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bgdesk.app.editing.editor import Editor
from bgdesk.app.editing.history import Saved
from bgdesk.core.arrays import Pixels, to_uint8
from bgdesk.core.geometry import Rect, Size
from bgdesk.core.tasks import Progress

#: rows that are packed at a time when a document is parked: bounds what packing itself takes.
_ROWS = 512


@dataclass(frozen=True, eq=False)
class Parked:
    """A cut-out without its source, compressed."""

    size: Size
    bands: tuple[tuple[Rect, Saved, Saved], ...]
    debt: tuple[Rect, ...]
    edited: bool
    by_hand: bool

    @classmethod
    def of(cls, editor: Editor) -> Parked:
        """Not packed yet: it holds the document's arrays themselves."""
        document = editor.document
        width, height = document.size
        rects = [Rect(0, top, width, min(top + _ROWS, height)) for top in range(0, height, _ROWS)]
        bands = tuple((rect, Saved(document.trimap[rect.slices]), Saved(document.alpha[rect.slices])) for rect in rects)
        return cls(document.size, bands, document.debt, editor.edited, editor.by_hand)

    @property
    def nbytes(self) -> int:
        return sum(trimap.nbytes + alpha.nbytes for _, trimap, alpha in self.bands)

    def pack(self, progress: Progress) -> None:
        """Compress, on any thread."""
        for index, (_, trimap, alpha) in enumerate(self.bands):
            progress("park", index / len(self.bands))
            trimap.pack()
            alpha.pack()

    def unpack(self) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """Trimap and alpha, new and bit for bit as they were."""
        trimap = np.empty((self.size.height, self.size.width), np.uint8)
        alpha = np.empty(trimap.shape, np.float32)
        for rect, saved_trimap, saved_alpha in self.bands:
            trimap[rect.slices] = saved_trimap.load()
            alpha[rect.slices] = saved_alpha.load()
        return trimap, alpha


def shrink(pixels: Pixels, longest: int) -> NDArray[np.uint8]:
    """A small picture of `pixels`, its longer side at most `longest`: nine source pixels averaged for each of its own.

    Not the best there is, but its cost follows the small picture, so that it never holds up a large photo.
    """
    size = Size(pixels.shape[1], pixels.shape[0])
    if max(size) <= longest:
        return to_uint8(pixels).copy()
    small = size.fit(longest)
    rows = (np.arange(3 * small.height) + 0.5) * (size.height / (3 * small.height))
    columns = (np.arange(3 * small.width) + 0.5) * (size.width / (3 * small.width))
    samples = to_uint8(pixels[np.ix_(rows.astype(np.intp), columns.astype(np.intp))])
    averaged: NDArray[np.uint8] = np.rint(samples.reshape(small.height, 3, small.width, 3, 3).mean(axis=(1, 3))).astype(np.uint8)
    return averaged
