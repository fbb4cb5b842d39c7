"""The order of the photos in review, and the decisions about them."""

from collections.abc import Collection
from dataclasses import dataclass

from bgdesk.batch.model.values import Decision


@dataclass(frozen=True)
class Judgement:
    """A person's decision about the item `id`."""

    id: int  #: of the item
    decision: Decision


class ReviewDeck:
    """The photos in review by item id, with a current one. New photos are added at the end; decided ones are skipped.

    The latest decision is pending until the next one, so that it can be undone before any file moves.
    """

    def __init__(self) -> None:
        self._ids: list[int] = []
        self._done: dict[int, Decision | None] = {}  # None: decided elsewhere
        self._at = 0
        self._pending: Judgement | None = None

    def bring(self, waiting: Collection[int]) -> None:
        """Take over the items that are in review now, in order."""
        standing = set(waiting)
        known = set(self._ids)
        for id in self._ids:
            if id not in self._done and id not in standing:
                self._done[id] = None  # decided elsewhere, or removed from the queue
        for id in waiting:
            if id in self._done and not (self._pending and self._pending.id == id) and self._done[id] is None:
                del self._done[id]  # in review again
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
        """The number of the current photo, from 1, and how many there are."""
        return self._at + 1, len(self._ids)

    @property
    def left(self) -> int:
        """How many have no decision yet."""
        return len(self._ids) - len(self._done)

    @property
    def decisions(self) -> dict[int, Decision]:
        """The decisions made here, by item id, with the pending one."""
        return {id: decision for id, decision in self._done.items() if decision is not None}

    @property
    def pending(self) -> Judgement | None:
        """The latest decision, while it can be undone."""
        return self._pending

    def ahead(self, count: int) -> list[int]:
        """The next photos without a decision."""
        order = self._ids[self._at + 1 :] + self._ids[: self._at]
        return [id for id in order if id not in self._done][:count]

    def step(self, direction: int) -> None:
        """Go to the next (+1) or previous (-1) photo without a decision; after the last comes the first."""
        size = len(self._ids)
        for distance in range(1, size + 1):
            at = (self._at + direction * distance) % size
            if self._ids[at] not in self._done:
                self._at = at
                return

    def decide(self, decision: Decision) -> Judgement | None:
        """Decide about the current photo and go to the next. Returns the decision that was pending before, to be carried out now."""
        id = self.current
        if id is None:
            return None
        due, self._pending = self._pending, Judgement(id, decision)
        self._done[id] = decision
        self._go_on(self._at + 1)
        return due

    def settle(self) -> Judgement | None:
        """Return the pending decision, to be carried out now; it can no longer be undone."""
        due, self._pending = self._pending, None
        return due

    def fixed(self, id: int) -> None:
        """The item got another cut-out: it is decided."""
        self._done[id] = Decision.FIXED
        if id == (self._ids[self._at] if self._at < len(self._ids) else None):
            self._go_on(self._at + 1)

    def undo(self) -> bool:
        """Undo the pending decision and return to its photo. False if there is none."""
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
