"""What bgdesk needs from the system itself, and how that is installed here. Standard library only.

As root, where there is apt-get, what is missing is installed. Elsewhere the command that installs it is said, at once and
not after minutes of other work.
"""

import importlib.util
import os
import shutil
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bgdesk.cli.qtlibs import PACKAGES


class SetupError(Exception):
    """Something that the person has to mend; the text says how."""


#: Package managers that are known, in the order of preference, and how each installs.
MANAGERS: Mapping[str, str] = {
    "apt-get": "sudo apt-get install",
    "dnf": "sudo dnf install",
    "brew": "brew install",
    "winget": "winget install",
}


@dataclass(frozen=True)
class Need:
    """One thing that has to be there."""

    name: str  #: for a person
    there: bool
    packages: Mapping[str, str]  #: by manager, what brings it
    wanted: bool = False  #: it is installed where that can be done, and its absence stops nothing


# --- looking ---------------------------------------------------------------------------------------------------------


def imagemagick() -> dict[str, list[str]] | None:
    """How to call ImageMagick's convert and identify, or None if it is not installed.

    ImageMagick 7 has one program, magick. In version 6 the tools are programs of their own; they are looked for beside
    `identify`, because other programs are called `convert` (on Windows one that rewrites disks).
    """
    magick = shutil.which("magick")
    if magick:
        return {"convert": [magick], "identify": [magick, "identify"]}
    identify = shutil.which("identify")
    if identify and (Path(identify).parent / "convert").is_file():
        return {"convert": [str(Path(identify).parent / "convert")], "identify": [identify]}
    return None


def libraries() -> set[str] | None:
    """The names of all shared libraries that the dynamic linker knows; None where it cannot be asked."""
    command = shutil.which("ldconfig", path=os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin")))
    if command is None:
        return None
    done = subprocess.run([command, "-p"], capture_output=True, text=True, errors="replace")
    found = {line.split()[0] for line in done.stdout.splitlines() if "=>" in line}
    return found or None


def _has_font() -> bool:
    folders = ("/usr/share/fonts", "/usr/local/share/fonts", "~/.local/share/fonts", "~/.fonts", "/run/current-system/sw/share")
    kinds = (".ttf", ".otf", ".ttc", ".pfb")
    return any(file.suffix.lower() in kinds for folder in folders for file in Path(folder).expanduser().rglob("*"))


# --- what is needed --------------------------------------------------------------------------------------------------

_XCB = ("libxcb", "libX11-xcb", "libxkbcommon-x11")
#: Qt's own answers to where it draws: with one of these, X11 is not asked.
_NOT_X11 = ("WAYLAND_DISPLAY", "QT_QPA_PLATFORM")


def qt(x11: bool) -> list[Need]:
    """Libraries that Qt links to, even offscreen; x11: those of its X11 plugin as well."""
    if sys.platform in ("win32", "darwin"):
        return []
    known = libraries()
    needs = [Need("a font", _has_font(), {"apt-get": "fonts-dejavu-core", "dnf": "dejavu-sans-fonts"})]
    for library, (debian, fedora) in PACKAGES.items():
        if "xinerama" in library or (library.startswith(_XCB) and not x11):  # xinerama: of older versions of Qt alone
            continue
        needs.append(Need(library, known is None or library in known, {"apt-get": debian, "dnf": fedora}))
    return needs


def environment() -> list[Need]:
    """What making .venv and fetching packages and networks takes."""
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    pip, certificates = importlib.util.find_spec("ensurepip") is not None, ssl.create_default_context().cert_store_stats()["x509_ca"] > 0
    return [
        Need("Python's ensurepip", pip, {"apt-get": f"python{version}-venv"}),
        Need("certificates", certificates, {"apt-get": "ca-certificates"}, wanted=True),
        Need("npm", shutil.which("npm") is not None, {"apt-get": "npm"}, wanted=True),  # networks also come without it
    ]


def window() -> list[Need]:
    """What the window takes, drawn as the environment variables say."""
    return qt(x11=not any(os.environ.get(name) for name in _NOT_X11))


def build() -> list[Need]:
    """What PyInstaller takes: it looks into shared libraries, and packs Python as one."""
    if sys.platform in ("win32", "darwin"):
        return []
    needs = [Need("objdump", shutil.which("objdump") is not None, {"apt-get": "binutils", "dnf": "binutils"})]
    if sys.base_prefix == "/usr":  # Debian has Python as a program alone; other Pythons bring the library or never will
        version, known = f"{sys.version_info[0]}.{sys.version_info[1]}", libraries()
        there = known is None or f"libpython{version}.so.1.0" in known
        needs.append(Need("Python's shared library", there, {"apt-get": f"libpython{version}"}))
    return needs + qt(x11=True)


def tests() -> list[Need]:
    """What the tests take: they look at the X11 plugin too, and read PSD files back with ImageMagick."""
    packages = {"apt-get": "imagemagick", "dnf": "ImageMagick", "brew": "imagemagick", "winget": "ImageMagick.ImageMagick"}
    return [Need("ImageMagick", imagemagick() is not None, packages), *qt(x11=True)]


# --- installing ------------------------------------------------------------------------------------------------------


def ensure(what: str, look: Callable[[], list[Need]], say: Callable[[str], None]) -> None:
    """Install what is missing if that can be done, else raise SetupError, which says how. look: finds what `what` needs."""
    lacking = [need for need in look() if not need.there]
    if lacking and hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("apt-get"):
        _install(_packages(lacking, "apt-get"), say)
        lacking = [need for need in look() if not need.there]
    lacking = [need for need in lacking if not need.wanted]
    if lacking:
        raise SetupError(f"{what} cannot do without {_list(_short(lacking))}. {remedy(lacking)}")


def remedy(lacking: Sequence[Need]) -> str:
    """The command that installs these, or what to look for where none is known."""
    manager = next((name for name in MANAGERS if shutil.which(name)), None)
    packages = _packages(lacking, manager) if manager else []
    rest = [need.name for need in lacking if manager not in need.packages]
    parts = []
    if rest:
        parts.append(f"Install with your system's package manager: {_list(rest)}.")
    if packages:
        parts.append(f"Install what is missing with: {MANAGERS[str(manager)]} {' '.join(packages)}")
    return " ".join(parts)


def _packages(lacking: Iterable[Need], manager: str) -> list[str]:
    return sorted({need.packages[manager] for need in lacking if manager in need.packages})


def _install(packages: Sequence[str], say: Callable[[str], None]) -> None:
    say(f"Installing {' '.join(packages)}.")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update", "-q"], ["install", "-q", "-y", "--no-install-recommends", *packages]):
        subprocess.run(["apt-get", *command], env=environment, stdin=subprocess.DEVNULL, stdout=sys.stderr)


def _short(lacking: Sequence[Need]) -> list[str]:
    """The names for a sentence: many libraries are counted, since the command names them all."""
    names = [need.name for need in lacking]
    found = [name for name in names if name.startswith("lib")]
    return names if len(found) < 4 else [*(name for name in names if name not in found), f"{len(found)} libraries of Qt's window"]


def _list(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
