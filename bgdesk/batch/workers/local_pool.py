"""Workers on this machine: a child process, or one for each GPU. Started, spoken to, and watched; `dispatcher` has their jobs."""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from bgdesk.batch.model.pool import PoolEvents
from bgdesk.batch.model.values import BatchRecipe, PhotoJob
from bgdesk.batch.workers.dispatcher import Death, Dispatcher, NoWorker, Say
from bgdesk.batch.workers.memory import default_memory
from bgdesk.batch.workers.wire import EndWork, FromWorker, SetMemory, StartWork, ToWorker, WorkerReady, heard, line

log = logging.getLogger(__name__)

_POLITE = (signal.SIGTERM, signal.SIGINT, getattr(signal, "SIGHUP", signal.SIGTERM))
_TAIL = 30  # last lines of a worker's stderr that are kept
_VISIBLE = {"cuda": "CUDA_VISIBLE_DEVICES", "xpu": "ZE_AFFINITY_MASK"}


class LocalPool:
    """A Pool (see pool.Pool) of child processes; it starts at once, so that the engine is ready when the first job comes."""

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
        """
        Parameters
        ----------
        events
            Is told what becomes of the jobs.
        recipe
            Of the engine that the workers open.
        jobs
            How many workers; None: one, or one for each GPU if there are several.
        memory
            Bytes that all workers together may take, about; None: half of the machine's.
        command
            What to start in place of `bgdesk _worker`.
        environment
            Variables that the workers get in addition to ours.
        """
        self._recipe, self._jobs, self._memory = recipe, jobs, memory or default_memory()
        self._command, self._environment = list(command or own_command()), dict(environment or {})
        self._kind, self._devices = "", 0  # until the first worker has looked
        self._children: dict[int, _Child] = {}
        self._dispatcher = Dispatcher(events, self._start)
        self._dispatcher.want(1)

    @property
    def capacity(self) -> int:
        return self._dispatcher.capacity

    def submit(self, job: PhotoJob, alone: bool = False) -> None:
        self._dispatcher.submit(job, alone)

    def pause(self, paused: bool) -> None:
        self._dispatcher.pause(paused)

    def cancel(self, ids: Sequence[int], begun: bool = True) -> None:
        self._dispatcher.cancel(ids, begun)

    def close(self, wait: float = 10.0) -> None:
        self._dispatcher.close()
        deadline = time.monotonic() + wait
        for child in list(self._children.values()):
            if not child.ended(deadline - time.monotonic()):
                child.kill()
                child.ended(5.0)
        self._dispatcher.finish()

    # --- for the dispatcher ---

    def _start(self, number: int) -> Say:
        heard, died = partial(self._heard, number), partial(self._died, number)
        try:
            child = self._children[number] = _Child(number, self._command, self._variables(number), heard, died)
        except OSError as error:
            raise NoWorker(f"A worker could not be started: {error.strerror or error}. Check the memory, and try again.") from error
        child.say(StartWork(self._recipe, self._memory // (self._jobs or self._devices or 1)))
        return child.say

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

    # --- what the workers say; each on its own thread ---

    def _heard(self, number: int, message: FromWorker) -> None:
        if isinstance(message, WorkerReady):
            self._found(message)
        self._dispatcher.heard(number, message)

    def _found(self, ready: WorkerReady) -> None:
        """A worker has counted the devices of its kind. One that was given a device of its own sees only that."""
        if ready.devices <= self._devices:
            return
        self._kind, self._devices = ready.kind, ready.devices
        self._dispatcher.want(self._jobs or ready.devices)
        if self._jobs is None:
            self._dispatcher.tell_all(SetMemory(self._memory // ready.devices))

    def _died(self, number: int, status: int, tail: Sequence[str]) -> None:
        how = words_for(status)
        last = f" ({tail[-1]})" if tail else ""
        death = Death(
            how=f"the worker {how}",
            report="\n".join([f"A worker {how}.", *tail]),
            useless=f"The worker {how} before it could do anything{last}. To see what is wrong: bgdesk doctor",
            innocent=-status in _POLITE,
        )
        self._dispatcher.died(number, death)


class _Child:
    """One worker process and the threads at its pipes."""

    def __init__(
        self,
        number: int,
        command: Sequence[str],
        variables: Mapping[str, str],
        heard: Callable[[FromWorker], None],
        died: Callable[[int, Sequence[str]], None],
    ) -> None:
        """died: told the exit status (negative for a signal) and the last lines of stderr. Raises OSError."""
        self._tail: deque[str] = deque(maxlen=_TAIL)
        self._heard, self._died = heard, died
        self._outbox: SimpleQueue[bytes | None] = SimpleQueue()
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, env=variables, **_APART)
        self._errors = threading.Thread(target=self._collect, name=f"worker-{number}-errors", daemon=True)
        self._reader = threading.Thread(target=self._read, name=f"worker-{number}", daemon=True)
        for thread in (self._errors, self._reader, threading.Thread(target=self._write, name=f"worker-{number}-out", daemon=True)):
            thread.start()

    def say(self, message: ToWorker) -> None:
        """Never waits: a worker that does not listen must not stop whoever speaks."""
        self._outbox.put(line(message))
        if isinstance(message, EndWork):
            self._outbox.put(None)

    def kill(self) -> None:
        self._process.kill()

    def ended(self, wait: float) -> bool:
        """Whether it has died within so many seconds and all of that was told."""
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
                self._tail.append(text)
                log.info("worker: %s", text)

    def _read(self) -> None:
        stream = self._process.stdout
        assert stream is not None
        with stream:
            for data in stream:
                message = heard(data)
                if message is None:
                    log.info("a worker said something that is not a message: %r", data[:200])
                else:
                    self._heard(message)
        status = self._process.wait()
        self._errors.join(1.0)  # what it said last
        self._outbox.put(None)
        self._died(status, tuple(self._tail))


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


#: glibc keeps freed memory by thread; with two arenas in all, a long queue takes hardly more than a short one. Others ignore it.
_SPARING: Mapping[str, str] = {"MALLOC_ARENA_MAX": "2"}

# Ctrl+C in a terminal goes to every process of a group: the worker has one of its own, and ends when it is told to.
_APART: dict[str, Any] = {"start_new_session": True}
if sys.platform == "win32":
    _APART = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW | subprocess.BELOW_NORMAL_PRIORITY_CLASS}
