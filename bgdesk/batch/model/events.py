"""What a queue tells those who listen, and on which thread."""

import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import TypeAlias

log = logging.getLogger(__name__)


class Phase(Enum):
    """IDLE: nothing runs. RUNNING. PAUSED: what is being made is finished, nothing more is begun. STOPPING: likewise, then IDLE."""

    IDLE = "idle"
    RUNNING = "running"
    PAUSED = "paused"
    STOPPING = "stopping"


@dataclass(frozen=True)
class ItemsChanged:
    """ids: whose; empty for all (added, removed, moved)."""

    ids: tuple[int, ...]


@dataclass(frozen=True)
class Progressed:
    id: int
    stage: str
    fraction: float


@dataclass(frozen=True)
class PhaseChanged:
    phase: Phase


@dataclass(frozen=True)
class Said:
    """A sentence that a person must be told. error: something is wrong."""

    text: str
    error: bool


QueueEvent: TypeAlias = ItemsChanged | Progressed | PhaseChanged | Said
Listener: TypeAlias = Callable[[QueueEvent], None]
#: post(f) runs f later on the owner's thread; may be called from any thread.
Post: TypeAlias = Callable[[Callable[[], None]], None]


def direct(call: Callable[[], None]) -> None:
    """A Post for those who do not mind on which thread they hear of it."""
    call()


class Speaker:
    """Tells every listener, through `post`. Safe from any thread; what a listener raises is logged, and hurts nobody else."""

    def __init__(self, post: Post) -> None:
        self._post = post
        self._lock = threading.Lock()
        self._listeners: list[Listener] = []

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """What comes back ends it."""
        with self._lock:
            self._listeners.append(listener)

        def stop() -> None:
            with self._lock, suppress(ValueError):
                self._listeners.remove(listener)

        return stop

    def tell(self, event: QueueEvent) -> None:
        with self._lock:
            listeners = tuple(self._listeners)
        for listener in listeners:
            self._post(partial(_deliver, listener, event))


def _deliver(listener: Listener, event: QueueEvent) -> None:
    try:
        listener(event)
    except Exception as error:
        log.error("a listener of the queue failed", exc_info=error)
