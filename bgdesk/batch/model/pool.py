"""Who does the queue's photos: child processes on this machine, or a Ray cluster. The queue knows only these two protocols."""

from collections.abc import Sequence
from typing import Protocol

from bgdesk.batch.model.values import Outcome, PhotoJob
from bgdesk.core.errors import Cause
from bgdesk.core.stages import Stage


class PoolEvents(Protocol):
    """What a pool tells the queue, from any thread. Every job that was submitted ends in exactly one of the last four."""

    def progressed(self, id: int, stage: Stage, fraction: float) -> None:
        """fraction: of the stage that is done, in [0, 1]."""

    def lost(self, error: str) -> None:
        """No photo can be done at all (no network is installed, workers die before they are ready): the queue pauses and says so."""

    def written(self, id: int, outcome: Outcome) -> None:
        """All outputs are complete under their staged names."""

    def failed(self, id: int, error: str, cause: Cause | None) -> None:
        """A failure that was foreseen: the sentence names the file and says what to do. No staged file is left.

        cause: why an output could not be saved; None where the photo itself is to blame.
        """

    def crashed(self, id: int, error: str) -> None:
        """A worker died by itself (signal, out of memory) while it was at work on this job, which may be to blame.

        error: what the worker was doing, to follow "NAME brought the worker down twice: "."""

    def returned(self, id: int) -> None:
        """Given back undone, and not to blame: the pool was closed, or its worker died before the job was begun."""


class Pool(Protocol):
    """Workers. All methods may be called from any thread, and none of them waits for a photo."""

    @property
    def capacity(self) -> int:
        """How many jobs the pool takes at once, so that decoding, computing and encoding overlap. At least 1; may grow."""

    def submit(self, job: PhotoJob, alone: bool = False) -> None:
        """Take a job. alone: its worker does nothing else meanwhile (the photo may have caused a crash)."""

    def pause(self, paused: bool) -> None:
        """Interactive work comes first: while paused, the workers begin no stage, and stop at their next report."""

    def cancel(self, ids: Sequence[int], begun: bool = True) -> None:
        """Give these jobs back as soon as possible. begun: even those that are being cut out or written."""

    def close(self, wait: float = 10.0) -> None:
        """End the workers: what they have is given back. After `wait` seconds they are killed."""
