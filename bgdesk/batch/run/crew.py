"""What the workers have in hand, and how quickly it is done. Belongs to the queue, which calls it under its lock."""

import time
from collections import deque
from collections.abc import Iterable

#: Seconds between two reports of one stage of an item.
_REPORT = 0.1
#: The rate is that of so many photos, the last ones.
_LATELY = 50


class Hands:
    """Ids of items that were given to the workers, and have not come back."""

    def __init__(self) -> None:
        self._since: dict[int, float] = {}
        self._dropped: set[int] = set()
        self._reported: dict[int, tuple[str, float]] = {}
        self._finished: deque[float] = deque(maxlen=_LATELY)

    def __len__(self) -> int:
        return len(self._since)

    def __contains__(self, id: object) -> bool:
        """Whether it is in hand, and still wanted."""
        return id in self._since and id not in self._dropped

    def ids(self) -> list[int]:
        return list(self._since)

    def take(self, id: int) -> None:
        self._since[id] = time.monotonic()

    def drop(self, ids: Iterable[int]) -> list[int]:
        """Whatever comes of these is not wanted any more; those of them that are in hand."""
        dropped = [id for id in ids if id in self]
        self._dropped.update(dropped)
        return dropped

    def keep(self, ids: Iterable[int]) -> None:
        """Take back `drop`."""
        self._dropped.difference_update(ids)

    def seconds(self, id: int) -> float:
        """Since it was taken."""
        now = time.monotonic()
        return now - self._since.get(id, now)

    def let_go(self, id: int, finished: bool) -> None:
        """It has come back. finished: with a result."""
        self._since.pop(id, None)
        self._dropped.discard(id)
        self._reported.pop(id, None)
        if finished:
            self._finished.append(time.monotonic())

    def is_news(self, id: int, stage: str) -> bool:
        """Whether to report it: another stage at once, more of the same ten times a second."""
        now = time.monotonic()
        before, when = self._reported.get(id, ("", 0.0))
        if id not in self or (stage == before and now - when < _REPORT):
            return False
        self._reported[id] = stage, now
        return True

    def begin(self) -> None:
        """The rate is measured anew: there was a pause."""
        self._finished.clear()

    @property
    def rate(self) -> float | None:
        """Photos a second, of late; None while there are too few to tell."""
        times = self._finished
        return (len(times) - 1) / (times[-1] - times[0]) if len(times) > 2 and times[-1] > times[0] else None
