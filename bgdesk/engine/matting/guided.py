"""A coarse alpha lifted to the photo's own size along the photo's own edges.

Around every coarse pixel alpha is fitted as an affine function of the colours, alpha ≈ aᵀI + b; a and b, which vary slowly, are
enlarged, and applied to the fine colours. It is the closed-form matting's own model, solved locally: where a solver at
full size has nothing to go by but the coarser answer, it is as good, at a small part of the cost.

References
----------
He, Sun, Tang, "Guided image filtering", PAMI 35 (2013).
He & Sun, "Fast guided filter" (2015).
"""

import os
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
from numpy.typing import NDArray

from bgdesk.core.arrays import Alpha, Mask, Pixels, Trimap
from bgdesk.core.geometry import Rect
from bgdesk.core.tasks import Progress, silent
from bgdesk.core.trimap import Label

Floats = NDArray[np.float32]

#: Radius of the fit's window, in coarse pixels.
_RADIUS = 2
#: The ridge: colour differences below √ε (2.5 8-bit levels) are noise.
_EPSILON = 1e-4
_TILE = 512


def fit(image: Floats, alpha: Floats, radius: int = _RADIUS, epsilon: float = _EPSILON) -> Floats:
    """Fit alpha ≈ aᵀI + b around every pixel.

    Parameters
    ----------
    image
        float32 H×W×3 in [0, 1], or another guide.
    alpha
        float32 H×W.
    radius
        Of the window, in pixels.
    epsilon
        The ridge, in squared units of the guide.

    Returns
    -------
    ndarray
        float32 H×W×4: a (three numbers) and b.
    """
    # Means of products minus products of means: from the tile's own mean on, single precision is enough.
    centre = image.mean(axis=(0, 1), dtype=np.float32)
    planes = cv2.split(image - centre)

    def mean(plane: Floats) -> Floats:
        side = 2 * radius + 1
        return np.asarray(cv2.blur(plane, (side, side), borderType=cv2.BORDER_REFLECT), np.float32)

    m0, m1, m2 = (mean(plane) for plane in planes)
    middle = mean(alpha)
    p0, p1, p2 = (mean(plane * alpha) - m * middle for plane, m in zip(planes, (m0, m1, m2), strict=True))
    r, g, b = planes
    ridge = np.float32(epsilon)
    c00, c11, c22 = mean(r * r) - m0 * m0 + ridge, mean(g * g) - m1 * m1 + ridge, mean(b * b) - m2 * m2 + ridge
    c01, c02, c12 = mean(r * g) - m0 * m1, mean(r * b) - m0 * m2, mean(g * b) - m1 * m2
    i00, i01, i02 = c11 * c22 - c12 * c12, c02 * c12 - c01 * c22, c01 * c12 - c02 * c11
    i11, i12, i22 = c00 * c22 - c02 * c02, c01 * c02 - c00 * c12, c00 * c11 - c01 * c01
    scale = 1 / (c00 * i00 + c01 * i01 + c02 * i02)
    a0 = (i00 * p0 + i01 * p1 + i02 * p2) * scale
    a1 = (i01 * p0 + i11 * p1 + i12 * p2) * scale
    a2 = (i02 * p0 + i12 * p1 + i22 * p2) * scale
    offset = middle - a0 * (m0 + centre[0]) - a1 * (m1 + centre[1]) - a2 * (m2 + centre[2])
    # The mean over all windows that a pixel is in.
    return mean(cv2.merge([a0, a1, a2, offset]))


def lift(pixels: Pixels, trimap: Trimap, small: Pixels, coarse: Alpha, fine: Mask, progress: Progress = silent) -> Alpha:
    """Lift a coarse alpha to the photo's own size, in tiles, on all cores.

    Parameters
    ----------
    pixels
        H×W×3 uint8 or uint16.
    trimap
        uint8 H×W, values of Label.
    small, coarse
        The photo and its alpha at a lower size of the same shape.
    fine
        bool, the size of `coarse`: where the photo's colours are asked. On the rest of the band the coarse alpha is
        enlarged as it is.

    Returns
    -------
    ndarray
        float32 H×W, exactly 0 and 1 where the trimap is known.

    Raises
    ------
    Cancelled
    """
    whole, under = Rect.of_shape(trimap.shape), Rect.of_shape(coarse.shape)
    sx, sy = under.width / whole.width, under.height / whole.height
    full = np.float32(1 / np.iinfo(pixels.dtype).max)
    alpha = np.empty(trimap.shape, np.float32)

    def one(tile: Rect) -> None:
        labels = trimap[tile.slices]
        band = labels == Label.UNKNOWN
        if not band.any():
            np.equal(labels, Label.FOREGROUND, out=alpha[tile.slices], casting="unsafe")
            return
        covered = Rect(int(tile.left * sx), int(tile.top * sy), int(np.ceil(tile.right * sx)), int(np.ceil(tile.bottom * sy)))
        window = covered.grow(2 * _RADIUS + 2).intersect(under)
        move = np.array([[sx, 0, (tile.left + 0.5) * sx - 0.5 - window.left], [0, sy, (tile.top + 0.5) * sy - 0.5 - window.top]])

        def enlarged(part: Floats, how: int) -> Floats:
            larger = cv2.warpAffine(part, move, tile.size, flags=how | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE)
            return np.asarray(larger, np.float32)

        answer = enlarged(coarse[window.slices], cv2.INTER_LINEAR)
        if fine[window.slices].any():
            model = enlarged(fit(small[window.slices] * full, coarse[window.slices]), cv2.INTER_LINEAR)
            here = band & (enlarged(fine[window.slices].astype(np.float32), cv2.INTER_NEAREST) > 0)
            factors, colours = model[here], pixels[tile.slices][here] * full
            answer[here] = np.clip(np.einsum("nc,nc->n", factors[:, :3], colours) + factors[:, 3], 0, 1)
        alpha[tile.slices] = np.where(band, answer, labels == Label.FOREGROUND)

    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        jobs = [pool.submit(one, tile) for tile in whole.tiles(_TILE)]
        try:
            for job in jobs:
                job.result()
                progress("alpha", 1.0)
        except BaseException:
            for job in jobs:
                job.cancel()
            raise
    return alpha
