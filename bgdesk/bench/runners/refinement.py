"""How much solving the band helps: the errors of the refined alpha beside those of its matte, by kind of edge."""

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

#: Largest ratio of the refined errors to the matte's: of the SAD, of the other errors, and of the SAD of the worst photo.
_SAD, _OTHERS, _WORST = 0.85, 1.0, 1.05
#: An opaque interior is at least this share of the longer side from the edge; below this opacity it counts as transparent.
_DEEP, _TRANSPARENT = 0.01, 0.9
SIMULATED = "simulated network"
#: Below this IoU the real network missed the subject, and its matte tells nothing about refining.
_FOUND = 0.9

#: metric, unit, what its number is multiplied with
_ERRORS: tuple[tuple[str, Callable[[Alpha, Alpha], float], str, float], ...] = (
    ("SAD", metrics.sad, "k px", 1),
    ("MSE", metrics.mse, "10⁻³", 1000),
    ("gradient", metrics.gradient, "k", 1),
    ("connectivity", metrics.connectivity, "k", 1),
)


@dataclass(frozen=True, kw_only=True)
class RefinementScore:
    """How good a matte is before and after it was refined."""

    name: str  #: the case's
    kind: SubjectKind  #: the case's
    raw: tuple[float, ...]  #: the matte's errors, in the order of _ERRORS
    refined: tuple[float, ...]  #: the refined alpha's errors, in the same order
    holes: int  #: opaque pixels that refining made transparent
    found: bool  #: whether the matte is of the subject at all


def run(setup: Setup) -> Iterator[Figure]:
    """Measure simulated mattes on every composite, and the real network's mattes on those of captured cut-outs.

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
    """Refine `matte` (float32 H×W in [0, 1]) as an automatic cut does, and compare both with the truth."""
    refined = setup.given(matte).auto(case.composite, MatteRecipe(decontaminate=False)).alpha
    side = 2 * max(1, round(_DEEP * max(case.alpha.shape))) + 1
    deep = cv2.erode(case.alpha, np.ones((side, side), np.uint8)) >= 1
    holes = int(np.count_nonzero(deep & (matte >= _TRANSPARENT) & (refined < _TRANSPARENT)))
    raw = tuple(error(matte, case.alpha) for _, error, _, _ in _ERRORS)
    found = metrics.iou(matte > 0.5, case.alpha > 0.5) >= _FOUND
    return RefinementScore(
        name=case.name,
        kind=case.kind,
        raw=raw,
        refined=tuple(error(refined, case.alpha) for _, error, _, _ in _ERRORS),
        holes=holes,
        found=found,
    )


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
            yield Figure(
                f"refinement.{source}, {kind.value}, {name}", refined, unit=unit, peer="the raw matte", peer_value=raw, bar=bar, note=note
            )
    worst = max(scores, key=lambda score: score.refined[0] / max(score.raw[0], 1e-9))
    yield Figure(
        f"refinement.{source}, worst photo, SAD",
        worst.refined[0],
        unit="k px",
        peer="the raw matte",
        peer_value=worst.raw[0],
        bar=ratio_at_most(_WORST),
        note=worst.name,
    )
    holed = max(scores, key=lambda score: score.holes)
    note = f"most in {holed.name}" if holed.holes else f"{len(scores)} composites"
    total = sum(score.holes for score in scores)
    yield Figure(f"refinement.{source}, opaque interiors turned transparent", total, unit="px", bar=at_most(0), note=note)
