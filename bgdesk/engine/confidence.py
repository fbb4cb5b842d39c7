"""How likely a cut-out is good, judged without knowing the truth.

Cheap signs of trouble come first; only where they leave it open does the network look again, at a small mirror image.
Everything is measured on copies of at most SIDE pixels, so that it takes the same few milliseconds for any photo.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import exp
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from bgdesk.core.arrays import Alpha, Mask, Pixels, to_uint8
from bgdesk.core.cutout import Cutout
from bgdesk.core.geometry import Size
from bgdesk.core.resample import Array, by_area, linear

#: From here on a cut-out passes by itself; below FAIL it has most likely failed. In between a person should look.
PASS, FAIL = 0.8, 0.4
#: What counts as good: the intersection of cut-out and truth over their union, opacity split at one half.
GOOD = 0.9
#: Longest side in pixels of what is looked at.
SIDE = 512


@dataclass(frozen=True)
class Confidence:
    """value: the estimated probability, in [0, 1], that the cut-out's IoU with the truth is at least GOOD.

    reasons: sentences for a person, what lowers the value most comes first; empty where nothing does. features: what was
    measured, by name; "agreement" is there only if the network looked again.
    """

    value: float
    reasons: tuple[str, ...]
    features: Mapping[str, float]


#: Asks the network about the mirror image: float32 H×W in [0, 1] at any size, turned back.
Look: TypeAlias = Callable[[], Alpha]

#: The matte is unsure between these.
_UNSURE = (0.1, 0.9)
#: Colours nearer than this (CIE76, L*a*b*) on the two sides of the edge are hard to tell apart.
_FAINT = 12.0
#: The two sides of the edge are looked at in squares of this side, in pixels of the small copy.
_AROUND = 15
#: A subject smaller than this share of the photo is none; one larger is all of it.
_EMPTY, _FULL = 2e-4, 0.995


def judge(pixels: Pixels, cutout: Cutout, look: Look | None = None) -> Confidence:
    """How likely `cutout` is a good cut-out of `pixels` (H×W×3, uint8 or uint16).

    look: asked only where the cheap signs leave it open, and never of a cut-out without a network's matte; such a one, made
    from a trimap alone, is judged by its opacity as if that were the matte. What `look` raises is passed on.
    """
    small = _Small.of(pixels, cutout)
    found = small.features()
    if found["subject"] < _EMPTY:
        return Confidence(0.0, ("No subject was found.",), found)
    if found["subject"] > _FULL:
        return Confidence(0.0, ("Nothing was taken away: the whole photo counts as subject.",), found)
    value, reasons = _weighed(found, _CHEAP)
    if look is not None and cutout.matte is not None and _OPEN[0] < value < _OPEN[1]:
        found["agreement"] = small.agreement(look())
        value, reasons = _weighed(found, _LOOKED)
    return Confidence(value, reasons, found)


@dataclass(frozen=True, eq=False)
class _Small:
    """The photo (L*a*b*), the opacity and the network's matte, at most SIDE pixels wide and high."""

    lab: NDArray[np.float32]
    alpha: Alpha
    matte: Alpha

    @classmethod
    def of(cls, pixels: Pixels, cutout: Cutout) -> "_Small":
        lab = cv2.cvtColor(to_uint8(_reduced(pixels)).astype(np.float32) / np.float32(255), cv2.COLOR_RGB2Lab)
        alpha = _reduced(cutout.alpha)
        return cls(np.asarray(lab, np.float32), alpha, alpha if cutout.matte is None else _reduced(cutout.matte))

    def features(self) -> dict[str, float]:
        """Every sign but the agreement. Shares are of the subject's area unless said otherwise; 0 without a subject."""
        subject: Mask = self.alpha >= 0.5
        area = int(np.count_nonzero(subject))
        if area == 0:
            return {"subject": 0.0}
        contour = _contour(subject)
        length = max(1, int(np.count_nonzero(contour)))
        soft = int(np.count_nonzero((self.matte > _UNSURE[0]) & (self.matte < _UNSURE[1])))
        stray, holes = _pieces(subject)
        sides = [subject[0], subject[-1], subject[:, 0], subject[:, -1]]
        return {
            "subject": area / subject.size,  # of the photo
            "doubt": _doubt(self.matte),
            "band": soft / area,
            "width": soft / length / area**0.5,
            "entropy": _entropy(self.matte),
            "moved": 1 - _iou(self.alpha, self.matte),
            "faint": self._faint(contour),  # of the edge
            "border": sum(int(np.count_nonzero(side)) for side in sides) / sum(side.size for side in sides),  # of the photo's border
            "sides": float(sum(bool(np.count_nonzero(side) > 0.02 * side.size) for side in sides)),
            "stray": stray / area,
            "holes": holes / area,
            "ragged": length / area**0.5,
        }

    def agreement(self, mirrored: Alpha) -> float:
        """Soft IoU of the network's two answers, in [0, 1]."""
        return _iou(self.matte, linear(np.ascontiguousarray(mirrored, np.float32), Size(*self.matte.shape[::-1])))

    def _faint(self, contour: Mask) -> float:
        """The share of the edge along which both sides have nearly the same colour."""
        inside, outside = ((self.alpha > 0.9).astype(np.float32), (self.alpha < 0.1).astype(np.float32))
        means = []
        seen = contour
        for part in (inside, outside):
            weight = cv2.blur(part, (_AROUND, _AROUND))
            total = cv2.blur(self.lab * part[..., None], (_AROUND, _AROUND))
            seen = seen & (weight > 0.02)
            means.append(total / np.maximum(weight, np.float32(1e-6))[..., None])
        edge = int(np.count_nonzero(seen))
        if not edge:
            return 0.0
        apart = np.linalg.norm(means[0][seen] - means[1][seen], axis=-1)
        return float(np.count_nonzero(apart < _FAINT)) / edge


def _reduced(array: Array) -> Array:
    """A copy of at most SIDE pixels on the longer side. Of a large photo only every n-th pixel is looked at."""
    height, width = array.shape[:2]
    step = max(1, max(height, width) // (2 * SIDE))
    return by_area(np.ascontiguousarray(array[::step, ::step]), Size(width, height).fit(SIDE))  # type: ignore[return-value]


def _contour(subject: Mask) -> Mask:
    """The outermost pixels of the subject, but for those where the photo ends."""
    inner = cv2.erode(subject.astype(np.uint8), np.ones((3, 3), np.uint8), borderType=cv2.BORDER_REPLICATE)
    return np.asarray(subject & (inner == 0), np.bool_)


def _iou(first: Alpha, second: Alpha) -> float:
    """Soft intersection over union; 1 when both are empty."""
    union = float(np.maximum(first, second).sum())
    return float(np.minimum(first, second).sum()) / union if union else 1.0


def _doubt(matte: Alpha) -> float:
    """One minus the IoU that the matte itself expects of its own subject, taking its values for probabilities."""
    inside = matte >= 0.5
    count = int(np.count_nonzero(inside))
    right = float(matte[inside].sum())
    missed = float(matte[~inside].sum())
    return 1 - right / (count + missed) if count else 1.0


def _entropy(matte: Alpha) -> float:
    """Mean binary entropy per pixel of the photo, in bits."""
    sure = np.clip(matte, 1e-4, 1 - 1e-4)
    return float(-(sure * np.log2(sure) + (1 - sure) * np.log2(1 - sure)).mean())


def _pieces(subject: Mask) -> tuple[int, int]:
    """(pixels of the subject that do not belong to its largest piece, pixels of holes in it)."""
    _, _, stats, _ = cv2.connectedComponentsWithStats(subject.astype(np.uint8), connectivity=8)
    areas = stats[1:, cv2.CC_STAT_AREA]
    stray = int(areas.sum() - areas.max())
    ground = np.pad(~subject, 1, constant_values=True).astype(np.uint8)
    _, _, stats, _ = cv2.connectedComponentsWithStats(ground, connectivity=4)
    return stray, int(stats[1:, cv2.CC_STAT_AREA].sum() - stats[1, cv2.CC_STAT_AREA])


@dataclass(frozen=True)
class _Weight:
    """How a sign of trouble counts: fully from `full` on, not at all at 0, linearly between."""

    weight: float
    full: float


@dataclass(frozen=True)
class _Model:
    """Logistic: log-odds of a good cut-out are `best` less the weighted signs. No weight is below 0: trouble never helps."""

    best: float
    weights: Mapping[str, _Weight]


_CHEAP = _Model(
    3.0, {"doubt": _Weight(4, 0.2), "moved": _Weight(2, 0.2), "faint": _Weight(1, 1), "border": _Weight(1, 0.5), "stray": _Weight(1, 0.2)}
)
_LOOKED = _Model(3.5, {**_CHEAP.weights, "disagreement": _Weight(4, 0.4)})
#: Between these the cheap signs leave it open.
_OPEN = 0.1, 0.9


def _weighed(found: Mapping[str, float], model: _Model) -> tuple[float, tuple[str, ...]]:
    signs = {**found, "disagreement": 1 - found.get("agreement", 1.0)}
    lost = {name: each.weight * min(1.0, signs[name] / each.full) for name, each in model.weights.items()}
    value = 1 / (1 + exp(sum(lost.values()) - model.best))
    return value, ()
