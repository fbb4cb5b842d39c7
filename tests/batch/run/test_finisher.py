"""The last steps of an item: whatever is killed between two of them, every output is there once in the end, and nothing else."""

import errno
import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bgdesk.batch.journal.folder import QueueError
from bgdesk.batch.journal.journal import About, Journal, Ledger
from bgdesk.batch.model.values import BatchRecipe, Decision, Existing, Item, LedgerEntry, Outcome, Planned, QueueKind, State, Written
from bgdesk.batch.outputs import placing
from bgdesk.batch.run.finisher import QueueFinisher

NAMES = ("shoe-a.png", "shoe-b.png")


class Killed(BaseException):
    """The process ends here."""


class Killer:
    """Counts the steps that change something on the disk, and ends the process before or after one of them.

    links: whether the disk has hard links.
    """

    STEPS = ((os, "link"), (os, "replace"), (os, "unlink"), (os, "rmdir"), (Journal, "update_all"), (Ledger, "record"))

    def __init__(self, links: bool = True) -> None:
        self.left: int | None = None
        self._links = links
        self._real = [(owner, name, getattr(owner, name)) for owner, name in self.STEPS]

    def __enter__(self) -> "Killer":
        for owner, name, function in self._real:
            setattr(owner, name, self._step(name, function))
        return self

    def __exit__(self, *_: object) -> None:
        for owner, name, function in self._real:
            setattr(owner, name, function)

    def _step(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def step(*arguments: Any, **options: Any) -> Any:
            self._tick()
            if name == "link" and not self._links:
                raise OSError(errno.EPERM, os.strerror(errno.EPERM))
            done = function(*arguments, **options)
            self._tick()
            return done

        return step

    def _tick(self) -> None:
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                self.left = None
                raise Killed


@dataclass
class Scene:
    """A queue of one photo with two variants, worked off step by step; `start` is what the next process begins with."""

    folder: Path
    existing: Existing = Existing.SKIP
    gate: float | None = 0.8
    confidence: float = 0.9

    def __post_init__(self) -> None:
        self.out, self.photo = self.folder / "out", self.folder / "shoe.jpg"
        self.out.mkdir()
        self.photo.write_bytes(b"photo")
        about = About(
            title="Shoes", kind=QueueKind.BATCH, output=self.out, existing=self.existing, recipe=BatchRecipe(gate=self.gate), made=1.5e9
        )
        planned = Planned(source=self.photo, size=5, mtime=6, outputs=tuple(self.out / name for name in NAMES))
        self.journal = Journal.create(self.folder / "journal.sqlite", about, [planned])
        self.ledger = Ledger(self.folder / "ledger.sqlite")
        self.start()

    def start(self) -> None:
        self.close()
        self.journal, self.ledger = Journal(self.folder / "journal.sqlite"), Ledger(self.folder / "ledger.sqlite")
        self.journal.load()
        self.finisher = QueueFinisher("261126-ab12", self.journal.about(), self.journal, self.ledger)
        self.finisher.recover()

    def close(self) -> None:
        self.journal.close()
        self.ledger.close()

    @property
    def item(self) -> Item:
        item = self.journal.item(1)
        assert item is not None
        return item

    def state(self) -> State:
        """A call, so that type checkers know that it may be another one every time."""
        return self.item.state

    def write(self, staged: Sequence[Path], content: str) -> tuple[Written, ...]:
        written: list[Written] = []
        for path, target in zip(staged, self.item.outputs, strict=True):
            data = f"{content} {path.suffix} {len(written)}".encode()
            path.write_bytes(data)
            written.append(Written(path, target, hashlib.sha256(data).hexdigest()))
        return tuple(written)

    def work(self) -> None:
        """A worker does it, and the queue takes what it made."""
        item = self.journal.claim()
        assert item is not None
        written = self.write(self.finisher.staged(item), "cutout")
        item = replace(item, state=State.WRITTEN, outcome=Outcome(written=written, width=8, height=6, confidence=self.confidence))
        self.journal.update(item)
        self.finisher.finish(item)

    def decide(self, decision: Decision) -> None:
        if decision is Decision.ACCEPTED:
            self.finisher.accept(1)
        elif decision is Decision.REJECTED:
            self.finisher.reject(1, "hair")
        else:
            self.finisher.fixed(1, self.write(self.finisher.staged_by_hand(self.item), "fixed"))

    def go_on(self, decision: Decision | None) -> None:
        """Do what is still to be done."""
        if self.item.state is State.QUEUED:
            self.work()
        if self.item.state is State.REVIEW and decision is not None:
            self.decide(decision)

    def files(self) -> dict[str, str]:
        return {str(path.relative_to(self.out)): path.read_text() for path in self.out.rglob("*") if path.is_file()}


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    scene = Scene(tmp_path)
    yield scene
    scene.close()


@pytest.fixture
def reviewed(tmp_path: Path) -> Iterator[Scene]:
    """Its outputs wait in review."""
    scene = Scene(tmp_path, confidence=0.2)
    scene.work()
    yield scene
    scene.close()


@settings(max_examples=60)
@given(
    kills=st.lists(st.integers(0, 24), max_size=5),
    decision=st.sampled_from([None, *Decision]),
    existing=st.sampled_from(Existing),
    foreign=st.booleans(),
    links=st.booleans(),
)
def test_killed_anywhere_again_and_again(
    kills: list[int], decision: Decision | None, existing: Existing, foreign: bool, links: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    scene = Scene(tmp_path_factory.mktemp("killed"), existing, confidence=0.9 if decision is None else 0.2)
    if foreign:
        (scene.out / NAMES[0]).write_text("somebody's")
    with Killer(links) as killer:
        for kill in kills:
            killer.left = kill
            try:
                scene.start()
                scene.go_on(decision)
            except Killed:
                continue
            killer.left = None
        scene.start()
        scene.go_on(decision)
    expected = {}
    if decision is not Decision.REJECTED:
        word = "fixed" if decision is Decision.FIXED else "cutout"
        expected = {name: f"{word} .png {number}" for number, name in enumerate(NAMES)}
    if foreign and existing is not Existing.REPLACE:
        if expected:
            expected["shoe-a-2.png"] = expected[NAMES[0]]
        expected[NAMES[0]] = "somebody's"
    elif foreign and decision is Decision.REJECTED:
        expected = {NAMES[0]: "somebody's"}
    assert scene.files() == expected
    assert not (scene.out / placing.REVIEW).exists()
    assert scene.item.state is (State.REJECTED if decision is Decision.REJECTED else State.DONE)
    assert scene.item.decision is decision
    assert scene.journal.litter() == {}
    if decision is not Decision.REJECTED:
        assert {path.name for path in scene.item.outputs} == expected.keys() - ({NAMES[0]} if "shoe-a-2.png" in expected else set())
        assert all(scene.ledger.ours(path) for path in scene.item.outputs)
    scene.close()


def test_a_process_that_dies_with_a_photo_in_hand_is_not_the_photos_fault(scene: Scene) -> None:
    claimed = scene.journal.claim()
    assert claimed is not None
    staged = scene.finisher.staged(claimed)
    staged[0].write_bytes(b"whole")
    (scene.out / f".{staged[1].name[-40:]}.0badcafe.part").write_bytes(b"half")
    scene.start()
    assert scene.files() == {}
    assert (scene.item.state, scene.item.interrupted, scene.item.crashes, scene.item.attempts) == (State.QUEUED, 1, 0, 1)


def test_every_attempt_writes_under_names_of_its_own(scene: Scene) -> None:
    """A worker that outlives its program for a moment removes what it has begun, and must not meet what was begun since."""
    first = scene.journal.claim()
    scene.start()
    second = scene.journal.claim()
    assert first is not None
    assert second is not None
    assert not set(scene.finisher.staged(first)) & set(scene.finisher.staged(second))
    assert not set(scene.finisher.staged_by_hand(second)) & set(scene.finisher.staged(second))


def test_outputs_that_somebody_removed_before_they_had_their_places_are_made_anew(scene: Scene) -> None:
    item = scene.journal.claim()
    assert item is not None
    written = scene.write(scene.finisher.staged(item), "cutout")
    scene.journal.update(replace(item, state=State.WRITTEN, outcome=Outcome(written=written, width=8, height=6)))
    written[1].staged.unlink()
    scene.start()
    assert scene.item.state is State.QUEUED


def test_a_disk_that_is_away_keeps_what_is_on_it(scene: Scene) -> None:
    item = scene.journal.claim()
    assert item is not None
    written = scene.write(scene.finisher.staged(item), "cutout")
    scene.journal.update(replace(item, state=State.WRITTEN, outcome=Outcome(written=written, width=8, height=6)))
    scene.out.rename(scene.folder / "away")
    scene.start()
    assert scene.state() is State.WRITTEN
    (scene.folder / "away").rename(scene.out)
    scene.start()
    assert scene.state() is State.DONE
    assert sorted(scene.files()) == list(NAMES)


def test_accepted_as_somebody_has_retouched_it(reviewed: Scene) -> None:
    (reviewed.out / "review" / NAMES[0]).write_text("retouched")
    reviewed.decide(Decision.ACCEPTED)
    assert reviewed.files()[NAMES[0]] == "retouched"
    assert reviewed.item.outcome is not None
    assert reviewed.item.outcome.written[0].sha256 == hashlib.sha256(b"retouched").hexdigest()


def test_rejected_but_retouched_stays(reviewed: Scene) -> None:
    (reviewed.out / "review" / NAMES[0]).write_text("retouched")
    reviewed.decide(Decision.REJECTED)
    assert reviewed.files() == {"review/" + NAMES[0]: "retouched"}
    assert (reviewed.item.state, reviewed.item.error) == (State.REJECTED, "hair")


def test_what_was_in_review_and_is_gone_is_said(reviewed: Scene) -> None:
    (reviewed.out / "review" / NAMES[0]).unlink()
    reviewed.decide(Decision.ACCEPTED)
    assert reviewed.state() is State.FAILED
    assert reviewed.item.error.startswith("The cutout of shoe.jpg that was in review is gone")
    assert reviewed.finisher.requeue(None) == [1]
    reviewed.work()
    assert reviewed.state() is State.REVIEW


@pytest.mark.parametrize("decision", [Decision.ACCEPTED, Decision.FIXED])
def test_a_decision_that_cannot_be_carried_out_is_as_if_it_was_not_made(
    reviewed: Scene, decision: Decision, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> Path:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(placing, "place", full)
        with pytest.raises(QueueError, match=r"shoe\.jpg could not be put in its place: No space left"):
            reviewed.decide(decision)
    assert (reviewed.item.state, reviewed.item.decision) == (State.REVIEW, None)
    reviewed.decide(decision)
    assert reviewed.item.state is State.DONE
    assert sorted(reviewed.files()) == list(NAMES)


def test_done_anew_from_review_leaves_nothing_of_before(reviewed: Scene) -> None:
    assert reviewed.finisher.requeue([1]) == [1]
    assert reviewed.files() == {}
    assert (reviewed.item.state, reviewed.item.decision, reviewed.item.outcome) == (State.QUEUED, None, None)


def test_what_is_removed_from_the_queue_leaves_no_hidden_files(scene: Scene) -> None:
    item = scene.journal.claim()
    assert item is not None
    scene.write(scene.finisher.staged(item), "cutout")
    scene.finisher.remove([1])
    assert scene.journal.item(1) is None
    scene.start()  # its worker was killed with the program before it could be told
    assert scene.files() == {}
    assert scene.journal.litter() == {}


def test_what_is_removed_from_review_stays_for_the_person(reviewed: Scene) -> None:
    reviewed.finisher.remove([1])
    reviewed.start()
    assert sorted(reviewed.files()) == [f"review/{name}" for name in NAMES]


def test_replace_means_what_was_there_when_it_was_asked_for(tmp_path: Path) -> None:
    """Another queue has made a cutout of another photo since, under the same name: that is not what should be replaced."""
    scene = Scene(tmp_path, Existing.REPLACE)
    other, old = scene.out / NAMES[0], scene.out / NAMES[1]
    for path, mtime in ((other, 2_000_000_000_000_000_000), (old, 1_000_000_000_000_000_000)):
        path.write_text("of another photo")
        os.utime(path, ns=(mtime, mtime))
        scene.ledger.record(
            {
                path: LedgerEntry(
                    recipe_key="key",
                    source=tmp_path / "boot.jpg",
                    source_size=1,
                    source_mtime=1,
                    output_size=path.stat().st_size,
                    output_mtime=mtime,
                )
            }
        )
    scene.work()
    assert scene.files() == {NAMES[0]: "of another photo", "shoe-a-2.png": "cutout .png 0", NAMES[1]: "cutout .png 1"}
    scene.close()
