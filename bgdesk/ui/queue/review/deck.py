"""Which of the photos that wait for a look is looked at, and what was said of the others."""

from collections.abc import Collection
from dataclasses import dataclass

from bgdesk.batch.model.values import Decision


@dataclass(frozen=True)
class Judgement:
    """What a person said of the item `id`."""

    id: int
    decision: Decision


class Deck:
    """Photos in order, by item id. Those that come later stand at the end; those decided stay in it, and are passed over.

    The latest decision is held back until the next one, so that it can be taken back: nothing has been moved yet.
    """

    def __init__(self) -> None:
        self._ids: list[int] = []
        self._done: dict[int, Decision | None] = {}  # None: not by us, and not waiting any more
        self._at = 0
        self._held: Judgement | None = None

    def bring(self, waiting: Collection[int]) -> None:
        """The items that wait for a look now, in order."""
        standing = set(waiting)
        known = set(self._ids)
        for id in self._ids:
            if id not in self._done and id not in standing:
                self._done[id] = None  # decided elsewhere, or taken out of the queue
        for id in waiting:
            if id in self._done and not (self._held and self._held.id == id) and self._done[id] is None:
                del self._done[id]  # it waits again
        self._ids += [id for id in waiting if id not in known]
        if self.current is None:
            self._go_on(self._at)

    @property
    def current(self) -> int | None:
        if self._at < len(self._ids) and self._ids[self._at] not in self._done:
            return self._ids[self._at]
        return None

    @property
    def position(self) -> tuple[int, int]:
        """The current one's number, from 1, and how many there are."""
        return self._at + 1, len(self._ids)

    @property
    def left(self) -> int:
        """How many nobody has said anything of."""
        return len(self._ids) - len(self._done)

    @property
    def decisions(self) -> dict[int, Decision]:
        """What was said here, by item id; the one held back is among it."""
        return {id: decision for id, decision in self._done.items() if decision is not None}

    @property
    def held(self) -> Judgement | None:
        return self._held

    def ahead(self, count: int) -> list[int]:
        """The next ones that would be looked at."""
        order = self._ids[self._at + 1 :] + self._ids[: self._at]
        return [id for id in order if id not in self._done][:count]

    def step(self, direction: int) -> None:
        """To the next (+1) or previous (-1) one without a decision, round and round."""
        size = len(self._ids)
        for distance in range(1, size + 1):
            at = (self._at + direction * distance) % size
            if self._ids[at] not in self._done:
                self._at = at
                return

    def decide(self, decision: Decision) -> Judgement | None:
        """Say it of the current one, and go on to the next. What was held back before comes back: it is to be carried out now."""
        id = self.current
        if id is None:
            return None
        due, self._held = self._held, Judgement(id, decision)
        self._done[id] = decision
        self._go_on(self._at + 1)
        return due

    def settle(self) -> Judgement | None:
        """What is held back, to be carried out now: it cannot be taken back any more."""
        due, self._held = self._held, None
        return due

    def fixed(self, id: int) -> None:
        """Another picture took its place."""
        self._done[id] = Decision.FIXED
        if id == (self._ids[self._at] if self._at < len(self._ids) else None):
            self._go_on(self._at + 1)

    def undo(self) -> bool:
        """Take the latest decision back, and look at its photo again. False if there is none."""
        if self._held is None:
            return False
        del self._done[self._held.id]
        self._at = self._ids.index(self._held.id)
        self._held = None
        return True

    def _go_on(self, start: int) -> None:
        size = len(self._ids)
        for distance in range(size):
            at = (start + distance) % size
            if self._ids[at] not in self._done:
                self._at = at
                return
