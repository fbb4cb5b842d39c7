"""One network in memory: opened once, on the best device that works, and on the CPU where all others fail."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from bgdesk.core.engine import EngineStatus
from bgdesk.core.errors import DeviceError, ModelError
from bgdesk.engine.networks.device import Device, OutOfMemory
from bgdesk.engine.networks.network import Floats, Opened, Proven
from bgdesk.engine.networks.proof import Unproven
from bgdesk.engine.networks.resident import Resident

DEVICES = {"cuda": Device("cuda", "Big GPU", "fp16"), "mps": Device("mps", "Small GPU", "fp16"), "cpu": Device("cpu", "CPU", "fp32")}
FOR_GOOD = "The CPU is used until the program is started again."


@dataclass(frozen=True)
class FakeNetwork:
    """fails: device kind -> what opening it there raises. opened: where it was opened."""

    id: str = "net"
    fails: dict[str, Exception] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    opened: list[str] = field(default_factory=list)
    path: Path = Path("none")
    sha256: str = ""

    def devices(self, device: str, precision: str) -> tuple[Device, ...]:
        if device == "tpu":
            raise DeviceError("There is no such device.")
        return tuple(DEVICES.values()) if device == "auto" else (DEVICES["cpu"],)

    def open(self, device: Device, proven: Proven) -> Opened[str]:
        self.opened.append(device.kind)
        if device.kind in self.fails:
            raise self.fails[device.kind]

        def run(batch: Floats) -> Floats:
            return batch

        return Opened(net="fed", device=device, run=run, notes=self.notes)


def resident(network: FakeNetwork, device: str = "auto") -> Resident[str]:
    return Resident(lambda: network, device, "auto", set())


def kind_of(opened: Opened[str]) -> str:
    assert opened.run(np.ones((1, 1, 1, 1), np.float32)).all()
    return opened.device.kind


def test_it_is_opened_once_on_the_best_device() -> None:
    network = FakeNetwork()
    held = resident(network)
    assert held.status == EngineStatus()
    assert [held.ask(kind_of) for _ in range(3)] == ["cuda"] * 3
    assert network.opened == ["cuda"]
    assert held.status == EngineStatus(device="Big GPU", precision="fp16", model="net")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OutOfMemory("no room"), f"Big GPU ran out of memory. {FOR_GOOD}"),
        (Unproven("it errs."), "Big GPU is not used for net: it errs. The CPU is used instead."),
        (
            RuntimeError("no kernel\nmore"),
            f"Big GPU could not run the network net (no kernel). {FOR_GOOD}",
        ),
        (RuntimeError(), f"Big GPU could not run the network net (RuntimeError). {FOR_GOOD}"),
    ],
)
def test_a_device_that_cannot_open_it_gives_way_and_is_named(error: Exception, said: str) -> None:
    held = resident(FakeNetwork(fails={"cuda": error, "mps": error}))
    assert held.ask(kind_of) == "cpu"
    assert held.status == EngineStatus(
        device="CPU", precision="fp32", model="net", notes=(said, said.replace("Big", "Small")), instead_of="Big GPU"
    )


def test_the_next_device_is_tried_before_the_cpu() -> None:
    held = resident(FakeNetwork(fails={"cuda": OutOfMemory("no room")}))
    assert held.ask(kind_of) == "mps"
    assert (len(held.status.notes), held.status.instead_of) == (1, "")


def test_a_device_that_fails_later_gives_way_once_and_for_all() -> None:
    network = FakeNetwork()
    held = resident(network)

    def work(opened: Opened[str]) -> str:
        if opened.device.kind == "cuda":
            raise OutOfMemory("no room")
        return opened.device.kind

    assert [held.ask(work) for _ in range(2)] == ["cpu", "cpu"]
    assert network.opened == ["cuda", "cpu"]
    assert held.status.instead_of == "Big GPU"
    assert len(held.status.notes) == 1


def failing(error: Exception) -> Callable[[Opened[str]], str]:
    def work(opened: Opened[str]) -> str:
        raise error

    return work


def test_what_fails_on_the_cpu_is_raised() -> None:
    with pytest.raises(RuntimeError, match="a defect"):
        resident(FakeNetwork(), "cpu").ask(failing(RuntimeError("a defect")))
    with pytest.raises(ModelError, match="damaged"):
        resident(FakeNetwork(fails={"cpu": ModelError("damaged")}), "cpu").load()


def test_a_network_that_cannot_be_read_or_a_device_that_is_unknown_is_no_reason_to_fall_back() -> None:
    held = resident(FakeNetwork(fails={"cuda": ModelError("damaged")}))
    with pytest.raises(ModelError, match="damaged"):
        held.load()
    with pytest.raises(DeviceError):
        resident(FakeNetwork(), "tpu").load()
    assert held.status == EngineStatus()


def test_a_photo_that_cannot_be_run_is_no_reason_to_fall_back() -> None:
    held = resident(FakeNetwork())
    with pytest.raises(ModelError, match="not numbers"):
        held.ask(failing(ModelError("not numbers")))
    assert held.status.device == "Big GPU"


def test_what_the_network_says_of_itself_is_told_once() -> None:
    held = resident(FakeNetwork(notes=("It computes in fp16.",)))
    held.load()
    held.load()
    assert held.status.notes == ("It computes in fp16.",)


def test_a_closed_one_asks_for_its_network_again() -> None:
    networks = [FakeNetwork("one", {"cuda": OutOfMemory(), "mps": OutOfMemory()}), FakeNetwork("two")]
    held = Resident(lambda: networks.pop(0), "auto", "auto", set())
    held.load()
    assert held.status.model == "one"
    held.close()
    assert held.status == EngineStatus()
    held.load()
    assert held.status == EngineStatus(device="Big GPU", precision="fp16", model="two")
