"""Proof that a device gives the CPU's answer, made when it is first used on a machine."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from bgdesk.core.arrays import Alpha
from bgdesk.core.geometry import Size
from bgdesk.engine.networks.device import Device, Run
from bgdesk.engine.networks.nets import Net, stretch
from bgdesk.engine.networks.onnx_net import sample
from bgdesk.engine.networks.weights import Weights

#: Most that a matte may differ from the CPU's fp32 answer, anywhere and on the mean, in units of opacity. On the sample,
#: fp16 differs by 0.001 and 0.000005, the CPU's own bf16 by 0.014 and 0.0001.
MOST_ANYWHERE, MOST_ON_MEAN = 2e-2, 2e-3


@dataclass(frozen=True)
class Difference:
    """Between two mattes: at worst, and on the mean."""

    worst: float
    mean: float

    @classmethod
    def between(cls, answer: Alpha, expected: Alpha) -> "Difference":
        gap = np.abs(answer - expected)
        return cls(float(gap.max()), float(gap.mean()))

    @property
    def ok(self) -> bool:
        """False for NaN, too."""
        return self.worst <= MOST_ANYWHERE and self.mean <= MOST_ON_MEAN


class Proven(Protocol):
    """What has been proved on this machine: a set of keys."""

    def __contains__(self, key: object) -> bool: ...
    def add(self, key: str, /) -> None: ...


class Unproven(Exception):
    """The device gives another answer; the text says by how much."""


def key(weights: Weights, device: Device) -> str:
    """What a proof holds for: another card, precision, torch or network is proved anew."""
    import torch

    return " | ".join((device.kind, device.name, device.precision, torch.__version__, weights.sha256))


def prove(net: Net, run: Run, reference: Callable[[], Run]) -> Difference:
    """`run`'s answer to a drawn sample against that of the CPU in fp32, which is made only for this. Raises Unproven."""
    size = net.size_for(Size(1, 1))
    batch = np.ascontiguousarray(net.normalise(sample(size)).transpose(2, 0, 1)[None])
    answers = [stretch(answer) if net.stretch else answer for answer in (run(batch)[0, 0], reference()(batch)[0, 0])]
    found = Difference.between(*answers)
    if not found.ok:
        raise Unproven(f"by {found.worst:.3f} at worst and {found.mean:.4f} on the mean")
    return found
