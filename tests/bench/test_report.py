"""A report: what is met, what is missed, and the three ways of telling it."""

import json

import pytest

from bgdesk.bench.bench_report import (
    Bar,
    Figure,
    Report,
    at_least,
    at_most,
    not_measured,
    ratio_at_most,
    to_json,
    to_markdown,
    to_text,
)

REPORT = Report(
    {"bgdesk": "0.1.0", "machine": "a | b"},
    (
        Figure("network.bf16", 0.5, unit="s", peer="onnxruntime", peer_value=2.0, bar=ratio_at_most(1 / 3.5), note="sample.png"),
        Figure("strokes.p95", 143.0, unit="ms", bar=at_most(100)),
        Figure("hand.mended", 18, bar=at_least(18)),
        Figure("presets.IoU", 0.776),
        not_measured("rembg", "rembg is not installed"),
    ),
)


@pytest.mark.parametrize(
    ("figure", "ratio", "met"),
    [
        (Figure("a", 1.0), None, None),
        (Figure("a", 1.0, bar=at_most(1.0)), None, True),
        (Figure("a", 1.01, bar=at_most(1.0)), None, False),
        (Figure("a", 3.0, bar=at_least(4)), None, False),
        (Figure("a", 4.0, bar=at_least(4)), None, True),
        (Figure("a", 1.0, unit="s", peer="b", peer_value=4.0, bar=ratio_at_most(0.25)), 0.25, True),
        (Figure("a", 1.1, unit="s", peer="b", peer_value=4.0, bar=ratio_at_most(0.25)), 0.275, False),
        (Figure("a", 1.0, bar=ratio_at_most(0.25)), None, None),  # the peer is missing: neither met nor missed
        (Figure("a", 1.0, unit="s", peer="b", peer_value=0.0, bar=ratio_at_most(0.25)), None, None),
        (Figure("a", None, bar=at_most(1.0)), None, None),
    ],
)
def test_bars(figure: Figure, ratio: float | None, met: bool | None) -> None:
    assert figure.ratio == (None if ratio is None else pytest.approx(ratio))
    assert figure.met is met


def test_json_says_everything() -> None:
    read = json.loads(to_json(REPORT))
    assert read["machine"] == REPORT.machine
    assert [figure["name"] for figure in read["figures"]] == [figure.name for figure in REPORT.figures]
    first, *_, last = read["figures"]
    assert first["bar"] == {"of": "ratio", "limit": 1 / 3.5, "most": True}
    assert (first["ratio"], first["met"], first["peer_value"]) == (0.25, True, 2.0)
    assert (last["value"], last["met"], last["note"]) == (None, None, "not measured: rembg is not installed")


def test_missed() -> None:
    assert [figure.name for figure in REPORT.missed] == ["strokes.p95"]


def test_text_says_everything() -> None:
    text = to_text(REPORT)
    assert "network.bf16  0.5 s   2 s onnxruntime  0.25   ratio ≤ 0.286  yes" in text
    line = next(line for line in text.splitlines() if line.startswith("strokes.p95"))
    assert line.split() == ["strokes.p95", "143", "ms", "≤", "100", "NO"]
    assert "rembg: not measured: rembg is not installed" in text
    assert text.endswith("2 of 3 bars met.")


def test_markdown_is_a_table() -> None:
    lines = to_markdown(REPORT).splitlines()
    assert len(lines) == 2 + len(REPORT.figures)
    assert {line.count("|") for line in lines} == {7}
    assert lines[2] == "| network.bf16 (sample.png) | 0.5 s | 2 s onnxruntime | 0.25 | ratio ≤ 0.286 | yes |"
    assert lines[-1] == "| rembg (not measured: rembg is not installed) | – |  |  |  |  |"


@pytest.mark.parametrize(
    ("value", "said"),
    [(0, "0"), (18.0, "18"), (0.28571, "0.286"), (1234.5, "1234"), (99.94, "99.9"), (0.00012, "0.00012"), (2.7e-6, "2.7e-06")],
)
def test_numbers_are_short(value: float, said: str) -> None:
    assert to_text(Report({}, (Figure("x", value),))).splitlines()[-1].split()[1] == said


def test_a_bar_in_words() -> None:
    assert str(Bar("value", 4.0)) == "≤ 4"
    assert str(ratio_at_most(0.86)) == "ratio ≤ 0.86"
    assert str(at_least(0.03)) == "≥ 0.03"
