import numpy as np
import pytest
import torch

from bgdesk.core.errors import DeviceError
from bgdesk.engine.device import Device, Machine, OutOfMemory, choose, place, probe

CUDA = Machine(cuda="Card", mps=False, bf16=True)
MAC = Machine(cuda=None, mps=True, bf16=False)
NEW_CPU = Machine(cuda=None, mps=False, bf16=True)
OLD_CPU = Machine(cuda=None, mps=False, bf16=False)


@pytest.mark.parametrize(
    ("machine", "device", "precision", "reduced", "expected"),
    [
        (CUDA, "auto", "auto", True, ("cuda", "fp16")),
        (CUDA, "cpu", "auto", True, ("cpu", "bf16")),
        (CUDA, "auto", "fp32", True, ("cuda", "fp32")),
        (MAC, "auto", "auto", True, ("mps", "fp16")),
        (NEW_CPU, "auto", "auto", True, ("cpu", "bf16")),
        (OLD_CPU, "auto", "auto", True, ("cpu", "fp32")),
        (OLD_CPU, "auto", "bf16", True, ("cpu", "bf16")),
        (CUDA, "auto", "auto", False, ("cuda", "fp32")),
        (NEW_CPU, "auto", "auto", False, ("cpu", "fp32")),
    ],
)
def test_choice(machine: Machine, device: str, precision: str, reduced: bool, expected: tuple[str, str]) -> None:
    chosen = choose(machine, device, precision, reduced)
    assert (chosen.kind, chosen.precision) == expected
    assert chosen.name


@pytest.mark.parametrize(
    ("machine", "device", "precision", "words"),
    [
        (NEW_CPU, "cuda", "auto", "No CUDA device"),
        (NEW_CPU, "mps", "auto", "Metal"),
        (NEW_CPU, "cpu", "fp16", "accelerators only"),
        (NEW_CPU, "tpu", "auto", "Unknown device 'tpu'"),
        (NEW_CPU, "auto", "int8", "Unknown precision 'int8'"),
    ],
)
def test_what_the_machine_lacks_is_said(machine: Machine, device: str, precision: str, words: str) -> None:
    with pytest.raises(DeviceError, match=words):
        choose(machine, device, precision)


def test_this_machine_can_be_asked() -> None:
    assert choose(probe(), "cpu", "fp32") == Device("cpu", "CPU", "fp32")


class Grow(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x[:, :1] * 2


class Failing(torch.nn.Module):
    def __init__(self, error: RuntimeError) -> None:
        super().__init__()
        self.error = error

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        raise self.error


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_placed_network_takes_and_gives_fp32(precision: str) -> None:
    run = place(Grow(), Device("cpu", "CPU", precision))
    batch = np.ones((1, 3, 4, 5), np.float32)
    answer = run(batch)
    assert answer.dtype == np.float32
    assert answer.tolist() == (batch[:, :1] * 2).tolist()


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("No room"),
        RuntimeError("MPS backend out of memory (MPS allocated: 12.74 GB, other allocations: 4.39 GB, max allowed: 18.13 GB)."),
        RuntimeError("CUDA error: out of memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    ],
)
def test_no_room_on_the_device_has_a_name_of_its_own(error: RuntimeError) -> None:
    with pytest.raises(OutOfMemory):
        place(Failing(error), Device("cpu", "CPU", "fp32"))(np.ones((1, 3, 2, 2), np.float32))


def test_other_failures_stay_what_they_are() -> None:
    with pytest.raises(RuntimeError, match="illegal memory access"):
        place(Failing(RuntimeError("an illegal memory access")), Device("cpu", "CPU", "fp32"))(np.ones((1, 3, 2, 2), np.float32))
