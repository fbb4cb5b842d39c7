"""Label propagation: what a stroke means beyond the pixels under it.

A stroke of foreground or background contradicts the alpha under it. Its label propagates to pixels that are connected
with it, have its colours, and got the same alpha from the matte. For each pixel around, at a resolution that follows the
brush, the log odds of three things are added up: the pixel's colour, in histograms of the stroke and of what holds the
other label; the alpha that the matte gave it; how unsure the matte was. The sum is smoothed along the photo's edges by a
guided filter. The connected part above zero takes the label, except for a rim that is left to the matting.

A stroke of unknown asks to look again: its surroundings, as far as the stroke is wide, become unknown too, and so does
what looks like the other side nearby.

References
----------
Hosni, Rhemann, Bleyer, Rother, Gelautz, "Fast cost-volume filtering for visual correspondence and beyond", PAMI 35
(2013): the smoothing.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from bgdesk.core.arrays import Alpha, Mask, Pixels, Trimap
from bgdesk.core.geometry import Rect, Size
from bgdesk.core.trimap import Label
from bgdesk.engine.matting.guided import fit

#: How far a label propagates at most, in pixels of the photo.
MARGIN = 512
#: Propagation works on the photo reduced by a whole step, at which the stroke's radius is this many pixels …
_RADIUS = 6.0
#: … and the step at most this, unless _MOST asks for more.
_COARSEST = 8
#: How far around the stroke a label propagates, in reduced pixels.
_SIDE = 120
#: Reduced pixels that are looked at, at most.
_MOST = 160_000
#: Pixels that stand for all the rest of the photo in its histograms.
_FEW = 40_000
#: Bins of a colour histogram along each axis of Lab.
_BINS = 16
#: The least width of a bin, in units of Lab.
_NARROWEST = 1.5
#: Colour says no more than this, in log odds.
_MOST_COLOUR = 2.5
#: Alpha says no more than this, in log odds.
_MOST_ALPHA = 2.0
#: The floor under a histogram's share of a colour, relative to the largest share.
_FLOOR = 2e-4
#: What alpha says weighs this much beside colour.
_BY_ALPHA = 2.5
#: Log odds that a pixel of which the matte is unsure gains.
_UNSURE = 1.5
#: Log odds that a pixel of which the matte is sure loses.
_SURE = 1.0
#: Log odds that a pixel loses for each size of the stroke (square root of its area) that it is away.
_BY_DISTANCE = 0.1
#: Log odds that every pixel loses, divided by the size of the stroke.
_BY_SMALLNESS = 6.0
#: What holds the other label stands for it the more, the surer it is: this power of its distance from the stroke's label.
_OPPOSITE = 4
#: A pixel whose alpha is this near to the label is not changed.
_AGREES = 0.04
#: Radius of the guided filter, in reduced pixels.
_SMOOTH = 6
#: Ridge of the guided filter, in squared units of Lab / 100.
_RIDGE = 3e-3
#: A label does not propagate through a neck that is narrower than this share of the stroke's radius.
_NECK = 0.2
#: Pixels on both sides of the new label's edge that are left to the matting.
_RIM = 1
#: Looking again: as far around the stroke as this many of its radii becomes unknown …
_AROUND = 1.0
#: … but no more than this, in pixels of the photo.
_WIDEST = 24
#: Looking again: a pixel that looks this much like the other side, in log odds, contradicts the old alpha.
_LOOKS = 0.7
#: Looking again: this share of a pixel's neighbours must contradict the old alpha.
_SHARE = 0.15
#: Looking again: how far off, in sizes of the stroke.
_FARTHEST = 1.0

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class _View:
    """A stroke's surroundings, reduced. far: some pixels of everything within MARGIN but the stroke."""

    window: Rect  #: in pixels of the photo
    step: int  #: pixels of the photo that one reduced pixel is wide
    lab: Floats  #: H×W×3, Lab / 100
    bins: NDArray[np.int32]  #: H×W, the histogram bin of each pixel's colour
    alpha: Alpha
    stroke: Mask
    far_bins: NDArray[np.int32]  #: 1×N
    far_alpha: Alpha  #: 1×N

    def lift(self, small: Floats, part: Rect) -> Floats:
        """The part (in pixels of the window) of a reduced map, at full size."""
        k = self.step
        first = Rect(part.left // k, part.top // k, -(-part.right // k), -(-part.bottom // k)).grow(1).intersect(Rect.of_shape(small.shape))
        full = cv2.resize(small[first.slices], (first.width * k, first.height * k), interpolation=cv2.INTER_LINEAR)
        lifted: Floats = full[part.shift(-first.left * k, -first.top * k).slices].astype(np.float32, copy=False)
        return lifted


def _view(pixels: Pixels, alpha: Alpha, roi: Rect, stroke: Mask, radius: float) -> _View:
    """stroke: bool, of roi's size."""
    step = int(np.clip(radius / _RADIUS, 1, _COARSEST))
    window = roi.grow(min(MARGIN, _SIDE * step)).clip(Size(alpha.shape[1], alpha.shape[0]))
    step = max(step, int(np.ceil(np.sqrt(window.area / _MOST))))
    size = (-(-window.width // step), -(-window.height // step))
    small = cv2.resize(pixels[window.slices], size, interpolation=cv2.INTER_AREA).astype(np.float32)
    lab = cv2.cvtColor(small * np.float32(1 / np.iinfo(pixels.dtype).max), cv2.COLOR_RGB2Lab).astype(np.float32, copy=False)
    mean, spread = lab.mean((0, 1)), lab.std((0, 1))
    width = np.maximum(5 * spread / _BINS, _NARROWEST)

    def binned(colours: Floats) -> NDArray[np.int32]:
        places = np.clip((colours - mean) / width + _BINS / 2, 0, _BINS - 1).astype(np.int32)
        bins: NDArray[np.int32] = (places[..., 0] * _BINS + places[..., 1]) * _BINS + places[..., 2]
        return bins

    covered = np.zeros((window.height, window.width), np.uint8)
    covered[roi.shift(-window.left, -window.top).slices] = np.uint8(255) * stroke
    share = cv2.resize(covered, size, interpolation=cv2.INTER_AREA) / np.float32(255)
    reduced = np.asarray(cv2.resize(alpha[window.slices], size, interpolation=cv2.INTER_AREA), np.float32)
    around = roi.grow(MARGIN).clip(Size(alpha.shape[1], alpha.shape[0]))
    every = max(1, int(np.sqrt(around.area / _FEW)))
    taken = (slice(around.top, around.bottom, every), slice(around.left, around.right, every))
    ys, xs = np.ogrid[taken]
    elsewhere = (ys < roi.top) | (ys >= roi.bottom) | (xs < roi.left) | (xs >= roi.right)
    elsewhere |= ~stroke[np.clip(ys - roi.top, 0, roi.height - 1), np.clip(xs - roi.left, 0, roi.width - 1)]
    far = pixels[taken][elsewhere][None].astype(np.float32) * np.float32(1 / np.iinfo(pixels.dtype).max)
    far_lab = cv2.cvtColor(far, cv2.COLOR_RGB2Lab).astype(np.float32, copy=False) if far.size else lab[:0]
    chosen = share > min(0.5, 0.9 * float(share.max()))
    return _View(window, step, lab / np.float32(100), binned(lab), reduced, chosen, binned(far_lab), alpha[taken][elsewhere][None])


def _histogram(bins: NDArray[np.int32], weight: Floats) -> Floats:
    """Smoothed shares of the colours, summing to 1 (to 0 if nothing weighs anything)."""
    shares = np.bincount(bins.ravel(), weight.ravel(), _BINS**3).reshape(_BINS, _BINS, _BINS)
    for axis in range(3):
        along = np.pad(np.moveaxis(shares, axis, 0), ((2, 2), (0, 0), (0, 0)))
        blurred = sum(share * along[i : i + _BINS] for i, share in enumerate((0.0545, 0.2442, 0.4026, 0.2442, 0.0545)))
        shares = np.moveaxis(np.asarray(blurred), 0, axis)
    smoothed: Floats = (shares / max(float(shares.sum()), 1e-9)).astype(np.float32).ravel()
    return smoothed


def _colour_odds(view: _View, one: Floats, two: Floats) -> Floats:
    """Log odds that a pixel's colour is of the first histogram rather than of the second."""
    floor = _FLOOR * max(float(one.max()), float(two.max()), 1e-9)
    odds: Floats = np.clip(np.log((one + floor) / (two + floor)), -_MOST_COLOUR, _MOST_COLOUR).astype(np.float32)[view.bins]
    return odds


def _alpha_odds(view: _View, other: Floats) -> Floats:
    """Log odds that the matte judged a pixel as it judged the stroke's, rather than as `other`."""
    places = np.clip(view.alpha * 16, 0, 15).astype(np.int32)

    def shares(weight: Floats) -> Floats:
        counts = np.convolve(np.bincount(places.ravel(), weight.ravel(), 16), (0.1, 0.25, 0.3, 0.25, 0.1), "same")
        return (counts / max(float(counts.sum()), 1e-9)).astype(np.float32)

    odds = np.log((shares(view.stroke.astype(np.float32)) + 0.02) / (shares(other) + 0.02))
    found: Floats = np.clip(odds, -_MOST_ALPHA, _MOST_ALPHA).astype(np.float32)[places]
    return found


def _smooth(guide: Floats, values: Floats) -> Floats:
    """`values` averaged, but not across the guide's edges."""
    lines = fit(guide, values, _SMOOTH, _RIDGE)
    smooth: Floats = (guide * lines[..., :3]).sum(-1) + lines[..., 3]
    return smooth


def _disk(radius: int) -> NDArray[np.uint8]:
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1)), np.uint8)


def _radius(stroke: Mask) -> float:
    """How thick a stroke is: the largest distance to its edge, in pixels."""
    return float(cv2.distanceTransform(np.pad(stroke, 1).astype(np.uint8), cv2.DIST_L2, 5).max())


def _connected(candidates: Mask, stroke: Mask, neighbours: int) -> Mask:
    """The components of `candidates` that touch the stroke."""
    _, parts = cv2.connectedComponents(candidates.astype(np.uint8), connectivity=neighbours)
    wanted = np.unique(parts[stroke])
    found: Mask = np.isin(parts, wanted[wanted > 0])
    return found


def _bounds(region: Mask, step: int, window: Rect) -> Rect:
    """The rectangle around a reduced region, in pixels of the window, with room for its rim."""
    ys, xs = np.flatnonzero(region.any(1)), np.flatnonzero(region.any(0))
    around = Rect(int(xs[0]) * step, int(ys[0]) * step, (int(xs[-1]) + 1) * step, (int(ys[-1]) + 1) * step)
    return around.grow(step + 4 * _RIM).clip(window.size)


def propagate(
    pixels: Pixels, trimap: Trimap, alpha: Alpha, roi: Rect, fixed: Mask | None = None, again: bool | None = None
) -> tuple[Rect, Trimap]:
    """Propagate the labels of the strokes inside `roi`. Looks no farther than MARGIN around `roi`.

    Parameters
    ----------
    pixels
        H×W×3 uint8 or uint16.
    trimap
        uint8 H×W, values of Label, the strokes painted into it; stays as it is.
    alpha
        float32 H×W in [0, 1], from before the strokes. Where it contradicts the trimap inside `roi`, something was painted.
    roi
        The rectangle of the strokes, in pixels, inside the photo.
    fixed
        bool H×W, pixels whose label stays as it is.
    again
        See Pipeline.rematte.

    Returns
    -------
    rect, labels
        A rectangle that holds `roi`, and its labels, which differ from the trimap there alone.
    """
    labels, old = trimap[roi.slices], alpha[roi.slices]
    answer = roi, labels
    contradicted = False
    for label in (Label.FOREGROUND, Label.BACKGROUND):
        stroke = (labels == label) & (np.abs(old - np.float32(label == Label.FOREGROUND)) > 0.5 / 255)
        if np.count_nonzero(stroke) >= 4:
            rect, more = _spread(pixels, trimap, alpha, roi, stroke, label, fixed)
            answer = _merged(trimap, answer, (rect, more))
            contradicted = True
    if contradicted if again is None else not again:
        return answer
    return _merged(trimap, _reopened(pixels, trimap, alpha, roi, fixed), answer)


def _merged(trimap: Trimap, one: tuple[Rect, Trimap], two: tuple[Rect, Trimap]) -> tuple[Rect, Trimap]:
    """Both changes of one trimap; where both change it, the second."""
    rect = one[0].union(two[0])
    labels = trimap[rect.slices].copy()
    for part, changed in (one, two):
        inside = part.shift(-rect.left, -rect.top).slices
        np.copyto(labels[inside], changed, where=changed != trimap[part.slices])
    return rect, labels


def _spread(pixels: Pixels, trimap: Trimap, alpha: Alpha, roi: Rect, stroke: Mask, label: Label, fixed: Mask | None) -> tuple[Rect, Trimap]:
    """Propagate one label from the pixels (of roi) where it contradicts the old alpha: (rectangle, its labels)."""
    radius = _radius(stroke)
    view = _view(pixels, alpha, roi, stroke, radius)
    window, step = view.window, view.step
    away = np.abs(view.alpha - np.float32(label == Label.FOREGROUND))  # from the label
    other = np.where(view.stroke, np.float32(0), away**_OPPOSITE)
    area = int(np.count_nonzero(view.stroke))
    elsewhere = np.abs(view.far_alpha - np.float32(label == Label.FOREGROUND)) ** _OPPOSITE
    colours = _colour_odds(view, _histogram(view.bins, view.stroke.astype(np.float32)), _histogram(view.far_bins, elsewhere))
    odds = colours + np.float32(_BY_ALPHA) * _alpha_odds(view, other)
    odds += np.float32(_UNSURE) * np.minimum(8 * view.alpha * (1 - view.alpha), 1)
    odds -= np.float32(_SURE) * np.clip((away - np.float32(0.9)) * 10, 0, 1)
    distance = cv2.distanceTransform((~view.stroke).astype(np.uint8), cv2.DIST_L2, 5)
    odds -= np.float32(_BY_DISTANCE / max(3.0, area**0.5)) * distance
    odds -= np.float32(_BY_SMALLNESS / area**0.5)
    odds = _smooth(view.lab, odds)
    region = ((odds > 0) & (away > _AGREES)) | view.stroke
    neck = round(_NECK * radius / step)
    if neck:
        broad = cv2.morphologyEx((region | (away < 0.05)).astype(np.uint8), cv2.MORPH_OPEN, _disk(neck)) > 0
        region &= broad | view.stroke
    region = _connected(region, view.stroke, 4)
    if not region.any():
        return roi, trimap[roi.slices]
    part = _bounds(region, step, window).union(roi.shift(-window.left, -window.top))
    rect = part.shift(window.left, window.top)
    # The smoothed odds place the edge more finely than their reduced pixels, inside the region and next to it.
    inside = view.lift(region.astype(np.float32), part)
    near = view.lift(cv2.dilate(region.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(np.float32), part) > 0.5
    taken = ((view.lift(odds, part) > 0) & near) | (inside > 0.99) if step > 1 else inside > 0.5
    labels = trimap[rect.slices].copy()
    painted = np.zeros(labels.shape, bool)
    painted[roi.shift(-rect.left, -rect.top).slices] = labels[roi.shift(-rect.left, -rect.top).slices] == label
    agrees = np.abs(alpha[rect.slices] - np.float32(label == Label.FOREGROUND)) < 0.02  # against that there is no edge
    outer = cv2.dilate(taken.astype(np.uint8), _disk(_RIM)) > 0
    inner = taken & (cv2.erode((taken | agrees).astype(np.uint8), _disk(_RIM), borderType=cv2.BORDER_REPLICATE) > 0)
    keep = painted if fixed is None else painted | fixed[rect.slices]
    labels[outer & ~agrees & ~keep] = Label.UNKNOWN
    labels[inner & ~keep] = label
    return rect, labels


def _reopened(pixels: Pixels, trimap: Trimap, alpha: Alpha, roi: Rect, fixed: Mask | None) -> tuple[Rect, Trimap]:
    """A stroke of unknown, widened: as far around as it is wide, and to what contradicts the old alpha by its colour."""
    stroke = trimap[roi.slices] == Label.UNKNOWN
    if np.count_nonzero(stroke) < 4:
        return roi, trimap[roi.slices]
    radius = _radius(stroke)
    view = _view(pixels, alpha, roi, stroke, radius)
    clear, opaque = view.alpha < 0.02, view.alpha > 0.98
    odds = _colour_odds(
        view,
        _histogram(view.far_bins, (view.far_alpha > 0.98).astype(np.float32)),
        _histogram(view.far_bins, (view.far_alpha < 0.02).astype(np.float32)),
    )
    odds = np.asarray(cv2.blur(odds, (3, 3)), np.float32)
    contradicted = (opaque & (odds < -_LOOKS)) | (clear & (odds > _LOOKS))
    side = max(3, 2 * round(radius / view.step / 2) + 1)
    dense = cv2.blur(contradicted.astype(np.float32), (side, side)) > _SHARE
    distance = cv2.distanceTransform((~view.stroke).astype(np.uint8), cv2.DIST_L2, 5)
    size = max(3.0, float(np.count_nonzero(view.stroke)) ** 0.5)
    region = _connected(dense | view.stroke, view.stroke, 8) & (distance < _FARTHEST * size)
    if not region.any():
        return roi, trimap[roi.slices]
    around = round(min(_AROUND * radius, _WIDEST))
    part = _bounds(region, view.step, view.window).union(roi.shift(-view.window.left, -view.window.top).grow(around)).clip(view.window.size)
    rect = part.shift(view.window.left, view.window.top)
    opened = view.lift(region.astype(np.float32), part) > 0.5
    closed = np.ones(opened.shape, np.uint8)
    closed[roi.shift(-rect.left, -rect.top).slices] = ~stroke
    opened |= cv2.distanceTransform(closed, cv2.DIST_L2, 5) < around
    if fixed is not None:
        opened &= ~fixed[rect.slices]
    labels = trimap[rect.slices].copy()
    labels[opened] = Label.UNKNOWN
    return rect, labels
