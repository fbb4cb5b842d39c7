"""A photo's work in little memory, and its picture in a few pixels, for when the photo is not the one being worked on."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bgdesk.app.editing.editor import Editor
from bgdesk.app.editing.history import History
from bgdesk.app.editing.tiles import Saved, SpillFile
from bgdesk.app.editing.work import Work
from bgdesk.core.arrays import Alpha, Pixels, Trimap, to_uint8
from bgdesk.core.geometry import Rect, Size
from bgdesk.core.tasks import Progress

log = logging.getLogger(__name__)

#: Rows that are packed at a time when a photo is parked: bounds what packing itself takes.
_ROWS = 512


@dataclass(frozen=True, kw_only=True, eq=False)
class Parked:
    """A photo's work without its source: labels and alpha compressed, undo steps on disk. Nothing of the work is lost."""

    size: Size  #: of the photo
    bands: tuple[tuple[Rect, Saved, Saved], ...]  #: rectangle, labels, solved alpha
    work: Work  #: the rest of the work; its arrays are placeholders
    history: History  #: over `work`
    tiles: tuple[Saved, ...]  #: of the undo steps
    by_hand: bool  #: see Editor

    @classmethod
    def of(cls, editor: Editor) -> Parked:
        """Return the work of `editor`, not packed yet: the bands are the work's arrays themselves. The editor is not changed."""
        work = editor.work
        width, height = work.size
        rects = [Rect(0, top, width, min(top + _ROWS, height)) for top in range(0, height, _ROWS)]
        bands = tuple((rect, Saved(work.labels[rect.slices]), Saved(work.solved[rect.slices])) for rect in rects)
        nothing = np.broadcast_to(np.uint8(0), (height, width, 3))
        rest = Work.awaiting(nothing, work.path, work.recipe)
        rest.debt, rest.asked, rest.edit_id = work.debt, work.asked, work.edit_id
        rest.timings = dict(work.timings)
        history = editor.history
        tiles = tuple(saved for step in (*history.done, *history.undone) for saved in step.saved)
        return cls(size=work.size, bands=bands, work=rest, history=history, tiles=tiles, by_hand=editor.by_hand)

    def detach(self) -> None:
        """Take over the editor's history; the editor must not be used any more."""
        self.history.move_to(self.work)

    @property
    def edited(self) -> bool:
        """Whether a person changed something that is not undone."""
        return self.work.edit_id != 0

    @property
    def nbytes(self) -> int:
        """Memory that the parked work takes, in bytes."""
        return sum(labels.nbytes + solved.nbytes for _, labels, solved in self.bands) + self.history.nbytes

    def pack(self, folder: Path, progress: Progress) -> None:
        """Compress everything, and write the undo steps to a file in `folder`; on any thread.

        On a disk without room the steps stay in memory.
        """
        for index, (_, labels, solved) in enumerate(self.bands):
            progress("park", index / len(self.bands))
            labels.pack()
            solved.pack()
        if not self.tiles:
            return
        try:
            file = SpillFile(folder)
            for saved in self.tiles:
                progress("park", 1.0)
                saved.spill(file)
        except OSError as error:
            log.info("undo steps stay in memory: %s", error)

    def unpack(self) -> tuple[Trimap, Alpha]:
        """Return labels and solved alpha as new arrays, bit for bit as they were."""
        labels = np.empty((self.size.height, self.size.width), np.uint8)
        solved = np.empty(labels.shape, np.float32)
        for rect, saved_labels, saved_solved in self.bands:
            labels[rect.slices] = saved_labels.load()
            solved[rect.slices] = saved_solved.load()
        return labels, solved

    def put_back(self, work: Work, labels: Trimap, solved: Alpha) -> None:
        """Give `work`, the work of the same photo just loaded, what was parked.

        `labels` and `solved` come from `unpack`. The history is taken over by the editor that is made of `work`.
        """
        work.replace(labels, solved, None, self.work.timings)
        work.debt, work.asked, work.edit_id, work.recipe = self.work.debt, self.work.asked, self.work.edit_id, self.work.recipe


def shrink(pixels: Pixels, longest: int) -> NDArray[np.uint8]:
    """Make a small picture of a photo, quickly: each pixel is the mean of nine of the photo's.

    The time depends on the size of the small picture only.

    Parameters
    ----------
    pixels
        H×W×3 uint8 or uint16.
    longest
        Most pixels on the longer side.

    Returns
    -------
    ndarray
        h×w×3 uint8.
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
