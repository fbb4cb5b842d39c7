"""The photos in the film strip, as the window sees them."""

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


class PhotoState(Enum):
    WAITING = "waiting"  # in the film strip, nothing computed
    LOADING = "loading"  # being read
    MATTING = "matting"  # shown; the network's answer is awaited
    READY = "ready"  # nothing is running for it (has_alpha says whether there is a cut-out)
    FAILED = "failed"  # could not be read or cut out; `error` says why. One that was read can still be painted by hand


@dataclass(frozen=True, eq=False)
class Photo:
    """One entry of the film strip; a new value comes with every PhotosChanged.

    thumbnail: h×w×3 uint8, at most THUMBNAIL pixels on its longer side; None until it has been read.
    edited: it has been painted on; such a photo is never dropped from memory.
    """

    key: int
    path: Path | None
    name: str
    state: PhotoState
    edited: bool = False
    thumbnail: NDArray[np.uint8] | None = None
    error: str | None = None


#: longest side of a thumbnail in pixels: the strip is 96 px high, twice that on dense screens.
THUMBNAIL = 192


@dataclass(frozen=True)
class Busy:
    """What the progress line shows.

    stage: "load", "network", "trimap", "alpha", "foreground", "save", "download", … as the work reports it.
    fraction: how much of the stage is done in [0, 1]; None if unknown (show a running line without an end).
    """

    stage: str
    fraction: float | None = None
    cancellable: bool = True
