"""The queue itself: claims photos for the workers, puts what they made in its places, and writes down every step first."""

import logging
import shutil
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TypeAlias

from bgdesk.batch.journal.folder import QueueError, QueueInfo, QueueLock, journal_file, ledger, new_folder, queues
from bgdesk.batch.journal.journal import About, Journal, JournalError
from bgdesk.batch.model.events import ItemsChanged, Listener, Notice, Phase, PhaseChanged, Post, Progressed, QueueEvent, Speaker, direct
from bgdesk.batch.model.pool import Pool, PoolEvents
from bgdesk.batch.model.values import BatchRecipe, Existing, Item, Outcome, PhotoJob, Planned, QueueKind, State, Summary, Written
from bgdesk.batch.outputs import placing
from bgdesk.batch.run.finisher import QueueFinisher, make_folders, source_now
from bgdesk.batch.run.in_progress import InProgress
from bgdesk.batch.run.results import Results
from bgdesk.core.errors import BgdeskError, Cause, LoadError, SaveError
from bgdesk.core.stages import Stage

__all__ = [
    "ItemsChanged", "MakePool", "Notice", "Phase", "PhaseChanged", "Progressed", "Queue", "QueueError", "QueueEvent", "QueueInfo", "queues",
]  # fmt: skip

log = logging.getLogger(__name__)

#: Starts the workers of a recipe; they tell the queue what becomes of its jobs.
MakePool: TypeAlias = Callable[[PoolEvents, BatchRecipe], Pool]


class Queue:
    """`create` makes one, `open` goes on with one; both lock it until `close`. Every method may be called from any thread.

    What was left by a process that died is put right when a queue is opened: see `QueueFinisher.recover`. Methods raise JournalError
    when the journal cannot be written; what they were to do is not done then. What goes wrong for every photo (a full disk, no
    network, a folder that is closed to us) pauses the queue and is said once; what was in progress waits for `resume`.
    """

    def __init__(self, folder: Path, journal: Journal, lock: QueueLock, pools: MakePool, post: Post) -> None:
        """Use `create` or `open`."""
        about = journal.about()
        self.folder, self.id = folder, folder.name
        self.title, self.output, self.kind, self.existing, self.recipe = about.title, about.output, about.kind, about.existing, about.recipe
        self._journal, self._file_lock, self._pools = journal, lock, pools
        journal.load()
        self._finisher = QueueFinisher(folder.name, about, journal, ledger(folder.parent.parent))
        self._lock = self._finisher.lock  # never taken by one who holds _changed
        self._speaker = Speaker(post)
        self._tell = self._speaker.tell
        self._changed = threading.Condition()  # over everything below
        self._phase = Phase.IDLE
        self._pool: Pool | None = None
        self._inbox: deque[Callable[[], None]] = deque()
        self._in_progress = InProgress()
        self._results = Results(journal, self._finisher, self._tell, self._pause_for)
        self._said = ""  # why it is paused
        self._blocked = self._workers_paused = self._closed = False
        self._idle = False  # nothing was left to claim when that was last checked
        self._telling = 0  # changes of phase that are being told
        self._dry = False  # it ended by itself: photos that are added start it again
        self._finisher.recover()
        self._thread = threading.Thread(target=self._run, name="queue", daemon=True)
        self._thread.start()

    @classmethod
    def create(
        cls,
        home: Path,
        recipe: BatchRecipe,
        planned: Sequence[Planned],
        pools: MakePool,
        *,
        title: str,
        output: Path,
        existing: Existing = Existing.SKIP,
        kind: QueueKind = QueueKind.BATCH,
        post: Post = direct,
    ) -> "Queue":
        """A new queue of these photos; it begins with `start`. home: the person's data folder. Raises QueueError, JournalError."""
        folder = new_folder(home)
        lock = QueueLock(folder)
        try:
            about = About(title=title, kind=kind, output=output, existing=existing, recipe=recipe, made=time.time())
            journal = Journal.create(journal_file(folder), about, planned)
            return cls(folder, journal, lock, pools, post)
        except BaseException:
            lock.free()
            shutil.rmtree(folder, ignore_errors=True)
            raise

    @classmethod
    def open(cls, folder: Path, pools: MakePool, *, post: Post = direct) -> "Queue":
        """A queue that was left. Raises QueueError where another process runs it, JournalError where it is damaged."""
        if not journal_file(folder).is_file():
            raise QueueError(f"There is no queue in {folder}. It was deleted or moved.")
        lock = QueueLock(folder)
        try:
            return cls(folder, Journal(journal_file(folder)), lock, pools, post)
        except BaseException:
            lock.free()
            raise

    # --- reading: does not wait for a disk ---

    @property
    def phase(self) -> Phase:
        return self._phase

    def items(self) -> list[Item]:
        """All items, in their order."""
        return self._journal.items()

    def item(self, id: int) -> Item | None:
        return self._journal.item(id)

    def summary(self) -> Summary:
        counts = self._journal.counts()
        with self._changed:
            rate = self._in_progress.rate
        waiting = counts[State.QUEUED] + counts[State.RUNNING]
        return Summary(counts, rate, waiting / rate if rate else None, self._journal.decisions())

    def job(self, id: int) -> PhotoJob:
        """What to hand to `photo_job.write` with a cut-out that a person has fixed, before `fixed`. Raises QueueError."""
        item = self.item(id)
        if item is None:
            raise QueueError("That photo is not in the queue any more.")
        return self._job(item, self._finisher.staged_by_hand(item))

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Tell every event to `listener`, which must be quick, through `post`, until what is returned is called."""
        return self._speaker.subscribe(listener)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the queue is IDLE, or PAUSED with nothing in progress; False when the time is up."""
        with self._changed:
            return self._changed.wait_for(lambda: self._closed or (not self._telling and (self._blocked or self._at_rest())), timeout)

    def _at_rest(self) -> bool:
        return not self._inbox and (self._phase is Phase.IDLE or (self._phase is Phase.PAUSED and not self._in_progress))

    # --- what a person does ---

    def start(self) -> None:
        """Begin, or go on after `pause` or `stop`."""
        self._enter(Phase.RUNNING)

    resume = start

    def pause(self) -> None:
        """Finish what is being cut out or written, and begin nothing more."""
        self._enter(Phase.PAUSED, (Phase.RUNNING, Phase.STOPPING))

    def stop(self) -> None:
        """The same, and let the workers go."""
        self._enter(Phase.STOPPING, (Phase.RUNNING, Phase.PAUSED))

    def pause_workers(self, paused: bool) -> None:
        """Interactive work comes first: the workers stop at their next report, and go on afterwards."""
        with self._changed:
            self._workers_paused, pool = paused, self._pool
        if pool is not None:
            pool.pause(paused)

    def add(self, planned: Sequence[Planned]) -> None:
        """Add photos at the end. A queue that had ended by itself goes on with them."""
        self._journal.add(planned)
        self._tell(ItemsChanged(()))
        self._wake()

    def retry(self, ids: Sequence[int] | None = None) -> None:
        """Do these again, whatever became of them; None: all that failed. A queue that had ended by itself goes on with them."""
        again = self._finisher.requeue(ids)
        if again:
            self._tell(ItemsChanged(tuple(again)))
            self._wake()

    def remove(self, ids: Sequence[int]) -> None:
        """Take these out of the queue. Photos and outputs stay; what a worker has of them is given up."""
        with self._lock:
            with self._changed:
                running, pool = self._in_progress.drop(ids), self._pool
            try:
                self._finisher.remove(ids)
            except JournalError:
                with self._changed:
                    self._in_progress.keep(running)
                raise
        if pool is not None and running:
            pool.cancel(running)
        self._tell(ItemsChanged(()))

    def move(self, ids: Sequence[int], before: int | None) -> None:
        """Move these, in their present order, directly before that item; None: to the end."""
        with self._lock:
            self._journal.move(ids, before)
        self._tell(ItemsChanged(()))

    def accept(self, id: int) -> None:
        """Put the outputs of an item in review in their places. Raises QueueError where that cannot be done."""
        if self._finisher.accept(id):
            self._tell(ItemsChanged((id,)))

    def fixed(self, id: int, written: Sequence[Written]) -> None:
        """The same with outputs that a person has fixed: they are complete under the names that `job` gave."""
        if self._finisher.fixed(id, written):
            self._tell(ItemsChanged((id,)))

    def reject(self, id: int, reason: str = "") -> None:
        """Remove the outputs of an item in review, except those that somebody has changed. `retry` does the photo again."""
        if self._finisher.reject(id, reason):
            self._tell(ItemsChanged((id,)))

    def close(self) -> None:
        """End the workers (what they have is given back), and unlock the queue. Does nothing the second time."""
        with self._changed:
            if self._closed:
                return
            self._closed = True
            pool, self._pool = self._pool, None
            self._changed.notify_all()
        if pool is not None:
            pool.close()
        if threading.current_thread() is not self._thread:
            self._thread.join()
        with self._changed:
            events, self._inbox = list(self._inbox), deque(maxlen=0)  # who speaks from now on is not heard
        with self._lock:
            for event in events:  # what came in while it ended: results are put in their places, the rest is given back
                with suppress(JournalError):
                    event()
            with suppress(JournalError):
                self._finisher.give_back()
        self._journal.close()
        self._finisher.close()
        self._file_lock.free()

    # --- PoolEvents: from the pool's threads ---

    def progressed(self, id: int, stage: Stage, fraction: float) -> None:
        with self._changed:
            if not self._in_progress.is_news(id, stage):
                return
            self._changed.notify_all()  # the pool may have grown
        self._tell(Progressed(id, stage, fraction))

    def lost(self, error: str) -> None:
        self._hear(partial(self._pause_for, error))

    def written(self, id: int, outcome: Outcome) -> None:
        self._hear(partial(self._was_written, id, outcome))

    def failed(self, id: int, error: str, cause: Cause | None) -> None:
        self._hear(partial(self._came_back, id, lambda item: self._results.failed(item, error, cause)))

    def crashed(self, id: int, error: str) -> None:
        self._hear(partial(self._came_back, id, lambda item: self._results.crashed(item, error)))

    def returned(self, id: int) -> None:
        self._hear(partial(self._came_back, id, self._results.returned))

    def _hear(self, event: Callable[[], None]) -> None:
        with self._changed:
            self._inbox.append(event)
            self._changed.notify_all()

    # --- the queue's own thread ---

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._busy())
                if self._closed:
                    return
            try:
                self._turn()
            except JournalError as error:
                self._pause_for(str(error), blocked=True)
            except Exception as error:  # the queue must not hang in silence
                log.error("an unforeseen failure in the queue", exc_info=error)
                self._pause_for(f"Something unforeseen went wrong ({type(error).__name__}: {error}). Resume to go on.", blocked=True)

    def _busy(self) -> bool:
        """Whether there is something to do for the thread."""
        if self._inbox:
            return not self._blocked
        if self._phase is Phase.STOPPING:
            return not self._in_progress
        full = self._pool is not None and len(self._in_progress) >= self._pool.capacity
        return self._phase is Phase.RUNNING and not self._idle and not full

    def _turn(self) -> None:
        """One event, or one claim, or one change of phase."""
        with self._changed:
            event, phase = self._inbox[0] if self._inbox else None, self._phase
        if event is not None:
            with self._lock:
                event()  # before it leaves the inbox: where the journal cannot be written, it is done again
            with self._changed:
                self._inbox.popleft()
                self._idle = False
                self._changed.notify_all()
        elif phase is Phase.STOPPING:
            self._rest(Phase.STOPPING)
        elif phase is Phase.RUNNING:
            for item in self._journal.in_state(State.WRITTEN):  # what could not be put in its place before a pause
                if not self._results.finish(item):
                    return
            self._claim()

    def _claim(self) -> None:
        with self._changed:
            self._idle = True  # unless something is added from now on
        if self._journal.counts()[State.QUEUED]:
            with self._changed:
                self._idle = False
            pool = self._workers()
            if pool is not None:
                with self._lock:
                    item = self._journal.claim()
                    job = None if item is None else self._begun(item)
                if job is not None:
                    pool.submit(*job)
        elif self.kind is QueueKind.BATCH:
            self._rest(Phase.RUNNING)

    def _rest(self, phase: Phase) -> None:
        """Nothing is left to do in this phase: let the workers go."""
        dry = phase is Phase.RUNNING
        if self._enter(Phase.IDLE, (phase,), lambda: not (self._inbox or self._in_progress) and (self._idle or not dry), dry=dry):
            with self._changed:
                pool, self._pool = self._pool, None
            if pool is not None:
                pool.close()

    def _workers(self) -> Pool | None:
        """The pool; None where it cannot be started, or is not wanted any more."""
        if self._pool is not None:
            return self._pool
        try:
            pool = self._pools(self, self.recipe)
        except BgdeskError as error:
            self._pause_for(str(error))
            return None
        with self._changed:
            self._pool = None if self._closed else pool
            closed, paused = self._closed, self._workers_paused
        if closed:
            pool.close()
        elif paused:
            pool.pause(True)
        return None if closed else pool

    def _begun(self, item: Item) -> tuple[PhotoJob, bool] | None:
        """What to submit of a claimed item; None if it cannot be begun."""
        try:
            now = source_now(item)
            make_folders(item)
        except LoadError as error:
            self._results.end(item, str(error), self._finisher.trouble(item, None))
            return None
        except SaveError as error:
            self._results.end(item, str(error), str(error))
            return None
        if now != item:
            self._journal.update(now)
        with self._changed:
            self._in_progress.add(item.id)
        self._tell(ItemsChanged((item.id,)))
        return self._job(item, self._finisher.staged(item)), item.crashes > 0

    def _job(self, item: Item, staged: tuple[Path, ...]) -> PhotoJob:
        return PhotoJob(id=item.id, source=item.source, targets=item.outputs, staged=staged, recipe=self.recipe, folder=self.folder)

    def _was_written(self, id: int, outcome: Outcome) -> None:
        item = self._wanted(id)
        if item is None:
            placing.sweep([one.staged for one in outcome.written])
        else:
            self._results.written(item, outcome, self._in_progress.seconds(id))
        self._let_go(id, finished=item is not None)

    def _came_back(self, id: int, what: Callable[[Item], None]) -> None:
        """A worker is done with the item, without a result."""
        item = self._wanted(id)
        if item is not None:
            what(item)
        self._let_go(id)

    def _wanted(self, id: int) -> Item | None:
        """The item that a worker speaks of; None if it was removed."""
        return self._journal.item(id) if id in self._in_progress else None

    def _let_go(self, id: int, finished: bool = False) -> None:
        with self._changed:
            self._in_progress.remove(id, finished)
            self._changed.notify_all()

    # --- in common ---

    def _pause_for(self, error: str, blocked: bool = False) -> None:
        """Stop claiming, and say why: what is wrong for every photo must not fail them all.

        blocked: not even results can be written down; they are kept until `start`.
        """
        self._enter(Phase.PAUSED, (Phase.RUNNING, Phase.STOPPING), blocked=blocked, said=error)

    def _enter(
        self,
        phase: Phase,
        only: Collection[Phase] = tuple(Phase),
        when: Callable[[], bool] = lambda: True,
        *,
        dry: bool = False,
        blocked: bool = False,
        said: str = "",
    ) -> bool:
        """Begin another phase, if the present one is in `only`; whether it has begun. `wait` does not end before that was told."""
        with self._changed:
            changes = not self._closed and self._phase is not phase and self._phase in only and when()
            if changes:
                self._phase, self._idle, self._dry = phase, False, dry
            if changes and phase in (Phase.RUNNING, Phase.STOPPING):
                self._blocked, self._said = False, ""
                self._in_progress.restart_rate()
            self._blocked |= blocked
            news, self._said = said not in ("", self._said), said or self._said
            self._telling += 1
            ready, pool = self._in_progress.ids() if changes and phase in (Phase.PAUSED, Phase.STOPPING) else [], self._pool
            self._changed.notify_all()
        if ready and pool is not None:  # workers have more than they work on, so that they never wait: that is given back
            pool.cancel(ready, begun=False)
        if changes:
            self._tell(PhaseChanged(phase))
        if news:
            self._tell(Notice(said, error=True))
        with self._changed:
            self._telling -= 1
            self._changed.notify_all()
        return changes

    def _wake(self) -> None:
        with self._changed:
            self._idle = False
            dry = self._dry
            self._changed.notify_all()
        if dry:
            self.start()
