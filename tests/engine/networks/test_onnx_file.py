"""ONNX files that are taken in with what lies beside them, and those that are refused with a reason."""

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from bgdesk.core.errors import ModelError
from bgdesk.core.geometry import Size
from bgdesk.core.network import NetworkKind, NetworkSpec
from bgdesk.engine.networks.onnx_file import pack
from bgdesk.engine.pipeline import Pipeline
from tests.networks import PLAIN, TRIMAP, photo, save, take, tensor, weighted


def one_node(path: Path, op: str, shape: tuple[Any, ...] = (1, 3, "h", "w"), domain: str = "", **more: Any) -> Path:
    return save(path, [helper.make_node(op, ["image"], ["y"], domain=domain, **more)], [("image", shape)], [("y", None)], domain=domain)


def test_not_onnx(tmp_path: Path) -> None:
    path = tmp_path / "n.onnx"
    for content in (b"", b"hello", b"\x08\x08 not a network", os.urandom(5000)):
        path.write_bytes(content)
        with pytest.raises(ModelError, match=r"n\.onnx is not"):
            pack(path, tmp_path / "packed.onnx")
    whole = weighted(tmp_path / "whole.onnx").read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelError, match="is not"):
        pack(path, tmp_path / "packed.onnx")


def test_custom_operators(tmp_path: Path) -> None:
    path = one_node(tmp_path / "n.onnx", "DeformConv2d", domain="mmdeploy")
    with pytest.raises(ModelError, match=r"needs operators of its own .*\(mmdeploy:DeformConv2d\)"):
        pack(path, tmp_path / "packed.onnx")
    with pytest.raises(ModelError, match="could not be loaded by ONNX Runtime"):
        take(one_node(tmp_path / "n.onnx", "NoSuchOperator"))


def test_custom_operators_inside_a_branch(tmp_path: Path) -> None:
    def branch(name: str, domain: str) -> onnx.GraphProto:
        node = helper.make_node("Odd", ["image"], [name], domain=domain)
        return helper.make_graph([node], name, [], [helper.make_tensor_value_info(name, TensorProto.FLOAT, None)])

    nodes = [helper.make_node("If", ["yes"], ["y"], then_branch=branch("a", "theirs"), else_branch=branch("b", "theirs"))]
    path = save(
        tmp_path / "n.onnx", nodes, [("image", (1, 3, 8, 8))], [("y", None)], [tensor("yes", np.array(True), bool)], domain="theirs"
    )
    with pytest.raises(ModelError, match="theirs:Odd"):
        pack(path, tmp_path / "packed.onnx")


def with_weights_beside(path: Path, location: str) -> Path:
    """The weighted network with its weights in a file of their own, which is then said to lie at `location`."""
    model = onnx.load(str(weighted(path, (1.0, 0.0, 0.0), last="")))
    onnx.save(model, str(path), save_as_external_data=True, location="weights.bin", size_threshold=0, convert_attribute=False)
    model = onnx.load(str(path), load_external_data=False)
    for each in model.graph.initializer:
        for entry in each.external_data:
            if entry.key == "location":
                entry.value = location
    path.write_bytes(model.SerializeToString())
    return path


def test_weights_beside_the_file_come_along(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    path = with_weights_beside(tmp_path / "there" / "n.onnx", "weights.bin")
    packed = tmp_path / "packed.onnx"
    pack(path, packed)
    network = take(packed)
    assert np.abs(Pipeline(lambda: network).segment(photo())[45] - np.linspace(0, 1, 120)).max() < 0.02
    (path.parent / "weights.bin").unlink()
    with pytest.raises(ModelError, match=r"keeps its weights in the file weights\.bin, which is missing"):
        pack(path, packed)


def test_weights_that_are_too_short(tmp_path: Path) -> None:
    path = with_weights_beside(tmp_path / "n.onnx", "weights.bin")
    (tmp_path / "weights.bin").write_bytes(b"12")
    with pytest.raises(ModelError, match=r"The weights beside n\.onnx do not belong to it"):
        pack(path, tmp_path / "packed.onnx")


@pytest.mark.parametrize("location", ["../weights.bin", "/etc/hostname", "", "link", "folder/../../weights.bin"])
def test_weights_outside_the_folder(tmp_path: Path, location: str) -> None:
    (tmp_path / "weights.bin").write_bytes(b"secret" * 100)
    (tmp_path / "there").mkdir()
    path = with_weights_beside(tmp_path / "there" / "n.onnx", location)
    if location == "link":
        if sys.platform == "win32":
            pytest.skip("links need a privilege there")
        (path.parent / "link").symlink_to(tmp_path / "weights.bin")
    with pytest.raises(ModelError, match="outside its own folder"):
        pack(path, tmp_path / "packed.onnx")


def test_two_inputs(tmp_path: Path) -> None:
    nodes = [helper.make_node("Add", ["image", "trimap"], ["y"])]
    path = save(tmp_path / "n.onnx", nodes, [("image", (1, 3, 8, 8)), ("trimap", (1, 3, 8, 8))], [("y", None)])
    with pytest.raises(ModelError, match=r"has 2 inputs \(image, trimap\)"):
        take(path)


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        ((1, 4, 64, 64), r"takes 4 channels \(shape 1×4×64×64\); a photo has 3. Import it with --kind matte"),
        ((1, 1, "h", "w"), r"takes 1 channels \(shape 1×1×\?×\?\); a photo has 3"),
        ((2, 3, 64, 64), "bgdesk gives 1×3×height×width"),
        ((3, 64, 64), "bgdesk gives 1×3×height×width"),
    ],
)
def test_wrong_inputs(tmp_path: Path, shape: tuple[Any, ...], said: str) -> None:
    with pytest.raises(ModelError, match=said):
        take(one_node(tmp_path / "n.onnx", "Sigmoid", shape))


def test_a_segmentation_network_is_no_matting_network(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"takes 3 channels .*; a photo and a trimap has 4. Import it with --kind segment"):
        take(weighted(tmp_path / "n.onnx"), TRIMAP)


def test_integer_input(tmp_path: Path) -> None:
    nodes = [helper.make_node("Cast", ["image"], ["y"], to=TensorProto.FLOAT)]
    path = save(tmp_path / "n.onnx", nodes, [("image", (1, 3, 64, 64))], [("y", None)], kind=TensorProto.UINT8)
    model = onnx.load(str(path))
    model.graph.output[0].type.tensor_type.elem_type = TensorProto.FLOAT
    onnx.save(model, str(path))
    with pytest.raises(ModelError, match=r"takes values of type tensor\(uint8\)"):
        take(path)


def test_answers_that_are_no_map(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"gives no map of 64×64 pixels, one number for each; its outputs are: y 1×3×64×64"):
        take(one_node(tmp_path / "n.onnx", "Sigmoid"))
    with pytest.raises(ModelError, match="its outputs are: y 1×3×1×1"):
        take(one_node(tmp_path / "n.onnx", "GlobalAveragePool"))


def test_a_size_that_the_file_does_not_take(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"was made for 32×32 pixels, not for 64×64. Leave --size out"):
        take(weighted(tmp_path / "n.onnx", size=(32, 32)))
    with pytest.raises(ModelError, match=r"takes photos of any size. Say which one it was trained for, with --size"):
        take(weighted(tmp_path / "n.onnx"), NetworkSpec(kind=NetworkKind.SEGMENT, size=None, mean=(0.0,) * 3, std=(1.0,) * 3))
    patches = one_node(tmp_path / "n.onnx", "SpaceToDepth", blocksize=48)
    with pytest.raises(ModelError, match=r"could not be run on a picture of 64×64 pixels"):
        take(patches)


def test_answers_that_are_no_numbers(tmp_path: Path) -> None:
    """On the sample at import; and later, when only some photo brings it out."""
    nodes = [helper.make_node("ReduceMin", ["image"], ["low"], axes=[1]), helper.make_node("Sqrt", ["low"], ["y"])]
    path = save(tmp_path / "n.onnx", nodes, [("image", (1, 3, "h", "w"))], [("y", None)])
    below = NetworkSpec(kind=NetworkKind.SEGMENT, size=Size(64, 64), mean=(2.0,) * 3, std=(1.0,) * 3)
    with pytest.raises(ModelError, match=r"values that are not numbers \(NaN or infinite\) on a sample"):
        take(path, below)
    nodes = [helper.make_node("ReduceMax", ["image"], ["high"], axes=[1]), helper.make_node("Log", ["high"], ["y"])]
    network = take(save(tmp_path / "n.onnx", nodes, [("image", (1, 3, "h", "w"))], [("y", None)]))
    with pytest.raises(ModelError, match=r"values that are not numbers \(NaN or infinite\) on this photo"):
        Pipeline(lambda: network).segment(np.zeros((50, 50, 3), np.uint8))


def test_more_memory_than_there_is(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Expand", ["image", "far"], ["vast"]),
        helper.make_node("ReduceMax", ["vast"], ["y"], axes=[0, 1], keepdims=0),
    ]
    # Beyond any address space, so that no system promises it.
    far = tensor("far", [10**12, 3, 64, 64], np.int64)
    path = save(tmp_path / "n.onnx", nodes, [("image", (1, 3, 64, 64))], [("y", None)], [far])
    with pytest.raises(ModelError, match=r"n\.onnx needs more memory than this computer has free"):
        take(path)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("kind", "clothes", "The kind of a network cannot be 'clothes'. Use one of: segment, matte"),
        ("mean", (0.5,), "three numbers each"),
        ("mean", (0.5, float("nan"), 0.5), "three numbers each"),
        ("std", (1.0, 0.0, 1.0), "must be above zero"),
        ("scale", -1.0, "must be above zero"),
        ("size", Size(16, 16), "between 32 and 8192 pixels, not 16×16"),
        ("multiple", 0, "from 1 to 256"),
        ("fit", "crop", "The fit of a network"),
        ("activation", "relu", "The activation of a network"),
    ],
)
def test_descriptions_that_make_no_sense(tmp_path: Path, field: str, value: Any, said: str) -> None:
    with pytest.raises(ModelError, match=said):
        take(weighted(tmp_path / "n.onnx"), NetworkSpec(**{**PLAIN.__dict__, field: value}))


def test_a_size_that_is_not_a_multiple() -> None:
    with pytest.raises(ModelError, match="multiples of 32, and 1000×1000 is not"):
        NetworkSpec(kind=NetworkKind.SEGMENT, size=Size(1000, 1000), mean=(0.0,) * 3, std=(1.0,) * 3, multiple=32).check()


def test_without_onnx_runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ModelError, match=r'need ONNX Runtime. Install it with: pip install "bgdesk\[onnx\]"'):
        take(weighted(tmp_path / "n.onnx"))
