from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from bgdesk.core.errors import DeviceError
from bgdesk.engine.networks.backends import Backend, CpuBackend, CudaBackend, Forward, backend_for
from bgdesk.engine.networks.device import DEVICES, Device, Machine, OutOfMemory, choose, place, probe

CUDA = Machine(cuda="GPU", mps=False, bf16=True)
MAC = Machine(cuda=None, mps=True, bf16=False)
INTEL = Machine(cuda=None, mps=False, bf16=True, xpu="Arc")
NEW_CPU = Machine(cuda=None, mps=False, bf16=True)
OLD_CPU = Machine(cuda=None, mps=False, bf16=False)


@pytest.mark.parametrize(
    ("machine", "device", "precision", "reduced", "expected"),
    [
        (CUDA, "auto", "auto", True, ("cuda", "fp16")),
        (CUDA, "cpu", "auto", True, ("cpu", "bf16")),
        (CUDA, "auto", "fp32", True, ("cuda", "fp32")),
        (MAC, "auto", "auto", True, ("mps", "fp16")),
        (INTEL, "auto", "auto", True, ("xpu", "fp16")),
        (INTEL, "cpu", "auto", True, ("cpu", "bf16")),
        (INTEL, "xpu", "auto", False, ("xpu", "fp32")),
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
        (CUDA, "xpu", "auto", "No Intel GPU"),
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


class CountingBackend(Backend):
    """A backend in the CPU's memory that counts, and can record once a shape or refuse to."""

    def __init__(self, error_in: str = "") -> None:
        super().__init__("cpu")
        self.error_in, self.calls = error_in, list[str]()

    def _enter(self, name: str) -> None:
        self.calls.append(name)
        if self.error_in == name:
            raise RuntimeError("CUDA error: out of memory")

    def place(self, module: torch.nn.Module, precision: torch.dtype) -> torch.nn.Module:
        self._enter("place")
        return super().place(module, precision)

    def put(self, batch: np.ndarray, precision: torch.dtype) -> torch.Tensor:
        self._enter("put")
        return super().put(batch, precision)

    def record(self, forward: Forward, example: torch.Tensor) -> Forward:
        self._enter("record")

        def replay(x: torch.Tensor) -> torch.Tensor:
            self._enter("replay")
            return forward(x)

        return replay

    def get(self, answer: torch.Tensor) -> np.ndarray:
        self._enter("get")
        return super().get(answer)


def test_a_photo_costs_one_copy_there_and_one_back() -> None:
    backend = CountingBackend()
    run = place(Grow(), Device("cuda", "GPU", "fp16"), backend)
    small, large = np.ones((1, 3, 4, 4), np.float32), np.ones((1, 3, 8, 4), np.float32)
    for batch in (small, small, large, small):
        assert run(batch).tolist() == (batch[:, :1] * 2).tolist()
    once = ["put", "replay", "get"]
    first = ["put", "record", "replay", "get"]
    assert backend.calls == ["place", *first, *once, *first, *once]


@pytest.mark.parametrize("step", ["place", "put", "record", "replay", "get"])
def test_no_room_in_any_step(step: str) -> None:
    with pytest.raises(OutOfMemory):
        place(Grow(), Device("cuda", "GPU", "fp16"), CountingBackend(step))(np.ones((1, 3, 2, 2), np.float32))


class Graphs:
    """Stands in for torch.cuda: what is run while a graph is captured is noted, and may fail."""

    def __init__(self, fails: bool) -> None:
        self.fails, self.inside, self.captured, self.waited = fails, False, 0, 0

    def patch(self, patch: pytest.MonkeyPatch) -> None:
        stream = SimpleNamespace(wait_stream=lambda other: None, synchronize=lambda: None)
        patch.setattr(torch.cuda, "Stream", lambda: stream)
        patch.setattr(torch.cuda, "current_stream", lambda: stream)
        patch.setattr(torch.cuda, "stream", lambda stream: nullcontext())
        patch.setattr(torch.cuda, "CUDAGraph", lambda: SimpleNamespace(replay=lambda: None))
        patch.setattr(torch.cuda, "graph", self.capture)
        patch.setattr(torch.cuda, "synchronize", self.synchronize)

    def synchronize(self) -> None:
        self.waited += 1

    @contextmanager
    def capture(self, graph: object) -> Iterator[None]:
        self.captured += 1
        if self.fails:
            raise RuntimeError("operation not permitted when stream is capturing")
        yield


@pytest.mark.parametrize("fails", [False, True])
def test_what_cannot_be_captured_runs_plainly(fails: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a CUDA device only the choice can be tested: the graph, or the plain run after a failed capture."""
    graphs = Graphs(fails)
    graphs.patch(monkeypatch)
    runs: list[int] = []

    def forward(x: torch.Tensor) -> torch.Tensor:
        runs.append(len(runs))
        return x * 2

    ready = CudaBackend().record(forward, torch.ones(1, 3, 2, 2))
    assert (ready is forward) is fails
    assert graphs.captured == 1
    assert graphs.waited == int(fails)
    assert len(runs) == (2 if fails else 3)  # twice to warm up, once into the graph
    assert ready(torch.ones(1, 3, 2, 2)).tolist() == torch.full((1, 3, 2, 2), 2.0).tolist()


def test_each_device_has_its_backend() -> None:
    assert [type(backend_for(kind)) for kind in DEVICES[1:]] == [CpuBackend, CudaBackend, Backend, Backend]
