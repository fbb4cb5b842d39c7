"""Workers on this machine: a child process, or one for each GPU. Started, fed, watched, and replaced when they die."""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Container, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from bgdesk.batch.model.pool import PoolEvents
from bgdesk.batch.model.values import BatchRecipe, Job, Outcome
from bgdesk.batch.outputs.placing import sweep
from bgdesk.batch.workers.memory import default_memory
from bgdesk.batch.workers.wire import Message, line, parse

log = logging.getLogger(__name__)

#: Photos in one worker's hands: one being written, one computed, one read ahead, and one more, so that none is waited for.
IN_HAND = 4
#: A worker that dies so often without having done anything is not started again.
_TRIES = 2
_POLITE = (signal.SIGTERM, signal.SIGINT, getattr(signal, "SIGHUP", signal.SIGTERM))
_TAIL = 30  # last lines of a worker's stderr that are kept
_VISIBLE = {"cuda": "CUDA_VISIBLE_DEVICES", "xpu": "ZE_AFFINITY_MASK"}

_Call = Callable[[], None]


@dataclass(eq=False)
class _Hand:
    """A job in a worker's hands. stage: the one that it is in, "" while it waits."""

    job: Job
    stage: str = ""


class LocalPool:
    """A Pool (see pool.Pool) of child processes; it starts at once, so that the engine is ready when the first job comes.

    jobs: how many workers; None: one, or one for each GPU if there are several. memory: most bytes that all of them may take
    together, about; None: half of the machine's. command: what to start in place of `bgdesk _worker`. environment: variables
    that the workers get beside ours.
    """

    def __init__(
        self,
        events: PoolEvents,
        recipe: BatchRecipe,
        *,
        jobs: int | None = None,
        memory: int | None = None,
        command: Sequence[str] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._events, self._recipe, self._jobs = events, recipe, jobs
        self._memory = memory or default_memory()
        self._command, self._environment = list(command or own_command()), dict(environment or {})
        self._wanted = max(1, jobs or 1)
        self._kind, self._devices = "", 0  # until the first worker has looked
        self._lock = threading.Lock()
        self._waiting: deque[tuple[Job, bool]] = deque()
        self._children: dict[int, _Child] = {}
        self._fruitless: dict[int, int] = {}
        self._given_up: set[int] = set()
        self._held = self._closed = False
        # Told on a thread of its own: a listener may hold a lock while it calls us, and must not hear from us then.
        self._news: SimpleQueue[_Call | None] = SimpleQueue()
        self._teller = threading.Thread(target=self._deliver, name="queue-news", daemon=True)
        self._teller.start()
        with self._lock:
            self._fill()

    @property
    def capacity(self) -> int:
        with self._lock:
            return IN_HAND * max(1, self._wanted - len(self._given_up))

    def submit(self, job: Job, alone: bool = False) -> None:
        with self._lock:
            if not self._closed:
                self._waiting.append((job, alone))
                self._fill()
                return
        self._events.returned(job.id)

    def hold(self, held: bool) -> None:
        with self._lock:
            self._held = held
            for child in self._children.values():
                child.say({"do": "hold", "held": held})

    def cancel(self, ids: Sequence[int], begun: bool = True) -> None:
        wanted = set(ids)
        with self._lock:
            self._give_back(wanted)
            for child in self._children.values():
                held = [id for id in child.hands if id in wanted]
                if held:
                    child.say({"do": "cancel", "ids": held, "begun": begun})

    def close(self, wait: float = 10.0) -> None:
        with self._lock:
            self._closed = True
            self._give_back()
            children = list(self._children.values())
            for child in children:
                child.end()
        deadline = time.monotonic() + wait
        for child in children:
            if not child.ended(deadline - time.monotonic()):
                child.kill()
                child.ended(5.0)
        self._news.put(None)
        if threading.current_thread() is not self._teller:
            self._teller.join(5.0)

    def _deliver(self) -> None:
        while (call := self._news.get()) is not None:
            try:
                call()
            except Exception as error:  # a listener's mistake must not cost the other photos
                log.error("a listener of the pool failed", exc_info=error)

    # --- under the lock ---

    def _tell(self, event: Callable[..., None], *said: object) -> None:
        self._news.put(partial(event, *said))

    def _give_back(self, ids: Container[int] | None = None) -> None:
        """What waits: all of it, or these."""
        for each in [each for each in self._waiting if ids is None or each[0].id in ids]:
            self._waiting.remove(each)
            self._tell(self._events.returned, each[0].id)

    def _fill(self) -> None:
        """Start the workers that lack, and give them what waits."""
        for number in range(self._wanted if self._devices else 1):
            if number in self._children or number in self._given_up or self._closed:
                continue
            try:
                self._children[number] = _Child(number, self._command, self._variables(number), self._heard, self._died)
            except OSError as error:
                self._lose(number, f"A worker could not be started: {error.strerror or error}. Check the memory, and try again.")
                return
            start = {"do": "start", "recipe": self._recipe.to_json(), "memory": self._memory // self._wanted}
            self._children[number].say(start)
            if self._held:
                self._children[number].say({"do": "hold", "held": True})
        ready = [child for child in self._children.values() if child.ready and not child.alone]
        single = next((each for each in self._waiting if each[1]), None)
        if single is not None and ready:
            # The one that is emptiest takes nothing more until it is empty, and then this job.
            child = min(ready, key=lambda each: len(each.hands))
            ready.remove(child)
            if not child.hands:
                self._waiting.remove(single)
                child.alone = True
                child.take(single[0])
        common = deque(each for each in self._waiting if not each[1])
        while common and (free := [child for child in ready if len(child.hands) < IN_HAND]):
            each = common.popleft()
            self._waiting.remove(each)
            min(free, key=lambda child: len(child.hands)).take(each[0])

    def _variables(self, number: int) -> dict[str, str]:
        """The environment of a worker."""
        variables = {**_SPARING, **os.environ, **self._environment}
        root = Path(__file__).resolve().parents[3]
        if (root / "pyproject.toml").is_file():  # a checkout need not be installed
            variables["PYTHONPATH"] = os.pathsep.join(filter(None, (str(root), variables.get("PYTHONPATH"))))
        if self._jobs is not None and self._jobs > 1:
            variables.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // self._jobs)))
        name = _VISIBLE.get(self._kind)
        if name is not None and self._devices > 1:
            visible = [each for each in variables.get(name, "").split(",") if each] or [str(each) for each in range(self._devices)]
            variables[name] = visible[number % len(visible)]
        return variables

    def _share(self, kind: str, devices: int) -> None:
        """A worker has found so many devices of its kind. One that was given a device of its own sees but that."""
        if devices <= self._devices:
            return
        self._kind, self._devices = kind, devices
        if self._jobs is None:
            self._wanted = devices
            for child in self._children.values():
                child.say({"do": "memory", "memory": self._memory // devices})

    def _lose(self, number: int, error: str) -> None:
        """This worker is not started again. If no other one works, no photo can be done at all."""
        self._fruitless.pop(number, None)
        if any(child.ready for child in self._children.values()):
            log.warning("%s", error)
            self._given_up.add(number)
            return
        self._given_up.clear()  # the next job that is submitted is another beginning
        self._tell(self._events.lost, error)
        self._give_back()

    # --- what the workers say; each on its own thread ---

    def _heard(self, child: "_Child", message: Message) -> None:
        said, id = message.get("said"), message.get("id")
        with self._lock:
            hand = child.hands.get(id) if isinstance(id, int) else None
            if said == "ready":
                child.ready = True
                self._share(message["kind"], message["devices"])
                self._fill()
            elif said == "lost":
                child.lost = str(message["error"])
                child.end()
            elif hand is None:
                log.info("a worker said %s of a photo that it does not have", said)
            elif said == "stage":
                hand.stage = message["stage"]
            elif said == "progress":
                self._tell(self._events.progressed, hand.job.id, message["stage"], float(message["fraction"]))
            elif said in ("written", "failed", "returned"):
                if said == "written":
                    self._tell(self._events.written, hand.job.id, Outcome.from_json(message["outcome"]))
                elif said == "failed":
                    self._tell(self._events.failed, hand.job.id, str(message["error"]))
                else:
                    self._tell(self._events.returned, hand.job.id)
                del child.hands[hand.job.id]
                child.alone = False
                self._fruitless.pop(child.number, None)
                self._fill()

    def _died(self, child: "_Child", status: int) -> None:
        for hand in child.hands.values():
            sweep(hand.job.staged)
        with self._lock:
            self._children.pop(child.number, None)
            how = words_for(status)
            # Somebody who ends the worker politely (a system that shuts down) says nothing of the photo.
            innocent = self._closed or -status in _POLITE
            blamed = [] if innocent else [hand for hand in child.hands.values() if hand.stage]
            freed = [hand for hand in child.hands.values() if hand not in blamed]
            if not self._closed:
                self._mourn(child, how, fruitless=not blamed and (not child.ready or bool(freed)))
            for hand in blamed:
                self._tell(self._events.crashed, hand.job.id, _blame(hand, how))
            for hand in freed:
                self._tell(self._events.returned, hand.job.id)
            if self._waiting:
                self._fill()

    def _mourn(self, child: "_Child", how: str, fruitless: bool) -> None:
        if child.lost:
            self._lose(child.number, child.lost)
            return
        log.warning("%s", "\n".join([f"A worker {how}.", *child.tail]))
        if fruitless:
            tries = self._fruitless[child.number] = self._fruitless.get(child.number, 0) + 1
            if tries >= _TRIES:
                last = f" ({child.tail[-1]})" if child.tail else ""
                self._lose(child.number, f"The worker {how} before it could do anything{last}. To see what is wrong: bgdesk doctor")


class _Child:
    """One worker process and the threads at its pipes. Its state belongs to the pool, under the pool's lock."""

    def __init__(
        self,
        number: int,
        command: Sequence[str],
        variables: Mapping[str, str],
        heard: Callable[["_Child", Message], None],
        died: Callable[["_Child", int], None],
    ) -> None:
        self.number = number
        self.hands: dict[int, _Hand] = {}
        self.ready = self.alone = False
        self.lost = ""
        self.tail: deque[str] = deque(maxlen=_TAIL)
        self._heard, self._died = heard, died
        self._outbox: SimpleQueue[bytes | None] = SimpleQueue()
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, env=variables, **_APART)
        self._errors = threading.Thread(target=self._collect, name=f"worker-{number}-errors", daemon=True)
        self._reader = threading.Thread(target=self._read, name=f"worker-{number}", daemon=True)
        for thread in (self._errors, self._reader, threading.Thread(target=self._write, name=f"worker-{number}-out", daemon=True)):
            thread.start()

    def say(self, message: Message) -> None:
        """Never waits: a worker that does not listen must not stop whoever speaks."""
        self._outbox.put(line(message))

    def take(self, job: Job) -> None:
        self.hands[job.id] = _Hand(job)
        self.say({"do": "job", "job": job.to_json()})

    def end(self) -> None:
        self.say({"do": "end"})
        self._outbox.put(None)

    def kill(self) -> None:
        self._process.kill()

    def ended(self, wait: float) -> bool:
        """Whether it has died within so many seconds and all of that was told."""
        if threading.current_thread() is self._reader:  # whoever closes the pool was called by it
            return True
        self._reader.join(max(0.0, wait))
        return not self._reader.is_alive()

    def _write(self) -> None:
        stream = self._process.stdin
        assert stream is not None
        with suppress(OSError, ValueError):  # it is dead; the reader will see
            while (data := self._outbox.get()) is not None:
                stream.write(data)
                stream.flush()
        with suppress(OSError, ValueError):
            stream.close()

    def _collect(self) -> None:
        stream = self._process.stderr
        assert stream is not None
        with stream:
            for data in stream:
                text = data.decode("utf-8", "replace").rstrip()
                self.tail.append(text)
                log.info("worker: %s", text)

    def _read(self) -> None:
        stream = self._process.stdout
        assert stream is not None
        with stream:
            for data in stream:
                message = parse(data)
                if message is None:
                    log.info("a worker said something that is no message: %r", data[:200])
                    continue
                try:
                    self._heard(self, message)
                except (KeyError, TypeError, ValueError):
                    log.info("a worker said something that makes no sense: %r", data[:200])
        status = self._process.wait()
        self._errors.join(1.0)  # what it said last
        self._outbox.put(None)
        self._died(self, status)


def own_command() -> list[str]:
    """How this program starts a worker. -P: a file in the person's current folder must not pass for a library."""
    return [sys.executable, "_worker"] if getattr(sys, "frozen", False) else [sys.executable, "-P", "-m", "bgdesk", "_worker"]


def words_for(status: int) -> str:
    """How a process ended, to follow "The worker"."""
    if status >= 0:
        return f"ended with status {status}"
    name = f"signal {-status}"
    with suppress(ValueError):
        name = signal.Signals(-status).name
    return f"was killed ({name})" + (", as systems do when memory runs short" if name == "SIGKILL" else "")


def _blame(hand: _Hand, how: str) -> str:
    doing = {"load": "read", "compute": "cut out", "save": "written"}.get(hand.stage, "worked on")
    return f"it was being {doing} when the worker {how}"


#: glibc keeps freed memory by thread; with two arenas in all, a long queue takes hardly more than a short one. Others ignore it.
_SPARING: Mapping[str, str] = {"MALLOC_ARENA_MAX": "2"}

# Ctrl+C in a terminal goes to every process of a group: the worker has one of its own, and ends when it is told to.
_APART: dict[str, Any] = {"start_new_session": True}
if sys.platform == "win32":
    _APART = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW | subprocess.BELOW_NORMAL_PRIORITY_CLASS}
