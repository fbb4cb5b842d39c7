"""The hands on the queue's window."""

from pathlib import Path
from typing import Any

import PySide6
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget

from bgdesk.batch.run.queue import Phase
from bgdesk.batch.run.queue import Queue as BatchQueue
from bgdesk.ui.queue.open_queue import OpenQueue
from bgdesk.ui.queue.window.queue_window import QueueWindow

CTRL = Qt.KeyboardModifier.ControlModifier


class Queue:
    """The queue's window of a desk, and the hands on it."""

    def __init__(self, desk: Any) -> None:
        self.desk = desk

    @property
    def window(self) -> QueueWindow:
        window: QueueWindow = self.desk.window.commands.queue_controller.window
        return window

    @property
    def room(self) -> OpenQueue:
        room: OpenQueue = self.desk.window.commands.queue_controller.open_queue
        return room

    @property
    def queue(self) -> BatchQueue:
        """The one that is open."""
        queue = self.room.queue
        assert queue is not None
        return queue

    @property
    def message(self) -> str:
        """What the message bar says; empty without one."""
        message = self.window.messages.message
        return "" if message is None else message.text

    def call(self) -> None:
        """Ctrl+B in the main window."""
        main = self.desk.window
        main.activateWindow()
        self.desk.until(main.isActiveWindow)
        QTest.keyClick(main, Qt.Key.Key_B, CTRL)
        self.desk.until(lambda: self.window.isVisible())  # noqa: PLW0108 - there is no window before the key
        self.window.resize(1120, 720)  # whatever the screen has room for

    def control(self, name: str) -> Any:
        widget = self.window.findChild(QWidget, name)
        assert widget is not None, name
        return widget

    def sees(self, name: str) -> bool:
        return any(widget.isVisible() for widget in self.window.findChildren(QWidget, name))

    def click(self, name: str) -> None:
        button = self.control(name)
        assert button.isVisible(), name
        assert button.isEnabled(), name
        QTest.mouseClick(button, Qt.MouseButton.LeftButton)

    def drop(self, *paths: Path) -> None:
        mime = QMimeData()
        mime.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
        left, plain, copy = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, Qt.DropAction.CopyAction
        enters: Any = QPointF if PySide6.__version_info__ >= (6, 12) else QPoint
        QApplication.sendEvent(self.window, QDragEnterEvent(enters(300, 300), copy, mime, left, plain))
        QApplication.sendEvent(self.window, QDropEvent(QPointF(300, 300), copy, mime, left, plain))

    def shows(self, page: QWidget) -> bool:
        return self.window.stack.currentWidget() is page

    def counts(self) -> dict[str, int]:
        return {state.value: number for state, number in self.room.summary.counts.items() if number}

    def finished(self) -> bool:
        return self.room.queue is not None and self.room.phase is Phase.IDLE and self.room.summary.total > 0 and not self.room.summary.open

    def key(self, key: Qt.Key) -> None:
        QTest.keyClick(self.window.review.canvas, key)


def set_up(queue: Queue, folder: Path, out: Path) -> None:
    """Ctrl+B, drop the folder, choose where to, start."""
    queue.call()
    queue.desk.until(lambda: queue.window.isVisible() and queue.shows(queue.window.setup))
    queue.drop(folder)
    queue.desk.ask.chosen = out
    queue.click("setup.choose_output")
    queue.desk.until(lambda: queue.control("setup.count").text() == "8 photos")
    queue.click("setup.start")
    queue.desk.until(lambda: queue.room.queue is not None and queue.shows(queue.window.progress))
