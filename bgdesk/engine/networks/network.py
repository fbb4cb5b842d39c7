"""What the pipeline knows of a network, whoever made it: how to feed it, where it may run, how to open it there."""

from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from bgdesk.core.geometry import Size
from bgdesk.engine.networks.device import Device, Run

Floats = NDArray[np.float32]
Fed = TypeVar("Fed", covariant=True)


class Net(Protocol):
    """How a photo is given to a network that finds subjects, and what its answer needs."""

    @property
    def stretch(self) -> bool:
        """Whether the answer is linearly stretched to fill [0, 1]."""
        ...

    @property
    def mirror(self) -> float:
        """The size of the mirror image that the best quality looks at too, relative to the network's own size."""
        ...

    def size_for(self, photo: Size, scale: float = 1.0) -> Size:
        """The size at which a photo of this size is given; scale: wished, relative to the network's own size."""
        ...

    def normalise(self, pixels: Floats, /) -> Floats:
        """H×W×3 float32 in [0, 255] to what the network takes, the same shape."""
        ...


class MattingNet(Protocol):
    """How a piece of a photo and its trimap are given to a network that works out edges."""

    @property
    def size(self) -> Size:
        """The largest piece that is given at once, in pixels."""
        ...

    def padded(self, piece: Size) -> Size:
        """The size that a piece (no larger than `size`) is padded to."""
        ...

    def normalise(self, pixels: Floats, /) -> Floats:
        """As Net.normalise."""
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class Opened(Generic[Fed]):
    """A network in the memory of a device."""

    net: Fed  #: how to feed it: a Net or a MattingNet
    device: Device  #: where it runs, and in which precision
    run: Run  #: runs it there
    notes: tuple[str, ...] = ()  #: sentences for a person: what is otherwise than was asked for


class Proven(Protocol):
    """Which devices are known to give the CPU's answer on this machine: a set of keys."""

    def __contains__(self, key: object) -> bool: ...
    def add(self, key: str, /) -> None: ...


class Network(Protocol[Fed]):
    """A verified network file that can be opened; compared by value."""

    @property
    def id(self) -> str:
        """By which a person names the network."""
        ...

    @property
    def path(self) -> Path:
        """The file."""
        ...

    @property
    def sha256(self) -> str:
        """Of the file."""
        ...

    def devices(self, device: str, precision: str) -> tuple[Device, ...]:
        """Where to open the network for a request, best first; the last one is the CPU.

        Parameters
        ----------
        device
            auto, cpu, cuda, xpu or mps.
        precision
            auto, fp32, bf16 or fp16.

        Raises
        ------
        DeviceError
            This machine lacks the device or the precision.
        """
        ...

    def open(self, device: Device, proven: Proven) -> Opened[Fed]:
        """Load the network there, and prove that an accelerator gives the CPU's answer.

        Parameters
        ----------
        device
            One of `devices`.
        proven
            Proofs of earlier starts, which need not be made again; a new one is added.

        Raises
        ------
        OutOfMemory, Unproven, RuntimeError
            The accelerator cannot be used for this network.
        ModelError
            The file cannot be read or run at all.
        """
        ...
