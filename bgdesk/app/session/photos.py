"""The photos in the film strip, as the window sees them."""

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


class PhotoState(Enum):
    """What happens with a photo of the film strip."""

    WAITING = "waiting"  #: nothing has been computed yet
    LOADING = "loading"  #: its file is being read
    MATTING = "matting"  #: the network's answer is awaited
    READY = "ready"  #: no work runs for the photo; `Work.has_alpha` says whether there is a cut-out
    FAILED = "failed"  #: could not be read or cut out; `Photo.error` says why. A photo that was read can be cut out by hand


@dataclass(frozen=True, kw_only=True, eq=False)
class Photo:
    """One entry of the film strip; a new value comes with every PhotosChanged."""

    key: int  #: names the photo as long as the session lives
    path: Path | None  #: None for a pasted picture
    name: str  #: of the file, or of a pasted picture
    state: PhotoState  #: what happens with the photo
    edited: bool = False  #: a person changed something; the work of such a photo is never dropped
    unsaved: bool = False  #: what a person changed is in no file
    thumbnail: NDArray[np.uint8] | None = None  #: h×w×3, at most THUMBNAIL pixels on its longer side; None until it has been read
    error: str | None = None  #: why the photo could not be read or cut out


#: Longest side of a thumbnail in pixels: the strip is 96 px high, twice that on dense screens.
THUMBNAIL = 192
