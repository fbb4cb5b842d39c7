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

#: The Debian package of each library that the plugin or Qt's Gui needs and that a bare system may lack.
PACKAGES = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libX11-xcb.so.1": "libx11-xcb1",
    "libX11.so.6": "libx11-6",
    "libdbus-1.so.3": "libdbus-1-3",
    "libfontconfig.so.1": "libfontconfig1",
    "libfreetype.so.6": "libfreetype6",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libgthread-2.0.so.0": "libglib2.0-0",
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-randr.so.0": "libxcb-randr0",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxcb-render.so.0": "libxcb-render0",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxcb-shm.so.0": "libxcb-shm0",
    "libxcb-sync.so.1": "libxcb-sync1",
    "libxcb-util.so.1": "libxcb-util1",
    "libxcb-xfixes.so.0": "libxcb-xfixes0",
    "libxcb-xinerama.so.0": "libxcb-xinerama0",
    "libxcb-xkb.so.1": "libxcb-xkb1",
    "libxcb.so.1": "libxcb1",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
    "libxkbcommon.so.0": "libxkbcommon0",
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
    packages = sorted({PACKAGES[library] for library in libraries if library in PACKAGES})
    unknown = [library for library in libraries if library not in PACKAGES]
    parts = []
    if packages:
        parts.append(f"on Debian and Ubuntu run: sudo apt-get install {' '.join(packages)}")
    if unknown:
        parts.append(f"install the system's packages that hold {', '.join(unknown)}")
    return "; ".join(parts)


def needed() -> bool:
    """Only Linux and its like use the X11 plugin."""
    return sys.platform not in ("win32", "darwin")
