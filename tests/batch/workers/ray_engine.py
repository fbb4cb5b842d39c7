"""What the actors of the tests open in place of a network. Imported by the cluster's processes, so it needs nothing of pytest."""

import os
import time
from pathlib import Path

from bgdesk.batch.model.values import BatchRecipe
from bgdesk.batch.workers.photo_job import QueueEngine
from bgdesk.batch.workers.worker import ReadyEngines
from bgdesk.core.arrays import Pixels
from bgdesk.core.cutout import Cutout
from bgdesk.core.errors import ModelError
from bgdesk.core.recipe import MatteRecipe
from bgdesk.core.results import Confidence
from bgdesk.core.tasks import Progress, silent
from tests.batch.workers.workers import PATIENCE, FakeEngine


class Trap(FakeEngine):
    """A photo 23 pixels wide writes the process's number into `folder`, and waits there for its end; the second time it passes."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    def auto(self, pixels: Pixels, recipe: MatteRecipe = MatteRecipe(), progress: Progress = silent) -> Cutout:
        cutout = super().auto(pixels, recipe, progress)
        pid = self.folder / "pid"
        if pixels.shape[1] == 23 and not pid.exists():
            temporary = self.folder / "pid.part"
            temporary.write_text(str(os.getpid()), "ascii")
            temporary.rename(pid)
            time.sleep(PATIENCE)
        return cutout

    def confidence(self, pixels: Pixels, cutout: Cutout, progress: Progress = silent) -> Confidence:
        return Confidence(0.9)


def open_trap(folder: str, recipe: BatchRecipe) -> ReadyEngines:
    """With functools.partial(open_trap, folder): the engine of `RayPool`."""
    engine = Trap(Path(folder))
    return ReadyEngines(lambda model: QueueEngine(engine, "abc"))


def open_nothing(recipe: BatchRecipe) -> ReadyEngines:
    raise ModelError("No network is installed. Install one with: bgdesk models install isnet-general")
