"""The queue window and its pages: all queues, a new one, the progress of the open one, and its review."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDragLeaveEvent, QDropEvent, QKeySequence, QShortcut
from PySide6.QtWidgets import QButtonGroup, QFrame, QHBoxLayout, QLabel, QStackedWidget, QToolButton, QVBoxLayout, QWidget

from bgdesk.app.work.events import Message, Severity
from bgdesk.app.work.jobs import Post
from bgdesk.batch.model.values import State, Summary
from bgdesk.batch.planning.plan import Plan
from bgdesk.batch.run.queue import Phase, QueueInfo
from bgdesk.ui.kit import incoming, system
from bgdesk.ui.kit.controls import named, role
from bgdesk.ui.kit.icons import Icons
from bgdesk.ui.kit.message_bar import MessageBar
from bgdesk.ui.kit.taskbar import TaskBar
from bgdesk.ui.kit.theme import SMALLEST_WINDOW
from bgdesk.ui.queue.open_queue import OpenQueue
from bgdesk.ui.queue.progress.progress_page import ProgressPage
from bgdesk.ui.queue.review.review_page import ReviewPage
from bgdesk.ui.queue.setup.choices import SetupChoices
from bgdesk.ui.queue.setup.setup_page import SetupPage, SetupServices
from bgdesk.ui.queue.window.queue_list import QueueListPage


@dataclass(frozen=True, kw_only=True)
class WindowActions:
    """What the window asks others to do."""

    #: Opens a photo in the editor.
    open_photo: Callable[[Path], None]
    #: Shows a file in the system's file manager.
    show_in_folder: Callable[[Path], None]
    #: Opens an item's photo in the editor, to be put right.
    fix: Callable[[int], None]
    #: Writes the open queue's report and shows it.
    make_report: Callable[[], None]
    #: Asks the person, then deletes a queue and calls back.
    forget: Callable[[QueueInfo, Callable[[], None]], None]
    #: Told when the window was closed.
    hidden: Callable[[], None]


class QueueWindow(QWidget):
    """Shows one page at a time. It is independent of the main window; closing it hides it, and the queue goes on.

    shown_page(page): another page is shown.
    """

    shown_page = Signal(object)

    def __init__(self, open_queue: OpenQueue, services: SetupServices, actions: WindowActions, post: Post, taskbar: TaskBar) -> None:
        super().__init__(None, Qt.WindowType.Window)
        named(self, "queue_window", "Folder queue")
        role(self, "window")
        self.setWindowTitle("Folder queue — bgdesk")
        self._open_queue, self._actions, self._taskbar = open_queue, actions, taskbar
        self.list = QueueListPage()
        self.setup = SetupPage(open_queue, services)
        self.progress = ProgressPage(open_queue, post)
        self.review = ReviewPage(open_queue, post)
        self.messages = MessageBar()
        self.stack = QStackedWidget()
        for page in (self.list, self.setup, self.progress, self.review):
            self.stack.addWidget(page)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self._head())
        layout.addWidget(self.messages)
        layout.addWidget(self.stack, 1)
        self.setAcceptDrops(True)
        self.setMinimumSize(*SMALLEST_WINDOW)
        system.fit(self, 1120, 720)
        self._connect()
        self.show_page(self.setup)

    def _head(self) -> QFrame:
        head = QFrame()
        role(head, "header")
        self._back = QToolButton()
        named(self._back, "queue_window.queues", "All queues", "All queues, and new ones")
        role(self._back, "segment")
        self._back.setText("Queues")
        self._back.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self._back.setIconSize(QSize(16, 16))
        self._back.clicked.connect(self.show_list)
        self._title = QLabel()
        named(self._title, "queue_window.title", "Name of the queue")
        role(self._title, "title")
        self._working = QLabel()
        named(self._working, "queue_window.working", "What is being done")
        role(self._working, "hint")
        self._tabs = QButtonGroup(self)
        self._to_progress = self._tab("queue_window.progress", "Progress", self.show_progress)
        self._to_review = self._tab("queue_window.review", "Review", self.show_review)
        row = QHBoxLayout(head)
        row.setContentsMargins(16, 8, 16, 8)
        row.setSpacing(8)
        row.addWidget(self._back)
        row.addWidget(self._title)
        row.addWidget(self._working)
        row.addStretch(1)
        row.addWidget(self._to_progress)
        row.addWidget(self._to_review)
        return head

    def _tab(self, name: str, text: str, act: Callable[[], None]) -> QToolButton:
        button = QToolButton()
        named(button, name, text)
        role(button, "segment")
        button.setText(text)
        button.setCheckable(True)
        button.setMinimumWidth(88)
        button.clicked.connect(lambda _checked=False: act())
        self._tabs.addButton(button)
        return button

    def _connect(self) -> None:
        open_queue = self._open_queue
        open_queue.said.connect(lambda text, error: self.tell(text, Severity.ERROR if error else Severity.INFO))
        open_queue.working.connect(self._working.setText)
        open_queue.changed.connect(self._queue_changed)
        open_queue.refreshed.connect(lambda _ids: self._follow_review())
        open_queue.phase_changed.connect(self._show_head)
        self.list.new.connect(self.show_setup)
        self.list.resume.connect(lambda folder: open_queue.open(folder, True, self.show_progress))
        self.list.look.connect(lambda folder: self._open(folder, self.show_progress))
        self.list.review.connect(lambda folder: self._open(folder, self.show_review))
        self.list.forget.connect(lambda info: self._actions.forget(info, self.show_list))
        self.setup.ready.connect(self._create)
        self.progress.open_wanted.connect(self._actions.open_photo)
        self.progress.show_wanted.connect(self._actions.show_in_folder)
        self.progress.report_wanted.connect(self._actions.make_report)
        self.progress.summarised.connect(self._show_summary)
        self.progress.review_wanted.connect(self.show_review)
        self.review.fix_wanted.connect(self._actions.fix)
        self.review.judged.connect(self.progress.show_figures)
        escape = QShortcut(QKeySequence("Esc"), self)
        escape.activated.connect(self._escape)
        close = QShortcut(QKeySequence("Ctrl+W"), self)
        close.activated.connect(lambda: _ignore(self.close()))

    def tint(self, icons: Icons) -> None:
        for page in (self.list, self.setup, self.progress, self.review, self.messages):
            page.tint(icons)
        self._back.setIcon(icons.icon("chevron-left"))

    def tell(self, text: str, severity: Severity = Severity.INFO) -> None:
        self.messages.tell(Message(severity, text))

    # Pages.

    def begin(self) -> None:
        """Choose the page to begin with: the open queue, else the list of queues, else a new queue."""
        if self._open_queue.queue is not None:
            if self.stack.currentWidget() in (self.list, self.setup):
                self.show_progress()
            return

        def listed(infos: Sequence[QueueInfo]) -> None:
            self.list.show_queues(infos, None)
            self.show_page(self.list if infos else self.setup)

        if self.stack.currentWidget() is not self.setup or not self.setup.sources.paths:
            self._open_queue.list_queues(listed)

    def show_page(self, page: QWidget) -> None:
        if page is not self.review:
            self.review.settle()
        self.stack.setCurrentWidget(page)
        if page is self.setup:
            self.setup.sources.setFocus(Qt.FocusReason.OtherFocusReason)
        self._show_head()
        self.shown_page.emit(page)

    def show_list(self) -> None:
        def listed(infos: Sequence[QueueInfo]) -> None:
            queue = self._open_queue.queue
            self.list.show_queues(infos, None if queue is None else queue.folder)
            self.show_page(self.list)

        self._open_queue.list_queues(listed)

    def show_setup(self) -> None:
        self.setup.renew()
        self.show_page(self.setup)

    def show_progress(self) -> None:
        self.show_page(self.progress)
        self.progress.table.setFocus(Qt.FocusReason.OtherFocusReason)

    def show_review(self) -> None:
        self.review.begin()
        self.show_page(self.review)
        self.review.canvas.setFocus(Qt.FocusReason.OtherFocusReason)

    def _open(self, folder: Path, then: Callable[[], None]) -> None:
        queue = self._open_queue.queue
        if queue is not None and queue.folder == folder:
            then()
        elif self._may_leave():
            self._open_queue.open(folder, False, then)

    def _create(self, choices: SetupChoices, plan: Plan) -> None:
        if self._may_leave():
            self._open_queue.create(plan.recipe, plan.planned, choices.title, plan.output, plan.existing, self.show_progress)

    def _may_leave(self) -> bool:
        """Whether another queue may be opened: a running one is not stopped without being asked."""
        queue = self._open_queue.queue
        if queue is None or not self._open_queue.running:
            return True
        self.tell(f"{queue.title} is running. Pause or stop it first, or wait until it is done.", Severity.WARNING)
        return False

    def _queue_changed(self) -> None:
        self.review.begin()
        if self._open_queue.queue is None and self.stack.currentWidget() in (self.progress, self.review):
            self.show_list()
        self._show_head()

    def _follow_review(self) -> None:
        if self.stack.currentWidget() is self.review:
            self.review.follow()

    def _show_head(self) -> None:
        queue, page = self._open_queue.queue, self.stack.currentWidget()
        inside = page in (self.progress, self.review)
        title = queue.title if queue is not None and inside else "New queue" if page is self.setup else "Folder queue"
        self._title.setText(self._title.fontMetrics().elidedText(title, Qt.TextElideMode.ElideMiddle, 420))
        self._title.setToolTip("" if queue is None or not inside else str(queue.output))
        self._back.setVisible(page is not self.list)
        self._title.setContentsMargins(0 if page is self.list else 8, 0, 0, 0)
        for button, its in ((self._to_progress, self.progress), (self._to_review, self.review)):
            button.setVisible(queue is not None)
            self._tabs.setExclusive(False)
            button.setChecked(page is its)
            self._tabs.setExclusive(True)
        self.setWindowTitle(f"{queue.title} — bgdesk" if queue is not None and inside else "Folder queue — bgdesk")

    def _show_summary(self, summary: Summary) -> None:
        waiting = self._waiting(summary)
        self._to_review.setText(f"Review {waiting:,}" if waiting else "Review")
        self._to_review.setAccessibleName(f"Review: {waiting:,} photos wait" if waiting else "Review")
        running = self._open_queue.phase in (Phase.RUNNING, Phase.PAUSED, Phase.STOPPING)
        self._taskbar.show(summary.finished / summary.total if running and summary.total else None, summary.open if running else 0)

    def _waiting(self, summary: Summary) -> int:
        """How many photos wait for a decision. A pending decision has not reached the queue, so it is subtracted."""
        pending = self.review.deck.pending
        item = None if pending is None else self._open_queue.item(pending.id)
        return summary.counts.get(State.REVIEW, 0) - (item is not None and item.state is State.REVIEW)

    def _escape(self) -> None:
        page = self.stack.currentWidget()
        if page is self.setup and self.setup.cancel.isVisible():
            self.setup.stop_looking()
        elif page is self.review:
            self.show_progress()
        else:
            self.messages.dismiss()

    # Dropping and closing.

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if incoming.paths(event.mimeData()):
            event.acceptProposedAction()
            self.setup.sources.light(True)

    def dragLeaveEvent(self, _event: QDragLeaveEvent) -> None:
        self.setup.sources.light(False)

    def dropEvent(self, event: QDropEvent) -> None:
        self.setup.sources.light(False)
        event.acceptProposedAction()
        self.take(incoming.paths(event.mimeData()))

    def take(self, paths: list[Path]) -> None:
        """Set up a queue of these photos, or add them to the one that is being set up."""
        if self.stack.currentWidget() is not self.setup:
            self.show_setup()
        self.setup.sources.add(paths)
        self.activateWindow()

    def closeEvent(self, event: QCloseEvent) -> None:
        self.review.settle()
        self.setup.stop_looking()
        event.accept()  # the window is hidden and keeps what it shows
        self._actions.hidden()

    def end(self) -> None:
        """The program ends: carry out the last decision and end the threads."""
        self.review.settle()
        self.setup.stop_looking()
        self._taskbar.show(None, 0)
        self.hide()
        self.progress.table.pictures.close()
        self.review.close_caches()


def _ignore(_result: bool) -> None:
    """Drop a result: shortcuts need a function that returns None."""
