"""A pool whose workers are threads that copy: quick, and it writes real files under the staged names."""

import hashlib
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from bgdesk.batch.model.pool import PoolEvents
from bgdesk.batch.model.values import BatchRecipe, Outcome, PhotoJob, Planned, Written
from bgdesk.core.stages import Stage

#: What a job ends in, in place of being written: given the pool, the job, and whether it is alone.
Ending = Callable[["FakePool", PhotoJob, bool], None]


class FakePool:
    """A Pool. endings: source's name -> how its jobs end. confidence: source's name -> that of its outcome (else 0.9)."""

    def __init__(self, events: PoolEvents, recipe: BatchRecipe) -> None:
        self.events, self.recipe = events, recipe
        self.capacity: int = 3
        self.endings: dict[str, Ending] = {}
        self.confidence: dict[str, float] = {}
        self.submitted: Counter[str] = Counter()
        self.alone: list[str] = []
        self.cancelled: list[int] = []
        self.eased: list[list[int]] = []
        self.paused: list[bool] = []
        self.closed = False
        self.threads: list[threading.Thread] = []
        self.gate = threading.Event()  # workers wait here: clear it to keep jobs in progress
        self.gate.set()

    def submit(self, job: PhotoJob, alone: bool = False) -> None:
        self.submitted[job.source.name] += 1
        if alone:
            self.alone.append(job.source.name)
        thread = threading.Thread(target=self._work, args=(job, alone), daemon=True)
        thread.start()
        self.threads.append(thread)  # once it runs: whoever closes the pool meanwhile joins what is here

    def pause(self, paused: bool) -> None:
        self.paused.append(paused)

    def cancel(self, ids: Sequence[int], begun: bool = True) -> None:
        if not begun:  # whatever is in progress here was begun
            self.eased.append(list(ids))
            return
        self.cancelled += ids
        for id in ids:
            self.events.returned(id)

    def close(self, wait: float = 10.0) -> None:
        self.closed = True
        self.gate.set()
        for thread in self.threads:
            if thread is not threading.current_thread():
                thread.join(wait)

    def _work(self, job: PhotoJob, alone: bool) -> None:
        self.gate.wait()
        if self.closed:
            self.events.returned(job.id)
            return
        ending = self.endings.get(job.source.name)
        if ending is not None:
            ending(self, job, alone)
        else:
            self.events.progressed(job.id, Stage.NETWORK, 0.0)
            self.events.written(job.id, self.outcome(job))

    def outcome(self, job: PhotoJob) -> Outcome:
        """Every output: the photo, half transparent."""
        written = []
        for staged, target in zip(job.staged, job.targets, strict=True):
            write_output(job.source, staged)
            written.append(Written(staged, target, hashlib.sha256(staged.read_bytes()).hexdigest()))
        return Outcome(
            written=tuple(written), width=8, height=6, timings={Stage.NETWORK: 0.1}, confidence=self.confidence.get(job.source.name, 0.9)
        )


def write_output(source: Path, target: Path) -> None:
    with Image.open(source) as photo:
        rgba = np.asarray(photo.convert("RGBA")).copy()
    rgba[..., 3] = 128
    Image.fromarray(rgba).save(target, format="PNG")


def photos(folder: Path, count: int) -> list[Path]:
    """So many small pictures, each of its own colour."""
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for number in range(count):
        path = folder / f"photo{number:02}.png"
        Image.new("RGB", (8, 6), (number * 5 % 256, 40, 200)).save(path)
        made.append(path)
    return made


def planned(sources: Sequence[Path], output: Path, variants: Sequence[str] = ("",)) -> list[Planned]:
    """One output a variant for each, by name."""
    found = []
    for source in sources:
        status = source.stat()
        outputs = tuple(output / f"{source.stem}{variant}.png" for variant in variants)
        found.append(Planned(source=source, size=status.st_size, mtime=status.st_mtime_ns, outputs=outputs))
    return found
