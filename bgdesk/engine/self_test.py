"""A test on the person's own machine: does the chosen device give the CPU's answer?"""

import platform
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from bgdesk.core.arrays import Pixels
from bgdesk.core.engine import EngineStatus
from bgdesk.core.tasks import Progress, silent
from bgdesk.engine.networks.proof import Difference
from bgdesk.engine.pipeline import Pipeline

#: Packages whose versions a report tells; a frozen build carries pip's metadata of them.
PACKAGES = (
    "torch", "numpy", "opencv-python-headless", "pillow", "pi-heif", "psd-tools", "PySide6-Essentials", "numba",
    "safetensors", "onnx", "onnxruntime", "platformdirs",
)  # fmt: skip


@dataclass(frozen=True)
class Comparison:
    """The chosen device's matte of a sample against the CPU's in fp32."""

    status: EngineStatus  #: of the chosen device
    max_difference: float  #: in units of opacity
    mean_difference: float  #: in units of opacity

    @property
    def ok(self) -> bool:
        return Difference(self.max_difference, self.mean_difference).ok


def compare_with_cpu(pipeline: Pipeline, pixels: Pixels, progress: Progress = silent) -> Comparison:
    """Run the network twice: where the pipeline runs it, and on the CPU in fp32.

    Parameters
    ----------
    pipeline
        What is compared.
    pixels
        H×W×3 uint8 or uint16.

    Raises
    ------
    ModelError, DeviceError, Cancelled
    """
    matte = pipeline.segment(pixels, progress)
    found = Difference.between(matte, pipeline.reference().segment(pixels, progress))
    return Comparison(pipeline.status, found.worst, found.mean)


def versions() -> Mapping[str, str]:
    """Python's and the main packages' versions; 'missing' for one that is not installed."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "missing"
    return found
