"""Which items are with the workers, and how quickly they are done. Belongs to the queue, which calls it under its lock."""

import time
from collections import deque
from collections.abc import Iterable

from bgdesk.core.stages import Stage

#: Seconds between two reports of one stage of an item.
_REPORT = 0.1
#: The rate is that of so many photos, the last ones.
_LATELY = 50


class InProgress:
    """Ids of items that were given to the workers, and have not come back."""

    def __init__(self) -> None:
        self._since: dict[int, float] = {}
        self._dropped: set[int] = set()
        self._reported: dict[int, tuple[Stage, float]] = {}
        self._finished: deque[float] = deque(maxlen=_LATELY)

    def __len__(self) -> int:
        return len(self._since)

    def __contains__(self, id: object) -> bool:
        """Whether the item is with a worker, and still wanted."""
        return id in self._since and id not in self._dropped

    def ids(self) -> list[int]:
        return list(self._since)

    def add(self, id: int) -> None:
        self._since[id] = time.monotonic()

    def drop(self, ids: Iterable[int]) -> list[int]:
        """The results of these are not wanted any more. Returns those that are with a worker."""
        dropped = [id for id in ids if id in self]
        self._dropped.update(dropped)
        return dropped

    def keep(self, ids: Iterable[int]) -> None:
        """Take back `drop`."""
        self._dropped.difference_update(ids)

    def seconds(self, id: int) -> float:
        """Time since the item was given to a worker."""
        now = time.monotonic()
        return now - self._since.get(id, now)

    def remove(self, id: int, finished: bool) -> None:
        """The item has come back. finished: with a result."""
        self._since.pop(id, None)
        self._dropped.discard(id)
        self._reported.pop(id, None)
        if finished:
            self._finished.append(time.monotonic())

    def is_news(self, id: int, stage: Stage) -> bool:
        """Whether to report an item's progress: another stage at once, more of the same ten times a second."""
        now = time.monotonic()
        before, when = self._reported.get(id, (Stage.UNKNOWN, 0.0))
        if id not in self or (stage == before and now - when < _REPORT):
            return False
        self._reported[id] = stage, now
        return True

    def restart_rate(self) -> None:
        """Measure the rate anew: there was a pause."""
        self._finished.clear()

    @property
    def rate(self) -> float | None:
        """Photos a second lately; None while there are too few to tell."""
        times = self._finished
        return (len(times) - 1) / (times[-1] - times[0]) if len(times) > 2 and times[-1] > times[0] else None
