import re
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file, save_file

from bgdesk.core.errors import ModelError
from bgdesk.engine.networks.nets.architectures import NETS
from bgdesk.engine.networks.weights import Weights, convert, load


def onnx_like(path: Path, net: str, change: object = None) -> list[np.ndarray]:
    """An ONNX file with random convolutions of the right shapes in the right order; returns the tensors."""
    random = np.random.default_rng(3)
    tensors = [random.standard_normal(tuple(t.shape)).astype(np.float32) for t in NETS[net].build().state_dict().values()]
    if change == "shape":
        tensors[0] = tensors[0][:, :1]
    if change == "nan":
        tensors[3][0] = np.nan
    if change == "fewer":
        tensors = tensors[:-2]
    if change == "fp64":
        tensors[2] = tensors[2].astype(np.float64)
    names = [f"t{i}" for i in range(len(tensors))]
    nodes = [helper.make_node("Conv", [f"x{i}", names[i], names[i + 1]], [f"x{i + 2}"]) for i in range(0, len(tensors), 2)]
    initializers = [numpy_helper.from_array(t, n) for t, n in zip(tensors, names, strict=True)]
    values = [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in ("x0", f"x{len(tensors)}")]
    onnx.save(helper.make_model(helper.make_graph(nodes, "g", values[:1], values[1:], initializers)), str(path))
    return tensors


def test_conversion_keeps_every_value_in_graph_order(tmp_path: Path) -> None:
    tensors = onnx_like(tmp_path / "net.onnx", "u2netp")
    convert(tmp_path / "net.onnx", "u2netp", tmp_path / "net.safetensors")
    stored = load_file(tmp_path / "net.safetensors")
    names = list(NETS["u2netp"].build().state_dict())
    assert all(np.array_equal(stored[name], tensor) for name, tensor in zip(names, tensors, strict=True))
    module = load(Weights("u2netp", "u2netp", tmp_path / "net.safetensors", ""))
    assert not module.training
    assert all(np.array_equal(value.numpy(), stored[name]) for name, value in module.state_dict().items())


@pytest.mark.parametrize(
    ("change", "words"),
    [("shape", "has shape"), ("fewer", "convolution tensors"), ("nan", "not finite"), ("fp64", "not finite fp16 or fp32")],
)
def test_another_network_is_refused(tmp_path: Path, change: str, words: str) -> None:
    onnx_like(tmp_path / "net.onnx", "u2netp", change)
    with pytest.raises(ModelError, match=words) as caught:
        convert(tmp_path / "net.onnx", "u2netp", tmp_path / "net.safetensors")
    assert "net.onnx" in str(caught.value)
    assert not (tmp_path / "net.safetensors").exists()


@pytest.mark.parametrize("length", [0, 10, 1000, 100_000])
def test_a_truncated_file_is_refused(tmp_path: Path, length: int) -> None:
    onnx_like(tmp_path / "net.onnx", "u2netp")
    (tmp_path / "cut.onnx").write_bytes((tmp_path / "net.onnx").read_bytes()[:length])
    with pytest.raises(ModelError, match=re.escape("cut.onnx")):
        convert(tmp_path / "cut.onnx", "u2netp", tmp_path / "net.safetensors")


def test_damaged_tensors_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    path.write_bytes(b"not tensors")
    with pytest.raises(ModelError, match="install it again"):
        load(Weights("u2netp", "u2netp", path, ""))
    save_file({"one": np.zeros(3, np.float32)}, path)
    with pytest.raises(ModelError, match="does not belong"):
        load(Weights("u2netp", "u2netp", path, ""))
