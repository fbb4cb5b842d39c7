"""What the queue's window says, and that all of it can be reached."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QComboBox, QLabel, QLineEdit, QProgressBar, QSlider, QSpinBox, QWidget

from bgdesk.batch.model.values import State
from tests.e2e.queues import Queue, set_up


def test_every_control_of_the_window_has_a_name_and_can_be_reached_by_tab(
    start: Callable[..., Queue], folder: Path, tmp_path: Path
) -> None:
    queue = start()
    set_up(queue, folder, tmp_path / "out")
    queue.desk.until(queue.finished)
    kinds = (QAbstractButton, QSlider, QSpinBox, QComboBox, QProgressBar, QLineEdit)
    controls: list[Any] = [
        control
        for control in queue.window.findChildren(QWidget)
        if isinstance(control, kinds)
        and not control.objectName().startswith("qt_")
        and not isinstance(control.parent(), QComboBox | QSpinBox | QLineEdit)
    ]
    assert len(controls) > 50
    names = [control.objectName() for control in controls]
    assert [control for control in controls if not control.objectName()] == []
    assert sorted(set(names)) == sorted(names)
    assert [
        control.objectName()
        for control in controls
        if not (control.accessibleName() or (isinstance(control, QAbstractButton) and control.text()))
    ] == []
    cut = [label.text() for label in queue.window.findChildren(QLabel) if label.isVisible() and label.text() and not label.wordWrap()
           and label.width() + 1 < label.fontMetrics().horizontalAdvance(label.text())]  # fmt: skip
    assert cut == []
    reached = set()
    queue.window.activateWindow()
    for _ in range(60):
        focused: QWidget | None = queue.window.focusWidget()
        reached.add("" if focused is None else focused.objectName())
        QTest.keyClick(queue.window if focused is None else focused, Qt.Key.Key_Tab)
    wanted = {"queue_table", "queue.filter", "queue.chip.all", "queue.retry", "queue.report", "queue.review", "queue_window.queues"}
    assert wanted - reached == set()


def test_the_states_of_the_table_are_told_by_word_and_the_progress_by_number(
    start: Callable[..., Queue], folder: Path, tmp_path: Path
) -> None:
    queue = start()
    set_up(queue, folder, tmp_path / "out")
    queue.desk.until(queue.finished)
    queue.desk.until(lambda: queue.control("queue.done").text() == "8 of 8 photos")
    assert queue.control("queue.figures").text() == "Finished · 3 need review · 1 failed"
    assert queue.control("queue.bar").value() == 8
    assert queue.control("queue.chip.review").text() == "Needs review 3"
    assert queue.control("queue_window.review").text() == "Review 3"
    assert not queue.control("queue.go").isVisible()
    failed = next(item for item in queue.room.items.values() if item.state is State.FAILED)
    row = queue.window.progress.model.row_of(failed.id)
    assert row is not None
    assert queue.window.progress.model.index(row, 6).data().startswith("5-bad.png could not be read")
