"""What becomes of an item whose outputs are written: they take their places, or wait for a person's look."""

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from bgdesk.batch import places
from bgdesk.batch.folder import QueueError
from bgdesk.batch.journal import About, Entry, Ledger
from bgdesk.batch.values import Decision, Item, State, Written
from bgdesk.core.errors import LoadError


class Finisher:
    """Moves the outputs of one queue. Everything may be done again after a process was killed on the way."""

    def __init__(self, queue: str, about: About, ledger: Ledger) -> None:
        self._queue, self._about, self._ledger = queue, about, ledger

    def staged(self, item: Item) -> tuple[Path, ...]:
        """Where a worker writes the item's outputs."""
        return tuple(places.staged_name(output, self._queue, item.id) for output in item.outputs)

    def sweep(self, item: Item) -> None:
        """Remove what a worker has left of an item that is done anew."""
        places.sweep(self.staged(item))

    def finished(self, item: Item) -> Item:
        """The item, DONE or in REVIEW, with its outputs where they belong; QUEUED where somebody removed them meanwhile.

        Raises OSError, JournalError; the item is then as far as before, and can be finished again.
        """
        outcome, gate = item.outcome, self._about.recipe.gate
        if outcome is None:
            raise ValueError(f"item {item.id} has nothing to finish")
        try:
            if gate is None or outcome.confidence is None or outcome.confidence >= gate:
                return replace(self.placed(item, outcome.written), state=State.DONE)
            return replace(item, state=State.REVIEW, outcome=replace(outcome, written=tuple(places.hold(outcome.written))))
        except FileNotFoundError:
            return replace(item, state=State.QUEUED, outcome=None)

    def placed(self, item: Item, written: Sequence[Written]) -> Item:
        """Move outputs to where they belong, and tell the ledger; the item with where they are now. Raises OSError, JournalError."""
        may = places.replacing(self._about.existing, item.source, self._is_ours)
        found = [places.place(one, one.target, may) for one in written]
        entries = {}
        for path in found:
            status = path.stat()
            entries[path] = Entry(self._about.recipe.key, item.source, item.size, item.mtime, status.st_size, status.st_mtime_ns)
        self._ledger.record(entries)
        now = tuple(replace(one, staged=path, target=path) for one, path in zip(written, found, strict=True))
        outcome = None if item.outcome is None else replace(item.outcome, written=now)
        return replace(item, outputs=tuple(found), outcome=outcome)

    def decided(self, item: Item, written: Sequence[Written], decision: Decision) -> Item:
        """An item in review that a person wants; its outputs are in their places. Raises QueueError, JournalError."""
        folder = item.outputs[0].parent
        try:
            placed = self.placed(item, written)
        except OSError as error:
            raise QueueError(f"{item.name} could not be put in its place: {error.strerror}. Check the folder {folder}.") from error
        with suppress(OSError):
            (folder / places.REVIEW).rmdir()  # if that was the last one
        return replace(placed, state=State.DONE, decision=decision)

    def close(self) -> None:
        self._ledger.close()

    def _is_ours(self, path: Path, source: Path) -> bool:
        entry = self._ledger.lookup(path)
        return entry is not None and places.same(entry.source, source) and self._ledger.ours(path)


def source_now(item: Item) -> Item:
    """The item with its photo's size and mtime as they are now: it may have changed since it was planned. Raises LoadError."""
    try:
        status = os.stat(item.source)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise LoadError(f"{item.name} could not be read: there is no such file. Look whether it was moved or renamed.") from error
    except OSError as error:
        raise LoadError(f"{item.name} could not be read: {error.strerror}. Check its permissions and the disk.") from error
    return replace(item, size=status.st_size, mtime=status.st_mtime_ns)
