"""The journal of a queue, and the ledger of all outputs: the only place that speaks SQL.

SQLite in WAL mode, every transaction synced: what was reported done is still done after a power cut.
"""

import os
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bgdesk.batch.values import BatchRecipe, Decision, Existing, Item, Outcome, Planned, State
from bgdesk.core.errors import BgdeskError

#: Version of the tables; a newer one is refused, an older one is brought up to date by `_MIGRATIONS`.
VERSION = 1

_QUEUE = """
CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE items (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    position REAL NOT NULL,
    source BLOB NOT NULL,
    size INTEGER NOT NULL,
    mtime INTEGER NOT NULL,
    outputs BLOB NOT NULL,
    state TEXT NOT NULL,
    crashes INTEGER NOT NULL DEFAULT 0,
    interrupted INTEGER NOT NULL DEFAULT 0,
    seconds REAL,
    error TEXT NOT NULL DEFAULT '',
    outcome TEXT,
    decision TEXT,
    claimed REAL
);
CREATE INDEX by_state ON items (state, position);
CREATE INDEX by_decision ON items (decision) WHERE decision IS NOT NULL;
"""
_LEDGER = """
CREATE TABLE outputs (
    path BLOB PRIMARY KEY,
    recipe_key TEXT NOT NULL,
    source BLOB NOT NULL,
    source_size INTEGER NOT NULL,
    source_mtime INTEGER NOT NULL,
    output_size INTEGER NOT NULL,
    output_mtime INTEGER NOT NULL
) WITHOUT ROWID;
"""
#: tables' version before -> what brings it one up.
_MIGRATIONS: Mapping[int, str] = {}

_COLUMNS = "id, position, source, size, mtime, outputs, state, crashes, interrupted, seconds, error, outcome, decision"


class JournalError(BgdeskError):
    """The journal of a queue cannot be read or written; the text says which and what to do."""


@dataclass(frozen=True)
class About:
    """What a queue is, beside its items. existing, kind, output: as they were given when it was made. made: seconds since 1970."""

    title: str
    kind: str
    output: Path
    existing: Existing
    recipe: BatchRecipe
    made: float


@dataclass(frozen=True)
class Entry:
    """What the ledger knows of an output: from what, with what, and how the file looked then. Sizes in bytes, mtimes in ns."""

    recipe_key: str
    source: Path
    source_size: int
    source_mtime: int
    output_size: int
    output_mtime: int


class _Database:
    """One file, one connection, one lock: any thread may call. Errors come as JournalError in words."""

    def __init__(self, file: Path, tables: str, what: str) -> None:
        self._file, self._what = file, what
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        with self._said():
            # Autocommit: transactions are begun and ended by `_change` alone.
            self._connection = sqlite3.connect(file, timeout=30.0, isolation_level=None, check_same_thread=False)
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")
            self._prepare(tables)

    def close(self) -> None:
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _prepare(self, tables: str) -> None:
        version = self._rows("PRAGMA user_version")[0][0]
        if version > VERSION:
            raise JournalError(f"{self._what} was written by a newer bgdesk. Use that one, or a newer one still, to go on with it.")
        if version == VERSION:
            return
        with self._change() as connection:
            version = connection.execute("PRAGMA user_version").fetchone()[0]  # another process may have been quicker
            steps = [tables] if version == 0 else [_MIGRATIONS[before] for before in range(version, VERSION)]
            for step in steps if version < VERSION else []:
                for statement in step.split(";\n"):
                    connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {VERSION}")

    @contextmanager
    def _said(self) -> Iterator[sqlite3.Connection | None]:
        with self._lock:
            try:
                yield self._connection
            except sqlite3.Error as error:
                raise JournalError(f"{self._what} could not be used: {_reason(error)}") from error

    @contextmanager
    def _change(self) -> Iterator[sqlite3.Connection]:
        """One transaction: all of the block, or nothing of it."""
        with self._said() as connection:
            if connection is None:
                raise JournalError(f"{self._what} is closed already.")
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def _rows(self, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        with self._said() as connection:
            if connection is None:
                raise JournalError(f"{self._what} is closed already.")
            return connection.execute(sql, values).fetchall()


def _reason(error: sqlite3.Error) -> str:
    words = str(error)
    if "full" in words:
        return "the disk is full. Make room, then resume."
    if isinstance(error, sqlite3.DatabaseError) and ("malformed" in words or "not a database" in words):
        return "the file is damaged. Its outputs are where they were; make a new queue, which skips what is done."
    if "readonly" in words or "unable to open" in words:
        return "you are not allowed to write there. Check the permissions of its folder."
    return f"{words}. Check the disk."


class Journal(_Database):
    """The items of one queue. `create` makes the file, `Journal(file)` opens it. Raises JournalError everywhere."""

    def __init__(self, file: Path) -> None:
        if not file.is_file():
            raise JournalError(f"There is no journal {file}. The queue was deleted, or it lies elsewhere.")
        super().__init__(file, _QUEUE, f"The journal {file}")

    @classmethod
    def create(cls, file: Path, about: About, planned: Iterable[Planned]) -> "Journal":
        """A new journal with these items, complete or not at all."""
        file.touch()
        journal = cls(file)
        values = {
            "title": about.title,
            "kind": about.kind,
            "output": os.fsencode(about.output).hex(),
            "existing": about.existing.value,
            "recipe": about.recipe.to_json(),
            "made": repr(about.made),
        }
        with journal._change() as connection:
            connection.executemany("INSERT INTO about VALUES (?, ?)", values.items())
            journal._insert(connection, planned)
        return journal

    def about(self) -> About:
        values: dict[str, str] = dict(self._rows("SELECT name, value FROM about"))
        try:
            return About(
                values["title"],
                values["kind"],
                Path(os.fsdecode(bytes.fromhex(values["output"]))),
                Existing(values["existing"]),
                BatchRecipe.from_json(values["recipe"]),
                float(values["made"]),
            )
        except (KeyError, ValueError) as error:
            raise JournalError(f"{self._what} is not complete. Make a new queue, which skips what is done.") from error

    def add(self, planned: Iterable[Planned]) -> None:
        """New items, at the end."""
        with self._change() as connection:
            self._insert(connection, planned)

    def items(self) -> list[Item]:
        """All of them, in their order."""
        return [_item(row) for row in self._rows(f"SELECT {_COLUMNS} FROM items ORDER BY position, id")]

    def item(self, id: int) -> Item | None:
        rows = self._rows(f"SELECT {_COLUMNS} FROM items WHERE id = ?", (id,))
        return _item(rows[0]) if rows else None

    def in_state(self, state: State) -> list[Item]:
        return [_item(row) for row in self._rows(f"SELECT {_COLUMNS} FROM items WHERE state = ? ORDER BY position, id", (state.value,))]

    def counts(self) -> dict[State, int]:
        found: dict[str, int] = dict(self._rows("SELECT state, count(*) FROM items GROUP BY state"))
        return {state: found.get(state.value, 0) for state in State}

    def decisions(self) -> dict[Decision, int]:
        found: dict[str, int] = dict(self._rows("SELECT decision, count(*) FROM items WHERE decision IS NOT NULL GROUP BY decision"))
        return {decision: found.get(decision.value, 0) for decision in Decision}

    def claim(self) -> Item | None:
        """The next one that waits is RUNNING from now on. What was interrupted twice comes after all the others."""
        with self._change() as connection:
            row = (
                connection.execute(
                    "SELECT id FROM items WHERE state = 'queued' AND interrupted < 2 ORDER BY position, id LIMIT 1"
                ).fetchone()
                or connection.execute("SELECT id FROM items WHERE state = 'queued' ORDER BY interrupted, position, id LIMIT 1").fetchone()
            )
            if row is None:
                return None
            connection.execute("UPDATE items SET state = 'running', error = '', claimed = ? WHERE id = ?", (time.time(), row[0]))
        return self.item(row[0])

    def update(self, item: Item) -> None:
        """Write everything of one item but its position; one that was removed stays removed."""
        with self._change() as connection:
            self._write(connection, item)

    def update_all(self, items: Iterable[Item]) -> None:
        """The same for several, in one transaction."""
        with self._change() as connection:
            for item in items:
                self._write(connection, item)

    def remove(self, ids: Iterable[int]) -> None:
        with self._change() as connection:
            connection.executemany("DELETE FROM items WHERE id = ?", ((id,) for id in ids))

    def move(self, ids: Sequence[int], before: int | None) -> None:
        """These items, in their present order, directly before the item `before`; None or one that is not there: at the end."""
        moved = set(ids) - {before}
        with self._change() as connection:
            order = [row[0] for row in connection.execute("SELECT id FROM items ORDER BY position, id")]
            going = [id for id in order if id in moved]
            staying = [id for id in order if id not in moved]
            at = staying.index(before) if before in staying else len(staying)
            low, high = at, len(staying) - at
            places = dict(connection.execute("SELECT id, position FROM items"))
            first = places[staying[at - 1]] if low else None
            last = places[staying[at]] if high else None
            start = first if first is not None else (last or 0.0) - len(going) - 1
            end = last if last is not None else start + len(going) + 1
            step = (end - start) / (len(going) + 1)
            if start + step == start or step < 1e-6:  # no number fits between them any more: count anew
                new = staying[:at] + going + staying[at:]
                connection.executemany("UPDATE items SET position = ? WHERE id = ?", ((float(n), id) for n, id in enumerate(new, 1)))
                return
            connection.executemany("UPDATE items SET position = ? WHERE id = ?", ((start + step * n, id) for n, id in enumerate(going, 1)))

    def _insert(self, connection: sqlite3.Connection, planned: Iterable[Planned]) -> None:
        last = connection.execute("SELECT coalesce(max(position), 0.0) FROM items").fetchone()[0]
        connection.executemany(
            "INSERT INTO items (position, source, size, mtime, outputs, state, error) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                (last + n, os.fsencode(each.source), each.size, each.mtime, _packed(each.outputs), each.state.value, each.reason)
                for n, each in enumerate(planned, 1)
            ),
        )

    def _write(self, connection: sqlite3.Connection, item: Item) -> None:
        connection.execute(
            "UPDATE items SET source = ?, size = ?, mtime = ?, outputs = ?, state = ?, crashes = ?, interrupted = ?, seconds = ?, "
            "error = ?, outcome = ?, decision = ? WHERE id = ?",
            (
                os.fsencode(item.source),
                item.size,
                item.mtime,
                _packed(item.outputs),
                item.state.value,
                item.crashes,
                item.interrupted,
                item.seconds,
                item.error,
                None if item.outcome is None else item.outcome.to_json(),
                None if item.decision is None else item.decision.value,
                item.id,
            ),
        )


class Ledger(_Database):
    """What bgdesk knows of all outputs, whichever queue made them; several processes may use it at once."""

    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        super().__init__(file, _LEDGER, f"The ledger {file}")

    def lookup(self, output: Path) -> Entry | None:
        """What is known of the output last written to this absolute path."""
        rows = self._rows(
            "SELECT recipe_key, source, source_size, source_mtime, output_size, output_mtime FROM outputs WHERE path = ?",
            (os.fsencode(output),),
        )
        if not rows:
            return None
        key, source, *numbers = rows[0]
        return Entry(key, Path(os.fsdecode(source)), *numbers)

    def record(self, entries: Mapping[Path, Entry]) -> None:
        """These outputs are written, and look as they do now."""
        with self._change() as connection:
            connection.executemany(
                "INSERT OR REPLACE INTO outputs VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    (os.fsencode(path), e.recipe_key, os.fsencode(e.source), e.source_size, e.source_mtime, e.output_size, e.output_mtime)
                    for path, e in entries.items()
                ),
            )

    def ours(self, output: Path) -> bool:
        """Whether the file there is one that bgdesk wrote, and nobody has changed it since."""
        entry = self.lookup(output)
        if entry is None:
            return False
        try:
            status = os.stat(output)
        except OSError:
            return False
        return (status.st_size, status.st_mtime_ns) == (entry.output_size, entry.output_mtime)


def _packed(paths: Sequence[Path]) -> bytes:
    """File names hold no NUL, whatever else they hold."""
    return b"\0".join(map(os.fsencode, paths))


def _unpacked(blob: bytes) -> tuple[Path, ...]:
    return tuple(Path(os.fsdecode(part)) for part in blob.split(b"\0")) if blob else ()


def _item(row: Sequence[Any]) -> Item:
    id, position, source, size, mtime, outputs, state, crashes, interrupted, seconds, error, outcome, decision = row
    return Item(
        id,
        position,
        Path(os.fsdecode(source)),
        size,
        mtime,
        _unpacked(outputs),
        State(state),
        crashes,
        interrupted,
        seconds,
        error,
        None if outcome is None else Outcome.from_json(outcome),
        None if decision is None else Decision(decision),
    )
