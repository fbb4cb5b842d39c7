"""Progress and cancelling of long work.

A long function takes `progress: Progress` and calls it often (at least every 100 ms or so); the call raises
Cancelled when the person has asked to stop. Threads are never killed.
"""

import threading
from collections.abc import Callable
from typing import TypeAlias

#: progress(stage, fraction): a short word for the stage (see core.stages) and how much of that stage is done, in [0, 1].
#: Raises Cancelled.
Progress: TypeAlias = Callable[[str, float], None]


class Cancelled(Exception):
    """The work was stopped because somebody asked for that; nothing went wrong."""


class CancelToken:
    """Tells work to stop: set once by whoever cancels, read by the work on any thread."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def cancel(self) -> None:
        self._event.set()

    @property
    def cancelled(self) -> bool:
        return self._event.is_set()

    def check(self) -> None:
        """Raise Cancelled if `cancel` has been called."""
        if self._event.is_set():
            raise Cancelled


def silent(stage: str, fraction: float) -> None:
    """The Progress of work that nobody watches or cancels: does nothing."""


def cancellable(token: CancelToken, report: Progress = silent) -> Progress:
    """Return a Progress that raises Cancelled once `token` is cancelled, and otherwise calls `report`."""

    def progress(stage: str, fraction: float) -> None:
        token.check()
        report(stage, fraction)

    return progress
