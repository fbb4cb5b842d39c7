"""Networks from ONNX files: run as they are described, and refused with a reason."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from onnx import helper

from bgdesk.core.errors import ModelError
from bgdesk.core.geometry import Size
from bgdesk.core.network import Activation, Fit, NetworkKind, NetworkSpec
from bgdesk.engine.networks import onnx_net
from bgdesk.engine.networks.device import OutOfMemory
from bgdesk.engine.networks.network import Opened
from bgdesk.engine.networks.onnx_net import OnnxNet, OnnxNetwork
from bgdesk.engine.networks.onnx_trial import attempt
from bgdesk.engine.pipeline import Pipeline
from tests.networks import TRIMAP, matting, photo, save, take, weighted

# --- what they tell their makers ---


def test_nothing_is_written_down_about_the_person(tmp_path: Path) -> None:
    """In a process of its own with a home of its own, where the runtime's makers would keep a number and a list to send."""
    network, home = weighted(tmp_path / "n.onnx"), tmp_path / "home"
    home.mkdir()
    use = "import sys; from bgdesk.engine.networks.onnx_net import runtime; runtime().InferenceSession(sys.argv[1])"
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "ORT_"))} | {"HOME": str(home)}
    subprocess.run([sys.executable, "-c", use, str(network)], env=environment, check=True)
    assert not list(home.rglob("*icrosoft*"))


# --- what they answer ---


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_values_reach_the_network_as_described(tmp_path: Path, kind: type) -> None:
    """The red of a photo comes back through mean, deviation and weights, at the photo's own size."""
    spec = NetworkSpec(kind=NetworkKind.SEGMENT, size=Size(64, 64), mean=(0.5, 0.1, 0.2), std=(0.25, 0.5, 0.5))
    network = take(weighted(tmp_path / "n.onnx", (0.25, 0.0, 0.0), 0.5, last=""), spec)
    assert network.spec.activation == "none"
    pipeline = Pipeline(lambda: network)
    matte = pipeline.segment(photo(kind=kind))
    assert matte.shape == (90, 120)
    assert matte.dtype == np.float32
    assert np.abs(matte[45] - np.linspace(0, 1, 120)).max() < 0.02
    assert (pipeline.status.device, pipeline.status.precision, pipeline.status.model) == ("CPU", "fp32", "mine")


def test_values_from_0_to_255(tmp_path: Path) -> None:
    spec = NetworkSpec(kind=NetworkKind.SEGMENT, size=Size(64, 64), mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0), scale=1.0)
    network = take(weighted(tmp_path / "n.onnx", (1 / 255, 0.0, 0.0), last=""), spec)
    assert np.abs(Pipeline(lambda: network).segment(photo())[45] - np.linspace(0, 1, 120)).max() < 0.02


@pytest.mark.parametrize("said", ["auto", "none", "sigmoid"])
@pytest.mark.parametrize("last", ["Sigmoid", ""])
def test_the_last_step_is_done_once(tmp_path: Path, said: str, last: str) -> None:
    """The same network is exported with and without its sigmoid; whatever was said, the matte is the same."""
    path = weighted(tmp_path / "n.onnx", (8.0, 0.0, 0.0), -4.0, last=last)
    trial = attempt(
        path,
        "n.onnx",
        NetworkSpec(kind=NetworkKind.SEGMENT, size=Size(64, 64), mean=(0.0,) * 3, std=(1.0,) * 3, activation=Activation(said)),
        True,
    )
    assert trial.spec.activation == ("none" if last else "sigmoid")
    assert bool(trial.notes) == (said not in ("auto", trial.spec.activation))
    matte = Pipeline(lambda: OnnxNetwork("mine", path, "", trial.spec, trial.answer)).segment(photo())
    expected = 1 / (1 + np.exp(4 - 8 * np.linspace(0, 1, 120)))
    assert np.abs(matte[45] - expected).max() < 0.03


def test_stretched_answers_fill_the_range(tmp_path: Path) -> None:
    spec = NetworkSpec(kind=NetworkKind.SEGMENT, size=Size(64, 64), mean=(0.0,) * 3, std=(1.0,) * 3, stretch=True)
    matte = Pipeline(lambda: take(weighted(tmp_path / "n.onnx", (0.2, 0.0, 0.0), 0.3, last=""), spec)).segment(photo())
    assert (matte.min(), matte.max()) == (0, 1)


def test_half_precision(tmp_path: Path) -> None:
    network = take(weighted(tmp_path / "n.onnx", (4.0, 0.0, 0.0), -2.0, half=True))
    pipeline = Pipeline(lambda: network, precision="fp32")
    matte = pipeline.segment(photo())
    assert np.abs(matte[45] - 1 / (1 + np.exp(2 - 4 * np.linspace(0, 1, 120)))).max() < 0.03
    assert pipeline.status.precision == "fp16"
    assert pipeline.status.notes == ("mine computes in fp16, as its file was exported, not in fp32.",)


@pytest.mark.parametrize(
    ("size", "given"),
    [(Size(120, 90), Size(96, 64)), (Size(90, 120), Size(64, 96)), (Size(64, 64), Size(64, 64)), (Size(9000, 90), Size(256, 64))],
)
def test_a_photo_that_keeps_its_shape(size: Size, given: Size) -> None:
    assert (
        OnnxNet(
            NetworkSpec(kind=NetworkKind.SEGMENT, size=Size(64, 64), mean=(0.0,) * 3, std=(1.0,) * 3, fit=Fit.ASPECT, multiple=32)
        ).size_for(size)
        == given
    )


def test_a_smaller_photo_where_the_file_was_tried_with_several_sizes() -> None:
    def given(fit: Fit) -> Size:
        spec = NetworkSpec(kind=NetworkKind.SEGMENT, size=Size(128, 128), mean=(0.0,) * 3, std=(1.0,) * 3, fit=fit, multiple=32)
        return OnnxNet(spec).size_for(Size(120, 90), 0.5)

    assert (given(Fit.ASPECT), given(Fit.STRETCH), given(Fit.EXACT)) == (Size(96, 64), Size(128, 128), Size(128, 128))


def test_the_files_own_size_is_taken(tmp_path: Path) -> None:
    path = weighted(tmp_path / "n.onnx", size=(32, 96))
    for wish, insist in ((None, True), (Size(64, 64), False), (Size(96, 32), True)):
        spec = attempt(
            path, "n.onnx", NetworkSpec(kind=NetworkKind.SEGMENT, size=wish, mean=(0.0,) * 3, std=(1.0,) * 3, fit=Fit.ASPECT), insist
        ).spec
        assert (spec.size, spec.fit) == (Size(96, 32), Fit.EXACT)
        assert OnnxNet(spec).size_for(Size(500, 500)) == Size(96, 32)


def test_which_output(tmp_path: Path) -> None:
    """Of several outputs the first that is a map is taken, or the one that was named."""
    nodes = [
        helper.make_node("GlobalAveragePool", ["image"], ["means"]),
        helper.make_node("ReduceMax", ["image"], ["brightest"], axes=[1]),
        helper.make_node("ReduceMin", ["image"], ["darkest"], axes=[1]),
    ]
    shape: list[int | str] = [1, 3, "h", "w"]
    outputs: list[tuple[str, Any]] = [("means", [1, 3, 1, 1]), ("brightest", None), ("darkest", None)]
    path = save(tmp_path / "n.onnx", nodes, [("image", shape)], outputs)
    assert take(path).spec.output == "brightest"
    named = NetworkSpec(kind=NetworkKind.SEGMENT, size=Size(64, 64), mean=(0.0,) * 3, std=(1.0,) * 3, output="darkest")
    network = take(path, named)
    assert network.spec.output == "darkest"
    assert Pipeline(lambda: network).segment(photo()).max() == 0  # a photo without blue
    with pytest.raises(ModelError, match=r"no output called alpha. Its outputs are: means, brightest, darkest"):
        take(path, NetworkSpec(kind=NetworkKind.SEGMENT, size=Size(64, 64), mean=(0.0,) * 3, std=(1.0,) * 3, output="alpha"))


def opened_on(device: str, network: OnnxNetwork) -> Opened[OnnxNet]:
    return network.open(network.devices(device, "auto")[0], set())


def test_several_pictures_at_once(tmp_path: Path) -> None:
    opened = opened_on("cpu", take(weighted(tmp_path / "n.onnx", (1.0, 0.0, 0.0), last="", size=(64, 64))))
    batch = np.zeros((2, 3, 64, 64), np.float32)
    batch[1, 0] = 0.75
    answer = opened.run(batch)
    assert answer.shape == (2, 1, 64, 64)
    assert (answer[0] == 0).all()
    assert np.allclose(answer[1], 0.75)


# --- devices ---


class Elsewhere:
    """ONNX Runtime with an accelerator that starts or not, and answers rightly or not."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, provider: str, *, starts: bool = True, off: float = 0.0, room: int = 99) -> None:
        real = onnx_net.runtime()
        self.room = room

        def session(path: str, options: Any, providers: list[str]) -> Any:
            computes = real.InferenceSession(path, options, providers=["CPUExecutionProvider"])
            used = [each for each in providers if each != provider or starts]

            def run(outputs: list[str], feeds: Any) -> Any:
                answers = computes.run(outputs, feeds)
                if used[0] != provider:
                    return answers
                self.room -= 1
                if self.room < 0:
                    raise RuntimeError("[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : CUDA failure 2: out of memory")
                return [answer + off for answer in answers]

            return SimpleNamespace(get_providers=lambda: used, get_inputs=computes.get_inputs, run=run)

        fake = SimpleNamespace(
            SessionOptions=real.SessionOptions,
            InferenceSession=session,
            get_available_providers=lambda: [provider, "CPUExecutionProvider"],
        )
        monkeypatch.setattr(onnx_net, "runtime", lambda: fake)


@pytest.mark.parametrize(
    ("provider", "asked", "kind"),
    [
        ("CUDAExecutionProvider", "auto", "cuda"),
        ("CUDAExecutionProvider", "cuda", "cuda"),
        ("CoreMLExecutionProvider", "auto", "mps"),
        ("DmlExecutionProvider", "auto", "directml"),
        ("DmlExecutionProvider", "cpu", "cpu"),
    ],
)
def test_the_fastest_device_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, provider: str, asked: str, kind: str) -> None:
    network = take(weighted(tmp_path / "n.onnx"))
    Elsewhere(monkeypatch, provider)
    assert network.devices(asked, "auto")[-1].kind == "cpu"
    opened = opened_on(asked, network)
    assert (opened.device.kind, opened.device.precision, opened.notes) == (kind, "fp32", ())


@pytest.mark.parametrize(("asked", "name"), [("cuda", "NVIDIA GPU"), ("xpu", "Intel GPU")])
def test_a_device_that_is_not_there(tmp_path: Path, asked: str, name: str) -> None:
    network = take(weighted(tmp_path / "n.onnx"))
    pipeline = Pipeline(lambda: network, asked)
    pipeline.segment(photo())
    assert (pipeline.status.device, pipeline.status.instead_of) == ("CPU", name)
    assert pipeline.status.notes == (
        f"{name} is not used for mine: the installed ONNX Runtime does not support it. The CPU is used instead.",
    )


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        ({"starts": False}, "ONNX Runtime could not start it"),
        ({"off": 0.1}, "its answer to a sample differs from the CPU's by up to 0.1"),
    ],
)
def test_a_device_that_fails_its_proof(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: dict[str, Any], said: str) -> None:
    network = take(weighted(tmp_path / "n.onnx", (0.3, 0.3, 0.1), last=""))
    Elsewhere(monkeypatch, "CUDAExecutionProvider", **trouble)
    pipeline = Pipeline(lambda: network)
    assert pipeline.segment(photo()).max() > 0.3
    assert pipeline.status.device == "CPU"
    (note,) = pipeline.status.notes
    assert note.startswith(f"NVIDIA GPU is not used for mine: {said}")


def test_no_room_for_the_proof(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = take(weighted(tmp_path / "n.onnx", (0.3, 0.3, 0.1), last=""))
    Elsewhere(monkeypatch, "CUDAExecutionProvider", room=0)
    pipeline = Pipeline(lambda: network)
    assert pipeline.segment(photo()).max() > 0.3
    assert pipeline.status.device == "CPU"
    assert pipeline.status.notes == ("NVIDIA GPU ran out of memory. The CPU is used until the program is started again.",)


def test_out_of_memory_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = take(weighted(tmp_path / "n.onnx"))
    Elsewhere(monkeypatch, "CUDAExecutionProvider", room=2)  # one for the proof
    pipeline = Pipeline(lambda: network)
    first = pipeline.segment(photo())
    assert pipeline.status.device == "NVIDIA GPU"
    assert (pipeline.segment(photo()) == first).all()
    assert pipeline.status.device == "CPU"
    assert "ran out of memory" in pipeline.status.notes[0]
    Elsewhere(monkeypatch, "CUDAExecutionProvider", room=1)
    opened = opened_on("auto", network)
    with pytest.raises(OutOfMemory):
        opened.run(np.zeros((1, 3, 64, 64), np.float32))


# --- matting ---


def test_a_small_photo_is_given_whole(tmp_path: Path) -> None:
    """Padded to what the network takes, cut back, and pinned where the trimap knows."""
    network = take(matting(tmp_path / "m.onnx"), TRIMAP)
    assert (network.spec.output, network.spec.activation) == ("alphas", "none")
    pixels, trimap = photo(90, 120), np.full((90, 120), 128, np.uint8)
    trimap[:, :20], trimap[:, 100:] = 0, 255
    alpha = Pipeline(no_weights, matting=lambda: network).matte(pixels, trimap).alpha
    assert (alpha[trimap == 0] == 0).all()
    assert (alpha[trimap == 255] == 1).all()
    assert np.abs(alpha[45, 22:98] - (0.25 + 0.5 * np.linspace(0, 1, 120)[22:98])).max() < 0.01


def no_weights() -> OnnxNetwork:
    raise ModelError("nobody asked for a segmentation network")


@pytest.mark.parametrize("size", [(128, 128), ("h", "w")])
def test_a_large_photo_is_worked_out_in_windows(tmp_path: Path, size: tuple[Any, Any]) -> None:
    """No seam: a local network's answer is the same as if it had seen all at once, wherever there is anything to refine."""
    network = take(matting(tmp_path / "m.onnx", size=size), TRIMAP)
    random = np.random.default_rng(3)
    pixels = np.zeros((300, 450, 3), np.uint8)
    pixels[..., 0] = np.kron(random.integers(0, 256, (30, 45)), np.ones((10, 10)))
    trimap = np.full((300, 450), 128, np.uint8)
    trimap[:30], trimap[-30:], trimap[70::70] = 0, 255, 0  # something known in every window
    pipeline = Pipeline(no_weights, matting=lambda: network)
    stages: list[float] = []
    alpha = pipeline.matte(pixels, trimap, progress=lambda _stage, fraction: stages.append(fraction)).alpha
    whole = OnnxNetwork("whole", matting(tmp_path / "w.onnx", size=(320, 480)), "", network.spec, network.answer)
    at_once = take(whole.path, TRIMAP, insist=False)
    expected = Pipeline(no_weights, matting=lambda: at_once).matte(pixels, trimap).alpha
    difference = np.abs(alpha - expected)[35:-35]
    assert (difference < 1e-3).mean() > 0.97
    assert difference.max() < 0.15  # where the small answer was flat, it stays
    assert stages[0] == 0
    assert stages[-1] == 1
    assert stages == sorted(stages)


def test_a_matting_network_works_out_what_segmenting_left_open(tmp_path: Path) -> None:
    segmenting = take(weighted(tmp_path / "s.onnx", (12.0, 0.0, 0.0), -6.0))
    network = take(matting(tmp_path / "m.onnx"), TRIMAP)
    pipeline = Pipeline(lambda: segmenting, matting=lambda: network)
    cutout = pipeline.auto(photo())
    assert cutout.model == "mine + mine"
    assert cutout.matte is not None
    band = cutout.trimap == 128
    assert band.any()
    red = np.broadcast_to(np.linspace(0, 1, 120, dtype=np.float32), band.shape)
    inner = band & (np.arange(90)[:, None] > 1) & (np.arange(90)[:, None] < 88)
    inner[:, :1] = inner[:, -1:] = False
    near = np.abs(cutout.alpha - (0.25 + 0.5 * red))[inner]
    assert np.median(near) < 0.01
    assert (cutout.alpha[cutout.trimap == 255] == 1).all()


def test_matting_falls_back_when_memory_runs_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = take(matting(tmp_path / "m.onnx"), TRIMAP)
    Elsewhere(monkeypatch, "CUDAExecutionProvider", room=1)
    pipeline = Pipeline(no_weights, matting=lambda: network)
    trimap = np.full((90, 120), 128, np.uint8)
    trimap[:, :20] = 0
    assert pipeline.matte(photo(), trimap).alpha.max() > 0.6
    said = "NVIDIA GPU ran out of memory. The CPU is used until the program is started again."
    assert (pipeline.status.notes, pipeline.status.instead_of) == ((said,), "NVIDIA GPU")
    pipeline.close()
    assert (pipeline.status.notes, pipeline.status.instead_of) == ((), "")


def test_what_matting_has_to_say_is_in_the_cutout_s_notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    segmenting = take(weighted(tmp_path / "s.onnx", (12.0, 0.0, 0.0), -6.0))
    network = take(matting(tmp_path / "m.onnx"), TRIMAP)
    Elsewhere(monkeypatch, "CUDAExecutionProvider", starts=False)
    pipeline = Pipeline(lambda: segmenting, "cpu", matting=lambda: network)
    pipeline._device = "cuda"  # of what is opened from now on
    cutout = pipeline.auto(photo())
    assert "NVIDIA GPU is not used for mine: ONNX Runtime could not start it. The CPU is used instead." in cutout.notes


def test_no_network_is_chosen_any_more(tmp_path: Path) -> None:
    chosen: list[OnnxNetwork | None] = [take(matting(tmp_path / "m.onnx"), TRIMAP)]
    pipeline = Pipeline(no_weights, matting=lambda: chosen[0])
    trimap = np.full((90, 120), 128, np.uint8)
    trimap[:, :20], trimap[:, 100:] = 0, 255
    by_network = pipeline.matte(photo(), trimap).alpha
    models = [pipeline.status.model]
    chosen[0] = None
    by_solver = pipeline.matte(photo(), trimap).alpha
    models.append(pipeline.status.model)
    assert models == ["mine", None]
    assert np.abs(by_network - by_solver).max() > 0.05
    assert (by_solver == Pipeline(no_weights).matte(photo(), trimap).alpha).all()


# --- a real one ---


def test_a_real_network_gives_what_our_own_gives(onnx_originals: dict[str, Path], models_home: Path, sample: Path) -> None:
    """The published U²-Net through ONNX Runtime against our U²-Net with the same weights."""
    from bgdesk.app.networks.store import default_store
    from bgdesk.files.load import load

    imagenet = NetworkSpec(
        kind=NetworkKind.SEGMENT, size=Size(320, 320), mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225), stretch=True
    )
    network = take(onnx_originals["u2netp"], imagenet)
    pixels = load(sample).pixels
    theirs = Pipeline(lambda: network).segment(pixels)
    ours = Pipeline(lambda: default_store().weights("u2netp"), "cpu", "fp32").segment(pixels)
    assert np.abs(theirs - ours).max() < 0.01
