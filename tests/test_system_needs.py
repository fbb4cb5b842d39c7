"""packaging/system_needs.py: what is missing on this system is installed, or the command that installs it is said."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import system_needs
from system_needs import Need, SetupError

ROOT = Path(__file__).resolve().parent.parent
PICTURES = {"apt-get": "imagemagick", "dnf": "ImageMagick", "brew": "imagemagick"}
SYSTEM = {"apt-get": "libegl1", "dnf": "libglvnd-egl"}


@pytest.fixture
def managers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., None]:
    """managers("apt-get"): the programs that are there, and nothing else; `root` says who runs this."""

    def make(*names: str, root: bool = False) -> None:
        for name in names:
            (tmp_path / name).touch(mode=0o755)
        monkeypatch.setenv("PATH", str(tmp_path))
        monkeypatch.setattr(os, "geteuid", lambda: 0 if root else 1000, raising=False)

    return make


def ensure(*needs: Need) -> list[str]:
    """What was said. Raises SetupError."""
    said: list[str] = []
    system_needs.ensure("The tests", lambda: list(needs), said.append)
    return said


MISSING = (Need("ImageMagick", False, PICTURES), Need("libEGL.so.1", False, SYSTEM), Need("a font", True, {"apt-get": "fonts-dejavu-core"}))


@pytest.mark.parametrize(
    ("manager", "remedy"),
    [
        ("apt-get", "Install what is missing with: sudo apt-get install imagemagick libegl1"),
        ("dnf", "Install what is missing with: sudo dnf install ImageMagick libglvnd-egl"),
        ("brew", "Install with your system's package manager: libEGL.so.1. Install what is missing with: brew install imagemagick"),
        ("pacman", "Install with your system's package manager: ImageMagick and libEGL.so.1."),
    ],
)
def test_what_is_missing_is_said_with_the_command_that_installs_it(managers: Callable[..., None], manager: str, remedy: str) -> None:
    managers(manager)
    with pytest.raises(SetupError) as raised:
        ensure(*MISSING)
    assert str(raised.value) == f"The tests cannot do without ImageMagick and libEGL.so.1. {remedy}"


def test_many_libraries_are_counted(managers: Callable[..., None]) -> None:
    managers("apt-get")
    libraries = [Need(f"lib{name}.so.1", False, {"apt-get": f"lib{name}1"}) for name in "abcde"]
    with pytest.raises(SetupError) as raised:
        ensure(MISSING[0], *libraries)
    assert str(raised.value) == (
        "The tests cannot do without ImageMagick and 5 libraries of Qt's window. "
        "Install what is missing with: sudo apt-get install imagemagick liba1 libb1 libc1 libd1 libe1"
    )


def test_nothing_is_said_or_done_where_all_is_there(managers: Callable[..., None]) -> None:
    managers("apt-get", root=True)
    assert ensure(MISSING[2]) == []


def test_what_is_only_wanted_stops_nothing(managers: Callable[..., None]) -> None:
    managers("apt-get")
    assert ensure(Need("npm", False, {"apt-get": "npm"}, wanted=True)) == []


@pytest.fixture
def apt(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What apt-get was asked to do."""
    calls: list[list[str]] = []

    def run(command: list[str], **options: object) -> subprocess.CompletedProcess[str]:
        assert options["stdin"] == subprocess.DEVNULL  # it must never wait for an answer
        calls.append(command)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(subprocess, "run", run)
    return calls


def test_as_root_with_apt_it_is_installed(managers: Callable[..., None], apt: list[list[str]]) -> None:
    managers("apt-get", root=True)
    npm = {"apt-get": "npm"}

    def look() -> list[Need]:
        return [Need("ImageMagick", bool(apt), PICTURES), Need("libEGL.so.1", bool(apt), SYSTEM), Need("npm", bool(apt), npm, wanted=True)]

    said: list[str] = []
    system_needs.ensure("The tests", look, said.append)
    assert said == ["Installing imagemagick libegl1 npm."]
    assert [call[:2] for call in apt] == [["apt-get", "update"], ["apt-get", "install"]]
    assert apt[1][-3:] == ["imagemagick", "libegl1", "npm"]


def test_what_apt_could_not_install_is_said(managers: Callable[..., None], apt: list[list[str]]) -> None:
    managers("apt-get", root=True)
    with pytest.raises(SetupError, match="cannot do without ImageMagick and libEGL"):
        ensure(*MISSING)
    assert apt


@pytest.mark.skipif(sys.platform != "linux", reason="asks the dynamic linker of Linux")
def test_this_machine_has_what_the_tests_need() -> None:
    assert "libc.so.6" in (system_needs.libraries() or {"libc.so.6"})
    assert [need.name for need in system_needs.tests() if not need.there] == []


def test_where_the_linker_cannot_be_asked_libraries_count_as_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(system_needs, "libraries", lambda: None)
    assert all(need.there for need in system_needs.qt(x11=True) if need.name.startswith("lib"))


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="there Qt brings what it needs")
@pytest.mark.parametrize(("variable", "x11"), [("DISPLAY", True), ("WAYLAND_DISPLAY", False), ("QT_QPA_PLATFORM", False)])
def test_the_x11_plugin_counts_where_it_draws(monkeypatch: pytest.MonkeyPatch, variable: str, x11: bool) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, "something")
    names = {need.name for need in system_needs.window()}
    assert {"libEGL.so.1", "libxkbcommon.so.0", "a font"} <= names
    assert ("libxcb-cursor.so.0" in names) is x11


def test_the_tests_fail_at_once_where_something_is_missing(
    dev: ModuleType, managers: Callable[..., None], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    managers("apt-get")
    monkeypatch.setattr(system_needs, "tests", lambda: list(MISSING))
    monkeypatch.setattr(dev, "ensure_environment", lambda *_: pytest.fail("this takes minutes"))
    assert dev.main(["test"]) == 1
    assert capsys.readouterr().err.endswith("Install what is missing with: sudo apt-get install imagemagick libegl1\n")


def test_ci_keeps_nothing_of_its_own() -> None:
    lines = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    commands = [line for line in lines if line and not line.startswith("#")]
    assert commands[:-1] == ["set -euo pipefail"]
    assert commands[-1].endswith('packaging/dev.py" test')
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
