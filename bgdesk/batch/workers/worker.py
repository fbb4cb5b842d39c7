"""A worker process: `bgdesk _worker`. Three lanes, so that the engine never waits for the disk: load, compute, save.

A crash in a driver or decoder takes this process down and nothing else. It dies with its parent: the end of stdin is the
end of it. It is nicer than the window, whose strokes overtake it. Nothing here has a time limit: how long a photo may take
depends on its size and the machine, and a wrong guess would lose photos; a worker that hangs can be cancelled by closing
the queue.
"""

import faulthandler
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import BinaryIO, NamedTuple, TypeAlias

from bgdesk.app import one_photo
from bgdesk.batch.model.values import BatchRecipe, Job, Outcome
from bgdesk.batch.outputs.placing import sweep
from bgdesk.batch.workers import photo_job
from bgdesk.batch.workers.memory import BASE, Cost, Where, admits, cost
from bgdesk.batch.workers.photo_job import Computed, Engines, Loaded
from bgdesk.batch.workers.wire import Message, line, parse
from bgdesk.core.errors import BgdeskError
from bgdesk.core.tasks import Cancelled, CancelToken, Progress
from bgdesk.engine.runtime import allocator

log = logging.getLogger(__name__)

Say: TypeAlias = Callable[[Message], None]


class Ready(NamedTuple):
    """An engine that is ready for photos. kind: torch's name for its device. devices: how many of that kind this machine has."""

    engines: Engines
    kind: str = "cpu"
    devices: int = 1


#: Opens the engine of a recipe. Raises ModelError, DeviceError.
Open: TypeAlias = Callable[[BatchRecipe], Ready]

#: Seconds between two reports of one stage.
_REPORT = 0.1
#: Photos that may have been cut out and not be written yet; with more of them, computing waits.
_UNWRITTEN = 2
#: After so many photos freed memory goes back to the system whatever their size: what is kept comes to lie ever more scattered.
_TIDIED = 20
_NICER = 10


@dataclass(eq=False)
class _Hand:
    """A photo in hand. content: what its last stage made."""

    job: Job
    cost: Cost
    content: Job | Loaded | Computed | Outcome
    where: Where = Where.TAKEN
    token: CancelToken = field(default_factory=CancelToken)


@dataclass(frozen=True)
class _Lane:
    """name: of the stage, for the pool. takes, busy, gives: where a photo is before, in and after it."""

    name: str
    takes: Where
    busy: Where
    gives: Where | None


_LANES = (
    _Lane("load", Where.TAKEN, Where.LOADING, Where.READ),
    _Lane("compute", Where.READ, Where.COMPUTING, Where.CUT),
    _Lane("save", Where.CUT, Where.SAVING, None),
)


class Worker:
    """The lanes. say: tells the pool, from any thread. memory: bytes that this process may take, about."""

    def __init__(self, engines: Engines, say: Say, memory: int) -> None:
        self._engines, self._tell = engines, say
        self._budget = memory - BASE
        self._hands: dict[int, _Hand] = {}
        self._changed = threading.Condition()
        self._held = self._ended = False
        self._threads = [threading.Thread(target=self._run, args=(lane,), name=f"queue-{lane.name}", daemon=True) for lane in _LANES]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def take(self, job: Job) -> None:
        hand = _Hand(job, cost(job.source, job.recipe), job)
        with self._changed:
            self._hands[job.id] = hand
            self._changed.notify_all()

    def allow(self, memory: int) -> None:
        with self._changed:
            self._budget = memory - BASE
            self._changed.notify_all()

    def hold(self, held: bool) -> None:
        """Begin no stage, and pause those that have begun, at their next report."""
        with self._changed:
            self._held = held
            self._changed.notify_all()

    def cancel(self, ids: list[int], begun: bool = True) -> None:
        """What waits is given back at once, what is in a stage when it next asks. begun: what is cut out, or nearly, too."""
        with self._changed:
            for id in ids:
                hand = self._hands.get(id)
                if hand is None or (hand.where > Where.READ and not begun):
                    continue
                hand.token.cancel()
                if hand.where in (Where.TAKEN, Where.READ, Where.CUT):
                    self._drop(hand, {"said": "returned", "id": id})
            self._changed.notify_all()

    def end(self, say: bool) -> None:
        """Stop as soon as can be, without waiting for the engine; no output is left half-written.

        say: give back what is in hand. Without, there is nobody left to give it to, and whoever begins next must not meet us.
        """
        with self._changed:
            self._ended = True
            self._changed.notify_all()
        saving = self._threads[-1]
        if say and saving.is_alive():
            saving.join(1.0)  # it stops at its next report, and clears up after itself
        with self._changed:
            for hand in list(self._hands.values()):
                sweep(hand.job.staged)
                if say:
                    self._tell({"said": "returned", "id": hand.job.id})
            self._hands.clear()

    # --- lanes ---

    def _run(self, lane: _Lane) -> None:
        done = 0
        while (hand := self._next(lane)) is not None:
            self._step(hand, lane)
            pixels, done = hand.cost.pixels, done + 1
            del hand  # let go of its arrays while waiting for the next one
            if done % _TIDIED:
                allocator.settle(pixels)
            else:
                allocator.trim()

    def _next(self, lane: _Lane) -> _Hand | None:
        """The oldest photo that is ready for this lane, once it may begin; None when all is over."""
        with self._changed:
            while not self._ended:
                hand = None if self._held else self._ready(lane)
                if hand is not None:
                    hand.where = lane.busy
                    self._tell({"said": "stage", "id": hand.job.id, "stage": lane.name})
                    self._changed.notify_all()  # its place in the lane before is free
                    return hand
                self._changed.wait()
        return None

    def _ready(self, lane: _Lane) -> _Hand | None:
        hand = next((hand for hand in self._hands.values() if hand.where is lane.takes), None)
        if hand is None:
            return None
        if lane.name == "load":
            begun = [other for other in self._hands.values() if other.where > Where.TAKEN]
            if any(other.where is Where.READ for other in begun):  # one ahead is enough
                return None
            return hand if admits(((other.cost, other.where) for other in begun), hand.cost, self._budget) else None
        if lane.name == "compute" and sum(other.where >= Where.CUT for other in self._hands.values()) >= _UNWRITTEN:
            return None
        return hand

    def _step(self, hand: _Hand, lane: _Lane) -> None:
        id, source = hand.job.id, hand.job.source
        try:
            self._work(hand, lane)
        except Cancelled:
            self._finish(hand, {"said": "returned", "id": id})
        except (BgdeskError, MemoryError) as error:
            self._finish(hand, {"said": "failed", "id": id, "error": one_photo.failure(source, error)})
        except Exception as error:  # whatever it is, it must not cost the other photos
            log.error("%s: an unforeseen failure", source, exc_info=error)
            self._finish(hand, {"said": "failed", "id": id, "error": one_photo.failure(source, error)})

    def _work(self, hand: _Hand, lane: _Lane) -> None:
        progress, content = self._progress(hand), hand.content
        if isinstance(content, Job):
            hand.content = photo_job.load(content, progress)
        elif isinstance(content, Loaded):
            hand.content = photo_job.compute(content, self._engines, progress)
        elif isinstance(content, Computed):
            outcome = photo_job.finish(content, progress)
            self._finish(hand, {"said": "written", "id": hand.job.id, "outcome": outcome.to_json()})
            return
        with self._changed:
            if lane.gives is not None:
                hand.where = lane.gives
            self._tell({"said": "stage", "id": hand.job.id, "stage": ""})
            self._changed.notify_all()

    def _finish(self, hand: _Hand, message: Message) -> None:
        with self._changed:
            if not self._ended:
                self._drop(hand, message)
            self._changed.notify_all()

    def _drop(self, hand: _Hand, message: Message) -> None:
        """The photo is not ours any more; under the lock, so that it is said exactly once."""
        if self._hands.pop(hand.job.id, None) is not None:
            self._tell(message)

    def _progress(self, hand: _Hand) -> Progress:
        last, latest = "", 0.0

        def progress(stage: str, fraction: float) -> None:
            nonlocal last, latest
            with self._changed:
                while self._held and not (self._ended or hand.token.cancelled):
                    self._changed.wait()
                if self._ended:
                    raise Cancelled
            hand.token.check()
            now = time.monotonic()
            if stage != last or now - latest >= _REPORT:
                last, latest = stage, now
                self._tell({"said": "progress", "id": hand.job.id, "stage": stage, "fraction": fraction})

        return progress


def open_engine(recipe: BatchRecipe) -> Ready:
    """The engine of a recipe, warm. Raises ModelError, DeviceError."""
    from bgdesk.engine.networks.device import choose, count, probe
    from bgdesk.engine.pipeline import Pipeline

    engines = photo_job.open_engines(recipe)
    engine = engines(recipe.model).engine
    assert isinstance(engine, Pipeline)
    status = engine.warm()
    if status.instead_of or status.device.startswith("CPU"):
        return Ready(engines)
    kind = choose(probe(), recipe.device, recipe.precision).kind
    return Ready(engines, kind, count(kind))


def main(open: Open = open_engine) -> int:
    """Serve the pool at the other end of stdin and stdout until it says end, or is gone."""
    pool, out = _wires()
    speaking = threading.Lock()

    def say(message: Message) -> None:
        with speaking, suppress(OSError):  # a pool that is gone hears nothing; stdin will tell
            out.write(line(message))
            out.flush()

    logging.basicConfig(level=logging.WARNING)
    with suppress(OSError, ValueError, AttributeError):
        faulthandler.enable(2)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is for the program, which says what becomes of the photo in hand
    if hasattr(os, "nice"):
        os.nice(_NICER)  # on Windows the pool starts us that way
    messages = (message for message in map(parse, pool) if message is not None)
    start = next(messages, None)
    if start is not None:
        serve(start, messages, say, open)
    # Not by way of the interpreter's end: that would wait for threads, and the engine may be in the middle of a photo.
    os._exit(0)


def serve(start: Message, messages: Iterator[Message], say: Say, open: Open) -> None:
    recipe, worker = BatchRecipe.from_json(start["recipe"]), list[Worker]()
    early: list[Message] = []  # what came while the engine was opened
    lock = threading.Lock()

    def begin() -> None:
        try:
            ready = open(recipe)
        except BgdeskError as error:
            say({"said": "lost", "error": str(error)})
            return
        except Exception as error:
            log.error("the engine could not be opened", exc_info=error)
            said = next(iter(str(error).splitlines()), "") or type(error).__name__
            say({"said": "lost", "error": f"The engine could not be started: {said.rstrip('.')}. To see what is wrong: bgdesk doctor"})
            return
        with lock:
            worker.append(Worker(ready.engines, say, start["memory"]))
            worker[0].start()
            say({"said": "ready", "kind": ready.kind, "devices": ready.devices})
            for message in early:
                _obey(worker[0], message)

    # Not on this thread: it watches over the end of stdin.
    threading.Thread(target=begin, name="queue-open", daemon=True).start()
    for message in messages:
        with lock:
            if message.get("do") == "end":
                break
            if worker:
                _obey(worker[0], message)
            else:
                early.append(message)
    else:
        message = {}
    with lock:
        for each in worker:
            each.end(say=message.get("do") == "end")


def _obey(worker: Worker, message: Message) -> None:
    match message.get("do"):
        case "job":
            worker.take(Job.from_json(message["job"]))
        case "hold":
            worker.hold(message["held"])
        case "cancel":
            worker.cancel(message["ids"], message["begun"])
        case "memory":
            worker.allow(message["memory"])


def _wires() -> tuple[BinaryIO, BinaryIO]:
    """(from the pool, to the pool): copies of stdin and stdout that no library knows of. What is printed goes to stderr."""
    pool, out = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return pool, out
