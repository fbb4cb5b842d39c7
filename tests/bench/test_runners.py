"""Every runner on tiny pictures with a fake engine: what it counts, what it leaves out, and that it says so."""

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from bgdesk.bench import bench_engine, engines
from bgdesk.bench.bench_report import Figure
from bgdesk.bench.cases.corpus import Case
from bgdesk.bench.cases.folders import Data, sort_folders
from bgdesk.bench.runners import colours, hand, latency, matting, network, objects, refinement, whole
from bgdesk.bench.setup import Setup
from bgdesk.core.errors import BgdeskError, ModelError, UsageError
from bgdesk.core.geometry import Rect
from tests.bench.fakes import ToldEngine, blurred, by_brightness, setup_with


def by_name(figures: Sequence[Figure]) -> dict[str, Figure]:
    found = {figure.name: figure for figure in figures}
    assert len(found) == len(figures)
    return found


@pytest.fixture(scope="session")
def object_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two photos of a bright square on dark ground, and their masks."""
    folder = tmp_path_factory.mktemp("objects")
    for name in ("image", "alpha"):
        (folder / name).mkdir()
    for number in range(2):
        mask = np.zeros((90, 120), np.uint8)
        mask[20:70, 20 + 10 * number : 80] = 255
        assert cv2.imwrite(str(folder / "alpha" / f"{number}.png"), mask)
        assert cv2.imwrite(str(folder / "image" / f"{number}.png"), cv2.merge([mask // 4 + 20, mask, mask // 2]))
    return folder


# --- the data that was given -----------------------------------------------------------------------------------------


def test_folders_are_sorted_by_what_they_hold(matting_folder: Path, object_folder: Path, sample: Path, tmp_path: Path) -> None:
    data = sort_folders([matting_folder, object_folder, sample.parent])
    assert data == Data((matting_folder,), (object_folder,), (sample.parent,))
    assert sample in data.backgrounds
    with pytest.raises(UsageError, match="holds neither photos nor"):
        sort_folders([tmp_path])


# --- network, strokes, whole -----------------------------------------------------------------------------------------


def test_network_without_the_published_file() -> None:
    found = by_name(list(network.run(setup_with())))
    assert "isnet-general.onnx is not there" in found["network.onnxruntime"].note
    assert found["network.bf16 on fake"].value is not None
    assert found["network.bf16 on fake"].ratio is None
    assert found["network.mean difference from fp32"].value == 0


def test_network_beside_onnxruntime(models_home: Path) -> None:
    """The real small network, its real published file: both give the same matte of the same photo."""
    setup = replace(setup_with(onnx=models_home / "onnx"), engine=engines.open_engine)
    found = by_name(list(network.run(setup, "u2netp", "u2netp")))
    assert found["network.fp32"].peer == "onnxruntime, fp32"
    assert found["network.fp32"].peer_value > 0  # type: ignore[operator]
    assert found["network.fp32's mean difference from onnxruntime"].value < 1e-4  # type: ignore[operator]
    assert str(found["network.fp32"].bar) == "ratio ≤ 0.909"  # this network is kept in fp32


def test_strokes_reach_the_engine_inside_the_photo() -> None:
    fake = ToldEngine(by_brightness)
    pixels = np.zeros((200, 300, 3), np.uint8)
    pixels[50:150, 80:220] = 255
    times = latency.stroke_times(fake, pixels, 4)
    assert len(times) == 4
    assert len(fake.rois) == 5  # one more, to warm up
    assert all(Rect.of_shape(pixels.shape).contains(roi) for roi in fake.rois)


def test_strokes() -> None:
    found = by_name(list(latency.run(setup_with())))
    assert set(found) == {
        "strokes.p50 at 0.1 MP", "strokes.p95 at 0.1 MP", "strokes.p50 at 0.2 MP", "strokes.p95 at 0.2 MP",
        "strokes.slowest size to fastest, p95",
    }  # fmt: skip
    assert found["strokes.slowest size to fastest, p95"].value >= 1  # type: ignore[operator]


def test_whole_reads_what_the_program_says() -> None:
    asked: list[Sequence[str]] = []

    def program(arguments: Sequence[str]) -> str:
        asked.append(arguments)
        assert all(Path(file).is_file() for file in arguments[1:4])
        lines = [
            {
                "timings": {"load": 9, "network": first, "alpha": 0.5, "save": 7},
                "device": "CPU",
                "precision": "bf16",
                "peak_memory_mb": 1500.0,
            }
            for first in (3.0, 1.0, 2.0)
        ]
        return "\n".join(map(json.dumps, lines))

    found = by_name(list(whole.run(setup_with(run_program=program))))
    assert asked[0][0] == "cut"
    assert found["whole.cut at 0.2 MP"].value == 2.0  # the warm ones' median, without load and save
    assert found["whole.first cut at 0.2 MP"].value == 3.5
    assert found["whole.cut at 0.2 MP, save"].value == 7
    assert found["whole.memory at 0.2 MP"].value == 1.5


def test_whole_says_when_the_program_fails() -> None:
    def program(arguments: Sequence[str]) -> str:
        raise BgdeskError("No network is installed.")

    assert [f.note for f in whole.run(setup_with(run_program=program))] == ["not measured: No network is installed."]


# --- colours, matting, refinement ------------------------------------------------------------------------------------


def test_colours_of_an_engine_that_leaves_them_alone(drawn: list[Case]) -> None:
    found = by_name(list(colours.run(setup_with())))
    assert found["foreground.ΔE2000 on grey, hair"].ratio == 1
    assert found["foreground.error, hair"].value > found["foreground.error, hair"].peer_value  # type: ignore[operator]
    assert found["foreground.seconds at 0.06 MP"].unit == "s"
    case = drawn[0]
    assert colours.seen_error(case.foreground, case) == 0
    assert colours.over_new(case.foreground, case) == 0
    assert colours.over_new(case.composite, case) > 1


def test_matting(matting_folder: Path) -> None:
    found = by_name(list(matting.run(setup_with(Data(matting=(matting_folder,))))))
    ours = found[f"matting.{matting_folder.name}, sad"]
    assert ours.note == "2 cases"
    assert ours.value > ours.peer_value  # type: ignore[operator]  # grey everywhere in the band is no match for a solver
    assert str(ours.bar) == "ratio ≤ 0.86"
    assert found["matting.drawn, mse"].bar is None


def test_matting_without_data_and_without_its_peer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matting, "missing", lambda *packages: "pymatting is not installed")
    found = by_name(list(matting.run(setup_with())))
    assert found["matting.captured alpha"].value is None
    assert found["matting.drawn, sad"].peer_value is None
    assert found["matting.drawn, sad"].note == "3 cases; peer not measured: pymatting is not installed"


def test_refinement_that_changes_nothing() -> None:
    found = by_name(list(refinement.run(setup_with())))
    assert found["refinement.simulated network, hair, SAD"].ratio == 1
    assert found["refinement.simulated network, worst photo, SAD"].ratio == 1
    assert found["refinement.simulated network, opaque interiors turned transparent"].value == 0
    assert "not measured" in found["refinement.real network"].note


def test_a_real_networks_misses_are_kept_apart(matting_folder: Path) -> None:
    """One network that finds nothing, one that finds everything: the means are over what was found, the worst over all."""
    data = Data(matting=(matting_folder,))
    nothing = ToldEngine(lambda pixels: np.zeros(pixels.shape[:2], np.float32))
    blind = by_name(list(refinement.run(setup_with(data, nothing))))
    assert blind["refinement.real network, blur"].note == "not measured: it missed the subject in all 1 (IoU below 0.9)"
    assert blind["refinement.real network, worst photo, SAD"].ratio == 1
    truths = {recipe.make().composite.tobytes(): recipe.make().alpha for recipe in setup_with(data).recipes()}
    knowing = ToldEngine(lambda pixels: np.clip(truths[pixels.tobytes()] * 0.99, 0, 1))
    found = by_name(list(refinement.run(setup_with(data, knowing))))
    assert found["refinement.real network, blur, SAD"].note == "1 composites"
    assert found["refinement.real network, blur, SAD"].ratio == 1


def test_refinement_that_makes_holes(drawn: list[Case]) -> None:
    case = drawn[1]
    holed = case.alpha * 0.5
    setup = replace(setup_with(), given=lambda matte: ToldEngine(lambda pixels: holed))
    score = refinement.score(case, case.alpha, setup)
    assert score.holes > 100
    assert set(score.raw) == {0}
    assert min(score.refined) > 0


# --- objects ---------------------------------------------------------------------------------------------------------


def test_presets(object_folder: Path) -> None:
    found = by_name(list(objects.presets(setup_with(Data(objects=(object_folder,))))))
    assert found["presets.balanced, IoU"].value == pytest.approx(1, abs=0.06)
    assert found["presets.balanced, IoU"].note == "2 photos"
    assert [figure.value for figure in objects.presets(setup_with())] == [None]


def test_void_pixels_are_not_counted(tmp_path: Path) -> None:
    for name in ("image", "alpha"):
        (tmp_path / name).mkdir()
    mask = np.zeros((40, 40), np.uint8)
    mask[:, 10:20], mask[:, 20:30] = 255, 128
    cv2.imwrite(str(tmp_path / "alpha" / "a.png"), mask)
    cv2.imwrite(str(tmp_path / "image" / "a.png"), np.zeros((40, 40, 3), np.uint8))
    everything = np.zeros((40, 40), np.float32)
    everything[:, 10:30] = 1
    found = by_name(list(objects.presets(setup_with(Data(objects=(tmp_path,)), ToldEngine(lambda pixels: everything)))))
    assert found["presets.balanced, IoU"].value == 1
    assert found["presets.balanced, MAE"].value == 0


def test_rembg_is_measured_or_said_to_be_missing(object_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = Data(objects=(object_folder,))
    assert "isnet-general.onnx is not there" in next(iter(objects.rembg(setup_with(data)))).note
    monkeypatch.setattr(objects, "missing", lambda *packages: "rembg is not installed")
    assert [figure.note for figure in objects.rembg(setup_with(data))] == ["not measured: rembg is not installed"]


# --- the hand --------------------------------------------------------------------------------------------------------


def square(value: float = 1.0) -> np.ndarray:
    truth = np.zeros((120, 160), np.float32)
    truth[30:90, 40:120] = value
    return truth


def counted() -> np.ndarray:
    return np.ones((120, 160), bool)


@pytest.mark.parametrize("lacking", [True, False])
def test_a_stroke_lies_along_the_worst_region(lacking: bool) -> None:
    truth = square()
    alpha = truth.copy()
    alpha[30:42, 50:110] = 0 if lacking else 1  # a bar 60 wide and 12 high …
    alpha[0:12, 50:110] = 0 if lacking else 1
    alpha[70:74, 60:64] = 0  # … and a spot
    stroke = hand.next_stroke(alpha, truth, counted(), np.zeros(truth.shape, bool))
    assert stroke is not None
    assert stroke.label == (255 if lacking else 0)
    assert 4 <= stroke.radius <= 7
    assert abs(stroke.start[1] - stroke.end[1]) < 4
    assert abs(stroke.start[0] - stroke.end[0]) > 40


def test_a_soft_place_is_asked_about_once_and_then_decided() -> None:
    truth, asked = square(0.6), np.zeros((120, 160), bool)
    alpha = np.zeros_like(truth)
    first = hand.next_stroke(alpha, truth, counted(), asked)
    second = hand.next_stroke(alpha, truth, counted(), asked)
    assert first is not None
    assert second is not None
    assert (first.label, second.label) == (128, 255)
    assert hand.next_stroke(truth, truth, counted(), asked) is None


def test_what_is_not_counted_is_not_mended() -> None:
    truth = square()
    assert hand.next_stroke(np.zeros_like(truth), truth, truth == 0, np.zeros(truth.shape, bool)) is None


@pytest.mark.parametrize(
    ("mend", "strokes"),
    [
        (lambda truth: lambda patch, rect: truth[rect.slices], 1),  # an engine that knows
        (lambda truth: None, hand.PATIENCE + 1),  # one that changes nothing
    ],
)
def test_strokes_that_a_photo_needs(mend: Callable[[np.ndarray], Any], strokes: int) -> None:
    truth = square()
    wrong = truth.copy()
    wrong[30:45] = 0
    fake = ToldEngine(lambda pixels: wrong, mend(truth))
    score = hand.mend(fake, np.zeros((120, 160, 3), np.uint8), truth, counted())
    assert score.strokes == strokes
    assert score.mended is (strokes == 1)
    assert len(score.errors) == len(score.seconds) + 1
    assert score.errors[0] == pytest.approx(np.abs(wrong - truth).mean())


def test_hand_over_folders(matting_folder: Path, object_folder: Path) -> None:
    found = by_name(list(hand.run(setup_with(Data((matting_folder,), (object_folder,))))))
    assert f"hand.{matting_folder.name}, strokes a photo" in found
    assert str(found[f"hand.{object_folder.name}, strokes a photo"].bar) == "≤ 5"
    assert [figure.value for figure in hand.run(setup_with())] == [None, None]


# --- all of it -------------------------------------------------------------------------------------------------------


def test_a_runner_that_cannot_run_says_so_and_the_others_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(setup: Setup) -> Any:
        raise ModelError("No network is installed.")

    runners = {"a": fails, "b": lambda setup: iter([Figure("b.x", 1.0)]), "c": lambda setup: iter([Figure("c.x", 2.0)])}
    monkeypatch.setattr(bench_engine, "RUNNERS", runners)
    report = bench_engine.run(setup_with(), ["a", "b"])
    assert [(figure.name, figure.value) for figure in report.figures] == [("a", None), ("b.x", 1.0)]
    assert report.figures[0].note == "not measured: No network is installed."
    assert "pymatting" in report.machine["packages"]
    assert "not measurements" in report.machine["bgdesk"]


def test_a_quick_run_holds_nothing_against_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_engine, "RUNNERS", {"strokes": latency.run})
    assert all(figure.bar is None for figure in bench_engine.run(setup_with()).figures)


def test_a_given_matte_is_refined_as_a_networks_would_be(drawn: list[Case]) -> None:
    """The real engine after the network: the alpha of a blurred truth is nearer the truth."""
    case = drawn[1]
    matte = blurred(case.alpha, 2.5)
    score = refinement.score(case, matte, replace(setup_with(), given=engines.GivenEngine))
    assert score.refined[0] < 0.7 * score.raw[0]


def test_the_bench_loads_no_peer_by_itself() -> None:
    import subprocess

    code = "import sys, bgdesk.bench.bench_engine; print([n for n in ('rembg', 'pymatting', 'onnxruntime', 'torch') if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
