"""What becomes of an item whose outputs are written: they take their places, or go in review until a person decides."""

import itertools
import os
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from bgdesk.batch.journal.folder import QueueError
from bgdesk.batch.journal.journal import About, Journal, Ledger
from bgdesk.batch.model.values import Decision, Existing, Item, LedgerEntry, Outcome, State, Written
from bgdesk.batch.outputs import placing
from bgdesk.core.errors import Cause, LoadError, SaveError


class QueueFinisher:
    """Moves the outputs of one queue, and writes each step down before it is done: after a death everything may be done again."""

    def __init__(self, queue: str, about: About, journal: Journal, ledger: Ledger) -> None:
        self.lock = threading.RLock()  #: for whoever reads an item, and writes what it has become
        self._queue, self._about, self._journal, self._ledger = queue, about, journal, ledger

    def staged(self, item: Item) -> tuple[Path, ...]:
        """Where a worker writes the item's outputs, in its present attempt."""
        return tuple(placing.staged_name(output, self._queue, item.id, item.attempts) for output in item.outputs)

    def staged_by_hand(self, item: Item) -> tuple[Path, ...]:
        """Where the outputs that a person has fixed are written, for `fixed`."""
        return tuple(placing.staged_name(output, self._queue, item.id) for output in item.outputs)

    def sweep(self, item: Item) -> None:
        """Remove what a worker has left of an item that is to be done again."""
        placing.sweep(self.staged(item))

    def trouble(self, item: Item, cause: Cause | None) -> str:
        """What is wrong with more than this photo, which failed, as a sentence; "" if the photo alone is to blame.

        cause: why an output could not be saved; None where that is not why it failed.
        """
        found = placing.trouble(item.outputs[0].parent, cause) if cause is not None and item.outputs else ""
        if found or os.path.exists(item.source):  # as Path.exists, and of a disk that answers with an error: no
            return found
        left = itertools.chain([item], self._journal.in_state(State.QUEUED))
        if any(os.path.isdir(each.source.parent) for each in left):
            return ""
        return f"The folder {item.source.parent} is not there any more. Connect its disk or put it back, then resume."

    def close(self) -> None:
        self._ledger.close()

    # --- outputs that are written ---

    def finish(self, item: Item) -> None:
        """Bring a WRITTEN item to its end: DONE or REVIEW; QUEUED or FAILED where somebody removed its outputs meanwhile.

        Raises OSError, JournalError; the item is then as far as before, and can be finished again.
        """
        with self.lock:
            outcome, gate = item.outcome, self._about.recipe.gate
            if outcome is None:
                raise ValueError(f"item {item.id} has nothing to finish")
            under = gate is not None and outcome.confidence is not None and outcome.confidence < gate
            try:
                if under and item.decision is None:
                    written = tuple(placing.put_in_review(outcome.written))
                    self._record(item, [one.staged for one in written])
                    done = replace(item, state=State.REVIEW, outcome=replace(outcome, written=written))
                else:
                    done = replace(self._placed(item, outcome), state=State.DONE)
            except FileNotFoundError:
                if not all(one.staged.parent.is_dir() for one in outcome.written):
                    raise  # a disk that is away comes back
                done = _lost(item)
            for folder in {one.staged.parent for one in outcome.written if one.staged.parent.name == placing.REVIEW}:
                with suppress(OSError):
                    folder.rmdir()  # if that was the last one
            self._journal.update(done)

    def give_up(self, item: Item, error: OSError) -> None:
        """Make a WRITTEN item FAILED whose outputs cannot get their places: another program may have a file there open."""
        with self.lock:
            placing.sweep([one.staged for one in item.outcome.written] if item.outcome else [])
            why = f"The cutout of {item.name} could not be put in its place: {error.strerror}."
            advice = "Close other programs that have it open, then retry."
            self._journal.update(replace(item, state=State.FAILED, decision=None, error=f"{why} {advice}"))

    def _placed(self, item: Item, outcome: Outcome) -> Item:
        """Move the outputs to their places, and tell the ledger. Returns the item with where they are now. Raises OSError, JournalError."""
        base = placing.replacing(self._about.existing, item.source, self._is_ours)
        found = [placing.place(one, one.target, lambda path: base(path) and not self._is_anothers(path, item)) for one in outcome.written]
        self._record(item, found)
        now = tuple(replace(one, staged=path, target=path) for one, path in zip(outcome.written, found, strict=True))
        return replace(item, outputs=tuple(found), outcome=replace(outcome, written=now))

    def _record(self, item: Item, outputs: Sequence[Path]) -> None:
        """Tell the ledger where the item's outputs are. Raises OSError, JournalError."""
        entries = {}
        for path in outputs:
            status = path.stat()
            entries[path] = LedgerEntry(
                recipe_key=self._about.recipe.key,
                source=item.source,
                source_size=item.size,
                source_mtime=item.mtime,
                output_size=status.st_size,
                output_mtime=status.st_mtime_ns,
            )
        self._ledger.record(entries)

    def _is_ours(self, path: Path, source: Path) -> bool:
        entry = self._ledger.lookup(path)
        return entry is not None and _same(entry.source, source) and self._ledger.ours(path)

    def _is_anothers(self, path: Path, item: Item) -> bool:
        """Whether it is a photo of this queue, or the cutout of another photo that another queue has made since this one was.

        To replace what exists means what existed when that was asked for.
        """
        entry = self._ledger.lookup(path)
        if entry is not None and not _same(entry.source, item.source) and entry.output_mtime >= self._about.made * 1e9:
            return self._ledger.ours(path)
        return self._about.existing is Existing.REPLACE and self._journal.is_source(path)

    # --- after a death ---

    def recover(self) -> None:
        """Put right what a process that died has left: nothing is done twice, nothing is lost, no half-written file stays.

        What cannot be put in its place now stays WRITTEN. Raises JournalError.
        """
        with self.lock:
            self.give_back(interrupted=1)
            for item in self._journal.in_state(State.WRITTEN):
                with suppress(OSError):
                    self.finish(item)
            # Those of a fix that was never put back.
            placing.sweep([staged for item in self._journal.in_state(State.REVIEW) for staged in self.staged_by_hand(item)])
            self.tidy(staged=True)

    def give_back(self, interrupted: int = 0) -> None:
        """Make RUNNING items QUEUED again. interrupted: added to their counts."""
        with self.lock:
            running = self._journal.in_state(State.RUNNING)
            placing.sweep([staged for item in running for staged in self.staged(item)])
            self._journal.update_all(replace(item, state=State.QUEUED, interrupted=item.interrupted + interrupted) for item in running)

    def tidy(self, staged: bool = False) -> None:
        """Remove the files of the journal's litter; those that cannot be removed are tried again at the next start.

        staged: also those that workers have left.
        """
        with self.lock:
            swept = []
            for path, sha256 in self._journal.litter().items():
                if not sha256 and not staged:  # a worker may still be at it
                    continue
                try:
                    if sha256:
                        placing.discard([Written(path, path.parent.parent / path.name, sha256)])
                    else:
                        placing.sweep([path])
                except OSError:
                    continue
                swept.append(path)
            if swept:
                self._journal.update_all((), swept=swept)

    # --- what a person decides ---

    def accept(self, id: int) -> bool:
        """Put the outputs of an item in review in their places. False if that was decided before. Raises QueueError, JournalError."""
        with self.lock:
            item = self._in_review(id)
            if item is None or item.outcome is None:
                return False
            self._decide(item, [_as_it_is(one) for one in item.outcome.written], Decision.ACCEPTED, {})
            return True

    def fixed(self, id: int, written: Sequence[Written]) -> bool:
        """The same with outputs that a person has fixed: they are complete under their staged names."""
        with self.lock:
            item = self._in_review(id)
            if item is None or item.outcome is None:
                return False
            self._decide(item, written, Decision.FIXED, _reviewed(item))
            return True

    def reject(self, id: int, reason: str) -> bool:
        """Remove the outputs of an item in review, except those that somebody has changed."""
        with self.lock:
            item = self._in_review(id)
            if item is None or item.outcome is None:
                return False
            none = replace(item.outcome, written=())
            rejected = replace(item, state=State.REJECTED, decision=Decision.REJECTED, error=reason, outcome=none)
            self._journal.update_all([rejected], _reviewed(item))
            self.tidy()
            return True

    def requeue(self, ids: Sequence[int] | None) -> list[int]:
        """Make these QUEUED again, as if they had never been tried; None: all that failed. Returns the ids that it was done for."""
        with self.lock:
            items = self._journal.in_state(State.FAILED) if ids is None else [self._journal.item(id) for id in ids]
            again = [item for item in items if item is not None and not item.state.open]
            fresh = [replace(item, state=State.QUEUED, crashes=0, interrupted=0, error="", outcome=None, decision=None) for item in again]
            self._journal.update_all(
                fresh, {path: sha for item in again if item.state is State.REVIEW for path, sha in _reviewed(item).items()}
            )
            self.tidy()
            return [item.id for item in fresh]

    def remove(self, ids: Sequence[int]) -> None:
        """Take items out of the journal. Photos and outputs stay, even those in review; outputs under staged names are removed."""
        with self.lock:
            found = [item for item in map(self._journal.item, ids) if item is not None]
            going = [path for item in found if item.state is State.RUNNING for path in self.staged(item)]
            going += [one.staged for item in found if item.state is State.WRITTEN and item.outcome for one in item.outcome.written]
            self._journal.remove(ids, {path: "" for path in going if placing.is_staged(path)})

    def _in_review(self, id: int) -> Item | None:
        """The item if it is in review; None if that was decided already. Raises QueueError for any other."""
        item = self._journal.item(id)
        if item is None or item.decision is not None:
            return None
        if item.state is not State.REVIEW:
            raise QueueError(f"{item.name} is not in review.")
        return item

    def _decide(self, item: Item, written: Sequence[Written], decision: Decision, litter: dict[Path, str]) -> None:
        outcome = item.outcome
        assert outcome is not None
        decided = replace(item, state=State.WRITTEN, decision=decision, outcome=replace(outcome, written=tuple(written)))
        self._journal.update_all([decided], litter)
        try:
            self.finish(decided)
        except OSError as error:
            self._journal.update_all([item], swept=litter)  # as if nothing had been decided
            raise QueueError(
                f"{item.name} could not be put in its place: {error.strerror}. Check the folder {item.outputs[0].parent}."
            ) from error
        self.tidy()


def source_now(item: Item) -> Item:
    """The item with its photo's size and mtime as they are now: it may have changed since it was planned. Raises LoadError."""
    try:
        status = os.stat(item.source)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise LoadError(f"{item.name} could not be read: there is no such file. Look whether it was moved or renamed.") from error
    except OSError as error:
        raise LoadError(f"{item.name} could not be read: {error.strerror}. Check its permissions and the disk.") from error
    return replace(item, size=status.st_size, mtime=status.st_mtime_ns)


def make_folders(item: Item) -> None:
    """Make the folders of the item's outputs. Raises SaveError."""
    for folder in {output.parent for output in item.outputs}:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            said = f"The folder {folder} could not be made: {error.strerror}. Check the disk and the permissions, then resume."
            raise SaveError(said, Cause.of(error)) from error


def _lost(item: Item) -> Item:
    """The item after its outputs were removed while they were in review: it is done again, unless a person has decided already."""
    if item.decision is None:
        return replace(item, state=State.QUEUED, outcome=None)
    gone = f"The cutout of {item.name} that was in review is gone: somebody removed it. Retry to make it again."
    return replace(item, state=State.FAILED, outcome=None, decision=None, error=gone)


def _reviewed(item: Item) -> dict[Path, str]:
    """Outputs in review -> the sha256 that they had when they were put there."""
    return {} if item.outcome is None else {one.staged: one.sha256 for one in item.outcome.written}


def _as_it_is(one: Written) -> Written:
    """The output with its hash as it is now: a person may have worked on it while it was in review."""
    with suppress(OSError):
        return replace(one, sha256=placing.sha256_of(one.staged))
    return one


def _same(one: Path, other: Path) -> bool:
    return one == other or placing.same(one, other)
