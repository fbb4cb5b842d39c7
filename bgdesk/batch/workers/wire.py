"""What a pool and its workers say to each other: one message a line, on pipes or by way of Ray.

To a worker: StartWork (first of all), TakeJob, SetPaused, CancelJobs, SetMemory, EndWork. From it: WorkerReady or EngineLost (once),
then for every job LaneChanged and StageProgress, and in the end one of JobWritten, JobFailed, JobReturned.
"""

from enum import Enum
from typing import TypeAlias

import msgspec

from bgdesk.app.system import codec
from bgdesk.batch.model.values import BatchRecipe, Outcome, PhotoJob
from bgdesk.core.errors import Cause, UsageError
from bgdesk.core.stages import Stage


class WorkerLane(Enum):
    """One of the three threads of a worker: reading, computing and writing overlap, each with another photo."""

    LOAD = "load"
    COMPUTE = "compute"
    SAVE = "save"


# --- to a worker ---


class StartWork(msgspec.Struct, frozen=True, tag="start", tag_field="do"):
    """Open the engine."""

    recipe: BatchRecipe
    memory: int  #: bytes that the worker may take, about


class TakeJob(msgspec.Struct, frozen=True, tag="job", tag_field="do"):
    """Do this photo."""

    job: PhotoJob


class SetPaused(msgspec.Struct, frozen=True, tag="pause", tag_field="do"):
    """Pause, or go on."""

    paused: bool


class CancelJobs(msgspec.Struct, frozen=True, tag="cancel", tag_field="do"):
    """Give these jobs back."""

    ids: tuple[int, ...]
    begun: bool  #: even those that are being cut out or written


class SetMemory(msgspec.Struct, frozen=True, tag="memory", tag_field="do"):
    """Take at most this much memory from now on."""

    memory: int  #: bytes


class EndWork(msgspec.Struct, frozen=True, tag="end", tag_field="do"):
    """Give everything back, and end."""


ToWorker: TypeAlias = StartWork | TakeJob | SetPaused | CancelJobs | SetMemory | EndWork


# --- from a worker ---


class WorkerReady(msgspec.Struct, frozen=True, tag="ready", tag_field="said"):
    """The engine is open."""

    kind: str  #: torch's name for the kind of its device
    devices: int  #: how many of that kind this machine has


class EngineLost(msgspec.Struct, frozen=True, tag="lost", tag_field="said"):
    """The engine could not be opened."""

    error: str  #: a sentence for a person


class LaneChanged(msgspec.Struct, frozen=True, tag="lane", tag_field="said"):
    """A photo has entered a lane, or waits between two."""

    id: int
    lane: WorkerLane | None


class StageProgress(msgspec.Struct, frozen=True, tag="progress", tag_field="said"):
    """A photo has got further."""

    id: int
    stage: Stage
    fraction: float  #: of the stage, in [0, 1]


class JobWritten(msgspec.Struct, frozen=True, tag="written", tag_field="said"):
    """All outputs are complete under their staged names."""

    id: int
    outcome: Outcome


class JobFailed(msgspec.Struct, frozen=True, tag="failed", tag_field="said"):
    """A photo could not be done."""

    id: int
    error: str  #: a sentence for a person
    cause: Cause | None  #: of a SaveError; None where the photo itself is to blame


class JobReturned(msgspec.Struct, frozen=True, tag="returned", tag_field="said"):
    """A photo was given back undone."""

    id: int


FromWorker: TypeAlias = WorkerReady | EngineLost | LaneChanged | StageProgress | JobWritten | JobFailed | JobReturned


# --- lines ---


def line(message: ToWorker | FromWorker) -> bytes:
    """A message as a line of ASCII."""
    return codec.encode(message) + b"\n"


def told(data: bytes) -> ToWorker | None:
    """What a pool says in a line; None for anything that is not a message."""
    try:
        message: ToWorker = codec.decode(data, ToWorker)
    except UsageError:
        return None
    return message


def heard(data: bytes) -> FromWorker | None:
    """What a worker says in a line; None for anything that is not a message."""
    try:
        message: FromWorker = codec.decode(data, FromWorker)
    except UsageError:
        return None
    return message
