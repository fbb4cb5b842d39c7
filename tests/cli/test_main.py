"""The door: what is imported, what goes where, and with which exit status it ends."""

import argparse
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from bgdesk import __main__, __version__
from bgdesk.cli import display, main
from bgdesk.core.errors import ModelError, UsageError
from bgdesk.core.tasks import Cancelled

ROOT = Path(__file__).resolve().parents[2]


def modules_after(code: str) -> set[str]:
    """Top-level modules that a fresh Python has imported after `code`."""
    report = "import sys\nprint('\\n' + ' '.join({name.partition('.')[0] for name in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", f"{code}\n{report}"], capture_output=True, text=True, check=True, cwd=ROOT)
    return set(done.stdout.splitlines()[-1].split())


def test_version_imports_nothing_heavy() -> None:
    code = "import bgdesk.__main__\ntry:\n    bgdesk.__main__.main(['--version'])\nexcept SystemExit as end:\n    assert end.code == 0"
    assert not modules_after(code) & {"numpy", "torch", "PySide6", "PIL", "cv2", "psd_tools", "onnx", "scipy", "numba", "platformdirs"}


def test_models_list_imports_nothing_heavy() -> None:
    code = "import bgdesk.__main__\nassert bgdesk.__main__.main(['models', 'list']) == 0"
    assert not modules_after(code) & {"torch", "PySide6", "PIL", "cv2", "onnx", "scipy", "numba"}


def test_version_is_quick() -> None:
    """0.3 s is the bar on a quiet machine; the best of five runs is what a busy one can be held to."""
    best = 60.0
    for _ in range(5):
        begun = time.perf_counter()
        done = subprocess.run([sys.executable, "-m", "bgdesk", "--version"], capture_output=True, text=True, check=True, cwd=ROOT)
        best = min(best, time.perf_counter() - begun)
        assert done.stdout == f"bgdesk {__version__}\n"
    assert best < 0.3


def test_help_lists_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        __main__.main(["--help"])
    assert end.value.code == 0
    out = capsys.readouterr().out
    assert all(f"  {name} " in out for name in main.COMMANDS)


@pytest.mark.parametrize("name", list(main.COMMANDS))
def test_every_command_has_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        __main__.main([name, "--help"])
    assert end.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: bgdesk {name} ")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["cut"], "required: INPUT, -o/--output"),
        (["cut", "a.jpg"], "required: -o/--output"),
        (["cut", "a.jpg", "-o", "out"], "the format of out is not known"),
        (["cut", "a.jpg", "-o", "a.png", "--format", "gif"], "invalid choice: 'gif'"),
        (["cut", "a.jpg", "-o", "a.png", "--device", "tpu"], "invalid choice: 'tpu'"),
        (["cut", "a.jpg", "-o", "a.png", "--precision", "int8"], "invalid choice: 'int8'"),
        (["matte", "a.jpg", "-o", "a.png"], "required: TRIMAP"),
        (["matte", "a.jpg", "t.png", "-o", "a.jpg"], "a.jpg must end with .png"),
        (["models"], "required: ACTION"),
        (["models", "import", "x.onnx"], "required: --as"),
        (["models", "fetch"], "invalid choice: 'fetch'"),
        (["doctor", "--wish"], "unrecognized arguments: --wish"),
        (["--wish"], "unrecognized arguments: --wish"),
        (["cot", "a.jpg"], "there is no file and no command called 'cot'. The commands are: cut, batch, watch, matte, models, doctor"),
    ],
)
def test_wrong_usage_ends_with_2(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        __main__.main(arguments)
    assert end.value.code == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.startswith("usage: bgdesk")


def raising(error: BaseException) -> main.Entry:
    def run(args: argparse.Namespace) -> int:
        raise error

    return main.Entry("fail on purpose", lambda: SimpleNamespace(add_arguments=lambda parser: None, run=run))


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (ModelError("No network is installed."), 1, "bgdesk: No network is installed.\n"),
        (KeyboardInterrupt(), 130, "Stopped.\n"),
        (Cancelled(), 130, "Stopped.\n"),
    ],
)
def test_endings(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: BaseException, status: int, said: str) -> None:
    monkeypatch.setattr(main, "COMMANDS", {"fail": raising(error)})
    assert main.run_command(["fail"]) == status
    assert capsys.readouterr().err == said


def test_wrong_usage_found_by_a_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(main, "COMMANDS", {"fail": raising(UsageError("that cannot be"))})
    with pytest.raises(SystemExit) as end:
        main.run_command(["fail"])
    assert end.value.code == 2
    assert capsys.readouterr().err.endswith("bgdesk fail: error: that cannot be\n")


def test_defects_are_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(main, "COMMANDS", {"fail": raising(ZeroDivisionError())})
    with pytest.raises(ZeroDivisionError):
        main.run_command(["fail"])


def test_reader_that_goes_away() -> None:
    """`bgdesk models list | true` ends quietly."""
    with subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import time; time.sleep(0.3)\nfrom bgdesk.__main__ import main\nraise SystemExit(main(['models', 'list']))",
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as process:
        assert process.stdout is not None
        process.stdout.close()
        process.wait(60)
        assert process.stderr is not None
        assert process.stderr.read() == ""
    assert process.returncode == 1


SLEEPING = """
import signal, sys, time, tempfile
from types import SimpleNamespace
from bgdesk.cli import main
signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever runs the tests in the background has it ignored
def run(args):
    with tempfile.TemporaryDirectory(dir=sys.argv[1]):
        print("ready", flush=True)
        time.sleep(60)
main.COMMANDS = {"sleep": main.Entry("sleep", lambda: SimpleNamespace(add_arguments=lambda parser: None, run=run))}
raise SystemExit(main.run_command(["sleep"]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals between processes")
@pytest.mark.parametrize(("number", "status", "said"), [(signal.SIGINT, 130, "Stopped.\n"), (signal.SIGTERM, 143, "")])
def test_signals_clean_up(tmp_path: Path, number: signal.Signals, status: int, said: str) -> None:
    command = [sys.executable, "-c", SLEEPING, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "ready\n"
        assert len(list(tmp_path.iterdir())) == 1
        process.send_signal(number)
        assert process.stderr.read() == said
        assert process.wait(30) == status
    assert list(tmp_path.iterdir()) == []


# --- the window ------------------------------------------------------------------------------------------------------


def without_display(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)


def test_no_display(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    without_display(monkeypatch)
    assert __main__.main(["photo.jpg"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == "No display was found to open the window on; without one, use: bgdesk cut photo.jpg -o cutout.png\n"


@pytest.mark.parametrize(
    ("platform", "variable", "there"),
    [
        ("linux", "DISPLAY", True),
        ("linux", "WAYLAND_DISPLAY", True),
        ("linux", "QT_QPA_PLATFORM", True),
        ("linux", "TERM", False),
        ("darwin", "TERM", True),
        ("win32", "TERM", True),
    ],
)
def test_has_display(monkeypatch: pytest.MonkeyPatch, platform: str, variable: str, there: bool) -> None:
    without_display(monkeypatch)
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setenv(variable, "something")
    assert display.has_display() is there


def test_files_go_to_the_window(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    opened: list[list[Path]] = []

    def run(files: list[Path]) -> int:
        opened.append(files)
        return 7

    monkeypatch.setitem(sys.modules, "bgdesk.ui.application", SimpleNamespace(run=run))
    assert __main__.main(["missing.jpg", str(tmp_path)]) == 7
    assert __main__.main([]) == 7
    assert opened == [[Path("missing.jpg"), tmp_path], []]


def test_missing_library(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(sys.modules, "bgdesk.ui.application", None)
    assert __main__.main([]) == 1
    assert capsys.readouterr().err.endswith("To see what is missing, run: bgdesk doctor\n")
