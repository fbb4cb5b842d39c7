"""What the edges of a block are like, and how they move.

The half line of an edge is where alpha is one half. A clean edge, hard or soft, is moved by measure: its half line moves by exactly
the wanted length, and its profile stays. Hair has no line that could be moved: strands stay where the photo shows them, and become
fainter or fuller with the density of the hair around them, which moves instead.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from bgdesk.core.arrays import Alpha
from bgdesk.core.finishing.contour import MARGIN, Contour, Edge, contour
from bgdesk.core.finishing.filters import Field, blur, blur_reach, extended, field, share_below, slope, smooth_step, standing_at
from bgdesk.core.geometry import Rect

#: Edges are measured for the next of these lengths, so that a slider's next value finds them ready.
_SPANS = (2.5, 5.0, 10.0, 20.0)
#: How far from the half line a clean soft edge still changes alpha: over three times the softness up to which edges are moved by
#: measure.
_TAIL = 17.0
#: Softness (standard deviation in pixels) up to which an edge is moved by measure, and from where by density.
_CLEAN, _BLURRED = 3.0, 5.0
#: The same for how much of an edge is made of what is thinner than 5 px: strands and the gaps between them.
_SOLID, _HAIRY = 0.15, 0.6
#: Structures fainter than this, squared, do not count as strands: they are the grain of a glass or a flag.
_GRAIN = np.float32(0.002)
#: Standard deviation of the blur that gives the density around hair: this share of the shift, and a pixel. With less, strands
#: get halos.
_DENSITY = 0.8
#: Alpha that is left over nearer than this to the old half line, when the edge has moved away, is removed.
_RIM = 3.0
#: Jags that no clean edge explains are smoothed away up to this far from the half line.
_JAG = 2.0
_ROUNDING = np.float32(1e-6)
#: An opacity that nobody sees: half a step of 8 bits.
_NOTHING = np.float32(0.002)
_THIN = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))


def span_of(length: float) -> float:
    """Return the length, in pixels, for which edges are measured that move or are smoothed by `length` (at most 20)."""
    return next(span for span in _SPANS if abs(length) <= span)


@dataclass(frozen=True, eq=False)
class Edges:
    """The edges of one part of a picture."""

    line: Contour | None  #: None where nothing is moved by measure
    softness: Field  #: standard deviation in pixels, of each pixel; from `shift_edges`, of the line's places alone
    by_density: Field | None  #: from 0, moved by measure, to 1, filled or thinned; None where it is 0 everywhere

    @classmethod
    def measured(cls, values: Alpha, part: Rect, span: float, *, moves: float, spread: int, hair_only: bool) -> "Edges":
        """Measure the edges in `part` of `values`.

        Parameters
        ----------
        values
            float32 H×W in [0, 1].
        part
            The rectangle to measure, inside `values`.
        span
            How far around a pixel its edges are judged, in pixels.
        moves
            How far edges are going to move, in pixels.
        spread
            Depths are needed up to this many pixels from where they are used.
        hair_only
            Only hair is moved by density; very soft edges are moved by measure too.
        """
        softness, hairy = _character(values, part, span)
        by_density = smooth_step(hairy, _SOLID, _HAIRY)
        if not hair_only:
            by_density = 1 - (1 - by_density) * smooth_step(softness, _BLURRED, _CLEAN)
        side = 2 * spread + 1
        used = field(cv2.dilate((by_density < 1).view(np.uint8), np.ones((side, side), np.uint8)))
        needed = np.minimum(3 * softness + 2, np.float32(_TAIL)) + np.float32(moves)
        return cls(contour(values, part, field(needed * used)), softness, by_density if by_density.any() else None)

    @property
    def effort(self) -> float:
        """How long moving these edges takes, 1 for a block full of hair."""
        return 0.2 + (0.4 if self.by_density is not None else 0) + (self.line.places.size / self.line.inside.size if self.line else 0)


# Shift.


def shift_reach(amount: float) -> int:
    """Return how far around a part `shift_edges` and `shifted` read, in pixels."""
    span = span_of(amount)
    return max(int(np.ceil(span + _TAIL)) + MARGIN, blur_reach(_density_sigma(span)) + 1, _character_reach(span))


def shift_edges(values: Alpha, part: Rect, span: float) -> Edges:
    """Measure edges for shifts by up to `span` pixels."""
    found = Edges.measured(values, part, span, moves=span, spread=0, hair_only=False)
    places = np.zeros(0, np.intp) if found.line is None else found.line.places
    return replace(found, softness=found.softness.ravel()[places])


def shifted(values: Alpha, part: Rect, edges: Edges, amount: float) -> Alpha:
    """Return alpha in `part` of `values` with its edge `amount` pixels farther out; farther in where `amount` is negative.

    Parameters
    ----------
    values
        float32 H×W in [0, 1], with at least `shift_reach(amount)` pixels around `part` wherever the photo has them.
    edges
        From `shift_edges`, of the same part and a span of at least |amount|.
    """
    alpha = values[part.slices]
    moved = alpha
    if edges.line is not None:
        places, edge = edges.line.places, edges.line.edge
        moved = alpha.copy()
        moved.ravel()[places] = _moved(alpha.ravel()[places], edge, edges.softness, edge.depth + np.float32(amount))
    if edges.by_density is None:
        return moved
    density = blur(values, _density_sigma(amount))
    thinning = slope(density)[part.slices]
    density = np.clip(density[part.slices], _ROUNDING, 1 - _ROUNDING)
    # A logistic edge, moved: its odds grow by this much from pixel to pixel. A blurred edge's tails are no steeper than that.
    growth = np.minimum(thinning / (density * (1 - density)), np.float32(3 / _density_sigma(amount)))
    odds = density * np.exp(np.float32(amount) * growth)
    filled = _lifted(alpha, density, field(odds / (odds + 1 - density)))
    return field(np.clip(moved + edges.by_density * (filled - moved), 0, 1))


def _density_sigma(amount: float) -> float:
    return _DENSITY * abs(amount) + 1


# Smooth.


@dataclass(frozen=True, eq=False)
class Outline:
    """The edges of a block, and their line in what is around it, ready to be smoothed."""

    softness: Field  #: standard deviation in pixels
    by_density: Field | None  #: from 0, moved by measure, to 1, blurred; None where it is 0 everywhere
    #: Every pixel of the block; and a soft profile of its line, in the block and as much around it as is blurred. None where nothing
    #: is moved by measure.
    line: tuple[Edge, Field] | None

    @property
    def effort(self) -> float:
        """How long smoothing these edges takes, in the unit of `Edges.effort`."""
        return 0.2 + (0.6 if self.by_density is not None else 0) + (0.4 if self.line else 0)


def smooth_reach(radius: float) -> int:
    """How far `outline` and `smoothed` read, in pixels."""
    span = span_of(radius)
    return blur_reach(_smooth_sigma(span)) + max(int(_TAIL) + 1 + MARGIN, _character_reach(span / 2))


def outline(values: Alpha, part: Rect, span: float) -> Outline:
    """Measure edges for smoothing by up to `span` pixels."""
    room = blur_reach(_smooth_sigma(span))
    around = part.grow(room).intersect(Rect.of_shape(values.shape))
    edges = Edges.measured(values, around, span / 2, moves=1, spread=room, hair_only=True)
    inner = part.shift(-around.left, -around.top)
    softness, by_density = edges.softness[inner.slices], None if edges.by_density is None else edges.by_density[inner.slices]
    if by_density is not None and not by_density.any():
        by_density = None
    if edges.line is None:
        return Outline(softness, by_density, None)
    edge = edges.line.picture(_TAIL + 9)
    # Beyond the photo's border, the line goes on straight.
    cut = [room - free for free in (inner.left, inner.top, around.width - inner.right, around.height - inner.bottom)]
    soft = share_below(extended(field(edge.depth / _blurred_width(edges.softness)), *cut))
    depth, covered, steep, flat = (picture[inner.slices] for picture in (edge.depth, edge.covered, edge.steep, edge.flat))
    return Outline(softness, by_density, (Edge(depth=depth, covered=covered, steep=steep, flat=flat), soft))


def smoothed(values: Alpha, part: Rect, found: Outline, radius: float) -> Alpha:
    """The half line blurred, and the edge moved there as sharp as it was; hair becomes its density."""
    sigma = _smooth_sigma(radius)
    alpha = values[part.slices]
    if found.line is not None:
        alpha = _rounded(alpha, *found.line, found.softness, sigma)
    if found.by_density is None:
        return alpha
    sharpened = np.hypot(found.softness, np.float32(sigma)) / np.maximum(found.softness, np.float32(0.3))
    filled = share_below(field(standing_at(blur(values, sigma)[part.slices]) * sharpened))
    return field(alpha + found.by_density * (filled - alpha))


def _smooth_sigma(radius: float) -> float:
    # Blurred by this, a corner's half line is an arc of about `radius`.
    return radius / 2


def _blurred_width(softness: Field) -> Field:
    """A profile as soft as this blurs without depending on where pixels lie."""
    return np.hypot(softness, np.float32(1))


def _rounded(alpha: Alpha, edge: Edge, soft: Field, softness: Field, sigma: float) -> Alpha:
    """Move the edge of `alpha` to its blurred half line. soft: its profile, with the same room on all sides."""
    room = (soft.shape[0] - alpha.shape[0]) // 2
    blurred = blur(soft, sigma)[room : room + alpha.shape[0], room : room + alpha.shape[1]]
    # Far from the old line and from the new one, all is opaque or clear, and stays.
    places = np.flatnonzero((np.abs(blurred - np.float32(0.5)) < 0.4999) | (np.abs(edge.depth) < _TAIL))
    values, edge, softness, blurred = alpha.ravel()[places], edge.at(places), softness.ravel()[places], blurred.ravel()[places]
    z = standing_at(np.clip(blurred, np.float32(1e-4), np.float32(1 - 1e-4)))
    z += np.copysign(4 * smooth_step(np.abs(blurred - np.float32(0.5)), 0.499, 0.4999), z)
    depth = field(z * np.hypot(_blurred_width(softness), np.float32(sigma)))
    moved = _moved(values, edge, softness, depth)
    # What a clean hard edge does not explain beside the line are jags.
    jags = np.clip(np.float32(_JAG) - np.abs(edge.depth), 0, 1) * _hard(softness) * np.float32(min(1, sigma))
    result = alpha.copy()
    result.ravel()[places] = np.clip(moved + jags * (edge.profile(depth, softness) - moved), 0, 1)
    return result


# Both.


def _character_radius(span: float) -> int:
    return int(np.ceil(_DENSITY * span)) + 3


def _character_reach(span: float) -> int:
    return 2 * _character_radius(span) + 5


def _character(values: Alpha, part: Rect, span: float) -> tuple[Field, Field]:
    """(softness in pixels, how much is hair) of the edges around each pixel, as far as a shift by `span` looks."""
    steepness = slope(values)
    squared = steepness * steepness
    thin = np.maximum(values - cv2.morphologyEx(values, cv2.MORPH_OPEN, _THIN), cv2.morphologyEx(values, cv2.MORPH_CLOSE, _THIN) - values)
    sums = np.stack([squared * steepness, squared, thin * thin], axis=-1)
    side = 2 * _character_radius(span) + 1
    for _ in range(2):
        sums = cv2.blur(sums, (side, side), borderType=cv2.BORDER_REPLICATE)
    cubed, squared, thin = np.moveaxis(np.maximum(sums[part.slices], 0), -1, 0)
    return _softness(cubed, squared), thin / (squared + _GRAIN)


def _softness(cubed: Field, squared: Field) -> Field:
    """Standard deviation, in pixels, of the edges whose steepness has these sums of cubes and squares; 0 is as hard as can be."""
    # For a Gaussian edge the sums are as 1/(√(3π)·σ). The difference of neighbours adds a third of a pixel to the variance.
    steepness = (cubed + _ROUNDING) / (squared + _ROUNDING)  # hard where there is no edge
    variance = (np.float32(1 / np.sqrt(3 * np.pi)) / np.maximum(steepness, np.float32(0.02))) ** 2 - np.float32(1 / 3)
    return np.minimum(np.sqrt(np.maximum(variance, 0)), np.float32(_BLURRED))


def _moved(alpha: Alpha, edge: Edge, softness: Field, depth: Field) -> Alpha:
    """The edge moved so that what lay at `edge.depth` lies at `depth`, with what a clean edge does not explain left in place."""
    moved = _lifted(alpha, edge.profile(edge.depth, softness), edge.profile(depth, softness))
    # Beside the old line, something is left where alpha was not a clean hard edge.
    left_over = np.clip(np.float32(_RIM) - np.abs(edge.depth), 0, 1) * np.clip(np.abs(depth - edge.depth) - np.float32(0.7), 0, 1)
    left_over *= _hard(softness)
    grows = depth > edge.depth
    moved = np.where(grows & (edge.depth > 0), 1 - (1 - moved) * (1 - left_over), moved)
    return np.where(~grows & (edge.depth < 0), moved * (1 - left_over), moved)


def _hard(softness: Field) -> Field:
    """1 for edges as sharp as solved ones are, 0 for soft ones, whose shape is meant."""
    return np.clip(3 - 2 * softness, 0, 1)


def _lifted(alpha: Alpha, before: Field, after: Field) -> Alpha:
    """Alpha where the opacity around it goes from `before` to `after`: fainter, or less clear, in proportion."""
    less, more = after < before, after > before
    if less.any():
        alpha = np.where(less, alpha * (1 - _lost(before, after)), alpha)
    if more.any():
        alpha = np.where(more, 1 - (1 - alpha) * (1 - _lost(1 - before, 1 - after)), alpha)
    return alpha


def _lost(before: Field, after: Field) -> Field:
    """Which part of `before` is gone; none where there was next to nothing, so that rounding decides nothing."""
    lost = (before - after) / np.maximum(before, _ROUNDING)
    return field(np.clip(lost, 0, 1) * np.clip(before / _NOTHING, 0, 1))
