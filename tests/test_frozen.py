"""What a frozen build stands on, without making one: its recipe, its entry, and dev.py's build command."""

import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from bgdesk.app.system import paths

ROOT = Path(__file__).resolve().parent.parent
PACKAGING = ROOT / "packaging"

# --- the recipe ------------------------------------------------------------------------------------------------------


def test_the_recipe_takes_files_that_are_there() -> None:
    recipe = (PACKAGING / "bgdesk.spec").read_text(encoding="utf-8")
    compile(recipe, "bgdesk.spec", "exec")
    taken = re.findall(r'ROOT((?: / "[^"]+")+)', recipe)
    files = [ROOT.joinpath(*re.findall('"([^"]+)"', parts)) for parts in taken]
    assert {paths.catalog_file(), paths.resource("."), PACKAGING / "start.py"} <= set(files)
    assert [file for file in files if not file.exists()] == []


@pytest.mark.parametrize("arguments", [["_worker", "a"], ["cut", "--help"], ["-m", "bgdesk", "cut", "--help"]])
def test_the_entry_passes_its_arguments_on(arguments: list[str]) -> None:
    """A frozen program starts itself as [sys.executable, "_worker", …], or as if sys.executable were a Python."""
    script = f"""
import runpy, sys, bgdesk.__main__
bgdesk.__main__.main = lambda: print(sys.argv[1:]) or 3
sys.argv[1:] = {arguments!r}
runpy.run_path({str(PACKAGING / "start.py")!r}, run_name="__main__")
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (3, "")
    assert done.stdout.strip() == repr([word for word in arguments if word not in ("-m", "bgdesk")])


def test_kernels_lie_in_the_checkout_and_of_an_installation_with_what_can_be_made_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert paths.kernels_folder() == ROOT / ".cache" / "kernels"
    monkeypatch.setattr(paths, "_PACKAGE", tmp_path / "bgdesk")
    assert paths.kernels_folder() == paths.data_folder() / "cache" / "kernels"
    monkeypatch.delenv("BGDESK_HOME")
    assert paths.kernels_folder().is_absolute()
    assert "bgdesk" in paths.kernels_folder().parts


# --- the command -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [["build", "--fast"], ["build", "here", "there"]])
def test_wrong_usage_of_build(dev: ModuleType, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert dev.main(arguments) == 2
    assert capsys.readouterr().err == dev.USAGE
    assert "dev.py build [FOLDER]" in dev.USAGE


@pytest.fixture
def fake_tools(dev: ModuleType, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """PyInstaller that writes one file, and a program that cuts; what was asked for is noted."""
    said: list[str] = []

    def step(title: str, command: list[object], environment: dict[str, str] | None = None) -> bool:
        said.append(title)
        words = [str(word) for word in command]
        if title == "PyInstaller":
            assert words[words.index("--") - 1] == str(PACKAGING / "bgdesk.spec")
            program = Path(words[words.index("--distpath") + 1]) / "bgdesk"
            program.mkdir(parents=True)
            (program / "bgdesk").write_text("new")
        if title in ("bgdesk cut", "bgdesk batch"):
            out = Path(words[words.index("-o") + 1])
            out.mkdir(parents=True)
            for name in ("astronaut", "chelsea"):
                (out / f"{name}.png").write_text("x")
        return True

    monkeypatch.setattr(dev, "ensure_system", lambda what, look: said.append(what))
    monkeypatch.setattr(dev, "ensure_environment", lambda extras: said.append(" ".join(extras)))
    monkeypatch.setattr(dev, "ensure_network", lambda: said.append("network"))
    monkeypatch.setattr(dev, "venv_program", lambda name: sys.executable)
    monkeypatch.setattr(dev, "step", step)
    return said


def test_build_makes_proves_and_only_then_replaces(dev: ModuleType, fake_tools: list[str], tmp_path: Path) -> None:
    (tmp_path / "bgdesk").mkdir()
    (tmp_path / "bgdesk" / "old").touch()
    assert dev.main(["build", str(tmp_path)]) == 0
    assert fake_tools == ["The build", "build onnx", "network", "kernels", "PyInstaller", "bgdesk --version", "bgdesk cut", "bgdesk batch"]
    assert [file.relative_to(tmp_path).as_posix() for file in sorted(tmp_path.rglob("*"))] == ["bgdesk", "bgdesk/bgdesk"]


@pytest.mark.parametrize("failing", ["kernels", "PyInstaller", "bgdesk --version", "bgdesk cut", "bgdesk batch"])
def test_a_build_that_fails_leaves_the_last_one(
    dev: ModuleType,
    fake_tools: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    failing: str,
) -> None:
    (tmp_path / "bgdesk").mkdir()
    works = dev.step
    monkeypatch.setattr(dev, "step", lambda title, *rest: works(title, *rest) and title != failing)
    assert dev.main(["build", str(tmp_path)]) == 1
    assert "the reason is above" in capsys.readouterr().err
    assert os.listdir(tmp_path) == ["bgdesk"]


def test_a_build_that_had_to_compile_is_refused(
    dev: ModuleType, fake_tools: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    works = dev.step

    def step(title: str, command: list[object], environment: dict[str, str] | None = None) -> bool:
        if environment:
            Path(environment["NUMBA_CACHE_DIR"]).mkdir(parents=True, exist_ok=True)
            (Path(environment["NUMBA_CACHE_DIR"]) / "halve.kernel").touch()
        return bool(works(title, command, environment))

    monkeypatch.setattr(dev, "step", step)
    assert dev.main(["build", str(tmp_path)]) == 1
    assert "compiled what it should carry: halve.kernel." in capsys.readouterr().err
    assert os.listdir(tmp_path) == []
