"""What a queue tells those who listen, and on which thread."""

import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import TypeAlias

from bgdesk.core.stages import Stage

log = logging.getLogger(__name__)


class Phase(Enum):
    """What a queue is doing."""

    IDLE = "idle"  #: nothing
    RUNNING = "running"  #: photos are being done
    PAUSED = "paused"  #: what is being cut out or written is finished, and nothing more is begun
    STOPPING = "stopping"  #: the same, then IDLE


@dataclass(frozen=True)
class ItemsChanged:
    """Items are not what they were."""

    ids: tuple[int, ...]  #: which; empty for all (added, removed, moved)


@dataclass(frozen=True)
class Progressed:
    """A worker has got further with an item."""

    id: int
    stage: Stage
    fraction: float  #: of the stage, in [0, 1]


@dataclass(frozen=True)
class PhaseChanged:
    """The queue has begun another phase."""

    phase: Phase


@dataclass(frozen=True)
class Notice:
    """A sentence that a person must be told."""

    text: str
    error: bool  #: something is wrong


QueueEvent: TypeAlias = ItemsChanged | Progressed | PhaseChanged | Notice
Listener: TypeAlias = Callable[[QueueEvent], None]
#: post(f) runs f later on the owner's thread; may be called from any thread.
Post: TypeAlias = Callable[[Callable[[], None]], None]


def direct(call: Callable[[], None]) -> None:
    """A Post for owners that may be told on any thread."""
    call()


class Speaker:
    """Tells every listener, through `post`, from any thread. What a listener raises is logged, and the others are told all the same."""

    def __init__(self, post: Post) -> None:
        self._post = post
        self._lock = threading.Lock()
        self._listeners: list[Listener] = []

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Tell every event to `listener` until what is returned is called."""
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
