"""The confidence of cut-outs compared with their IoU, and the fit of its weights.

`bgdesk bench engine --only gate` measures; `python -m bgdesk.bench.fit_gate FOLDER…` fits the weights in engine/confidence.py anew
and prints them, beside how well they judge subjects that the fit has not seen.
"""

import argparse
import json
import statistics
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bgdesk.bench.bench_report import Bar, Figure, Report, at_least, at_most, to_text
from bgdesk.bench.cases import metrics
from bgdesk.bench.cases.folders import sort_folders
from bgdesk.bench.cases.trials import Trial, trials
from bgdesk.bench.engines import GivenEngine, MeasuredEngine, open_engine
from bgdesk.bench.setup import Setup, timed
from bgdesk.core.arrays import Alpha, to_uint8
from bgdesk.core.geometry import Rect
from bgdesk.engine.confidence import CHEAP, FAIL, GOOD, LOOKED, OPEN, PASS, ConfidenceModel, measured, troubles
from bgdesk.files.load import load

Floats = NDArray[np.float64]

#: Below this IoU a cut-out is poor: nobody would use it as it is.
_POOR = 0.8
#: The confidences that are told apart in the table.
_EDGES = (0.0, 0.2, FAIL, 0.6, PASS, 0.9, 1.0)
#: What is expected of the figures: how well confidence sorts good from other, how many of those that pass are good, and how
#: much of a cut's time it takes on shop photos.
_AUC, _PRECISION, _COST = 0.85, 0.85, 0.08
#: Kinds of trouble with each photo that was given.
_EACH = 5


@dataclass(frozen=True, kw_only=True)
class TrialRecord:
    """What was measured of one trial's cut-out."""

    name: str  #: the trial's
    group: str  #: see Trial
    weight: float  #: see Trial
    taken: bool  #: see Trial
    iou: float  #: of the cut-out with the truth, in [0, 1]
    features: Mapping[str, float]  #: see engine.confidence.measured


@dataclass(frozen=True)
class Judged:
    """A cut-out's confidence, and how good the cut-out is."""

    value: float  #: the confidence, in [0, 1]
    iou: float  #: with the truth, in [0, 1]
    taken: bool  #: see Trial


def run(setup: Setup) -> Iterator[Figure]:
    """Measure confidence against IoU, on photos with masks as they are and in trouble; and its time, on photos alone."""
    engine = setup.engine()
    judged: list[Judged] = []
    found = _trials(setup)
    for number, trial in enumerate(found, 1):
        setup.say(f"gate: {trial.name} ({number} of {len(found)})")
        pixels, truth = trial.make()
        cutout = engine.auto(pixels)
        judged.append(Judged(engine.confidence(pixels, cutout).value, _worth(cutout.alpha, truth), trial.taken))
    yield from table(judged, "cut-outs, most of them of photos in trouble")
    yield from _cost(setup, engine)


def _trials(setup: Setup) -> list[Trial]:
    found = trials(setup.data, 1 if setup.quick else _EACH)
    return [*found[:2], *found[-2:]] if setup.quick else found


def _worth(alpha: Alpha, truth: NDArray[np.uint8]) -> float:
    return metrics.iou(np.asarray(alpha >= 0.5, np.bool_), np.asarray(truth > 128, np.bool_), np.asarray(truth != 128, np.bool_))


def table(judged: Sequence[Judged], what: str) -> Iterator[Figure]:
    """Give the IoU in each range of confidence, how well confidence sorts, and what passes the thresholds.

    `what` names the cut-outs in the figures' notes.
    """
    values, ious = (np.array([getattr(each, name) for each in judged]) for name in ("value", "iou"))
    note = f"{len(judged)} {what}"
    for low, high in pairwise(_EDGES):
        within = (values >= low) & ((values < high) | (high == 1))
        name = f"gate.{low:g} to {high:g}"
        yield Figure(f"{name}, cut-outs", int(np.count_nonzero(within)), note=note)
        if within.any():
            yield Figure(f"{name}, mean IoU", float(ious[within].mean()), note=note)
            yield Figure(f"{name}, share of IoU ≥ {GOOD}", float((ious[within] >= GOOD).mean()), note=note)
            yield Figure(f"{name}, share of IoU < {_POOR}", float((ious[within] < _POOR).mean()), note=note)
    yield _sorts("gate.good from other, AUC", values, ious, at_least(_AUC), note)
    yield Figure("gate.rank correlation with IoU", correlation(values, ious), note=note)
    taken = np.array([each.taken for each in judged])
    if taken.any():
        yield _sorts("gate.photos as taken, AUC", values[taken], ious[taken], None, f"{np.count_nonzero(taken)} photos")
    good, poor, passed, failed = ious >= GOOD, ious < _POOR, values >= PASS, values < FAIL
    yield _share("gate.pass, good among them", good, passed, at_least(_PRECISION), note)
    yield _share("gate.pass, of the good ones", passed, good, None, note)
    yield _share("gate.pass, of the poor ones", passed, poor, None, note)
    yield _share("gate.fail, poor among them", poor, failed, None, note)
    yield _share("gate.fail, of the poor ones", failed, poor, None, note)
    yield _share("gate.review, of all", ~passed & ~failed, np.ones_like(passed), None, note)


def _sorts(name: str, values: Floats, ious: Floats, bar: Bar | None, note: str) -> Figure:
    found = auc(values, ious >= GOOD)
    return Figure(name, found, bar=bar, note=note if found is not None else "not measured: all of them good, or none")


def _share(name: str, part: NDArray[np.bool_], whole: NDArray[np.bool_], bar: Bar | None, note: str) -> Figure:
    if not whole.any():
        return Figure(name, None, note="not measured: there are none")
    return Figure(name, float(part[whole].mean()), bar=bar, note=note)


def _cost(setup: Setup, engine: MeasuredEngine) -> Iterator[Figure]:
    """Seconds on the photos without masks; on the photo for timing if there are none."""
    paths = setup.data.backgrounds[: 2 if setup.quick else None]
    photos = [to_uint8(load(path).pixels) for path in paths] or [setup.photo()[1]]
    cuts: list[float] = []
    once: list[float] = []
    twice: list[float] = []
    passed = 0
    for number, pixels in enumerate(photos):
        setup.say(f"gate: seconds, photo {number + 1} of {len(photos)}")
        if number == 0:  # the first look at each size is slower
            engine.mirrored(pixels, Rect.of_shape(pixels.shape))
            engine.auto(pixels)
        seconds, cutout = timed(engine.auto, pixels)
        cuts.append(seconds)
        seconds, found = timed(engine.confidence, pixels, cutout)
        (twice if "agreement" in found.features else once).append(seconds)
        passed += found.value >= PASS
    note = f"{len(photos)} photos alone"
    for name, each in (("without a second look", once), ("with a second look", twice)):
        yield Figure(
            f"gate.seconds {name}",
            statistics.fmean(each) if each else None,
            unit="s",
            note=note if each else "not measured: none needed it",
        )
    yield Figure("gate.share looked at twice", len(twice) / len(photos), note=note)
    yield Figure("gate.share that passes", passed / len(photos), note=note)
    yield Figure("gate.time to that of a cut", sum(once + twice) / sum(cuts), unit="×", bar=at_most(_COST), note=note)


# --- statistics ------------------------------------------------------------------------------------------------------


def auc(values: Floats, good: NDArray[np.bool_]) -> float | None:
    """Return the area under the ROC curve: the probability that a good cut-out has a higher value than another one.

    Parameters
    ----------
    values
        N numbers.
    good
        bool, N.

    Returns
    -------
    float or None
        In [0, 1], ties counting half; None if all are good, or none.
    """
    if good.all() or not good.any():
        return None
    above = np.sign(values[good][:, None] - values[~good][None, :])
    return float((above.mean() + 1) / 2)


def correlation(first: Floats, second: Floats) -> float | None:
    """Return Spearman's rank correlation of two series of N numbers, in [-1, 1]; None if either is constant."""
    ranks = [np.sign(each[:, None] - each[None, :]).sum(axis=1) for each in (first, second)]
    sizes = [float(np.linalg.norm(each)) for each in ranks]
    return float(ranks[0] @ ranks[1]) / (sizes[0] * sizes[1]) if all(sizes) else None


# --- the fit ---------------------------------------------------------------------------------------------------------

#: Trouble -> (its weight as expected before anything is measured, how many cut-outs that expectation counts for). The photos
#: tell much about the network's doubt and agreement, and little about troubles that are rare among them.
_PRIOR = {
    "doubt": (2.5, 1.5), "moved": (1.5, 1.5), "width": (1.0, 1.5), "apart": (2.5, 1.5),
    "faint": (0.6, 4.0), "stray": (0.7, 4.0), "holes": (0.5, 4.0), "border": (0.4, 4.0), "small": (0.6, 4.0), "large": (0.8, 4.0),
}  # fmt: skip


def fitted(records: Sequence[TrialRecord], names: Sequence[str]) -> ConfidenceModel:
    """Fit a logistic model with a prior to the records.

    Parameters
    ----------
    records
        Cut-outs and their IoU.
    names
        The troubles that get a weight.

    Returns
    -------
    ConfidenceModel
        The most likely weights, none below 0, rounded to two decimals.

    References
    ----------
    Y. Nesterov: A method for solving the convex programming problem with convergence rate O(1/k²), 1983 (the momentum).
    """
    there = [record for record in records if record.features["subject"] > 0]
    x = np.array([[-troubles(record.features)[name] for name in names] for record in there])
    design = np.c_[np.ones(len(there)), x]
    good = np.array([record.iou >= GOOD for record in there], np.float64)
    weight = np.array([record.weight for record in there])
    prior, firm = np.array([(0.0, 0.0)] + [_PRIOR[name] for name in names]).T
    # The likelihood curves by at most a quarter, so that this step never overshoots; momentum after Nesterov, 1983.
    step = 1 / (np.linalg.eigvalsh((design * weight[:, None]).T @ design).max() / 4 + firm.max())
    answer, ahead, pace = prior, prior, 1.0
    for _ in range(3000):
        likely = 1 / (1 + np.exp(-design @ ahead))
        before, answer = answer, ahead - step * (design.T @ (weight * (likely - good)) + firm * (ahead - prior))
        answer[1:] = np.maximum(answer[1:], 0)
        last, pace = pace, (1 + (1 + 4 * pace**2) ** 0.5) / 2
        ahead = answer + (last - 1) / pace * (answer - before)
    return ConfidenceModel(
        round(float(answer[0]), 2), {name: round(float(found), 2) for name, found in zip(names, answer[1:], strict=True)}
    )


def fit(records: Sequence[TrialRecord]) -> tuple[ConfidenceModel, ConfidenceModel]:
    """Return the models without and with the second look."""
    return fitted(records, list(CHEAP.weights)), fitted(records, list(LOOKED.weights))


def cross_validated(records: Sequence[TrialRecord]) -> list[Judged]:
    """Judge each cut-out by weights that were fitted without its group."""
    judged = []
    for group in dict.fromkeys(record.group for record in records):
        models = fit([record for record in records if record.group != group])
        judged += [Judged(_value(record, *models), record.iou, record.taken) for record in records if record.group == group]
    return judged


def _value(record: TrialRecord, cheap: ConfidenceModel, looked: ConfidenceModel) -> float:
    if record.features["subject"] == 0:
        return 0.0
    first = cheap.value(record.features)
    return looked.value(record.features) if OPEN[0] < first < OPEN[1] else first


def records(setup: Setup) -> list[TrialRecord]:
    """Cut every trial out, and measure its features and its IoU."""
    engine, found = setup.engine(), []
    each = _trials(setup)
    for number, trial in enumerate(each, 1):
        setup.say(f"gate: {trial.name} ({number} of {len(each)})")
        pixels, truth = trial.make()
        cutout = engine.auto(pixels)
        features = measured(pixels, cutout, partial(engine.mirrored, pixels))
        found.append(
            TrialRecord(
                name=trial.name,
                group=trial.group,
                weight=trial.weight,
                taken=trial.taken,
                iou=_worth(cutout.alpha, truth),
                features=features,
            )
        )
    return found


def main(arguments: Sequence[str]) -> None:
    """Measure or read the records, fit, and print the constants and the cross-validated table.

    `arguments` are those of the command line.
    """
    parser = argparse.ArgumentParser(prog="python -m bgdesk.bench.fit_gate", description="Fit the weights of engine/confidence.py anew.")
    parser.add_argument("data", nargs="*", type=Path, metavar="FOLDER", help="as --data of bgdesk bench")
    parser.add_argument("--records", type=Path, metavar="FILE", help="keep what was measured here; if it is there, fit to that")
    parser.add_argument("--model", metavar="ID", help="the network (default: the person's)")
    args = parser.parse_args(arguments)
    if args.records and args.records.is_file():
        found = [TrialRecord(**each) for each in json.loads(args.records.read_text(encoding="utf-8"))]
    else:
        setup = Setup(
            engine=lambda *rest, **more: open_engine(args.model),
            given=GivenEngine,
            data=sort_folders(args.data),
            say=lambda text: _say(text, sys.stderr.write),
        )
        found = records(setup)
        if args.records:
            args.records.write_text(json.dumps([asdict(record) for record in found], indent=0), encoding="utf-8")
    for name, model in zip(("CHEAP", "LOOKED"), fit(found), strict=True):
        _say(f"{name} = {model!r}", sys.stdout.write)
    _say(to_text(Report({}, tuple(table(cross_validated(found), "cut-outs, cross-validated")))), sys.stdout.write)


def _say(text: str, write: Callable[[str], object]) -> None:
    write(text + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
