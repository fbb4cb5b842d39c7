"""Our networks by OpenVINO, where it is installed: the only module that imports it.

Its graph is made from the torch module itself: the module runs once, on stand-ins that write down each step. OpenVINO's own
converter is not used, because it reports its use.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from bgdesk.engine.device import OutOfMemory

Floats = NDArray[np.float32]

_CONVERTER, _TELEMETRY = "openvino.tools.ovc", "openvino_telemetry"
_TYPES = {"fp32": "f32", "bf16": "bf16"}
#: Milliseconds between two looks at whether to go on.
_ASK_EVERY = 30


def runtime() -> ModuleType:
    """OpenVINO, kept from reporting. Raises ImportError.

    Imported plainly, it loads its converter, and that tells its makers so over the network, by the package
    openvino_telemetry, unless the person has found out how to forbid it. None in a module's place makes its import fail,
    which OpenVINO allows for: it does without the converter here, and without the telemetry from now on.
    """
    if "openvino" not in sys.modules:
        sys.modules.setdefault(_TELEMETRY, None)  # type: ignore[arg-type]
        sys.modules[_CONVERTER] = None  # type: ignore[assignment]
        try:
            import openvino
        finally:
            del sys.modules[_CONVERTER]
    import openvino

    return openvino  # type: ignore[no-any-return, unused-ignore]


@cache
def _core() -> Any:
    """One for the whole process, kept to its end.

    Each sets up a stack for signals, and puts back the one before when it goes: after two that do not go in the opposite
    order to their coming, the thread is left with a stack that is no more, and the next signal (Ctrl+C) kills the process.
    """
    return runtime().Core()


def version() -> str:
    """What a proof of its answers holds for: the version, and the processor that it writes its kernels for."""
    return f"OpenVINO {runtime().get_version()} | {_core().get_property('CPU', 'FULL_DEVICE_NAME')}"


class OpenVinoRun:
    """A placed network; see device.Run and device.Stoppable. Each size of input is compiled when it first comes (0.3 s).

    Raises OutOfMemory, and RuntimeError for whatever else goes wrong.
    """

    def __init__(self, module: nn.Module, precision: str) -> None:
        self._type = _TYPES[precision]
        self._module = module.to(torch.bfloat16) if precision == "bf16" else module
        with _failures_named():
            self._openvino = runtime()
            self._core = _core()
        self._requests: dict[tuple[int, ...], Any] = {}

    def __call__(self, batch: Floats) -> Floats:
        return self.asking(batch, lambda: None)

    def asking(self, batch: Floats, ask: Callable[[], None]) -> Floats:
        with _failures_named():
            if batch.shape not in self._requests:
                self._requests[batch.shape] = self._compiled(batch.shape).create_infer_request()
            request = self._requests[batch.shape]
            with suppress(RuntimeError):  # one that was given up may still be at its last step
                request.wait()
            request.get_input_tensor().data[...] = batch
            request.start_async()
        try:
            while not request.wait_for(_ASK_EVERY):
                ask()
        except BaseException:
            request.cancel()
            raise
        with _failures_named():
            request.wait()  # raises what went wrong
            answer: Floats = request.get_output_tensor().data.copy()
        return answer

    def _compiled(self, shape: Sequence[int]) -> Any:
        settings = {
            "INFERENCE_PRECISION_HINT": self._type,
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
            # Several of us may run side by side; pinned, they would all take the first cores.
            "ENABLE_CPU_PINNING": False,
        }
        compiled = self._core.compile_model(graph_of(self._module, shape, self._openvino), "CPU", settings)
        used = compiled.get_property("INFERENCE_PRECISION_HINT").to_string()
        if used != self._type:
            raise RuntimeError(f"it computes in {used} here, not in {self._type}")
        return compiled


def graph_of(module: nn.Module, shape: Sequence[int], openvino: ModuleType) -> Any:
    """OpenVINO's model of `module`, whose weights it shares, for float32 input of this shape.

    Raises NotImplementedError for a module that takes other steps than our networks do.
    """
    ops, steps = openvino.opset13, _steps(openvino)

    class Noted:
        """Stands in for a tensor: where it comes from in the graph. "In place" means nothing here: there are no values.

        more: what lies behind it in its channels.
        """

        def __init__(self, node: Any, more: "Sequence[Noted]" = ()) -> None:
            self._node, self.more = node, more

        @property
        def node(self) -> Any:
            if self.more:
                raise NotImplementedError("no step for joined channels but a convolution")
            return self._node

        @property
        def shape(self) -> torch.Size:
            return torch.Size(self.node.get_output_shape(0))

        def float(self) -> "Noted":
            return Noted(ops.convert(self.node, "f32"))

        def add_(self, other: "Noted") -> "Noted":
            return Noted(ops.add(self.node, other.node))

        @classmethod
        def __torch_function__(cls, function: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None) -> "Noted":
            if function is torch.cat:
                return Noted(None, args[0])
            if function not in steps:
                raise NotImplementedError(f"no step for {getattr(function, '__name__', function)}")
            return Noted(steps[function](*args, **(kwargs or {})))

    entry = ops.parameter(list(shape), np.float32)
    bf16 = any(weight.dtype == torch.bfloat16 for weight in module.parameters())
    with torch.inference_mode():
        answer = module(Noted(ops.convert(entry, "bf16") if bf16 else entry))
    return openvino.Model([answer.node], [entry])


def _steps(openvino: Any) -> dict[Any, Callable[..., Any]]:
    """torch's functions that our networks call -> the same in OpenVINO's operations."""
    ops = openvino.opset13

    def constant(values: Tensor) -> Any:
        values = values.detach().contiguous()
        if values.dtype == torch.bfloat16:  # which numpy has not
            words = openvino.Tensor(values.view(torch.int16).numpy(), openvino.Shape(values.shape), openvino.Type.bf16)
            return openvino.op.Constant(words, shared_memory=False)
        return ops.constant(values.numpy())

    def convolution(x: Any, weight: Tensor, bias: Tensor, stride: Any, padding: Any, dilation: Any, groups: int) -> Any:
        if groups != 1:
            raise NotImplementedError("no step for convolutions in groups")
        # Part by part, in the order of nets.fused: nothing is copied, and in bf16 too the answer is torch's.
        parts = x.more or [x]
        total = constant(bias.reshape(1, -1, 1, 1))
        for part, of_part in reversed(list(zip(parts, torch.split(weight, [part.shape[1] for part in parts], 1), strict=True))):
            total = ops.add(ops.convolution(part.node, constant(of_part), stride, padding, padding, dilation), total)
        return total

    def pool(x: Any, kernel: int, stride: int, padding: int, dilation: int, ceil_mode: bool, return_indices: bool) -> Any:
        return openvino.opset1.max_pool(x.node, [stride] * 2, [padding] * 2, [padding] * 2, [kernel] * 2, "ceil" if ceil_mode else "floor")

    def resize(x: Any, size: Sequence[int], mode: str, align_corners: bool, **rest: object) -> Any:
        if (mode, align_corners) != ("bilinear", False):
            raise NotImplementedError("no step for this kind of resizing")
        return ops.interpolate(x.node, np.array(size, np.int64), "linear_onnx", "sizes", axes=np.array([2, 3], np.int64))

    return {
        torch.conv2d: convolution,
        torch.relu_: lambda x: ops.relu(x.node),
        F.max_pool2d: pool,
        F.interpolate: resize,
        torch.sigmoid: lambda x: ops.sigmoid(x.node),
    }


@contextmanager
def _failures_named() -> Iterator[None]:
    try:
        yield
    except MemoryError as error:
        raise OutOfMemory(str(error)) from error
    except Exception as error:  # it may be broken, or a version that wants other arguments: either way there is torch
        # OpenVINO first names the files of its own source, one a line, and says last what happened.
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        raise RuntimeError(lines[-1] if lines else type(error).__name__) from error
