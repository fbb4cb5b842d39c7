"""What a frozen build stands on, without making one: its recipe, the shelf of kernels, and dev.py's build command."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from bgdesk.app.system import paths
from bgdesk.engine.runtime import kernels

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


def test_kernels_that_are_not_carried_go_to_the_persons_own_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    assert paths.cache_folder() == paths.data_folder() / "cache"
    monkeypatch.delenv("BGDESK_HOME")
    assert paths.cache_folder().is_absolute()
    assert "bgdesk" in paths.cache_folder().parts


# --- the shelf -------------------------------------------------------------------------------------------------------


def test_a_checkout_leaves_its_kernels_to_numba() -> None:
    from numba.core.caching import FunctionCache

    from bgdesk.engine.colours.levels import halve

    assert kernels.shelf is None
    assert halve in kernels.kernels
    assert isinstance(vars(halve)["_cache"], FunctionCache)


@pytest.mark.parametrize(
    ("system", "machine", "names"),
    [
        ("Linux", "x86_64", ["x86-64-v3", "x86-64-v2"]),
        ("Windows", "AMD64", ["x86-64-v3", "x86-64-v2"]),
        ("Darwin", "arm64", ["apple-m1"]),
        ("Linux", "aarch64", ["generic"]),
    ],
)
def test_levels_best_first(system: str, machine: str, names: list[str]) -> None:
    assert list(kernels.levels(system, machine)) == names


@pytest.fixture
def carried(tmp_path: Path) -> Path:
    """A shelf with a stamp and no kernels."""
    folder = tmp_path / "carried"
    for level in kernels.levels("Linux", "x86_64"):
        (folder / level).mkdir(parents=True)
    (folder / kernels.STAMP).write_text("1.0 abc")
    return folder


@pytest.fixture
def find(monkeypatch: pytest.MonkeyPatch, carried: Path) -> Callable[..., kernels.KernelShelf | None]:
    """find(features, cache): find_shelf on an x86-64 CPU with these features; `target` only notes what it is asked."""

    def call(features: str, cache: str = "") -> kernels.KernelShelf | None:
        monkeypatch.setattr(kernels.platform, "machine", lambda: "x86_64")
        monkeypatch.setattr(kernels._codegen, "get_host_cpu_features", lambda: features)
        monkeypatch.setattr(kernels, "target", lambda level: None)
        return kernels.find_shelf(carried, cache)

    return call


def features(*levels: str, missing: str = "") -> str:
    """As LLVM lists them: the features that these levels need, and what else a CPU may say."""
    table = kernels.levels("Linux", "x86_64")
    return ",".join(f"{'-' if name == missing else '+'}{name}" for level in levels for name in ("64bit", *table[level]))


V3, V2 = "x86-64-v3", "x86-64-v2"


@pytest.mark.parametrize(
    ("cpu", "level"),
    [
        (features(V3, V2), V3),
        (features(V3, V2, missing="avx2"), V2),
        (features(V2, missing="sse4.2"), None),
        ("", None),
    ],
)
def test_the_shelf_is_the_best_that_this_cpu_can_run(
    find: Callable[..., kernels.KernelShelf | None], carried: Path, tmp_path: Path, cpu: str, level: str | None
) -> None:
    own = tmp_path / "own"
    assert find(cpu, str(own)) == kernels.KernelShelf("1.0 abc", carried / level if level else None, own / level if level else own)
    assert find(cpu) == kernels.KernelShelf("1.0 abc", carried / level if level else None, None)


def test_a_level_that_is_not_there_is_passed_over(find: Callable[..., kernels.KernelShelf | None], carried: Path) -> None:
    (carried / V3).rmdir()
    assert find(features(V3, V2)) == kernels.KernelShelf("1.0 abc", carried / V2, None)
    (carried / kernels.STAMP).unlink()
    assert find(features(V3, V2)) is None


#: Prints how it got the kernel: "compiled" or "loaded". Arguments: the stamp, the folder carried, the own one ("" for none).
USE_A_KERNEL = """
import sys
from pathlib import Path
import numpy as np
from bgdesk.engine.runtime import kernels
stamp, carried, own = sys.argv[1:]
kernels.shelf = kernels.KernelShelf(stamp, Path(carried) if carried else None, Path(own) if own else None)

@kernels.kernel
def double(x):
    return x * 2

assert double(21) == 42
print("loaded" if double.stats.cache_hits else "compiled")
"""


def use_a_kernel(*arguments: object) -> str:
    done = subprocess.run([sys.executable, "-c", USE_A_KERNEL, *map(str, arguments)], capture_output=True, text=True, timeout=120)
    assert done.stderr == ""
    return done.stdout.strip()


def test_a_kernel_is_found_on_the_shelf_in_the_own_folder_or_compiled(tmp_path: Path) -> None:
    shelf, own = tmp_path / "shelf", tmp_path / "own"
    assert use_a_kernel("1", "", shelf) == "compiled"  # as a build makes it
    (made,) = shelf.iterdir()
    assert made.suffix == kernels.SUFFIX
    assert use_a_kernel("1", shelf, own) == "loaded"
    assert not own.exists()
    # Other sources: nothing stale is used, and what is compiled goes to the own folder and is found there.
    assert use_a_kernel("2", shelf, own) == "compiled"
    assert use_a_kernel("2", shelf, own) == "loaded"
    assert list(shelf.iterdir()) == [made]


def test_a_damaged_kernel_and_an_own_folder_that_cannot_be_made_cost_time_alone(tmp_path: Path) -> None:
    shelf, file = tmp_path / "shelf", tmp_path / "file"
    file.touch()
    use_a_kernel("1", "", shelf)
    (made,) = shelf.iterdir()
    made.write_bytes(made.read_bytes()[:100])
    assert use_a_kernel("1", shelf, file / "own") == "compiled"
    assert use_a_kernel("1", shelf, "") == "compiled"


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

    monkeypatch.setattr(dev, "ensure_environment", lambda extras: said.append(" ".join(extras)))
    monkeypatch.setattr(dev, "ensure_network", lambda: said.append("network"))
    monkeypatch.setattr(dev, "venv_program", lambda name: sys.executable)
    monkeypatch.setattr(dev, "step", step)
    return said


def test_build_makes_proves_and_only_then_replaces(dev: ModuleType, fake_tools: list[str], tmp_path: Path) -> None:
    (tmp_path / "bgdesk").mkdir()
    (tmp_path / "bgdesk" / "old").touch()
    assert dev.main(["build", str(tmp_path)]) == 0
    assert fake_tools == ["build onnx", "network", "kernels", "PyInstaller", "bgdesk --version", "bgdesk cut", "bgdesk batch"]
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
