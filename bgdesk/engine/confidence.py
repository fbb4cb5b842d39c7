"""How likely a cut-out is good, judged without knowing the truth.

Cheap signs of trouble come first. Only where they leave the question open, the network looks again: at the mirror image of
the subject, so that it sees the same things in other places and at another size. Everything is measured on copies of at
most SIDE pixels, and takes the same few hundredths of a second for any photo.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import exp, log
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from bgdesk.core.arrays import Alpha, Mask, Pixels, to_uint8
from bgdesk.core.cutout import Cutout
from bgdesk.core.geometry import Rect, Size
from bgdesk.core.pixels.resample import Array, by_area, linear
from bgdesk.core.results import Confidence

#: A cut-out with at least this value passes by itself.
PASS = 0.8
#: A cut-out below this value looks failed; between the two a person should look.
FAIL = 0.4
#: What counts as good: intersection over union of cut-out and truth, opacity split at one half.
GOOD = 0.9
#: Longest side in pixels of the copies that are looked at.
SIDE = 512

#: The matte is unsure between these.
_UNSURE = (0.1, 0.9)
#: Colours nearer than this (CIE76, in L*a*b*) on the two sides of the edge are hard to tell apart.
_FAINT = 12.0
#: The two sides of the edge are looked at in squares of this side, in pixels of the small copy.
_AROUND = 15
#: A subject with a smaller share of the photo does not count as one.
_EMPTY = 2e-4
#: A subject with a larger share of the photo counts as all of it.
_FULL = 0.995
#: What the network looks at again: the subject's box and this share of its longer side around it.
_MARGIN = 0.15


#: Asks the network about the mirror image of this part of the photo: float32 H×W in [0, 1] at any size, turned back.
Look: TypeAlias = Callable[[Rect], Alpha]


@dataclass(frozen=True)
class ConfidenceModel:
    """Logistic: the log odds of a good cut-out are `best` less every trouble (see `troubles`) times its weight."""

    best: float  #: log odds where there is no trouble
    weights: Mapping[str, float]  #: trouble -> weight, never below 0, so that trouble never helps

    def value(self, found: Mapping[str, float]) -> float:
        """The probability, in [0, 1], for features as `measured` gives them."""
        there = troubles(found)
        return 1 / (1 + exp(sum(weight * there[name] for name, weight in self.weights.items()) - self.best))


# Both are fitted to 228 cut-outs by the network isnet-general (real photos with masks or captured opacity, most of them in some
# trouble, and drawn ones) and regularised. To fit them anew:
# python -m bgdesk.bench.fit_gate OBJECTS MATTING PHOTOS (folders as for bgdesk bench)

#: Without the second look.
CHEAP = ConfidenceModel(
    4.23,
    {"doubt": 3.42, "moved": 2.3, "width": 1.88, "faint": 0.56, "stray": 0.48, "holes": 0.65, "border": 0.52, "small": 0.53, "large": 0.84},
)
#: With the second look.
LOOKED = ConfidenceModel(
    5.51,
    {
        "doubt": 3.03, "moved": 1.96, "width": 1.53, "faint": 0.56, "stray": 0.41, "holes": 0.64, "border": 0.5, "small": 0.56,
        "large": 0.84, "apart": 2.8,
    },
)  # fmt: skip
#: Between these values the cheap signs leave the question open.
OPEN = (0.1, 0.97)


def judge(pixels: Pixels, cutout: Cutout, look: Look | None = None) -> Confidence:
    """Judge how likely a cut-out is good.

    Parameters
    ----------
    pixels
        The photo, H×W×3, uint8 or uint16.
    cutout
        Without a network's matte (made from a trimap alone) it is judged by its alpha as if that were the matte.
    look
        Asked only where the cheap signs leave the question open, and never of a cut-out without a matte. What it raises is
        passed on.
    """
    small = _Small.of(pixels, cutout)
    found = small.features()
    if found["subject"] < _EMPTY:
        return Confidence(0.0, ("No subject was found.",), found)
    if found["subject"] > _FULL:
        return Confidence(0.0, ("Nothing was removed: the whole photo counts as subject.",), found)
    model = CHEAP
    if look is not None and cutout.matte is not None and OPEN[0] < model.value(found) < OPEN[1]:
        found["agreement"] = small.agreement(look)
        model = LOOKED
    value = model.value(found)
    return Confidence(value, _reasons(value, model, found), found)


def measured(pixels: Pixels, cutout: Cutout, look: Look) -> dict[str, float]:
    """Measure every feature, as the models are fitted to them; arguments as `judge`. Without a subject only its size, 0."""
    small = _Small.of(pixels, cutout)
    found = small.features()
    return {**found, "agreement": small.agreement(look)} if found["subject"] else found


def troubles(found: Mapping[str, float]) -> dict[str, float]:
    """Turn features into troubles.

    Parameters
    ----------
    found
        As `measured` gives them; "agreement" may be missing.

    Returns
    -------
    dict
        Trouble -> how much of it there is, in [0, 1]; on a log scale where doubling counts.
    """
    return {
        "doubt": _ratio(found["doubt"], 0.01, 0.3),
        "moved": _ratio(found["moved"], 0.008, 0.2),
        "width": _ratio(found["width"], 0.005, 0.2),
        "faint": min(1.0, found["faint"] / 0.5),
        "stray": min(1.0, found["stray"] / 0.2),
        "holes": min(1.0, found["holes"] / 0.1),
        "border": min(1.0, found["border"] / 0.5),
        "small": _ratio(1 / found["subject"], 20, 1000),
        "large": min(1.0, max(0.0, found["subject"] - 0.7) / 0.25),
        "apart": _ratio(1 - found.get("agreement", 1.0), 0.02, 0.6),
    }


def _ratio(value: float, least: float, most: float) -> float:
    """0 up to `least`, 1 from `most` on, between them as the logarithm."""
    return min(1.0, log(value / least) / log(most / least)) if value > least else 0.0


# --- words -----------------------------------------------------------------------------------------------------------

#: How much trouble a good cut-out has, too: only what is beyond is told.
_USUAL = {"doubt": 0.3, "moved": 0.25, "width": 0.25, "apart": 0.3}
#: What takes less than this of the log odds is not told.
_WORTH = 0.25
#: Sentences, at most.
_MOST = 3
_SIDES = ("", " on one side", " on two sides", " on three sides", " on all sides")


def _reasons(value: float, model: ConfidenceModel, found: Mapping[str, float]) -> tuple[str, ...]:
    there = troubles(found)
    beyond = {name: weight * (there[name] - _USUAL.get(name, 0.0)) for name, weight in model.weights.items()}
    worst = sorted(beyond, key=lambda name: -beyond[name])
    told = [name for name in worst[:_MOST] if beyond[name] >= _WORTH]
    if not told and value < PASS:  # a person is asked to look, and must know for what
        told = worst[:1]
    return tuple(_sentence(name, found) for name in told)


def _sentence(name: str, found: Mapping[str, float]) -> str:
    match name:
        case "doubt":
            return f"The network was unsure of {_share(found['doubt'])} of the subject."
        case "moved":
            return f"The finished edge differs by {_share(found['moved'])} from what the network saw."
        case "width":
            return "The edge is soft over a wide band."
        case "faint":
            return f"Along {_share(found['faint'])} of its edge the subject has the colour of what lies behind it."
        case "stray":
            return f"Loose pieces lie beside the subject: {_share(found['stray'])} of what was kept."
        case "holes":
            return f"There are holes in the subject: {_share(found['holes'])} of it."
        case "border":
            return f"The subject touches the border{_SIDES[round(found['sides'])]}."
        case "small":
            return f"The subject is very small: {_share(found['subject'])} of the photo."
        case "large":
            return f"The subject fills {_share(found['subject'])} of the photo."
        case _ if found["agreement"] < 0.5:
            return "Seen mirrored, the network finds something else."
        case _:
            return f"Seen mirrored, the network agrees with only {_share(found['agreement'])} of it."


def _share(part: float) -> str:
    return f"{100 * part:.0f} %" if part >= 0.095 else f"{100 * part:.1g} %"


# --- what is measured ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Small:
    """Photo, alpha and the network's matte, all at most SIDE pixels wide and high."""

    lab: NDArray[np.float32]  #: H×W×3, L*a*b*
    alpha: Alpha
    matte: Alpha
    full: Size  #: of the photo

    @classmethod
    def of(cls, pixels: Pixels, cutout: Cutout) -> "_Small":
        small = to_uint8(_reduced(pixels)).astype(np.float32) * np.float32(1 / 255)
        alpha = _reduced(cutout.alpha)
        matte = alpha if cutout.matte is None else _reduced(cutout.matte)
        return cls(np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2Lab), np.float32), alpha, matte, Size(pixels.shape[1], pixels.shape[0]))

    def features(self) -> dict[str, float]:
        """Every sign but the agreement, as shares; without a subject only its size, 0.

        subject: of the photo. doubt: by which the subject's IoU falls short of 1, taking the matte's values for probabilities.
        moved: the same between matte and opacity. width: mean width of the unsure band along the edge, to the subject's side.
        faint: of the edge, where both sides have nearly one colour. stray, holes: to the subject's area, what is not in its
        largest piece, and what it encloses. border: of the photo's border, covered by the subject. sides: how many, 0 to 4.
        """
        subject: Mask = np.asarray(self.alpha >= 0.5, np.bool_)
        area = int(np.count_nonzero(subject))
        if area == 0:
            return {"subject": 0.0}
        contour = _contour(subject)
        soft = int(np.count_nonzero((self.matte > _UNSURE[0]) & (self.matte < _UNSURE[1])))
        stray, holes = _pieces(subject)
        sides = [(int(np.count_nonzero(side)), side.size) for side in (subject[0], subject[-1], subject[:, 0], subject[:, -1])]
        return {
            "subject": area / subject.size,
            "doubt": _doubt(self.matte),
            "moved": 1 - _iou(self.alpha, self.matte),
            "width": soft / max(1, int(np.count_nonzero(contour))) / area**0.5,
            "faint": self._faint(contour),
            "stray": stray / area,
            "holes": holes / area,
            "border": sum(covered for covered, _ in sides) / sum(length for _, length in sides),
            "sides": float(sum(covered > 0 for covered, _ in sides)),
        }

    def agreement(self, look: Look) -> float:
        """Soft IoU, in [0, 1], of the matte around the subject and what the network says when it looks there again."""
        box = Rect.bounding(np.asarray(self.alpha >= 0.5, np.bool_))
        small = box.grow(round(_MARGIN * max(box.width, box.height)) + 2).intersect(Rect.of_shape(self.alpha.shape))
        x, y = self.full.width / self.alpha.shape[1], self.full.height / self.alpha.shape[0]
        part = Rect(int(small.left * x), int(small.top * y), round(small.right * x), round(small.bottom * y)).clip(self.full)
        answer = np.ascontiguousarray(look(part), np.float32)
        fitted = by_area(answer, small.size) if answer.size > small.area else linear(answer, small.size)
        return _iou(self.matte[small.slices], fitted)

    def _faint(self, contour: Mask) -> float:
        means, seen = [], contour
        for part in ((self.alpha > 0.9).astype(np.float32), (self.alpha < 0.1).astype(np.float32)):
            weight = cv2.blur(part, (_AROUND, _AROUND))
            seen = seen & (weight > 0.02)
            means.append(cv2.blur(self.lab * part[..., None], (_AROUND, _AROUND)) / np.maximum(weight, np.float32(1e-6))[..., None])
        edge = int(np.count_nonzero(seen))
        if edge == 0:
            return 0.0
        apart = np.linalg.norm(means[0][seen] - means[1][seen], axis=-1)
        return int(np.count_nonzero(apart < _FAINT)) / edge


def _reduced(array: Array) -> Array:
    """A copy of at most SIDE pixels on the longer side; of a large photo only every n-th pixel is looked at."""
    height, width = array.shape[:2]
    step = max(1, max(height, width) // (2 * SIDE))
    part: Array = array[::step, ::step]  # type: ignore[assignment]
    return by_area(part, Size(width, height).fit(SIDE))


def _contour(subject: Mask) -> Mask:
    """The outermost pixels of the subject, but for those where the photo ends."""
    inner = cv2.erode(subject.astype(np.uint8), np.ones((3, 3), np.uint8), borderType=cv2.BORDER_REPLICATE)
    return np.asarray(subject & (inner == 0), np.bool_)


def _iou(first: Alpha, second: Alpha) -> float:
    """Soft intersection over union; 1 when both are empty."""
    union = float(np.maximum(first, second).sum(dtype=np.float64))
    return min(1.0, float(np.minimum(first, second).sum(dtype=np.float64)) / union) if union else 1.0


def _doubt(matte: Alpha) -> float:
    inside = matte >= 0.5
    count = int(np.count_nonzero(inside))
    right, missed = (float(matte[part].sum(dtype=np.float64)) for part in (inside, ~inside))
    return max(0.0, 1 - right / (count + missed)) if count else 1.0


def _pieces(subject: Mask) -> tuple[int, int]:
    """(pixels of the subject outside its largest piece, pixels of the holes in it)."""
    areas = cv2.connectedComponentsWithStats(subject.astype(np.uint8), connectivity=8)[2][1:, cv2.CC_STAT_AREA]
    # Framed, all ground that reaches the border is one piece, the first.
    ground = np.pad(~subject, 1, constant_values=True).astype(np.uint8)
    holes = cv2.connectedComponentsWithStats(ground, connectivity=4)[2][2:, cv2.CC_STAT_AREA]
    return int(areas.sum() - areas.max()), int(holes.sum())
