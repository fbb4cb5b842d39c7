"""The queue on a real Ray cluster of this machine: two actors, one of which is killed on the way."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from bgdesk.batch.model.pool import PoolEvents
from bgdesk.batch.model.values import BatchRecipe, Planned, State
from bgdesk.batch.run.queue import Notice, Phase, Queue
from bgdesk.batch.workers.ray_pool import ActorPlace, RayPool, places
from tests.batch.workers.ray_engine import open_nothing, open_trap
from tests.batch.workers.workers import photo_at

# Ray's own threads and sockets end a little after it says that it has shut down.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


def node(id: str, cpus: int, gpus: int = 0, alive: bool = True) -> dict[str, object]:
    return {"NodeID": id, "Alive": alive, "Resources": {"CPU": cpus, "GPU": gpus} if gpus else {"CPU": cpus}}


@pytest.mark.parametrize(
    ("nodes", "jobs", "expected"),
    [
        ([node("a", 8)], None, [ActorPlace("a", 8)]),
        ([node("a", 8)], 2, [ActorPlace("a", 4)] * 2),
        ([node("a", 8), node("b", 4)], None, [ActorPlace("a", 8), ActorPlace("b", 4)]),
        ([node("a", 8), node("b", 4, alive=False)], None, [ActorPlace("a", 8)]),
        ([node("a", 8, gpus=2)], None, [ActorPlace(None, 4)] * 2),
        ([node("a", 8, gpus=2)], 1, [ActorPlace(None, 4)]),
        ([], None, []),
    ],
)
def test_where_actors_go(nodes: list[dict[str, object]], jobs: int | None, expected: list[ActorPlace]) -> None:
    assert places(nodes, jobs) == expected


def planned(folder: Path, count: int, trap: int | None = None) -> list[Planned]:
    found = []
    for number in range(count):
        source = photo_at(folder / "photos" / f"{number:02}.png", width=23 if number == trap else 20)
        status = source.stat()
        found.append(Planned(source=source, size=status.st_size, mtime=status.st_mtime_ns, outputs=(folder / "out" / f"{number:02}.png",)))
    return found


@pytest.fixture
def queues() -> Iterator[list[Queue]]:
    made: list[Queue] = []
    yield made
    for queue in made:
        queue.close()


def until(condition: Callable[[], object], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        threading.Event().wait(0.02)


@pytest.mark.timeout(240)
def test_two_actors_one_of_which_is_killed(
    tmp_path: Path, home: Path, queues: list[Queue], expect_log: Callable[[str], None], capfd: pytest.CaptureFixture[str]
) -> None:
    """Every photo is done once, the one that was in the killed actor's hands too; the cluster tells nobody of itself."""
    expect_log("an actor of the cluster died: its process")

    def make(events: PoolEvents, recipe: BatchRecipe) -> RayPool:
        return RayPool(events, recipe, jobs=2, open=partial(open_trap, str(tmp_path)))

    queue = Queue.create(home, BatchRecipe(), planned(tmp_path, 12, trap=4), make, title="ray", output=tmp_path / "out")
    queues.append(queue)
    queue.start()
    pid = tmp_path / "pid"
    until(pid.exists, 120)
    os.kill(int(pid.read_text("ascii")), signal.SIGKILL)
    assert queue.wait(100)
    assert [item.state for item in queue.items()] == [State.DONE] * 12
    assert queue.items()[4].crashes == 1
    assert max(item.crashes for item in queue.items()) == 1  # one that was being read beside it is tried alone as well
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [f"{number:02}.png" for number in range(12)]
    assert len({path.read_bytes() for path in (tmp_path / "out").iterdir()} - {(tmp_path / "out" / "04.png").read_bytes()}) == 1
    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"
    said = capfd.readouterr()
    assert said.out == ""  # it is for records
    assert "raylet" not in said.err


@pytest.mark.timeout(240)
def test_a_cluster_without_a_network_pauses_and_says_why(tmp_path: Path, home: Path, queues: list[Queue]) -> None:
    def make(events: PoolEvents, recipe: BatchRecipe) -> RayPool:
        return RayPool(events, recipe, jobs=1, open=open_nothing)

    queue = Queue.create(home, BatchRecipe(), planned(tmp_path, 2), make, title="ray", output=tmp_path / "out")
    queues.append(queue)
    said: list[str] = []
    queue.subscribe(lambda event: said.append(event.text) if isinstance(event, Notice) else None)
    queue.start()
    until(lambda: said, 120)
    assert "No network is installed" in said[0]
    assert queue.wait(20)
    assert queue.phase is Phase.PAUSED
    assert [item.state for item in queue.items()] == [State.QUEUED] * 2
