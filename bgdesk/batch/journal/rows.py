"""How an item stands in a row of the journal. No SQL: what goes in and what comes out."""

import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from bgdesk.app.system import codec
from bgdesk.batch.model.values import Decision, Item, Outcome, State

#: Of the table of items, those that an `Item` has.
COLUMNS = (
    "id", "position", "source", "size", "mtime", "outputs", "state", "crashes", "interrupted", "seconds", "error", "outcome", "decision",
    "attempts",
)  # fmt: skip


def packed(paths: Sequence[Path]) -> bytes:
    """Paths in one value; unlike any other character, NUL is in no path."""
    return b"\0".join(map(os.fsencode, paths))


def unpacked(blob: bytes) -> tuple[Path, ...]:
    return tuple(Path(os.fsdecode(part)) for part in blob.split(b"\0")) if blob else ()


def item_of(row: Sequence[Any]) -> Item:
    """An item from the columns of `COLUMNS`. Raises ValueError, UsageError for a row that bgdesk cannot have written."""
    values = dict(zip(COLUMNS, row, strict=True))
    outcome, decision = values["outcome"], values["decision"]
    return Item(
        **values
        | {
            "source": Path(os.fsdecode(values["source"])),
            "outputs": unpacked(values["outputs"]),
            "state": State(values["state"]),
            "error": text_of(values["error"]),
            "outcome": None if outcome is None else codec.decode(outcome, Outcome),
            "decision": None if decision is None else Decision(decision),
        }
    )


def row_of(item: Item) -> dict[str, Any]:
    """Columns of an item -> their values."""
    return {
        "id": item.id,
        "position": item.position,
        "source": os.fsencode(item.source),
        "size": item.size,
        "mtime": item.mtime,
        "outputs": packed(item.outputs),
        "state": item.state.value,
        "crashes": item.crashes,
        "interrupted": item.interrupted,
        "seconds": item.seconds,
        "error": plain(item.error),
        "outcome": None if item.outcome is None else codec.encode(item.outcome).decode("ascii"),
        "decision": None if item.decision is None else item.decision.value,
        "attempts": item.attempts,
    }


def order(item: Item) -> tuple[float, int]:
    return item.position, item.id


def moved_to(places: Mapping[int, float], moved: Collection[int], before: int | None) -> dict[int, float]:
    """New positions, so that `moved` come directly before the item `before`. places: id -> position, in their order."""
    going, staying = [id for id in places if id in moved], [id for id in places if id not in moved]
    at = staying.index(before) if before in staying else len(staying)
    first = places[staying[at - 1]] if at > 0 else None
    last = places[staying[at]] if at < len(staying) else None
    start = first if first is not None else (last or 0.0) - len(going) - 1
    end = last if last is not None else start + len(going) + 1
    step = (end - start) / (len(going) + 1)
    if start + step == start or step < 1e-6:  # no number fits between them any more: count anew
        return {id: float(n) for n, id in enumerate(staying[:at] + going + staying[at:], 1)}
    return {id: start + step * n for n, id in enumerate(going, 1)}


def plain(text: str) -> str | bytes:
    """Text that names a file may have characters that are not valid UTF-8; SQLite takes those as bytes only."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")
    return text


def text_of(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode("utf-8", "surrogatepass")
