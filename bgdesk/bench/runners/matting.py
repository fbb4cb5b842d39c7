"""Alpha from a trimap beside pymatting's closed form, on captured alpha where a folder of it was given."""

import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from bgdesk.bench.bench_report import Figure, not_measured, ratio_at_most
from bgdesk.bench.cases import corpus, metrics, scenes
from bgdesk.bench.cases.corpus import SubjectKind
from bgdesk.bench.setup import Setup, missing, timed
from bgdesk.core.arrays import Alpha, Pixels, Trimap, to_uint8
from bgdesk.core.trimap import Label, from_gray
from bgdesk.files.load import load

#: Most of closed form's SAD, MSE and seconds.
_SAD, _MSE, _SECONDS = 0.86, 0.66, 1 / 3


@dataclass(frozen=True)
class MattingScore:
    """How good one answer is."""

    sad: float  #: over the band, in thousands
    mse: float  #: over the band
    seconds: float  #: that the answer took


def run(setup: Setup) -> Iterator[Figure]:
    """Measure every photo with every trimap, on both sides, after a first answer that is not counted."""
    why = missing("pymatting")
    if not setup.data.matting:
        yield not_measured("matting.captured alpha", "no --data folder with image/, alpha/ and trimap*/ was given")
    for folder in setup.data.matting:
        yield from _compare(f"matting.{folder.name}", list(_captured(folder)), setup, why, bars=True)
    recipes = [
        recipe
        for recipe in scenes.generated((0.06 if setup.quick else 0.4,), 1 if setup.quick else 2)
        if recipe.kind is not SubjectKind.SEMI
    ]
    drawn = [(recipe.name, case.composite, trimap_of(case.alpha), case.alpha) for recipe in recipes for case in (recipe.make(),)]
    yield from _compare("matting.drawn", drawn, setup, why, bars=False)


def trimap_of(alpha: Alpha) -> Trimap:
    """Make a trimap (uint8 H×W) of a true alpha: known where alpha is all 1, or all 0, within 1/200 of the longer side."""
    side = max(3, 2 * round(max(alpha.shape) / 200) + 1)
    kernel = np.ones((side, side), np.uint8)
    trimap = np.full(alpha.shape, Label.UNKNOWN, np.uint8)
    trimap[cv2.erode(alpha, kernel) >= 1] = Label.FOREGROUND
    trimap[cv2.dilate(alpha, kernel) <= 0] = Label.BACKGROUND
    return trimap


def _captured(folder: Path) -> Iterator[tuple[str, Pixels, Trimap, Alpha]]:
    for photo, answer in corpus.pairs(folder):
        truth, pixels = corpus.read_alpha(answer), to_uint8(load(photo).pixels)
        for trimaps in sorted(folder.glob("trimap*")):
            file = next(iter(trimaps.glob(f"{photo.stem}.*")), None)
            if file is not None:
                grey = np.rint(255 * corpus.read_alpha(file)).astype(np.uint8)
                yield f"{photo.stem} {trimaps.name}", pixels, from_gray(grey), truth


def _compare(name: str, cases: Sequence[tuple[str, Pixels, Trimap, Alpha]], setup: Setup, why: str, bars: bool) -> Iterator[Figure]:
    if not cases:
        yield not_measured(name, "its folder has no trimap*/ with trimaps of its photos")
        return
    engine = setup.engine()
    solvers: dict[str, Callable[[Pixels, Trimap], Alpha]] = {"ours": lambda pixels, trimap: engine.matte(pixels, trimap).alpha}
    if not why:
        solvers["theirs"] = closed_form
    answers: dict[str, list[MattingScore]] = {"ours": [], "theirs": []}
    for number, (case, pixels, trimap, truth) in enumerate(cases, 1):
        setup.say(f"{name}: {case} ({number} of {len(cases)})")
        for side, solve in solvers.items():
            if number == 1:
                solve(pixels, trimap)
            seconds, alpha = timed(solve, pixels, trimap)
            band = np.asarray(trimap == Label.UNKNOWN, np.bool_)
            answers[side].append(MattingScore(metrics.sad(alpha, truth, band), metrics.mse(alpha, truth, band), seconds))
    note = f"{len(cases)} cases"
    for field, unit, scale, limit in (("sad", "k px", 1, _SAD), ("mse", "10⁻³", 1000, _MSE), ("seconds", "s", 1, _SECONDS)):
        mean = {side: scale * statistics.fmean(getattr(score, field) for score in each) for side, each in answers.items() if each}
        peer, beside = ("pymatting's closed form", mean["theirs"]) if "theirs" in mean else ("", None)
        bar = ratio_at_most(limit) if bars and peer else None
        yield Figure(
            f"{name}, {field}",
            mean["ours"],
            unit=unit,
            peer=peer,
            peer_value=beside,
            bar=bar,
            note=note if peer else f"{note}; peer not measured: {why}",
        )


def closed_form(pixels: Pixels, trimap: Trimap) -> NDArray[np.float32]:
    """Return pymatting's closed-form alpha, float32 H×W in [0, 1], at its own settings.

    References
    ----------
    A. Levin, D. Lischinski, Y. Weiss: A closed-form solution to natural image matting. TPAMI 30, 2008.
    """
    import pymatting

    known: NDArray[Any] = np.where(trimap == Label.UNKNOWN, 0.5, trimap / 255.0)
    return np.asarray(pymatting.estimate_alpha_cf(pixels / 255.0, known), np.float32)
