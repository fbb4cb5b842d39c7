"""Decontaminated colours: seconds, error beside pymatting's estimator, and what it saves on a new background."""

import statistics
from collections.abc import Iterator

import numpy as np

from bgdesk.bench.bench_report import Figure, at_most, not_measured, ratio_at_most
from bgdesk.bench.cases import metrics, scenes
from bgdesk.bench.cases.corpus import Bytes, Case, SubjectKind, composite
from bgdesk.bench.setup import Setup, missing, timed

#: Seconds at 24 MP, and how much of the colour error may be left.
_SECONDS, _LEFT = 1.0, 0.6
_HUES = (0.33, 0.62, 0.95)
_KINDS = (SubjectKind.HAIR, SubjectKind.BLUR, SubjectKind.SEMI)
#: The background that cut-outs are laid over: far from every backdrop's colour.
_GREY = 128


def run(setup: Setup) -> Iterator[Figure]:
    """Measure the colours alone: drawn subjects over saturated backdrops, with the true alpha."""
    engine = setup.engine()
    why = missing("pymatting")
    if why:
        yield not_measured("foreground.pymatting", why)
    # Error over the band in levels of 255, weighted by opacity: what can be seen of it.
    ours: dict[SubjectKind, list[float]] = {kind: [] for kind in _KINDS}
    theirs: dict[SubjectKind, list[float]] = {kind: [] for kind in _KINDS}
    left: dict[SubjectKind, list[float]] = {kind: [] for kind in _KINDS}
    before: dict[SubjectKind, list[float]] = {kind: [] for kind in _KINDS}
    hues = _HUES[:1] if setup.quick else _HUES
    for kind in _KINDS:
        for hue in hues:
            setup.say(f"foreground: {kind.value} over a hue of {hue:g}")
            case = scenes.saturated(kind, hue, 0.06 if setup.quick else 2).make()
            found = np.asarray(engine.foreground(case.composite, case.alpha).foreground, np.uint8)
            ours[kind].append(seen_error(found, case))
            left[kind].append(over_new(found, case))
            before[kind].append(over_new(case.composite, case))
            if not why:
                theirs[kind].append(seen_error(_published(case), case))
    note = f"{len(hues)} saturated backdrops each, true alpha given, in the band"
    mean = statistics.fmean
    for kind in _KINDS:
        bar = ratio_at_most(1.0) if theirs[kind] else None
        peer, beside = ("pymatting's multilevel", mean(theirs[kind])) if theirs[kind] else ("", None)
        yield Figure(f"foreground.error, {kind.value}", mean(ours[kind]), unit="levels", peer=peer, peer_value=beside, bar=bar, note=note)
    for kind in _KINDS:
        value, beside = mean(left[kind]), mean(before[kind])
        yield Figure(
            f"foreground.ΔE2000 on grey, {kind.value}",
            value,
            unit="",
            peer="not decontaminated",
            peer_value=beside,
            bar=ratio_at_most(_LEFT),
            note=note,
        )
    yield from _seconds(setup, why)


def _seconds(setup: Setup, why: str) -> Iterator[Figure]:
    engine = setup.engine()
    megapixels = 0.06 if setup.quick else 24
    setup.say(f"foreground: {megapixels:g} MP")
    case = scenes.saturated(SubjectKind.HAIR, _HUES[0], megapixels).make()
    seconds = min(timed(lambda: engine.foreground(case.composite, case.alpha))[0] for _ in range(3))
    peer, beside = ("", None) if why else ("pymatting's multilevel", timed(lambda: _published(case))[0])
    note = f"drawn hair, {100 * case.soft.mean():.0f} % soft, best of 3"
    yield Figure(
        f"foreground.seconds at {megapixels:g} MP", seconds, unit="s", peer=peer, peer_value=beside, bar=at_most(_SECONDS), note=note
    )


def _published(case: Case) -> Bytes:
    """pymatting's multilevel estimate (Germer et al. 2020) at its own settings."""
    from pymatting import estimate_foreground_ml

    found = estimate_foreground_ml(case.composite.astype(np.float32) / 255, case.alpha.astype(np.float32))
    return np.asarray(np.rint(255 * np.clip(found, 0, 1)), np.uint8)


def seen_error(foreground: Bytes, case: Case) -> float:
    """Return the mean |F − true F| in the band, each pixel weighted by its opacity; in levels of 255."""
    weight = case.alpha[case.soft].astype(np.float64)
    wrong = np.abs(foreground[case.soft].astype(np.float64) - case.foreground[case.soft]).mean(axis=1)
    return float((weight * wrong).sum() / weight.sum())


def over_new(foreground: Bytes, case: Case) -> float:
    """Return the mean ΔE2000 in the band between the cut-out with this foreground and the true one, both over grey."""
    band = case.soft
    alpha = case.alpha[band][None]
    grey = np.full((1, alpha.size, 3), _GREY, np.uint8)
    answer = composite(alpha, foreground[band][None], grey)
    truth = composite(alpha, case.foreground[band][None], grey)
    return float(metrics.delta_e2000(metrics.lab(answer), metrics.lab(truth)).mean())
