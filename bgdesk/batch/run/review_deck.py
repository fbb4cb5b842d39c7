"""Which of the photos in review is shown, and what was decided about the others."""

from collections.abc import Collection
from dataclasses import dataclass

from bgdesk.batch.model.values import Decision


@dataclass(frozen=True)
class Judgement:
    """What a person decided about an item."""

    id: int  #: of the item
    decision: Decision


class ReviewDeck:
    """Photos in order, by item id. Those that come later stand at the end; those decided stay in it, and are passed over.

    The latest decision is pending until the next one, so that it can be undone: nothing has been moved yet.
    """

    def __init__(self) -> None:
        self._ids: list[int] = []
        self._done: dict[int, Decision | None] = {}  # None: not by us, and not waiting any more
        self._at = 0
        self._pending: Judgement | None = None

    def bring(self, waiting: Collection[int]) -> None:
        """waiting: the items that are in review now, in order."""
        standing = set(waiting)
        known = set(self._ids)
        for id in self._ids:
            if id not in self._done and id not in standing:
                self._done[id] = None  # decided elsewhere, or taken out of the queue
        for id in waiting:
            if id in self._done and not (self._pending and self._pending.id == id) and self._done[id] is None:
                del self._done[id]  # it waits again
        self._ids += [id for id in waiting if id not in known]
        if self.current is None:
            self._go_on(self._at)

    @property
    def current(self) -> int | None:
        """The item that is shown; None when all are decided."""
        if self._at < len(self._ids) and self._ids[self._at] not in self._done:
            return self._ids[self._at]
        return None

    @property
    def position(self) -> tuple[int, int]:
        """The current one's number, from 1, and how many there are."""
        return self._at + 1, len(self._ids)

    @property
    def left(self) -> int:
        """How many are not decided."""
        return len(self._ids) - len(self._done)

    @property
    def decisions(self) -> dict[int, Decision]:
        """What was decided here, by item id; the pending one is among it."""
        return {id: decision for id, decision in self._done.items() if decision is not None}

    @property
    def pending(self) -> Judgement | None:
        """The latest decision, while it can be undone."""
        return self._pending

    def ahead(self, count: int) -> list[int]:
        """The next ones that would be shown."""
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
        """Decide about the current one, and go on to the next. Returns what was pending before: it is to be carried out now."""
        id = self.current
        if id is None:
            return None
        due, self._pending = self._pending, Judgement(id, decision)
        self._done[id] = decision
        self._go_on(self._at + 1)
        return due

    def settle(self) -> Judgement | None:
        """What is pending, to be carried out now: it cannot be undone any more."""
        due, self._pending = self._pending, None
        return due

    def fixed(self, id: int) -> None:
        """A person has fixed this photo in the editor."""
        self._done[id] = Decision.FIXED
        if id == (self._ids[self._at] if self._at < len(self._ids) else None):
            self._go_on(self._at + 1)

    def undo(self) -> bool:
        """Undo the pending decision, and show its photo again. False if there is none."""
        if self._pending is None:
            return False
        del self._done[self._pending.id]
        self._at = self._ids.index(self._pending.id)
        self._pending = None
        return True

    def _go_on(self, start: int) -> None:
        size = len(self._ids)
        for distance in range(size):
            at = (start + distance) % size
            if self._ids[at] not in self._done:
                self._at = at
                return
