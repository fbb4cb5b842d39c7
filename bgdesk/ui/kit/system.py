"""What the system prefers in windows, and its own way to show a file."""

from functools import cache
from pathlib import Path

from PySide6.QtCore import QSize, Qt, QUrl
from PySide6.QtGui import QDesktopServices, QGuiApplication, QStyleHints
from PySide6.QtWidgets import QApplication, QStyle, QWidget

#: What a window's frame takes of the screen, in logical pixels; a system tells only after it has shown the window.
_FRAME = QSize(8, 40)


def show_outside(path: Path) -> str:
    """Show a file or folder in the system's own program. Returns "", or a sentence if there is no such program."""
    found = QDesktopServices.openUrl(QUrl.fromLocalFile(str(path)))
    return "" if found else f"No program was found that shows {path}. Open it by hand."


def fit(window: QWidget, width: int, height: int) -> None:
    """Give a window this size, in logical pixels, or what its screen has room for."""
    room = window.screen().availableGeometry().size()
    window.resize(min(width, room.width() - _FRAME.width()), min(height, room.height() - _FRAME.height()))


@cache
def hints() -> QStyleHints:
    """Qt's style hints.

    Cached for good: when PySide drops this wrapper, it drops its child (the accessibility hints) too, and returns a deleted object
    from then on.
    """
    return QGuiApplication.styleHints()


def dark() -> bool:
    """True if the system prefers dark windows, or says nothing: a photo is judged best on a dark ground."""
    return hints().colorScheme() is not Qt.ColorScheme.Light


def high_contrast() -> bool:
    """True if the system asks for high contrast; Qt tells from 6.10 on."""
    return _accessibility("contrastPreference") == "HighContrast"


def reduced_motion() -> bool:
    """True if the system asks for less motion; Qt tells from 6.12 on, and before that through the style's own animations."""
    preference = _accessibility("motionPreference")
    if preference:
        return preference == "ReducedMotion"
    return QApplication.style().styleHint(QStyle.StyleHint.SH_Widget_Animation_Duration) == 0


def _accessibility(name: str) -> str:
    """The value of an accessibility hint, or "" where this Qt does not know it."""
    accessibility = getattr(hints(), "accessibility", None)
    preference = getattr(accessibility(), name, None) if accessibility is not None else None
    return str(preference().name) if preference is not None else ""
