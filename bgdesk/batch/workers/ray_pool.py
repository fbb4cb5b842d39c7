"""Workers on a Ray cluster: one actor for each GPU, or one for each machine where there is none.

Needed on every machine of the cluster: this very version of bgdesk with the networks that the recipe names, and the photos, the
folder for the outputs and the queue's folder under the same paths, on storage that they share. The journal stays here.
"""

import logging
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

# Before Ray is loaded: it would tell its makers how it is used. The second is only noise of a change to come.
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")

import ray
from ray.exceptions import ActorDiedError, NodeDiedError, OutOfMemoryError, RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from bgdesk import __version__
from bgdesk.batch.model.pool import PoolEvents
from bgdesk.batch.model.values import BatchRecipe, Job, Outcome
from bgdesk.batch.outputs.placing import sweep
from bgdesk.batch.workers.memory import default_memory
from bgdesk.batch.workers.wire import Message
from bgdesk.batch.workers.worker import Open, open_engine, serve

log = logging.getLogger(__name__)

#: Photos in one actor's hands, as in a worker's on this machine.
IN_HAND = 4
#: An actor that dies so often without having done anything is not replaced again.
_TRIES = 2
#: Seconds that an actor lets us wait for news: short enough for it to end, long enough to cost nothing.
_NEWS = 5.0
#: Bytes for objects that actors share, the least that Ray takes: photos never go that way.
_STORE = 80_000_000


@dataclass(frozen=True)
class Place:
    """Where an actor goes. node: its id in the cluster, None for any with a GPU. threads: for what it computes on processors."""

    node: str | None
    threads: int


def places(nodes: Sequence[Mapping[str, Any]], jobs: int | None) -> list[Place]:
    """One a GPU, or one a machine; `jobs` of them if that is given. nodes: as ray.nodes() has them; those that live count."""
    alive = [(str(node["NodeID"]), node.get("Resources", {})) for node in nodes if node.get("Alive")]
    gpus = int(sum(resources.get("GPU", 0) for _, resources in alive))
    cpus = {node: int(resources.get("CPU", 0)) for node, resources in alive if resources.get("CPU", 0) >= 1}
    if gpus:
        wanted = min(jobs or gpus, gpus)
        return [Place(None, max(1, sum(cpus.values()) // gpus))] * wanted
    seats: list[str] = [] if jobs else list(cpus)
    while cpus and len(seats) < (jobs or 0):
        # The machine with the most processors for each actor that it has.
        seats.append(max(cpus, key=lambda node: cpus[node] / (seats.count(node) + 1)))
    return [Place(node, max(1, cpus[node] // seats.count(node))) for node in seats]


class _Actor:
    """Runs in the cluster. What it is told goes to a worker's lanes, and what they say waits until it is fetched."""

    def __init__(self, start: Message, open: Open, version: str) -> None:
        self._inbox: SimpleQueue[Message | None] = SimpleQueue()
        self._outbox: SimpleQueue[Message] = SimpleQueue()
        if version != __version__:
            error = f"The cluster has bgdesk {__version__}, and this is {version}. Install the same on all machines."
            self._outbox.put({"said": "lost", "error": error})
            return

        def run() -> None:
            serve(start, iter(self._inbox.get, None), self._outbox.put, open)
            self._outbox.put({"said": "over"})

        threading.Thread(target=run, name="queue-serve", daemon=True).start()

    @ray.method(concurrency_group="told")
    def tell(self, message: Message) -> None:
        self._inbox.put(message)

    @ray.method(concurrency_group="asked")
    def news(self) -> list[Message]:
        """What was said since; waits for it a while."""
        found = []
        try:
            found.append(self._outbox.get(timeout=_NEWS))
            while True:
                found.append(self._outbox.get_nowait())
        except Empty:
            return found


@dataclass(eq=False)
class _Hand:
    """A job in an actor's hands. stage: the one that it is in, "" while it waits."""

    job: Job
    stage: str = ""


class _Seat:
    """One actor, as seen from here. Its state belongs to the pool, under the pool's lock."""

    def __init__(self, place: Place, handle: Any) -> None:
        self.place, self.handle = place, handle
        self.hands: dict[int, _Hand] = {}
        self.ready = self.alone = False
        self.lost = ""
        self.thread: threading.Thread | None = None

    def say(self, message: Message) -> None:
        try:
            self.handle.tell.remote(message)
        except Exception as error:  # the cluster is gone; who listens to the actor will see
            log.info("an actor could not be told: %s", error)

    def take(self, job: Job) -> None:
        self.hands[job.id] = _Hand(job)
        self.say({"do": "job", "job": job.to_json()})


class RayPool:
    """A Pool (see pool.Pool) of actors; it connects at once, on a thread of its own.

    address: of the cluster ("auto": the one that this machine belongs to); None starts one on this machine, for itself. jobs:
    how many actors; None: see `places`. open: opens the engine in an actor. memory: bytes for each actor, about; None: half of
    its machine's.
    """

    def __init__(
        self,
        events: PoolEvents,
        recipe: BatchRecipe,
        *,
        address: str | None = None,
        jobs: int | None = None,
        open: Open = open_engine,
        memory: int | None = None,
    ) -> None:
        self._events, self._recipe, self._address, self._jobs = events, recipe, address, jobs
        self._open, self._memory = open, memory
        self._lock = threading.Lock()
        self._waiting: deque[tuple[Job, bool]] = deque()
        self._seats: list[_Seat] = []
        self._wanted = max(1, jobs or 1)
        self._fruitless = 0
        self._held = self._closed = self._lost = False
        # Linux ends a process when the thread that started it is gone, and Ray asks for that: so the thread that starts a
        # cluster stays until `close`.
        self._begun, self._over = threading.Event(), threading.Event()
        self._beginnings: list[threading.Thread] = []
        self._again()

    def _again(self) -> None:
        """Begin; or after everything was lost, begin anew."""
        self._lost, self._fruitless = False, 0
        self._begun.clear()
        thread = threading.Thread(target=self._begin, name="ray-begin", daemon=True)
        self._beginnings.append(thread)
        thread.start()

    @property
    def capacity(self) -> int:
        with self._lock:
            return IN_HAND * max(1, self._wanted)

    def submit(self, job: Job, alone: bool = False) -> None:
        with self._lock:
            if not self._closed:
                self._waiting.append((job, alone))
                if self._lost and not self._seats and self._begun.is_set():
                    self._again()
                self._fill()
                return
        self._events.returned(job.id)

    def hold(self, held: bool) -> None:
        with self._lock:
            self._held = held
            for seat in self._seats:
                seat.say({"do": "hold", "held": held})

    def cancel(self, ids: Sequence[int], begun: bool = True) -> None:
        wanted = set(ids)
        with self._lock:
            freed = [each for each in self._waiting if each[0].id in wanted]
            for each in freed:
                self._waiting.remove(each)
            for seat in self._seats:
                held = [id for id in seat.hands if id in wanted]
                if held:
                    seat.say({"do": "cancel", "ids": held, "begun": begun})
        for job, _ in freed:
            self._events.returned(job.id)

    def close(self, wait: float = 10.0) -> None:
        deadline = time.monotonic() + wait
        with self._lock:
            self._closed = True
            freed, seats = [job for job, _ in self._waiting], list(self._seats)
            self._waiting.clear()
            for seat in seats:
                seat.say({"do": "end"})
        for job in freed:
            self._events.returned(job.id)
        self._begun.wait()
        for seat in seats:
            assert seat.thread is not None
            if seat.thread is threading.current_thread():
                continue
            if seat.ready:  # one that is still opening its engine hears nothing before
                seat.thread.join(max(0.0, deadline - time.monotonic()))
            _kill(seat)
            seat.thread.join()
        self._over.set()
        for thread in self._beginnings:
            thread.join()

    # --- beginning ---

    def _begin(self) -> None:
        ours = False
        try:
            ours = self._connect()
            with self._lock:
                found = places(ray.nodes(), self._jobs)  # type: ignore[no-untyped-call]
                self._wanted = len(found)
                if not self._closed:
                    for place in found:
                        self._hire(place)
            if not found:
                self._lose("The Ray cluster has no processors. Add a machine to it, and try again.")
        except Exception as error:  # Ray raises anything: ConnectionError, ValueError, RuntimeError, RayError
            log.info("no cluster", exc_info=error)
            said = next(iter(str(error).splitlines()), "") or type(error).__name__
            where = f"cluster at {self._address}" if self._address else "cluster on this machine"
            self._lose(f"The Ray {where} could not be reached: {said.rstrip('.')}. Check its address, and that it runs.")
        finally:
            self._begun.set()
        if ours:
            self._over.wait()
            ray.shutdown()

    def _connect(self) -> bool:
        """Whether the connection was made here, and is to be ended here."""
        if ray.is_initialized():
            return False
        logging.getLogger("ray").setLevel(logging.ERROR)
        # Whatever happens to an actor, Ray prints it on stdout too, which is for records; we say it ourselves.
        ray._private.worker._worker_logs_enabled = False
        quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR, "configure_logging": False}
        if self._address is not None:
            ray.init(self._address, **quiet)
            return True
        # Under an address of its own, a cluster lives on when the network changes. Its ports are open all the same: from 2.60 on,
        # Ray lets nobody in without the person's own token.
        address: dict[str, Any] = {"_node_ip_address": "127.0.0.2"} if sys.platform == "linux" else {}
        cpus = max(os.cpu_count() or 1, self._jobs or 1)
        ray.init("local", num_cpus=cpus, include_dashboard=False, object_store_memory=_STORE, **address, **quiet)
        return True

    def _hire(self, place: Place) -> None:
        """Start an actor. Under the lock. It works as soon as the cluster has room for it."""
        options: dict[str, Any] = {"num_cpus": place.threads, "max_restarts": 0}
        if place.node is None:
            options |= {"num_gpus": 1, "num_cpus": 1, "scheduling_strategy": "SPREAD"}
        else:
            options["scheduling_strategy"] = NodeAffinitySchedulingStrategy(place.node, soft=True)
        options["runtime_env"] = {"env_vars": _variables(place)}
        start = {"recipe": self._recipe.to_json(), "memory": self._memory or default_memory()}
        remote: Any = ray.remote  # its types do not know of concurrency groups
        actor = remote(concurrency_groups={"told": 1, "asked": 1})(_Actor).options(**options)
        seat = _Seat(place, actor.remote(start, self._open, __version__))
        if self._held:
            seat.say({"do": "hold", "held": True})
        seat.thread = threading.Thread(target=self._listen, args=(seat,), name="ray-actor", daemon=True)
        self._seats.append(seat)
        seat.thread.start()

    def _fill(self) -> None:
        """Give the actors what waits. Under the lock."""
        ready = [seat for seat in self._seats if seat.ready and not seat.alone]
        single = next((each for each in self._waiting if each[1]), None)
        if single is not None and ready:
            # The one that is emptiest takes nothing more until it is empty, and then this job.
            seat = min(ready, key=lambda each: len(each.hands))
            ready.remove(seat)
            if not seat.hands:
                self._waiting.remove(single)
                seat.alone = True
                seat.take(single[0])
        for each in [each for each in self._waiting if not each[1]]:
            free = [seat for seat in ready if len(seat.hands) < IN_HAND]
            if not free:
                return
            self._waiting.remove(each)
            min(free, key=lambda seat: len(seat.hands)).take(each[0])

    # --- what the actors say; each on its own thread ---

    def _listen(self, seat: _Seat) -> None:
        try:
            while True:
                for message in ray.get(seat.handle.news.remote()):
                    if message["said"] == "over":
                        _kill(seat)
                        return
                    self._heard(seat, message)
                    if seat.lost:
                        _kill(seat)
                        self._died(seat, seat.lost)
                        return
        except RayError as error:
            self._died(seat, _words(error))
        except Exception as error:  # the connection itself is gone
            self._died(seat, str(error))

    def _heard(self, seat: _Seat, message: Message) -> None:
        said, call = message["said"], None
        with self._lock:
            hand = seat.hands.get(message.get("id", -1))
            if said == "ready":
                seat.ready = True
                self._fill()
            elif said == "lost":
                seat.lost = str(message["error"])
            elif hand is not None and said == "stage":
                hand.stage = message["stage"]
            elif hand is not None:
                call = self._call(hand.job, message)
                if said in ("written", "failed", "returned"):
                    del seat.hands[hand.job.id]
                    seat.alone, self._fruitless = False, 0
                    self._fill()
        if call is not None:
            call()

    def _call(self, job: Job, message: Message) -> Callable[[], None] | None:
        events, id = self._events, job.id
        match message["said"]:
            case "progress":
                return lambda: events.progressed(id, message["stage"], float(message["fraction"]))
            case "written":
                outcome = Outcome.from_json(message["outcome"])
                return lambda: events.written(id, outcome)
            case "failed":
                return lambda: events.failed(id, str(message["error"]))
            case "returned":
                return lambda: events.returned(id)
        return None

    def _died(self, seat: _Seat, how: str) -> None:
        """An actor is gone: who was in it is told, and another one takes its place."""
        hands = list(seat.hands.values())
        for hand in hands:
            sweep(hand.job.staged)
        lost = ""
        with self._lock:
            if seat in self._seats:
                self._seats.remove(seat)
            # What it said last may be gone with it: then the photo that came first is the one that was begun.
            blamed = [hand for hand in hands if hand.stage] or hands[:1]
            if self._closed or seat.lost:
                blamed = []
            if not self._closed:
                if not seat.lost:
                    log.warning("an actor of the cluster died: %s", how)
                self._fruitless += not blamed
                if seat.lost or self._fruitless >= _TRIES:
                    lost = seat.lost or f"The actors of the cluster die before they can do anything: {how.rstrip('.')}. {_CHECK}"
                else:
                    try:
                        self._hire(seat.place)
                    except Exception as error:  # the cluster itself is gone
                        lost = f"The Ray cluster is gone: {error}. Start it, and resume."
        for hand in hands:
            if hand in blamed:
                self._events.crashed(hand.job.id, f"it was in an actor of the cluster when {how}")
            else:
                self._events.returned(hand.job.id)
        if lost:
            self._lose(lost)

    def _lose(self, error: str) -> None:
        """This actor is not replaced. If there is no other, no photo can be done at all."""
        with self._lock:
            if any(seat.ready for seat in self._seats):
                log.warning("%s", error)
                self._wanted -= 1
                return
            if self._closed:
                return
            self._lost = True
            freed = [job for job, _ in self._waiting]
            self._waiting.clear()
        self._events.lost(error)
        for job in freed:
            self._events.returned(job.id)


_CHECK = "Check that this version of bgdesk is installed on all of its machines, with its networks."


def _variables(place: Place) -> dict[str, str]:
    """Environment of an actor beside its machine's."""
    variables = {"OMP_NUM_THREADS": str(place.threads)}
    if os.environ.get("BGDESK_HOME"):
        variables["BGDESK_HOME"] = os.environ["BGDESK_HOME"]
    root = Path(__file__).resolve().parents[3]
    if (root / "pyproject.toml").is_file():  # a checkout need not be installed
        variables["PYTHONPATH"] = os.pathsep.join(filter(None, (str(root), os.environ.get("PYTHONPATH"))))
    return variables


def _kill(seat: _Seat) -> None:
    try:
        ray.kill(seat.handle)
    except Exception as error:  # it, or the whole cluster, is gone already
        log.info("an actor could not be ended: %s", error)


def _words(error: RayError) -> str:
    """What happened, without Ray's long story of what may have led to it; that goes to the log."""
    log.info("%s", error)
    if isinstance(error, OutOfMemoryError) or "memory monitor" in str(error).lower():
        return "its machine ran out of memory"
    if isinstance(error, NodeDiedError):
        return "its machine was lost"
    if isinstance(error, ActorDiedError) and "creation task" not in str(error):
        return "its process or its machine died"
    return next((line.strip().rstrip(".") for line in reversed(str(error).splitlines()) if line.strip()), type(error).__name__)
