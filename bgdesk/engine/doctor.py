"""Proof on the person's own machine: does the chosen device give the CPU's answer?"""

import platform
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

import numpy as np

from bgdesk.core.arrays import Pixels
from bgdesk.core.tasks import Progress, silent
from bgdesk.engine.pipeline import EngineStatus, Pipeline

#: Most that a matte may differ from the CPU's fp32 answer, anywhere and on the mean, in units of opacity. The reduced
#: precisions differ most where the network itself is unsure: a few pixels may be off by a little more than a level or
#: two, the picture as a whole may not.
MOST_ANYWHERE, MOST_ON_MEAN = 0.1, 2e-3

_PACKAGES = (
    "torch", "numpy", "opencv-python-headless", "pillow", "pillow-heif", "psd-tools", "PySide6-Essentials", "numba",
    "safetensors", "onnx", "onnxruntime", "platformdirs",
)  # fmt: skip


@dataclass(frozen=True)
class Comparison:
    """The chosen device's matte of a sample against the CPU's in fp32."""

    status: EngineStatus
    max_difference: float
    mean_difference: float

    @property
    def ok(self) -> bool:
        return self.max_difference <= MOST_ANYWHERE and self.mean_difference <= MOST_ON_MEAN


def compare_with_cpu(pipeline: Pipeline, pixels: Pixels, progress: Progress = silent) -> Comparison:
    """Run the network on `pixels` twice. Raises ModelError, DeviceError, Cancelled."""
    matte = pipeline.segment(pixels, progress)
    difference = np.abs(matte - pipeline.reference().segment(pixels, progress))
    return Comparison(pipeline.status, float(difference.max()), float(difference.mean()))


def versions() -> Mapping[str, str]:
    """Python's and the main packages' versions; 'missing' for one that is not installed."""
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "missing"
    return found
