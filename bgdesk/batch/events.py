"""What a queue tells those who listen, and on which thread."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias


class Phase(Enum):
    """IDLE: nothing runs. RUNNING. PAUSED: what is in hand is finished, nothing more is begun. STOPPING: likewise, then IDLE."""

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
