"""Our networks by OpenVINO: torch's answer, torch where it fails, and not a word to anybody."""

import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch

from bgdesk.app.proven import ProvenFile
from bgdesk.core.tasks import Cancelled, CancelToken, cancellable
from bgdesk.engine import device as device_module
from bgdesk.engine import openvino_run
from bgdesk.engine import weights as weights_module
from bgdesk.engine.device import Device, Machine, Run, Stoppable, choose, place, probe
from bgdesk.engine.nets import NETS, Net
from bgdesk.engine.nets.rsu import RSU, pool, resize_like
from bgdesk.engine.openvino_run import OpenVinoRun
from bgdesk.engine.pipeline import Pipeline
from bgdesk.engine.segment import segment
from bgdesk.engine.weights import Weights

INSTALLED = Machine(cuda=None, mps=False, bf16=True, openvino=True)
TORCH = Device("cpu", "CPU", "fp32")
PHOTO = np.random.default_rng(2).integers(0, 256, (60, 80, 3), np.uint8)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Maps as small as these are slower with several, and far slower where the machine has other work."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


class Small(torch.nn.Module):
    """A network with every step of ours, and quick."""

    def __init__(self) -> None:
        super().__init__()
        self.block, self.side = RSU(4, 3, 4, 8), torch.nn.Conv2d(8, 1, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(resize_like(self.side(pool(self.block(x))).float(), x))


def network(id: str = "") -> torch.nn.Module:
    """With weights that keep the maps at their height, so that a step gone wrong is seen in the answer."""
    torch.manual_seed(7)
    net = (NETS[id].build() if id else Small()).requires_grad_(False).eval()
    for module in net.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.normal_(module.weight, std=(1.5 / module.weight[0].numel()) ** 0.5)
    return net


def batch(height: int, width: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.random.default_rng(3).random((1, 3, height, width), np.float32) - np.float32(0.5)


# --- the answer ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("id", NETS)
def test_torchs_answer_at_any_size(id: str) -> None:
    run, expected = OpenVinoRun(network(id), "fp32"), place(network(id), TORCH)
    for size in ((97, 130), (64, 33), (97, 130)):
        answer, wanted = run(batch(*size)), expected(batch(*size))
        assert answer.dtype == np.float32
        assert answer.shape == wanted.shape == (1, 1, *size)
        assert wanted.std() > 0.01
        assert np.abs(answer - wanted).max() <= 1e-4 * wanted.std()


def test_bf16_where_the_processor_has_it() -> None:
    if not probe().bf16:
        assert not choose(replace(INSTALLED, bf16=False), "cpu", "bf16").openvino
        return
    answer, wanted = OpenVinoRun(network("isnet"), "bf16")(batch(192, 192)), place(network("isnet"), TORCH)(batch(192, 192))
    assert np.abs(answer - wanted).max() <= 0.02
    # The last steps are in fp32: bf16 has no more than 256 levels between one half and one.
    assert len(np.unique(answer)) > 2000


def test_each_size_is_compiled_once_with_torchs_threads_and_unpinned(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[tuple[int, ...]] = []
    settings: list[dict[str, object]] = []
    graph_of = openvino_run.graph_of

    def noting(module: torch.nn.Module, shape: tuple[int, ...], openvino: Any) -> Any:
        compiled.append(shape)
        return graph_of(module, shape, openvino)

    class Core:
        def __init__(self, core: Any) -> None:
            self.core = core

        def compile_model(self, model: object, device: str, wanted: dict[str, object]) -> Any:
            made = self.core.compile_model(model, device, wanted)
            settings.append({name: made.get_property(name) for name in ("INFERENCE_NUM_THREADS", "ENABLE_CPU_PINNING", "NUM_STREAMS")})
            return made

    monkeypatch.setattr(openvino_run, "graph_of", noting)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    run = OpenVinoRun(network(), "fp32")
    run._core = Core(run._core)
    for side in (32, 64, 32, 64):
        run(batch(side, side))
    assert compiled == [(1, 3, 32, 32), (1, 3, 64, 64)]
    assert settings == [{"INFERENCE_NUM_THREADS": 1, "ENABLE_CPU_PINNING": False, "NUM_STREAMS": 1}] * 2


class Other(torch.nn.Module):
    """A step that none of our networks takes."""

    def __init__(self, step: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.step = step

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.step(x)


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (torch.tanh, "no step for tanh"),
        (torch.nn.Conv2d(3, 3, 1, groups=3), "no step for convolutions in groups"),
        (lambda x: torch.nn.functional.interpolate(x, size=(9, 9), mode="bicubic"), "no step for this kind of resizing"),
    ],
)
def test_what_it_cannot_do_is_refused_not_guessed(step: Callable[[torch.Tensor], torch.Tensor], words: str) -> None:
    with pytest.raises(RuntimeError, match=words):
        OpenVinoRun(Other(step), "fp32")(batch(8, 8))


# --- giving up on the way --------------------------------------------------------------------------------------------


def test_a_run_can_be_given_up_and_the_next_one_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openvino_run, "_ASK_EVERY", 1)
    run = OpenVinoRun(network("u2netp"), "fp32")
    assert isinstance(run, Stoppable)
    expected = run(batch(320, 320))
    raised: list[float] = []

    def stop() -> None:
        raised.append(time.perf_counter())
        raise Cancelled

    for _ in range(3):
        with pytest.raises(Cancelled):
            run.asking(batch(320, 320), stop)
        assert time.perf_counter() - raised[-1] < 0.1
        (request,) = run._requests.values()
        with pytest.raises(RuntimeError, match="cancel"):  # it stops, and does not go on unseen
            request.wait()
    assert len(raised) == 3
    assert np.array_equal(run(batch(320, 320)), expected)


def test_cancelling_takes_effect_inside_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openvino_run, "_ASK_EVERY", 1)
    run, token = OpenVinoRun(network("u2netp"), "fp32"), CancelToken()
    seen: list[float] = []

    def report(stage: str, fraction: float) -> None:
        seen.append(fraction)
        if seen.count(0.1) == 3:  # once when its input is ready, the others while it runs
            token.cancel()

    with pytest.raises(Cancelled):
        segment(PHOTO, NETS["u2netp"], run, cancellable(token, report))
    assert seen == [0.0, 0.0, 0.1, 0.1, 0.1]


def test_a_signal_finds_a_stack_after_networks_have_come_and_gone() -> None:
    code = """if True:
        import signal
        import numpy as np
        from bgdesk.engine.nets.rsu import ConvReLU
        from bgdesk.engine.openvino_run import OpenVinoRun, version
        runs = [OpenVinoRun(ConvReLU(3, 1).requires_grad_(False), "fp32") for _ in range(3)]
        for run in runs:
            run(np.zeros((1, 3, 8, 8), np.float32))
        version()
        while runs:
            del run, runs[0]
            run = None
            try:
                signal.raise_signal(signal.SIGINT)
            except KeyboardInterrupt:
                print("alive")
    """
    done = subprocess.run([sys.executable, "-X", "faulthandler", "-c", code], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout.split()) == (0, ["alive"] * 3), done.stderr


# --- when it serves, and when torch does -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("machine", "device", "precision", "reduced", "expected"),
    [
        (INSTALLED, "auto", "auto", True, ("CPU (OpenVINO)", "bf16", True)),
        (INSTALLED, "cpu", "fp32", True, ("CPU (OpenVINO)", "fp32", True)),
        (INSTALLED, "auto", "auto", False, ("CPU (OpenVINO)", "fp32", True)),
        (replace(INSTALLED, bf16=False), "auto", "auto", True, ("CPU (OpenVINO)", "fp32", True)),
        (replace(INSTALLED, bf16=False), "cpu", "bf16", True, ("CPU", "bf16", False)),
        (replace(INSTALLED, openvino=False), "auto", "auto", True, ("CPU", "bf16", False)),
        (replace(INSTALLED, cuda="Card"), "auto", "auto", True, ("Card", "fp16", False)),
        (replace(INSTALLED, cuda="Card"), "cpu", "auto", True, ("CPU (OpenVINO)", "bf16", True)),
    ],
)
def test_choice(machine: Machine, device: str, precision: str, reduced: bool, expected: tuple[str, str, bool]) -> None:
    chosen = choose(machine, device, precision, reduced)
    assert (chosen.name, chosen.precision, chosen.openvino) == expected
    assert chosen.sure == (chosen.name == "CPU")


def test_it_is_found_where_it_is_installed_and_was_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    assert probe().openvino
    monkeypatch.setattr(platform, "machine", lambda: "arm64")
    assert not probe().openvino
    monkeypatch.setattr(platform, "machine", lambda: "AMD64")
    monkeypatch.setitem(sys.modules, "openvino", None)
    assert not probe().openvino


def some_weights() -> Weights:
    return Weights("u2netp", "u2netp", Path("none"), "")


@pytest.fixture
def placed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A machine with OpenVINO and nothing else; the names of the devices that networks are placed on."""
    names: list[str] = []

    def noting(module: torch.nn.Module, device: Device) -> Run:
        names.append(device.name)
        return place(module, device)

    monkeypatch.setattr(device_module, "probe", lambda: INSTALLED)
    monkeypatch.setattr(device_module, "place", noting)
    monkeypatch.setattr(weights_module, "load", lambda weights: network())
    # As if it kept its accuracy in bf16, which `auto` would then choose.
    monkeypatch.setitem(cast("dict[str, Net]", NETS), "u2netp", replace(NETS["u2netp"], reduced=True))
    return names


def test_it_is_proved_once_and_then_serves(placed: list[str], tmp_path: Path) -> None:
    mattes = []
    for _ in range(2):  # as two starts of the program
        pipeline = Pipeline(some_weights, precision="fp32", proven=ProvenFile(tmp_path / "devices.json"))
        mattes.append(pipeline.segment(PHOTO))
        assert (pipeline.status.device, pipeline.status.precision) == ("CPU (OpenVINO)", "fp32")
        assert pipeline.status.notes == ()
    assert placed == ["CPU (OpenVINO)", "CPU", "CPU (OpenVINO)"]
    assert openvino_run.version() in (tmp_path / "devices.json").read_text("utf-8")
    reference = pipeline.reference()
    assert np.abs(mattes[0] - reference.segment(PHOTO)).max() < 1e-3
    assert reference.status.device == "CPU"  # torch: what it is held against


def broken_import(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)


def unlike_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    def graph_of(*arguments: object) -> Any:
        raise TypeError("max_pool() got an unexpected keyword")

    monkeypatch.setattr(openvino_run, "graph_of", graph_of)


def no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    def graph_of(*arguments: object) -> Any:
        raise MemoryError("std::bad_alloc")

    monkeypatch.setattr(openvino_run, "graph_of", graph_of)


def wrong_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    asking = OpenVinoRun.asking
    monkeypatch.setattr(OpenVinoRun, "asking", lambda self, batch, ask: np.sqrt(asking(self, batch, ask)))


def fails_at_the_second_photo(monkeypatch: pytest.MonkeyPatch) -> None:
    asking = OpenVinoRun.asking
    asked: list[int] = []

    def once(self: OpenVinoRun, batch: Any, ask: Any) -> Any:
        asked.append(1)
        if len(asked) == 3:  # the proof, the first photo
            raise RuntimeError("the request was lost")
        return asking(self, batch, ask)

    monkeypatch.setattr(OpenVinoRun, "asking", once)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (broken_import, r"could not run the network \(import of openvino halted; None in sys\.modules\); torch computes instead until"),
        (unlike_versions, r"could not run the network \(max_pool\(\) got an unexpected keyword\); torch computes instead until"),
        (no_memory, "ran out of memory; torch computes instead until the program is started again"),
        (wrong_answer, r"is not used: in fp32 its answer to a sample differs from the CPU's by .* on the mean\. Torch computes instead\."),
        (fails_at_the_second_photo, r"could not run the network \(the request was lost\); torch computes instead until"),
    ],
)
def test_where_it_fails_torch_computes_and_it_is_said_once(
    spoil: Callable[[pytest.MonkeyPatch], None], words: str, placed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil(monkeypatch)
    pipeline = Pipeline(some_weights, precision="fp32")
    mattes = [pipeline.segment(PHOTO) for _ in range(3)]
    status = pipeline.status
    assert (status.device, status.precision, status.instead_of) == ("CPU", "fp32", "CPU (OpenVINO)")
    assert len(status.notes) == 1
    assert status.notes[0].startswith("CPU (OpenVINO) ")
    assert re.search(words, status.notes[0])
    assert np.array_equal(mattes[-1], Pipeline(some_weights, precision="fp32", torch_only=True).segment(PHOTO))


# --- silence ---------------------------------------------------------------------------------------------------------


def test_nothing_is_reported_to_anybody(tmp_path: Path) -> None:
    """In a process of its own, whose home says nothing about telemetry: OpenVINO takes that for a yes."""
    code = """if True:
        import importlib.util
        import sys
        assert importlib.util.find_spec("openvino_telemetry") is not None  # it is there, and would be used
        calls = []

        def hook(event, arguments):
            if event.startswith(("socket.", "urllib.")):
                calls.append(event)
                raise OSError("not from here")

        sys.addaudithook(hook)
        import numpy as np
        from bgdesk.engine.nets import NETS
        from bgdesk.engine.openvino_run import OpenVinoRun, version
        run = OpenVinoRun(NETS["u2netp"].build().requires_grad_(False).eval(), "fp32")
        assert run(np.zeros((1, 3, 32, 32), np.float32)).shape == (1, 1, 32, 32)
        version()
        loaded = [name for name, module in sys.modules.items() if module is not None and "telemetry" in name]
        assert loaded == [], loaded
        import openvino.tools.ovc  # as a program around us may do: it finds nothing to report with
        loaded = [name for name, module in sys.modules.items() if module is not None and name.startswith("openvino_telemetry")]
        assert loaded == [], loaded
        assert calls == [], calls
    """
    outside = {name: value for name, value in os.environ.items() if name not in ("CI", "TF_BUILD", "JENKINS_URL")}
    homes = {"HOME": str(tmp_path), "USERPROFILE": str(tmp_path), "LOCALAPPDATA": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120, env=outside | homes)
    assert not [path for path in tmp_path.rglob("*") if "intel" in str(path).lower() or "telemetry" in path.name.lower()]
