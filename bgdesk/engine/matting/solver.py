"""Symmetric positive systems on the unknown pixels of a small grid, and a conjugate-gradient solver for them.

The unknowns are held as *spans*, unbroken runs of one row. A span's coefficients are stored as one block, a row of it
for each neighbour (25 in the finest grid, 9 in coarser ones), so that every inner loop walks along the photo's row
through memory in order, and a compiler can take many pixels at a step. Single precision: half the memory to read.

The preconditioner is one multigrid V-cycle on 2×2 aggregates (Notay, "An aggregation-based algebraic multigrid method",
ETNA 37, 2010; for matting: Lee & Wu, "Scalable matting: a sub-linear approach", 2014). Its smoother is Gauss-Seidel
from row to row and Jacobi along a row, downwards before the coarse correction and upwards after it, which is symmetric.

The kernels are compiled by numba, hold no interpreter lock, and are cached on disk.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bgdesk.core.arrays import Mask
from bgdesk.core.tasks import Progress, silent
from bgdesk.engine.runtime.kernels import b1, f4, f8, i4, i8, kernel, read

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]

#: Known pixels around the grid: a stencil may then look two pixels past the edge without a test.
PAD = 2


@dataclass(frozen=True, eq=False)
class Spans:
    """Which pixels are unknown. Gaps of one pixel are bridged, so that no two spans of a row are coupled.

    starts: flat place of each span's first pixel on the padded grid. firsts: its number among all pixels of all spans,
    with the total at the end. shape: of the padded grid.
    """

    starts: Ints
    firsts: Ints
    shape: tuple[int, int]

    @property
    def size(self) -> int:
        return int(self.firsts[-1])


@kernel((read(b1[:, ::1]), i4[::1], i4[::1]))
def _find_spans(mask: Mask, starts: Ints, firsts: Ints) -> int:
    """Fill starts and firsts; the number of spans."""
    height, width = mask.shape
    spans = total = 0
    for y in range(height):
        end = -2  # of the row's last span so far
        for x in range(width):
            if mask[y, x]:
                if x > end + 1:
                    starts[spans] = (y + PAD) * (width + 2 * PAD) + x + PAD
                    firsts[spans] = total
                    spans += 1
                    total += 1
                else:
                    total += x + 1 - end
                end = x + 1
    firsts[spans] = total
    return spans


def find_spans(mask: Mask) -> Spans:
    """mask: bool H×W."""
    height, width = mask.shape
    most = height * ((width + 2) // 3)
    starts, firsts = np.empty(most, np.int32), np.empty(most + 1, np.int32)
    spans = _find_spans(np.ascontiguousarray(mask), starts, firsts)
    return Spans(starts[:spans].copy(), firsts[: spans + 1].copy(), (height + 2 * PAD, width + 2 * PAD))


@dataclass(frozen=True, eq=False)
class System:
    """A·x = b over the pixels of `spans`.

    coefficients: for each span, (2·radius + 1)² rows of its length, row by row of the neighbourhood; 0 where a
    neighbour is not unknown. A bridged gap has none: what x is there has no meaning, and no effect. radius: 2 or 1.
    """

    spans: Spans
    coefficients: Floats
    radius: int


@kernel((f4[::1], i8, i4[::1], i4[::1], i8, f4[::1], f4[::1]))
def _multiply(coefficients: Floats, radius: int, starts: Ints, firsts: Ints, width: int, grid: Floats, out: Floats) -> float:
    """out = A·x for x held on the grid; returns xᵀA·x."""
    side = 2 * radius + 1
    many = side * side
    total = 0.0
    for span in range(starts.shape[0]):
        first, start = firsts[span], starts[span]
        length = firsts[span + 1] - first
        base = first * many
        sums = out[first : first + length]
        sums[:] = 0
        for j in range(many):
            row = coefficients[base + j * length : base + (j + 1) * length]
            near = start + (j // side - radius) * width + j % side - radius
            values = grid[near : near + length]
            for t in range(length):
                sums[t] += row[t] * values[t]
        for t in range(length):
            total += sums[t] * grid[start + t]
    return total


@kernel((f4[::1], i8, i4[::1], f4[::1], f4[::1]))
def _damping(coefficients: Floats, radius: int, firsts: Ints, damped: Floats, inverse: Floats) -> None:
    """The smoother's diagonal: large enough for Jacobi along a row to converge (half the row's sum of magnitudes)."""
    side = 2 * radius + 1
    many = side * side
    for span in range(firsts.shape[0] - 1):
        first = firsts[span]
        length = firsts[span + 1] - first
        base = first * many
        for t in range(length):
            total = np.float32(0)
            for j in range(radius * side, (radius + 1) * side):
                total += abs(coefficients[base + j * length + t])
            middle = max(coefficients[base + many // 2 * length + t], np.float32(0.5) * total)
            damped[first + t] = middle
            inverse[first + t] = np.float32(1) / middle if middle > 0 else np.float32(0)


@kernel((f4[::1], i8, i4[::1], i4[::1], i8, f4[::1], f4[::1], f4[::1], f4[::1], f4[::1], i4[::1], f4[::1]))
def _descend(
    coefficients: Floats,
    radius: int,
    starts: Ints,
    firsts: Ints,
    width: int,
    damped: Floats,
    inverse: Floats,
    b: Floats,
    grid: Floats,
    work: Floats,
    parents: Ints,
    coarse: Floats,
) -> None:
    """One downward sweep on A·x = b from x = 0, x on the grid; coarse = sums of the residual over the aggregates.

    Rows above are all that the sweep meets (the others are still 0), rows below all that is left in the residual.
    """
    side = 2 * radius + 1
    many = side * side
    for span in range(starts.shape[0]):
        first, start = firsts[span], starts[span]
        length = firsts[span + 1] - first
        base = first * many
        sums = work[:length]
        sums[:] = b[first : first + length]
        for j in range(radius * side):
            row = coefficients[base + j * length : base + (j + 1) * length]
            near = start + (j // side - radius) * width + j % side - radius
            values = grid[near : near + length]
            for t in range(length):
                sums[t] -= row[t] * values[t]
        for t in range(length):
            grid[start + t] = sums[t] * inverse[first + t]
    coarse[:] = 0
    for span in range(starts.shape[0]):
        first, start = firsts[span], starts[span]
        length = firsts[span + 1] - first
        base = first * many
        sums = work[:length]
        for t in range(length):
            sums[t] = damped[first + t] * grid[start + t]
        for j in range(radius * side, many):
            row = coefficients[base + j * length : base + (j + 1) * length]
            near = start + (j // side - radius) * width + j % side - radius
            values = grid[near : near + length]
            for t in range(length):
                sums[t] -= row[t] * values[t]
        # In pairs: a left half that stands alone at the end, a right half that stands alone at the beginning.
        parent, odd = parents[span] >> 1, parents[span] & 1
        if odd:
            coarse[parent] += sums[0]
        pairs = (length - odd) >> 1
        for t in range(pairs):
            coarse[parent + odd + t] += sums[odd + 2 * t] + sums[odd + 2 * t + 1]
        if odd + 2 * pairs < length:
            coarse[parent + odd + pairs] += sums[length - 1]


@kernel((f4[::1], i8, i4[::1], i4[::1], i8, f4[::1], f4[::1], f4[::1], f4[::1]))
def _ascend(
    coefficients: Floats,
    radius: int,
    starts: Ints,
    firsts: Ints,
    width: int,
    inverse: Floats,
    b: Floats,
    grid: Floats,
    work: Floats,
) -> None:
    """One upward sweep on A·x = b from x on the grid."""
    side = 2 * radius + 1
    many = side * side
    for turn in range(starts.shape[0]):
        span = starts.shape[0] - 1 - turn
        first, start = firsts[span], starts[span]
        length = firsts[span + 1] - first
        base = first * many
        sums = work[:length]
        sums[:] = b[first : first + length]
        for j in range(many):
            row = coefficients[base + j * length : base + (j + 1) * length]
            near = start + (j // side - radius) * width + j % side - radius
            values = grid[near : near + length]
            for t in range(length):
                sums[t] -= row[t] * values[t]
        for t in range(length):
            grid[start + t] += sums[t] * inverse[first + t]


@kernel((i4[::1], i4[::1], i4[::1], i4[::1], i4[::1], f4[::1], f4[::1], f8, f4[::1]))
def _prolong(
    starts: Ints,
    firsts: Ints,
    parents: Ints,
    below_starts: Ints,
    below_firsts: Ints,
    below: Floats,
    packed: Floats,
    weight: float,
    grid: Floats,
) -> None:
    """x += weight · the coarse answer of each unknown's aggregate."""
    for span in range(below_starts.shape[0]):
        first, start = below_firsts[span], below_starts[span]
        for t in range(below_firsts[span + 1] - first):
            packed[first + t] = np.float32(weight) * below[start + t]
    for span in range(starts.shape[0]):
        start, length = starts[span], firsts[span + 1] - firsts[span]
        parent, odd = parents[span] >> 1, parents[span] & 1
        for half in range(2):
            skip = half ^ odd  # pixels to the first of this half of an aggregate
            for t in range((length - skip + 1) >> 1):
                grid[start + skip + 2 * t] += packed[parent + (odd & (1 - half)) + t]


@kernel((f4[::1], i8, i4[::1], i4[::1], i8, i4[::1], i4[::1], i8, i4[::1], f4[::1]))
def _aggregate(
    coefficients: Floats,
    radius: int,
    starts: Ints,
    firsts: Ints,
    width: int,
    below_starts: Ints,
    below_firsts: Ints,
    below_width: int,
    parents: Ints,
    coarse: Floats,
) -> None:
    """Coarse coefficients: sums of the fine ones between two aggregates; and each span's place in its parent.

    parents: twice the number of the first pixel's aggregate, plus 1 where that pixel is an aggregate's right half.
    """
    side = 2 * radius + 1
    many = side * side
    below = 0
    for span in range(starts.shape[0]):
        first, start = firsts[span], starts[span]
        length = firsts[span + 1] - first
        y, x = start // width - PAD, start % width - PAD
        home = (y // 2 + PAD) * below_width + x // 2 + PAD
        # The parents of a pair of rows come twice, so step back to the row's beginning when the second row starts.
        while below > 0 and below_starts[below] > home:
            below -= 1
        while below + 1 < below_starts.shape[0] and below_starts[below + 1] <= home:
            below += 1
        below_first = below_firsts[below]
        below_length = below_firsts[below + 1] - below_first
        parents[span] = 2 * (below_first + home - below_starts[below]) + x % 2
        place = below_first * 9 + home - below_starts[below]
        for j in range(many):
            up = (y + j // side - radius + 2) // 2 - y // 2  # the parent's row step, plus one
            for odd in range(2):
                # Two fine pixels at most two apart lie in aggregates at most one apart.
                sideways = (x + odd + j % side - radius + 2) // 2 - (x + odd) // 2
                target = place + (up * 3 + sideways) * below_length
                for t in range(odd, length, 2):
                    coarse[target + ((x % 2 + t) >> 1)] += coefficients[first * many + j * length + t]


#: Piecewise constant aggregates make the coarse matrix too stiff; its correction is scaled up (Braess, "Towards
#: algebraic multigrid for elliptic problems of second order", Computing 55, 1995).
_OVERCORRECTION = 1.3


class _Level:
    """One grid of the cycle. parents: of each span, in the next coarser grid."""

    def __init__(self, system: System) -> None:
        spans = system.spans
        n, (height, self.width) = spans.size, spans.shape
        self.system = system
        self.stencil = (system.coefficients, system.radius, spans.starts, spans.firsts, self.width)
        self.damped, self.inverse = np.empty(n, np.float32), np.empty(n, np.float32)
        _damping(system.coefficients, system.radius, spans.firsts, self.damped, self.inverse)
        self.grid = np.zeros(height * self.width, np.float32)
        self.right = np.empty(n, np.float32)
        self.packed = np.empty(n, np.float32)
        self.parents = np.empty(spans.starts.size, np.int32)


def _coarsen(level: _Level, mask: Mask) -> tuple[_Level, Mask]:
    height, width = mask.shape
    even = np.zeros((height + height % 2, width + width % 2), bool)
    even[:height, :width] = mask
    coarse_mask = even[::2, ::2] | even[1::2, ::2] | even[::2, 1::2] | even[1::2, 1::2]
    spans = find_spans(coarse_mask)
    coefficients = np.zeros(spans.size * 9, np.float32)
    _aggregate(*level.stencil, spans.starts, spans.firsts, spans.shape[1], level.parents, coefficients)
    return _Level(System(spans, coefficients, 1)), coarse_mask


class _VCycle:
    """One symmetric V-cycle as a preconditioner."""

    def __init__(self, system: System, mask: Mask) -> None:
        self.levels = [_Level(system)]
        self.work = np.empty(max(system.spans.shape), np.float32)
        while max(mask.shape) > 1:
            below, mask = _coarsen(self.levels[-1], mask)
            self.levels.append(below)

    def apply(self, right: Floats) -> Floats:
        """An approximation of A⁻¹·right as a grid; the array is reused by the next call."""
        return self._cycle(0, right)

    def _cycle(self, depth: int, right: Floats) -> Floats:
        level = self.levels[depth]
        spans = level.system.spans
        level.grid[:] = 0
        if depth + 1 == len(self.levels):
            _ascend(*level.stencil, level.inverse, right, level.grid, self.work)  # one unknown: exact
            return level.grid
        below = self.levels[depth + 1]
        _descend(*level.stencil, level.damped, level.inverse, right, level.grid, self.work, level.parents, below.right)
        answer = self._cycle(depth + 1, below.right)
        under = below.system.spans
        _prolong(
            spans.starts,
            spans.firsts,
            level.parents,
            under.starts,
            under.firsts,
            answer,
            below.packed,
            _OVERCORRECTION,
            level.grid,
        )
        _ascend(*level.stencil, level.inverse, right, level.grid, self.work)
        return level.grid


@kernel((f8, f4[::1], f4[::1], f4[::1], f4[::1]))
def _step(size: float, direction: Floats, product: Floats, x: Floats, residual: Floats) -> float:
    """x += size·direction, residual -= size·product; the residual's squared length."""
    total = 0.0
    for k in range(x.shape[0]):
        x[k] += np.float32(size) * direction[k]
        residual[k] -= np.float32(size) * product[k]
        total += residual[k] * residual[k]
    return total


@kernel((i4[::1], i4[::1], f4[::1], f4[::1]))
def _scalar(starts: Ints, firsts: Ints, grid: Floats, packed: Floats) -> float:
    """The scalar product of a grid with a packed vector."""
    total = 0.0
    for span in range(starts.shape[0]):
        first, start = firsts[span], starts[span]
        for t in range(firsts[span + 1] - first):
            total += grid[start + t] * packed[first + t]
    return total


@kernel((i4[::1], i4[::1], f4[::1], f8, f4[::1], f4[::1]))
def _turn(starts: Ints, firsts: Ints, fresh: Floats, share: float, direction: Floats, grid: Floats) -> None:
    """direction = fresh + share·direction, packed and on a grid."""
    for span in range(starts.shape[0]):
        first, start = firsts[span], starts[span]
        for t in range(firsts[span + 1] - first):
            value = fresh[start + t] + np.float32(share) * direction[first + t]
            direction[first + t] = value
            grid[start + t] = value


@kernel((i4[::1], i4[::1], f4[::1], f4[::1]))
def _spread(starts: Ints, firsts: Ints, packed: Floats, grid: Floats) -> None:
    for span in range(starts.shape[0]):
        first, start = firsts[span], starts[span]
        for t in range(firsts[span + 1] - first):
            grid[start + t] += packed[first + t]


def spread(spans: Spans, packed: Floats, grid: Floats) -> None:
    """Add a packed vector to a flat, padded grid, in place."""
    _spread(spans.starts, spans.firsts, packed, grid)


@dataclass(frozen=True, eq=False)
class Solution:
    """x: the unknowns. iterations: steps taken. residual: |b - A·x| / scale at the end. converged: below what was asked."""

    x: Floats
    iterations: int
    residual: float
    converged: bool


def solve(system: System, mask: Mask, b: Floats, scale: float, tolerance: float, most: int, progress: Progress = silent) -> Solution:
    """Preconditioned conjugate gradients for A·x = b from 0, until |b - A·x| ≤ tolerance·scale or `most` steps.

    mask: bool, the pixels that the spans cover. b: float32, one for each pixel of the spans. Never raises for a bad
    system: the caller reads `converged` and decides.
    """
    spans = system.spans
    places = (spans.starts, spans.firsts)
    x = np.zeros_like(b)
    residual = b.copy()
    scale = max(scale, 1e-30)
    error = float(np.sqrt(np.square(b, dtype=np.float64).sum())) / scale
    if error <= tolerance:
        return Solution(x, 0, error, True)
    cycle = _VCycle(system, mask)
    grid = np.zeros(spans.shape[0] * spans.shape[1], np.float32)
    product, direction = np.empty_like(b), np.zeros_like(b)
    rho, share = 1.0, 0.0
    for iteration in range(1, most + 1):
        progress("alpha", min(1.0, iteration / most))
        fresh = cycle.apply(residual)
        old, rho = rho, _scalar(*places, fresh, residual)
        share = rho / old if iteration > 1 else 0.0
        _turn(*places, fresh, share, direction, grid)
        curvature = _multiply(*cycle.levels[0].stencil, grid, product)
        if not (curvature > 0.0 and np.isfinite(curvature)):
            return Solution(x, iteration, error, False)
        error = float(np.sqrt(_step(rho / curvature, direction, product, x, residual))) / scale
        if error <= tolerance:
            return Solution(x, iteration, error, True)
    return Solution(x, most, error, False)
