import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from bgdesk.app.networks.store import default_store
from bgdesk.app.system.proven_devices import ProvenFile
from bgdesk.core.engine import EngineStatus, Reach
from bgdesk.core.errors import MattingError, ModelError
from bgdesk.core.geometry import Rect
from bgdesk.core.recipe import MatteRecipe, Quality
from bgdesk.core.tasks import Cancelled, CancelToken, cancellable
from bgdesk.engine.networks import weights as weights_module
from bgdesk.engine.networks.device import Device, Machine, OutOfMemory, Run
from bgdesk.engine.networks.nets.architectures import NETS
from bgdesk.engine.networks.segment import segment
from bgdesk.engine.networks.weights import Weights
from bgdesk.engine.pipeline import Pipeline
from bgdesk.engine.self_test import Comparison, compare_with_cpu, versions
from bgdesk.files.load import load
from tests.engine.scenes import hairy, trimap_of

NO_ROOM = OutOfMemory("no room")


class FakeAccelerator:
    """Stands in for an accelerator: counts what crosses the seam, and can fail in each step. Its first run is the proof.

    adds: what it adds to the right answer, in the left half of the picture.
    """

    def __init__(self, fails_when_placed: bool = False, fails_at_run: int = 0, error: Exception = NO_ROOM, adds: float = 0.0) -> None:
        self.fails_when_placed, self.fails_at_run, self.error, self.adds = fails_when_placed, fails_at_run, error, adds
        self.placed: list[str] = []
        self.runs: list[str] = []
        self.batches: list[NDArray[np.float32]] = []

    def place(self, module: object, device: Device) -> Run:
        self.placed.append(device.kind)
        if device.kind == "cuda" and self.fails_when_placed:
            raise self.error

        def run(batch: NDArray[np.float32]) -> NDArray[np.float32]:
            self.runs.append(device.kind)
            self.batches.append(batch)
            if device.kind == "cuda" and len(self.runs) == self.fails_at_run:
                raise self.error
            bright = batch.mean(axis=1, keepdims=True)
            answer: NDArray[np.float32] = (bright > bright.mean()).astype(np.float32)
            if device.kind == "cuda":
                answer[..., : answer.shape[3] // 2] += np.float32(self.adds)
            return answer

        return run


@pytest.fixture
def accelerator(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> FakeAccelerator:
    accelerator = FakeAccelerator(**getattr(request, "param", {}))
    monkeypatch.setattr(weights_module, "probe", lambda: Machine(cuda="Fake GPU", mps=False, bf16=False))
    monkeypatch.setattr(weights_module, "place", accelerator.place)
    monkeypatch.setattr(weights_module, "load", lambda weights: object())
    return accelerator


def some_weights() -> Weights:
    return Weights("isnet-general", "isnet", Path("none"), "")


def test_the_network_is_placed_once_proved_once_and_runs_once_a_photo(accelerator: FakeAccelerator) -> None:
    pipeline = Pipeline(some_weights)
    assert pipeline.status == EngineStatus()
    source, _, _ = hairy(60, 80)
    for _ in range(3):
        pipeline.segment(source)
    assert (accelerator.placed, accelerator.runs) == (["cuda", "cpu"], ["cuda", "cpu"] + ["cuda"] * 3)
    assert pipeline.status == EngineStatus(device="Fake GPU", precision="fp16", model="isnet-general")


def test_a_proved_device_is_not_proved_again(accelerator: FakeAccelerator, tmp_path: Path) -> None:
    source, _, _ = hairy(60, 80)
    for _ in range(2):  # as two starts of the program
        Pipeline(some_weights, proven=ProvenFile(tmp_path / "devices.json")).segment(source)
    assert accelerator.runs == ["cuda", "cpu", "cuda", "cuda"]
    Pipeline(some_weights, precision="fp32", proven=ProvenFile(tmp_path / "devices.json")).segment(source)
    assert accelerator.runs[4:] == ["cuda", "cpu", "cuda"]  # another precision is another thing


def test_the_cpu_needs_no_proof(accelerator: FakeAccelerator) -> None:
    Pipeline(some_weights, "cpu").segment(hairy(60, 80)[0])
    assert accelerator.runs == ["cpu"]


@pytest.mark.parametrize(
    ("accelerator", "words"),
    [
        ({"fails_when_placed": True}, "Fake GPU ran out of memory"),
        ({"fails_at_run": 1}, "Fake GPU ran out of memory"),
        ({"fails_at_run": 4}, "Fake GPU ran out of memory"),
        (
            {"fails_when_placed": True, "error": RuntimeError("no kernel image\nmore")},
            r"Fake GPU could not run the network isnet-general .no kernel image.\.",
        ),
        (
            {"fails_at_run": 1, "error": NotImplementedError("aten::thing")},
            r"Fake GPU could not run the network isnet-general .aten::thing.\.",
        ),
        (
            {"fails_at_run": 4, "error": RuntimeError("illegal memory access")},
            r"could not run the network isnet-general .illegal memory access.\.",
        ),
        (
            {"adds": 0.5},
            r"Fake GPU is not used for isnet-general: in fp16 its answer .* differs .* by up to 0\.500, and by 0\.2500 on average",
        ),
        ({"adds": 0.015}, r"by up to 0\.015, and by 0\.0075 on average"),
        ({"adds": float("nan")}, "by up to nan"),
    ],
    indirect=["accelerator"],
)
def test_a_device_that_fails_gives_way_to_the_cpu_and_says_why(accelerator: FakeAccelerator, words: str) -> None:
    pipeline = Pipeline(some_weights)
    source, _, _ = hairy(60, 80)
    pipeline.auto(source)
    cutout = pipeline.auto(source)
    assert accelerator.placed.count("cuda") == 1
    assert accelerator.runs[-1] == "cpu"
    assert cutout.device == "CPU"
    assert re.search(words, cutout.notes[0])
    assert len(cutout.notes) == 1
    assert pipeline.status.instead_of == "Fake GPU"
    assert Pipeline(some_weights, "cpu").auto(source).alpha.tolist() == cutout.alpha.tolist()


def test_what_fails_on_the_cpu_is_told_as_it_is(accelerator: FakeAccelerator, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(module: object, device: Device) -> Run:
        def run(batch: NDArray[np.float32]) -> NDArray[np.float32]:
            raise RuntimeError("a defect")

        return run

    monkeypatch.setattr(weights_module, "place", broken)
    with pytest.raises(RuntimeError, match="a defect"):
        Pipeline(some_weights, "cpu").segment(hairy(60, 80)[0])


@pytest.mark.parametrize("accelerator", [{"adds": 0.5}], indirect=True)
def test_a_device_that_errs_is_asked_again_at_the_next_start(accelerator: FakeAccelerator, tmp_path: Path) -> None:
    for _ in range(2):
        Pipeline(some_weights, proven=ProvenFile(tmp_path / "devices.json")).segment(hairy(60, 80)[0])
    assert accelerator.placed.count("cuda") == 2


@pytest.mark.parametrize(("quality", "sides"), [("fast", [768]), ("balanced", [1024]), ("best", [1024, 768])])
def test_the_quality_says_what_the_network_looks_at(accelerator: FakeAccelerator, quality: str, sides: list[int]) -> None:
    source, _, _ = hairy(60, 80)
    Pipeline(some_weights, "cpu").auto(source, MatteRecipe(quality=Quality(quality)))
    assert [batch.shape for batch in accelerator.batches] == [(1, 3, side, side) for side in sides]
    if quality == "best":
        turned = np.asarray(cv2.resize(accelerator.batches[0][0, 0, :, ::-1], (768, 768), interpolation=cv2.INTER_AREA))
        assert np.abs(accelerator.batches[1][0, 0] - turned).mean() < 0.005
        assert np.abs(accelerator.batches[1][0, 0] - turned[:, ::-1]).mean() > 0.03


def test_best_is_the_mean_of_the_photo_and_its_mirror_image() -> None:
    """A network that sees the left half only: half of it is left where the mirror image's answer is turned back."""

    def left(batch: NDArray[np.float32]) -> NDArray[np.float32]:
        answer = np.zeros((1, 1, *batch.shape[2:]), np.float32)
        answer[..., : batch.shape[3] // 4] = 1
        return answer

    matte = segment(np.zeros((40, 80, 3), np.uint8), NETS["isnet"], left, quality=Quality.BEST)
    assert matte[:, 5] == pytest.approx(0.5, abs=1e-4)
    assert matte[:, 75] == pytest.approx(0.5, abs=1e-4)
    assert matte[:, 40] == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    ("first", "second", "low", "high"), [(1, 1, 1, 1), (0, 0, 0, 0), (0.99, 0.4, 0.85, 0.95), (0.3, 0.7, 0.499, 0.501)]
)
def test_the_surer_of_two_answers_counts_more(first: float, second: float, low: float, high: float) -> None:
    answers = iter((first, second))

    def said(batch: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.full((1, 1, *batch.shape[2:]), next(answers), np.float32)

    matte = segment(np.zeros((40, 80, 3), np.uint8), NETS["isnet"], said, quality=Quality.BEST)
    assert low - 1e-6 <= matte.min() <= matte.max() <= high + 1e-6
    assert matte.dtype == np.float32


def test_auto_gives_everything_timed(accelerator: FakeAccelerator) -> None:
    source, _, _ = hairy(90, 120)
    cutout = Pipeline(some_weights).auto(source)
    assert set(cutout.timings) == {"network", "trimap", "alpha", "foreground"}
    assert all(seconds >= 0 for seconds in cutout.timings.values())
    assert cutout.source is source
    assert cutout.matte is not None
    assert {array.shape[:2] for array in (cutout.alpha, cutout.foreground, cutout.trimap, cutout.matte)} == {(90, 120)}
    opaque = cutout.alpha == 1
    assert np.array_equal(cutout.foreground[opaque], source[opaque])


def test_without_refining_and_decontaminating(accelerator: FakeAccelerator) -> None:
    source, _, _ = hairy(90, 120)
    cutout = Pipeline(some_weights).auto(source, MatteRecipe(refine=False, decontaminate=False))
    assert cutout.foreground is source
    assert cutout.matte is not None
    assert np.array_equal(cutout.alpha[cutout.trimap == 128], cutout.matte[cutout.trimap == 128])


def test_failed_pieces_are_said(accelerator: FakeAccelerator, monkeypatch: pytest.MonkeyPatch) -> None:
    from bgdesk.engine.matting import refine as refine_module
    from bgdesk.engine.matting.tiles import Solved

    monkeypatch.setattr(refine_module, "refine", lambda pixels, trimap, matte, progress: Solved(matte, 2, 5))
    cutout = Pipeline(some_weights).auto(hairy(60, 80)[0])
    assert cutout.notes == ("2 of 5 tiles of the edge could not be refined and are less precise.",)


def test_a_photo_without_a_subject_is_said(accelerator: FakeAccelerator) -> None:
    white = np.full((60, 80, 3), 255, np.uint8)
    for recipe in (MatteRecipe(), MatteRecipe(refine=False)):
        cutout = Pipeline(some_weights).auto(white, recipe)
        assert (cutout.alpha == 0).all()
        assert [note.partition(":")[0] for note in cutout.notes] == ["The network found no subject here"]
    assert Pipeline(some_weights).auto(hairy(60, 80)[0]).notes == ()


def test_matting_that_was_not_solved_to_the_end_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    from bgdesk.engine.matting import refine as refine_module
    from bgdesk.engine.matting.tiles import Solved

    pipeline, arrays = Pipeline(some_weights), good()
    refined = pipeline.matte(arrays["pixels"], arrays["trimap"])
    assert (refined.converged, refined.notes) == (True, ())
    monkeypatch.setattr(refine_module, "refine", lambda pixels, trimap, prior, progress: Solved(arrays["alpha"], 1, 4))
    for _ in range(2):  # each time, and not once
        refined = pipeline.matte(arrays["pixels"], arrays["trimap"])
        assert (refined.converged, refined.notes) == (False, ("1 of 4 tiles of the edge could not be refined and are less precise.",))
    assert pipeline.status.notes == ()


def test_a_stroke_that_was_not_solved_to_the_end_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    from bgdesk.engine.matting import rematte as rematte_module

    def unsolved(
        pixels: object, trimap: object, alpha: np.ndarray, roi: Rect, progress: object, again: object
    ) -> tuple[Rect, np.ndarray, bool]:
        return roi, alpha[roi.slices], False

    pipeline, arrays = Pipeline(some_weights), good()
    stroke = (arrays["pixels"], arrays["trimap"], arrays["alpha"], Rect(5, 5, 20, 20))
    assert pipeline.rematte(*stroke).notes == ()
    monkeypatch.setattr(rematte_module, "solve", unsolved)
    for _ in range(2):
        assert "could not be refined" in pipeline.rematte(*stroke).notes[0]
    assert pipeline.status.notes == ()


def test_a_network_chosen_while_another_is_loaded_is_the_one_that_is_used(accelerator: FakeAccelerator) -> None:
    asked: list[str] = []

    def weights() -> Weights:
        asked.append("isnet-general" if not asked else "u2netp")
        if len(asked) == 1:
            pipeline.close()  # on another thread, while this one loads: another network was chosen
        return Weights(asked[-1], "isnet", Path("none"), "")

    pipeline = Pipeline(weights)
    pipeline.segment(hairy(60, 80)[0])
    assert asked == ["isnet-general", "u2netp"]
    assert pipeline.status.model == "u2netp"


@pytest.mark.parametrize("what", ["trimap", "pixels"])
def test_what_is_no_picture_is_refused_with_a_reason(what: str) -> None:
    arrays = good()
    alpha = np.zeros(arrays["trimap"].shape, np.float32)
    pixels: Any = arrays["pixels"]
    trimap = arrays["trimap"]
    if what == "trimap":
        trimap = trimap / np.float32(255)
    else:
        pixels = Photo(pixels)
    with pytest.raises(MattingError, match="this one is float32" if what == "trimap" else r"Pass the \.pixels"):
        Pipeline(some_weights).rematte(pixels, trimap, alpha, Rect(0, 0, 5, 5))


@dataclass
class Photo:
    pixels: np.ndarray


def test_matting_needs_no_network() -> None:
    def none() -> Weights:
        raise ModelError("No network is installed.")

    pipeline = Pipeline(none)
    source, truth, _ = hairy(80, 100)
    alpha = pipeline.matte(source, trimap_of(truth)).alpha
    assert np.abs(alpha - truth).mean() < 0.02
    patch = pipeline.rematte(source, trimap_of(truth), alpha, Rect(10, 10, 20, 20), reach=Reach.EXACT)
    assert patch.rect == (0, 0, 68, 68)
    with pytest.raises(ModelError):
        pipeline.segment(source)


def good() -> dict[str, np.ndarray]:
    source, truth, _ = hairy(30, 40)
    return {"pixels": source, "trimap": trimap_of(truth), "alpha": truth}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"pixels": np.zeros((30, 40), np.uint8)}, "height × width × 3"),
        ({"pixels": np.zeros((30, 40, 3), np.float32)}, "uint8 or uint16"),
        ({"pixels": np.zeros((0, 40, 3), np.uint8)}, "height × width × 3"),
        ({"trimap": np.zeros((30, 41), np.uint8)}, "same size"),
        ({"trimap": np.full((30, 40), 7, np.uint8)}, "0 .background., 128"),
        ({"trimap": np.zeros((30, 40), np.float32)}, "0 .background., 128"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(change: dict[str, np.ndarray], words: str) -> None:
    arrays = good() | change
    with pytest.raises(MattingError, match=words):
        Pipeline(some_weights).matte(arrays["pixels"], arrays["trimap"])


def test_a_roi_outside_the_photo_is_refused() -> None:
    arrays = good()
    with pytest.raises(MattingError, match="outside the photo"):
        Pipeline(some_weights).rematte(arrays["pixels"], arrays["trimap"], arrays["alpha"], Rect(50, 0, 60, 9))


def test_a_set_token_stops_every_stage(accelerator: FakeAccelerator) -> None:
    token = CancelToken()
    token.cancel()
    arrays, pipeline, progress = good(), Pipeline(some_weights), cancellable(token)
    with pytest.raises(Cancelled):
        pipeline.auto(arrays["pixels"], progress=progress)
    with pytest.raises(Cancelled):
        pipeline.matte(arrays["pixels"], arrays["trimap"], progress=progress)
    with pytest.raises(Cancelled):
        pipeline.rematte(arrays["pixels"], arrays["trimap"], arrays["alpha"], Rect(5, 5, 35, 25), progress)
    with pytest.raises(Cancelled):
        pipeline.foreground(arrays["pixels"], arrays["alpha"], progress)


def test_warming_loads_the_network(accelerator: FakeAccelerator) -> None:
    assert Pipeline(some_weights).warm().model == "isnet-general"


@pytest.mark.parametrize(("maximum", "mean", "ok"), [(0.01, 1e-4, True), (0.2, 1e-4, False), (0.01, 0.01, False)])
def test_the_verdict_on_a_device(maximum: float, mean: float, ok: bool) -> None:
    assert Comparison(EngineStatus(), maximum, mean).ok is ok


def test_the_real_device_agrees_with_the_cpu(models_home: Path, sample: Path) -> None:
    store = default_store()
    comparison = compare_with_cpu(Pipeline(lambda: store.weights("isnet-general")), load(sample).pixels)
    assert comparison.ok, comparison
    assert comparison.status.model == "isnet-general"


def test_the_real_network_cuts_out_a_person(models_home: Path, sample: Path) -> None:
    store = default_store()
    cutout = Pipeline(lambda: store.weights("isnet-general")).auto(load(sample).pixels)
    assert cutout.alpha[120, 220] == 1  # her face
    assert cutout.alpha[20, 480] == 0  # the wall behind her
    assert cutout.notes == ()


def test_versions_name_what_matters() -> None:
    found = versions()
    assert found["torch"].startswith("2.")
    assert "missing" not in found.values()


def test_importing_the_package_is_cheap() -> None:
    code = "import sys, bgdesk; print([name for name in ('torch', 'PySide6', 'numpy', 'cv2') if name in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
