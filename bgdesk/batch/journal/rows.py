"""How an item stands in a row of the journal. No SQL: what goes in and what comes out."""

import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from bgdesk.batch.model.values import Decision, Item, Outcome, State


def packed(paths: Sequence[Path]) -> bytes:
    """File names hold no NUL, whatever else they hold."""
    return b"\0".join(map(os.fsencode, paths))


def unpacked(blob: bytes) -> tuple[Path, ...]:
    return tuple(Path(os.fsdecode(part)) for part in blob.split(b"\0")) if blob else ()


def item_of(row: Sequence[Any]) -> Item:
    id, position, source, size, mtime, outputs, state, crashes, interrupted, seconds, error, outcome, decision, attempts = row
    return Item(
        id,
        position,
        Path(os.fsdecode(source)),
        size,
        mtime,
        unpacked(outputs),
        State(state),
        crashes,
        interrupted,
        seconds,
        text_of(error),
        None if outcome is None else Outcome.from_json(outcome),
        None if decision is None else Decision(decision),
        attempts,
    )


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
    """Text that names a file may hold what is no UTF-8; SQLite takes that as bytes only."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")
    return text


def text_of(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode("utf-8", "surrogatepass")
