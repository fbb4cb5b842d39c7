"""Closed-form matting on the band.

In every 3×3 window alpha is taken to be affine in the colours, alpha ≈ aᵀI + c, with a ridge ε on a. Minimising over a and c leaves
a quadratic form αᵀLα whose window term is

    L_ij += δ_ij - (1 + (I_i - μ)ᵀ (Σ + ε/9 · 1)⁻¹ (I_j - μ)) / 9.

Only windows that touch the band enter; known pixels move to the right-hand side. A prior p with weight w ≥ 0 a pixel
adds Σ w (α - p)².

References
----------
Levin, Lischinski, Weiss, "A closed-form solution to natural image matting", PAMI 30 (2008).
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from bgdesk.core.arrays import Alpha, Mask
from bgdesk.core.tasks import Progress, silent
from bgdesk.engine.matting.solver import solve
from bgdesk.engine.matting.spans import PAD, Floats, Ints, System, find_spans, spread
from bgdesk.engine.runtime.kernels import b1, f4, f8, i4, i8, kernel, read

_RADIUS = 2  # two pixels of one 3×3 window are at most two apart: each is coupled with its 5×5 neighbourhood
_MANY = 25
_HALF = 13  # the neighbourhood from its middle on; the other half mirrors it
_CHUNK = 128
_ROWS = 64


@kernel((read(f4[:, :, ::1]), i8, i8, i8, i8, f8, f4[:, ::1], f8[::1]))
def _windows(image: Floats, nine: int, y: int, left: int, right: int, epsilon: float, whitened: Floats, wide: NDArray[np.float64]) -> None:
    """The whitened colours of the windows centred in row y, columns left to right - 1.

    image: 3 × H × W. whitened: 9 × 3·_CHUNK, three numbers for each of a window's nine pixels, such that their scalar
    products are (I_i - μ)ᵀ (Σ + ε/9 · 1)⁻¹ (I_j - μ) / 9. wide: 9·_CHUNK, working space in double precision, which
    the variance of near-equal colours needs.
    """
    n = right - left
    m, c = wide[: 3 * _CHUNK], wide[3 * _CHUNK :]
    wide[:] = 0.0
    for i in range(nine):
        row, at = y + i // 3 - 1, left + i % 3 - 1
        r, g, b = image[0, row, at : at + n], image[1, row, at : at + n], image[2, row, at : at + n]
        for t in range(n):
            m[t] += r[t] / 9.0
            m[t + _CHUNK] += g[t] / 9.0
            m[t + 2 * _CHUNK] += b[t] / 9.0
    for i in range(nine):
        row, at = y + i // 3 - 1, left + i % 3 - 1
        r, g, b = image[0, row, at : at + n], image[1, row, at : at + n], image[2, row, at : at + n]
        for t in range(n):
            d0, d1, d2 = r[t] - m[t], g[t] - m[t + _CHUNK], b[t] - m[t + 2 * _CHUNK]
            c[t] += d0 * d0
            c[t + _CHUNK] += d0 * d1
            c[t + 2 * _CHUNK] += d0 * d2
            c[t + 3 * _CHUNK] += d1 * d1
            c[t + 4 * _CHUNK] += d1 * d2
            c[t + 5 * _CHUNK] += d2 * d2
    # Cholesky's factor of Σ·9 + ε·1, its diagonal inverted; solving with it whitens, and the nines cancel.
    for t in range(n):
        l00 = 1.0 / math.sqrt(c[t] + epsilon)
        l10, l20 = c[t + _CHUNK] * l00, c[t + 2 * _CHUNK] * l00
        l11 = 1.0 / math.sqrt(c[t + 3 * _CHUNK] - l10 * l10 + epsilon)
        l21 = (c[t + 4 * _CHUNK] - l10 * l20) * l11
        c[t], c[t + _CHUNK], c[t + 2 * _CHUNK], c[t + 3 * _CHUNK], c[t + 4 * _CHUNK] = l00, l10, l20, l11, l21
        c[t + 5 * _CHUNK] = 1.0 / math.sqrt(c[t + 5 * _CHUNK] - l20 * l20 - l21 * l21 + epsilon)
    for i in range(nine):
        row, at = y + i // 3 - 1, left + i % 3 - 1
        r, g, b = image[0, row, at : at + n], image[1, row, at : at + n], image[2, row, at : at + n]
        w = whitened[i]
        for t in range(n):
            w0 = (r[t] - m[t]) * c[t]
            w1 = (g[t] - m[t + _CHUNK] - c[t + _CHUNK] * w0) * c[t + 3 * _CHUNK]
            w[t], w[t + _CHUNK] = w0, w1
            w[t + 2 * _CHUNK] = (b[t] - m[t + 2 * _CHUNK] - c[t + 2 * _CHUNK] * w0 - c[t + 4 * _CHUNK] * w1) * c[t + 5 * _CHUNK]


@kernel((read(f4[:, :, ::1]), b1[:, ::1], f8, i8, i8, i8, f4[:, :, ::1], i4[::1], i4[::1], f4[::1]))
def _assemble(
    image: Floats,
    touched: Mask,
    epsilon: float,
    nine: int,
    top: int,
    bottom: int,
    ring: Floats,
    starts: Ints,
    firsts: Ints,
    out: Floats,
) -> None:
    """The coefficients (without their middle) of all span pixels whose rows are complete with windows centred in rows top to bottom - 1.

    touched: windows (by their centre) that hold an unknown pixel. ring: 5 × _HALF × W, the half neighbourhoods of the last five rows, kept
    from strip to strip. out: as System.coefficients.
    """
    height, width = touched.shape
    whitened = np.empty((9, 3 * _CHUNK), np.float32)
    wide = np.empty(9 * _CHUNK)
    ninth = np.float32(1.0 / 9.0)
    span = 0
    for y in range(top, bottom):
        ring[(y + 1) % 5] = 0
        x = 1
        while x < width - 1 and 0 < y < height - 1:
            if not touched[y, x]:
                x += 1
                continue
            left = x
            while x < width - 1 and x - left < _CHUNK and touched[y, x]:
                x += 1
            n = x - left
            _windows(image, nine, y, left, x, epsilon, whitened, wide)
            for i in range(nine):
                a = whitened[i]
                rows = ring[(y + i // 3 - 1) % 5]
                at = left + i % 3 - 1
                for j in range(i + 1, nine):
                    b = whitened[j]
                    pairs = rows[(j // 3 - i // 3) * 5 + j % 3 - i % 3, at : at + n]
                    for t in range(n):
                        pairs[t] -= ninth + a[t] * b[t] + a[t + _CHUNK] * b[t + _CHUNK] + a[t + 2 * _CHUNK] * b[t + 2 * _CHUNK]
        # Row y - 1 has all its windows now.
        done = y - 1
        while span < starts.shape[0] and starts[span] // (width + 2 * PAD) - PAD < done:
            span += 1
        while span < starts.shape[0] and starts[span] // (width + 2 * PAD) - PAD == done:
            first = firsts[span]
            length = firsts[span + 1] - first
            x0 = starts[span] % (width + 2 * PAD) - PAD
            for j in range(1, _HALF):
                dy, dx = (j + 2) // 5, (j + 2) % 5 - 2
                ahead = out[(first * 25 + (12 + j) * length) : (first * 25 + (13 + j) * length)]
                behind = out[(first * 25 + (12 - j) * length) : (first * 25 + (13 - j) * length)]
                ahead[:] = ring[done % 5, j, x0 : x0 + length]
                for t in range(length):
                    from_x = x0 + t - dx
                    behind[t] = ring[(done - dy) % 5, j, from_x] if 0 <= from_x < width and done >= dy else np.float32(0)
            span += 1


@kernel((f4[::1], i4[::1], i4[::1], i8, f4[::1], f4[::1], f4[::1], f4[::1], f4[::1]))
def _pin(
    out: Floats, starts: Ints, firsts: Ints, width: int, unknown: Floats, alpha: Floats, pull: Floats, goal: Floats, right: Floats
) -> float:
    """Make the diagonal, cut the known neighbours out, and fill the right-hand side for alpha's correction.

    unknown (0 or 1), alpha, pull, goal: padded grids, flat. A row sums to its pull exactly, so that constants are kept. Returns the square
    of the right-hand side's length as it were for alpha itself.
    """
    size = 0.0
    for span in range(starts.shape[0]):
        first, start = firsts[span], starts[span]
        length = firsts[span + 1] - first
        own, here, weight = unknown[start : start + length], alpha[start : start + length], pull[start : start + length]
        misfit = right[first : first + length]
        share = np.zeros(length, np.float32)
        middle = out[first * 25 + 12 * length : first * 25 + 13 * length]
        middle[:] = 0
        for t in range(length):
            misfit[t] = weight[t] * (goal[start + t] - here[t])
            share[t] = weight[t] * goal[start + t]
        for j in range(25):
            if j == 12:
                continue
            row = out[first * 25 + j * length : first * 25 + (j + 1) * length]
            near = start + (j // 5 - 2) * width + j % 5 - 2
            theirs, there = unknown[near : near + length], alpha[near : near + length]
            for t in range(length):
                middle[t] -= row[t]
                misfit[t] -= row[t] * (there[t] - here[t])
                share[t] -= row[t] * there[t] * (np.float32(1) - theirs[t])
                row[t] *= theirs[t] * own[t]
        for t in range(length):
            middle[t] = (middle[t] + weight[t]) * own[t]
            misfit[t] *= own[t]
            size += share[t] * share[t] * own[t]
    return size


def _padded(plane: Floats | Mask) -> Floats:
    """A flat copy with PAD pixels of 0 around it."""
    return np.pad(plane.astype(np.float32, copy=False), PAD).ravel()


@dataclass(frozen=True, eq=False)
class Matting:
    """What the solver found."""

    alpha: Alpha  #: float32 H×W in [0, 1], equal to the given one outside the band
    converged: bool  #: the solver reached its tolerance
    iterations: int  #: steps taken


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
    """Solve alpha on the band, from colours and from the known pixels around it.

    Parameters
    ----------
    image
        float32 H×W×3 in [0, 1].
    band
        bool H×W, the pixels to solve.
    alpha
        float32 H×W in [0, 1]: the known values outside the band, the guess to start from inside it.
    prior
        float32 H×W in [0, 1], what band pixels are pulled to.
    weight
        float32 H×W, at least 0: how strongly they are pulled.
    epsilon
        The ridge: colour differences well below √epsilon are taken for noise.
    tolerance
        Of the relative residual.
    most
        Solver steps, at most.

    Returns
    -------
    Matting
        With the last step's alpha where the solver did not converge.

    Raises
    ------
    Cancelled
    """
    height, width = band.shape
    if not band.any():
        return Matting(alpha.copy(), True, 0)
    planes = np.ascontiguousarray(np.moveaxis(image, 2, 0), np.float32)
    touched = cv2.dilate(band.view(np.uint8), np.ones((3, 3), np.uint8)).view(bool)
    spans = find_spans(band)
    coefficients = np.empty(spans.size * _MANY, np.float32)
    ring = np.zeros((5, _HALF, width), np.float32)
    for top in range(0, height + 1, _ROWS):  # in strips, so that cancelling need not wait for the whole
        progress("alpha", 0.0)
        _assemble(planes, touched, epsilon, 9, top, min(top + _ROWS, height + 1), ring, spans.starts, spans.firsts, coefficients)
    # A pixel in a corner of the picture, or one that only flat windows reach, may have no tie to anything known: a
    # whisper of a pull to its start keeps the system positive.
    pull, goal = np.full((height, width), 1e-6, np.float32), alpha
    if prior is not None and weight is not None:
        pull += weight
        goal = alpha + weight / pull * (prior - alpha)
    right = np.empty(spans.size, np.float32)
    known = _padded(alpha)
    size = _pin(coefficients, spans.starts, spans.firsts, spans.shape[1], _padded(band), known, _padded(pull), _padded(goal), right)
    solution = solve(System(spans, coefficients, _RADIUS), band, right, math.sqrt(size), tolerance, most, progress)
    spread(spans, solution.x, known)
    answer = known.reshape(spans.shape)[PAD:-PAD, PAD:-PAD]
    return Matting(np.where(band, np.clip(answer, 0, 1), alpha), solution.converged, solution.iterations)
