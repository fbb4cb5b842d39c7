"""packaging/dev.py: which way the arguments go, and when an environment counts as up to date."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from bgdesk.app.system import paths
from bgdesk.cli.main import COMMANDS


@pytest.mark.parametrize(
    ("arguments", "window", "network"),
    [
        ([], True, True),
        (["photo.jpg"], True, True),
        (["photo.jpg", "cut"], True, True),
        (["cut", "photo.jpg", "-o", "out.png"], False, True),
        (["cut", "--help"], False, False),
        (["matte", "photo.jpg", "trimap.png", "-o", "alpha.png"], False, False),
        (["models", "list"], False, False),
        (["doctor"], False, False),
        (["--version"], False, False),
        (["--help"], False, False),
        (["photo.jpg", "-h"], False, False),
    ],
)
def test_arguments_decide_what_is_needed(dev: ModuleType, arguments: list[str], window: bool, network: bool) -> None:
    assert (dev.needs_window(arguments), dev.needs_network(arguments)) == (window, network)


@pytest.mark.parametrize(
    ("environment", "system", "display"),
    [
        ({}, "linux", False),
        ({"DISPLAY": ""}, "linux", False),
        ({"DISPLAY": ":0"}, "linux", True),
        ({"WAYLAND_DISPLAY": "wayland-0"}, "linux", True),
        ({"QT_QPA_PLATFORM": "offscreen"}, "linux", True),
        ({}, "darwin", True),
        ({}, "win32", True),
    ],
)
def test_display(dev: ModuleType, environment: dict[str, str], system: str, display: bool) -> None:
    assert dev.has_display(environment, system) is display


def test_fingerprint_follows_everything_that_was_installed(dev: ModuleType, tmp_path: Path) -> None:
    pins = tmp_path / "constraints.txt"
    pins.write_text("numpy==2.4.6\n")
    first = dev.fingerprint([pins], "CPython 3.11.7", tmp_path)
    assert dev.fingerprint([pins], "CPython 3.11.7", tmp_path) == first
    assert dev.fingerprint([pins], "CPython 3.12.0", tmp_path) != first
    assert dev.fingerprint([pins], "CPython 3.11.7", tmp_path / "moved") != first
    pins.write_text("numpy==2.4.7\n")
    assert dev.fingerprint([pins], "CPython 3.11.7", tmp_path) != first


@pytest.mark.parametrize(
    ("stamp", "extras", "current"),
    [
        ({"fingerprint": "a", "extras": []}, (), True),
        ({"fingerprint": "a", "extras": ["dev"]}, (), True),
        ({"fingerprint": "a", "extras": ["dev"]}, ("dev",), True),
        ({"fingerprint": "a", "extras": []}, ("dev",), False),
        ({"fingerprint": "b", "extras": ["dev"]}, ("dev",), False),
        ({"fingerprint": "a"}, (), False),
        ({}, (), False),
    ],
)
def test_stamp_is_current(dev: ModuleType, stamp: dict[str, object], extras: tuple[str, ...], current: bool) -> None:
    assert dev.is_current(stamp, "a", extras) is current


@pytest.mark.parametrize("text", [None, "", "{", "[]", "\x00"])
def test_damaged_stamp_counts_as_none(dev: ModuleType, tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "stamp.json"
    if text is not None:
        path.write_text(text)
    assert dev.read_stamp(path) == {}


def test_network_note_is_for_one_home_and_an_existing_file(dev: ModuleType, tmp_path: Path) -> None:
    weights = tmp_path / "isnet-general.safetensors"
    note = {"home": None, "path": str(weights)}
    assert not dev.has_network(note, None)
    weights.touch()
    assert dev.has_network(note, None)
    assert not dev.has_network(note, str(tmp_path))
    assert not dev.has_network({}, None)


def test_environment_of_another_python_or_a_broken_one_is_not_usable(dev: ModuleType, tmp_path: Path) -> None:
    assert dev.is_usable(Path(sys.prefix), dev.python_identity())
    assert not dev.is_usable(Path(sys.prefix), "CPython 3.10.0 x86_64 /usr")
    assert not dev.is_usable(tmp_path, dev.python_identity())
    # Its python without its pyvenv.cfg is the Python outside, which must not be installed into.
    program = dev.venv_program("python", tmp_path)
    program.parent.mkdir()
    program.symlink_to(Path(sys.executable).resolve())
    assert not dev.is_usable(tmp_path, dev.python_identity())


def run_dev(dev: ModuleType, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")}
    return subprocess.run(
        [sys.executable, str(dev.__file__), *arguments], capture_output=True, text=True, env=clean | environment, timeout=60
    )


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="these systems always have a display")
def test_run_without_a_display_says_what_to_do_instead(dev: ModuleType) -> None:
    done = run_dev(dev, "run", "photo.jpg")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.splitlines() == [
        "There is no display to open a window on. Without one: python3 packaging/dev.py run cut photo.jpg -o out.png"
    ]


@pytest.mark.parametrize("arguments", [[], ["walk"], ["--version"]])
def test_wrong_usage_shows_the_usage(dev: ModuleType, arguments: list[str]) -> None:
    done = run_dev(dev, *arguments)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", dev.USAGE)


def test_the_commands_are_those_of_the_program(dev: ModuleType) -> None:
    assert set(dev.COMMANDS) == set(COMMANDS)


def test_help(dev: ModuleType) -> None:
    done = run_dev(dev, "--help")
    assert (done.returncode, done.stdout, done.stderr) == (0, dev.USAGE, "")


def test_shipped_sample_exists(dev: ModuleType) -> None:
    assert dev.SAMPLE.is_file()


def test_extras_of_an_earlier_call_are_kept(dev: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`run` after `test` brings the test tools up to date too, or the stamp would call old ones current."""
    calls: list[list[str]] = []

    def pip(command: list[str | Path], **_: object) -> subprocess.CompletedProcess[str]:
        calls.append([str(part) for part in command])
        return subprocess.CompletedProcess(command, 0)

    stamp = tmp_path / "stamp.json"
    stamp.write_text(json.dumps({"fingerprint": "old", "extras": ["dev"]}))
    monkeypatch.setattr(dev, "STAMP", stamp)
    monkeypatch.setattr(dev, "make_venv", lambda python, moved: None)
    monkeypatch.setattr(dev.subprocess, "run", pip)
    dev.ensure_environment()
    assert [call[-2:] for call in calls] == [["-e", f"{dev.ROOT}[dev]"]]
    assert json.loads(stamp.read_text())["extras"] == ["dev"]


def test_failed_install_leaves_no_stamp(dev: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stamp = tmp_path / "stamp.json"
    stamp.write_text(json.dumps({"fingerprint": "old", "extras": []}))
    monkeypatch.setattr(dev, "STAMP", stamp)
    monkeypatch.setattr(dev, "make_venv", lambda python, moved: None)
    monkeypatch.setattr(dev.subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, 1))
    with pytest.raises(dev.SetupError, match="could not be installed"):
        dev.ensure_environment()
    assert not stamp.exists()


# --- the kernels -----------------------------------------------------------------------------------------------------


@pytest.fixture
def checkout(dev: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with one kernel and one other file of the engine."""
    engine = tmp_path / "bgdesk" / "engine"
    engine.mkdir(parents=True)
    (engine / "levels.py").write_text("@kernel((f4,))\n")
    (engine / "pipeline.py").write_text("\n")
    (tmp_path / "stamp.json").write_text("{}")
    monkeypatch.setattr(dev, "ROOT", tmp_path)
    monkeypatch.setattr(dev, "STAMP", tmp_path / "stamp.json")
    monkeypatch.setattr(dev, "KERNELS_STAMP", tmp_path / "kernels.json")
    monkeypatch.setattr(dev, "KERNELS", tmp_path / "kernels")
    return tmp_path


def test_kernels_are_compiled_once_and_again_when_their_sources_change(
    dev: ModuleType, checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []

    def run(command: list[str | Path], **_: object) -> subprocess.CompletedProcess[str]:
        calls.append(Path(command[-1]).name)
        dev.KERNELS.mkdir(exist_ok=True)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(dev.subprocess, "run", run)
    dev.ensure_kernels()
    dev.ensure_kernels()
    assert calls == ["kernels.py"]
    (checkout / "bgdesk" / "engine" / "pipeline.py").write_text("# an edit that reaches no kernel\n")
    dev.ensure_kernels()
    assert calls == ["kernels.py"]
    (checkout / "bgdesk" / "engine" / "levels.py").write_text("@kernel((f8,))\n")
    dev.ensure_kernels()
    assert calls == ["kernels.py"] * 2
    dev.KERNELS.rmdir()
    dev.ensure_kernels()
    assert calls == ["kernels.py"] * 3


def test_kernels_that_cannot_be_compiled_stop_nothing(
    dev: ModuleType, checkout: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(dev.subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, 1))
    dev.ensure_kernels()
    assert "could not be compiled" in capsys.readouterr().err
    assert not dev.KERNELS_STAMP.exists()


def test_the_folder_of_kernels_is_the_one_that_bgdesk_looks_into(dev: ModuleType) -> None:
    assert paths.kernels_folder() == dev.KERNELS
