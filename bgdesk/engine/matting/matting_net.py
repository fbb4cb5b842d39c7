"""Alpha from a trimap by a matting network, such as ViTMatte, at bounded memory.

A photo that the network can take at once is given to it whole. A larger one is first solved small, so that every place
is judged in sight of the whole; full size is then worked out in overlapping windows, where the small answer has
structure to refine.

References
----------
Yao et al., "ViTMatte: Boosting image matting with pretrained plain vision transformers", Information Fusion 103 (2024).
"""

import numpy as np
from numpy.typing import NDArray

from bgdesk.core.arrays import Alpha, Pixels, Trimap
from bgdesk.core.geometry import Rect, Size
from bgdesk.core.pixels.resample import by_area, linear, nearest
from bgdesk.core.tasks import Progress, silent
from bgdesk.core.trimap import SURE_BACKGROUND, SURE_FOREGROUND, Label
from bgdesk.engine.matting.tiles import pinned, structure
from bgdesk.engine.networks.device import Run
from bgdesk.engine.networks.network import MattingNet

#: Windows overlap by twice this share of their sides, and fade into each other there.
_OVERLAP = 1 / 8


def matte(pixels: Pixels, trimap: Trimap, net: MattingNet, run: Run, progress: Progress = silent) -> Alpha:
    """Work out alpha with a matting network.

    Parameters
    ----------
    pixels
        H×W×3 uint8 or uint16.
    trimap
        uint8 H×W, values of Label.
    net, run
        The network.

    Returns
    -------
    ndarray
        float32 H×W, exactly 0 and 1 where the trimap is known.

    Raises
    ------
    ModelError, OutOfMemory, Cancelled
    """
    progress("alpha", 0.0)
    whole, most = Size(trimap.shape[1], trimap.shape[0]), net.size
    if not (trimap == Label.UNKNOWN).any():
        return pinned(trimap, np.zeros(trimap.shape, np.float32))
    if whole.width <= most.width and whole.height <= most.height:
        return pinned(trimap, _ask(pixels, trimap, net, run))
    scale = min(most.width / whole.width, most.height / whole.height)
    small = Size(max(1, int(whole.width * scale)), max(1, int(whole.height * scale)))
    coarse_trimap = _reduced(trimap, small)
    coarse = pinned(coarse_trimap, _ask(by_area(pixels, small), coarse_trimap, net, run))
    alpha = pinned(trimap, linear(coarse, whole))
    fine = (trimap == Label.UNKNOWN) & (nearest(structure(coarse), whole) > 0)
    _refine(pixels, trimap, alpha, fine, net, run, progress)
    return alpha


def _refine(pixels: Pixels, trimap: Trimap, alpha: Alpha, fine: NDArray[np.bool_], net: MattingNet, run: Run, progress: Progress) -> None:
    """Work `alpha` out anew where `fine` is True, in place, window by window."""
    overlap = Size(int(net.size.width * _OVERLAP), int(net.size.height * _OVERLAP))
    step = Size(net.size.width - 2 * overlap.width, net.size.height - 2 * overlap.height)
    # Beyond the fine places the small answer is final: where it is sure, it tells the network what is known.
    known = trimap.copy()
    settled = (trimap == Label.UNKNOWN) & ~fine
    known[settled & (alpha >= SURE_FOREGROUND)] = Label.FOREGROUND
    known[settled & (alpha <= SURE_BACKGROUND)] = Label.BACKGROUND
    bounds = Rect.of_shape(trimap.shape)
    tiles = [
        Rect(left, top, min(left + step.width, bounds.right), min(top + step.height, bounds.bottom))
        for top in range(0, bounds.bottom, step.height)
        for left in range(0, bounds.right, step.width)
    ]
    tiles = [tile for tile in tiles if fine[tile.slices].any()]
    for number, tile in enumerate(tiles):
        progress("alpha", number / len(tiles))
        window = Rect(
            tile.left - overlap.width, tile.top - overlap.height, tile.right + overlap.width, tile.bottom + overlap.height
        ).intersect(bounds)
        if (known[window.slices] == Label.UNKNOWN).all():  # nothing to go by: the small answer has seen more
            continue
        answer = _ask(pixels[window.slices], known[window.slices], net, run)
        before = alpha[window.slices]
        share = _fade(window, tile, bounds) * fine[window.slices]
        before += share * (answer - before)
    progress("alpha", 1.0)


def _fade(window: Rect, tile: Rect, bounds: Rect) -> NDArray[np.float32]:
    """1 on the tile, falling to 0 at the window's border; no fall where the window ends with the photo."""

    def axis(low: int, high: int, inner_low: int, inner_high: int, end: int) -> NDArray[np.float32]:
        places = np.arange(low, high, dtype=np.float32)
        rise = np.ones_like(places) if low == 0 else (places - low) / max(1, inner_low - low)
        fall = np.ones_like(places) if high == end else (high - 1 - places) / max(1, high - inner_high)
        return np.clip(np.minimum(rise, fall), 0, 1)

    across = axis(window.left, window.right, tile.left, tile.right, bounds.right)
    down = axis(window.top, window.bottom, tile.top, tile.bottom, bounds.bottom)
    return np.minimum(down[:, None], across[None, :])


def _reduced(trimap: Trimap, size: Size) -> Trimap:
    """Known only where all the pixels it stands for agree."""
    mean = by_area(trimap, size)
    small = np.full(mean.shape, Label.UNKNOWN, np.uint8)
    small[mean == Label.FOREGROUND] = Label.FOREGROUND
    small[mean == Label.BACKGROUND] = Label.BACKGROUND
    return small


def _ask(pixels: Pixels, trimap: Trimap, net: MattingNet, run: Run) -> Alpha:
    """The network's answer for a piece no larger than its size; the piece is padded to what the network takes."""
    height, width = trimap.shape
    colours = pixels.astype(np.float32)
    if pixels.dtype == np.uint16:
        colours *= np.float32(255 / 65535)
    # 0, one half and 1, as matting networks are trained; the label 128 is a little more than one half of 255.
    labels = np.where(trimap == Label.UNKNOWN, np.float32(0.5), trimap.astype(np.float32) / 255)
    planes = np.concatenate([net.normalise(colours), labels[..., None]], -1)
    full = net.padded(Size(width, height))
    padded = np.pad(planes, ((0, full.height - height), (0, full.width - width), (0, 0)), mode="edge")
    answer: Alpha = run(np.ascontiguousarray(padded.transpose(2, 0, 1)[None]))[0, 0, :height, :width]
    return answer
