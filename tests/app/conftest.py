"""A session without a window: a fake engine that can be held, a folder in memory, and a pump in place of the event loop."""

import queue
import threading
import time
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from bgdesk.app.networks.imported import Imported
from bgdesk.app.networks.onnx_presets import Description
from bgdesk.app.session.session import Session
from bgdesk.app.system.settings import Settings
from bgdesk.app.work.events import Event, Message
from bgdesk.app.work.jobs import Job, Jobs, Lane
from bgdesk.core.arrays import Alpha, Mask, Pixels, Trimap
from bgdesk.core.cutout import Cutout
from bgdesk.core.engine import EngineStatus, Reach
from bgdesk.core.errors import Cause, LoadError, SaveError
from bgdesk.core.geometry import Rect
from bgdesk.core.recipe import ExportRecipe, MatteRecipe
from bgdesk.core.tasks import Progress, silent
from bgdesk.core.trimap import Label
from bgdesk.files.load import LoadedImage
from tests.fakes.engine import FakeEngine

WAIT = 10.0


class RedEngine(FakeEngine):
    """The red channel decides: above 170 foreground, below 85 background, between unknown with alpha red / 255."""

    MARGIN: ClassVar[int] = 24
    SEAM: ClassVar[int] = 5
    #: With `flows`, a stroke's label propagates this far to the left and right.
    FLOW: ClassVar[int] = 12
    LOADED: ClassVar[EngineStatus] = EngineStatus(device="cpu", precision="fp32", model="fake")

    def __init__(self) -> None:
        super().__init__()
        self.flows = False

    def trimap_of(self, pixels: Pixels) -> Trimap:
        trimap = np.full(pixels.shape[:2], Label.UNKNOWN, np.uint8)
        trimap[pixels[..., 0] > 170] = Label.FOREGROUND
        trimap[pixels[..., 0] < 85] = Label.BACKGROUND
        return trimap

    def alpha_of(self, pixels: Pixels, trimap: Trimap) -> Alpha:
        alpha = pixels[..., 0].astype(np.float32) / np.float32(255)
        alpha[trimap == Label.FOREGROUND] = 1
        alpha[trimap == Label.BACKGROUND] = 0
        return alpha

    def colours_of(self, pixels: Pixels, alpha: Alpha, recipe: MatteRecipe = MatteRecipe()) -> Pixels:
        colours = pixels.copy()
        colours[alpha == 0] = 99
        return colours

    def propagated(self, labels: Trimap, roi: Rect, reach: Reach, fixed: Mask | None) -> tuple[Rect, Trimap]:
        if not self.flows or reach is not Reach.SMART:
            return roi, labels
        trimap, label = labels.copy(), labels[(roi.top + roi.bottom) // 2, (roi.left + roi.right) // 2]
        roi = Rect(roi.left - self.FLOW, roi.top, roi.right + self.FLOW, roi.bottom).intersect(Rect.of_shape(trimap.shape))
        part = trimap[roi.slices]
        part[... if fixed is None else ~fixed[roi.slices]] = label
        return roi, trimap


class FakeModels:
    def __init__(self) -> None:
        self.installed: str | None = "fake"
        self.gate: threading.Event | None = None
        self.failure: Exception | None = None

    def default_id(self) -> str | None:
        return self.installed

    def install(self, id: str, progress: Progress = silent) -> object:
        progress("download", 0.1)
        while self.gate is not None and not self.gate.wait(0.002):
            progress("download", 0.5)
        if self.failure is not None:
            raise self.failure
        self.installed = id
        return object()

    def import_file(self, path: Path, id: str, progress: Progress = silent) -> object:
        return self.install(id, progress)

    def import_own(self, path: Path, id: str, description: Description, progress: Progress = silent) -> Imported:
        raise NotImplementedError


class FakeFiles:
    """Photos by path. A path that is not there cannot be read; what is saved is kept."""

    def __init__(self) -> None:
        self.photos: dict[Path, Any] = {}
        self.saved: dict[Path, tuple[Cutout, ExportRecipe, LoadedImage | None, tuple[Path, ...]]] = {}
        self.loads: list[Path] = []
        self.previews: list[Path] = []
        self.gate: threading.Event | None = None
        self.save_gate: threading.Event | None = None
        self.failure: Exception | None = None
        self.there: set[Path] = set()
        self.save_failure: Exception | None = None
        self.threads: set[str] = set()

    def load(self, path: Path) -> LoadedImage:
        self.loads.append(path)
        self.threads.add(threading.current_thread().name)
        if self.gate is not None:
            assert self.gate.wait(WAIT)
        if self.failure is not None:
            raise self.failure
        if path not in self.photos:
            raise LoadError(f"{path.name} could not be read: there is no such file.")
        pixels = self.photos[path].copy()
        pixels.flags.writeable = False
        return LoadedImage(pixels=pixels, path=path)

    def preview(self, path: Path, longest: int) -> Any:
        self.previews.append(path)
        if path not in self.photos:
            raise LoadError(f"{path.name} could not be read: there is no such file.")
        return np.ascontiguousarray(self.photos[path][::8, ::8])

    def save(
        self,
        cutout: Cutout,
        path: Path,
        recipe: ExportRecipe,
        metadata: LoadedImage | None,
        protect: Collection[Path],
        progress: Progress,
        replace: bool,
    ) -> Path:
        progress("save", 0.1)
        while self.save_gate is not None and not self.save_gate.wait(0.002):
            progress("save", 0.5)
        if self.save_failure is not None:
            raise self.save_failure
        if path in protect:
            raise SaveError(f"{path.name} is the source. Choose another name.")
        if path in self.there and not replace:
            raise SaveError(f"{path.name} could not be saved: a file of that name is there.", Cause.EXISTS)
        self.saved[path] = (cutout, recipe, metadata, tuple(protect))
        return path


class Pump:
    """The owner's event loop: what was posted runs when a test says so, on the test's thread."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self.posts = 0

    def post(self, call: Callable[[], None]) -> None:
        self.posts += 1
        self._queue.put(call)

    def once(self) -> None:
        """Run what has been posted, and what that posts."""
        while not self._queue.empty():
            self._queue.get()()

    def until(self, condition: Callable[[], Any], timeout: float = WAIT) -> None:
        deadline = time.monotonic() + timeout
        self.once()
        while not condition():
            assert time.monotonic() < deadline, "what the test waits for never came"
            try:
                self._queue.get(timeout=0.005)()
            except queue.Empty:
                continue
            self.once()


class WatchedJobs(Jobs):
    """Jobs whose end can be waited for."""

    def __init__(self, post: Callable[[Callable[[], None]], None]) -> None:
        super().__init__(post)
        self.all: list[Job[Any]] = []

    def submit(self, lane: Lane, work: Any, **options: Any) -> Any:
        job = super().submit(lane, work, **options)
        self.all.append(job)
        return job

    @property
    def idle(self) -> bool:
        self.all = [job for job in self.all if not job.finished]
        return not self.all


class Desk:
    """Everything a session test needs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pump = Pump()
        self.engine = RedEngine()
        self.models = FakeModels()
        self.files = FakeFiles()
        self.jobs = WatchedJobs(self.pump.post)
        self.settings = Settings(precut=False)
        self.session = Session(self.engine, self.models, self.settings, self.jobs, self.pump.post, self.files)
        self.events: list[Event] = []
        self.session.subscribe(self._heard)
        self._owner = threading.current_thread()

    def _heard(self, event: Event) -> None:
        assert threading.current_thread() is self._owner
        self.events.append(event)

    def photo(self, name: str = "a.jpg", width: int = 300, height: int = 200, seed: int = 1) -> Path:
        """A photo with large areas of each kind and some noise."""
        rng = np.random.default_rng(seed)
        pixels = rng.integers(90, 165, (height, width, 3), dtype=np.uint8)
        pixels[: height // 3] //= 8
        pixels[height // 3 : 2 * height // 3, : width // 2] = pixels[height // 3 : 2 * height // 3, : width // 2] // 4 + 200
        path = self.folder / name
        self.files.photos[path] = pixels
        return path

    def settle(self) -> None:
        """Until nothing runs and nothing is posted."""
        self.pump.until(lambda: self.jobs.idle)
        self.pump.once()
        if not self.jobs.idle:
            self.settle()

    def open(self, *paths: Path) -> None:
        """Open and wait for the end."""
        self.session.open(paths or (self.photo(),))
        self.settle()

    def stroke(self, *points: tuple[float, float], label: Label = Label.FOREGROUND, radius: float = 10) -> None:
        self.session.stroke_begin(label, radius, points[0])
        for point in points[1:]:
            self.session.stroke_extend(point)
        self.session.stroke_end()

    def heard(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def messages(self) -> list[Message]:
        return self.heard(Message)

    @property
    def texts(self) -> list[str]:
        return [message.text for message in self.messages]

    @property
    def state(self) -> tuple[bytes, bytes]:
        """Trimap and alpha, to compare bit for bit."""
        work = self.session.work
        assert work is not None
        return work.labels.tobytes(), work.solved.tobytes()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.engine.deaf = False
    desk.engine.release_all()
    for gate in (desk.files.gate, desk.files.save_gate, desk.models.gate):
        if gate is not None:
            gate.set()
    desk.session.close()


@pytest.fixture
def fake_engine() -> RedEngine:
    return RedEngine()


@pytest.fixture
def fake_files() -> FakeFiles:
    return FakeFiles()


@pytest.fixture
def pump() -> Pump:
    return Pump()
