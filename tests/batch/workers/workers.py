"""What the tests of workers share: small photos, jobs, an engine without a network, and a listener that remembers."""

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from bgdesk.batch.model.values import BatchRecipe, Outcome, PhotoJob
from bgdesk.batch.workers.photo_job import QueueEngine
from bgdesk.core.arrays import Pixels
from bgdesk.core.cutout import Cutout
from bgdesk.core.errors import Cause, MattingError
from bgdesk.core.recipe import MatteRecipe
from bgdesk.core.results import Confidence
from bgdesk.core.stages import Stage
from bgdesk.core.tasks import Progress, silent
from tests.fakes import engine as fakes

#: Nothing here takes longer unless it hangs.
PATIENCE = 60.0


def photo_at(path: Path, width: int = 20, height: int = 10) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(1).integers(1, 255, (height, width, 3), np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def job_for(source: Path, folder: Path, id: int = 1, recipe: BatchRecipe | None = None) -> PhotoJob:
    """Outputs go to folder/out, one a variant; the queue's own folder is folder/queue."""
    recipe = recipe or BatchRecipe()
    names = [
        f"{source.stem}-{each.name}{each.format.suffix}" if each.name else source.stem + each.format.suffix for each in recipe.variants
    ]
    targets = tuple(folder / "out" / name for name in names)
    staged = tuple(target.with_name(f".{target.stem}.k3f9-{id}.bgdesk{target.suffix}") for target in targets)
    return PhotoJob(id=id, source=source, targets=targets, staged=staged, recipe=recipe, folder=folder / "queue")


class FakeEngine(fakes.FakeEngine):
    """The left half of every photo is the subject; the column beside it is half opaque.

    A photo that is 13 pixels wide is refused, one of 17 pixels breaks the engine. confidences: what it says, call by call.
    before: called at each photo with its progress.
    """

    def __init__(self, *confidences: float, before: Callable[[Progress], None] | None = None) -> None:
        super().__init__()
        self.confidences = list(confidences)
        self.before = before

    def auto(self, pixels: Pixels, recipe: MatteRecipe = MatteRecipe(), progress: Progress = silent) -> Cutout:
        cutout = super().auto(pixels, recipe, progress)
        if self.before is not None:
            self.before(progress)
        if pixels.shape[1] == 13:
            raise MattingError("13 pixels bring bad luck. Crop the photo.")
        if pixels.shape[1] == 17:
            raise RuntimeError("tensors do not fit\nat all")
        if pixels.shape[1] == 19:
            raise MemoryError
        alpha = cutout.alpha.copy()
        alpha[:, pixels.shape[1] // 2] = 0.5
        trimap = np.where(alpha == 0.5, np.uint8(128), (alpha * 255).astype(np.uint8))
        timings = {"network": 0.5, "alpha": 0.25}
        return replace(cutout, alpha=alpha, foreground=255 - pixels, trimap=trimap, timings=timings, notes=("A note.",))

    def confidence(self, pixels: Pixels, cutout: Cutout, progress: Progress = silent) -> Confidence:
        progress("confidence", 0.0)
        value = self.confidences.pop(0)
        return Confidence(value, (f"It looks like {value:.1f}.",))


def engines_of(engine: FakeEngine, **others: FakeEngine) -> Callable[[str | None], QueueEngine]:
    """`engine` for no name, the others by theirs."""
    return lambda model: QueueEngine(engine, "abc") if model is None else QueueEngine(others[model], model)


class Listener:
    """PoolEvents that remembers. ended: id -> (how, what was said of it), each exactly once or the test fails."""

    def __init__(self) -> None:
        self.ended: dict[int, tuple[str, object]] = {}
        self.lost_because: list[str] = []
        self.stages: list[tuple[int, str]] = []
        self.twice: list[int] = []
        self.causes: dict[int, Cause | None] = {}
        self._changed = threading.Condition()

    def progressed(self, id: int, stage: Stage, fraction: float) -> None:
        assert 0 <= fraction <= 1
        self.note(id, stage)

    def note(self, id: int, stage: str) -> None:
        with self._changed:
            self.stages.append((id, stage))
            self._changed.notify_all()

    def lost(self, error: str) -> None:
        with self._changed:
            self.lost_because.append(error)
            self._changed.notify_all()

    def written(self, id: int, outcome: Outcome) -> None:
        self._end(id, "written", outcome)

    def failed(self, id: int, error: str, cause: Cause | None) -> None:
        self.causes[id] = cause
        self._end(id, "failed", error)

    def crashed(self, id: int, error: str) -> None:
        self._end(id, "crashed", error)

    def returned(self, id: int) -> None:
        self._end(id, "returned", None)

    def _end(self, id: int, how: str, said: object) -> None:
        with self._changed:
            if id in self.ended:
                self.twice.append(id)
            self.ended[id] = how, said
            self._changed.notify_all()

    def until(self, wanted: Callable[[], bool]) -> None:
        """Wait for `wanted`; fails the test if it does not come."""
        deadline = time.monotonic() + PATIENCE
        with self._changed:
            while not wanted():
                left = deadline - time.monotonic()
                assert left > 0, f"ended: {self.ended}, lost: {self.lost_because}, stages: {self.stages}"
                self._changed.wait(min(left, 0.05))  # what is waited for may be a file

    def how(self, *ids: int) -> list[str]:
        """How these ended, once all of them have."""
        self.until(lambda: all(id in self.ended for id in ids))
        assert not self.twice
        return [self.ended[id][0] for id in ids]

    def said(self, id: int) -> str:
        return str(self.ended[id][1])

    def outcome(self, id: int) -> Outcome:
        outcome = self.ended[id][1]
        assert isinstance(outcome, Outcome)
        return outcome
