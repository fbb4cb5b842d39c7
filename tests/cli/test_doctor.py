"""bgdesk doctor: what it finds, and whether it ends with 0."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from bgdesk.app.networks.store import default_store
from bgdesk.cli import doctor, qtlibs
from bgdesk.cli.main import run_command
from bgdesk.core.arrays import Pixels
from bgdesk.core.engine import EngineStatus
from bgdesk.core.errors import DeviceError
from bgdesk.core.tasks import Progress, silent
from bgdesk.engine.pipeline import Pipeline
from bgdesk.engine.self_test import Comparison
from tests.fakes.engine import FakeEngine

STATUS = EngineStatus(device="NVIDIA H100", precision="fp16", model="isnet-general")


class WarmEngine(FakeEngine):
    def __init__(self, status: EngineStatus = STATUS) -> None:
        super().__init__()
        self.status = status

    def warm(self, progress: Progress = silent) -> EngineStatus:
        return self.status


def call(
    capsys: pytest.CaptureFixture[str], status: EngineStatus = STATUS, most: float = 0.01, open_engine: Callable[..., Any] | None = None
) -> tuple[int, dict[str, str]]:
    """The exit status, and the report as {title: "ok text"}."""
    parser = argparse.ArgumentParser()
    doctor.add_arguments(parser)
    compared: list[Pixels] = []

    def compare(pipeline: Any, pixels: Pixels, progress: Progress) -> Comparison:
        compared.append(pixels)
        return Comparison(status, most, most / 100)

    ended = doctor.run(parser.parse_args([]), default_store, open_engine or (lambda choice: cast(Pipeline, WarmEngine(status))), compare)
    assert all(pixels.shape == (512, 512, 3) for pixels in compared)
    lines = capsys.readouterr().out.splitlines()
    return ended, {line[5:].partition(": ")[0]: line[:5].strip() + " " + line[5:].partition(": ")[2] for line in lines}


@pytest.fixture
def no_missing_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(qtlibs, "needed", lambda: True)
    monkeypatch.setattr(qtlibs, "plugin", lambda: Path("libqxcb.so"))
    monkeypatch.setattr(qtlibs, "missing", lambda file: [])


@pytest.mark.usefixtures("no_missing_libraries")
def test_all_is_well(models_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ended, report = call(capsys)
    assert ended == 0
    assert report["bgdesk"].startswith("ok ")
    assert "torch 2." in report["versions"]
    assert str(models_home) in report["folders"]
    assert report["Qt's X11 plugin"] == "ok all shared libraries are there"
    assert report["network isnet-general"].startswith("ok good, ")
    assert report["device"] == "ok NVIDIA H100, fp16, network isnet-general"
    assert report["comparison"] == "ok the matte of astronaut.png differs from the CPU's in fp32 by at most 0.0100, on average 0.000100"


@pytest.mark.usefixtures("no_missing_libraries")
def test_device_that_errs(models_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ended, report = call(capsys, most=0.5)
    assert ended == 1
    assert report["comparison"].startswith("BAD ")
    assert report["comparison"].endswith("too much. Use --device cpu --precision fp32")


@pytest.mark.usefixtures("no_missing_libraries")
def test_fall_backs_are_told(models_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    note = "NVIDIA H100 ran out of memory."
    ended, report = call(capsys, EngineStatus(device="CPU", precision="fp32", model="isnet-general", notes=(note,)))
    assert ended == 0
    assert report["device"] == f"ok {note}"


@pytest.mark.usefixtures("no_missing_libraries")
def test_device_that_is_not_there(models_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def fail(*request: object) -> FakeEngine:
        raise DeviceError("No CUDA device was found.")

    ended, report = call(capsys, open_engine=fail)
    assert ended == 1
    assert report["device"] == "BAD No CUDA device was found."
    assert "comparison" not in report


def test_missing_libraries(models_home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(qtlibs, "needed", lambda: True)
    monkeypatch.setattr(qtlibs, "plugin", lambda: Path("libqxcb.so"))
    monkeypatch.setattr(qtlibs, "missing", lambda file: ["libxcb-cursor.so.0"])
    ended, report = call(capsys)
    assert ended == 1
    assert report["Qt's X11 plugin"] == (
        "BAD the window cannot open without libxcb-cursor.so.0; on Debian and Ubuntu run: sudo apt-get install libxcb-cursor0"
    )
    assert report["comparison"].startswith("ok ")  # the rest is still checked


def test_qt_that_is_not_there(models_home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(qtlibs, "needed", lambda: True)
    monkeypatch.setattr(qtlibs, "plugin", lambda: None)
    ended, report = call(capsys)
    assert ended == 1
    assert report["Qt's X11 plugin"] == "BAD it is not installed. Install bgdesk again"


def test_libraries_that_cannot_be_checked(models_home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(file: Path) -> list[str]:
        raise FileNotFoundError("the ldd command was not found")

    monkeypatch.setattr(qtlibs, "needed", lambda: True)
    monkeypatch.setattr(qtlibs, "plugin", lambda: Path("libqxcb.so"))
    monkeypatch.setattr(qtlibs, "missing", fail)
    ended, report = call(capsys)
    assert ended == 0
    assert report["Qt's X11 plugin"] == "ok its libraries were not checked: the ldd command was not found"


@pytest.mark.usefixtures("no_missing_libraries")
def test_no_network(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["doctor"]) == 1
    out = capsys.readouterr().out
    assert "BAD  networks: none is installed. Install one with: bgdesk models install isnet-general\n" in out
    assert "BAD  device: No network is installed." in out


@pytest.mark.usefixtures("no_missing_libraries")
def test_damaged_network(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "models").mkdir()
    (home / "models" / "u2netp.json").write_text("{", encoding="utf-8")
    ended, report = call(capsys)
    assert ended == 1
    assert report["network u2netp"].startswith("BAD damaged: its record could not be read")
    assert report["network u2netp"].endswith("Install it again with: bgdesk models install u2netp")


@pytest.mark.usefixtures("no_missing_libraries")
def test_real(models_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["doctor", "--model", "u2netp", "--device", "cpu", "--precision", "fp32"]) == 0
    out = capsys.readouterr().out
    assert "ok   device: CPU, fp32, network u2netp\n" in out
    assert "by at most 0.0000, on average 0.000000" in out
