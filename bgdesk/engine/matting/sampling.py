"""Sampling-based matting: an alpha for each band pixel from pairs of known colours around it.

Rays go out from every
unknown pixel, turned a little from pixel to pixel so that neighbours look in different directions; the first known
foreground and background on each are its samples. The best pair explains the colours nearby as a mixture, agrees with
how hard it is to walk to either side, and lies close. Each pixel then takes, of
its neighbours' pairs, the three that explain its own colour best. The smoothing that comes last in the paper is left to the matting
Laplacian, which takes this alpha as a data term weighted by its confidence.

References
----------
Gastal & Oliveira, "Shared sampling for real-time alpha matting", Eurographics 2010.
"""

import math
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from bgdesk.core.arrays import Alpha, Trimap
from bgdesk.core.geometry import Size
from bgdesk.core.pixels.resample import by_area
from bgdesk.core.tasks import Progress, silent
from bgdesk.core.trimap import Label
from bgdesk.engine.runtime.kernels import f4, i4, i8, kernel, read, u1

#: Rays from each pixel.
_RAYS = 4
#: A pixel looks at the pairs of neighbours within this many pixels …
_RADIUS = 8
#: … in steps of this many.
_STEP = 2
#: A pair whose colours are nearer than this (squared, of unit range) says little about the mixture.
_APART = 0.02
#: Pairs that miss a colour by less than this (squared, of unit range) explain it equally well.
_NOISE = 1e-3
#: Alphas that differ by less than this (squared) agree.
_AGREE = 0.02
#: Pixels that one job takes.
_STRIP = 8192
#: Of a reduced pixel that stands for several labels: nobody's sample.
_MIXED = 1

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]


@kernel((read(f4[:, :, ::1]), read(u1[:, ::1]), i4[::1], i4[::1], i8, i8, i8, f4[:, ::1], f4[:, ::1], f4[::1]))
def _gather(
    image: Floats, labels: Trimap, ys: Ints, xs: Ints, longest: int, first: int, last: int, f: Floats, b: Floats, found: Floats
) -> None:
    """The best (foreground, background) pair of unknown pixels first to last - 1; `found` is 0 where a side is not seen."""
    height, width = labels.shape
    fy, fx, fd = np.empty(_RAYS, np.int64), np.empty(_RAYS, np.int64), np.empty(_RAYS)
    by, bx, bd = np.empty(_RAYS, np.int64), np.empty(_RAYS, np.int64), np.empty(_RAYS)
    turn = 2.0 * math.pi / _RAYS
    for i in range(first, last):
        y, x = ys[i], xs[i]
        start = ((y % 3) * 3 + x % 3) * turn / 9.0
        fronts = backs = 0
        front_path = back_path = 1e9  # the least colour change along a way to either side
        for ray in range(_RAYS):
            dx, dy = math.cos(start + ray * turn), math.sin(start + ray * turn)
            longer = max(abs(dx), abs(dy))
            dx, dy = dx / longer, dy / longer
            px, py, before_x, before_y = float(x), float(y), x, y
            path = 0.0
            seen_front = seen_back = False
            for _ in range(longest):
                px, py = px + dx, py + dy
                qx, qy = math.floor(px + 0.5), math.floor(py + 0.5)
                if qx < 0 or qy < 0 or qx >= width or qy >= height:
                    break
                for k in range(3):
                    change = image[qy, qx, k] - image[before_y, before_x, k]
                    path += change * change
                before_x, before_y = qx, qy
                label = labels[qy, qx]
                if label == 255 and not seen_front:
                    seen_front = True
                    fy[fronts], fx[fronts], fd[fronts] = qy, qx, math.hypot(qy - y, qx - x)
                    fronts += 1
                    front_path = min(front_path, path)
                elif label == 0 and not seen_back:
                    seen_back = True
                    by[backs], bx[backs], bd[backs] = qy, qx, math.hypot(qy - y, qx - x)
                    backs += 1
                    back_path = min(back_path, path)
                if seen_front and seen_back:
                    break
        found[i] = 0.0
        if fronts == 0 or backs == 0:
            continue
        found[i] = 1.0
        likely = back_path / (front_path + back_path + 1e-12)  # that the pixel belongs to the foreground
        best = 1e30
        for m in range(fronts):
            for n in range(backs):
                b0, b1, b2 = image[by[n], bx[n], 0], image[by[n], bx[n], 1], image[by[n], bx[n], 2]
                g0, g1, g2 = image[fy[m], fx[m], 0] - b0, image[fy[m], fx[m], 1] - b1, image[fy[m], fx[m], 2] - b2
                span = g0 * g0 + g1 * g1 + g2 * g2 + 1e-9
                misfit = own = 0.0
                for qy in range(max(0, y - 1), min(height, y + 2)):
                    for qx in range(max(0, x - 1), min(width, x + 2)):
                        c0, c1, c2 = image[qy, qx, 0] - b0, image[qy, qx, 1] - b1, image[qy, qx, 2] - b2
                        a = min(1.0, max(0.0, (c0 * g0 + c1 * g1 + c2 * g2) / span))
                        misfit += (c0 - a * g0) ** 2 + (c1 - a * g1) ** 2 + (c2 - a * g2) ** 2
                        if qy == y and qx == x:
                            own = a
                agrees = likely + (1.0 - 2.0 * likely) * own
                # The published exponents: fit 3, path 2, distance 1 for the foreground and 4 for the background.
                cost = (misfit + 1e-6) ** 3 * (agrees + 1e-4) ** 2 * fd[m] * bd[n] ** 4
                if cost < best:
                    best = cost
                    for k in range(3):
                        f[i, k] = image[fy[m], fx[m], k]
                        b[i, k] = image[by[n], bx[n], k]


@kernel((read(f4[:, :, ::1]), i4[:, ::1], i8, i4[::1], i4[::1], i8, i8, f4[:, ::1], f4[:, ::1], f4[::1], f4[::1], f4[::1]))
def _choose(
    image: Floats,
    index: Ints,
    step: int,
    ys: Ints,
    xs: Ints,
    first: int,
    last: int,
    f: Floats,
    b: Floats,
    found: Floats,
    alpha: Floats,
    trust: Floats,
) -> None:
    """Alpha and confidence of unknown pixels first to last - 1 from the best three pairs around each.

    `index`: pixel -> pair or -1. Pairs are looked for every `step` pixels: of a grid through (step // 2, step // 2), or
    from the pixel itself on where `step` is _STEP.
    """
    height, width = index.shape
    fit = np.empty(3)
    who = np.empty(3, np.int64)
    front, back = np.empty(3), np.empty(3)
    for i in range(first, last):
        y, x = ys[i], xs[i]
        fit[:] = 1e9
        who[:] = -1
        votes = mean = square = 0.0
        top, left = y - _RADIUS, x - _RADIUS
        if step != _STEP:
            top += (step // 2 - top) % step
            left += (step // 2 - left) % step
        for qy in range(top, y + _RADIUS + 1, step):
            if qy < 0 or qy >= height:
                continue
            for qx in range(left, x + _RADIUS + 1, step):
                if qx < 0 or qx >= width:
                    continue
                j = index[qy, qx]
                if j < 0 or found[j] == 0.0:
                    continue
                span, along = 1e-9, 0.0
                for k in range(3):
                    g = f[j, k] - b[j, k]
                    span += g * g
                    along += g * (image[y, x, k] - b[j, k])
                a = min(1.0, max(0.0, along / span))
                misfit = 0.0
                for k in range(3):
                    misfit += (image[y, x, k] - a * f[j, k] - (1.0 - a) * b[j, k]) ** 2
                vote = (_NOISE / (_NOISE + misfit)) ** 2
                votes += vote
                mean += vote * a
                square += vote * a * a
                if misfit < fit[2]:
                    place = 0 if misfit < fit[0] else (1 if misfit < fit[1] else 2)
                    for later in range(2, place, -1):
                        fit[later], who[later] = fit[later - 1], who[later - 1]
                    fit[place], who[place] = misfit, j
        alpha[i], trust[i] = 0.5, 0.0
        if who[0] < 0:
            continue
        front[:] = 0.0
        back[:] = 0.0
        for place in range(3):
            j = who[place] if who[place] >= 0 else who[0]
            for k in range(3):
                front[k] += f[j, k] / 3.0
                back[k] += b[j, k] / 3.0
        span, along = 1e-9, 0.0
        for k in range(3):
            g = front[k] - back[k]
            span += g * g
            along += g * (image[y, x, k] - back[k])
        a = min(1.0, max(0.0, along / span))
        misfit = 0.0
        for k in range(3):
            misfit += (image[y, x, k] - a * front[k] - (1.0 - a) * back[k]) ** 2
        alpha[i] = a
        # The published confidence, lowered where the two colours are too near to tell a mixture of them.
        trust[i] = math.exp(-10.0 * math.sqrt(misfit)) * min(1.0, span / _APART)
        # Where pairs that explain the colour as well would give another alpha, the colours do not tell.
        spread = max(0.0, square / votes - (mean / votes) ** 2)
        trust[i] *= (_AGREE / (_AGREE + spread)) ** 2


@dataclass(frozen=True, eq=False)
class Samples:
    """What sampling alone says. Known pixels have their label and confidence 1."""

    alpha: Alpha  #: float32 H×W in [0, 1]
    confidence: Alpha  #: float32 H×W in [0, 1]; 0 where nothing was found


def sample_alpha(image: NDArray[np.float32], trimap: Trimap, longest: int, progress: Progress = silent, coarse: int = 1) -> Samples:
    """Find an alpha for every unknown pixel by sampling alone. Runs on all cores.

    Parameters
    ----------
    image
        float32 H×W×3 in [0, 1].
    trimap
        uint8 H×W, values of Label, or others, which are neither known nor asked about.
    longest
        How far a ray goes, in pixels.
    coarse
        Pairs are gathered in the photo reduced by this (1, or an even number), at coarse³ times the speed, and chosen from
        at full size.

    Returns
    -------
    Samples
        Of the photo's size.

    Raises
    ------
    Cancelled
    """
    unknown = trimap == Label.UNKNOWN
    alpha = (trimap == Label.FOREGROUND).astype(np.float32)
    confidence = np.ones(trimap.shape, np.float32)
    ys, xs = (places.astype(np.int32) for places in np.nonzero(unknown))
    n = ys.size
    if n == 0:
        return Samples(alpha, confidence)
    image, trimap = np.ascontiguousarray(image), np.ascontiguousarray(trimap)
    index = np.full(trimap.shape, -1, np.int32)
    if min(trimap.shape) < coarse:  # nothing would be left of it
        coarse = 1
    if coarse == 1:
        places, reduced, labels, step = (ys, xs), image, trimap, _STEP
        index[ys, xs] = np.arange(n, dtype=np.int32)
    else:
        reduced, labels, step = *_reduced(image, trimap, coarse), coarse
        rows, columns = np.nonzero(labels == Label.UNKNOWN)
        places = rows.astype(np.int32), columns.astype(np.int32)
        index[places[0] * coarse + coarse // 2, places[1] * coarse + coarse // 2] = np.arange(places[0].size, dtype=np.int32)
    m = places[0].size
    front, back, found = np.zeros((m, 3), np.float32), np.zeros((m, 3), np.float32), np.zeros(m, np.float32)
    a, trust = np.empty(n, np.float32), np.empty(n, np.float32)

    def strips(count: int) -> list[tuple[int, int]]:
        return [(first, min(first + _STRIP, count)) for first in range(0, count, _STRIP)]

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:

        def gather(strip: tuple[int, int]) -> None:
            _gather(reduced, labels, *places, longest // coarse, *strip, front, back, found)

        def choose(strip: tuple[int, int]) -> None:
            _choose(image, index, step, ys, xs, *strip, front, back, found, a, trust)

        for stage, count in ((gather, m), (choose, n)):
            jobs = [pool.submit(stage, strip) for strip in strips(count)]
            try:
                for job in jobs:
                    job.result()
                    progress("alpha", 0.0)
            except BaseException:
                for job in jobs:
                    job.cancel()
                raise
    alpha[unknown] = a
    confidence[unknown] = trust
    return Samples(alpha, confidence)


def _reduced(image: Floats, trimap: Trimap, coarse: int) -> tuple[Floats, Trimap]:
    """Photo and labels at 1/coarse: known where all pixels agree, unknown where any is, as long as a grid point lies inside."""
    height, width = trimap.shape[0] // coarse, trimap.shape[1] // coarse
    trimap = trimap[: height * coarse, : width * coarse]
    block = np.ones((coarse, coarse), np.uint8)

    low = cv2.erode(trimap, block, anchor=(0, 0))[::coarse, ::coarse]
    high = cv2.dilate(trimap, block, anchor=(0, 0))[::coarse, ::coarse]
    asked = cv2.dilate((trimap == Label.UNKNOWN).astype(np.uint8), block, anchor=(0, 0))[::coarse, ::coarse]
    labels = np.where(low == high, low, np.uint8(_MIXED)).astype(np.uint8)
    labels[asked > 0] = Label.UNKNOWN
    return by_area(image[: height * coarse, : width * coarse], Size(width, height)), labels
