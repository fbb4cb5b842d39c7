"""The real dialogs, answered by a hand that is as quick as the event loop."""

from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import Qt, QTimer
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QDialog, QFileDialog, QLineEdit, QMessageBox, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from bgdesk.core.formats import Format
from bgdesk.ui.kit.file_dialogs import Ask, Closing, ExportTarget


@pytest.fixture
def parent(qtbot: QtBot) -> QWidget:
    widget = QWidget()
    qtbot.addWidget(widget)
    widget.show()
    return widget


def answer(act: Callable[[QDialog], None]) -> None:
    """Act on the dialog that opens next; the one that is open now is another."""
    before = QApplication.activeModalWidget()

    def when_open() -> None:
        dialog = QApplication.activeModalWidget()
        if isinstance(dialog, QDialog) and dialog is not before:
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
            while not field.hasFocus():  # without it, what is selected in the list counts for more than what is typed
                field.setFocus()
                QTest.qWait(5)
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
        ("shoe v1.2", "", "shoe v1.2.png", Format.PNG),
        ("shoe v1.2", "psd", "shoe v1.2.psd", Format.PSD),
    ],
)
def test_export_target(parent: QWidget, tmp_path: Path, typed: str, chosen_filter: str, wanted: str, format: Format) -> None:
    answer(export(typed, chosen_filter))
    assert Ask().export_target(parent, tmp_path / "photo_cutout.png", Format.PNG) == ExportTarget(tmp_path / wanted, format, False)


def test_another_format_keeps_the_dots_of_a_name(parent: QWidget, tmp_path: Path) -> None:
    answer(export("", "psd"))
    target = Ask().export_target(parent, tmp_path / "shoe v1.2.png", Format.PNG)
    assert target == ExportTarget(tmp_path / "shoe v1.2.psd", Format.PSD, False)


def question(button: str, asked: list[str]) -> Callable[[QDialog], None]:
    """Note what is asked, and press a button of the question."""

    def act(dialog: QDialog) -> None:
        assert isinstance(dialog, QMessageBox)
        asked.append(dialog.text())
        click(button)(dialog)

    return act


def give(name: str, then: Callable[[QDialog], None]) -> Callable[[QDialog], None]:
    """Type a name and press Save; `then` answers the dialog that comes up next."""

    def act(dialog: QDialog) -> None:
        answer(then)
        export(name)(dialog)

    return act


def dismiss(dialog: QDialog) -> None:
    dialog.reject()


def test_a_file_is_asked_about_even_where_the_suffix_is_added_here(parent: QWidget, tmp_path: Path) -> None:
    (tmp_path / "shoe v1.2.png").write_bytes(b"precious")
    asked: list[str] = []
    answer(give("shoe v1.2", question("Replace", asked)))
    target = Ask().export_target(parent, tmp_path / "photo_cutout.png", Format.PNG)
    assert asked == ["shoe v1.2.png already exists. Replace it?"]
    assert target == ExportTarget(tmp_path / "shoe v1.2.png", Format.PNG, True)


def test_who_keeps_the_file_is_asked_for_another_name(parent: QWidget, tmp_path: Path) -> None:
    (tmp_path / "shoe v1.2.png").write_bytes(b"precious")
    asked: list[str] = []

    def keep(dialog: QDialog) -> None:
        answer(export("shoe v1.3"))
        question("Keep it", asked)(dialog)

    answer(give("shoe v1.2", keep))
    target = Ask().export_target(parent, tmp_path / "photo_cutout.png", Format.PNG)
    assert len(asked) == 1
    assert target == ExportTarget(tmp_path / "shoe v1.3.png", Format.PNG, False)


def test_escape_keeps_the_file(parent: QWidget, tmp_path: Path) -> None:
    (tmp_path / "there.png").write_bytes(b"precious")

    def escape(dialog: QDialog) -> None:
        answer(dismiss)  # the dialog comes back; leave it
        QTest.keyClick(dialog, Qt.Key.Key_Escape)

    answer(give("there", escape))
    assert Ask().export_target(parent, tmp_path / "photo_cutout.png", Format.PNG) is None


def test_what_the_dialog_has_asked_is_not_asked_again(parent: QWidget, tmp_path: Path) -> None:
    (tmp_path / "there.png").write_bytes(b"precious")
    asked: list[str] = []
    answer(give("there.png", question("Yes", asked)))
    target = Ask().export_target(parent, tmp_path / "photo_cutout.png", Format.PNG)
    assert target == ExportTarget(tmp_path / "there.png", Format.PNG, True)
    assert len(asked) == 1
    assert "there.png" in asked[0]
    assert "already exists" in asked[0]  # the dialog's words
