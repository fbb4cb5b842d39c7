"""Small ONNX files: networks whose answer can be computed by hand."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from bgdesk.core.geometry import Size
from bgdesk.core.network import NetworkKind, NetworkSpec
from bgdesk.engine.networks.onnx_net import OnnxNetwork
from bgdesk.engine.networks.onnx_trial import attempt

Side = int | str

PLAIN = NetworkSpec(kind=NetworkKind.SEGMENT, size=Size(64, 64), mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
TRIMAP = NetworkSpec(kind=NetworkKind.MATTE, size=Size(128, 128), mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0), multiple=32)


def save(
    path: Path,
    nodes: Sequence[onnx.NodeProto],
    inputs: Sequence[tuple[str, Sequence[Side]]],
    outputs: Sequence[tuple[str, Sequence[Side] | None]],
    tensors: Sequence[onnx.TensorProto] = (),
    kind: int = TensorProto.FLOAT,
    domain: str = "",
) -> Path:
    """Write a graph as the ONNX file `path`."""
    graph = helper.make_graph(
        list(nodes),
        "network",
        [helper.make_tensor_value_info(name, kind, shape) for name, shape in inputs],
        [helper.make_tensor_value_info(name, kind, shape) for name, shape in outputs],
        list(tensors),
    )
    opsets = [helper.make_opsetid("", 17)] + ([helper.make_opsetid(domain, 1)] if domain else [])
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), str(path))
    return path


def tensor(name: str, values: object, kind: type = np.float32) -> onnx.TensorProto:
    return numpy_helper.from_array(np.asarray(values, kind), name)


def weighted(
    path: Path,
    weights: Sequence[float] = (4.0, 0.0, 0.0),
    bias: float = 0.0,
    *,
    size: tuple[Side, Side] = ("height", "width"),
    last: str = "Sigmoid",
    half: bool = False,
) -> Path:
    """A network that answers `last`(weights · channels + bias) at each pixel; last "" leaves the sum. size: height, width."""
    kind = np.float16 if half else np.float32
    tensors = [tensor("w", np.reshape(weights, (1, len(weights), 1, 1)), kind), tensor("b", [bias], kind)]
    nodes = [helper.make_node("Conv", ["image", "w", "b"], ["sum"])]
    nodes.append(helper.make_node(last or "Identity", ["sum"], ["matte"]))
    shape = [1, len(weights), *size]
    return save(path, nodes, [("image", shape)], [("matte", [1, 1, *size])], tensors, TensorProto.FLOAT16 if half else TensorProto.FLOAT)


def matting(path: Path, *, size: tuple[Side, Side] = ("height", "width"), multiple: int = 32) -> Path:
    """Half the trimap and half the red, blurred over 3×3: local, so that windows must fit together. Takes multiples of `multiple`."""
    weights = np.zeros((1, 4, 3, 3), np.float32)
    weights[0, 0] = weights[0, 3] = 0.5 / 9
    nodes = [
        # Fails on sizes that are no multiple, as networks with patches do.
        helper.make_node("SpaceToDepth", ["image"], ["patches"], blocksize=multiple),
        helper.make_node("DepthToSpace", ["patches"], ["again"], blocksize=multiple),
        helper.make_node("Conv", ["again", "w"], ["alphas"], pads=[1, 1, 1, 1]),
    ]
    return save(path, nodes, [("image", [1, 4, *size])], [("alphas", [1, 1, *size])], [tensor("w", weights)])


def take(path: Path, spec: NetworkSpec = PLAIN, insist: bool = True) -> OnnxNetwork:
    trial = attempt(path, path.name, spec, insist)
    return OnnxNetwork("mine", path, "", trial.spec, trial.answer)


def photo(height: int = 90, width: int = 120, kind: type = np.uint8) -> np.ndarray[Any, Any]:
    """Red rises from left to right."""
    pixels: np.ndarray[Any, Any] = np.zeros((height, width, 3), kind)
    pixels[..., 0] = np.linspace(0, np.iinfo(kind).max, width)
    pixels[..., 1] = np.iinfo(kind).max // 3
    return pixels
