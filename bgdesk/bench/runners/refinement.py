"""Does solving the band help? The refined alpha against the matte it began with, both against the truth, by kind of edge."""

import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from bgdesk.bench.bench_report import Figure, at_most, not_measured, ratio_at_most
from bgdesk.bench.cases import metrics
from bgdesk.bench.cases.corpus import Case, SubjectKind
from bgdesk.bench.cases.simulated import simulated_matte
from bgdesk.bench.setup import Setup, missing
from bgdesk.core.arrays import Alpha
from bgdesk.core.recipe import MatteRecipe

#: Most that is left of the matte's SAD, of its other errors, and that one photo may get worse by.
_SAD, _OTHERS, _WORST = 0.85, 1.0, 1.05
#: An opaque interior is this far from anything else (share of the longer side), and counts as turned transparent below that.
_DEEP, _TRANSPARENT = 0.01, 0.9
SIMULATED = "simulated network"
#: A matte of the real network that missed the subject says nothing about refining.
_FOUND = 0.9

#: metric, unit, what its number is multiplied with
_ERRORS: tuple[tuple[str, Callable[[Alpha, Alpha], float], str, float], ...] = (
    ("SAD", metrics.sad, "k px", 1),
    ("MSE", metrics.mse, "10⁻³", 1000),
    ("gradient", metrics.gradient, "k", 1),
    ("connectivity", metrics.connectivity, "k", 1),
)


@dataclass(frozen=True)
class RefinementScore:
    """The four errors of a raw matte and of what refining made of it; opaque pixels that turned transparent.

    found: the matte is of the subject at all.
    """

    name: str
    kind: SubjectKind
    raw: tuple[float, ...]
    refined: tuple[float, ...]
    holes: int
    found: bool


def run(setup: Setup) -> Iterator[Figure]:
    """Simulated mattes on every composite; the real network's on those of captured cut-outs.

    The real network's means are over those where it found the subject, because its misses would drown everything else;
    its worst photo is sought among all.
    """
    simulated: list[RefinementScore] = []
    real: list[RefinementScore] = []
    recipes = setup.recipes()
    network = setup.engine()
    why = missing("pymatting") if setup.data.matting else "no --data folder with image/ and alpha/ was given"
    if why and setup.data.matting:  # the captured cut-outs' colours come from it
        yield not_measured("refinement.captured cut-outs", why)
        recipes = [recipe for recipe in recipes if recipe.name.startswith("drawn-")]
    for number, recipe in enumerate(recipes, 1):
        setup.say(f"refinement: {recipe.name} ({number} of {len(recipes)})")
        case = recipe.make()
        simulated.append(score(case, simulated_matte(case.alpha, case.name), setup))
        if case.captured:
            real.append(score(case, network.segment(case.composite), setup))
    yield from _figures(SIMULATED, simulated)
    if real:
        yield from _figures("real network", real)
    else:
        yield not_measured("refinement.real network", why)


def score(case: Case, matte: Alpha, setup: Setup) -> RefinementScore:
    """Refine `matte` as an automatic cut does, and compare."""
    refined = setup.given(matte).auto(case.composite, MatteRecipe(decontaminate=False)).alpha
    reach = 2 * max(1, round(_DEEP * max(case.alpha.shape))) + 1
    deep = cv2.erode(case.alpha, np.ones((reach, reach), np.uint8)) >= 1
    holes = int(np.count_nonzero(deep & (matte >= _TRANSPARENT) & (refined < _TRANSPARENT)))
    raw = tuple(error(matte, case.alpha) for _, error, _, _ in _ERRORS)
    found = metrics.iou(matte > 0.5, case.alpha > 0.5) >= _FOUND
    return RefinementScore(case.name, case.kind, raw, tuple(error(refined, case.alpha) for _, error, _, _ in _ERRORS), holes, found)


def _figures(source: str, scores: list[RefinementScore]) -> Iterator[Figure]:
    for kind in SubjectKind:
        every = [score for score in scores if score.kind is kind]
        group = every if source == SIMULATED else [score for score in every if score.found]
        missed = f", without {len(every) - len(group)} where it missed the subject (IoU below {_FOUND})" if len(every) > len(group) else ""
        if not group:
            if every:
                yield not_measured(f"refinement.{source}, {kind.value}", f"it missed the subject in all {len(every)} (IoU below {_FOUND})")
            continue
        note = f"{len(group)} composites{missed}"
        for index, (name, _, unit, scale) in enumerate(_ERRORS):
            raw, refined = (
                scale * statistics.fmean(each[index] for each in both) for both in zip(*((s.raw, s.refined) for s in group), strict=True)
            )
            bar = ratio_at_most(_SAD if index == 0 else _OTHERS)
            yield Figure(f"refinement.{source}, {kind.value}, {name}", refined, unit, "the raw matte", raw, bar, note)
    worst = max(scores, key=lambda score: score.refined[0] / max(score.raw[0], 1e-9))
    yield Figure(
        f"refinement.{source}, worst photo, SAD", worst.refined[0], "k px", "the raw matte", worst.raw[0], ratio_at_most(_WORST), worst.name
    )
    holed = max(scores, key=lambda score: score.holes)
    note = f"most in {holed.name}" if holed.holes else f"{len(scores)} composites"
    total = sum(score.holes for score in scores)
    yield Figure(f"refinement.{source}, opaque interiors turned transparent", total, "px", bar=at_most(0), note=note)
