"""Source to matte: the network's coarse opacity for the whole photo."""

import numpy as np

from bgdesk.core.arrays import Alpha, Pixels
from bgdesk.core.geometry import Size
from bgdesk.core.resample import by_area, cubic, linear
from bgdesk.core.tasks import Progress, silent
from bgdesk.engine.device import Run
from bgdesk.engine.nets import Net, stretch
from bgdesk.engine.onnx_net import OnnxNet


def segment(pixels: Pixels, net: Net | OnnxNet, run: Run, progress: Progress = silent) -> Alpha:
    """The matte of `pixels` (H×W×3 uint8 or uint16), float32 H×W in [0, 1]."""
    progress("network", 0.0)
    height, width = pixels.shape[:2]
    side = net.size_for(Size(width, height))
    small = by_area(pixels, side) if height * width > side.area else linear(pixels, side)
    values = small.astype(np.float32)
    if pixels.dtype == np.uint16:
        values *= np.float32(255 / 65535)
    batch = np.ascontiguousarray(net.normalise(values).transpose(2, 0, 1)[None])
    progress("network", 0.1)
    answer = run(batch)[0, 0]
    if net.stretch:
        answer = stretch(answer)
    progress("network", 0.9)
    matte: Alpha = np.clip(cubic(answer, Size(width, height)), 0, 1)
    progress("network", 1.0)
    return matte
