import os
import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bgdesk.batch.journal.journal import VERSION, About, Journal, JournalError, Ledger
from bgdesk.batch.model.values import (
    BatchRecipe,
    Decision,
    Existing,
    Fallback,
    Item,
    LedgerEntry,
    Outcome,
    Planned,
    QueueKind,
    State,
    Variant,
    Written,
)
from bgdesk.core.formats import Format
from bgdesk.core.recipe import MatteRecipe
from bgdesk.core.stages import Stage

ABOUT = About(
    title="Shoes", kind=QueueKind.BATCH, output=Path("/photos/out"), existing=Existing.SKIP, recipe=BatchRecipe(gate=0.7), made=1.5e9
)


def some(count: int) -> list[Planned]:
    return [
        Planned(source=Path(f"/photos/{n}.jpg"), size=100 + n, mtime=5 + n, outputs=(Path(f"/photos/out/{n}.png"),)) for n in range(count)
    ]


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal.create(tmp_path / "journal.sqlite", ABOUT, some(5))


def test_what_is_written_is_read_by_the_next_process(journal: Journal, tmp_path: Path) -> None:
    outcome = Outcome(
        written=(Written(Path("/o/.s.png"), Path("/o/s.png"), "ab"),),
        width=8,
        height=6,
        timings={Stage.NETWORK: 0.5},
        confidence=0.4,
        reasons=("Unsure.",),
        notes=("A note.",),
        device="CPU",
        precision="bf16",
        model="isnet",
    )
    first = journal.items()[0]
    changed = replace(first, state=State.REVIEW, crashes=1, seconds=2.5, outcome=outcome, decision=Decision.ACCEPTED, error="no")
    journal.update(changed)
    journal.close()
    again = Journal(tmp_path / "journal.sqlite")
    assert again.about() == ABOUT
    assert again.items()[0] == changed
    assert [item.source for item in again.items()] == [each.source for each in some(5)]
    again.close()


def test_names_of_any_bytes_come_back(tmp_path: Path) -> None:
    strange = Path(os.fsdecode(b"/photos/caf\xe9\n.jpg"))
    journal = Journal.create(
        tmp_path / "j", replace(ABOUT, output=strange), [Planned(source=strange, size=1, mtime=2, outputs=(strange, Path("/b")))]
    )
    journal.update(replace(journal.items()[0], outcome=Outcome(written=(Written(strange, strange, ""),), width=1, height=1)))
    assert journal.about().output == strange
    assert journal.items()[0].outputs == (strange, Path("/b"))
    found = journal.items()[0].outcome
    assert found is not None
    assert found.written[0].staged == strange


def test_claims_go_in_order_and_what_was_interrupted_twice_comes_last(journal: Journal) -> None:
    first, second, *_ = journal.items()
    journal.update(replace(first, interrupted=2))
    journal.update(replace(second, interrupted=1))
    claimed = [journal.claim() for _ in range(6)]
    assert [item.id if item else None for item in claimed] == [2, 3, 4, 5, 1, None]
    assert journal.counts()[State.RUNNING] == 5


def test_several_threads_never_claim_the_same(tmp_path: Path) -> None:
    journal = Journal.create(tmp_path / "j", ABOUT, some(60))
    got: list[int] = []

    def work() -> None:
        while (item := journal.claim()) is not None:
            got.append(item.id)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got) == list(range(1, 61))


@settings(max_examples=40)
@given(
    moves=st.lists(st.tuples(st.sets(st.integers(1, 8), min_size=1), st.one_of(st.none(), st.integers(1, 8))), max_size=12),
)
def test_moving_is_what_a_list_would_do(moves: list[tuple[set[int], int | None]], tmp_path_factory: pytest.TempPathFactory) -> None:
    journal = Journal.create(tmp_path_factory.mktemp("j") / "j", ABOUT, some(8))
    order = list(range(1, 9))
    for ids, before in moves:
        journal.move(sorted(ids), before)
        moved = [id for id in order if id in ids and id != before]
        rest = [id for id in order if id not in moved]
        at = len(rest) if before is None else rest.index(before)
        order = rest[:at] + moved + rest[at:]
        assert [item.id for item in journal.items()] == order
    journal.close()


def test_moving_to_one_place_again_and_again_never_runs_out_of_numbers(journal: Journal) -> None:
    for turn in range(200):
        journal.move([5 if turn % 2 else 4], 3)
    assert [item.id for item in journal.items()] == [1, 2, 4, 5, 3]


def test_ten_thousand_are_written_and_read(tmp_path: Path) -> None:
    journal = Journal.create(tmp_path / "j", ABOUT, some(10_000))
    assert len(journal.items()) == 10_000
    plan = journal._rows("EXPLAIN QUERY PLAN SELECT id FROM items WHERE state = 'queued' AND interrupted < 2 ORDER BY position, id LIMIT 1")
    assert "by_state" in str(plan)  # claiming does not look at all of them


def test_looking_at_ten_thousand_with_results_is_quick(tmp_path: Path) -> None:
    """Once they are loaded: a list that is followed by a person is looked at again and again."""
    journal = Journal.create(tmp_path / "j", ABOUT, some(10_000))
    timings = dict.fromkeys((Stage.LOAD, Stage.NETWORK, Stage.TRIMAP, Stage.ALPHA, Stage.FOREGROUND, Stage.SAVE), 0.1)
    outcome = Outcome(
        written=(Written(Path("/o/.s.png"), Path("/o/s.png"), "ab"),),
        width=8,
        height=6,
        timings=timings,
        confidence=0.4,
        reasons=("Its edge is unsure.",),
    )
    journal.update_all(replace(item, state=State.DONE, outcome=outcome) for item in journal.items())
    journal.load()
    begun = time.process_time()
    assert len(journal.items()) == 10_000
    assert journal.counts()[State.DONE] == 10_000
    assert sum(journal.decisions().values()) == 0
    assert time.process_time() - begun < 0.3
    journal.close()


@given(steps=st.lists(st.tuples(st.sampled_from(["claim", "done", "add", "remove", "move"]), st.integers(1, 9)), max_size=15))
@settings(max_examples=25)
def test_what_is_kept_in_memory_is_what_is_on_the_disk(steps: list[tuple[str, int]], tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.mktemp("j") / "j"
    journal = Journal.create(file, ABOUT, some(4))
    journal.load()
    for step, id in steps:
        item = journal.item(id)
        match step:
            case "claim":
                journal.claim()
            case "add":
                journal.add(some(2))
            case "remove":
                journal.remove([id])
            case "move":
                journal.move([id], 2)
            case _ if item is not None:
                journal.update(replace(item, state=State.DONE, decision=Decision.FIXED, position=0.5))
    other = Journal(file)
    assert journal.items() == other.items()
    assert journal.counts() == other.counts()
    assert journal.decisions() == other.decisions()
    assert [journal.in_state(state) for state in State] == [other.in_state(state) for state in State]
    assert all(journal.item(id) == other.item(id) for id in range(1, 30))
    other.close()
    journal.close()


def test_a_page_that_is_damaged_in_the_middle_is_found(tmp_path: Path) -> None:
    file = tmp_path / "journal.sqlite"
    Journal.create(file, ABOUT, some(2000)).close()
    data = bytearray(file.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 8192] = b"\xaa" * 8192
    file.write_bytes(data)
    journal = Journal(file)
    with pytest.raises(JournalError, match="damaged"):
        journal.load()
    journal.close()


def test_text_of_any_kind_comes_back(tmp_path: Path) -> None:
    odd = os.fsdecode(b"caf\xe9 \xf0\x9f\x91\x9f")
    journal = Journal.create(tmp_path / "j", replace(ABOUT, title=odd), some(1))
    assert journal.about().title == odd
    journal.update(replace(journal.items()[0], error=odd))
    assert journal.items()[0].error == odd
    journal.close()


def test_litter_comes_and_goes_with_what_made_it(journal: Journal) -> None:
    odd = Path(os.fsdecode(b"/out/caf\xe9.png"))
    journal.update_all(journal.items(), {odd: "ab", Path("/out/b.png"): ""})
    journal.remove([1], {Path("/out/c.png"): ""})
    assert journal.litter() == {odd: "ab", Path("/out/b.png"): "", Path("/out/c.png"): ""}
    journal.update_all((), swept=[odd, Path("/out/c.png")])
    assert journal.litter() == {Path("/out/b.png"): ""}


def test_every_claim_counts(journal: Journal) -> None:
    item = journal.claim()
    assert item is not None
    journal.update(replace(item, state=State.QUEUED))
    again = journal.claim()
    assert again is not None
    assert (again.id, again.attempts) == (item.id, 2)


def test_a_damaged_ledger_is_set_aside(tmp_path: Path, expect_log: Callable[[str], None]) -> None:
    """What it knew is lost, and no queue is."""
    expect_log("ledger.* is damaged.*set aside")
    file = tmp_path / "queues" / "ledger.sqlite"
    file.parent.mkdir()
    file.write_bytes(b"no database at all" * 100)
    ledger = Ledger.of(tmp_path)
    assert ledger.lookup(tmp_path / "shoe.png") is None
    ledger.close()
    assert sorted(path.name.startswith("ledger-damaged-") for path in file.parent.glob("*.sqlite")) == [False, True]


def test_removed_items_stay_removed_and_ids_are_not_used_again(journal: Journal) -> None:
    last = journal.items()[-1]
    journal.remove([last.id])
    journal.update(replace(last, state=State.DONE))
    assert journal.item(last.id) is None
    journal.add(some(1))
    assert journal.items()[-1].id == last.id + 1


def test_a_newer_journal_is_refused(journal: Journal, tmp_path: Path) -> None:
    journal.close()
    connection = sqlite3.connect(tmp_path / "journal.sqlite")
    connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    connection.close()
    with pytest.raises(JournalError, match="written by a newer bgdesk"):
        Journal(tmp_path / "journal.sqlite")


@pytest.mark.parametrize("content", [b"", b"no database at all" * 100])
def test_a_damaged_journal_is_refused_in_words(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "journal.sqlite"
    file.write_bytes(content)
    with pytest.raises(JournalError, match=r"damaged|not complete"):
        Journal(file).about()


def test_a_missing_journal_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="There is no journal"):
        Journal(tmp_path / "journal.sqlite")
    assert not list(tmp_path.iterdir())


def test_all_or_nothing(journal: Journal) -> None:
    item = journal.items()[0]

    def items() -> object:
        yield replace(item, state=State.DONE)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        journal.update_all(items())  # type: ignore[arg-type]
    assert journal.items()[0] == item


def test_a_closed_journal_says_so(journal: Journal) -> None:
    journal.close()
    with pytest.raises(JournalError, match="closed already"):
        journal.items()


def test_the_ledger_knows_an_output_until_somebody_changes_it(tmp_path: Path) -> None:
    ledger, output = Ledger(tmp_path / "queues" / "ledger.sqlite"), tmp_path / "shoe.png"
    assert ledger.lookup(output) is None
    assert not ledger.ours(output)
    output.write_bytes(b"cutout")
    status = output.stat()
    entry = LedgerEntry(
        recipe_key="key",
        source=Path("/photos/shoe.jpg"),
        source_size=5,
        source_mtime=6,
        output_size=status.st_size,
        output_mtime=status.st_mtime_ns,
    )
    ledger.record({output: entry})
    ledger.close()
    again = Ledger(tmp_path / "queues" / "ledger.sqlite")
    assert again.lookup(output) == entry
    assert again.ours(output)
    output.write_bytes(b"retouched")
    assert not again.ours(output)
    output.unlink()
    assert not again.ours(output)
    again.close()


#: Statements that an earlier bgdesk wrote, to the letter: its tables, a queue, and an item with everything that an item can have.
OLD = r"""
CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE items (
    id INTEGER PRIMARY KEY AUTOINCREMENT, position REAL NOT NULL, source BLOB NOT NULL, size INTEGER NOT NULL, mtime INTEGER NOT NULL,
    outputs BLOB NOT NULL, state TEXT NOT NULL, crashes INTEGER NOT NULL DEFAULT 0, interrupted INTEGER NOT NULL DEFAULT 0, seconds REAL,
    error TEXT NOT NULL DEFAULT '', outcome TEXT, decision TEXT, attempts INTEGER NOT NULL DEFAULT 0, claimed REAL
);
CREATE TABLE litter (path BLOB PRIMARY KEY, sha256 TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX by_state ON items (state, position);
CREATE INDEX by_decision ON items (decision) WHERE decision IS NOT NULL;
INSERT INTO about VALUES ('title', 'Shoes'), ('kind', 'watch'), ('output', '2f6f7574'), ('existing', 'number'), ('made', '1500000000.5');
INSERT INTO about VALUES ('recipe', '{"device": "auto", "fallback": {"model": "birefnet", "quality": "best"}, "gate": 0.7, "matte": {"decontaminate": true, "quality": "balanced", "refine": true, "spill": [0, 177, 64], "strength": 1.0}, "matting": null, "model": "isnet-general", "precision": "auto", "variants": [{"alpha_only": false, "background": [255, 255, 255], "format": "png", "margin": 0.05, "name": "white", "size": 2000}, {"alpha_only": false, "background": null, "format": "psd", "margin": 0.05, "name": "layers", "size": null}]}');
INSERT INTO items VALUES (7, 1.5, X'2F70686F746F732F636166E92E6A7067', 100, 5, X'2F6F75742F612E706E67002F6F75742F612E707364', 'review', 1, 1, 2.5, '', '{"written": [{"staged": "/out/review/caf\udce9.png", "target": "/out/caf\udce9.png", "sha256": "ab"}], "width": 8, "height": 6, "timings": {"load": 0.1, "network": 0.5}, "confidence": 0.4, "reasons": ["Unsure."], "notes": ["A note."], "device": "CPU", "precision": "bf16", "model": "isnet-general", "model_sha256": "cd", "source_sha256": "ef", "thumbnail": "/q/thumbs/7.jpg"}', NULL, 2, 1500000001.0);
INSERT INTO items VALUES (8, 2.0, X'2F70686F746F732F622E6A7067', 1, 2, X'2F6F75742F622E706E67', 'skipped', 0, 0, NULL, 'waits for a look', NULL, NULL, 0, NULL);
PRAGMA user_version = 1;
"""  # noqa: E501


def test_the_journal_of_an_earlier_bgdesk_is_opened(tmp_path: Path) -> None:
    file = tmp_path / "journal.sqlite"
    connection = sqlite3.connect(file)
    connection.executescript(OLD)
    connection.close()
    journal = Journal(file)
    journal.load()
    assert journal.about() == About(
        title="Shoes",
        kind=QueueKind.WATCH,
        output=Path("/out"),
        existing=Existing.NUMBER,
        recipe=BatchRecipe(
            matte=MatteRecipe(spill=(0, 177, 64)),
            variants=(Variant(name="white", background=(255, 255, 255), size=2000), Variant(name="layers", format=Format.PSD)),
            model="isnet-general",
            gate=0.7,
            fallback=Fallback(model="birefnet"),
        ),
        made=1500000000.5,
    )
    odd = os.fsdecode(b"caf\xe9")
    reviewed, skipped = journal.items()
    assert reviewed == Item(
        id=7,
        position=1.5,
        source=Path(f"/photos/{odd}.jpg"),
        size=100,
        mtime=5,
        outputs=(Path("/out/a.png"), Path("/out/a.psd")),
        state=State.REVIEW,
        crashes=1,
        interrupted=1,
        seconds=2.5,
        outcome=Outcome(
            written=(Written(Path(f"/out/review/{odd}.png"), Path(f"/out/{odd}.png"), "ab"),),
            width=8,
            height=6,
            timings={Stage.LOAD: 0.1, Stage.NETWORK: 0.5},
            confidence=0.4,
            reasons=("Unsure.",),
            notes=("A note.",),
            device="CPU",
            precision="bf16",
            model="isnet-general",
            model_sha256="cd",
            source_sha256="ef",
            thumbnail=Path("/q/thumbs/7.jpg"),
        ),
        attempts=2,
    )
    assert (skipped.state, skipped.reason) == (State.SKIPPED, "waits for a look")
    journal.update(reviewed)  # it can be written as well
    assert journal.items()[0] == reviewed
    journal.close()


def test_recipes_have_the_keys_that_earlier_outputs_were_recorded_with() -> None:
    """Else every output that exists would be made again."""
    assert BatchRecipe().key == "6e6b5644a7670c11efee04c70099cd5e93a5004667b02df933e0f59038813e65"
    recipe = BatchRecipe(
        matte=MatteRecipe(spill="#fff"),
        variants=(Variant(name="a", background=(1, 2, 3), size=100), Variant(format=Format.PSD)),
        gate=0.7,
        fallback=Fallback(),
    )
    assert recipe.key == "349f96837cdd9d0d3f803da557d5ea014ae3c9ab160f340dc71b14f3462ce3d0"


@pytest.mark.parametrize("outcome", ["{}", "[]", "not JSON", '{"written": [], "width": 1, "height": 1, "colour": 3}'])
def test_a_row_that_bgdesk_cannot_have_written_is_damage(journal: Journal, tmp_path: Path, outcome: str) -> None:
    journal.close()
    connection = sqlite3.connect(tmp_path / "journal.sqlite")
    connection.execute("UPDATE items SET outcome = ? WHERE id = 1", (outcome,))
    connection.commit()
    connection.close()
    again = Journal(tmp_path / "journal.sqlite")
    with pytest.raises(JournalError, match="damaged"):
        again.load()
    again.close()


def test_a_full_disk_is_known_by_sqlite_s_code(journal: Journal) -> None:
    assert journal._connection is not None
    pages = journal._rows("PRAGMA page_count")[0][0]
    journal._connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(JournalError, match=r"the disk is full\. Make room, then resume"):
        journal.add(some(5000))
    assert len(journal.items()) == 5
