"""Workers on a Ray cluster: one actor for each GPU, or one for each machine where there is none; `dispatcher` has their jobs.

Needed on every machine of the cluster: this very version of bgdesk with the networks that the recipe names, and the photos, the
folder for the outputs and the queue's folder under the same paths, on storage that they share. The journal stays here.
"""

import logging
import os
import sys
import threading
import time
from collections.abc import Mapping, Sequence
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
from bgdesk.batch.model.values import BatchRecipe, PhotoJob
from bgdesk.batch.workers.dispatcher import Death, Dispatcher, NoWorker, Say
from bgdesk.batch.workers.memory import default_memory
from bgdesk.batch.workers.wire import EngineLost, StartWork, ToWorker, WorkerReady, heard, line, told
from bgdesk.batch.workers.worker import OpenEngine, open_engine, serve

log = logging.getLogger(__name__)

#: Seconds that an actor lets us wait for news: short enough for it to end, long enough to cost nothing.
_NEWS = 5.0
#: Bytes for objects that actors share, the least that Ray takes: photos never go that way.
_STORE = 80_000_000


@dataclass(frozen=True)
class ActorPlace:
    """Where an actor goes."""

    node: str | None  #: its id in the cluster; None for any with a GPU
    threads: int  #: for what it computes on processors


def places(nodes: Sequence[Mapping[str, Any]], jobs: int | None) -> list[ActorPlace]:
    """One place a GPU, or one a machine; `jobs` of them if that is given. nodes: as ray.nodes() has them; those that live count."""
    alive = [(str(node["NodeID"]), node.get("Resources", {})) for node in nodes if node.get("Alive")]
    gpus = int(sum(resources.get("GPU", 0) for _, resources in alive))
    cpus = {node: int(resources.get("CPU", 0)) for node, resources in alive if resources.get("CPU", 0) >= 1}
    if gpus:
        wanted = min(jobs or gpus, gpus)
        return [ActorPlace(None, max(1, sum(cpus.values()) // gpus))] * wanted
    chosen: list[str] = [] if jobs else list(cpus)
    while cpus and len(chosen) < (jobs or 0):
        # The machine with the most processors for each actor that it has.
        chosen.append(max(cpus, key=lambda node: cpus[node] / (chosen.count(node) + 1)))
    return [ActorPlace(node, max(1, cpus[node] // chosen.count(node))) for node in chosen]


class _Actor:
    """Runs in the cluster. What it is told goes to a worker's lanes, and what they say waits until it is fetched. Both as lines."""

    def __init__(self, start: bytes, open: OpenEngine, version: str) -> None:
        self._inbox: SimpleQueue[bytes | None] = SimpleQueue()
        self._outbox: SimpleQueue[bytes | None] = SimpleQueue()
        if version != __version__:
            error = f"The cluster has bgdesk {__version__}, and this is {version}. Install the same on all machines."
            self._outbox.put(line(EngineLost(error)))
            return

        def run() -> None:
            begin = told(start)
            assert isinstance(begin, StartWork)
            messages = (message for message in map(told, iter(self._inbox.get, None)) if message is not None)
            serve(begin, messages, lambda message: self._outbox.put(line(message)), open)
            self._outbox.put(None)

        threading.Thread(target=run, name="queue-serve", daemon=True).start()

    @ray.method(concurrency_group="told")
    def tell(self, message: bytes) -> None:
        self._inbox.put(message)

    @ray.method(concurrency_group="asked")
    def news(self) -> list[bytes | None]:
        """What was said since; waits for it a while. None: nothing more will be."""
        found = []
        try:
            found.append(self._outbox.get(timeout=_NEWS))
            while True:
                found.append(self._outbox.get_nowait())
        except Empty:
            return found


class _RemoteActor:
    """One actor, as seen from here."""

    def __init__(self, handle: Any) -> None:
        self.handle = handle
        self.ready = False
        self.thread: threading.Thread | None = None

    def say(self, message: ToWorker) -> None:
        try:
            self.handle.tell.remote(line(message))
        except Exception as error:  # the cluster is gone; the thread that listens to the actor will see
            log.info("an actor could not be told: %s", error)

    def kill(self) -> None:
        try:
            ray.kill(self.handle)
        except Exception as error:  # it, or the whole cluster, is gone already
            log.info("an actor could not be ended: %s", error)


class RayPool:
    """A Pool (see pool.Pool) of actors; it connects at once, on a thread of its own."""

    def __init__(
        self,
        events: PoolEvents,
        recipe: BatchRecipe,
        *,
        address: str | None = None,
        jobs: int | None = None,
        open: OpenEngine = open_engine,
        memory: int | None = None,
    ) -> None:
        """
        Parameters
        ----------
        events
            Is told what becomes of the jobs.
        recipe
            Of the engine that the actors open.
        address
            Of the cluster ("auto": the one that this machine belongs to); None starts one on this machine, for itself.
        jobs
            How many actors; None: see `places`.
        open
            Opens the engine in an actor.
        memory
            Bytes for each actor, about; None: half of its machine's.
        """
        self._recipe, self._address, self._jobs = recipe, address, jobs
        self._open, self._memory = open, memory
        self._dispatcher = Dispatcher(events, self._hire)
        self._places: list[ActorPlace] = []
        self._actors: dict[int, _RemoteActor] = {}
        self._lock = threading.Lock()  # over the two below
        self._closed = False
        # Linux ends a process when the thread that started it is gone, and Ray asks for that: so the thread that starts a
        # cluster stays until `close`.
        self._beginnings: list[threading.Thread] = []
        self._begun, self._over = threading.Event(), threading.Event()
        with self._lock:
            self._begin()

    @property
    def capacity(self) -> int:
        return self._dispatcher.capacity

    def submit(self, job: PhotoJob, alone: bool = False) -> None:
        with self._lock:
            if self._begun.is_set() and not self._dispatcher.workers and not self._closed:  # the cluster was lost, or is another now
                self._begin()
        self._dispatcher.submit(job, alone)

    def pause(self, paused: bool) -> None:
        self._dispatcher.pause(paused)

    def cancel(self, ids: Sequence[int], begun: bool = True) -> None:
        self._dispatcher.cancel(ids, begun)

    def close(self, wait: float = 10.0) -> None:
        deadline = time.monotonic() + wait
        with self._lock:
            self._closed = True
        self._dispatcher.close()
        self._begun.wait()
        for actor in list(self._actors.values()):
            assert actor.thread is not None
            if actor.ready:  # one that is still opening its engine hears nothing before
                actor.thread.join(max(0.0, deadline - time.monotonic()))
            actor.kill()
            actor.thread.join()
        self._dispatcher.finish()
        self._over.set()
        for thread in self._beginnings:
            thread.join()

    # --- the cluster ---

    def _begin(self) -> None:
        """Connect, and hire actors. Under our lock."""
        self._dispatcher.want(0)  # until it is known where they go
        self._begun.clear()
        thread = threading.Thread(target=self._look_around, name="ray-begin", daemon=True)
        self._beginnings.append(thread)
        thread.start()

    def _look_around(self) -> None:
        ours = False
        try:
            ours = self._connect()
            self._places = places(ray.nodes(), self._jobs)  # type: ignore[no-untyped-call]
            if self._places:
                self._dispatcher.want(len(self._places))
            else:
                self._dispatcher.lose("The Ray cluster has no processors. Add a machine to it, and try again.")
        except Exception as error:  # Ray raises anything: ConnectionError, ValueError, RuntimeError, RayError
            log.info("no cluster", exc_info=error)
            said = next(iter(str(error).splitlines()), "") or type(error).__name__
            where = f"cluster at {self._address}" if self._address else "cluster on this machine"
            self._dispatcher.lose(f"The Ray {where} could not be reached: {said.rstrip('.')}. Check its address, and that it runs.")
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

    # --- actors ---

    def _hire(self, number: int) -> Say:
        """Start an actor, for the dispatcher. It works as soon as the cluster has room for it."""
        place = self._places[number]
        options: dict[str, Any] = {"num_cpus": place.threads, "max_restarts": 0}
        if place.node is None:
            options |= {"num_gpus": 1, "num_cpus": 1, "scheduling_strategy": "SPREAD"}
        else:
            options["scheduling_strategy"] = NodeAffinitySchedulingStrategy(place.node, soft=True)
        options["runtime_env"] = {"env_vars": _variables(place)}
        start = line(StartWork(self._recipe, self._memory or default_memory()))
        remote: Any = ray.remote  # its types do not know of concurrency groups
        try:
            handle = remote(concurrency_groups={"told": 1, "asked": 1})(_Actor).options(**options).remote(start, self._open, __version__)
        except Exception as error:  # Ray raises anything
            raise NoWorker(f"The Ray cluster is gone: {error}. Start it, and resume.") from error
        actor = self._actors[number] = _RemoteActor(handle)
        actor.thread = threading.Thread(target=self._listen, args=(number, actor), name="ray-actor", daemon=True)
        actor.thread.start()
        return actor.say

    def _listen(self, number: int, actor: _RemoteActor) -> None:
        """Pass on what an actor says, on a thread of its own, until it ends."""
        try:
            while self._pass_on(number, actor, ray.get(actor.handle.news.remote())):
                pass
            how = "it ended"
        except RayError as error:
            how = _words(error)
        except Exception as error:  # the connection itself is gone
            how = str(error)
        actor.kill()
        useless = f"The actors of the cluster die before they can do anything: {how.rstrip('.')}. {_CHECK}"
        self._dispatcher.died(number, Death(how=how, report=f"an actor of the cluster died: {how}", useless=useless, uncertain=True))

    def _pass_on(self, number: int, actor: _RemoteActor, news: Sequence[bytes | None]) -> bool:
        """Whether the actor has more to say."""
        for data in news:
            message = None if data is None else heard(data)
            if message is None:
                return False
            actor.ready |= isinstance(message, WorkerReady)
            self._dispatcher.heard(number, message)
            if isinstance(message, EngineLost):
                return False
        return True


_CHECK = "Check that this version of bgdesk is installed on all of its machines, with its networks."


def _variables(place: ActorPlace) -> dict[str, str]:
    """Environment of an actor beside its machine's."""
    variables = {"OMP_NUM_THREADS": str(place.threads)}
    if os.environ.get("BGDESK_HOME"):
        variables["BGDESK_HOME"] = os.environ["BGDESK_HOME"]
    root = Path(__file__).resolve().parents[3]
    if (root / "pyproject.toml").is_file():  # a checkout need not be installed
        variables["PYTHONPATH"] = os.pathsep.join(filter(None, (str(root), os.environ.get("PYTHONPATH"))))
    return variables


def _words(error: RayError) -> str:
    """What happened, without Ray's long story of what may have led to it; that goes to the log."""
    log.info("%s", error)
    if isinstance(error, OutOfMemoryError):
        return "its machine ran out of memory"
    if isinstance(error, NodeDiedError):
        return "its machine was lost"
    if isinstance(error, ActorDiedError) and not error.actor_init_failed:
        return "its process or its machine died"
    return next((line.strip().rstrip(".") for line in reversed(str(error).splitlines()) if line.strip()), type(error).__name__)
