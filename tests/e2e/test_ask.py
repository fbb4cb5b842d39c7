"""The real dialogs, answered by a hand that is as quick as the event loop."""

from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import Qt, QTimer
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QDialog, QFileDialog, QLineEdit, QMessageBox, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from bgdesk.core.recipe import Format
from bgdesk.ui.kit.file_dialogs import Ask, Closing


@pytest.fixture
def parent(qtbot: QtBot) -> QWidget:
    widget = QWidget()
    qtbot.addWidget(widget)
    widget.show()
    return widget


def answer(act: Callable[[QDialog], None]) -> None:
    """Act on the dialog that is about to open."""

    def when_open() -> None:
        dialog = QApplication.activeModalWidget()
        if isinstance(dialog, QDialog):
            act(dialog)
        else:
            QTimer.singleShot(10, when_open)

    QTimer.singleShot(10, when_open)


def click(text: str) -> Callable[[QDialog], None]:
    def act(dialog: QDialog) -> None:
        button = next(button for button in dialog.findChildren(QPushButton) if button.text().replace("&", "") == text)
        QTest.mouseClick(button, Qt.MouseButton.LeftButton)

    return act


@pytest.mark.parametrize(("button", "wanted"), [("Export…", Closing.EXPORT), ("Discard", Closing.DISCARD), ("Cancel", Closing.CANCEL)])
def test_closing(parent: QWidget, button: str, wanted: Closing) -> None:
    answer(click(button))
    assert Ask().closing(parent, ["a.jpg"], True) is wanted


def test_closing_names_the_photos_and_escape_cancels(parent: QWidget) -> None:
    seen: list[str] = []

    def act(dialog: QDialog) -> None:
        assert isinstance(dialog, QMessageBox)
        seen.extend((dialog.text(), dialog.informativeText()))
        QTest.keyClick(dialog, Qt.Key.Key_Escape)

    answer(act)
    assert Ask().closing(parent, ["a.jpg", "b.jpg"], True) is Closing.CANCEL
    assert seen[0] == "2 photos have changes that were not exported."
    assert "a.jpg\nb.jpg" in seen[1]


def export(name: str = "", filter_suffix: str = "") -> Callable[[QDialog], None]:
    def act(dialog: QDialog) -> None:
        assert isinstance(dialog, QFileDialog)
        if filter_suffix:
            chosen = next(text for text in dialog.nameFilters() if f"*.{filter_suffix}" in text)
            dialog.selectNameFilter(chosen)
            dialog.filterSelected.emit(chosen)
        if name:
            field = dialog.findChild(QLineEdit, "fileNameEdit")
            assert isinstance(field, QLineEdit)
            field.setText(name)
        click("Save")(dialog)

    return act


@pytest.mark.parametrize(
    ("typed", "chosen_filter", "wanted", "format"),
    [
        ("", "", "photo_cutout.png", Format.PNG),
        ("other", "", "other.png", Format.PNG),
        ("other.psd", "", "other.psd", Format.PSD),  # the suffix says what is wanted
        ("", "psd", "photo_cutout.psd", Format.PSD),
        ("v1.2", "", "v1.2.png", Format.PNG),
    ],
)
def test_export_target(parent: QWidget, tmp_path: Path, typed: str, chosen_filter: str, wanted: str, format: Format) -> None:
    answer(export(typed, chosen_filter))
    assert Ask().export_target(parent, tmp_path / "photo_cutout.png", Format.PNG) == (tmp_path / wanted, format)


def test_export_asks_before_it_replaces_a_file(parent: QWidget, tmp_path: Path) -> None:
    (tmp_path / "there.png").write_bytes(b"x")
    asked: list[str] = []

    def act(dialog: QDialog) -> None:
        def refuse() -> None:
            box = QApplication.activeModalWidget()
            assert isinstance(box, QMessageBox)
            asked.append(box.text())
            QTest.keyClick(box, Qt.Key.Key_Escape)
            QTimer.singleShot(10, dialog.reject)

        QTimer.singleShot(50, refuse)
        export("there")(dialog)

    answer(act)
    assert Ask().export_target(parent, tmp_path / "photo_cutout.png", Format.PNG) is None
    assert len(asked) == 1
    assert "there.png" in asked[0]
