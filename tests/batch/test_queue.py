"""The queue with a pool that only copies: states, pauses, crashes, full disks, kills."""

import errno
import hashlib
import os
import random
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from bgdesk.batch import places
from bgdesk.batch.folder import ledger
from bgdesk.batch.journal import Journal, JournalError
from bgdesk.batch.pool import PoolEvents
from bgdesk.batch.queue import ItemsChanged, Phase, PhaseChanged, Progressed, Queue, QueueError, QueueEvent, Said, queues
from bgdesk.batch.values import BatchRecipe, Decision, Existing, Job, Planned, State, Summary, Written
from tests.batch.fakes import Ending, FakePool, photos, planned, write_output

ROOT = Path(__file__).resolve().parents[2]


class Room:
    """A home, photos and an output folder; makes queues, and closes them."""

    def __init__(self, folder: Path) -> None:
        self.home, self.photos, self.out = folder / "home", folder / "photos", folder / "out"
        self.pools: list[FakePool] = []
        self.open_queues: list[Queue] = []
        self.events: list[QueueEvent] = []
        self.prepare: Callable[[FakePool], None] = lambda pool: None

    def make_pool(self, events: PoolEvents, recipe: BatchRecipe) -> FakePool:
        pool = FakePool(events, recipe)
        self.prepare(pool)
        self.pools.append(pool)
        return pool

    def queue(self, count: int = 5, recipe: BatchRecipe | None = None, *, plan: list[Planned] | None = None, **options: object) -> Queue:
        plan = planned(photos(self.photos, count), self.out) if plan is None else plan
        return self.opened(
            Queue.create(self.home, recipe or BatchRecipe(), plan, self.make_pool, title="Shoes", output=self.out, **options)
        )  # type: ignore[arg-type]

    def opened(self, queue: Queue) -> Queue:
        queue.subscribe(self.events.append)
        self.open_queues.append(queue)
        return queue

    def again(self, queue: Queue) -> Queue:
        """Close it, and open it as the next start of the program would."""
        queue.close()
        return self.opened(Queue.open(queue.folder, self.make_pool))

    def said(self) -> list[str]:
        return [event.text for event in self.events if isinstance(event, Said)]

    def outputs(self) -> list[str]:
        return sorted(str(path.relative_to(self.out)) for path in self.out.rglob("*") if path.is_file())


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    room = Room(tmp_path)
    yield room
    for queue in room.open_queues:
        queue.close()


def run(queue: Queue) -> Summary:
    queue.start()
    assert queue.wait(30)
    return queue.summary()


def until(condition: Callable[[], object], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        threading.Event().wait(0.005)


def states(queue: Queue) -> list[State]:
    return [item.state for item in queue.items()]


# --- what a person does ----------------------------------------------------------------------------------------------


def test_all_done(room: Room) -> None:
    queue = room.queue()
    assert run(queue).counts[State.DONE] == 5
    assert room.outputs() == [f"photo{n:02}.png" for n in range(5)]
    assert [event.phase for event in room.events if isinstance(event, PhaseChanged)] == [Phase.RUNNING, Phase.IDLE]
    assert room.pools[0].closed  # its memory is given back
    item = queue.items()[0]
    assert item.outcome is not None
    assert item.seconds is not None
    assert item.outcome.written[0].sha256 == hashlib.sha256((room.out / "photo00.png").read_bytes()).hexdigest()
    known = ledger(room.home)
    entry = known.lookup(room.out / "photo00.png")
    assert entry is not None
    assert (entry.source, entry.recipe_key) == (room.photos / "photo00.png", queue.recipe.key)
    known.close()


def test_a_photo_tells_how_far_it_is(room: Room) -> None:
    queue = room.queue(1)
    run(queue)
    assert Progressed(1, "network", 0.0) in room.events
    assert ItemsChanged((1,)) in room.events


def test_pause_finishes_what_is_in_hand_and_resume_goes_on(room: Room) -> None:
    room.prepare = lambda pool: pool.gate.clear()
    queue = room.queue(8)
    queue.start()
    until(lambda: states(queue).count(State.RUNNING) == 3)
    queue.pause()
    assert not queue.wait(0.05)
    assert room.pools[0].eased == [[1, 2, 3]]  # workers are asked to give back what they only hold ready
    room.pools[0].gate.set()
    assert queue.wait(20)
    assert queue.phase is Phase.PAUSED
    assert queue.summary().counts[State.DONE] == 3
    queue.resume()
    assert queue.wait(20)
    assert queue.summary().counts[State.DONE] == 8


def test_stop_lets_the_workers_go_and_start_begins_again(room: Room) -> None:
    room.prepare = lambda pool: pool.gate.clear() if not room.pools else None
    queue = room.queue(8)
    queue.start()
    until(lambda: states(queue).count(State.RUNNING) == 3)
    queue.stop()
    assert room.pools[0].eased == [[1, 2, 3]]
    room.pools[0].gate.set()
    assert queue.wait(20)
    assert queue.phase is Phase.IDLE
    assert room.pools[0].closed
    assert queue.summary().counts[State.QUEUED] == 5
    assert run(queue).counts[State.DONE] == 8


def test_closing_gives_back_what_is_in_hand_without_blame(room: Room) -> None:
    room.prepare = lambda pool: pool.gate.clear() if not room.pools else None
    queue = room.queue(6)
    queue.start()
    until(lambda: states(queue).count(State.RUNNING) == 3)
    again = room.again(queue)
    assert states(again) == [State.QUEUED] * 6
    assert [item.interrupted for item in again.items()] == [0] * 6
    assert run(again).counts[State.DONE] == 6


def test_what_fails_is_said_and_can_be_tried_again(room: Room) -> None:
    fails = [True]

    def ending(pool: FakePool, job: Job, alone: bool) -> None:
        if fails[0]:
            pool.events.failed(job.id, "photo01.png could not be read: the file ends early. Copy it again from the camera.")
        else:
            pool.events.written(job.id, pool.outcome(job))

    room.prepare = lambda pool: pool.endings.update({"photo01.png": ending})
    queue = room.queue()
    assert run(queue).counts[State.FAILED] == 1
    assert "ends early" in queue.items()[1].reason
    fails[0] = False
    queue.retry()
    assert run(queue).counts[State.DONE] == 5


def test_a_photo_that_kills_its_worker_is_tried_alone_and_then_set_aside(room: Room) -> None:
    def ending(pool: FakePool, job: Job, alone: bool) -> None:
        pool.events.crashed(job.id, "the worker was ended by signal 11")

    room.prepare = lambda pool: pool.endings.update({"photo02.png": ending})
    queue = room.queue()
    counts = run(queue).counts
    assert (counts[State.FAILED], counts[State.DONE]) == (1, 4)
    assert room.pools[0].submitted["photo02.png"] == 2
    assert room.pools[0].alone == ["photo02.png"]
    assert "brought the worker down twice" in queue.items()[2].error


def test_a_photo_that_only_stood_beside_is_done(room: Room) -> None:
    def ending(pool: FakePool, job: Job, alone: bool) -> None:
        if alone:
            pool.events.written(job.id, pool.outcome(job))
        else:
            pool.events.crashed(job.id, "the worker was ended by signal 9")

    room.prepare = lambda pool: pool.endings.update({"photo02.png": ending})
    assert run(room.queue()).counts[State.DONE] == 5


def test_removed_photos_leave_and_their_files_stay(room: Room) -> None:
    room.prepare = lambda pool: pool.gate.clear()
    queue = room.queue(6)
    queue.start()
    until(lambda: states(queue).count(State.RUNNING) == 3)
    queue.remove([1, 5])
    until(lambda: room.pools[0].cancelled == [1])
    room.pools[0].gate.set()
    assert queue.wait(20)
    assert sorted(item.id for item in queue.items()) == [2, 3, 4, 6]
    assert queue.summary().counts[State.DONE] == 4
    assert len(list(room.photos.iterdir())) == 6
    assert room.outputs() == [f"photo{n:02}.png" for n in (1, 2, 3, 5)]


def test_order_and_more_photos_while_it_runs(room: Room) -> None:
    queue = room.queue(3)
    queue.move([3], 1)
    assert [item.id for item in queue.items()] == [3, 1, 2]
    more = photos(room.photos / "more", 2)
    queue.start()
    queue.add(planned(more, room.out / "more"))
    until(lambda: queue.summary().counts[State.DONE] == 5 or (queue.phase is Phase.IDLE and queue.start() is None and False))


def test_a_watch_queue_waits_for_more(room: Room) -> None:
    queue = room.queue(plan=[], kind="watch")
    queue.start()
    queue.add(planned(photos(room.photos, 2), room.out))
    until(lambda: queue.summary().counts[State.DONE] == 2)
    assert queue.phase is Phase.RUNNING


def test_interactive_work_holds_the_workers(room: Room) -> None:
    queue = room.queue()
    queue.hold(True)
    queue.start()
    until(lambda: room.pools)
    assert room.pools[0].held == [True]
    queue.hold(False)
    assert room.pools[0].held == [True, False]
    assert queue.wait(20)


# --- the gate --------------------------------------------------------------------------------------------------------


@pytest.fixture
def doubtful(room: Room) -> Queue:
    """A queue that has run: photo01 is in review, with two variants."""
    room.prepare = lambda pool: pool.confidence.update({"photo01.png": 0.3})
    plan = planned(photos(room.photos, 3), room.out, ("-a", "-b"))
    queue = room.queue(recipe=BatchRecipe(gate=0.8), plan=plan)
    counts = run(queue).counts
    assert (counts[State.DONE], counts[State.REVIEW]) == (2, 1)
    assert "review/photo01-a.png" in room.outputs()
    assert "photo01-a.png" not in room.outputs()
    return queue


def test_accepted(room: Room, doubtful: Queue) -> None:
    doubtful.accept(2)
    doubtful.accept(2)  # a key that was pressed twice
    assert states(doubtful) == [State.DONE] * 3
    assert room.outputs() == [f"photo{n:02}-{v}.png" for n in range(3) for v in "ab"]
    assert not (room.out / places.REVIEW).exists()
    assert doubtful.summary().decisions[Decision.ACCEPTED] == 1


def test_rejected_and_done_anew(room: Room, doubtful: Queue) -> None:
    doubtful.reject(2, "hair")
    assert states(doubtful)[1] is State.REJECTED
    assert doubtful.items()[1].reason == "hair"
    assert room.outputs() == [f"photo{n:02}-{v}.png" for n in (0, 2) for v in "ab"]
    assert doubtful.summary().decisions == {Decision.ACCEPTED: 0, Decision.REJECTED: 1, Decision.FIXED: 0}
    doubtful.retry([2])
    assert run(doubtful).counts[State.REVIEW] == 1


def test_fixed(room: Room, doubtful: Queue) -> None:
    item = doubtful.items()[1]
    written = []
    for target in item.outputs:
        staged = places.staged_name(target, "fix", 2)
        write_output(room.photos / "photo00.png", staged)
        written.append(Written(staged, target, hashlib.sha256(staged.read_bytes()).hexdigest()))
    doubtful.fixed(2, written)
    assert states(doubtful)[1] is State.DONE
    assert (room.out / "photo01-a.png").read_bytes() == (room.out / "photo00-a.png").read_bytes()
    assert room.outputs() == [f"photo{n:02}-{v}.png" for n in range(3) for v in "ab"]
    assert doubtful.summary().decisions[Decision.FIXED] == 1


def test_only_what_waits_for_it_is_decided(doubtful: Queue) -> None:
    with pytest.raises(QueueError, match="not in review"):
        doubtful.accept(1)


def test_review_waits_for_the_next_start(room: Room, doubtful: Queue) -> None:
    again = room.again(doubtful)
    again.accept(2)
    assert states(again) == [State.DONE] * 3


# --- what goes wrong around it ---------------------------------------------------------------------------------------


def test_a_photo_that_vanished_fails_alone(room: Room) -> None:
    queue = room.queue()
    (room.photos / "photo03.png").unlink()
    counts = run(queue).counts
    assert (counts[State.DONE], counts[State.FAILED]) == (4, 1)
    assert queue.items()[3].error.startswith("photo03.png could not be read: there is no such file.")


def test_a_disk_of_photos_that_is_gone_pauses_and_fails_none(room: Room) -> None:
    queue = room.queue(6)
    room.photos.rename(room.photos.with_name("unplugged"))
    assert run(queue).counts[State.QUEUED] == 6
    assert queue.phase is Phase.PAUSED
    assert room.said() == [f"The folder {room.photos} is not there any more. Connect its disk or put it back, then resume."]
    room.photos.with_name("unplugged").rename(room.photos)
    assert run(queue).counts[State.DONE] == 6


def test_a_disk_that_goes_while_a_worker_reads_fails_none(room: Room) -> None:
    def gone(pool: FakePool, job: Job, alone: bool) -> None:
        room.photos.rename(room.photos.with_name("unplugged"))
        pool.events.failed(job.id, f"{job.source.name} could not be read: there is no such file.")

    def one_by_one(pool: FakePool) -> None:
        pool.capacity, pool.endings = 1, {"photo05.png": gone}

    room.prepare = one_by_one
    queue = room.queue(6)
    counts = run(queue).counts
    assert (counts[State.FAILED], counts[State.QUEUED]) == (0, 1)
    assert queue.phase is Phase.PAUSED
    assert "Connect its disk" in room.said()[0]


def test_one_folder_of_several_that_is_gone_fails_its_photos_and_no_others(room: Room) -> None:
    queue = room.queue(4)
    other = photos(room.photos.with_name("other"), 2)
    queue.add(planned(other, room.out.with_name("more")))
    queue.move([1, 2, 3, 4], None)
    shutil.rmtree(other[0].parent)
    counts = run(queue).counts
    assert (counts[State.DONE], counts[State.FAILED]) == (4, 2)


def test_a_photo_that_changed_is_taken_as_it_is_now(room: Room) -> None:
    queue = room.queue()
    Image.new("RGB", (30, 30)).save(room.photos / "photo00.png")
    run(queue)
    status = (room.photos / "photo00.png").stat()
    assert (queue.items()[0].size, queue.items()[0].mtime) == (status.st_size, status.st_mtime_ns)


def full(pool: FakePool, job: Job, alone: bool) -> None:
    pool.events.failed(job.id, f"{job.targets[0].name} could not be saved: the disk is full. Make room or choose another disk.")


def test_a_full_disk_pauses_and_fails_nothing(room: Room) -> None:
    endings: dict[str, Ending] = {f"photo{n:02}.png": full for n in range(2, 8)}
    room.prepare = lambda pool: pool.endings.update(endings)
    queue = room.queue(8)
    assert run(queue).counts[State.FAILED] == 0
    assert queue.phase is Phase.PAUSED
    assert len(room.said()) == 1
    assert "is full. Make room there, then resume." in room.said()[0]
    room.pools[0].endings.clear()
    assert run(queue).counts[State.DONE] == 8


def test_a_disk_that_is_full_when_outputs_take_their_places(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    real = places.place

    def no_room(*arguments: object) -> Path:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(places, "place", no_room)
    queue = room.queue(4)
    queue.start()
    assert queue.wait(20)
    assert queue.phase is Phase.PAUSED
    assert State.WRITTEN in states(queue)
    monkeypatch.setattr(places, "place", real)
    assert run(queue).counts[State.DONE] == 4
    assert max(room.pools[0].submitted.values()) == 1  # nothing was computed twice
    assert room.outputs() == [f"photo{n:02}.png" for n in range(4)]


def test_a_journal_that_cannot_be_written_pauses_and_loses_nothing(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Journal.update
    broken = threading.Event()

    def update(journal: Journal, item: object) -> None:
        if broken.is_set():
            raise JournalError("The journal could not be used: the disk is full. Make room, then resume.")
        real(journal, item)  # type: ignore[arg-type]

    monkeypatch.setattr(Journal, "update", update)
    room.prepare = lambda pool: pool.gate.clear()
    queue = room.queue(4)
    queue.start()
    until(lambda: states(queue).count(State.RUNNING) == 3)
    broken.set()
    room.pools[0].gate.set()
    assert queue.wait(20)
    assert queue.phase is Phase.PAUSED
    assert room.said() == ["The journal could not be used: the disk is full. Make room, then resume."]
    broken.clear()
    assert run(queue).counts[State.DONE] == 4
    assert max(room.pools[0].submitted.values()) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="folders have no such permissions there")
def test_an_output_folder_that_cannot_be_made_pauses(room: Room) -> None:
    room.out.parent.mkdir(exist_ok=True)
    room.out.write_text("a file where the folder should be")
    queue = room.queue()
    queue.start()
    assert queue.wait(20)
    assert queue.phase is Phase.PAUSED
    assert "could not be made" in room.said()[0]
    room.out.unlink()
    assert run(queue).counts[State.DONE] == 5


def test_a_folder_that_loses_its_permissions_pauses(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(folder: Path, error: str) -> str:
        return f"{folder} cannot be written to: Permission denied. Check the disk and the permissions, then resume."

    def ending(pool: FakePool, job: Job, alone: bool) -> None:
        pool.events.failed(job.id, f"{job.targets[0].name} could not be saved: you are not allowed to write there. Choose another folder.")

    room.prepare = lambda pool: pool.endings.update({"photo01.png": ending})
    monkeypatch.setattr(places, "trouble", refused)
    queue = room.queue()
    run(queue)
    assert queue.phase is Phase.PAUSED
    assert queue.items()[1].state is State.QUEUED
    assert "Permission denied" in room.said()[0]


def test_trouble_with_a_place_is_told_from_trouble_with_a_photo(tmp_path: Path) -> None:
    assert places.trouble(tmp_path, "photo.png is damaged") == ""
    assert "is full" in places.trouble(tmp_path, "x could not be saved: the disk is full. Make room.")
    assert "cannot be written to" in places.trouble(tmp_path / "gone", "x could not be saved")


def test_when_no_photo_can_be_done_it_pauses_and_says_why(room: Room) -> None:
    def ending(pool: FakePool, job: Job, alone: bool) -> None:
        pool.events.lost("No network is installed. Install one: bgdesk models install isnet-general")
        pool.events.returned(job.id)

    room.prepare = lambda pool: pool.endings.update({f"photo{n:02}.png": ending for n in range(5)})
    queue = room.queue()
    run(queue)
    assert queue.phase is Phase.PAUSED
    assert set(states(queue)) == {State.QUEUED}
    assert room.said() == ["No network is installed. Install one: bgdesk models install isnet-general"]


def test_two_queues_on_one_output_folder_lose_nothing(room: Room) -> None:
    names = photos(room.photos / "one", 6), photos(room.photos / "two", 6)
    both = [room.queue(plan=planned(each, room.out)) for each in names]
    for queue in both:
        queue.start()
    for queue in both:
        assert queue.wait(20)
        assert queue.summary().counts[State.DONE] == 6
    assert len(room.outputs()) == 12
    claimed = [output for queue in both for item in queue.items() for output in item.outputs]
    assert sorted(path.name for path in claimed) == room.outputs()


def test_what_bgdesk_did_not_make_is_never_replaced_unless_asked(room: Room) -> None:
    room.out.mkdir(parents=True)
    (room.out / "photo00.png").write_bytes(b"somebody's")
    run(room.queue())
    assert (room.out / "photo00.png").read_bytes() == b"somebody's"
    assert "photo00-2.png" in room.outputs()
    run(room.queue(existing=Existing.REPLACE))
    assert (room.out / "photo00.png").read_bytes() != b"somebody's"


def test_a_photo_is_never_replaced_by_its_cutout(room: Room) -> None:
    made = photos(room.photos, 2)
    before = [path.read_bytes() for path in made]
    plan = [replace(each, outputs=(each.source,)) for each in planned(made, room.out)]
    run(room.queue(plan=plan, existing=Existing.REPLACE))
    assert [path.read_bytes() for path in made] == before


def test_the_same_queue_is_opened_once(room: Room) -> None:
    queue = room.queue()
    assert queues(room.home)[0].held
    with pytest.raises(QueueError, match="run by another bgdesk"):
        Queue.open(queue.folder, room.make_pool)
    queue.close()
    assert not queues(room.home)[0].held
    room.opened(Queue.open(queue.folder, room.make_pool))


def test_the_list_of_queues_survives_a_damaged_one(room: Room) -> None:
    first = room.queue()
    run(first)
    second = room.queue(2)
    second.close()
    (second.folder / "journal.sqlite").write_bytes(b"no database" * 50)
    found = {info.id: info for info in queues(room.home)}
    assert found[first.id].counts[State.DONE] == 5
    assert "damaged" in found[second.id].damaged
    with pytest.raises(JournalError, match="damaged"):
        Queue.open(second.folder, room.make_pool)
    assert queues(room.home / "nowhere") == []


def test_names_that_are_no_text_fail_and_finish_like_others(room: Room) -> None:
    made = photos(room.photos, 2)
    odd = [Path(os.fsdecode(os.fsencode(path.parent) + b"/caf\xe9" + os.fsencode(path.name))) for path in made]
    for path, name in zip(made, odd, strict=True):
        path.rename(name)

    def ending(pool: FakePool, job: Job, alone: bool) -> None:
        pool.events.failed(job.id, f"{job.source.name} could not be read: the file ends early.")

    room.prepare = lambda pool: pool.endings.update({odd[0].name: ending})
    queue = room.queue(plan=planned(odd, room.out))
    counts = run(queue).counts
    assert (counts[State.FAILED], counts[State.DONE]) == (1, 1)
    assert room.again(queue).items()[0].error.startswith(odd[0].name)


def test_a_listener_that_fails_hurts_nobody(room: Room, expect_log: Callable[[str], None]) -> None:
    def listener(event: QueueEvent) -> None:
        raise RuntimeError("not today")

    expect_log("a listener of the queue failed")
    queue = room.queue(3)
    queue.subscribe(listener)
    assert run(queue).counts[State.DONE] == 3


def test_a_photo_that_fails_on_a_disk_that_is_nearly_full_is_still_to_blame(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    def ending(pool: FakePool, job: Job, alone: bool) -> None:
        pool.events.failed(job.id, f"{job.source.name} could not be read: the file ends early.")

    monkeypatch.setattr(places, "_ROOM", 1e30)
    room.prepare = lambda pool: pool.endings.update({"photo01.png": ending})
    counts = run(room.queue(3)).counts
    assert (counts[State.FAILED], counts[State.DONE]) == (1, 2)


def test_an_output_that_another_program_holds_fails_alone(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.replace

    def busy(source: Path, target: Path) -> None:
        if Path(target).name == "photo01.png":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        real(source, target)

    room.out.mkdir(parents=True)
    (room.out / "photo01.png").write_bytes(b"open in another program")
    monkeypatch.setattr(os, "replace", busy)
    queue = room.queue(4, existing=Existing.REPLACE)
    counts = run(queue).counts
    assert (counts[State.FAILED], counts[State.DONE]) == (1, 3)
    assert "Close other programs" in queue.items()[1].error
    assert (room.out / "photo01.png").read_bytes() == b"open in another program"
    assert len(room.outputs()) == 4
    monkeypatch.undo()
    queue.retry()
    assert queue.wait(20)
    assert states(queue) == [State.DONE] * 4


def test_a_pool_that_cannot_be_had_pauses(room: Room) -> None:
    def prepare(pool: FakePool) -> None:
        raise QueueError("No cluster answers. Start it, then resume.")

    room.prepare = prepare
    queue = room.queue(2)
    run(queue)
    assert (queue.phase, set(states(queue)), room.said()) == (Phase.PAUSED, {State.QUEUED}, ["No cluster answers. Start it, then resume."])
    room.prepare = lambda pool: None
    assert run(queue).counts[State.DONE] == 2


def test_a_queue_that_came_to_its_end_goes_on_with_what_is_added(room: Room) -> None:
    queue = room.queue(2)
    run(queue)
    assert queue.phase is Phase.IDLE
    queue.add(planned(photos(room.photos / "more", 2), room.out / "more"))
    assert queue.wait(20)
    assert queue.summary().counts[State.DONE] == 4
    queue.start()
    queue.stop()
    queue.wait(20)


def test_a_queue_that_was_not_begun_does_not_begin_by_itself(room: Room) -> None:
    queue = room.queue(2)
    queue.add(planned(photos(room.photos / "more", 1), room.out / "more"))
    assert queue.phase is Phase.IDLE
    assert states(queue) == [State.QUEUED] * 3


def test_what_is_added_while_it_comes_to_its_end_is_done(room: Room) -> None:
    """However the two meet: nothing is left lying."""
    queue = room.queue(1)
    for turn in range(20):
        queue.start()
        queue.add(planned(photos(room.photos / str(turn), 1), room.out / str(turn)))
        until(lambda wanted=turn + 2: queue.summary().counts[State.DONE] == wanted)  # type: ignore[misc]


def test_a_listing_does_not_keep_a_queue_from_being_opened(room: Room) -> None:
    queue = room.queue(1)
    queue.close()
    over = threading.Event()

    def look() -> None:
        while not over.is_set():
            queues(room.home)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        for _ in range(20):
            Queue.open(queue.folder, room.make_pool).close()
    finally:
        over.set()
        thread.join()


def test_a_queue_that_was_killed_while_it_was_made_is_not_listed(room: Room) -> None:
    folder = room.home / "queues" / "261126-dead"
    folder.mkdir(parents=True)
    (folder / "journal.sqlite").touch()
    assert queues(room.home) == []


def test_what_a_closed_queue_knew_can_still_be_looked_at(room: Room) -> None:
    queue = room.queue(3)
    run(queue)
    queue.close()
    assert states(queue) == [State.DONE] * 3
    assert queue.summary().total == 3
    with pytest.raises(JournalError, match="closed already"):
        queue.add([])


def test_the_rate_is_told_once_there_is_one(room: Room) -> None:
    queue = room.queue(5)
    assert queue.summary().rate is None
    summary = run(queue)
    assert summary.rate is not None
    assert summary.rate > 0
    assert summary.left == 0.0


# --- killed ----------------------------------------------------------------------------------------------------------


def test_killed_thirty_times(room: Room) -> None:
    """SIGKILL at random moments, the queue opened again each time: every output is there once, as in an undisturbed run."""
    made = photos(room.photos, 40)
    undisturbed = room.queue(plan=planned(made, room.out))
    run(undisturbed)
    expected = {name: (room.out / name).read_bytes() for name in room.outputs()}
    shutil.rmtree(room.out)
    queue = room.queue(plan=planned(made, room.out))
    queue.close()
    command = [sys.executable, "-m", "tests.batch.killed_queue", str(queue.folder)]
    chance = random.Random(4)

    def done() -> int:
        return sum(not path.name.startswith(".") for path in room.out.iterdir()) if room.out.exists() else 0

    seen = {0}
    for life in range(30):
        before = done()
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"begun\n"
            if life % 3 == 0:  # now and then it gets on, however slow the machine is
                until(lambda before=before, process=process: done() > before or process.poll() is not None)  # type: ignore[misc]
            threading.Event().wait(chance.uniform(0.0, 0.05))
            process.kill()
        assert done() >= before
        seen.add(done())
    assert len(seen) > 5  # the kills met it on its way
    assert subprocess.run(command, cwd=ROOT, capture_output=True, check=True, timeout=60).stdout == b"begun\ndone\n"
    assert {name: (room.out / name).read_bytes() for name in room.outputs()} == expected
    again = room.opened(Queue.open(queue.folder, room.make_pool))
    assert set(states(again)) == {State.DONE}
    assert [item.outputs[0].name for item in again.items()] == sorted(expected)
