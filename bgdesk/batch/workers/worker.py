"""A worker process: `bgdesk _worker`. Three lanes, so that the engine never waits for the disk: load, compute, save.

A crash in a driver or decoder ends this process and no other. The process ends with its parent, which it notices by the end of
stdin. It runs with lower priority than the window, so that strokes overtake it. Nothing here has a time limit: how long a photo
may take depends on its size and the machine, and a wrong guess would lose photos. Closing the queue ends a worker that hangs.
"""

import faulthandler
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import BinaryIO, NamedTuple, TypeAlias

from bgdesk.app import one_photo
from bgdesk.app.networks.open_engine import devices_to_share
from bgdesk.batch.model.values import BatchRecipe, Outcome, PhotoJob
from bgdesk.batch.outputs.placing import sweep
from bgdesk.batch.workers import photo_job
from bgdesk.batch.workers.memory import BASE, Cost, Station, admits, cost
from bgdesk.batch.workers.photo_job import ComputedJob, Engines, LoadedJob
from bgdesk.batch.workers.wire import (
    CancelJobs,
    EndWork,
    EngineLost,
    FromWorker,
    JobFailed,
    JobReturned,
    JobWritten,
    LaneChanged,
    SetMemory,
    SetPaused,
    StageProgress,
    StartWork,
    TakeJob,
    ToWorker,
    WorkerLane,
    WorkerReady,
    line,
    told,
)
from bgdesk.core.errors import BgdeskError, SaveError
from bgdesk.core.stages import Stage
from bgdesk.core.tasks import Cancelled, CancelToken, Progress
from bgdesk.engine.runtime import allocator

log = logging.getLogger(__name__)

#: Tells the pool something; may be called from any thread.
Tell: TypeAlias = Callable[[FromWorker], None]


class ReadyEngines(NamedTuple):
    """The engines of a recipe, ready for photos."""

    engines: Engines
    kind: str = "cpu"  #: torch's name for the kind of their device
    devices: int = 1  #: how many of that kind this machine has


#: Opens the engine of a recipe. Raises ModelError, DeviceError.
OpenEngine: TypeAlias = Callable[[BatchRecipe], ReadyEngines]

#: Seconds between two reports of one stage.
_REPORT = 0.1
#: Photos that may have been cut out and not be written yet; with more of them, computing waits.
_UNWRITTEN = 2
#: After so many photos freed memory goes back to the system whatever their size: what the allocator keeps fragments more and more.
_TIDIED = 20
_NICER = 10


@dataclass(eq=False)
class _InFlight:
    """A photo on its way through the lanes."""

    job: PhotoJob
    cost: Cost
    content: PhotoJob | LoadedJob | ComputedJob | Outcome  # what its last lane made
    station: Station = Station.TAKEN
    token: CancelToken = field(default_factory=CancelToken)


@dataclass(frozen=True)
class _Passage:
    """Where a photo is before, in and after a lane."""

    lane: WorkerLane
    takes: Station
    busy: Station
    gives: Station | None


_PASSAGES = (
    _Passage(WorkerLane.LOAD, Station.TAKEN, Station.LOADING, Station.READ),
    _Passage(WorkerLane.COMPUTE, Station.READ, Station.COMPUTING, Station.CUT),
    _Passage(WorkerLane.SAVE, Station.CUT, Station.SAVING, None),
)


class PhotoWorker:
    """The lanes."""

    def __init__(self, engines: Engines, tell: Tell, memory: int) -> None:
        """memory: bytes that this process may take, about."""
        self._engines, self._tell = engines, tell
        self._budget = memory - BASE
        self._flight: dict[int, _InFlight] = {}  # by id, in the order in which they came
        self._changed = threading.Condition()
        self._paused = self._ended = False
        self._threads = [
            threading.Thread(target=self._run, args=(passage,), name=f"queue-{passage.lane.value}", daemon=True) for passage in _PASSAGES
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def take(self, job: PhotoJob) -> None:
        photo = _InFlight(job, cost(job.source, job.recipe), job)
        with self._changed:
            self._flight[job.id] = photo
            self._changed.notify_all()

    def allow(self, memory: int) -> None:
        """The process may take so many bytes from now on."""
        with self._changed:
            self._budget = memory - BASE
            self._changed.notify_all()

    def pause(self, paused: bool) -> None:
        """Let no photo enter a lane, and stop those in a lane at their next report; or go on."""
        with self._changed:
            self._paused = paused
            self._changed.notify_all()

    def cancel(self, ids: Iterable[int], begun: bool = True) -> None:
        """Give these photos back: those between two lanes at once, those in a lane at their next report.

        begun: even those that are being cut out, or are cut out already.
        """
        with self._changed:
            for id in ids:
                photo = self._flight.get(id)
                if photo is None or (photo.station > Station.READ and not begun):
                    continue
                photo.token.cancel()
                if photo.station in (Station.TAKEN, Station.READ, Station.CUT):
                    self._drop(photo, JobReturned(id))
            self._changed.notify_all()

    def end(self, say: bool) -> None:
        """Stop as soon as possible, without waiting for the engine; no output is left half-written.

        say: give back what is in flight. False where the pool is gone: then staged files are removed at once, because the next
        program may begin the same photos.
        """
        with self._changed:
            self._ended = True
            self._changed.notify_all()
        saving = self._threads[-1]
        if say and saving.is_alive():
            saving.join(1.0)  # it stops at its next report, and clears up after itself
        with self._changed:
            for photo in list(self._flight.values()):
                sweep(photo.job.staged)
                if say:
                    self._tell(JobReturned(photo.job.id))
            self._flight.clear()

    # --- lanes ---

    def _run(self, passage: _Passage) -> None:
        done = 0
        while (photo := self._next(passage)) is not None:
            self._step(photo, passage)
            pixels, done = photo.cost.pixels, done + 1
            del photo  # let go of its arrays while waiting for the next one
            if done % _TIDIED:
                allocator.settle(pixels)
            else:
                allocator.trim()

    def _next(self, passage: _Passage) -> _InFlight | None:
        """The oldest photo that is ready for this lane, once it may enter; None when all is over."""
        with self._changed:
            while not self._ended:
                photo = None if self._paused else self._ready(passage)
                if photo is not None:
                    photo.station = passage.busy
                    self._tell(LaneChanged(photo.job.id, passage.lane))
                    self._changed.notify_all()  # its place in the lane before is free
                    return photo
                self._changed.wait()
        return None

    def _ready(self, passage: _Passage) -> _InFlight | None:
        photo = next((photo for photo in self._flight.values() if photo.station is passage.takes), None)
        if photo is None:
            return None
        if passage.lane is WorkerLane.LOAD:
            begun = [other for other in self._flight.values() if other.station > Station.TAKEN]
            if any(other.station is Station.READ for other in begun):  # one ahead is enough
                return None
            return photo if admits(((other.cost, other.station) for other in begun), photo.cost, self._budget) else None
        unwritten = sum(other.station >= Station.CUT for other in self._flight.values())
        if passage.lane is WorkerLane.COMPUTE and unwritten >= _UNWRITTEN:
            return None
        return photo

    def _step(self, photo: _InFlight, passage: _Passage) -> None:
        id, source = photo.job.id, photo.job.source
        try:
            self._work(photo, passage)
        except Cancelled:
            self._finish(photo, JobReturned(id))
        except (BgdeskError, MemoryError) as error:
            cause = error.cause if isinstance(error, SaveError) else None
            self._finish(photo, JobFailed(id, one_photo.failure(source, error), cause))
        except Exception as error:  # whatever it is, it must not cost the other photos
            log.error("%s: an unforeseen failure", source, exc_info=error)
            self._finish(photo, JobFailed(id, one_photo.failure(source, error), None))

    def _work(self, photo: _InFlight, passage: _Passage) -> None:
        progress, content = self._progress(photo), photo.content
        if isinstance(content, PhotoJob):
            photo.content = photo_job.load(content, progress)
        elif isinstance(content, LoadedJob):
            photo.content = photo_job.compute(content, self._engines, progress)
        elif isinstance(content, ComputedJob):
            self._finish(photo, JobWritten(photo.job.id, photo_job.finish(content, progress)))
            return
        with self._changed:
            if passage.gives is not None:
                photo.station = passage.gives
            self._tell(LaneChanged(photo.job.id, None))
            self._changed.notify_all()

    def _finish(self, photo: _InFlight, message: JobWritten | JobFailed | JobReturned) -> None:
        with self._changed:
            if not self._ended:
                self._drop(photo, message)
            self._changed.notify_all()

    def _drop(self, photo: _InFlight, message: JobWritten | JobFailed | JobReturned) -> None:
        """The photo leaves the worker; under the lock, so that it is said exactly once."""
        if self._flight.pop(photo.job.id, None) is not None:
            self._tell(message)

    def _progress(self, photo: _InFlight) -> Progress:
        last, latest = "", 0.0

        def progress(stage: str, fraction: float) -> None:
            nonlocal last, latest
            with self._changed:
                while self._paused and not (self._ended or photo.token.cancelled):
                    self._changed.wait()
                if self._ended:
                    raise Cancelled
            photo.token.check()
            now = time.monotonic()
            if stage != last or now - latest >= _REPORT:
                last, latest = stage, now
                self._tell(StageProgress(photo.job.id, Stage(stage), fraction))

        return progress


def open_engine(recipe: BatchRecipe) -> ReadyEngines:
    """The engine of a recipe, warm. Raises ModelError, DeviceError."""
    engines = photo_job.open_engines(recipe)
    status = engines(recipe.model).engine.warm()
    return ReadyEngines(engines, *devices_to_share(photo_job.choices_of(recipe)[0], status))


def main(open: OpenEngine = open_engine) -> int:
    """Serve the pool at the other end of stdin and stdout until it says EndWork, or is gone."""
    pool, out = _wires()
    speaking = threading.Lock()

    def tell(message: FromWorker) -> None:
        with speaking, suppress(OSError):  # a pool that is gone hears nothing; stdin will tell
            out.write(line(message))
            out.flush()

    logging.basicConfig(level=logging.WARNING)
    with suppress(OSError, ValueError, AttributeError):
        faulthandler.enable(2)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is for the program, which says what becomes of the photo in hand
    if hasattr(os, "nice"):
        os.nice(_NICER)  # on Windows the pool starts us that way
    messages = (message for message in map(told, pool) if message is not None)
    start = next(messages, None)
    if isinstance(start, StartWork):
        serve(start, messages, tell, open)
    # Not by way of the interpreter's end: that would wait for threads, and the engine may be in the middle of a photo.
    os._exit(0)


def serve(start: StartWork, messages: Iterator[ToWorker], tell: Tell, open: OpenEngine) -> None:
    """Open the engine, and do what the messages say until EndWork comes, or there are no more."""
    worker = list[PhotoWorker]()  # at most one
    early: list[ToWorker] = []  # what came while the engine was opened
    lock = threading.Lock()

    def begin() -> None:
        try:
            ready = open(start.recipe)
        except BgdeskError as error:
            tell(EngineLost(str(error)))
            return
        except Exception as error:
            log.error("the engine could not be opened", exc_info=error)
            said = next(iter(str(error).splitlines()), "") or type(error).__name__
            tell(EngineLost(f"The engine could not be started: {said.rstrip('.')}. To see what is wrong: bgdesk doctor"))
            return
        with lock:
            worker.append(PhotoWorker(ready.engines, tell, start.memory))
            worker[0].start()
            tell(WorkerReady(ready.kind, ready.devices))
            for message in early:
                _obey(worker[0], message)

    # Not on this thread: it watches over the end of stdin.
    threading.Thread(target=begin, name="queue-open", daemon=True).start()
    ended = False
    for message in messages:
        with lock:
            ended = isinstance(message, EndWork)
            if ended:
                break
            if worker:
                _obey(worker[0], message)
            else:
                early.append(message)
    with lock:
        for each in worker:
            each.end(say=ended)


def _obey(worker: PhotoWorker, message: ToWorker) -> None:
    match message:
        case TakeJob(job):
            worker.take(job)
        case SetPaused(paused):
            worker.pause(paused)
        case CancelJobs(ids, begun):
            worker.cancel(ids, begun)
        case SetMemory(memory):
            worker.allow(memory)


def _wires() -> tuple[BinaryIO, BinaryIO]:
    """(from the pool, to the pool): copies of stdin and stdout that no library uses. What libraries print goes to stderr."""
    pool, out = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return pool, out
