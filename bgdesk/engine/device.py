"""Which device computes, in which precision, and the one seam through which a network runs on it.

Everything that knows about CUDA, MPS or CPU features is in this file.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bgdesk.core.errors import DeviceError

if TYPE_CHECKING:
    from torch import nn

DEVICES = ("auto", "cpu", "cuda", "mps")
PRECISIONS = ("auto", "fp32", "bf16", "fp16")

#: A placed network: float32 1×3×H×W in, float32 1×1×H×W out, both on the CPU. Raises OutOfMemory.
Run: TypeAlias = Callable[[NDArray[np.float32]], NDArray[np.float32]]


class OutOfMemory(Exception):
    """The accelerator has no room for this; the caller falls back to the CPU and says so."""


@dataclass(frozen=True)
class Machine:
    """What this machine offers. cuda: the card's name or None. bf16: the CPU has native bf16 matrix instructions."""

    cuda: str | None
    mps: bool
    bf16: bool


@dataclass(frozen=True)
class Device:
    """Where and how a network runs. kind: torch's device name. name: for a status bar. precision: fp32, bf16 or fp16."""

    kind: str
    name: str
    precision: str


def probe() -> Machine:
    """Ask torch what is there."""
    import torch

    features = torch.cpu.get_capabilities()
    return Machine(
        cuda=torch.cuda.get_device_name(0) if torch.cuda.is_available() else None,
        mps=torch.backends.mps.is_available(),
        bf16=bool(features.get("amx_bf16") or features.get("avx512_bf16")),
    )


def choose(machine: Machine, device: str = "auto", precision: str = "auto", reduced: bool = True) -> Device:
    """The device and precision for a request; a pure function, so that it can be tested as a table.

    reduced: the network keeps its accuracy below fp32. Raises DeviceError when the machine lacks what was asked for.
    """
    if device not in DEVICES:
        raise DeviceError(f"Unknown device '{device}'. Use one of: {', '.join(DEVICES)}.")
    if precision not in PRECISIONS:
        raise DeviceError(f"Unknown precision '{precision}'. Use one of: {', '.join(PRECISIONS)}.")
    if device == "auto":
        device = "cuda" if machine.cuda else "mps" if machine.mps else "cpu"
    if device == "cuda" and not machine.cuda:
        raise DeviceError("No CUDA device was found. Install the graphics driver and a CUDA build of torch, or use --device cpu.")
    if device == "mps" and not machine.mps:
        raise DeviceError("Metal (mps) is not available on this machine. Use --device cpu.")
    if precision == "auto":
        if not reduced:
            precision = "fp32"
        elif device == "cpu":
            precision = "bf16" if machine.bf16 else "fp32"
        else:
            precision = "fp16"
    elif precision == "fp16" and device == "cpu":
        raise DeviceError("fp16 runs on accelerators only. Use --precision bf16 or fp32 on the CPU.")
    names = {"cpu": "CPU", "cuda": machine.cuda or "", "mps": "Apple GPU"}
    return Device(device, names[device], precision)


def place(module: "nn.Module", device: Device) -> Run:
    """Put `module` on `device` and return the function that runs it there."""
    import torch

    precision = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[device.precision]
    with _out_of_memory_named():
        placed = module.to(device=device.kind, dtype=precision, memory_format=torch.channels_last)  # type: ignore[call-overload]

    def run(batch: NDArray[np.float32]) -> NDArray[np.float32]:
        with _out_of_memory_named(), torch.inference_mode():
            x = torch.from_numpy(batch).to(device=device.kind, dtype=precision, memory_format=torch.channels_last)
            answer: NDArray[np.float32] = placed(x).float().cpu().numpy()
        return answer

    return run


@contextmanager
def _out_of_memory_named() -> Iterator[None]:
    """torch has a class for it, but Metal, and CUDA's libraries and driver, raise a plain RuntimeError that says so."""
    import torch

    try:
        yield
    except RuntimeError as error:
        words = str(error).lower()
        if isinstance(error, torch.OutOfMemoryError) or "out of memory" in words or "alloc_failed" in words:
            raise OutOfMemory(str(error)) from error
        raise
