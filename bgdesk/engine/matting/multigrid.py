"""The CG solver's preconditioner: one multigrid V-cycle on 2×2 aggregates.

Its smoother is Gauss-Seidel from row to row and Jacobi along a row, downwards before the coarse correction and upwards
after it, which is symmetric.

References
----------
Notay, "An aggregation-based algebraic multigrid method", ETNA 37 (2010).
Lee & Wu, "Scalable matting: a sub-linear approach" (2014): the same for matting.
Braess, "Towards algebraic multigrid for elliptic problems of second order", Computing 55 (1995): scaling the correction.
"""

import numpy as np

from bgdesk.core.arrays import Mask
from bgdesk.engine.matting.spans import PAD, Floats, Ints, System, find_spans
from bgdesk.engine.runtime.kernels import f4, f8, i4, i8, kernel


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


#: Piecewise constant aggregates make the coarse matrix too stiff; its correction is scaled up (Braess).
_OVERCORRECTION = 1.3


class _Level:
    """One grid of the cycle. parents: of each span, in the next coarser grid."""

    def __init__(self, system: System) -> None:
        spans = system.spans
        n, (height, self.width) = spans.size, spans.shape
        self.system = system
        self.matrix = (system.coefficients, system.radius, spans.starts, spans.firsts, self.width)
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
    _aggregate(*level.matrix, spans.starts, spans.firsts, spans.shape[1], level.parents, coefficients)
    return _Level(System(spans, coefficients, 1)), coarse_mask


class VCycle:
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
            _ascend(*level.matrix, level.inverse, right, level.grid, self.work)  # one unknown: exact
            return level.grid
        below = self.levels[depth + 1]
        _descend(*level.matrix, level.damped, level.inverse, right, level.grid, self.work, level.parents, below.right)
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
        _ascend(*level.matrix, level.inverse, right, level.grid, self.work)
        return level.grid
