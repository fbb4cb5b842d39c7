"""A network that stays in memory: opened when it is first asked, and on the CPU where its device fails.

This is the one place where the engine falls back to the CPU, and where it says why.
"""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from bgdesk.core.engine import EngineStatus
from bgdesk.engine.networks.device import Device, OutOfMemory
from bgdesk.engine.networks.network import Network, Opened, Proven
from bgdesk.engine.networks.proof import Unproven

Fed = TypeVar("Fed")
Answer = TypeVar("Answer")


class Resident(Generic[Fed]):
    """One network at a time.

    Parameters
    ----------
    choose
        Gives the network, or raises ModelError; called at the first `ask`, and at the first one after each `close`.
    device, precision
        What was asked for; see Network.devices.
    proven
        See Network.open.
    """

    def __init__(self, choose: Callable[[], Network[Fed]], device: str, precision: str, proven: Proven) -> None:
        self._choose = choose
        self._device, self._precision, self._proven = device, precision, proven
        self._held: tuple[Network[Fed], Opened[Fed]] | None = None
        self._notes: tuple[str, ...] = ()
        self._instead_of = ""
        self._closed = 0
        self._lock = threading.Lock()

    @property
    def status(self) -> EngineStatus:
        """Of this network alone. May be read from any thread."""
        held = self._held
        if held is None:
            return EngineStatus(notes=self._notes)
        network, opened = held
        return EngineStatus(
            device=opened.device.name,
            precision=opened.device.precision,
            model=network.id,
            notes=self._notes,
            instead_of=self._instead_of,
        )

    def load(self) -> Opened[Fed]:
        """The network in memory. Raises ModelError, DeviceError."""
        return self._load()[1]

    def ask(self, work: Callable[[Opened[Fed]], Answer]) -> Answer:
        """Let `work` use the network; once more, on the CPU, where the device gives up. Raises what `load` and `work` raise."""
        network, opened = self._load()
        try:
            return work(opened)
        except (OutOfMemory, RuntimeError) as error:
            if opened.device.kind == "cpu":
                raise
            return work(self._replaced_by_cpu(network, opened.device, error))

    def close(self) -> None:
        """Let go of the network, and of what was said of it. May be called from any thread."""
        self._closed += 1  # a load under way is for nothing: it may be of another network
        self._held = None
        self._notes, self._instead_of = (), ""

    def _load(self) -> tuple[Network[Fed], Opened[Fed]]:
        with self._lock:
            held = self._held
            while held is None:
                closed = self._closed
                network = self._choose()
                self._held = held = network, self._open(network)
                if closed != self._closed:  # another network may have been chosen meanwhile
                    self._held = held = None
            return held

    def _open(self, network: Network[Fed]) -> Opened[Fed]:
        *accelerators, cpu = network.devices(self._device, self._precision)
        for device in accelerators:
            try:
                return self._noted(network.open(device, self._proven))
            except (OutOfMemory, Unproven, RuntimeError) as error:
                self._note(_why_not(network.id, device, error))
        if accelerators:
            self._instead_of = accelerators[0].name
        return self._noted(network.open(cpu, self._proven))

    def _replaced_by_cpu(self, network: Network[Fed], device: Device, error: Exception) -> Opened[Fed]:
        with self._lock:
            self._held = None
            closed = self._closed
            self._note(_why_not(network.id, device, error))
            self._instead_of = device.name
            *_, cpu = network.devices("cpu", "auto")
            opened = self._noted(network.open(cpu, self._proven))
            if closed == self._closed:
                self._held = network, opened
            return opened

    def _noted(self, opened: Opened[Fed]) -> Opened[Fed]:
        for note in opened.notes:
            self._note(note)
        return opened

    def _note(self, note: str) -> None:
        if note not in self._notes:
            self._notes = (*self._notes, note)


def _why_not(id: str, device: Device, error: Exception) -> str:
    """Why the CPU takes the place of `device`."""
    if isinstance(error, OutOfMemory):
        return f"{device.name} ran out of memory. The CPU is used until the program is started again."
    if isinstance(error, Unproven):
        return f"{device.name} is not used for {id}: {str(error).rstrip('.')}. The CPU is used instead."
    said = next(iter(str(error).splitlines()), "")[:200].rstrip(". ") or type(error).__name__
    return f"{device.name} could not run the network {id} ({said}). The CPU is used until the program is started again."
