"""Each network, fp32, against ONNX Runtime running the published file on a real photo."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from bgdesk.engine.networks.device import Device, place
from bgdesk.engine.networks.nets.architectures import NETS, stretch
from bgdesk.engine.networks.segment import segment
from bgdesk.engine.networks.weights import Weights, convert, load
from bgdesk.files.load import load as load_photo

CPU = Device("cpu", "CPU", "fp32")
PAIRS = [("isnet-general", "isnet"), ("u2netp", "u2netp")]


@pytest.mark.parametrize(("model", "net"), PAIRS)
def test_same_answer_as_the_published_file(model: str, net: str, onnx_originals: dict[str, Path], sample: Path, tmp_path: Path) -> None:
    tensors = tmp_path / "tensors.safetensors"
    convert(onnx_originals[model], net, tensors)
    run = place(load(Weights(model, net, tensors, "")), CPU)
    seen: list[np.ndarray] = []

    def recording(batch: np.ndarray) -> np.ndarray:
        seen.append(batch)
        return run(batch)

    pixels = load_photo(sample).pixels
    matte = segment(pixels, NETS[net], recording)
    session = onnxruntime.InferenceSession(str(onnx_originals[model]), providers=["CPUExecutionProvider"])
    expected = session.run([session.get_outputs()[0].name], {session.get_inputs()[0].name: seen[0]})[0]
    assert np.abs(run(seen[0]) - expected).max() <= 2e-3
    assert matte.shape == pixels.shape[:2]
    assert matte.min() >= 0
    assert matte.max() <= 1
    assert 0.2 < matte.mean() < 0.8  # the person fills about half of this photo


def test_stretching_fills_the_range_and_leaves_a_constant_alone() -> None:
    assert stretch(np.array([0.2, 0.4, 0.6], np.float32)) == pytest.approx([0, 0.5, 1])
    assert stretch(np.full(3, 0.3, np.float32)).tolist() == pytest.approx([0.3] * 3)


@pytest.mark.parametrize("net", NETS)
def test_normalisation_is_the_published_one(net: str) -> None:
    pixels = np.array([[[0, 128, 200]]], np.float32)
    expected = {
        "isnet": [-0.5, 0.0, 72 / 256],
        "u2netp": [-0.485 / 0.229, (0.64 - 0.456) / 0.224, (1 - 0.406) / 0.225],
    }[net]
    assert NETS[net].normalise(pixels)[0, 0] == pytest.approx(expected, abs=1e-5)


def test_16_bit_pixels_give_the_8_bit_answer() -> None:
    def mean_of_batch(batch: np.ndarray) -> np.ndarray:
        return np.asarray(batch.mean(axis=1, keepdims=True) + 0.5)

    pixels = np.random.default_rng(1).integers(0, 256, (50, 70, 3), np.uint8)
    matte = segment(pixels, NETS["isnet"], mean_of_batch)
    wide = segment(pixels.astype(np.uint16) * 257, NETS["isnet"], mean_of_batch)
    assert np.abs(matte - wide).max() < 0.01
