"""A watched folder: photos that appear in it go into a queue once they have stopped growing.

The folder is read every few seconds. Notifications of the system would be quicker, but do not come from network disks.
"""

import contextlib
import os
import secrets
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from bgdesk.batch.model.values import BatchRecipe, Existing, Item, Planned, State
from bgdesk.batch.planning import naming
from bgdesk.batch.planning.plan import LedgerLike, plan
from bgdesk.batch.planning.scan import FAILED, Filters, Order, PhotoFile, ScanResult, absolute, find
from bgdesk.core.errors import BgdeskError, UsageError
from bgdesk.core.tasks import Cancelled, Progress, silent
from bgdesk.files.names import free_name, stem

#: Seconds between two looks.
EVERY = 2.0
#: A file must have been the same for so many looks after the first, and so many seconds.
LOOKS, QUIET = 2, 2.0
#: Seconds that an empty file must stay the same: a browser makes one for what it is still fetching.
EMPTY_QUIET = 60.0

#: What programs append to the name of a file that they have not finished.
_UNFINISHED = (".part", ".crdownload", ".tmp", ".download", ".partial", ".filepart")
# At most this share of the time is spent reading the folder, however many files are in it.
_SHARE = 0.1


class QueueLike(Protocol):
    """batch.queue.Queue, as far as watching needs it."""

    @property
    def recipe(self) -> BatchRecipe: ...
    @property
    def output(self) -> Path: ...
    @property
    def existing(self) -> Existing: ...
    def items(self) -> list[Item]: ...
    def item(self, id: int, /) -> Item | None: ...
    def add(self, planned: Sequence[Planned], /) -> None: ...
    def subscribe(self, listener: Callable[[Any], None], /) -> Callable[[], None]: ...


@dataclass
class _Seen:
    """A file that may still grow."""

    size: int  #: bytes, when it was last seen
    mtime: int  #: nanoseconds since 1970, when it was last seen
    since: float  #: the clock's time since when it has been like that
    again: int = 0  #: how often it was seen like that again


class Watcher:
    """Takes the photos of one folder, and puts a copy of each that fails into OUT/failed with the reason beside it.

    The queue's journal knows which photos were taken: a file that is in it with the same size and mtime is not taken again, in
    this run or a later one; one that has changed is. Photos in the folder are never moved or changed. Whatever happens to the
    folder, `look` raises nothing: it says what is wrong (each thing once) and waits.
    """

    def __init__(
        self,
        folder: Path,
        queue: QueueLike,
        say: Callable[[str, bool], None],
        *,
        pattern: str | None = None,
        recursive: bool = False,
        filters: Filters | None = None,
        ledger: LedgerLike | None = None,
        clock: Callable[[], float] = time.monotonic,
        progress: Progress = silent,
    ) -> None:
        """
        Parameters
        ----------
        folder
            To watch. It may not exist yet.
        queue
            That the photos go into.
        say
            Told sentences for a person, and whether each is a failure.
        pattern
            See `naming`; None for the default one.
        recursive
            Watch the subfolders as well.
        filters
            Which files are taken; None: all.
        ledger
            See `plan`.
        clock
            Seconds that never go back.
        progress
            See `find`.

        Raises
        ------
        UsageError
            For a folder that is a file, and for a pattern that cannot be used.
        """
        self.folder = absolute(folder)
        if os.path.lexists(self.folder) and not os.path.isdir(self.folder):
            raise UsageError(f"{self.folder} is a file. Choose a folder to watch.")
        self._pattern = naming.parse(naming.default(queue.recipe) if pattern is None else pattern, queue.recipe).text
        self._queue, self._say = queue, say
        self._recursive, self._filters, self._ledger = recursive, filters or Filters(), ledger
        self._clock, self._progress = clock, progress
        self._seen: dict[Path, _Seen] = {}
        self._taken: dict[Path, tuple[int, int]] = {}  # photo -> size and mtime that it was last taken with
        self._promised: dict[Path, Path] = {}  # output -> photo
        self._said: set[str] = set()
        self._gone = False
        self._number = 0
        self._lock = threading.Lock()  # over _changed, which the queue's threads add to
        self._changed: set[int] | None = None  # ids of items that may have failed; None: any
        self._leave = queue.subscribe(self._heard)
        for item in queue.items():
            self._remember(item.source, item.size, item.mtime, item.outputs)

    def close(self) -> None:
        """Stop listening to the queue."""
        self._leave()

    def look(self) -> tuple[Path, ...]:
        """Read the folder once; returns the photos that were taken. Raises Cancelled if `progress` does."""
        self._set_aside_failed()
        if self._is_gone():
            return ()
        try:
            found = find(
                [self.folder],
                recursive=self._recursive,
                filters=self._filters,
                output=self._queue.output,
                order=Order.DATE,
                progress=self._progress,
            )
            for path, sentence in found.problems:
                if path != self.folder:  # that it is empty is how it should be
                    self._once(sentence)
            return self._take([photo for photo in found.photos if self._is_ready(photo)], {photo.path for photo in found.photos})
        except Cancelled:
            raise
        except BgdeskError as error:
            self._once(str(error))
        except OSError as error:  # between two steps of one look the folder may go
            self._once(f"{self.folder} could not be read: {error.strerror or error}. Check the disk and the network.")
        return ()

    def run(self, stop: threading.Event, every: float = EVERY) -> None:
        """Read the folder again and again until `stop` is set; then stop listening to the queue."""
        try:
            while True:
                begun = time.monotonic()
                self.look()
                if stop.wait(max(every, (time.monotonic() - begun) / _SHARE)):
                    return
        finally:
            self.close()

    def _is_gone(self) -> bool:
        """Whether the folder cannot be opened; said when that begins and when it ends."""
        try:
            os.scandir(self.folder).close()
        except OSError as error:
            if not self._gone:
                self._say(f"{self.folder} cannot be opened: {error.strerror or error}. bgdesk waits until it is there.", True)
            self._gone = True
            return True
        if self._gone:
            self._say(f"{self.folder} is back.", False)
        self._gone = False
        return False

    def _is_ready(self, photo: PhotoFile) -> bool:
        """Whether it is new or changed, has stopped growing, and can be opened."""
        path, now = photo.path, self._clock()
        if self._taken.get(path) == (photo.size, photo.mtime) or path in self._promised:
            return False
        seen = self._seen.get(path)
        if seen is None or (seen.size, seen.mtime) != (photo.size, photo.mtime):
            self._seen[path] = _Seen(photo.size, photo.mtime, now)
            return False
        seen.again += 1
        quiet = QUIET if photo.size else EMPTY_QUIET
        if seen.again < LOOKS or now - seen.since < quiet or _is_unfinished(path):
            return False
        try:
            with path.open("rb") as stream:
                stream.read(1)
        except FileNotFoundError:
            return False
        except OSError as error:
            self._once(f"{path} cannot be opened yet: {error.strerror or error}. bgdesk goes on trying.")
            return False
        return True

    def _take(self, photos: Sequence[PhotoFile], present: set[Path]) -> tuple[Path, ...]:
        for path in self._seen.keys() - present:
            del self._seen[path]
        if not photos:
            return ()
        made = plan(
            ScanResult(tuple(photos)),
            self._queue.recipe,
            self._queue.output,
            self._pattern,
            self._queue.existing,
            self._ledger,
            promised=self._promised,
            begin=self._number + 1,
        )
        if made.planned:
            self._queue.add(made.planned)
        self._number += len(made.planned)
        for item in made.planned:
            self._remember(item.source, item.size, item.mtime, item.outputs)
        states = {photo.path: (photo.size, photo.mtime) for photo in photos}
        for path in made.own:  # a cutout, in a watched folder that is the output folder too
            self._taken[path] = states[path]
        for path, sentence in made.problems:
            self._taken[path] = states[path]
            self._once(sentence)
            self._set_aside(path, sentence)
        for path in states:
            self._seen.pop(path, None)
        return tuple(item.source for item in made.planned)

    def _remember(self, source: Path, size: int, mtime: int, outputs: Sequence[Path]) -> None:
        self._taken[source] = (size, mtime)
        for output in outputs:
            self._promised[output] = source

    def _heard(self, event: object) -> None:
        """An event of the queue, on any thread: which items to check at the next look."""
        ids = getattr(event, "ids", None)
        if ids is None:
            return
        with self._lock:
            self._changed = None if not ids or self._changed is None else self._changed | set(ids)

    def _set_aside_failed(self) -> None:
        with self._lock:
            ids, self._changed = self._changed, set()
        items = self._queue.items() if ids is None else [self._queue.item(id) for id in sorted(ids)]
        for item in items:
            if item is None:
                continue
            self._promised.update(dict.fromkeys(item.outputs, item.source))  # they may have got a number meanwhile
            if item.state is State.FAILED and _is_still(item):
                self._set_aside(item.source, item.error)

    def _set_aside(self, photo: Path, reason: str) -> None:
        """A copy into OUT/failed and the reason beside it, unless both are there from an earlier time."""
        folder = self._queue.output / FAILED
        try:
            folder.mkdir(parents=True, exist_ok=True)
            copy = _place(folder, photo)
            if photo.is_file() and not copy.exists():
                _copy(photo, copy)
            note = copy.with_name(_shortened(copy.name, 250) + ".txt")
            text = f"{photo}\n{reason}\n"
            if not note.is_file() or note.read_text("utf-8", "replace") != text:
                note.write_text(text, "utf-8", "replace")
        except OSError as error:
            self._once(f"{photo.name} failed, and could not be copied to {folder}: {error.strerror or error}. It is still at {photo}.")

    def _once(self, sentence: str) -> None:
        if sentence not in self._said:
            self._said.add(sentence)
            self._say(sentence, True)


def _is_still(item: Item) -> bool:
    """Whether the photo is the file that failed, and not another one that has its name now. True if it was removed."""
    try:
        status = item.source.stat()
    except OSError:
        return True
    return (status.st_size, status.st_mtime_ns) == (item.size, item.mtime)


def _is_unfinished(path: Path) -> bool:
    """Whether a program is still writing the file: browsers make NAME while they write NAME.part."""
    return any(os.path.lexists(f"{path}{suffix}") for suffix in _UNFINISHED)


def _place(folder: Path, photo: Path) -> Path:
    """Where the copy of a photo is or may be put: its name, or the first of NAME-2, NAME-3 … that is no other photo's copy."""
    name = stem(photo)
    return free_name(folder, name, photo.name[len(name) :], lambda path: os.path.lexists(path) and not _is_copy(path, photo))


def _shortened(name: str, most: int) -> str:
    """`name`, or as much of its beginning as fits into so many bytes."""
    while len(os.fsencode(name)) > most:
        name = name[:-1]
    return name


def _is_copy(copy: Path, photo: Path) -> bool:
    """Whether a file is the copy of a photo: by size and mtime, and by the name alone if the photo was removed."""
    try:
        one, other = copy.stat(), photo.stat()
    except OSError:
        return copy.is_file() and not photo.exists()
    # Disks keep times with different precision.
    return one.st_size == other.st_size and abs(one.st_mtime_ns - other.st_mtime_ns) <= 2_000_000_000


def _copy(photo: Path, copy: Path) -> None:
    temporary = copy.with_name(f".{secrets.token_hex(4)}.bgdesk.part")
    try:
        shutil.copy2(photo, temporary)
        os.replace(temporary, copy)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
