"""The CG solver: preconditioned conjugate gradients for symmetric positive systems on the unknown pixels of a grid.

The kernels are compiled by numba, hold no interpreter lock, and are cached on disk.
"""

from dataclasses import dataclass

import numpy as np

from bgdesk.core.arrays import Mask
from bgdesk.core.tasks import Progress, silent
from bgdesk.engine.matting.multigrid import VCycle
from bgdesk.engine.matting.spans import Floats, Ints, System
from bgdesk.engine.runtime.kernels import f4, f8, i4, i8, kernel


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


@dataclass(frozen=True, eq=False)
class Solution:
    """How far the solver got."""

    x: Floats  #: one for each pixel of the spans
    iterations: int  #: steps taken
    residual: float  #: |b - A·x| / scale at the end
    converged: bool  #: the residual is at most what was asked


def solve(system: System, mask: Mask, b: Floats, scale: float, tolerance: float, most: int, progress: Progress = silent) -> Solution:
    """Solve A·x = b by preconditioned conjugate gradients from 0, until |b - A·x| ≤ tolerance·scale.

    Parameters
    ----------
    system
        A.
    mask
        bool H×W, the pixels that the spans cover.
    b
        float32, one for each pixel of the spans.
    scale
        What the residual is relative to.
    tolerance
        Of the relative residual.
    most
        Steps, at most.

    Returns
    -------
    Solution
        Also for a bad system: the caller reads `converged` and decides.

    Raises
    ------
    Cancelled
    """
    spans = system.spans
    places = (spans.starts, spans.firsts)
    x = np.zeros_like(b)
    residual = b.copy()
    scale = max(scale, 1e-30)
    error = float(np.sqrt(np.square(b, dtype=np.float64).sum())) / scale
    if error <= tolerance:
        return Solution(x, 0, error, True)
    cycle = VCycle(system, mask)
    grid = np.zeros(spans.shape[0] * spans.shape[1], np.float32)
    product, direction = np.empty_like(b), np.zeros_like(b)
    rho, share = 1.0, 0.0
    for iteration in range(1, most + 1):
        progress("alpha", min(1.0, iteration / most))
        fresh = cycle.apply(residual)
        old, rho = rho, _scalar(*places, fresh, residual)
        share = rho / old if iteration > 1 else 0.0
        _turn(*places, fresh, share, direction, grid)
        curvature = _multiply(*cycle.levels[0].matrix, grid, product)
        if not (curvature > 0.0 and np.isfinite(curvature)):
            return Solution(x, iteration, error, False)
        error = float(np.sqrt(_step(rho / curvature, direction, product, x, residual))) / scale
        if error <= tolerance:
            return Solution(x, iteration, error, True)
    return Solution(x, most, error, False)
