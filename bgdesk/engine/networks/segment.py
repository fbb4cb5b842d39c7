"""Source to matte: the network's coarse opacity for the whole photo."""

import numpy as np

from bgdesk.core.arrays import Alpha, Pixels
from bgdesk.core.geometry import Size
from bgdesk.core.pixels.resample import by_area, cubic, linear
from bgdesk.core.recipe import Quality
from bgdesk.core.tasks import Progress, silent
from bgdesk.engine.networks.device import Run
from bgdesk.engine.networks.nets.architectures import stretch
from bgdesk.engine.networks.network import Net

#: What FAST gives the network, relative to its own size.
_FAST = 0.75
#: The shorter side in pixels of the mirror image that is looked at to see whether the network agrees with itself.
_SECOND = 384
#: Opacities nearer to 0 or 1 than this count as this near when two are averaged.
_SURE = np.float32(1e-3)


def segment(pixels: Pixels, net: Net, run: Run, progress: Progress = silent, quality: Quality = Quality.BALANCED) -> Alpha:
    """Ask the network for a photo's matte.

    Parameters
    ----------
    pixels
        H×W×3 uint8 or uint16.
    net, run
        The network.
    quality
        FAST gives the network a smaller photo; BEST joins the photo's matte and that of its mirror image.

    Returns
    -------
    ndarray
        float32 H×W in [0, 1].

    Raises
    ------
    Cancelled, ModelError, OutOfMemory
    """
    progress("network", 0.0)
    photo = Size(pixels.shape[1], pixels.shape[0])
    size = net.size_for(photo, _FAST if quality is Quality.FAST else 1.0)
    answer = _ask(pixels, size, net, run, progress, 0.0)
    if quality is Quality.BEST:
        mirrored = _ask(pixels[:, ::-1], net.size_for(photo, net.mirror), net, run, progress, 0.5)[:, ::-1]
        answer = _joined(answer, linear(np.ascontiguousarray(mirrored), size))
    progress("network", 0.95)
    matte: Alpha = np.clip(cubic(answer, photo), 0, 1)
    progress("network", 1.0)
    return matte


def mirrored(pixels: Pixels, net: Net, run: Run, progress: Progress = silent) -> Alpha:
    """Ask the network about a small mirror image of a photo.

    Parameters
    ----------
    pixels
        H×W×3 uint8 or uint16.
    net, run
        The network; one of a fixed size is given that size.

    Returns
    -------
    ndarray
        The answer turned back, float32 in [0, 1], at the size that the network was given.

    Raises
    ------
    Cancelled, ModelError, OutOfMemory
    """
    photo = Size(pixels.shape[1], pixels.shape[0])
    step = max(1, min(photo) // (3 * _SECOND))  # nothing finer will be seen: a large photo need not be read in full
    size = net.size_for(photo, min(1.0, _SECOND / min(net.size_for(photo))))
    return np.clip(_ask(pixels[::step, ::step][:, ::-1], size, net, run, progress, 0.0)[:, ::-1], 0, 1)


def _ask(pixels: Pixels, size: Size, net: Net, run: Run, progress: Progress, done: float) -> Alpha:
    """The network's answer at its own size."""
    progress("network", done)
    small = by_area(pixels, size) if pixels.shape[0] * pixels.shape[1] > size.area else linear(pixels, size)
    values = small.astype(np.float32)
    if pixels.dtype == np.uint16:
        values *= np.float32(255 / 65535)
    progress("network", done + 0.1)
    answer = run(np.ascontiguousarray(net.normalise(values).transpose(2, 0, 1)[None]))[0, 0]
    return stretch(answer) if net.stretch else answer


def _joined(first: Alpha, second: Alpha) -> Alpha:
    """The mean of two opacities as log odds: the surer one has more weight."""
    odds = [np.log(sure / (1 - sure)) for sure in (np.clip(answer, _SURE, 1 - _SURE) for answer in (first, second))]
    opacity = 1 / (1 + np.exp(np.float32(-0.5) * (odds[0] + odds[1])))
    joined: Alpha = (opacity - _SURE) / (1 - 2 * _SURE)
    return joined
