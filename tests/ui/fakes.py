"""A queue without workers, disk or threads, items to put into it, and workers that take no time."""

import hashlib
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from bgdesk.batch.model.events import Post, direct
from bgdesk.batch.model.values import BatchRecipe, Decision, Item, Outcome, PhotoJob, State, Summary, Written
from bgdesk.batch.run.queue import ItemsChanged, Phase, PhaseChanged
from bgdesk.core.stages import Stage


def item(id: int, state: State = State.QUEUED, **values: Any) -> Item:
    """An item with all that a test does not care for. confidence, reasons: make it an outcome."""
    source = values.pop("source", Path(f"/photos/photo{id}.jpg"))
    confidence, reasons, written = values.pop("confidence", None), values.pop("reasons", ()), values.pop("written", ())
    if confidence is not None or written:
        values["outcome"] = Outcome(written=tuple(written), width=60, height=40, timings={}, confidence=confidence, reasons=tuple(reasons))
    return Item(id=id, position=values.pop("position", float(id)), source=source, size=1000, mtime=0, outputs=(), state=state, **values)


def cutout(folder: Path, name: str, colour: tuple[int, int, int], side: int = 60) -> Path:
    """A PNG with an opaque square of one colour in the middle of nothing."""
    rgba = np.zeros((side, side, 4), np.uint8)
    rgba[side // 4 : -side // 4, side // 4 : -side // 4] = (*colour, 255)
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(rgba).save(folder / name)
    return folder / name


def reviewable(folder: Path, id: int, colour: tuple[int, int, int], side: int = 60) -> Item:
    """An item in review, with a photo and a cutout that can be looked at."""
    source = folder / f"photo{id}.png"
    folder.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (side, side), colour).save(source)
    staged = cutout(folder / "review", f"photo{id}.png", colour, side)
    written = Written(staged, folder / "out" / staged.name, "")
    return item(id, State.REVIEW, source=source, confidence=0.5, reasons=("Its edge is unsure.",), written=[written])


class FakeQueue:
    """batch.queue.Queue, as far as the window uses it. `calls` says what it was told; events go over `post`, as the real ones."""

    def __init__(
        self,
        items: Sequence[Item],
        recipe: BatchRecipe | None = None,
        folder: Path = Path("/queues/one"),
        *,
        post: Post = direct,
    ) -> None:
        self._post = post  # as the real one: it is told what to do on a lane, and its listeners live on the window's thread
        self._items = {each.id: each for each in items}
        self.recipe = recipe or BatchRecipe(gate=0.8)
        self.folder, self.id, self.title, self.output = folder, folder.name, "Shoes", Path("/photos/cutouts")
        self.phase = Phase.IDLE
        self.calls: list[tuple[Any, ...]] = []
        self.asked = 0  # how often it was asked for all its items
        self._listeners: list[Callable[[Any], None]] = []
        self._decisions: Counter[Decision] = Counter()

    def items(self) -> list[Item]:
        self.asked += 1
        return list(self._items.values())

    def item(self, id: int) -> Item | None:
        return self._items.get(id)

    def summary(self) -> Summary:
        counts = Counter(each.state for each in self._items.values())
        return Summary({state: counts[state] for state in State}, decisions=dict(self._decisions))

    def subscribe(self, listener: Callable[[Any], None]) -> Callable[[], None]:
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def tell(self, event: Any) -> None:
        for listener in list(self._listeners):
            self._post(partial(listener, event))

    def put(self, *items: Item) -> None:
        """These are so now."""
        new = [each.id for each in items if each.id not in self._items]
        self._items.update((each.id, each) for each in items)
        self.tell(ItemsChanged(() if new else tuple(each.id for each in items)))

    def _go(self, phase: Phase, call: str) -> None:
        self.calls.append((call,))
        self.phase = phase
        self.tell(PhaseChanged(phase))

    def start(self) -> None:
        self._go(Phase.RUNNING, "start")

    def pause(self) -> None:
        self._go(Phase.PAUSED, "pause")

    def resume(self) -> None:
        self._go(Phase.RUNNING, "resume")

    def stop(self) -> None:
        self._go(Phase.IDLE, "stop")

    def retry(self, ids: Sequence[int] | None = None) -> None:
        self.calls.append(("retry", ids))

    def remove(self, ids: Sequence[int]) -> None:
        self.calls.append(("remove", list(ids)))

    def move(self, ids: Sequence[int], before: int | None) -> None:
        self.calls.append(("move", list(ids), before))

    def accept(self, id: int) -> None:
        self._decide("accept", id, State.DONE, Decision.ACCEPTED)

    def reject(self, id: int, reason: str = "") -> None:
        self._decide("reject", id, State.REJECTED, Decision.REJECTED)

    def _decide(self, call: str, id: int, state: State, decision: Decision) -> None:
        self.calls.append((call, id))
        self._decisions[decision] += 1
        self.put(replace(self._items[id], state=state, decision=decision))

    def pause_workers(self, paused: bool) -> None:
        self.calls.append(("pause_workers", paused))

    def close(self) -> None:
        self.calls.append(("close",))


class FakePool:
    """batch.pool.Pool in a thread: copies the photo with a hole in its middle as its cutout, small and at once.

    `until` photos are done by all pools together, then it waits for `release`. Names with "doubt" are doubtful, with "bad" fail.
    """

    capacity = 2

    def __init__(self, events: Any, recipe: BatchRecipe, brake: "Brake") -> None:
        self._events, self._brake = events, brake
        self._jobs: list[PhotoJob] = []
        self._condition = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="fake-pool", daemon=True)
        self._thread.start()

    def submit(self, job: PhotoJob, alone: bool = False) -> None:
        with self._condition:
            self._jobs.append(job)
            self._condition.notify()

    def pause(self, paused: bool) -> None:
        self._brake.pauses.append(paused)

    def cancel(self, ids: Sequence[int], begun: bool = True) -> None:
        """What is in hand takes no time."""

    def close(self, wait: float = 10.0) -> None:
        with self._condition:
            self._closed = True
            self._condition.notify()
        self._thread.join()
        for job in self._jobs:
            self._events.returned(job.id)

    def _run(self) -> None:
        while True:
            with self._condition:
                while not self._closed and (not self._jobs or not self._brake.free()):
                    self._condition.wait(0.005)  # the brake is not ours to be woken by
                if self._closed:
                    return
                job = self._jobs.pop(0)
            self._brake.count(job.source.name)
            self._events.progressed(job.id, Stage.NETWORK, 0.5)
            if "bad" in job.source.name:
                self._events.failed(job.id, f"{job.source.name} could not be read: it is not a picture. Copy it again.", None)
            else:
                self._events.written(job.id, self._write(job))

    def _write(self, job: PhotoJob) -> Outcome:
        with Image.open(job.source) as photo:
            pixels = np.asarray(photo.convert("RGBA")).copy()
        height, width = pixels.shape[:2]
        pixels[height // 4 : -height // 4, width // 4 : -width // 4, 3] = 0
        written = []
        for staged, target in zip(job.staged, job.targets, strict=True):
            Image.fromarray(pixels).save(staged)
            written.append(Written(staged, target, hashlib.sha256(staged.read_bytes()).hexdigest()))
        thumb = job.folder / "thumbs" / f"{job.id}.jpg"
        Image.fromarray(pixels[..., :3]).resize((64, 64)).save(thumb)
        doubt = "doubt" in job.source.name
        reasons = ("Its edge is unsure in a wide band.",) if doubt else ()
        timings = {Stage.LOAD: 0.01, Stage.NETWORK: 0.02, Stage.SAVE: 0.01}
        return Outcome(
            written=tuple(written),
            width=width,
            height=height,
            timings=timings,
            confidence=0.62 if doubt else 0.97,
            reasons=reasons,
            notes=(),
            device="cpu",
            precision="fp32",
            model="fake",
            model_sha256="",
            source_sha256="",
            thumbnail=thumb,
        )


class Brake:
    """How many photos the pools of a test may do. `done` says which, `pauses` when they were paused."""

    def __init__(self, until: int | None = None) -> None:
        self._until = until
        self._lock = threading.Lock()
        self.done: list[str] = []
        self.pauses: list[bool] = []

    def free(self) -> bool:
        with self._lock:
            return self._until is None or len(self.done) < self._until

    def count(self, name: str) -> None:
        with self._lock:
            self.done.append(name)

    def set(self, until: int | None) -> None:
        with self._lock:
            self._until = until

    def pool(self, events: Any, recipe: BatchRecipe) -> FakePool:
        """batch.queue.MakePool"""
        return FakePool(events, recipe, self)
