"""The dialogs of the Help menu: keys and mouse, and about bgdesk."""

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QGridLayout, QLabel, QVBoxLayout, QWidget

from bgdesk.ui.editor.actions import ACTIONS, label
from bgdesk.ui.kit import system
from bgdesk.ui.kit.controls import hint_label, named, role
from bgdesk.ui.kit.forms import scrolling
from bgdesk.ui.kit.icons import application_icon

#: Pointer gestures, which are not in the table of actions.
_POINTER: tuple[tuple[str, str], ...] = (
    ("Drag", "Paint with the brush"),
    ("Shift-click", "Straight line from the last point"),
    ("Alt while pressing", "Paint with the opposite brush"),
    ("Right drag", "Brush size"),
    ("Wheel", "Zoom at the pointer"),
    ("Space-drag, middle drag", "Pan"),
    ("Hold \\", "Show the source"),
    ("A, R, F, N", "In a queue's review: accept, reject, fix, next"),
    ("1, 2, 3, 4", "In a queue's review: on black, white, checkerboard, beside the photo"),
)


class ShortcutsDialog(QDialog):
    """Lists all gestures and shortcuts."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        named(self, "dialog.shortcuts", "Keyboard and mouse")
        self.setWindowTitle("Keyboard and mouse")
        body = QWidget()
        grid = QGridLayout(body)
        grid.setHorizontalSpacing(32)
        grid.setVerticalSpacing(4)
        rows: list[tuple[str, str]] = list(_POINTER)
        for spec in ACTIONS:
            if spec.shortcuts:
                rows.append((QKeySequence(spec.shortcuts[0]).toString(QKeySequence.SequenceFormat.NativeText), label(spec)))
        for row, (keys, what) in enumerate(rows):
            shown = QLabel(keys)
            role(shown, "title")
            grid.addWidget(shown, row, 0)
            grid.addWidget(QLabel(what), row, 1)
        grid.setColumnStretch(1, 1)
        scroll = scrolling(body, "shortcuts.list")
        scroll.setFocusPolicy(Qt.FocusPolicy.StrongFocus)  # the keyboard scrolls it
        scroll.setMinimumWidth(body.sizeHint().width() + 24)  # and its vertical scroll bar
        _finish(self, scroll)
        system.fit(self, 520, 560)


class AboutDialog(QDialog):
    """Shows the version and the licence."""

    def __init__(self, parent: QWidget, version: str) -> None:
        super().__init__(parent)
        named(self, "dialog.about", "About bgdesk")
        self.setWindowTitle("About bgdesk")
        body = QWidget()
        column = QVBoxLayout(body)
        column.setSpacing(8)
        mark = QLabel()
        mark.setPixmap(application_icon().pixmap(96, 96))
        mark.setAlignment(Qt.AlignmentFlag.AlignCenter)
        name = QLabel(f"bgdesk {version}")
        role(name, "title")
        name.setAlignment(Qt.AlignmentFlag.AlignCenter)
        about = hint_label(
            "Takes the background off photos. Everything runs on this computer; photos are never sent anywhere.\n\n"
            "Licence: Apache-2.0. Networks have licences of their own; see Help, Networks."
        )
        about.setAlignment(Qt.AlignmentFlag.AlignCenter)
        for widget in (mark, name, about):
            column.addWidget(widget)
        _finish(self, body)
        self.setFixedWidth(400)


def _finish(dialog: QDialog, body: QWidget) -> None:
    buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
    buttons.rejected.connect(dialog.reject)
    layout = QVBoxLayout(dialog)
    layout.setContentsMargins(24, 24, 24, 16)
    layout.setSpacing(16)
    layout.addWidget(body, 1)
    layout.addWidget(buttons)
