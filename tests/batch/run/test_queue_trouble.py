"""What goes wrong around a queue: disks, folders, photos that vanish, other queues, a process that is killed."""

import errno
import os
import random
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from bgdesk.batch.journal.journal import Journal, JournalError
from bgdesk.batch.model.values import Existing, PhotoJob, State
from bgdesk.batch.outputs import placing
from bgdesk.batch.run.queue import Phase, Queue, QueueError, QueueEvent, queues
from bgdesk.core.errors import Cause
from tests.batch.fakes import Ending, FakePool, photos, planned
from tests.batch.rooms import Room, run, states, until

ROOT = Path(__file__).resolve().parents[3]


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
    def gone(pool: FakePool, job: PhotoJob, alone: bool) -> None:
        room.photos.rename(room.photos.with_name("unplugged"))
        pool.events.failed(job.id, f"{job.source.name} could not be read: there is no such file.", None)

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


def full(pool: FakePool, job: PhotoJob, alone: bool) -> None:
    pool.events.failed(
        job.id, f"{job.targets[0].name} could not be saved: the disk is full. Make room or choose another disk.", Cause.DISK_FULL
    )


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
    real = placing.place

    def no_room(*arguments: object) -> Path:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(placing, "place", no_room)
    queue = room.queue(4)
    queue.start()
    assert queue.wait(20)
    assert queue.phase is Phase.PAUSED
    assert State.WRITTEN in states(queue)
    monkeypatch.setattr(placing, "place", real)
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
    def refused(folder: Path, cause: Cause) -> str:
        assert cause is Cause.NO_PERMISSION
        return f"{folder} cannot be written to: Permission denied. Check the disk and the permissions, then resume."

    def ending(pool: FakePool, job: PhotoJob, alone: bool) -> None:
        pool.events.failed(
            job.id,
            f"{job.targets[0].name} could not be saved: you are not allowed to write there. Choose another folder.",
            Cause.NO_PERMISSION,
        )

    room.prepare = lambda pool: pool.endings.update({"photo01.png": ending})
    monkeypatch.setattr(placing, "trouble", refused)
    queue = room.queue()
    run(queue)
    assert queue.phase is Phase.PAUSED
    assert queue.items()[1].state is State.QUEUED
    assert "Permission denied" in room.said()[0]


def test_trouble_with_a_folder_is_told_from_trouble_with_an_output(tmp_path: Path) -> None:
    assert placing.trouble(tmp_path, Cause.OTHER) == ""  # the output cannot be saved anywhere
    assert placing.trouble(tmp_path, Cause.NO_PERMISSION) == ""  # the folder is well again
    assert "is full" in placing.trouble(tmp_path, Cause.DISK_FULL)  # even if there is room again
    assert "cannot be written to" in placing.trouble(tmp_path / "gone", Cause.VANISHED)


def test_when_no_photo_can_be_done_it_pauses_and_says_why(room: Room) -> None:
    def ending(pool: FakePool, job: PhotoJob, alone: bool) -> None:
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
    assert queues(room.home)[0].locked
    with pytest.raises(QueueError, match="run by another bgdesk"):
        Queue.open(queue.folder, room.make_pool)
    queue.close()
    assert not queues(room.home)[0].locked
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

    def ending(pool: FakePool, job: PhotoJob, alone: bool) -> None:
        pool.events.failed(job.id, f"{job.source.name} could not be read: the file ends early.", None)

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
    def ending(pool: FakePool, job: PhotoJob, alone: bool) -> None:
        pool.events.failed(job.id, f"{job.source.name} could not be read: the file ends early.", None)

    monkeypatch.setattr(placing, "_ROOM", 1e30)
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
    command = [sys.executable, "-m", "tests.batch.run.killed_queue", str(queue.folder)]
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
