"""Trimaps: what is surely subject, surely background, and the band between that the solver decides."""

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from bgdesk.core.arrays import Trimap


class Label(IntEnum):
    """The three values a trimap may hold."""

    BACKGROUND = 0
    UNKNOWN = 128
    FOREGROUND = 255


def from_gray(gray: NDArray[np.uint8]) -> Trimap:
    """A trimap from any grey picture somebody made: below 64 background, above 191 foreground, the rest unknown."""
    trimap = np.full(gray.shape, Label.UNKNOWN, np.uint8)
    trimap[gray < 64] = Label.BACKGROUND
    trimap[gray > 191] = Label.FOREGROUND
    return trimap
