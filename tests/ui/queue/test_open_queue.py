"""The room of the queue: its mirror, the hold, and pictures that are loaded beside the window."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pytestqt.qtbot import QtBot

from bgdesk.app.work.activity import Busy
from bgdesk.app.work.events import BusyChanged
from bgdesk.batch.model import words as queue_words
from bgdesk.batch.model.values import BatchRecipe, Existing, Planned, QueueKind, State, Summary
from bgdesk.batch.run.queue import Notice, Phase, Progressed, Queue, QueueInfo
from bgdesk.core.stages import Stage
from bgdesk.ui.kit import words
from bgdesk.ui.kit.bridge import Bridge
from bgdesk.ui.kit.picture_cache import PictureCache
from bgdesk.ui.kit.taskbar import properties
from bgdesk.ui.queue.open_queue import OpenQueue
from bgdesk.ui.queue.progress.progress_page import figures
from bgdesk.ui.queue.window.queue_list import standing, unfinished_text
from bgdesk.ui.queue.window.yield_to_editor import YieldToEditor
from tests.ui.fakes import Brake, FakeQueue, item


@pytest.fixture
def bridge(qtbot: QtBot) -> Iterator[Bridge]:
    bridge = Bridge()
    yield bridge
    bridge.close()


@pytest.fixture
def make_room(bridge: Bridge, tmp_path: Path) -> Iterator[Callable[..., OpenQueue]]:
    rooms: list[OpenQueue] = []

    def make(pools: Any = None) -> OpenQueue:
        rooms.append(OpenQueue(tmp_path, pools or Brake().pool, bridge.post))
        return rooms[-1]

    yield make
    for room in rooms:
        room.join()


def adopt(room: OpenQueue, queue: FakeQueue) -> FakeQueue:
    room.adopt(queue, queue.items(), queue.summary())  # type: ignore[arg-type]
    return queue


# The mirror.


def test_the_mirror_follows_by_id_in_a_few_looks(make_room: Callable[..., OpenQueue], qtbot: QtBot) -> None:
    room, queue = make_room(), FakeQueue([item(id) for id in range(50)])
    told: list[Any] = []
    room.refreshed.connect(told.append)
    adopt(room, queue)
    qtbot.waitUntil(lambda: told == [None])
    asked = queue.asked
    for id in range(40):
        queue.put(item(id, State.RUNNING))
        queue.put(item(id, State.DONE))
    qtbot.waitUntil(lambda: room.summary.counts[State.DONE] == 40)
    assert len(told) <= 4  # not eighty: what changes at once is shown at once
    assert {id for ids in told[1:] for id in ids} == set(range(40))
    assert room.item(3) == item(3, State.DONE)
    assert queue.asked == asked  # nobody read all of them again
    queue.put(item(77))
    qtbot.waitUntil(lambda: room.item(77) is not None)
    assert told[-1] is None


def test_stages_come_together(make_room: Callable[..., OpenQueue], qtbot: QtBot) -> None:
    room = make_room()
    queue = adopt(room, FakeQueue([item(1, State.RUNNING), item(2, State.RUNNING)]))
    told: list[Any] = []
    room.progressed.connect(told.append)
    for fraction in (0.1, 0.2, 0.3):
        queue.tell(Progressed(1, Stage.NETWORK, fraction))
    queue.tell(Progressed(2, Stage.LOAD, 1.0))
    qtbot.waitUntil(lambda: told == [{1: (Stage.NETWORK, 0.3), 2: (Stage.LOAD, 1.0)}])


def test_what_the_queue_says_is_passed_on(make_room: Callable[..., OpenQueue]) -> None:
    room = make_room()
    queue = adopt(room, FakeQueue([]))
    told: list[tuple[str, bool]] = []
    room.said.connect(lambda text, error: told.append((text, error)))
    queue.tell(Notice("The disk is full.", True))
    assert told == [("The disk is full.", True)]


def test_a_refusal_is_said_and_the_next_order_is_carried_out(make_room: Callable[..., OpenQueue], qtbot: QtBot, tmp_path: Path) -> None:
    room = make_room()
    told: list[str] = []
    room.said.connect(lambda text, _error: told.append(text))
    room.open(tmp_path / "queues" / "gone", True)
    qtbot.waitUntil(lambda: len(told) == 1)
    assert "There is no queue in" in told[0]
    queue = adopt(room, FakeQueue([item(1)]))
    room.do(lambda q: q.pause())
    qtbot.waitUntil(lambda: ("pause",) in queue.calls)
    assert room.phase is Phase.PAUSED


def test_leaving_closes_the_queue_after_all_it_was_told(make_room: Callable[..., OpenQueue]) -> None:
    room, queue = make_room(), FakeQueue([item(1, State.REVIEW)])
    adopt(room, queue)
    room.do(lambda q: q.accept(1))
    room.close()
    room.join()
    assert [call[0] for call in queue.calls] == ["accept", "close"]


def test_a_queue_of_ten_thousand_is_made_and_closed_beside_the_window(
    make_room: Callable[..., OpenQueue], qtbot: QtBot, tmp_path: Path
) -> None:
    room = make_room(Brake(0).pool)
    planned = [Planned(source=tmp_path / f"{n}.jpg", size=1, mtime=1, outputs=(tmp_path / "out" / f"{n}.png",)) for n in range(10_000)]
    here = threading.current_thread()
    threads: list[threading.Thread] = []
    create = Queue.create.__func__  # type: ignore[attr-defined]

    def spy(cls: type[Queue], *args: Any, **named: Any) -> Queue:
        threads.append(threading.current_thread())
        return create(cls, *args, **named)  # type: ignore[no-any-return]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Queue, "create", classmethod(spy))
        room.create(BatchRecipe(), planned, "many", tmp_path / "out", Existing.SKIP)
        qtbot.waitUntil(lambda: room.queue is not None, timeout=20_000)
    assert threads
    assert threads[0] is not here
    assert len(room.items) == 10_000
    assert room.summary.total == 10_000
    left: list[bool] = []
    room.leave(lambda: left.append(True))
    assert room.queue is None
    qtbot.waitUntil(lambda: left == [True], timeout=20_000)


# Giving way.


def test_strokes_hold_the_queue_and_let_go_a_moment_after(qtbot: QtBot) -> None:
    session = SimpleNamespace(painting=False, busy=None)
    held: list[bool] = []
    way = YieldToEditor(session, held.append, rest_ms=30)  # type: ignore[arg-type]
    way.on_event(BusyChanged())
    assert held == []
    session.painting = True
    way.on_event(BusyChanged())
    session.painting, session.busy = False, Busy("alpha")
    way.on_event(BusyChanged())
    way.on_event(BusyChanged())
    assert held == [True]
    session.busy = None
    way.on_event(BusyChanged())
    qtbot.waitUntil(lambda: held == [True, False])
    session.busy = Busy("download")  # takes minutes, and computes nothing
    way.on_event(BusyChanged())
    assert held == [True, False]


def test_a_pause_reaches_the_queue_that_comes_later(make_room: Callable[..., OpenQueue], qtbot: QtBot) -> None:
    room = make_room()
    room.pause_workers(True)
    queue = adopt(room, FakeQueue([]))
    qtbot.waitUntil(lambda: queue.calls == [("pause_workers", True)])
    room.pause_workers(False)
    qtbot.waitUntil(lambda: queue.calls == [("pause_workers", True), ("pause_workers", False)])


# Pictures.


class Slow:
    """Loads what it is allowed to."""

    def __init__(self) -> None:
        self.gate = threading.Semaphore(0)
        self.loaded: list[int] = []

    def __call__(self, key: int) -> str | None:
        self.gate.acquire(timeout=10)
        self.loaded.append(key)
        return None if key == 13 else f"picture {key}"


def test_the_latest_wish_comes_first_and_old_ones_are_forgotten(bridge: Bridge, qtbot: QtBot) -> None:
    load, arrived = Slow(), list[int]()
    pictures: PictureCache[int, str] = PictureCache("test", load, arrived.append, bridge.post, capacity=3)
    pictures.want([1, 2, 3, 4, 5])
    qtbot.waitUntil(lambda: pictures._loading == 1)
    pictures.want([9, 13, 2])  # scrolled away
    for _ in range(4):
        load.gate.release()
    qtbot.waitUntil(lambda: len(arrived) == 4)
    assert load.loaded == [1, 9, 13, 2]
    assert pictures.get(9) == "picture 9"
    assert 13 in pictures
    assert pictures.get(13) is None
    assert 1 not in pictures  # only three are kept
    pictures.want([9, 13])
    assert pictures._wanted == []  # nothing is loaded twice, not even what is not there
    pictures.drop(9)
    load.gate.release()
    pictures.want([9])
    qtbot.waitUntil(lambda: 9 in pictures)
    pictures.close()
    pictures.want([77])
    assert pictures._wanted == []


def test_a_picture_that_fails_is_logged_and_the_next_is_loaded(bridge: Bridge, qtbot: QtBot, expect_log: Callable[[str], None]) -> None:
    expect_log("1 could not be loaded for the window")

    def load(key: int) -> str:
        if key == 1:
            raise RuntimeError("a defect")
        return "picture"

    pictures: PictureCache[int, str] = PictureCache("test", load, lambda _key: None, bridge.post, capacity=3)
    pictures.want([1, 2])
    qtbot.waitUntil(lambda: pictures.get(2) == "picture")
    assert pictures.get(1) is None
    pictures.close()


# Words.


@pytest.mark.parametrize(
    ("summary", "phase", "said"),
    [
        (Summary({}), Phase.IDLE, []),
        (Summary({State.QUEUED: 10}), Phase.RUNNING, ["Starting"]),
        (Summary({State.QUEUED: 10, State.DONE: 1}, 2.0, 300.0), Phase.RUNNING, ["2.0 photos a second", "5 minutes left"]),
        (Summary({State.QUEUED: 1, State.RUNNING: 1}), Phase.PAUSED, ["Pausing after the photos that are being done"]),
        (Summary({State.QUEUED: 1}), Phase.PAUSED, ["Paused"]),
        (Summary({State.QUEUED: 1, State.FAILED: 2}), Phase.IDLE, ["Stopped. 1 photo left", "2 failed"]),
        (Summary({State.DONE: 5, State.REVIEW: 3}), Phase.IDLE, ["Finished", "3 need review"]),
    ],
)
def test_figures(summary: Summary, phase: Phase, said: list[str]) -> None:
    assert figures(summary, phase) == said


def test_words() -> None:
    assert {queue_words.state(state) for state in State} == {
        "Waiting", "Running", "Saving", "Needs review", "Done", "Rejected", "Skipped", "Failed"
    }  # fmt: skip
    assert [words.rate(value) for value in (2.14, 14.0, 0.5, 0.001)] == [
        "2.1 photos a second", "14 photos a second", "30 photos a minute", "4 photos an hour"
    ]  # fmt: skip
    assert words.share(0.7999) == "79 %"  # what is under the gate never reads as being on it
    assert words.share(0.29) == "29 %"
    assert queue_words.stage(Stage.CONFIDENCE) == "Checking"


def test_what_is_said_of_queues(tmp_path: Path) -> None:
    def info(locked: bool = False, damaged: str = "", **counts: int) -> QueueInfo:
        return QueueInfo(
            id="261126-ab12",
            folder=tmp_path,
            title="Shoes",
            output=tmp_path,
            kind=QueueKind.BATCH,
            counts={State(name): number for name, number in counts.items()},
            locked=locked,
            made=0.0,
            damaged=damaged,
        )

    assert unfinished_text(info(queued=904, done=299, failed=1)) == "A queue of 1,204 photos is not finished: 300 are done."
    assert unfinished_text(info(queued=1, done=1)) == "A queue of 2 photos is not finished: 1 is done."
    assert standing(info(queued=1, review=3, failed=2)) == ["5 of 6 photos", "3 need review", "2 failed"]
    assert standing(info(locked=True, done=1)) == ["1 of 1 photo", "open in another bgdesk"]
    assert standing(info(damaged="Its journal is damaged.")) == ["Its journal is damaged."]


def test_the_launcher_is_told_a_share_or_nothing() -> None:
    assert properties(25) == {"progress": 0.25, "progress-visible": True}
    assert properties(None) == {"progress": 0.0, "progress-visible": False}
