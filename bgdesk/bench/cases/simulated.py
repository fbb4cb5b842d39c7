"""A matte as a segmentation network would answer it, made from the truth: with a network's errors, without its failures.

A real matte (IS-Net at 1024², on composites of real cut-outs where it found the subject, IoU above 0.95) was compared with
the truth: where the true edge is sharp, its own goes from 0.1 to 0.9 within 4 to 6 pixels of the network's grid; its contour
runs 1.5 to 3 pixels beside the true one, and outside of wide soft edges; single hairs become a haze or are lost; thin stuff
is pushed towards opaque or clear. All of that is simulated. A real matte also lacks or adds whole regions, by far its largest
error; that is not simulated, because refinement must not invent a subject.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from bgdesk.bench.cases.corpus import random_of
from bgdesk.core.arrays import Alpha
from bgdesk.core.geometry import Size
from bgdesk.core.pixels.resample import by_area, cubic

#: Pixels of the network's grid: how far the contour strays (standard deviation), over which length, and the blur.
_STRAY, _WAVE, _BLUR = 1.7, 24, 1.3
#: The opacity that comes out as one half, and how steep the answer is there.
_HALF, _STEEP = 0.38, 8.0
#: Structures thinner than this, in pixels of the grid, may be lost.
_THIN = 5


def simulated_matte(alpha: Alpha, name: str, side: int = 1024) -> Alpha:
    """Return a matte as of a network that sees the photo at a longer side of `side` pixels.

    Parameters
    ----------
    alpha
        The truth, float32 H×W in [0, 1].
    name
        The random numbers follow the name.
    side
        In pixels.

    Returns
    -------
    ndarray
        float32 H×W in [0, 1].
    """
    random = random_of(f"{name} matte")
    whole = Size(alpha.shape[1], alpha.shape[0])
    size = whole.fit(side)
    small = by_area(alpha, size)
    body = cv2.morphologyEx(small, cv2.MORPH_OPEN, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (_THIN, _THIN)))
    kept = np.clip(1.2 * _waves(size, random) + 0.6, 0, 1)
    small = body + kept * (small - body)
    y, x = np.mgrid[0 : size.height, 0 : size.width].astype(np.float32)
    dx, dy = (np.float32(_STRAY) * _waves(size, random) for _ in range(2))
    moved = cv2.remap(small, x + dx, y + dy, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    soft = cv2.GaussianBlur(moved, (0, 0), _BLUR)
    low, high = (1 / (1 + np.exp(-_STEEP * (end - _HALF))) for end in (0.0, 1.0))
    pushed = (1 / (1 + np.exp(-_STEEP * (soft - np.float32(_HALF)))) - low) / (high - low)
    return np.asarray(np.clip(cubic(pushed.astype(np.float32), whole), 0, 1), np.float32)


def _waves(size: Size, random: np.random.Generator) -> NDArray[np.float32]:
    """A smooth random field of mean 0 and standard deviation 1, H×W."""
    cells = (max(2, size.height // _WAVE + 2), max(2, size.width // _WAVE + 2))
    field = cv2.resize(random.standard_normal(cells, np.float32), size, interpolation=cv2.INTER_CUBIC)
    return np.asarray((field - field.mean()) / max(float(field.std()), 1e-6), np.float32)
