"""Sparse systems on the unknown pixels of a small grid, as the CG solver holds them.

The unknowns are held as *spans*, unbroken runs of one row. A span's coefficients are stored as one block, a row of it for
each neighbour (25 in the finest grid, 9 in coarser ones), so that every inner loop walks along the photo's row through
memory in order, and a compiler can take many pixels at a step. Single precision: half the memory to read.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bgdesk.core.arrays import Mask
from bgdesk.engine.runtime.kernels import b1, f4, i4, kernel, read

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]

#: Known pixels around the grid: a neighbourhood may then reach two pixels past the edge without a test.
PAD = 2


@dataclass(frozen=True, eq=False)
class Spans:
    """Which pixels are unknown. Gaps of one pixel are bridged, so that no two spans of a row are coupled."""

    starts: Ints  #: flat place of each span's first pixel on the padded grid
    firsts: Ints  #: number of each span's first pixel among all pixels of all spans, with the total at the end
    shape: tuple[int, int]  #: of the padded grid

    @property
    def size(self) -> int:
        """Pixels of all spans, bridged gaps included."""
        return int(self.firsts[-1])


@kernel((read(b1[:, ::1]), i4[::1], i4[::1]))
def _find_spans(mask: Mask, starts: Ints, firsts: Ints) -> int:
    """Fill starts and firsts; the number of spans."""
    height, width = mask.shape
    spans = total = 0
    for y in range(height):
        end = -2  # of the row's last span so far
        for x in range(width):
            if mask[y, x]:
                if x > end + 1:
                    starts[spans] = (y + PAD) * (width + 2 * PAD) + x + PAD
                    firsts[spans] = total
                    spans += 1
                    total += 1
                else:
                    total += x + 1 - end
                end = x + 1
    firsts[spans] = total
    return spans


def find_spans(mask: Mask) -> Spans:
    """Find the spans of `mask`, bool H×W."""
    height, width = mask.shape
    most = height * ((width + 2) // 3)
    starts, firsts = np.empty(most, np.int32), np.empty(most + 1, np.int32)
    spans = _find_spans(np.ascontiguousarray(mask), starts, firsts)
    return Spans(starts[:spans].copy(), firsts[: spans + 1].copy(), (height + 2 * PAD, width + 2 * PAD))


@dataclass(frozen=True, eq=False)
class System:
    """The matrix A of A·x = b over the pixels of `spans`. In a bridged gap x has no meaning, and no effect."""

    spans: Spans
    #: For each span (2·radius + 1)² rows of its length, row by row of the neighbourhood; 0 where a neighbour is known.
    coefficients: Floats
    radius: int  #: of the neighbourhood: 2 or 1


@kernel((i4[::1], i4[::1], f4[::1], f4[::1]))
def _spread(starts: Ints, firsts: Ints, packed: Floats, grid: Floats) -> None:
    for span in range(starts.shape[0]):
        first, start = firsts[span], starts[span]
        for t in range(firsts[span + 1] - first):
            grid[start + t] += packed[first + t]


def spread(spans: Spans, packed: Floats, grid: Floats) -> None:
    """Add a packed vector to a flat, padded grid, in place."""
    _spread(spans.starts, spans.firsts, packed, grid)
