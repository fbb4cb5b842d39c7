"""Trimaps: what is surely subject, surely background, and the band between that the solver decides."""

from enum import IntEnum

import cv2
import numpy as np
from numpy.typing import NDArray

from bgdesk.core.arrays import Alpha, Trimap
from bgdesk.core.geometry import Size
from bgdesk.core.pixels.resample import by_area, linear

#: A matte is surely background below the first, and surely foreground above the second.
SURE_BACKGROUND, SURE_FOREGROUND = 0.04, 0.96
#: The band is found at this size at most: a matte knows nothing finer than its network's grid.
WORKING_SIDE = 1024
#: Pixels (at the working size) added to the soft zone on each side: at least this, at most that, and in between the
#: half-width of the soft zone itself, so that a sharp edge gets a thin band and a blurred or hairy one a wide band.
_NARROWEST, _WIDEST = 1.5, 12.0


class Label(IntEnum):
    """The three values a trimap may hold."""

    BACKGROUND = 0
    UNKNOWN = 128
    FOREGROUND = 255


def from_gray(gray: NDArray[np.uint8]) -> Trimap:
    """Return the trimap of a grey picture, uint8 H×W: below 64 background, above 191 foreground, the rest unknown."""
    trimap = np.full(gray.shape, Label.UNKNOWN, np.uint8)
    trimap[gray < 64] = Label.BACKGROUND
    trimap[gray > 191] = Label.FOREGROUND
    return trimap


def from_matte(matte: Alpha) -> Trimap:
    """Make a trimap of a matte, with a band whose width follows the matte's own uncertainty.

    The soft zone (neither surely background nor surely foreground) is unknown, and so are the pixels around it, as far out
    as the zone is thick there. Everywhere else the label is foreground where the matte is at least one half.

    Parameters
    ----------
    matte
        float32 H×W in [0, 1].

    Returns
    -------
    ndarray
        uint8 H×W, values of Label.
    """
    height, width = matte.shape
    work = Size(width, height).fit(WORKING_SIDE)
    small = by_area(matte, work)
    soft = ((small > SURE_BACKGROUND) & (small < SURE_FOREGROUND)).astype(np.uint8)
    # An edge sharper than a pixel leaves no soft pixel at all: the line between the two sides is the zone then.
    inside = (small >= 0.5).astype(np.uint8)
    soft[cv2.morphologyEx(inside, cv2.MORPH_GRADIENT, np.ones((2, 2), np.uint8)) > 0] = 1
    half = _half_width(soft)
    # A pixel is unknown when it is nearer to the soft zone than the zone's own half-width there.
    distance, nearest = cv2.distanceTransformWithLabels(1 - soft, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    table = np.zeros(int(nearest.max()) + 1, np.float32)
    table[nearest[soft > 0]] = half[soft > 0]
    margin = (table[nearest] - distance).astype(np.float32)
    margin = linear(margin, Size(width, height))
    trimap = np.where(matte >= 0.5, np.uint8(Label.FOREGROUND), np.uint8(Label.BACKGROUND))
    trimap[margin > 0] = Label.UNKNOWN
    return trimap


def _half_width(soft: NDArray[np.uint8]) -> Alpha:
    """How far the band goes beyond each soft pixel: the zone's half-width around it, within bounds."""
    depth = cv2.distanceTransform(soft, cv2.DIST_L2, 5)
    # The half-width lives on the zone's ridge; carry it out to the zone's rim.
    spread = cv2.dilate(depth, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (15, 15)))
    return np.clip(spread, _NARROWEST, _WIDEST)
