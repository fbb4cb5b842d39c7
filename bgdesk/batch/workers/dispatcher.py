"""Who has which job: one dispatcher for all kinds of workers. Pools only start, speak to and watch theirs."""

import logging
import threading
from collections import deque
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, field
from functools import partial
from queue import SimpleQueue
from typing import TypeAlias

from bgdesk.batch.model.pool import PoolEvents
from bgdesk.batch.model.values import PhotoJob
from bgdesk.batch.outputs.placing import sweep
from bgdesk.batch.workers.wire import (
    CancelJobs,
    EndWork,
    EngineLost,
    FromWorker,
    JobFailed,
    JobReturned,
    JobWritten,
    LaneChanged,
    SetPaused,
    StageProgress,
    TakeJob,
    ToWorker,
    WorkerLane,
    WorkerReady,
)

log = logging.getLogger(__name__)

#: Jobs that one worker has at most: one being written, one computed, one read ahead, and one more, so that none is waited for.
JOBS_EACH = 4
#: A worker that dies so often before it has done anything is not started again.
_TRIES = 2
#: What a worker does with a photo in a lane, to follow "it was being".
_DOING = {WorkerLane.LOAD: "read", WorkerLane.COMPUTE: "cut out", WorkerLane.SAVE: "written", None: "worked on"}

#: Tells a worker something: neither waits nor raises.
Say: TypeAlias = Callable[[ToWorker], None]


class NoWorker(Exception):
    """A worker could not be started. The argument is a sentence for a person."""


#: Starts the worker of that number and returns how to speak to it. Called under the dispatcher's lock. Raises NoWorker.
StartWorker: TypeAlias = Callable[[int], Say]


@dataclass(frozen=True, kw_only=True)
class Death:
    """How a worker ended."""

    how: str  #: to follow "it was being cut out when": "the worker ended with status 3"
    report: str  #: for the log
    useless: str  #: a sentence for a person, if it happens again and again before the worker has done anything
    innocent: bool = False  #: it was ended from outside (a system that shuts down), which says nothing of any photo
    uncertain: bool = False  #: its last messages may be lost with it: the job that came first may have been begun


@dataclass(eq=False)
class _Assignment:
    """A job that a worker has."""

    job: PhotoJob
    lane: WorkerLane | None = None  #: where its photo is; None while it waits


@dataclass(eq=False)
class _Member:
    """One worker."""

    say: Say
    jobs: dict[int, _Assignment] = field(default_factory=dict)  #: by id
    ready: bool = False  #: its engine is open
    alone: bool = False  #: it has one job, and gets no other before that has ended
    lost: str = ""  #: why its engine could not be opened


class Dispatcher:
    """Gives every job to a worker, starts the workers that this takes, and tells what became of it. Safe from any thread.

    Events are told on a thread of its own: a listener may hold a lock while it calls the pool, and must not hear from it then.
    """

    def __init__(self, events: PoolEvents, start: StartWorker) -> None:
        """No worker is started before `want`."""
        self._events, self._start, self._wanted = events, start, 0
        self._lock = threading.RLock()
        self._pending: deque[tuple[PhotoJob, bool]] = deque()
        self._members: dict[int, _Member] = {}
        self._fruitless: dict[int, int] = {}
        self._given_up: set[int] = set()
        self._paused = self._closed = False
        self._news: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._teller = threading.Thread(target=self._deliver, name="queue-news", daemon=True)
        self._teller.start()

    @property
    def capacity(self) -> int:
        """How many jobs the workers take at once."""
        with self._lock:
            return JOBS_EACH * max(1, self._wanted - len(self._given_up))

    @property
    def workers(self) -> int:
        """How many there are, ready or not."""
        with self._lock:
            return len(self._members)

    def want(self, workers: int) -> None:
        """There should be so many workers, numbered from 0; those that lack are started."""
        with self._lock:
            self._wanted = workers
            self._given_up.clear()
            self._fill()

    def submit(self, job: PhotoJob, alone: bool) -> None:
        """See `Pool.submit`."""
        with self._lock:
            if not self._closed:
                self._pending.append((job, alone))
                self._fill()
                return
        self._events.returned(job.id)

    def pause(self, paused: bool) -> None:
        """See `Pool.pause`."""
        with self._lock:
            self._paused = paused
            self.tell_all(SetPaused(paused))

    def cancel(self, ids: Sequence[int], begun: bool) -> None:
        """See `Pool.cancel`."""
        wanted = set(ids)
        with self._lock:
            self._give_back(wanted)
            for member in self._members.values():
                theirs = tuple(id for id in member.jobs if id in wanted)
                if theirs:
                    member.say(CancelJobs(theirs, begun))

    def tell_all(self, message: ToWorker) -> None:
        """Say something to every worker."""
        with self._lock:
            for member in self._members.values():
                member.say(message)

    def lose(self, error: str) -> None:
        """No photo can be done for now: say why, and give back what is pending. The next job is a new beginning."""
        with self._lock:
            if not self._closed:
                self._given_up.clear()
                self._tell(self._events.lost, error)
                self._give_back()

    def close(self) -> None:
        """Give back what is pending, tell all workers to end, and start no more."""
        with self._lock:
            self._closed = True
            self._give_back()
            self.tell_all(EndWork())

    def finish(self) -> None:
        """All workers have ended: wait until everything was told."""
        self._news.put(None)
        if threading.current_thread() is not self._teller:
            self._teller.join(5.0)

    # --- what the workers say, and how they end; on any thread ---

    def heard(self, number: int, message: FromWorker) -> None:
        """The worker of that number said something."""
        with self._lock:
            member = self._members[number]
            match message:
                case WorkerReady():
                    member.ready = True
                    self._fill()
                case EngineLost(error):
                    member.lost = error
                    member.say(EndWork())
                case _ if message.id not in member.jobs:
                    log.info("a worker said something of a photo that it does not have: %r", message)
                case LaneChanged(id, lane):
                    member.jobs[id].lane = lane
                case StageProgress(id, stage, fraction):
                    self._tell(self._events.progressed, id, stage, fraction)
                case JobWritten(id, outcome):
                    self._tell(self._events.written, id, outcome)
                    self._ended(number, id)
                case JobFailed(id, error, cause):
                    self._tell(self._events.failed, id, error, cause)
                    self._ended(number, id)
                case JobReturned(id):
                    self._tell(self._events.returned, id)
                    self._ended(number, id)

    def died(self, number: int, death: Death) -> None:
        """The worker of that number has ended. The photos in its lanes may be to blame; another worker takes its place when needed."""
        with self._lock:
            member = self._members.pop(number)
            assignments = list(member.jobs.values())
            for each in assignments:
                sweep(each.job.staged)
            blamed = [each for each in assignments if each.lane is not None] or assignments[: int(death.uncertain)]
            if self._closed or death.innocent:
                blamed = []
            freed = [each for each in assignments if each not in blamed]
            if not self._closed:
                self._mourn(number, member, death, fruitless=not blamed and (not member.ready or bool(freed)))
            for each in blamed:
                self._tell(self._events.crashed, each.job.id, f"it was being {_DOING[each.lane]} when {death.how}")
            for each in freed:
                self._tell(self._events.returned, each.job.id)
            if self._pending:
                self._fill()

    # --- under the lock ---

    def _mourn(self, number: int, member: _Member, death: Death, fruitless: bool) -> None:
        if member.lost:
            self._give_up(number, member.lost)
            return
        log.warning("%s", death.report)
        if fruitless:
            self._fruitless[number] = self._fruitless.get(number, 0) + 1
            if self._fruitless[number] >= _TRIES:
                self._give_up(number, death.useless)

    def _give_up(self, number: int, error: str) -> None:
        """Do not start this worker again. If no other one works, no photo can be done at all."""
        self._fruitless.pop(number, None)
        if any(member.ready for member in self._members.values()):
            log.warning("%s", error)
            self._given_up.add(number)
        else:
            self.lose(error)

    def _ended(self, number: int, id: int) -> None:
        """The worker has done with this job."""
        member = self._members[number]
        del member.jobs[id]
        member.alone = False
        self._fruitless.pop(number, None)
        self._fill()

    def _fill(self) -> None:
        """Start the workers that lack, and give them what is pending."""
        if self._closed:
            return
        for number in range(self._wanted):
            if number in self._members or number in self._given_up:
                continue
            try:
                member = self._members[number] = _Member(self._start(number))
            except NoWorker as error:
                self._give_up(number, str(error))
                if number not in self._given_up:  # all is lost
                    return
                continue
            if self._paused:
                member.say(SetPaused(True))
        ready = [member for member in self._members.values() if member.ready and not member.alone]
        single = next((each for each in self._pending if each[1]), None)
        if single is not None and ready:
            # The one that has least takes nothing more until it has done with that, and then this job.
            member = min(ready, key=lambda each: len(each.jobs))
            ready.remove(member)
            if not member.jobs:
                member.alone = True
                self._assign(member, single)
        for each in [each for each in self._pending if not each[1]]:
            free = [member for member in ready if len(member.jobs) < JOBS_EACH]
            if not free:
                return
            self._assign(min(free, key=lambda member: len(member.jobs)), each)

    def _assign(self, member: _Member, pending: tuple[PhotoJob, bool]) -> None:
        self._pending.remove(pending)
        job = pending[0]
        member.jobs[job.id] = _Assignment(job)
        member.say(TakeJob(job))

    def _give_back(self, ids: Container[int] | None = None) -> None:
        """What is pending: all of it, or these."""
        for each in [each for each in self._pending if ids is None or each[0].id in ids]:
            self._pending.remove(each)
            self._tell(self._events.returned, each[0].id)

    # --- telling ---

    def _tell(self, event: Callable[..., None], *said: object) -> None:
        self._news.put(partial(event, *said))

    def _deliver(self) -> None:
        while (call := self._news.get()) is not None:
            try:
                call()
            except Exception as error:  # a listener's mistake must not cost the other photos
                log.error("a listener of the pool failed", exc_info=error)
