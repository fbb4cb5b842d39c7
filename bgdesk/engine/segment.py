"""Source to matte: the network's coarse opacity for the whole photo."""

import numpy as np

from bgdesk.core.arrays import Alpha, Pixels
from bgdesk.core.geometry import Size
from bgdesk.core.recipe import Quality
from bgdesk.core.resample import by_area, cubic, linear
from bgdesk.core.tasks import Progress, silent
from bgdesk.engine.device import Run
from bgdesk.engine.nets import Net, stretch
from bgdesk.engine.onnx_net import OnnxNet

#: What `fast` gives the network, relative to its own size.
_FAST = 0.625


def segment(pixels: Pixels, net: Net | OnnxNet, run: Run, progress: Progress = silent, quality: Quality = Quality.BALANCED) -> Alpha:
    """The matte of `pixels` (H×W×3 uint8 or uint16), float32 H×W in [0, 1].

    quality: BEST takes the mean of the photo's matte and its mirror image's, turned back.
    """
    progress("network", 0.0)
    height, width = pixels.shape[:2]
    size = net.size_for(Size(width, height), _FAST if quality is Quality.FAST else 1.0)
    small = by_area(pixels, size) if height * width > size.area else linear(pixels, size)
    values = small.astype(np.float32)
    if pixels.dtype == np.uint16:
        values *= np.float32(255 / 65535)
    batch = net.normalise(values).transpose(2, 0, 1)[None]
    progress("network", 0.1)
    answer = _ask(batch, net, run)
    if quality is Quality.BEST:
        progress("network", 0.5)
        answer = np.float32(0.5) * (answer + _ask(batch[..., ::-1], net, run)[:, ::-1])
    progress("network", 0.9)
    matte: Alpha = np.clip(cubic(np.ascontiguousarray(answer), Size(width, height)), 0, 1)
    progress("network", 1.0)
    return matte


def _ask(batch: Alpha, net: Net | OnnxNet, run: Run) -> Alpha:
    answer = run(np.ascontiguousarray(batch))[0, 0]
    return stretch(answer) if net.stretch else answer
