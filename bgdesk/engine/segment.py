"""Source to matte: the network's coarse opacity for the whole photo."""

import cv2
import numpy as np

from bgdesk.core.arrays import Alpha, Pixels
from bgdesk.core.tasks import Progress, silent
from bgdesk.engine.device import Run
from bgdesk.engine.nets import Net, stretch


def segment(pixels: Pixels, net: Net, run: Run, progress: Progress = silent) -> Alpha:
    """The matte of `pixels` (H×W×3 uint8 or uint16), float32 H×W in [0, 1]."""
    progress("network", 0.0)
    height, width = pixels.shape[:2]
    shrinks = height * width > net.side * net.side
    small = cv2.resize(pixels, (net.side, net.side), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    values = small.astype(np.float32)
    if pixels.dtype == np.uint16:
        values *= np.float32(255 / 65535)
    batch = np.ascontiguousarray(net.normalise(values).transpose(2, 0, 1)[None])
    progress("network", 0.1)
    answer = run(batch)[0, 0]
    if net.stretch:
        answer = stretch(answer)
    progress("network", 0.9)
    matte = cv2.resize(answer, (width, height), interpolation=cv2.INTER_CUBIC)
    progress("network", 1.0)
    return np.clip(matte, 0, 1, out=matte)
