"""Connects the queue to the main window: its window, photos that are fixed in the editor, and the end of the program."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from PySide6.QtWidgets import QApplication, QWidget

from bgdesk.app.session.exporter import End
from bgdesk.app.system import paths
from bgdesk.app.system.settings import Settings
from bgdesk.app.work.events import Event, Message, Severity
from bgdesk.batch.journal.folder import ledger
from bgdesk.batch.model.values import QueueKind, State, Summary
from bgdesk.batch.model.words import count, need_review
from bgdesk.batch.outputs.report import write_csv, write_html
from bgdesk.batch.run.queue import Phase, Queue, QueueInfo
from bgdesk.batch.workers.photo_job import thumbnail, write
from bgdesk.core.cutout import Cutout
from bgdesk.engine.confidence import PASS
from bgdesk.files.find import SUFFIXES
from bgdesk.files.load import LoadedImage
from bgdesk.ui.kit.icons import Icons
from bgdesk.ui.kit.system import show_outside
from bgdesk.ui.kit.taskbar import TaskBar
from bgdesk.ui.queue.open_queue import OpenQueue
from bgdesk.ui.queue.setup.setup_page import SetupServices
from bgdesk.ui.queue.window.fix_bar import FixBar
from bgdesk.ui.queue.window.queue_window import QueueWindow, WindowActions
from bgdesk.ui.queue.window.yield_to_editor import YieldToEditor
from bgdesk.ui.services import Services


@dataclass(frozen=True)
class _Fixing:
    """The item that is being fixed. was_open: its photo was in the film strip before, so it stays there."""

    id: int
    source: Path
    was_open: bool


class QueueController:
    """Made when the queue is first needed. tell: shows a message in the main window. configure: takes over and writes settings."""

    def __init__(
        self,
        services: Services,
        window: QWidget,
        tell: Callable[[Message], None],
        configure: Callable[[Settings], None],
        fix_bar: FixBar,
    ) -> None:
        self._services, self._session, self._main = services, services.session, window
        self._tell, self._configure, self._fix_bar = tell, configure, fix_bar
        self._fixing: _Fixing | None = None
        self.open_queue = OpenQueue(paths.data_folder(), services.pools(), services.post)
        ask = services.ask
        setup = SetupServices(
            ask_files=lambda: ask.photos(self.window, SUFFIXES),
            ask_folder=lambda title: ask.folder(self.window, title),
            networks=services.store.statuses,
            settings=lambda: self._session.settings,
            remember=configure,
            ledger=lambda: ledger(paths.data_folder()),
            standard_gate=PASS,
        )
        actions = WindowActions(
            open_photo=self._open,
            show_in_folder=self._show,
            fix=self.fix,
            make_report=self._report,
            forget=self._forget,
            hidden=self._hidden,
        )
        self.window = QueueWindow(self.open_queue, setup, actions, services.post, TaskBar())
        self._yield = YieldToEditor(self._session, self.open_queue.pause_workers)
        self._unsubscribe = self._session.subscribe(self._on_event)
        self.open_queue.said.connect(self._pass_on)
        self.open_queue.phase_changed.connect(self._phase_changed)
        fix_bar.put_back.connect(self.put_back)
        fix_bar.left.connect(self._leave_fix)

    def tint(self, icons: Icons) -> None:
        self.window.tint(icons)

    def show(self, sources: Sequence[Path] = ()) -> None:
        """Show the queue window; with sources, set up a queue of them."""
        if sources:
            self.window.take(list(sources))
        else:
            self.window.begin()
        self._raise(self.window)

    def resume(self, folder: Path) -> None:
        """Continue an unfinished queue."""
        self.open_queue.open(folder, True, self.window.show_progress)
        self._raise(self.window)

    @staticmethod
    def _raise(window: QWidget) -> None:
        window.show()
        window.raise_()
        window.activateWindow()

    # What the queue window asks for.

    def _open(self, source: Path) -> None:
        self._session.open([source])
        self._raise(self._main)

    def _show(self, path: Path) -> None:
        self._show_outside(path.parent)

    def _show_outside(self, path: Path) -> None:
        failure = show_outside(path)
        if failure:
            self.window.tell(failure, Severity.WARNING)

    def _report(self) -> None:
        def make(queue: Queue) -> Path:
            items, page = queue.items(), queue.folder / "report.html"
            write_csv(items, queue.folder / "report.csv")
            write_html(items, queue.summary(), queue.title, page, queue.folder / "thumbs", gate=queue.recipe.gate)
            return page

        self.open_queue.do(make, self._show_outside)

    def _forget(self, info: QueueInfo, done: Callable[[], None]) -> None:
        if self._services.ask.forget_queue(self.window, info.title):
            self.open_queue.forget(info.folder, done)

    def _hidden(self) -> None:
        if self.open_queue.running:
            self._tell(Message(Severity.INFO, "The queue continues. Ctrl+B shows it."))

    def _pass_on(self, text: str, error: bool) -> None:
        """Say it in the main window while the queue window is hidden."""
        if not self.window.isVisible():
            self._tell(Message(Severity.ERROR if error else Severity.INFO, text))

    def _phase_changed(self) -> None:
        if self.open_queue.phase is Phase.IDLE:
            QApplication.alert(self.window)
            if not self.window.isVisible():
                self.open_queue.do(lambda queue: (queue.title, queue.summary()), lambda found: self._pass_on(ended(*found), error=False))

    # Fixing.

    @property
    def can_put_back(self) -> bool:
        current, work = self._session.current, self._session.work
        fixing = self._fixing
        return (
            fixing is not None
            and current is not None
            and current.path == fixing.source
            and work is not None
            and work.path == fixing.source
            and work.has_alpha
        )

    def fix(self, id: int) -> None:
        """Open the item's photo in the editor, from where its new cut-out can be put back."""
        item = self.open_queue.item(id)
        if item is None:
            return
        source = item.source.absolute()
        self._fixing = _Fixing(id, source, any(photo.path == source for photo in self._session.photos))
        self._session.open([source])
        self._show_fixing()
        self._raise(self._main)

    def put_back(self) -> None:
        """Replace the queued cut-out by the one on the canvas, and go on with the review."""
        fixing, photo = self._fixing, self._session.current
        if fixing is None or photo is None or not self.can_put_back:
            return
        key = photo.key

        def then(cutout: Cutout, loaded: LoadedImage | None, end: End) -> None:
            if self.open_queue.queue is None:  # closed meanwhile
                end(False)
                return

            def work(queue: Queue) -> Path | None:
                if queue.item(fixing.id) is None or loaded is None:  # removed from the queue meanwhile
                    self._services.post(lambda: end(False))
                    return None
                try:
                    job = queue.job(fixing.id)
                    written = write(cutout, loaded, job)
                    picture = thumbnail(cutout, job)
                    queue.fixed(fixing.id, written)
                except Exception:
                    self._services.post(lambda: end(False))
                    raise
                self._services.post(lambda: end(True))
                return picture

            def done(picture: Path | None) -> None:
                if picture is not None:
                    self.window.progress.table.pictures.drop((picture, True))
                if not fixing.was_open and any(each.key == key for each in self._session.photos):
                    self._session.remove(key)

            self.open_queue.do(work, done)
            self.window.review.fixed(fixing.id)  # at once: nobody should judge it while it is written
            self._leave_fix()

        self._session.cutout(then)

    def _leave_fix(self) -> None:
        self._fixing = None
        self._show_fixing()
        self._raise(self.window)

    def _show_fixing(self) -> None:
        fixing = self._fixing
        self._fix_bar.show_photo(None if fixing is None else fixing.source.name, self.can_put_back)

    def _on_event(self, event: Event) -> None:
        self._yield.on_event(event)
        if self._fixing is not None:
            self._show_fixing()

    # Leaving.

    def may_end(self) -> bool:
        """Whether the program may end now. The first time that a queue still runs, the person is told that it goes on at the next start."""
        queue = self.open_queue.queue
        if queue is None or not self.open_queue.running or self._session.settings.queue_told:
            return True
        left = self.open_queue.summary.open
        if not left or not self._services.ask.leave_queue(self._main, queue.title, left):
            return not left
        self._configure(replace(self._session.settings, queue_told=True))
        return True

    def end(self) -> None:
        """The program ends. Returns at once; `OpenQueue.join` waits."""
        self._unsubscribe()
        self.window.end()
        self.open_queue.close()


def ended(title: str, summary: Summary) -> str:
    """What the main window says when a queue is finished or stopped."""
    parts = [f"{summary.finished:,} of {count(summary.total, 'photo')}"]
    if summary.counts.get(State.REVIEW):
        parts.append(need_review(summary.counts[State.REVIEW]))
    if summary.counts.get(State.FAILED):
        parts.append(f"{summary.counts[State.FAILED]:,} failed")
    return f"The queue {title} is {'stopped' if summary.open else 'finished'}: {', '.join(parts)}. Ctrl+B shows it."


def unfinished(home: Path) -> list[QueueInfo]:
    """Unfinished queues that no bgdesk has open; callable on any thread."""
    from bgdesk.batch.run.queue import queues

    return [
        info
        for info in queues(home)
        if info.kind is QueueKind.BATCH and not info.locked and any(info.counts.get(s, 0) for s in info.counts if s.open)
    ]
