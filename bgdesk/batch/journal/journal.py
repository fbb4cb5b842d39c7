"""The journal of a queue, and the ledger of all outputs. SQL is nowhere else.

SQLite in WAL mode, every transaction synced: what was reported done is still done after a power cut.
"""

import logging
import os
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from bgdesk.app.system import codec
from bgdesk.batch.journal.rows import COLUMNS, item_of, moved_to, order, packed, plain, row_of, text_of
from bgdesk.batch.model.values import BatchRecipe, Decision, Existing, Item, LedgerEntry, Planned, QueueKind, State
from bgdesk.core.errors import BgdeskError, UsageError

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
    attempts INTEGER NOT NULL DEFAULT 0,
    claimed REAL
);
CREATE TABLE litter (path BLOB PRIMARY KEY, sha256 TEXT NOT NULL) WITHOUT ROWID;
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

_COLUMNS = ", ".join(COLUMNS)
_UPDATE = f"UPDATE items SET {', '.join(f'{name} = :{name}' for name in COLUMNS if name not in ('id', 'position'))} WHERE id = :id"

log = logging.getLogger(__name__)


class JournalError(BgdeskError):
    """The journal of a queue cannot be read or written; the text says which and what to do."""


@dataclass(frozen=True, kw_only=True)
class About:
    """What a queue is, beside its items."""

    title: str
    kind: QueueKind
    output: Path  #: the folder
    existing: Existing
    recipe: BatchRecipe
    made: float  #: seconds since 1970


class _Damaged(JournalError):
    pass


class _Database:
    """One file, one connection, one lock: any thread may call. Every failure is a JournalError."""

    _connection: sqlite3.Connection | None = None

    def __init__(self, file: Path, tables: str, what: str) -> None:
        self._file, self._what = file, what
        self._lock = threading.RLock()
        with self._said():
            # Autocommit: transactions are begun and ended by `_change` alone.
            self._connection = sqlite3.connect(file, timeout=30.0, isolation_level=None, check_same_thread=False)
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")
            self._prepare(tables)

    def __del__(self) -> None:
        if self._connection is not None:
            self._connection.close()

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
                raise (_Damaged if _is_damage(error) else JournalError)(f"{self._what} could not be used: {_reason(error)}") from error

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


_DAMAGED = "the file is damaged. Its outputs are where they were; make a new queue, which skips what is done."


def _code(error: sqlite3.Error) -> int:
    """SQLite's primary result code; 0 for what Python itself has found wrong."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _is_damage(error: sqlite3.Error) -> bool:
    return _code(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _reason(error: sqlite3.Error) -> str:
    match _code(error):
        case sqlite3.SQLITE_FULL:
            return "the disk is full. Make room, then resume."
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return _DAMAGED
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_PERM:
            return "you are not allowed to write there. Check the permissions of its folder."
        case _:
            return f"{error}. Check the disk."


class Journal(_Database):
    """The items of one queue. `create` makes the file, `Journal(file)` opens it. Every method may raise JournalError.

    No other process writes while it is open, because the queue is locked. So items are kept in memory once they are loaded:
    reading them waits neither for the disk nor for a change that is being written, and works after `close` too.
    """

    def __init__(self, file: Path) -> None:
        if not file.is_file():
            raise JournalError(f"There is no journal {file}. The queue was deleted or moved.")
        self._kept: dict[int, Item] | None = None  # replaced by another one, where it grows or shrinks: another thread may look at it
        super().__init__(file, _QUEUE, f"The journal {file}")

    def load(self) -> None:
        """Read everything into memory, and check that the file is whole."""
        with self._lock:
            if [row[0] for row in self._rows("PRAGMA integrity_check(1)")] != ["ok"]:
                raise JournalError(f"{self._what} could not be used: {_DAMAGED}")
            self._kept = {item.id: item for item in self._read("ORDER BY id")}

    def _read(self, which: str, values: Sequence[object] = ()) -> list[Item]:
        rows = self._rows(f"SELECT {_COLUMNS} FROM items {which}", values)
        try:
            return [item_of(row) for row in rows]
        except (TypeError, ValueError, UsageError) as error:
            raise JournalError(f"{self._what} could not be used: {_DAMAGED}") from error

    @classmethod
    def create(cls, file: Path, about: About, planned: Iterable[Planned]) -> "Journal":
        """A new journal with these items, complete or not at all."""
        file.touch()
        journal = cls(file)
        values = {
            "title": about.title,
            "kind": about.kind.value,
            "output": os.fsencode(about.output).hex(),
            "existing": about.existing.value,
            "recipe": codec.encode(about.recipe).decode("ascii"),
            "made": repr(about.made),
        }
        with journal._change() as connection:
            connection.executemany("INSERT INTO about VALUES (?, ?)", ((name, plain(value)) for name, value in values.items()))
            journal._insert(connection, planned)
        return journal

    def about(self) -> About:
        values = {name: text_of(value) for name, value in self._rows("SELECT name, value FROM about")}
        try:
            return About(
                title=values["title"],
                kind=QueueKind(values["kind"]),
                output=Path(os.fsdecode(bytes.fromhex(values["output"]))),
                existing=Existing(values["existing"]),
                recipe=codec.decode(values["recipe"], BatchRecipe),
                made=float(values["made"]),
            )
        except (KeyError, ValueError, UsageError) as error:
            raise JournalError(f"{self._what} is not complete. Make a new queue, which skips what is done.") from error

    def add(self, planned: Iterable[Planned]) -> None:
        """New items, at the end."""
        with self._lock:
            with self._change() as connection:
                last = connection.execute("SELECT coalesce(max(id), 0) FROM items").fetchone()[0]
                self._insert(connection, planned)
            if self._kept is not None:
                self._kept = {**self._kept, **{item.id: item for item in self._read("WHERE id > ?", (last,))}}

    def items(self) -> list[Item]:
        """All of them, in their order."""
        found = self._read("") if self._kept is None else list(self._kept.values())
        return sorted(found, key=order)

    def item(self, id: int) -> Item | None:
        if self._kept is not None:
            return self._kept.get(id)
        return next(iter(self._read("WHERE id = ?", (id,))), None)

    def in_state(self, state: State) -> list[Item]:
        found = self._read("WHERE state = ?", (state.value,)) if self._kept is None else list(self._kept.values())
        return sorted((item for item in found if item.state is state), key=order)

    def is_source(self, path: Path) -> bool:
        """Whether it is a photo of the queue."""
        return bool(self._rows("SELECT 1 FROM items WHERE source = ? LIMIT 1", (os.fsencode(path),)))

    def counts(self) -> dict[State, int]:
        if self._kept is None:
            found = {State(state): number for state, number in self._rows("SELECT state, count(*) FROM items GROUP BY state")}
        else:
            found = dict(Counter(item.state for item in list(self._kept.values())))
        return {state: found.get(state, 0) for state in State}

    def decisions(self) -> dict[Decision, int]:
        if self._kept is None:
            rows = self._rows("SELECT decision, count(*) FROM items WHERE decision IS NOT NULL GROUP BY decision")
            found = {Decision(decision): number for decision, number in rows}
        else:
            found = dict(Counter(item.decision for item in list(self._kept.values()) if item.decision is not None))
        return {decision: found.get(decision, 0) for decision in Decision}

    def claim(self) -> Item | None:
        """The next one that waits is RUNNING from now on. What was interrupted twice comes after all the others."""
        with self._lock:
            with self._change() as connection:
                row = (
                    connection.execute(
                        "SELECT id FROM items WHERE state = 'queued' AND interrupted < 2 ORDER BY position, id LIMIT 1"
                    ).fetchone()
                    or connection.execute(
                        "SELECT id FROM items WHERE state = 'queued' ORDER BY interrupted, position, id LIMIT 1"
                    ).fetchone()
                )
                if row is None:
                    return None
                connection.execute(
                    "UPDATE items SET state = 'running', error = '', attempts = attempts + 1, claimed = ? WHERE id = ?",
                    (time.time(), row[0]),
                )
            claimed = self._read("WHERE id = ?", row)[0]
            self._keep([claimed])
            return claimed

    def update(self, item: Item) -> None:
        """Write everything of one item but its position; one that was removed stays removed."""
        self.update_all([item])

    def update_all(self, items: Iterable[Item], litter: Mapping[Path, str] = MappingProxyType({}), swept: Iterable[Path] = ()) -> None:
        """The same for several, and for `litter`, in one transaction. swept: litter that was removed."""
        items = list(items)
        with self._lock:
            with self._change() as connection:
                for item in items:
                    connection.execute(_UPDATE, row_of(item))
                self._note(connection, litter, swept)
            self._keep(items)

    def remove(self, ids: Iterable[int], litter: Mapping[Path, str] = MappingProxyType({})) -> None:
        gone = set(ids)
        with self._lock:
            with self._change() as connection:
                connection.executemany("DELETE FROM items WHERE id = ?", ((id,) for id in gone))
                self._note(connection, litter, ())
            if self._kept is not None:
                self._kept = {id: item for id, item in self._kept.items() if id not in gone}

    def litter(self) -> dict[Path, str]:
        """Files of ours that are to be removed -> the sha256 that they must have; "" for staged names, which are ours in any case."""
        return {Path(os.fsdecode(path)): sha256 for path, sha256 in self._rows("SELECT path, sha256 FROM litter")}

    def move(self, ids: Sequence[int], before: int | None) -> None:
        """Move these, in their present order, directly before the item `before`; None or one that does not exist: to the end."""
        moved = set(ids) - {before}
        with self._lock:
            with self._change() as connection:
                places: dict[int, float] = dict(connection.execute("SELECT id, position FROM items ORDER BY position, id"))
                changed = moved_to(places, moved, before)
                connection.executemany("UPDATE items SET position = ? WHERE id = ?", ((place, id) for id, place in changed.items()))
            if self._kept is not None:
                self._kept.update({id: replace(self._kept[id], position=place) for id, place in changed.items()})

    def _keep(self, items: Iterable[Item]) -> None:
        for item in items if self._kept is not None else ():
            assert self._kept is not None
            if item.id in self._kept:
                self._kept[item.id] = replace(item, position=self._kept[item.id].position)

    @staticmethod
    def _note(connection: sqlite3.Connection, litter: Mapping[Path, str], swept: Iterable[Path]) -> None:
        connection.executemany("INSERT OR REPLACE INTO litter VALUES (?, ?)", ((os.fsencode(path), sha) for path, sha in litter.items()))
        connection.executemany("DELETE FROM litter WHERE path = ?", ((os.fsencode(path),) for path in swept))

    def _insert(self, connection: sqlite3.Connection, planned: Iterable[Planned]) -> None:
        last = connection.execute("SELECT coalesce(max(position), 0.0) FROM items").fetchone()[0]
        connection.executemany(
            "INSERT INTO items (position, source, size, mtime, outputs, state, error) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                (last + n, os.fsencode(each.source), each.size, each.mtime, packed(each.outputs), each.state.value, plain(each.reason))
                for n, each in enumerate(planned, 1)
            ),
        )


class Ledger(_Database):
    """What bgdesk knows of all outputs, whichever queue made them; several processes may use it at once."""

    def __init__(self, file: Path) -> None:
        what = f"The ledger {file}"
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            try:
                super().__init__(file, _LEDGER, what)
            except _Damaged as error:
                # Without it outputs are numbered that could have been replaced: no reason to stop every queue.
                log.warning("%s It is set aside, and a new one begun.", error)
                os.replace(file, file.with_name(f"{file.stem}-damaged-{time.time():.0f}{file.suffix}"))
                super().__init__(file, _LEDGER, what)
        except OSError as error:
            raise JournalError(f"{what} could not be made: {error.strerror}. Check the disk and the permissions.") from error

    @classmethod
    def of(cls, home: Path) -> "Ledger":
        """The one of all queues. home: the person's data folder. Raises JournalError."""
        return cls(home / "queues" / "ledger.sqlite")

    def lookup(self, output: Path) -> LedgerEntry | None:
        """What is known of the output last written to this absolute path."""
        rows = self._rows(
            "SELECT recipe_key, source, source_size, source_mtime, output_size, output_mtime FROM outputs WHERE path = ?",
            (os.fsencode(output),),
        )
        if not rows:
            return None
        key, source, source_size, source_mtime, output_size, output_mtime = rows[0]
        return LedgerEntry(
            recipe_key=key,
            source=Path(os.fsdecode(source)),
            source_size=source_size,
            source_mtime=source_mtime,
            output_size=output_size,
            output_mtime=output_mtime,
        )

    def record(self, entries: Mapping[Path, LedgerEntry]) -> None:
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
