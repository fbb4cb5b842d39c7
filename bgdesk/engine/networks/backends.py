"""How torch is used on each kind of device: to hold a network, to copy there and back, to record a run of fixed shape."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bgdesk.engine.networks.nets.fused import fuse
from bgdesk.engine.runtime import allocator

Floats = NDArray[np.float32]
Forward = Callable[[Tensor], Tensor]


class Backend:
    """Any device of torch, by torch's plain means. All methods but `place` are called under torch.inference_mode()."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def place(self, module: nn.Module, precision: torch.dtype) -> nn.Module:
        """The module in the device's memory, channels last."""
        placed: nn.Module = module.to(device=self.kind, dtype=precision, memory_format=torch.channels_last)  # type: ignore[call-overload]
        return placed

    def put(self, batch: Floats, precision: torch.dtype) -> Tensor:
        """A copy in the device's memory, channels last."""
        return torch.from_numpy(batch).to(device=self.kind, dtype=precision, memory_format=torch.channels_last)

    def record(self, forward: Forward, example: Tensor) -> Forward:
        """`forward`, made ready for inputs like `example`."""
        return forward

    def get(self, answer: Tensor) -> Floats:
        """A copy that the caller owns, in fp32."""
        floats: Floats = answer.float().cpu().numpy()
        return floats


class CpuBackend(Backend):
    """The CPU."""

    def place(self, module: nn.Module, precision: torch.dtype) -> nn.Module:
        allocator.keep()
        placed = super().place(module, precision)
        fuse(placed)
        return placed


class CudaBackend(Backend):
    """NVIDIA (and AMD, by ROCm's build of torch): copies through pinned memory, and a recorded graph for each shape.

    A graph starts the network's hundreds of kernels as one; the Python between them costs as much as they do.
    """

    def __init__(self) -> None:
        super().__init__("cuda")
        self._pinned: dict[tuple[int, ...], Tensor] = {}

    def _staging(self, shape: tuple[int, ...]) -> Tensor:
        if shape not in self._pinned:
            self._pinned[shape] = torch.empty(shape, pin_memory=True)
        return self._pinned[shape]

    def put(self, batch: Floats, precision: torch.dtype) -> Tensor:
        staging = self._staging(batch.shape)
        staging.copy_(torch.from_numpy(batch))
        return staging.to(self.kind, non_blocking=True).to(dtype=precision, memory_format=torch.channels_last)

    def get(self, answer: Tensor) -> Floats:
        staging = self._staging(tuple(answer.shape))
        staging.copy_(answer.float(), non_blocking=True)
        torch.cuda.current_stream().synchronize()
        return staging.numpy().copy()

    def record(self, forward: Forward, example: Tensor) -> Forward:
        entry = example.clone()
        try:
            graph, answer = self._capture(forward, entry)
        except RuntimeError:  # not everything can be captured; if it is memory that lacks, the plain run says so
            torch.cuda.synchronize()
            return forward

        def replay(x: Tensor) -> Tensor:
            entry.copy_(x)
            graph.replay()
            return answer

        return replay

    def _capture(self, forward: Forward, entry: Tensor) -> tuple["torch.cuda.CUDAGraph", Tensor]:
        # Libraries choose their kernels and take their memory in the first runs, which must not be part of the graph.
        side: torch.cuda.Stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(2):
                forward(entry)
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            answer = forward(entry)
        return graph, answer


def backend_for(kind: str) -> Backend:
    """The backend of torch's device `kind`."""
    if kind == "cpu":
        return CpuBackend("cpu")
    return CudaBackend() if kind == "cuda" else Backend(kind)
