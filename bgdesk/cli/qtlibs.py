"""Which shared libraries Qt's X11 plugin misses on Linux, found without loading Qt.

Qt ends the whole program when its platform plugin cannot be loaded, so this must be found out from outside: the plugin's
file is looked up and handed to ldd.
"""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

#: The packages of Debian and of Fedora with each library that the plugin or Qt's Gui needs and that a bare system may lack.
PACKAGES = {
    "libEGL.so.1": ("libegl1", "libglvnd-egl"),
    "libGL.so.1": ("libgl1", "libglvnd-glx"),
    "libX11-xcb.so.1": ("libx11-xcb1", "libX11-xcb"),
    "libX11.so.6": ("libx11-6", "libX11"),
    "libdbus-1.so.3": ("libdbus-1-3", "dbus-libs"),
    "libfontconfig.so.1": ("libfontconfig1", "fontconfig"),
    "libfreetype.so.6": ("libfreetype6", "freetype"),
    "libglib-2.0.so.0": ("libglib2.0-0", "glib2"),
    "libgthread-2.0.so.0": ("libglib2.0-0", "glib2"),
    "libxcb-cursor.so.0": ("libxcb-cursor0", "xcb-util-cursor"),
    "libxcb-icccm.so.4": ("libxcb-icccm4", "xcb-util-wm"),
    "libxcb-image.so.0": ("libxcb-image0", "xcb-util-image"),
    "libxcb-keysyms.so.1": ("libxcb-keysyms1", "xcb-util-keysyms"),
    "libxcb-randr.so.0": ("libxcb-randr0", "libxcb"),
    "libxcb-render-util.so.0": ("libxcb-render-util0", "xcb-util-renderutil"),
    "libxcb-render.so.0": ("libxcb-render0", "libxcb"),
    "libxcb-shape.so.0": ("libxcb-shape0", "libxcb"),
    "libxcb-shm.so.0": ("libxcb-shm0", "libxcb"),
    "libxcb-sync.so.1": ("libxcb-sync1", "libxcb"),
    "libxcb-util.so.1": ("libxcb-util1", "xcb-util"),
    "libxcb-xfixes.so.0": ("libxcb-xfixes0", "libxcb"),
    "libxcb-xinerama.so.0": ("libxcb-xinerama0", "libxcb"),
    "libxcb-xkb.so.1": ("libxcb-xkb1", "libxcb"),
    "libxcb.so.1": ("libxcb1", "libxcb"),
    "libxkbcommon-x11.so.0": ("libxkbcommon-x11-0", "libxkbcommon-x11"),
    "libxkbcommon.so.0": ("libxkbcommon0", "libxkbcommon"),
}

# glibc: "libxcb-cursor.so.0 => not found". musl: "Error loading shared library libxcb-cursor.so.0: No such file …".
_MISSING = re.compile(r"^\s*(\S+) => not found$|^Error loading shared library (\S+?):", re.MULTILINE)


def plugin() -> Path | None:
    """The file of Qt's X11 platform plugin, or None if PySide6 or the plugin is not installed."""
    spec = importlib.util.find_spec("PySide6")
    if spec is None or spec.origin is None:
        return None
    file = Path(spec.origin).parent / "Qt" / "plugins" / "platforms" / "libqxcb.so"
    return file if file.is_file() else None


def ldd(file: Path) -> str:
    """What ldd prints about a shared library. Raises OSError if there is no ldd."""
    command = shutil.which("ldd")
    if command is None:
        raise FileNotFoundError("the ldd command was not found")
    done = subprocess.run([command, str(file)], capture_output=True, text=True, errors="replace", env={**os.environ, "LC_ALL": "C"})
    return done.stdout + done.stderr


def missing(file: Path, ask: Callable[[Path], str] = ldd) -> list[str]:
    """Names of the shared libraries that `file` needs, directly or through others, and that are not there."""
    return sorted({first or second for first, second in _MISSING.findall(ask(file))})


def remedy(libraries: Sequence[str]) -> str:
    """How to install these libraries, as a sentence."""
    fedora = shutil.which("dnf") is not None
    packages = sorted({PACKAGES[library][fedora] for library in libraries if library in PACKAGES})
    unknown = [library for library in libraries if library not in PACKAGES]
    parts = []
    if packages:
        command = "on Fedora run: sudo dnf install" if fedora else "on Debian and Ubuntu run: sudo apt-get install"
        parts.append(f"{command} {' '.join(packages)}")
    if unknown:
        parts.append(f"install the system's packages that hold {', '.join(unknown)}")
    return "; ".join(parts)


def needed() -> bool:
    """Only Linux and its like use the X11 plugin."""
    return sys.platform not in ("win32", "darwin")
