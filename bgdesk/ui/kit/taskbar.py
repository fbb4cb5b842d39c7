"""The queue's progress on the program's own icon, where the system can show it.

Linux desktops that know Unity's launcher interface (GNOME with a dock, KDE Plasma, Cinnamon, Unity) get a bar, over D-Bus. Elsewhere
Qt 6 has no progress to offer (its Windows and macOS extras ended with Qt 5), only a number on the icon: how many photos are left.
"""

import sys
from typing import Any

from PySide6.QtGui import QGuiApplication

_DESKTOP = "application://bgdesk.desktop"
_INTERFACE = "com.canonical.Unity.LauncherEntry"


class TaskBar:
    """Shows how far the queue is; sends only what has changed."""

    def __init__(self) -> None:
        self._shown: tuple[int | None, int] = (None, 0)

    def show(self, fraction: float | None, left: int) -> None:
        """fraction: done, in [0, 1]; None shows nothing. left: photos still to do."""
        percent = None if fraction is None else round(100 * min(1.0, max(0.0, fraction)))
        linux = sys.platform.startswith("linux")
        now = (percent, 0 if percent is None or linux else left)
        if now == self._shown:
            return
        self._shown = now
        if linux:
            _send(properties(percent))
        elif isinstance(application := QGuiApplication.instance(), QGuiApplication):
            application.setBadgeNumber(now[1])


def properties(percent: int | None) -> dict[str, Any]:
    """The properties of the launcher's entry."""
    return {"progress": (percent or 0) / 100, "progress-visible": percent is not None}


def _send(values: dict[str, Any]) -> None:
    """Tell the launcher. Nothing happens where there is no session bus or no launcher that listens."""
    if QGuiApplication.platformName() in ("offscreen", "minimal"):
        return
    try:
        from PySide6.QtDBus import QDBusConnection, QDBusMessage  # not part of every build of Qt
    except ImportError:
        return
    bus = QDBusConnection.sessionBus()
    if not bus.isConnected():
        return
    signal = QDBusMessage.createSignal("/com/canonical/unity/launcherentry/1", _INTERFACE, "Update")
    signal.setArguments([_DESKTOP, values])
    bus.send(signal)
