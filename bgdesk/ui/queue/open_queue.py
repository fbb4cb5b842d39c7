"""The open queue for the windows: everything that reads the disk or waits happens on worker threads."""

import logging
import shutil
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from PySide6.QtCore import QObject, QTimer, Signal

from bgdesk.app.work.jobs import Job, Jobs, Lane, Post, Priority
from bgdesk.batch.journal.folder import QueueLock
from bgdesk.batch.model.values import BatchRecipe, Existing, Item, Planned, Summary
from bgdesk.batch.run.queue import ItemsChanged, MakePool, Notice, Phase, PhaseChanged, Progressed, Queue, QueueEvent, QueueInfo, queues
from bgdesk.core.errors import BgdeskError
from bgdesk.core.stages import Stage
from bgdesk.core.tasks import Progress

T = TypeVar("T")
log = logging.getLogger(__name__)

#: How long the end of the program waits for the photos that are being done, in seconds.
PATIENCE = 20.0
#: Shortest time between two updates of the window, in milliseconds: a thousand small photos a minute must not keep it busy.
TICK_MS = 100
#: When more items than this have changed, all are read again.
_MANY = 200


class OpenQueue(QObject):
    """Holds the open queue, or none, and a copy of its items and summary, which workers read from the journal.

    All calls belong on the window's thread, where the signals arrive too. changed: another queue was opened, or the open one closed.
    refreshed(ids): the copy of these items is new; None: of all. progressed(stages): item id -> (stage, fraction done).
    phase_changed: the queue started, paused or stopped. said(text, is_error): a message of the queue. working(text): what the person
    waits for; "" for nothing.
    """

    changed = Signal()
    refreshed = Signal(object)
    progressed = Signal(object)
    phase_changed = Signal()
    said = Signal(str, bool)
    working = Signal(str)

    def __init__(self, home: Path, pools: MakePool, post: Post) -> None:
        super().__init__()
        self.home = home
        self._pools, self._post = pools, post
        # Own lanes, because a folder on a slow disk must not delay a photo in the editor. Commands to the queue run on IO, in order;
        # its items are read on COMPUTE; the search for photos, which may take minutes, runs on DOWNLOAD.
        self._jobs = Jobs(post)
        self._queue: Queue | None = None
        self._latest: Queue | None = None  # belongs to the IO lane: the queue that it opened last
        self._unsubscribe: Callable[[], None] = lambda: None
        self._items: dict[int, Item] = {}
        self._summary = Summary({})
        self._stale: set[int] | None = set()  # ids; None: all
        self._reading = False
        self._stages: dict[int, tuple[Stage, float]] = {}
        self._workers_paused = self._closed = False
        self._ended = threading.Event()
        self._tick = QTimer(self)
        self._tick.setSingleShot(True)
        self._tick.setInterval(TICK_MS)
        self._tick.timeout.connect(self._catch_up)

    @property
    def queue(self) -> Queue | None:
        return self._queue

    @property
    def items(self) -> Mapping[int, Item]:
        """All items by id, in their order."""
        return self._items

    def item(self, id: int) -> Item | None:
        return self._items.get(id)

    @property
    def summary(self) -> Summary:
        return self._summary

    @property
    def phase(self) -> Phase:
        return Phase.IDLE if self._queue is None else self._queue.phase

    @property
    def running(self) -> bool:
        """Whether photos are being done, or would be if the workers were not paused."""
        return self.phase in (Phase.RUNNING, Phase.STOPPING)

    # All queues.

    def list_queues(self, done: Callable[[Sequence[QueueInfo]], None]) -> None:
        """List all queues, newest first: done(queues)."""
        self._submit(lambda _progress: queues(self.home), done)

    def forget(self, folder: Path, done: Callable[[], None]) -> None:
        """Delete a queue that is open nowhere: its journal, thumbnails and reports. Photos and cutouts stay."""

        def work(_progress: Progress) -> None:
            QueueLock(folder).free()  # refused while it is open somewhere
            shutil.rmtree(folder)

        self._submit(work, lambda _none: done())

    # The open queue.

    def create(
        self,
        recipe: BatchRecipe,
        planned: Sequence[Planned],
        title: str,
        output: Path,
        existing: Existing,
        opened: Callable[[], None] = lambda: None,
    ) -> None:
        """Make a queue, open it in place of the present one, and start it."""

        def work(_progress: Progress) -> Queue:
            queue = Queue.create(
                self.home, recipe, planned, self._pools, title=title, output=output, existing=existing, post=self._post_if_open
            )
            queue.start()
            return queue

        self._replace(work, "Making the queue…", opened)

    def open(self, folder: Path, start: bool, opened: Callable[[], None] = lambda: None) -> None:
        """Open a queue in place of the present one. start: continue it at once."""

        def work(_progress: Progress) -> Queue:
            queue = Queue.open(folder, self._pools, post=self._post_if_open)
            if start:
                queue.start()
            return queue

        self._replace(work, "Opening the queue…", opened)

    def _replace(self, work: Callable[[Progress], Queue], words: str, opened: Callable[[], None]) -> None:
        before = self._let_go()
        self.working.emit(words)

        def all_of_it(progress: Progress) -> tuple[Queue, list[Item], Summary]:
            if before is not None:
                before.close()
            self._latest = None
            queue = self._latest = work(progress)
            return queue, queue.items(), queue.summary()

        def done(found: tuple[Queue, list[Item], Summary]) -> None:
            self.working.emit("")
            self.adopt(*found)
            opened()

        self._submit(all_of_it, done)

    def adopt(self, queue: Queue, items: Sequence[Item], summary: Summary) -> None:
        """Take over an opened queue, with its items and summary as they were just read."""
        self._queue = self._latest = queue
        self._items, self._summary = {item.id: item for item in items}, summary
        self._unsubscribe = queue.subscribe(self._on_event)
        if self._workers_paused:
            self.pause_workers(True)
        self.changed.emit()
        self._mark(())  # what has changed since then

    def leave(self, done: Callable[[], None] = lambda: None) -> None:
        """Close the open queue. Photos that were begun are done anew next time."""
        queue = self._let_go()
        if queue is None:
            done()
            return
        self.working.emit("Closing the queue…")

        def closed(_none: None) -> None:
            self.working.emit("")
            done()

        self._submit(lambda _progress: queue.close(), closed)

    def _let_go(self) -> Queue | None:
        queue, self._queue = self._queue, None
        if queue is not None:
            self._unsubscribe()
            self._items, self._summary, self._stale = {}, Summary({}), set()
            self._stages.clear()
            self.changed.emit()
        return queue

    def do(self, act: Callable[[Queue], T], done: Callable[[T], None] | None = None) -> None:
        """Run `act` on the open queue, after all earlier commands; then done(result)."""
        queue = self._queue
        if queue is not None:
            self._submit(lambda _progress: act(queue), done)

    def pause_workers(self, paused: bool) -> None:
        """Let the workers pause, or go on, so that interactive work comes first."""
        self._workers_paused = paused
        queue = self._queue
        if queue is not None:  # not behind the other commands: a stroke must not wait for a report
            self._jobs.submit(Lane.COMPUTE, lambda _progress: queue.pause_workers(paused), priority=Priority.INTERACTIVE)

    def look(self, work: Callable[[Progress], T], done: Callable[[T], None], failed: Callable[[str], None], ended: Callable[[], None],
             progress: Callable[[str, float], None]) -> Job[T]:  # fmt: skip
        """Search for photos and plan, beside everything else. The returned job can be cancelled; `ended` is called in any case."""

        def finish(result: T) -> None:
            ended()
            done(result)

        def broken(error: Exception) -> None:
            ended()
            failed(self._explain(error))

        return self._jobs.submit(Lane.DOWNLOAD, work, on_done=finish, on_error=broken, on_cancelled=ended, on_progress=progress)

    # The end.

    def close(self) -> None:
        """The program ends: close the queue after its last command. Does not wait; see `join`."""
        if self._closed:
            return
        self._closed = True
        self._queue = None
        self._unsubscribe()
        self._tick.stop()

        def end(_progress: Progress) -> None:
            try:
                if self._latest is not None:
                    self._latest.close()
            finally:
                self._ended.set()

        self._jobs.submit(Lane.IO, end)

    def join(self) -> None:
        """Wait until the queue is closed, so that no command is lost."""
        self.close()
        if not self._ended.wait(PATIENCE):
            log.warning("the queue was not closed after %.0f s; it can be continued at the next start", PATIENCE)
        self._jobs.close()

    # Inside.

    def _submit(self, work: Callable[[Progress], T], done: Callable[[T], None] | None = None) -> None:
        def failed(error: Exception) -> None:
            self.working.emit("")
            self.said.emit(self._explain(error), True)

        self._jobs.submit(Lane.IO, work, on_done=done, on_error=failed)

    def _explain(self, error: Exception) -> str:
        if isinstance(error, BgdeskError):
            return str(error)
        log.error("unexpected failure of the queue", exc_info=error)
        return "The queue failed unexpectedly. The log has the details."

    def _post_if_open(self, call: Callable[[], None]) -> None:
        if not self._closed:
            self._post(lambda: None if self._closed else call())

    def _on_event(self, event: QueueEvent) -> None:
        match event:
            case ItemsChanged(ids):
                self._mark(ids)
            case Progressed(id, stage, fraction):
                self._stages[id] = stage, fraction
                self._soon()
            case PhaseChanged():
                self.phase_changed.emit()
                self._soon()
            case Notice(text, error):
                self.said.emit(text, error)

    # The copy of the journal.

    def _mark(self, ids: Sequence[int]) -> None:
        """These items have changed; empty: all."""
        if not ids:
            self._stale = None
        elif self._stale is not None:
            self._stale.update(ids)
        self._soon()

    def _soon(self) -> None:
        if not self._tick.isActive():
            self._tick.start()

    def _catch_up(self) -> None:
        """Read the changed items. While a read is under way, later changes wait for the next one."""
        stages, self._stages = self._stages, {}
        if stages:
            self.progressed.emit(stages)
        queue, stale = self._queue, self._stale
        if queue is None or self._reading or self._closed or stale == set():
            return
        self._reading, self._stale = True, set()

        def work(_progress: Progress) -> tuple[list[Item], Summary]:
            if stale is None or len(stale) > _MANY:
                return queue.items(), queue.summary()
            return [item for item in map(queue.item, stale) if item is not None], queue.summary()

        def done(found: tuple[list[Item], Summary]) -> None:
            self._reading = False
            if queue is self._queue:
                self._take(*found, whole=stale is None or len(stale) > _MANY)
            if self._stale != set():
                self._soon()

        def failed(error: Exception) -> None:
            self._reading = False
            if queue is self._queue:
                self.said.emit(self._explain(error), True)

        self._jobs.submit(Lane.COMPUTE, work, on_done=done, on_error=failed)

    def _take(self, items: list[Item], summary: Summary, whole: bool) -> None:
        self._summary = summary
        if whole:
            self._items = {item.id: item for item in items}
            self.refreshed.emit(None)
        else:
            self._items.update((item.id, item) for item in items)
            self.refreshed.emit(tuple(item.id for item in items))
