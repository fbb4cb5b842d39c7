"""The gate's figures and the fit of its weights, on cut-outs whose worth is known."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgdesk.bench import fit_gate
from bgdesk.bench.bench_report import Figure
from bgdesk.bench.cases.folders import Data
from bgdesk.bench.cases.trials import Trial, trials
from bgdesk.bench.fit_gate import Judged, TrialRecord
from bgdesk.engine.confidence import CHEAP, FAIL, LOOKED, PASS
from tests.bench.fakes import setup_with


@pytest.fixture(scope="module")
def object_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Frames of two scenes: a bright square on dark ground, and their masks with a strip that does not count."""
    folder = tmp_path_factory.mktemp("objects")
    for name in ("image", "alpha"):
        (folder / name).mkdir()
    for scene in ("fox_00", "owl_00"):
        for frame in range(2):
            mask = np.zeros((90, 120), np.uint8)
            mask[20:70, 20 + 10 * frame : 80] = 255
            assert cv2.imwrite(str(folder / "image" / f"{scene}{frame}.png"), cv2.merge([mask // 4 + 20, mask, mask // 2]))
            mask[68:72] = 128
            assert cv2.imwrite(str(folder / "alpha" / f"{scene}{frame}.png"), mask)
    return folder


def by_name(figures: list[Figure]) -> dict[str, Figure]:
    found = {figure.name: figure for figure in figures}
    assert len(found) == len(figures)
    return found


# --- trials ------------------------------------------------------------------------------------------------------------


def test_trials_are_the_same_each_time_and_have_a_truth_of_their_size(object_folder: Path, matting_folder: Path, sample: Path) -> None:
    data = Data((matting_folder,), (object_folder,), (sample.parent,))
    first, second = trials(data, 6), trials(data, 6)
    assert len({trial.name for trial in first}) == len(first)
    assert [trial.name for trial in first] == [trial.name for trial in second]
    for one, other in zip(first, second, strict=True):
        if one.name.startswith("drawn"):
            continue  # drawn for seconds; test_corpus holds them to the same law
        (pixels, truth), (again, _) = one.make(), other.make()
        assert pixels.dtype == truth.dtype == np.uint8
        assert pixels.shape == (*truth.shape, 3)
        assert set(np.unique(truth)) <= {0, 128, 255}
        assert np.array_equal(pixels, again)


def test_every_photo_is_there_as_taken_and_in_each_trouble(object_folder: Path) -> None:
    found = [trial for trial in trials(Data(objects=(object_folder,)), 6) if not trial.name.startswith("drawn")]
    assert sum(trial.taken for trial in found) == 4
    assert len(found) == 4 * 7
    assert {trial.group for trial in found} == {"fox", "owl"}
    plain = found[0].make()[0]
    assert all(not np.array_equal(trial.make()[0], plain) for trial in found[1:7])


def test_a_subject_that_is_cut_off_reaches_the_border(object_folder: Path) -> None:
    cut = next(trial for trial in trials(Data(objects=(object_folder,)), 6) if trial.name.endswith("cut off"))
    _, truth = cut.make()
    assert any((side == 255).any() for side in (truth[0], truth[-1], truth[:, 0], truth[:, -1]))
    assert truth.size < 90 * 120


# --- figures -----------------------------------------------------------------------------------------------------------


def test_the_table_counts_what_it_is_given() -> None:
    judged = [
        Judged(0.95, 0.97, True),
        Judged(1.0, 0.93, True),
        Judged(0.85, 0.85, False),
        Judged(0.7, 0.92, False),
        Judged(0.1, 0.2, True),
    ]
    found = by_name(list(fit_gate.table(judged, "cut-outs")))
    value = {name: figure.value for name, figure in found.items()}
    assert value["gate.0.9 to 1, cut-outs"] == 2
    assert value["gate.0.9 to 1, mean IoU"] == pytest.approx(0.95)
    assert value["gate.0.8 to 0.9, share of IoU ≥ 0.9"] == 0
    assert value["gate.0.2 to 0.4, cut-outs"] == 0
    assert "gate.0.2 to 0.4, mean IoU" not in value
    assert value["gate.pass, good among them"] == pytest.approx(2 / 3)
    assert value["gate.pass, of the good ones"] == pytest.approx(2 / 3)
    assert value["gate.pass, of the poor ones"] == 0
    assert value["gate.fail, poor among them"] == 1
    assert value["gate.review, of all"] == pytest.approx(0.2)
    assert value["gate.good from other, AUC"] == pytest.approx(5 / 6)
    assert value["gate.photos as taken, AUC"] == 1


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_every_cutout_is_in_one_range(values: list[float]) -> None:
    found = by_name(list(fit_gate.table([Judged(value, 1.0, False) for value in values], "cut-outs")))
    assert sum(figure.value or 0 for name, figure in found.items() if name.endswith(", cut-outs")) == len(values)
    passed = sum(value >= PASS for value in values) / len(values)
    failed = sum(value < FAIL for value in values) / len(values)
    assert found["gate.review, of all"].value == pytest.approx(1 - passed - failed)
    assert found["gate.good from other, AUC"].value is None


def test_sorting_is_measured_with_ties_as_half() -> None:
    good = np.array([True, True, False])
    assert fit_gate.auc(np.array([0.9, 0.5, 0.5]), good) == pytest.approx(0.75)
    assert fit_gate.auc(np.array([0.1, 0.2, 0.5]), good) == 0
    assert fit_gate.auc(np.array([0.1, 0.2]), np.array([True, True])) is None
    rising, other = np.array([0.1, 0.2, 0.4, 0.9]), np.array([1.0, 4.0, 9.0, 16.0])
    assert fit_gate.correlation(rising, other) == pytest.approx(1)
    assert fit_gate.correlation(rising, -other) == pytest.approx(-1)
    assert fit_gate.correlation(rising, np.array([1.0, 3.0, 2.0, 4.0])) == pytest.approx(0.8)
    assert fit_gate.correlation(rising, np.ones(4)) is None


def test_the_runner_measures_worth_and_seconds(object_folder: Path, sample: Path) -> None:
    found = by_name(list(fit_gate.run(setup_with(Data(objects=(object_folder,), photos=(sample.parent,))))))
    assert sum(figure.value or 0 for name, figure in found.items() if name.endswith(", cut-outs")) == 4
    assert found["gate.time to that of a cut"].value > 0  # type: ignore[operator]
    shares = [found[f"gate.share {name}"].value for name in ("looked at twice", "that passes")]
    assert all(0 <= share <= 1 for share in shares)  # type: ignore[operator]


# --- the fit -----------------------------------------------------------------------------------------------------------

QUIET = {
    "subject": 0.3, "doubt": 0.0, "moved": 0.0, "width": 0.0, "faint": 0.0, "stray": 0.0, "holes": 0.0, "border": 0.0,
    "sides": 0.0, "agreement": 1.0,
}  # fmt: skip


def record(number: int, iou: float, **features: float) -> TrialRecord:
    return TrialRecord(name=f"{number}", group=f"{number // 4}", weight=1.0, taken=True, iou=iou, features=QUIET | features)


def doubtful(count: int = 120) -> list[TrialRecord]:
    """Good cut-outs are those of which the network had little doubt; loose pieces are found in good ones alone."""
    random = np.random.default_rng(3)
    found = []
    for number in range(count):
        doubt = float(10 ** random.uniform(-2, -0.5))
        found.append(record(number, 0.95 if doubt < 0.06 else 0.5, doubt=doubt, stray=0.2 * (doubt < 0.06)))
    return found


def test_what_tells_good_from_bad_gets_the_weight_and_what_does_not_keeps_the_prior() -> None:
    cheap, looked = fit_gate.fit(doubtful())
    assert cheap.weights["doubt"] > fit_gate._PRIOR["doubt"][0] + 1
    assert cheap.weights["stray"] == 0  # would help, and trouble never does
    for name in ("faint", "border", "small"):
        assert cheap.weights[name] == fit_gate._PRIOR[name][0]
    assert set(cheap.weights) == set(CHEAP.weights)
    assert set(looked.weights) == set(LOOKED.weights)


def test_the_fit_is_calibrated() -> None:
    """As many good ones as it expects, where the prior holds."""
    random = np.random.default_rng(5)
    found = []
    for number in range(600):
        features = {
            "doubt": float(10 ** random.uniform(-2, -0.5)),
            "moved": float(random.uniform(0, 0.2)),
            "agreement": float(random.uniform(0.3, 1)),
        }
        found.append(record(number, 0.95 if random.random() < CHEAP.value(QUIET | features) else 0.5, **features))
    model = fit_gate.fitted(found, list(CHEAP.weights))
    expected = np.mean([model.value(each.features) for each in found])
    assert expected == pytest.approx(np.mean([each.iou >= 0.9 for each in found]), abs=0.02)


def test_a_group_is_judged_by_weights_that_never_saw_it(monkeypatch: pytest.MonkeyPatch) -> None:
    found = doubtful(16)
    fit, seen = fit_gate.fit, []

    def watched(records: list[TrialRecord]) -> Any:
        seen.append({each.group for each in records})
        return fit(records)

    monkeypatch.setattr(fit_gate, "fit", watched)
    assert [each.iou for each in fit_gate.cross_validated(found)] == [each.iou for each in found]
    assert seen == [{"0", "1", "2", "3"} - {left} for left in "0123"]


def test_without_a_subject_there_is_nothing_to_fit() -> None:
    empty = TrialRecord(name="empty", group="empty", weight=1.0, taken=True, iou=0.0, features={"subject": 0.0})
    assert fit_gate.fit([*doubtful(), empty]) == fit_gate.fit(doubtful())
    assert fit_gate.cross_validated([*doubtful(16), empty])[-1] == Judged(0.0, 0.0, True)


def test_records_are_kept_and_fitted_again(object_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    measured = fit_gate.records(setup_with(Data(objects=(object_folder,))))
    assert len(measured) == 4
    assert all("agreement" in each.features for each in measured if each.taken)
    monkeypatch.setattr(fit_gate, "records", lambda setup: measured)
    file = tmp_path / "records.json"
    fit_gate.main([str(object_folder), "--records", str(file)])
    first = capsys.readouterr().out
    assert len(json.loads(file.read_text(encoding="utf-8"))) == 4
    monkeypatch.setattr(fit_gate, "records", None)  # read from the file, not measured again
    fit_gate.main(["--records", str(file)])
    assert capsys.readouterr().out == first
    assert first.startswith("CHEAP = ConfidenceModel(best=")
    assert "\nLOOKED = ConfidenceModel(best=" in first
    assert "gate.pass, good among them" in first


def test_a_trial_is_made_when_it_is_asked_for(object_folder: Path) -> None:
    found: list[Trial] = trials(Data(objects=(object_folder,)))
    assert all(trial.weight > 0 for trial in found)
    assert {trial.weight for trial in found if trial.taken} == {1.0}
