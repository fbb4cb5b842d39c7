"""Who does the queue's photos: child processes on this machine, or a Ray cluster. The queue knows only these two protocols."""

from collections.abc import Sequence
from typing import Protocol

from bgdesk.batch.model.values import Job, Outcome


class PoolEvents(Protocol):
    """What a pool tells the queue, from any thread. Every job that was submitted ends in exactly one of the last four."""

    def progressed(self, id: int, stage: str, fraction: float) -> None:
        """stage: "load", "network", "trimap", "alpha", "foreground", "confidence", "save". fraction in [0, 1]."""

    def lost(self, error: str) -> None:
        """No photo can be done at all (no network is installed, workers die before they are ready): the queue pauses and says so."""

    def written(self, id: int, outcome: Outcome) -> None:
        """All outputs are complete under their staged names."""

    def failed(self, id: int, error: str) -> None:
        """A failure that was foreseen: the sentence names the file and says what to do. No staged file is left."""

    def crashed(self, id: int, error: str) -> None:
        """A worker died by itself (signal, out of memory) while this job was in one of its stages: it may be to blame.

        error: what was being done with it, to follow "NAME brought the worker down twice: "."""

    def returned(self, id: int) -> None:
        """Given back undone, and not to blame: the pool was closed, or its worker died before the job was begun."""


class Pool(Protocol):
    """Workers. All methods may be called from any thread, and none of them waits for a photo."""

    @property
    def capacity(self) -> int:
        """How many jobs it wants in hand at once, so that decoding, computing and encoding overlap. At least 1; may grow."""

    def submit(self, job: Job, alone: bool = False) -> None:
        """Take a job. alone: nothing else may be in its worker meanwhile (it is a suspect of a crash)."""

    def hold(self, held: bool) -> None:
        """Interactive work comes first: begin no stage while held, and go on afterwards."""

    def cancel(self, ids: Sequence[int], begun: bool = True) -> None:
        """Give these back as soon as can be, if they are in hand. begun: those too that are being cut out or written."""

    def close(self, wait: float = 10.0) -> None:
        """End the workers: what they hold is given back. After `wait` seconds they are killed."""
