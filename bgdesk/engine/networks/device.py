"""Which device computes, in which precision, and the one function that places a torch network on it.

Everything that knows about CUDA, XPU, MPS or CPU features is in this file and in backends.py.
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

    from bgdesk.engine.networks.backends import Backend

DEVICES = ("auto", "cpu", "cuda", "xpu", "mps")
PRECISIONS = ("auto", "fp32", "bf16", "fp16")
#: What auto takes where there are several.
_FASTEST_FIRST = ("cuda", "xpu", "mps")
_LACKING = {
    "cuda": "No CUDA device was found. Install the graphics driver and a CUDA build of torch, or use --device cpu.",
    "xpu": "No Intel GPU was found. Install its driver and an XPU build of torch, or use --device cpu.",
    "mps": "Metal (mps) is not available on this machine. Use --device cpu.",
}

#: A placed network: float32 1×3×H×W in, float32 1×1×H×W out, both on the CPU. Raises OutOfMemory.
Run: TypeAlias = Callable[[NDArray[np.float32]], NDArray[np.float32]]


class OutOfMemory(Exception):
    """The accelerator has no room for this; resident.Resident falls back to the CPU and says so."""


@dataclass(frozen=True)
class Machine:
    """What this machine offers."""

    cuda: str | None  #: name of the GPU, or None
    mps: bool  #: Metal is there
    bf16: bool  #: the CPU has native bf16 matrix instructions
    xpu: str | None = None  #: name of the GPU, or None


@dataclass(frozen=True)
class Device:
    """Where and how a network runs."""

    kind: str  #: torch's name for it, or directml
    name: str  #: for a status bar
    precision: str  #: fp32, bf16 or fp16


def probe() -> Machine:
    """Ask torch what is there."""
    import torch

    features = torch.cpu.get_capabilities()
    return Machine(
        cuda=torch.cuda.get_device_name(0) if torch.cuda.is_available() else None,
        mps=torch.backends.mps.is_available(),
        bf16=bool(features.get("amx_bf16") or features.get("avx512_bf16")),
        xpu=torch.xpu.get_device_name(0) if torch.xpu.is_available() else None,
    )


def count(kind: str) -> int:
    """Count the devices of a kind that can divide work among them.

    Parameters
    ----------
    kind
        torch's name for it.

    Returns
    -------
    int
        1 where the system has but one, as for the CPU.
    """
    import torch

    if kind == "cuda":
        return max(1, torch.cuda.device_count())
    return max(1, torch.xpu.device_count()) if kind == "xpu" else 1


def choose(machine: Machine, device: str = "auto", precision: str = "auto", reduced: bool = True) -> Device:
    """Choose device and precision for a request; a pure function, so that it can be tested as a table.

    Accelerators get fp16 and not bf16: their matrix units are as fast in either, and IS-Net's matte moves by a twentieth of
    what it moves in bf16 (its largest activation is near 2000, far below fp16's largest number).

    Parameters
    ----------
    machine
        What there is.
    device
        One of DEVICES.
    precision
        One of PRECISIONS.
    reduced
        Whether the network keeps its accuracy below fp32.

    Raises
    ------
    DeviceError
        The machine lacks what was asked for.
    """
    if device not in DEVICES:
        raise DeviceError(f"Unknown device '{device}'. Use one of: {', '.join(DEVICES)}.")
    if precision not in PRECISIONS:
        raise DeviceError(f"Unknown precision '{precision}'. Use one of: {', '.join(PRECISIONS)}.")
    names = {"cpu": "CPU", "cuda": machine.cuda, "xpu": machine.xpu, "mps": "Apple GPU" if machine.mps else None}
    if device == "auto":
        device = next((kind for kind in _FASTEST_FIRST if names[kind]), "cpu")
    name = names[device]
    if not name:
        raise DeviceError(_LACKING[device])
    if precision == "auto":
        if not reduced:
            precision = "fp32"
        elif device == "cpu":
            precision = "bf16" if machine.bf16 else "fp32"
        else:
            precision = "fp16"
    elif precision == "fp16" and device == "cpu":
        raise DeviceError("fp16 runs on accelerators only. Use --precision bf16 or fp32 on the CPU.")
    return Device(device, name, precision)


def place(module: "nn.Module", device: Device, backend: "Backend | None" = None) -> Run:
    """Put a network on a device.

    Parameters
    ----------
    module
        In fp32, on the CPU.
    device
        Where it goes.
    backend
        Taken in place of the device's own; for tests.

    Returns
    -------
    Run
        Runs the network there.

    Raises
    ------
    OutOfMemory
    """
    import torch

    from bgdesk.engine.networks.backends import backend_for

    precision = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[device.precision]
    backend = backend or backend_for(device.kind)
    with _out_of_memory_named():
        placed = backend.place(module, precision)
    recorded: dict[tuple[int, ...], Callable[[torch.Tensor], torch.Tensor]] = {}

    def run(batch: NDArray[np.float32]) -> NDArray[np.float32]:
        with _out_of_memory_named(), torch.inference_mode():
            x = backend.put(batch, precision)
            if batch.shape not in recorded:
                recorded[batch.shape] = backend.record(placed, x)
            return backend.get(recorded[batch.shape](x))

    return run


@contextmanager
def _out_of_memory_named() -> Iterator[None]:
    """torch has a class for it, but Metal, and CUDA's libraries and driver, raise a plain RuntimeError that says so."""
    try:
        yield
    except RuntimeError as error:
        if no_room(error):
            raise OutOfMemory(str(error)) from error
        raise


def no_room(error: RuntimeError) -> bool:
    """Whether this is torch's way of saying that memory ran out."""
    import torch

    words = str(error).lower()
    return isinstance(error, torch.OutOfMemoryError) or "out of memory" in words or "alloc_failed" in words
