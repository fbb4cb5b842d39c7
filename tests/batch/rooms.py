"""A home, photos and an output folder for a queue, and the hands on it."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

from bgdesk.batch.model.pool import PoolEvents
from bgdesk.batch.model.values import BatchRecipe, Existing, Planned, QueueKind, State, Summary
from bgdesk.batch.run.queue import Notice, Queue, QueueEvent
from tests.batch.fakes import FakePool, photos, planned


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

    def queue(
        self,
        count: int = 5,
        recipe: BatchRecipe | None = None,
        *,
        plan: list[Planned] | None = None,
        existing: Existing = Existing.SKIP,
        kind: QueueKind = QueueKind.BATCH,
    ) -> Queue:
        plan = planned(photos(self.photos, count), self.out) if plan is None else plan
        made = Queue.create(
            self.home, recipe or BatchRecipe(), plan, self.make_pool, title="Shoes", output=self.out, existing=existing, kind=kind
        )
        return self.opened(made)

    def opened(self, queue: Queue) -> Queue:
        queue.subscribe(self.events.append)
        self.open_queues.append(queue)
        return queue

    def again(self, queue: Queue) -> Queue:
        """Close it, and open it as the next start of the program would."""
        queue.close()
        return self.opened(Queue.open(queue.folder, self.make_pool))

    def said(self) -> list[str]:
        return [event.text for event in self.events if isinstance(event, Notice)]

    def outputs(self) -> list[str]:
        return sorted(str(path.relative_to(self.out)) for path in self.out.rglob("*") if path.is_file())


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
