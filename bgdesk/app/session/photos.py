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


@dataclass(frozen=True, kw_only=True, eq=False)
class Photo:
    """One entry of the film strip; a new value comes with every PhotosChanged."""

    key: int
    path: Path | None  #: None for a pasted picture
    name: str
    state: PhotoState
    edited: bool = False  #: a person changed something; the work of such a photo is never dropped
    unsaved: bool = False  #: what a person changed is in no file
    thumbnail: NDArray[np.uint8] | None = None  #: h×w×3, at most THUMBNAIL pixels on its longer side; None until it has been read
    error: str | None = None


#: Longest side of a thumbnail in pixels: the strip is 96 px high, twice that on dense screens.
THUMBNAIL = 192
