"""Closed-form matting on the band.

Source: Levin, Lischinski, Weiss, "A closed-form solution to natural image matting", PAMI 30 (2008). In every 3×3
window alpha is taken to be affine in the colours, alpha ≈ aᵀI + c, with a ridge ε on a. Minimising over a and c leaves
a quadratic form αᵀLα whose window term is

    L_ij += δ_ij - (1 + (I_i - μ)ᵀ (Σ + ε/9 · 1)⁻¹ (I_j - μ)) / 9.

Only windows that touch the band enter; known pixels move to the right-hand side. A prior p with weight w ≥ 0 a pixel
adds Σ w (α - p)².
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bgdesk.core.arrays import Alpha, Mask
from bgdesk.core.tasks import Progress, silent
from bgdesk.engine.compiled import kernel
from bgdesk.engine.matting.stencil import PAD, Floats, Ints, System, solve

_SPAN = 5  # two pixels of one 3×3 window are at most two apart: a 5×5 stencil
_ROWS = 64


@kernel
def _assemble(image: NDArray[np.float32], index: Ints, epsilon: float, first: int, last: int, coefficients: Floats) -> None:
    """Add the term of every window centred in rows first to last - 1. `index`: padded grid, unknown number or -1."""
    width = image.shape[1]
    d = np.empty((9, 3))
    e = np.empty((9, 3))
    number = np.empty(9, np.int32)
    for y in range(first, last):
        for x in range(1, width - 1):
            any_unknown = False
            for i in range(9):
                number[i] = index[y + i // 3 - 1 + PAD, x + i % 3 - 1 + PAD]
                if number[i] >= 0:
                    any_unknown = True
            if not any_unknown:
                continue
            m0 = m1 = m2 = 0.0
            for i in range(9):
                pixel = image[y + i // 3 - 1, x + i % 3 - 1]
                d[i, 0], d[i, 1], d[i, 2] = pixel[0], pixel[1], pixel[2]
                m0 += d[i, 0]
                m1 += d[i, 1]
                m2 += d[i, 2]
            m0, m1, m2 = m0 / 9.0, m1 / 9.0, m2 / 9.0
            c00 = c11 = c22 = epsilon / 9.0
            c01 = c02 = c12 = 0.0
            for i in range(9):
                a0, a1, a2 = d[i, 0] - m0, d[i, 1] - m1, d[i, 2] - m2
                d[i, 0], d[i, 1], d[i, 2] = a0, a1, a2
                c00 += a0 * a0 / 9.0
                c01 += a0 * a1 / 9.0
                c02 += a0 * a2 / 9.0
                c11 += a1 * a1 / 9.0
                c12 += a1 * a2 / 9.0
                c22 += a2 * a2 / 9.0
            i00 = c11 * c22 - c12 * c12
            i01 = c02 * c12 - c01 * c22
            i02 = c01 * c12 - c02 * c11
            i11 = c00 * c22 - c02 * c02
            i12 = c01 * c02 - c00 * c12
            i22 = c00 * c11 - c01 * c01
            scale = 1.0 / ((c00 * i00 + c01 * i01 + c02 * i02) * 9.0)
            for i in range(9):
                a0, a1, a2 = d[i, 0], d[i, 1], d[i, 2]
                e[i, 0] = (i00 * a0 + i01 * a1 + i02 * a2) * scale
                e[i, 1] = (i01 * a0 + i11 * a1 + i12 * a2) * scale
                e[i, 2] = (i02 * a0 + i12 * a1 + i22 * a2) * scale
            for i in range(9):
                k = number[i]
                if k < 0:
                    continue
                e0, e1, e2 = e[i, 0], e[i, 1], e[i, 2]
                base = 12 - (i // 3) * 5 - i % 3
                for j in range(9):
                    coefficients[k, base + (j // 3) * 5 + j % 3] -= 1.0 / 9.0 + e0 * d[j, 0] + e1 * d[j, 1] + e2 * d[j, 2]
                coefficients[k, 12] += 1.0


@kernel
def _eliminate(coefficients: Floats, offsets: Ints, places: Ints, index: Ints, known: NDArray[np.float32], b: Floats) -> None:
    """Move the known neighbours' share to the right-hand side and cut their coefficients out."""
    for k in range(places.shape[0]):
        for j in range(offsets.shape[0]):
            place = places[k] + offsets[j]
            if index[place] < 0:
                b[k] -= coefficients[k, j] * known[place]
                coefficients[k, j] = 0.0


@dataclass(frozen=True, eq=False)
class Matting:
    """alpha: float32 H×W in [0, 1], equal to the given one outside the band. converged: the solver reached its tolerance."""

    alpha: Alpha
    converged: bool
    iterations: int


def estimate_alpha(
    image: NDArray[np.float32],
    band: Mask,
    alpha: Alpha,
    prior: Alpha | None = None,
    weight: NDArray[np.float32] | None = None,
    *,
    epsilon: float = 1e-7,
    tolerance: float = 1e-4,
    most: int = 200,
    progress: Progress = silent,
) -> Matting:
    """Alpha on the band, from colours and from the known pixels around it.

    image: H×W×3 float32 in [0, 1]. band: bool H×W, the pixels to solve. alpha: H×W; outside the band the known
    values, inside it the guess to start from. prior, weight: H×W, pull band pixels towards prior. epsilon: the ridge;
    colour differences well below √epsilon are taken for noise.
    tolerance: of the relative residual. most: solver steps.
    """
    height, width = band.shape
    n = int(np.count_nonzero(band))
    if n == 0:
        return Matting(alpha.copy(), True, 0)
    shape = (height + 2 * PAD, width + 2 * PAD)
    inner = (slice(PAD, PAD + height), slice(PAD, PAD + width))
    index = np.full(shape, -1, np.int32)
    index[inner][band] = np.arange(n, dtype=np.int32)
    places = np.flatnonzero(index.ravel() >= 0).astype(np.int32)
    offsets = np.array([dy * shape[1] + dx for dy in range(-2, 3) for dx in range(-2, 3)], np.int32)
    coefficients = np.zeros((n, _SPAN * _SPAN))
    image = np.ascontiguousarray(image)
    for first in range(1, height - 1, _ROWS):  # in strips, so that cancelling need not wait for the whole
        progress("alpha", 0.0)
        _assemble(image, index, epsilon, first, min(first + _ROWS, height - 1), coefficients)
    known = np.zeros(shape, np.float32)
    known[inner] = alpha
    b = np.zeros(n)
    progress("alpha", 0.0)
    _eliminate(coefficients, offsets, places, index.ravel(), known.ravel(), b)
    start = alpha[band].astype(np.float64)
    # A pixel in a corner of the picture, or one that only flat windows reach, may have no tie to anything known: a
    # whisper of a pull to its start keeps the system positive.
    pull = np.full(n, 1e-6)
    b += 1e-6 * start
    if prior is not None and weight is not None:
        pull += weight[band]
        b += weight[band].astype(np.float64) * prior[band]
    coefficients[:, _SPAN * _SPAN // 2] += pull
    solution = solve(System(coefficients, offsets, places, shape), b, start, tolerance, most, progress)
    answer = alpha.copy()
    answer[band] = np.clip(solution.x, 0, 1)
    return Matting(answer, solution.converged, solution.iterations)
