"""The queue itself: claims photos for the workers, puts what they made in its places, and writes down every step first."""

import logging
import shutil
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeAlias

from bgdesk.batch import places
from bgdesk.batch.events import ItemsChanged, Listener, Phase, PhaseChanged, Post, Progressed, QueueEvent, Said, direct
from bgdesk.batch.finish import Finisher, source_now
from bgdesk.batch.folder import Lock, QueueError, QueueInfo, journal_file, ledger, new_folder, queues
from bgdesk.batch.journal import About, Journal, JournalError
from bgdesk.batch.pool import Pool, PoolEvents
from bgdesk.batch.values import BatchRecipe, Decision, Existing, Item, Job, Outcome, Planned, State, Summary, Written
from bgdesk.core.errors import LoadError

__all__ = [
    "ItemsChanged", "MakePool", "Phase", "PhaseChanged", "Progressed", "Queue", "QueueError", "QueueEvent", "QueueInfo", "Said", "queues",
]  # fmt: skip

log = logging.getLogger(__name__)

#: Seconds between two reports of one item's progress.
_REPORT = 0.1
#: The rate is that of so many photos, the last ones.
_LATELY = 50
#: A photo that took so many workers down is set aside.
_CRASHES = 2


#: Starts the workers of a recipe; they tell the queue what becomes of its jobs.
MakePool: TypeAlias = Callable[[PoolEvents, BatchRecipe], Pool]


class Queue:
    """`create` makes one, `open` goes on with one; both hold its lock until `close`. Every method may be called from any thread.

    What was left by a process that died is put right when a queue is opened: see `_recover`. Methods raise JournalError when
    the journal cannot be written; what they were to do is not done then.
    """

    def __init__(self, folder: Path, journal: Journal, lock: Lock, pools: MakePool, post: Post) -> None:
        """Use `create` or `open`."""
        about = journal.about()
        self.folder, self.id = folder, folder.name
        self.title, self.output, self.kind, self.existing, self.recipe = about.title, about.output, about.kind, about.existing, about.recipe
        self._journal, self._file_lock, self._pools, self._post = journal, lock, pools, post
        self._finisher = Finisher(folder.name, about, ledger(folder.parent.parent))
        self._changed = threading.Condition()
        self._phase = Phase.IDLE
        self._pool: Pool | None = None
        self._inbox: deque[Callable[[], None]] = deque()
        self._hands: dict[int, float] = {}  # id -> when it was claimed
        self._dropped: set[int] = set()  # removed while a worker had them
        self._reported: dict[int, float] = {}
        self._finished: deque[float] = deque(maxlen=_LATELY)
        self._listeners: list[Listener] = []
        self._blocked = self._held = self._closed = False
        self._idle = False  # nothing was left to claim when that was last looked at
        self._recover()
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
        kind: str = "batch",
        post: Post = direct,
    ) -> "Queue":
        """A new queue of these photos; it begins with `start`. home: the person's data folder. Raises QueueError, JournalError."""
        folder = new_folder(home)
        lock = Lock(folder)
        try:
            journal = Journal.create(journal_file(folder), About(title, kind, output, existing, recipe, time.time()), planned)
            return cls(folder, journal, lock, pools, post)
        except BaseException:
            lock.free()
            shutil.rmtree(folder, ignore_errors=True)
            raise

    @classmethod
    def open(cls, folder: Path, pools: MakePool, *, post: Post = direct) -> "Queue":
        """A queue that was left. Raises QueueError where another process runs it, JournalError where it is damaged."""
        if not journal_file(folder).is_file():
            raise QueueError(f"There is no queue in {folder}. It was deleted, or it lies elsewhere.")
        lock = Lock(folder)
        try:
            return cls(folder, Journal(journal_file(folder)), lock, pools, post)
        except BaseException:
            lock.free()
            raise

    # --- looking ---

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
            times = list(self._finished)
        rate = (len(times) - 1) / (times[-1] - times[0]) if len(times) > 2 and times[-1] > times[0] else None
        waiting = counts[State.QUEUED] + counts[State.RUNNING]
        return Summary(counts, rate, waiting / rate if rate else None, self._journal.decisions())

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Tell every event to `listener`, through `post`; call what comes back to stop."""
        with self._changed:
            self._listeners.append(listener)

        def stop() -> None:
            with self._changed, suppress(ValueError):
                self._listeners.remove(listener)

        return stop

    def wait(self, timeout: float | None = None) -> bool:
        """Until it is IDLE, or PAUSED with nothing in hand; False when the time is up."""
        with self._changed:
            return self._changed.wait_for(lambda: self._closed or self._blocked or self._at_rest(), timeout)

    def _at_rest(self) -> bool:
        return not self._inbox and (self._phase is Phase.IDLE or (self._phase is Phase.PAUSED and not self._hands))

    # --- what a person does ---

    def start(self) -> None:
        """Begin, or go on after `pause` or `stop`."""
        with self._changed:
            if self._closed or self._phase is Phase.RUNNING:
                return
            self._blocked = False
            self._finished.clear()
            self._enter(Phase.RUNNING)

    resume = start

    def pause(self) -> None:
        """Finish what is in hand and begin nothing more."""
        with self._changed:
            if self._phase in (Phase.RUNNING, Phase.STOPPING):
                self._enter(Phase.PAUSED)

    def stop(self) -> None:
        """Finish what is in hand, and let the workers go."""
        with self._changed:
            if self._phase in (Phase.RUNNING, Phase.PAUSED):
                self._blocked = False
                self._enter(Phase.STOPPING)

    def hold(self, held: bool) -> None:
        """Interactive work comes first: the workers begin nothing while held."""
        with self._changed:
            self._held, pool = held, self._pool
        if pool is not None:
            pool.hold(held)

    def add(self, planned: Sequence[Planned]) -> None:
        """More photos, at the end."""
        self._journal.add(planned)
        self._tell(ItemsChanged(()))
        self._wake()

    def retry(self, ids: Sequence[int] | None = None) -> None:
        """Do these anew, whatever became of them; None: all that failed."""
        wanted = self._journal.in_state(State.FAILED) if ids is None else [item for item in map(self.item, ids) if item is not None]
        again = [item for item in wanted if not item.state.open]
        for item in again:
            if item.state is State.REVIEW and item.outcome is not None:
                places.discard(item.outcome.written)
        fresh = [replace(item, state=State.QUEUED, crashes=0, interrupted=0, error="", outcome=None, decision=None) for item in again]
        self._journal.update_all(fresh)
        self._tell(ItemsChanged(tuple(item.id for item in fresh)))
        self._wake()

    def remove(self, ids: Sequence[int]) -> None:
        """Out of the queue. Photos and outputs stay; what a worker has in hand is given up."""
        self._journal.remove(ids)
        with self._changed:
            running = [id for id in ids if id in self._hands]
            self._dropped.update(running)
            pool = self._pool
        if pool is not None and running:
            pool.cancel(running)
        self._tell(ItemsChanged(()))
        self._wake()

    def move(self, ids: Sequence[int], before: int | None) -> None:
        """These, in their present order, directly before that item; None: to the end."""
        self._journal.move(ids, before)
        self._tell(ItemsChanged(()))

    def accept(self, id: int) -> None:
        """Put the outputs of an item in review in their places. Raises QueueError where that cannot be done."""
        item = self._in_review(id)
        if item is not None and item.outcome is not None:
            self._set(self._finisher.decided(item, item.outcome.written, Decision.ACCEPTED))

    def fixed(self, id: int, written: Sequence[Written]) -> None:
        """The same with outputs that a person has mended: they are complete under their staged names."""
        item = self._in_review(id)
        if item is not None and item.outcome is not None:
            old = item.outcome.written
            self._set(self._finisher.decided(item, written, Decision.FIXED))
            places.discard(old)

    def reject(self, id: int, reason: str = "") -> None:
        """A person wants none of it: what waited is removed, unless it was changed meanwhile. `retry` does the photo anew."""
        item = self._in_review(id)
        if item is None or item.outcome is None:
            return
        self._journal.update(replace(item, state=State.REJECTED, decision=Decision.REJECTED, error=reason))
        with suppress(OSError):
            places.discard(item.outcome.written)
        self._tell(ItemsChanged((id,)))

    def close(self) -> None:
        """End the workers (what they hold is given back), free the lock. Does nothing the second time."""
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
        for event in events:  # what came in while it ended: results are put in their places, the rest is given back
            with suppress(JournalError):
                event()
        with suppress(JournalError):
            self._give_back()
        self._journal.close()
        self._finisher.close()
        self._file_lock.free()

    # --- PoolEvents: from the pool's threads ---

    def progressed(self, id: int, stage: str, fraction: float) -> None:
        now = time.monotonic()
        with self._changed:
            if id not in self._hands or (now - self._reported.get(id, -1.0) < _REPORT and fraction not in (0.0, 1.0)):
                return
            self._reported[id] = now
        self._tell(Progressed(id, stage, fraction))

    def lost(self, error: str) -> None:
        self._hear(partial(self._pause_for, error))

    def written(self, id: int, outcome: Outcome) -> None:
        self._hear(partial(self._took, id, outcome))

    def failed(self, id: int, error: str) -> None:
        self._hear(partial(self._failed, id, error))

    def crashed(self, id: int, error: str) -> None:
        self._hear(partial(self._crashed, id, error))

    def returned(self, id: int) -> None:
        self._hear(partial(self._returned, id))

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
                self._stick(str(error))
            except Exception as error:  # the queue must not hang in silence
                log.error("an unforeseen failure in the queue", exc_info=error)
                self._stick(f"Something unforeseen went wrong in the queue ({type(error).__name__}: {error}). Resume to go on.")

    def _busy(self) -> bool:
        """Whether there is something to do for the thread."""
        if self._inbox:
            return not self._blocked
        if self._phase is Phase.STOPPING:
            return not self._hands
        full = self._pool is not None and len(self._hands) >= self._pool.capacity
        return self._phase is Phase.RUNNING and not self._idle and not full

    def _turn(self) -> None:
        """One event, or one claim, or one change of phase."""
        with self._changed:
            event = self._inbox[0] if self._inbox else None
        if event is not None:
            event()  # before it leaves the inbox: where the journal cannot be written, it is done again
            with self._changed:
                self._inbox.popleft()
                self._idle = False
                self._changed.notify_all()
            return
        if self._phase is Phase.STOPPING:
            self._rest()
        elif self._phase is Phase.RUNNING:
            for item in self._journal.in_state(State.WRITTEN):  # what could not be put in its place before a pause
                if item.id not in self._hands:
                    self._finish(item)
            claimed = self._journal.claim()
            if claimed is not None:
                self._begin(claimed)
            elif not self._hands and self.kind == "batch":
                self._rest()
            else:
                with self._changed:
                    self._idle = True

    def _rest(self) -> None:
        with self._changed:
            pool, self._pool = self._pool, None
            self._enter(Phase.IDLE)
        if pool is not None:
            pool.close()

    def _begin(self, item: Item) -> None:
        """Give a claimed item to the pool."""
        try:
            now = source_now(item)
        except LoadError as error:
            self._set(replace(item, state=State.FAILED, error=str(error)))
            return
        if now != item:
            item = now
            self._journal.update(item)
        for folder in {output.parent for output in item.outputs}:
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                self._set(replace(item, state=State.QUEUED))
                self._pause_for(
                    f"The folder {folder} could not be made: {error.strerror}. Check the disk and the permissions, then resume."
                )
                return
        with self._changed:
            self._hands[item.id] = time.monotonic()
            if self._pool is None:
                self._pool = self._pools(self, self.recipe)
                if self._held:
                    self._pool.hold(True)
            pool = self._pool
        self._tell(ItemsChanged((item.id,)))
        pool.submit(Job(item.id, item.source, item.outputs, self._finisher.staged(item), self.recipe, self.folder), alone=item.crashes > 0)

    def _took(self, id: int, outcome: Outcome) -> None:
        item = self._of_hands(id)
        if item is None:
            places.sweep([one.staged for one in outcome.written])
            return
        item = replace(item, state=State.WRITTEN, outcome=outcome, seconds=time.monotonic() - self._hands.get(id, time.monotonic()))
        self._journal.update(item)
        with self._changed:
            self._finished.append(time.monotonic())
        self._finish(item)
        self._let_go(id)

    def _finish(self, item: Item) -> None:
        """Outputs that are written take their places, or wait for a person's look."""
        try:
            self._set(self._finisher.finished(item))
        except OSError as error:
            self._pause_for(f"{item.outputs[0].parent} cannot be written to: {error.strerror}. Check the disk, then resume.")

    def _failed(self, id: int, error: str) -> None:
        item = self._of_hands(id)
        if item is not None:
            trouble = places.trouble(item.outputs[0].parent, error) if item.outputs else ""
            self._finisher.sweep(item)
            if trouble:
                self._set(replace(item, state=State.QUEUED))
                self._pause_for(trouble)
            else:
                self._set(replace(item, state=State.FAILED, error=error))
        self._let_go(id)

    def _crashed(self, id: int, error: str) -> None:
        item = self._of_hands(id)
        if item is not None:
            self._finisher.sweep(item)
            crashes = item.crashes + 1
            if crashes < _CRASHES:
                self._set(replace(item, state=State.QUEUED, crashes=crashes))
            else:
                why = f"{item.name} brought the worker down twice: {error.rstrip('.')}. Leave it out, or open it in the window to see more."
                self._set(replace(item, state=State.FAILED, crashes=crashes, error=why))
        self._let_go(id)

    def _returned(self, id: int) -> None:
        item = self._of_hands(id)
        if item is not None:
            self._finisher.sweep(item)
            self._set(replace(item, state=State.QUEUED))
        self._let_go(id)

    def _of_hands(self, id: int) -> Item | None:
        """The item that a worker speaks of; None if it was removed."""
        return None if id in self._dropped else self._journal.item(id)

    def _let_go(self, id: int) -> None:
        with self._changed:
            self._hands.pop(id, None)
            self._dropped.discard(id)
            self._reported.pop(id, None)
            self._changed.notify_all()

    # --- in common ---

    def _recover(self) -> None:
        """Put right what a process that died has left: nothing is done twice, nothing is lost, nothing half-written stays."""
        self._give_back(interrupted=1)
        for item in self._journal.in_state(State.WRITTEN):
            self._finish(item)

    def _give_back(self, interrupted: int = 0) -> None:
        running = self._journal.in_state(State.RUNNING)
        for item in running:
            self._finisher.sweep(item)
        self._journal.update_all(replace(item, state=State.QUEUED, interrupted=item.interrupted + interrupted) for item in running)

    def _in_review(self, id: int) -> Item | None:
        """The item if it waits for a decision; None if that was made already. Raises QueueError for any other."""
        item = self.item(id)
        if item is None or item.decision is not None:
            return None
        if item.state is not State.REVIEW:
            raise QueueError(f"{item.name} is not in review.")
        return item

    def _set(self, item: Item) -> None:
        self._journal.update(item)
        self._tell(ItemsChanged((item.id,)))

    def _pause_for(self, error: str) -> None:
        """Stop claiming, and say why; a reason that holds for every photo must not fail them all."""
        with self._changed:
            again = self._phase is Phase.PAUSED
            if not again:
                self._enter(Phase.PAUSED)
        if not again:
            self._tell(Said(error, error=True))

    def _stick(self, error: str) -> None:
        """The same where even what comes in cannot be written down: it is kept until `start`."""
        with self._changed:
            self._blocked = True
            self._changed.notify_all()
        self._pause_for(error)

    def _enter(self, phase: Phase) -> None:
        self._phase, self._idle = phase, False
        self._changed.notify_all()
        self._tell(PhaseChanged(phase))

    def _wake(self) -> None:
        with self._changed:
            self._idle = False
            self._changed.notify_all()

    def _tell(self, event: QueueEvent) -> None:
        for listener in tuple(self._listeners):
            self._post(partial(listener, event))
