"""The line at which alpha is one half: how deep each pixel lies inside it, to about a thousandth of a pixel.

A pixel that the line crosses tells by its value where. What a value means depends on how the edge was drawn: as a ramp over the
distance, or as the covered part of the pixel's square; across a soft edge it means something else again. `_Near` tries the first
two, keeps what agrees with the neighbours, and falls back on a blurred picture, whose half line stays where it was. Farther away,
a pixel is projected onto the line and measured from the tangent there.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from bgdesk.core.arrays import Alpha, Mask
from bgdesk.core.finishing.filters import (
    Field,
    blur_reach,
    extended,
    field,
    gradient,
    kernel,
    separable,
    share_below,
    standing_at,
    steepness_kernel,
)
from bgdesk.core.geometry import Rect

#: Blur under which directions are measured.
_SIGMA = 2.0
#: Pixels up to this far from the line's own pixels are measured by their values.
_NEAR = 2.3
#: Side of the window in which neighbouring pixels vote on how the edge was drawn: where the line runs exactly along pixels or
#: across them, the pixels beside it cannot tell.
_VOTERS = 21
#: How far positions that neighbours tell may be apart, in pixels, for an edge to count as hard; and where it is soft for certain.
_AGREE, _DISAGREE = 0.03, 0.1
#: A pixel whose value is one half and x is at least this much of x pixels from the line, however the edge was drawn.
_LEAST = 0.7
#: A pixel's own word counts as much as this many neighbours'.
_OWN = 9.0
#: By how much, in pixels, the distance to the nearest pixel beside the line may be more and less than the distance to the line.
_BEFORE, _BEHIND = 0.25, 1.05
#: Softness (standard deviation in pixels) up to which an edge is as sharp as pixels can show, and from where it is simply soft.
_SHARP, _SOFT = 0.5, 0.8
#: How far a contour reads beyond its span: the foot of a tangent, its neighbours, their directions' neighbours, the voters around
#: them and their neighbours, and the blur under those.
MARGIN = 3 + 1 + 1 + _VOTERS // 2 + 1 + blur_reach(_SIGMA)

_CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
_STEPS = [(dx, dy) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]


@dataclass(frozen=True, eq=False, kw_only=True)
class Edge:
    """Where pixels lie beside an edge, and how that was drawn; all fields of one shape."""

    depth: Field  #: pixels from the half line, positive inside
    covered: Field  #: in [0, 1], how the edge was drawn: 0 as a ramp, 1 as the covered part of each pixel's square
    steep: Field  #: the larger part of the edge's direction, |cos| or |sin|
    flat: Field  #: the smaller part

    def profile(self, depth: Field, softness: Field) -> Field:
        """Alpha of a clean edge, drawn as this one, seen from `depth`.

        softness: standard deviation in pixels.
        """
        sharp = np.clip((np.float32(_SOFT) - softness) / np.float32(_SOFT - _SHARP), 0, 1)
        hard = self._hard(depth) if sharp.max(initial=0) > 0 else np.float32(0)
        if sharp.min(initial=1) == 1:
            return field(hard)
        soft = share_below(field(depth / np.maximum(softness, np.float32(0.3))))
        return field(soft + sharp * (hard - soft))

    def _hard(self, depth: Field) -> Field:
        ramp = np.clip(depth + np.float32(0.5), 0, 1)
        return field(ramp + self.covered * (_covered(depth, self.steep, self.flat) - ramp))

    def at(self, places: NDArray[np.intp]) -> "Edge":
        """The same for some of its pixels, counted row by row."""
        depth, covered, steep, flat = (values.ravel()[places] for values in (self.depth, self.covered, self.steep, self.flat))
        return Edge(depth=depth, covered=covered, steep=steep, flat=flat)


@dataclass(frozen=True, eq=False)
class Contour:
    """The half line in a part of a picture."""

    inside: Mask  #: of the part's shape: alpha above one half
    places: NDArray[np.intp]  #: the measured pixels, counted through the part row by row
    edge: Edge  #: for each of `places`

    def picture(self, far: float) -> Edge:
        """The same for every pixel of the part; those that were not measured lie `far` away."""
        depth, covered, steep, flat = (np.full(self.inside.shape, value, np.float32) for value in (far, 0, 1, 0.001))
        np.negative(depth, out=depth, where=~self.inside)
        edge = self.edge
        for picture, values in ((depth, edge.depth), (covered, edge.covered), (steep, edge.steep), (flat, edge.flat)):
            picture.ravel()[self.places] = values
        return Edge(depth=depth, covered=covered, steep=steep, flat=flat)


def contour(alpha: Alpha, part: Rect, span: Field) -> Contour | None:
    """Measure the half line of `alpha` for the pixels of `part`.

    Parameters
    ----------
    alpha
        float32 H×W in [0, 1]; holds `part` and, where the photo goes on, the largest `span` + MARGIN pixels around it.
    part
        Inside `alpha`.
    span
        float32 of the shape of `part`: depths up to this many pixels are needed; 0 where none is.

    Returns
    -------
    Contour or None
        None when no pixel of `part` lies within its span of the line.

    References
    ----------
    Gustavson and Strand, "Anti-aliased Euclidean distance transform", Pattern Recognition Letters 32, 2011.
    """
    inside = (alpha > 0.5).view(np.uint8)
    line = cv2.dilate(inside, _CROSS) != cv2.erode(inside, _CROSS)
    if not line.any():
        return None
    away = field(cv2.distanceTransform((~line).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE))
    wanted = away[part.slices] < span
    if not wanted.any():
        return None
    farthest = float(span[wanted].max())
    measures = _Near(alpha, np.flatnonzero((away < _NEAR) & _around(wanted, part, alpha.shape, farthest))).measures()
    within = inside[part.slices] > 0
    rows, columns = np.nonzero(wanted)
    px, py = (columns + part.left).astype(np.float32), (rows + part.top).astype(np.float32)
    edge = _project(measures, away, px, py, np.where(within[wanted], np.float32(1), np.float32(-1)))
    return Contour(within, rows * part.width + columns, edge)


def _around(wanted: Mask, part: Rect, shape: tuple[int, ...], farthest: float) -> Mask:
    """Where measures of the line are needed for the wanted pixels of `part`."""
    needed = np.zeros(shape, np.uint8)
    needed[part.slices] = wanted
    side = 2 * (int(np.ceil(farthest)) + 3 + _VOTERS // 2) + 1
    return cv2.dilate(needed, np.ones((side, side), np.uint8)) > 0


class _Near:
    """The pixels beside the line, as lists: their depth, the direction inwards, and how the edge was drawn there."""

    def __init__(self, alpha: Alpha, places: NDArray[np.intp]) -> None:
        self._shape = alpha.shape
        self._places = places
        height, width = alpha.shape
        # Neighbours are read from tables with a free pixel all around.
        self._stride = width + 2
        self._cells = (places // width + 1) * self._stride + places % width + 1
        self._free = (height + 2) * self._stride
        plain, along = kernel(_SIGMA), steepness_kernel(_SIGMA)
        # Beyond the photo's border, an edge goes on in the direction that it has there.
        margin = blur_reach(_SIGMA)
        wide = extended(alpha, margin, margin, margin, margin)
        cells = (places // width + margin) * (width + 2 * margin) + places % width + margin
        blurred, dx, dy = (separable(wide, *kernels).ravel()[cells] for kernels in ((plain, plain), (along, plain), (plain, along)))
        steepness = np.maximum(np.hypot(dx, dy), np.float32(2e-3))
        self._nx, self._ny = dx / steepness, dy / steepness
        # For an edge with a Gaussian profile, value and steepness give the depth, however soft the edge is.
        z = standing_at(np.clip(blurred, np.float32(1e-3), np.float32(1 - 1e-3)))
        density = np.exp(-0.5 * z * z) * np.float32(1 / np.sqrt(2 * np.pi))
        self._soft_depth = np.clip(z * density / steepness, -3, 3)
        self._value = alpha.ravel()[places]
        partial = (self._value > 0.02) & (self._value < 0.98)
        self._weight = np.where(partial, 4 * self._value * (1 - self._value), np.float32(0))

    def measures(self) -> tuple[Field, Field, Field, Field]:
        """Depth, x and y of the direction inwards, and `covered`, as pictures of the window; 0 away from the line."""
        told = self._told()
        covered, hard = self._votes(told)
        self._turn(self._depth(told, covered, hard), hard)
        depth = self._depth(self._told(), covered, hard)
        pictures = np.zeros((4, self._shape[0] * self._shape[1]), np.float32)
        pictures[:, self._places] = depth, self._nx, self._ny, covered
        first, second, third, fourth = pictures.reshape(4, *self._shape)
        return first, second, third, fourth

    def _told(self) -> list[tuple[Field, Field, Field]]:
        """What each neighbour says: (weight, depth if the edge is a ramp, depth if it is cover)."""
        by_cover = _depth_of(self._value, *_parts(self._nx, self._ny))
        tables = [self._table(values) for values in (self._weight, self._value - np.float32(0.5), by_cover, self._nx, self._ny)]
        told = []
        for dx, dy in _STEPS:
            weight, ramp, cover, nx, ny = (table[self._cells + (dy * self._stride + dx)] for table in tables)
            if dx == dy == 0:
                told.append((weight * np.float32(_OWN), ramp, cover))
                continue
            # Half of either direction: exact for an arc too.
            on_the_way = ((self._nx + nx) * np.float32(dx / 2)) + ((self._ny + ny) * np.float32(dy / 2))
            told.append((weight, ramp - on_the_way, cover - on_the_way))
        return told

    def _votes(self, told: list[tuple[Field, Field, Field]]) -> tuple[Field, Field]:
        """(how far the edge was drawn by cover, how hard it is): whatever lets neighbours agree."""
        weight, ramp, cover = _means(told)
        apart = np.zeros((*self._shape, 3), np.float32)
        apart.reshape(-1, 3)[self._places] = np.stack(
            [sum(w * (r - ramp) ** 2 for w, r, _ in told), sum(w * (c - cover) ** 2 for w, _, c in told), weight], axis=-1
        )
        cv2.boxFilter(apart, -1, (_VOTERS, _VOTERS), apart, normalize=False, borderType=cv2.BORDER_CONSTANT)
        by_ramp, by_cover, heard = np.maximum(apart.reshape(-1, 3)[self._places].T, 0)
        heard += np.float32(1e-3)
        by_ramp, by_cover = by_ramp / heard + np.float32(1e-6), by_cover / heard + np.float32(1e-6)
        scatter = np.sqrt(np.minimum(by_ramp, by_cover))
        hard = np.clip((np.float32(_DISAGREE) - scatter) / np.float32(_DISAGREE - _AGREE), 0, 1) * (weight > 1e-3)
        return by_ramp**4 / (by_ramp**4 + by_cover**4), hard

    def _depth(self, told: list[tuple[Field, Field, Field]], covered: Field, hard: Field) -> Field:
        _, ramp, cover = _means(told)
        depth = self._soft_depth + hard * (ramp + covered * (cover - ramp) - self._soft_depth)
        # Whatever else is said, the line runs between values above and below one half.
        excess = self._value - np.float32(0.5)
        return field(np.copysign(np.maximum(depth * np.sign(excess), np.float32(_LEAST) * np.abs(excess)), excess))

    def _turn(self, depth: Field, hard: Field) -> None:
        """Take directions from the depths of a hard edge: they are finer than the blurred picture's."""
        values, present = self._table(depth), self._table(np.ones_like(depth))
        for table in (values, present):
            _extend(table.reshape(-1, self._stride))
        dx_sum, dy_sum, around = np.zeros_like(depth), np.zeros_like(depth), np.ones_like(depth)
        for dx, dy in _STEPS:
            at = self._cells + (dy * self._stride + dx)
            weighted = values[at] * np.float32((1 if dx and dy else 3) / 10)
            dx_sum, dy_sum, around = dx_sum + dx * weighted, dy_sum + dy * weighted, around * (present[at] == 1)
        # Depths that make sense grow by about 1 from pixel to pixel.
        share = around * hard * np.clip(4 * np.hypot(dx_sum, dy_sum) - 2, 0, 1)
        nx, ny = self._nx + share * (dx_sum - self._nx), self._ny + share * (dy_sum - self._ny)
        length = np.maximum(np.hypot(nx, ny), np.float32(1e-3))
        self._nx, self._ny = nx / length, ny / length

    def _table(self, values: Field) -> Field:
        table = np.zeros(self._free, np.float32)
        table[self._cells] = values
        return table


def _extend(picture: Field) -> None:
    """Let the outermost pixels, which are free, go on as those inside them do."""
    for edge in (picture, picture.T):
        edge[0], edge[-1] = 2 * edge[1] - edge[2], 2 * edge[-2] - edge[-3]


def _means(told: list[tuple[Field, Field, Field]]) -> tuple[Field, Field, Field]:
    """(all weights, mean depth by ramp, mean depth by cover)."""
    weight = field(sum(w for w, _, _ in told) + np.float32(1e-9))
    return weight, field(sum(w * r for w, r, _ in told) / weight), field(sum(w * c for w, _, c in told) / weight)


def _project(measures: tuple[Field, Field, Field, Field], away: Field, px: Field, py: Field, side: Field) -> Edge:
    """Measure the pixels at (px, py), each from the point of the line that is nearest."""
    at = py.astype(np.intp) * away.shape[1] + px.astype(np.intp)
    distance = away.ravel()[at]
    ux, uy = (part.ravel()[at] for part in gradient(away))
    length = np.maximum(np.hypot(ux, uy), np.float32(0.05))
    right, bottom = away.shape[1] - 1, away.shape[0] - 1
    x, y = np.clip(px - distance * ux / length, 0, right), np.clip(py - distance * uy / length, 0, bottom)
    depth, nx, ny, beside = _from_tangent(_Places(x, y, away.shape), measures, px - x, py - y)
    # Once more from the foot of that tangent, unless the line turns a corner there.
    smooth = np.clip(2 - np.abs(beside), 0, 1)
    x = np.clip(x + smooth * (px - depth * nx - x), 0, right)
    y = np.clip(y + smooth * (py - depth * ny - y), 0, bottom)
    places = _Places(x, y, away.shape)
    depth, nx, ny, beside = _from_tangent(places, measures, px - x, py - y)
    # Around a corner, distances are measured from the corner itself; and pixel counting bounds them. But where the photo cuts the
    # line off, it goes on straight.
    far = np.hypot(depth, np.maximum(np.abs(beside) - 1, 0))
    far = side * np.clip(far, distance - np.float32(_BEFORE), distance + np.float32(_BEHIND))
    inner = np.clip(np.minimum(np.minimum(x, right - x), np.minimum(y, bottom - y)) - 1, 0, 1)
    depth = np.where(distance > 1.5, depth + inner * (far - depth), depth)
    steep, flat = _parts(nx, ny)
    return Edge(depth=depth, covered=places.read(measures[3]), steep=steep, flat=flat)


def _from_tangent(
    places: "_Places", measures: tuple[Field, Field, Field, Field], dx: Field, dy: Field
) -> tuple[Field, Field, Field, Field]:
    """(depth, direction inwards in x and y, way along the tangent) of what lies (dx, dy) from `places`."""
    depth, nx, ny = (places.read(picture) for picture in measures[:3])
    length = np.maximum(np.hypot(nx, ny), np.float32(1e-3))
    nx, ny = field(nx / length), field(ny / length)
    return depth + dx * nx + dy * ny, nx, ny, dx * ny - dy * nx


class _Places:
    """Places between pixels of a picture, none outside, read bilinear."""

    def __init__(self, x: Field, y: Field, shape: tuple[int, ...]) -> None:
        height, width = shape
        column, row = np.minimum(x.astype(np.int32), max(width - 2, 0)), np.minimum(y.astype(np.int32), max(height - 2, 0))
        self._x, self._y = x - column.astype(np.float32), y - row.astype(np.float32)
        self._at = row.astype(np.intp) * width + column
        self._right, self._down = int(width > 1), width if height > 1 else 0

    def read(self, picture: Field) -> Field:
        values = picture.ravel()
        upper, lower = values[self._at], values[self._at + self._down]
        upper = upper + (values[self._at + self._right] - upper) * self._x
        lower = lower + (values[self._at + (self._down + self._right)] - lower) * self._x
        return upper + (lower - upper) * self._y


def _parts(nx: Field, ny: Field) -> tuple[Field, Field]:
    """The larger and the smaller part of a direction, away from 0, so that they divide."""
    nx, ny = np.abs(nx), np.abs(ny)
    return np.maximum(np.maximum(nx, ny), np.float32(0.7)), np.maximum(np.minimum(nx, ny), np.float32(1e-3))


def _covered(depth: Field, steep: Field, flat: Field) -> Field:
    """How much of a pixel's square a straight edge covers, when its centre lies this deep."""
    far = np.abs(depth)
    corner = np.maximum((steep + flat) / 2 - far, 0)
    rest = np.where(
        far < (steep - flat) / 2, np.float32(0.5) - far / steep, np.minimum(corner * corner / (2 * steep * flat), np.float32(0.5))
    )
    return np.where(depth > 0, 1 - rest, rest)


def _depth_of(value: Field, steep: Field, flat: Field) -> Field:
    """The inverse of `_covered`."""
    rest = np.maximum(np.minimum(value, 1 - value), 0)
    far = np.where(rest < flat / (2 * steep), (steep + flat) / 2 - np.sqrt(2 * steep * flat * rest), (np.float32(0.5) - rest) * steep)
    return np.where(value > 0.5, far, -far)
