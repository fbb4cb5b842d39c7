"""Symmetric positive systems on the unknown pixels of a small grid, and a conjugate-gradient solver for them.

A row's coefficients are stored per *offset* (a stencil of 25 or 9 neighbours), not per column index: the neighbours'
places follow from the row's own place on the padded grid, which keeps the matrix half as large as CSR and every
product a linear walk. The preconditioner is one multigrid V-cycle on 2×2 aggregates with symmetric Gauss-Seidel
smoothing (Notay, "An aggregation-based algebraic multigrid method", ETNA 37, 2010; for matting: Lee & Wu, "Scalable
matting: a sub-linear approach", 2014).

The kernels are compiled by numba, hold no interpreter lock, and are cached on disk.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bgdesk.core.tasks import Progress, silent
from bgdesk.engine.compiled import kernel

Floats = NDArray[np.float64]
Ints = NDArray[np.int32]

#: Known pixels around the grid: a stencil may then look two pixels past the edge without a test.
PAD = 2


@dataclass(frozen=True, eq=False)
class System:
    """A·x = b over n unknowns that lie on a grid.

    coefficients: n × len(offsets). offsets: steps in the flattened, padded grid; the middle one is 0 (the diagonal).
    places: flat grid position of each unknown, rising. shape: of the padded grid. Coefficients that would reach a
    pixel that is not unknown are 0.
    """

    coefficients: Floats
    offsets: Ints
    places: Ints
    shape: tuple[int, int]


@kernel
def _multiply(coefficients: Floats, offsets: Ints, places: Ints, grid: Floats, out: Floats) -> float:
    """out = A·x for x held on the grid; returns xᵀA·x."""
    total = 0.0
    width = offsets.shape[0]
    for k in range(places.shape[0]):
        place = places[k]
        value = 0.0
        for j in range(width):
            value += coefficients[k, j] * grid[place + offsets[j]]
        out[k] = value
        total += value * grid[place]
    return total


@kernel
def _smooth(coefficients: Floats, offsets: Ints, places: Ints, b: Floats, grid: Floats, backward: bool) -> None:
    """One Gauss-Seidel sweep on A·x = b, x on the grid, forwards or backwards."""
    n = places.shape[0]
    width = offsets.shape[0]
    middle = width // 2
    for step in range(n):
        k = n - 1 - step if backward else step
        place = places[k]
        value = b[k]
        for j in range(width):
            value -= coefficients[k, j] * grid[place + offsets[j]]
        grid[place] += value / coefficients[k, middle]


@kernel
def _restrict(coefficients: Floats, offsets: Ints, places: Ints, b: Floats, grid: Floats, parents: Ints, coarse: Floats) -> None:
    """coarse = sum over each aggregate of the residual b - A·x."""
    coarse[:] = 0.0
    width = offsets.shape[0]
    for k in range(places.shape[0]):
        place = places[k]
        value = b[k]
        for j in range(width):
            value -= coefficients[k, j] * grid[place + offsets[j]]
        coarse[parents[k]] += value


@kernel
def _prolong(places: Ints, parents: Ints, coarse_places: Ints, coarse_grid: Floats, weight: float, grid: Floats) -> None:
    """x += weight · the coarse answer of each unknown's aggregate."""
    for k in range(places.shape[0]):
        grid[places[k]] += weight * coarse_grid[coarse_places[parents[k]]]


@kernel
def _aggregate(
    coefficients: Floats,
    offsets: Ints,
    places: Ints,
    width: int,
    parents: Ints,
    coarse_places: Ints,
    coarse_width: int,
    index: Ints,
    coarse: Floats,
) -> None:
    """Coarse coefficients: sums of the fine ones between two aggregates. `index`: fine grid place -> unknown or -1."""
    for k in range(places.shape[0]):
        place = places[k]
        parent = parents[k]
        home = coarse_places[parent]
        for j in range(offsets.shape[0]):
            value = coefficients[k, j]
            if value != 0.0:
                other = index[place + offsets[j]]
                step = coarse_places[parents[other]] - home
                # Two fine pixels at most two apart lie in aggregates at most one apart.
                dy = (step + coarse_width + 1) // coarse_width - 1
                dx = step - dy * coarse_width
                coarse[parent, (dy + 1) * 3 + dx + 1] += value


#: Piecewise constant aggregates make the coarse matrix too stiff; its correction is scaled up (Braess, "Towards
#: algebraic multigrid for elliptic problems of second order", Computing 55, 1995).
_OVERCORRECTION = 1.3
_COARSEST = 24


@dataclass(frozen=True, eq=False)
class _Level:
    system: System
    grid: Floats
    right: Floats
    parents: Ints | None


def _coarsen(system: System) -> tuple[System, Ints]:
    height, width = system.shape
    rows, columns = system.places // width, system.places % width
    # The padding must not share an aggregate with a real pixel's neighbours' neighbours: shift by it and pad again.
    coarse_width = (width + 1) // 2 + 2 * PAD
    coarse_height = (height + 1) // 2 + 2 * PAD
    flat = (rows // 2 + PAD) * coarse_width + columns // 2 + PAD
    coarse_places, parents = np.unique(flat, return_inverse=True)
    places, parents = coarse_places.astype(np.int32), parents.astype(np.int32)
    index = np.full(height * width, -1, np.int32)
    index[system.places] = np.arange(system.places.size, dtype=np.int32)
    steps = np.array([dy * coarse_width + dx for dy in (-1, 0, 1) for dx in (-1, 0, 1)], np.int32)
    coarse = np.zeros((places.size, 9))
    _aggregate(system.coefficients, system.offsets, system.places, width, parents, places, coarse_width, index, coarse)
    return System(coarse, steps, places, (coarse_height, coarse_width)), parents


class _VCycle:
    """One symmetric V-cycle as a preconditioner."""

    def __init__(self, system: System) -> None:
        self.levels: list[_Level] = []
        while True:
            n, (height, width) = system.places.size, system.shape
            last = n <= _COARSEST or len(self.levels) == 10
            coarse, parents = (None, None) if last else _coarsen(system)
            self.levels.append(_Level(system, np.zeros(height * width), np.zeros(n), parents))
            if coarse is None or coarse.places.size == n:
                break
            system = coarse

    def apply(self, right: Floats) -> Floats:
        """An approximation of A⁻¹·right as a grid; the array is reused by the next call."""
        return self._cycle(0, right)

    def _cycle(self, depth: int, right: Floats) -> Floats:
        level = self.levels[depth]
        system, grid = level.system, level.grid
        rows = (system.coefficients, system.offsets, system.places)
        grid[system.places] = 0.0
        if depth + 1 == len(self.levels):
            for _ in range(4):
                _smooth(*rows, right, grid, False)
                _smooth(*rows, right, grid, True)
            return grid
        below = self.levels[depth + 1]
        assert level.parents is not None
        _smooth(*rows, right, grid, False)
        _restrict(*rows, right, grid, level.parents, below.right)
        answer = self._cycle(depth + 1, below.right)
        _prolong(system.places, level.parents, below.system.places, answer, _OVERCORRECTION, grid)
        _smooth(*rows, right, grid, True)
        return grid


@dataclass(frozen=True, eq=False)
class Solution:
    """x: the unknowns. iterations: steps taken. residual: |b - A·x| / |b| at the end. converged: below what was asked."""

    x: Floats
    iterations: int
    residual: float
    converged: bool


def solve(system: System, b: Floats, start: Floats, tolerance: float, most: int, progress: Progress = silent) -> Solution:
    """Preconditioned conjugate gradients for A·x = b from `start`, until |b - A·x| ≤ tolerance·|b| or `most` steps.

    Shapes: b, start float64 n. Never raises for a bad system: the caller reads `converged` and decides.
    """
    height, width = system.shape
    rows = (system.coefficients, system.offsets, system.places)
    grid = np.zeros(height * width)
    product = np.empty_like(b)
    x = start.copy()
    grid[system.places] = x
    _multiply(*rows, grid, product)
    residual = b - product
    scale = max(float(np.linalg.norm(b)), 1e-30)
    error = float(np.linalg.norm(residual)) / scale
    if error <= tolerance:
        return Solution(x, 0, error, True)
    cycle = _VCycle(system)
    z = cycle.apply(residual)[system.places]
    direction = z.copy()
    rho = float(residual @ z)
    for iteration in range(1, most + 1):
        progress("alpha", min(1.0, iteration / most))
        grid[system.places] = direction
        curvature = float(_multiply(*rows, grid, product))
        if not (curvature > 0.0 and np.isfinite(curvature)):
            return Solution(x, iteration, error, False)
        step = rho / curvature
        x += step * direction
        residual -= step * product
        error = float(np.linalg.norm(residual)) / scale
        if error <= tolerance:
            return Solution(x, iteration, error, True)
        z = cycle.apply(residual)[system.places]
        old, rho = rho, float(residual @ z)
        direction *= rho / old
        direction += z
    return Solution(x, most, error, False)
