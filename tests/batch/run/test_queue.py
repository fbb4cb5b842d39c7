"""The queue with a pool that only copies: states, pauses, crashes, the gate, and queues that come and go."""

import hashlib
import threading

import pytest

from bgdesk.batch.journal.folder import ledger
from bgdesk.batch.journal.journal import JournalError
from bgdesk.batch.model.values import BatchRecipe, Decision, PhotoJob, QueueKind, State, Written
from bgdesk.batch.outputs import placing
from bgdesk.batch.run.queue import ItemsChanged, Phase, PhaseChanged, Progressed, Queue, QueueError, queues
from bgdesk.core.stages import Stage
from tests.batch.fakes import FakePool, photos, planned, write_output
from tests.batch.rooms import Room, run, states, until

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
    assert Progressed(1, Stage.NETWORK, 0.0) in room.events
    assert ItemsChanged((1,)) in room.events


def test_pause_finishes_what_is_in_progress_and_resume_goes_on(room: Room) -> None:
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


def test_closing_gives_back_what_is_in_progress_without_blame(room: Room) -> None:
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

    def ending(pool: FakePool, job: PhotoJob, alone: bool) -> None:
        if fails[0]:
            pool.events.failed(job.id, "photo01.png could not be read: the file ends early. Copy it again from the camera.", None)
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
    def ending(pool: FakePool, job: PhotoJob, alone: bool) -> None:
        pool.events.crashed(job.id, "the worker was ended by signal 11")

    room.prepare = lambda pool: pool.endings.update({"photo02.png": ending})
    queue = room.queue()
    counts = run(queue).counts
    assert (counts[State.FAILED], counts[State.DONE]) == (1, 4)
    assert room.pools[0].submitted["photo02.png"] == 2
    assert room.pools[0].alone == ["photo02.png"]
    assert "brought the worker down twice" in queue.items()[2].error


def test_a_photo_that_only_stood_beside_is_done(room: Room) -> None:
    def ending(pool: FakePool, job: PhotoJob, alone: bool) -> None:
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
    until(lambda: queue.summary().counts[State.DONE] == 5)


def test_a_watch_queue_waits_for_more(room: Room) -> None:
    queue = room.queue(plan=[], kind=QueueKind.WATCH)
    queue.start()
    queue.add(planned(photos(room.photos, 2), room.out))
    until(lambda: queue.summary().counts[State.DONE] == 2)
    assert queue.phase is Phase.RUNNING


def test_interactive_work_pauses_the_workers(room: Room) -> None:
    queue = room.queue()
    queue.pause_workers(True)
    queue.start()
    until(lambda: room.pools)
    assert room.pools[0].paused == [True]
    queue.pause_workers(False)
    assert room.pools[0].paused == [True, False]
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
    assert not (room.out / placing.REVIEW).exists()
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
        staged = placing.staged_name(target, "fix", 2)
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


# --- queues that come and go -----------------------------------------------------------------------------------------


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
