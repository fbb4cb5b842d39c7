"""Proof that a device gives the CPU's answer, made when the device is first used on a machine."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bgdesk.core.arrays import Alpha
from bgdesk.core.geometry import Size
from bgdesk.engine.networks.device import Device, Run
from bgdesk.engine.networks.nets.architectures import stretch
from bgdesk.engine.networks.network import Net

#: Most that an answer may differ from the CPU's fp32 answer anywhere, in units of opacity. On the sample, fp16 differs by
#: 0.001, the CPU's own bf16 by 0.014.
MOST_ANYWHERE = 2e-2
#: Most that an answer may differ on average. On the sample, fp16 differs by 0.000005, the CPU's own bf16 by 0.0001.
MOST_ON_AVERAGE = 2e-3


@dataclass(frozen=True)
class Difference:
    """Between two mattes, in units of opacity."""

    worst: float  #: at the place where it is largest
    mean: float  #: on average

    @classmethod
    def between(cls, answer: Alpha, expected: Alpha) -> "Difference":
        gap = np.abs(answer - expected)
        return cls(float(gap.max()), float(gap.mean()))

    @property
    def ok(self) -> bool:
        """Whether the two count as the same answer; False for NaN, too."""
        return self.worst <= MOST_ANYWHERE and self.mean <= MOST_ON_AVERAGE

    def __str__(self) -> str:
        return f"by up to {self.worst:.3f}, and by {self.mean:.4f} on average"


class Unproven(Exception):
    """The device does not start, or gives another answer than the CPU; the text says which, as a clause."""


def sample(size: Size) -> NDArray[np.float32]:
    """A picture to try networks on: a round subject with a soft rim before a backdrop with some grain.

    Returns
    -------
    ndarray
        float32 H×W×3 in [0, 255].
    """
    ys, xs = np.mgrid[: size.height, : size.width].astype(np.float32)
    x, y = xs / size.width - 0.5, ys / size.height - 0.5
    alpha = np.clip((0.3 - np.hypot(x, y)) * 20 + 0.5, 0, 1)[..., None]
    front = np.stack([200 + 40 * x, 120 + 60 * y, 60 + 20 * np.sin(40 * x)], -1)
    grain = 6 * np.sin(97 * x + 61 * y) * np.sin(53 * y - 31 * x)
    back = np.stack([60 + 30 * y + grain, 90 + 40 * x + grain, 140 - 30 * y + grain], -1)
    picture: NDArray[np.float32] = (alpha * front + (1 - alpha) * back).astype(np.float32)
    return picture


def key(sha256: str, device: Device) -> str:
    """What a proof holds for: another device, precision, torch or network file (sha256) is proved anew."""
    import torch

    return " | ".join((device.kind, device.name, device.precision, torch.__version__, sha256))


def prove(net: Net, run: Run, reference: Callable[[], Run]) -> Difference:
    """Compare `run`'s answer to the sample with the CPU's in fp32, which is opened only for this. Raises Unproven."""
    size = net.size_for(Size(1, 1))
    batch = np.ascontiguousarray(net.normalise(sample(size)).transpose(2, 0, 1)[None])
    answers = [stretch(answer) if net.stretch else answer for answer in (run(batch)[0, 0], reference()(batch)[0, 0])]
    found = Difference.between(*answers)
    if not found.ok:
        raise Unproven(f"its answer to a sample differs from the CPU's {found}")
    return found
