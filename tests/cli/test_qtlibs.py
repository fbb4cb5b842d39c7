"""What ldd says, turned into what a person can do."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from bgdesk.cli import qtlibs

GLIBC = """\
\tlinux-vdso.so.1 (0x00007ffd)
\tlibxcb-cursor.so.0 => not found
\tlibxcb-icccm.so.4 => not found
\tlibxcb-keysyms.so.1 => not found
\tlibxcb.so.1 => /lib/x86_64-linux-gnu/libxcb.so.1 (0x00007f)
\tlibstrange.so.7 => not found
\tlibxcb-icccm.so.4 => not found
"""
MUSL = """\
\t/lib/ld-musl-x86_64.so.1 (0x7f)
Error loading shared library libxcb-cursor.so.0: No such file or directory (needed by libqxcb.so)
Error relocating libqxcb.so: xcb_cursor_load_cursor: symbol not found
"""


@pytest.mark.parametrize(
    ("said", "missing"),
    [
        (GLIBC, ["libstrange.so.7", "libxcb-cursor.so.0", "libxcb-icccm.so.4", "libxcb-keysyms.so.1"]),
        (MUSL, ["libxcb-cursor.so.0"]),
        ("\tlibxcb.so.1 => /lib/libxcb.so.1 (0x00007f)\n", []),
        ("\tnot a dynamic executable\n", []),
    ],
)
def test_missing(said: str, missing: list[str]) -> None:
    assert qtlibs.missing(Path("libqxcb.so"), lambda file: said) == missing


def test_remedy() -> None:
    bare_debian = ["libxcb-cursor.so.0", "libxcb-icccm.so.4", "libxcb-keysyms.so.1"]
    command = "on Debian and Ubuntu run: sudo apt-get install libxcb-cursor0 libxcb-icccm4 libxcb-keysyms1"
    assert qtlibs.remedy(bare_debian) == command
    assert qtlibs.remedy(["libstrange.so.7"]) == "install the system's packages that hold libstrange.so.7"
    assert qtlibs.remedy([*bare_debian, "libstrange.so.7"]) == f"{command}; install the system's packages that hold libstrange.so.7"
    assert qtlibs.remedy(["libglib-2.0.so.0", "libgthread-2.0.so.0"]).count("libglib2.0-0") == 1


@pytest.mark.skipif(sys.platform != "linux", reason="the plugin and ldd exist on Linux only")
def test_the_real_plugin() -> None:
    """Its libraries are all found or all have a known package; and Qt is not loaded to find that out."""
    file = qtlibs.plugin()
    assert file is not None
    assert "libxcb" in qtlibs.ldd(file)
    assert set(qtlibs.missing(file)) <= set(qtlibs.PACKAGES)
    code = "import sys\nfrom bgdesk.cli import qtlibs\nqtlibs.plugin()\nassert 'PySide6' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_no_qt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert qtlibs.plugin() is None


def test_no_ldd(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(OSError, match="the ldd command was not found"):
        qtlibs.ldd(Path("libqxcb.so"))


@pytest.mark.parametrize(("platform", "needed"), [("linux", True), ("freebsd14", True), ("darwin", False), ("win32", False)])
def test_needed(monkeypatch: pytest.MonkeyPatch, platform: str, needed: bool) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    assert qtlibs.needed() is needed
