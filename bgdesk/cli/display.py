"""Whether a window can be opened here."""

import os
import sys


def has_display() -> bool:
    """Windows and macOS always have one; elsewhere it takes an X or Wayland server, or a Qt platform that was asked for."""
    return sys.platform in ("win32", "darwin") or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"))


NO_DISPLAY = "No display was found to open the window on; without one, use: bgdesk cut photo.jpg -o cutout.png"
