"""bgdesk bench engine, from its arguments to what it prints."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from bgdesk import __main__
from bgdesk.bench.bench_report import Figure, Report
from bgdesk.bench.setup import Runner, Setup
from bgdesk.cli import bench
from bgdesk.cli.main import COMMANDS


def test_quick_matting_end_to_end(capsys: pytest.CaptureFixture[str]) -> None:
    """Real solvers, no network: what can be measured without data is, and the rest is said to be missing."""
    assert __main__.main(["bench", "engine", "--quick", "--json", "--only", "matting", "presets", "rembg"]) == 0
    found = capsys.readouterr()
    figures = {figure["name"]: figure for figure in json.loads(found.out)["figures"]}
    assert figures["matting.drawn, sad"]["value"] > 0
    assert figures["matting.drawn, sad"]["peer_value"] > 0
    assert all(figures[name]["note"].startswith("not measured: ") for name in ("matting.captured alpha", "presets", "rembg"))
    assert "matting.drawn: drawn-hair" in found.err


def test_without_a_network_the_figures_that_need_one_say_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert __main__.main(["bench", "engine", "--quick", "--only", "strokes"]) == 0
    assert "not measured: No network is installed." in capsys.readouterr().out


@pytest.mark.parametrize(("option", "first"), [("--json", "{"), ("--markdown", "| figure "), (None, "machine: fake")])
def test_three_ways_of_telling(option: str | None, first: str, capsys: pytest.CaptureFixture[str], sample: Path) -> None:
    seen: list[tuple[Setup, Sequence[str]]] = []

    def run(setup: Setup, only: Sequence[str], runners: Mapping[str, Runner]) -> Report:
        assert "network" in runners
        seen.append((setup, only))
        return Report({"machine": "fake"}, (Figure("a.b", 2.0, unit="s"),))

    import argparse

    parser = argparse.ArgumentParser()
    bench.add_arguments(parser)
    arguments = ["engine", "--only", "hand", "--data", str(sample.parent), "--onnx", "somewhere", *([option] if option else [])]
    assert bench.run(parser.parse_args(arguments), run) == 0
    assert capsys.readouterr().out.startswith(first)
    (setup, only), *_ = seen
    assert only == ["hand"]
    assert setup.data.photos == (sample.parent,)
    assert setup.onnx == Path("somewhere")
    assert not setup.quick


def test_json_is_the_only_thing_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    assert __main__.main(["bench", "engine", "--quick", "--json", "--only", "hand"]) == 0
    assert [figure["name"] for figure in json.loads(capsys.readouterr().out)["figures"]] == ["hand.objects", "hand.matting"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "the following arguments are required: SUBJECT"),
        (["window"], "invalid choice: 'window'"),
        (["engine", "--only", "speed"], "invalid choice: 'speed'"),
        (["engine", "--only", "rate"], "--only rate does not belong to engine: choose from network"),
        (["engine", "--json", "--markdown"], "not allowed with argument"),
        (["engine", "--data", "nowhere"], "nowhere holds neither photos nor"),
    ],
)
def test_wrong_usage(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        __main__.main(["bench", *arguments])
    assert end.value.code == 2
    assert said in capsys.readouterr().err


def test_it_is_a_command() -> None:
    assert "bench" in COMMANDS
