"""The real window over the real session, with an engine that can be held and answers in no time."""

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import PySide6
import pytest
from PIL import Image
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from bgdesk.app.editing.work import Work
from bgdesk.app.networks.catalog import CatalogEntry, Source
from bgdesk.app.networks.model_files import ModelStatus
from bgdesk.app.networks.store import ModelStore
from bgdesk.app.session.session import Session
from bgdesk.app.system.settings import Settings
from bgdesk.app.work.jobs import Jobs
from bgdesk.app.work.ports import DiskFiles
from bgdesk.batch.run.queue import MakePool
from bgdesk.core.arrays import Alpha, Pixels, Trimap
from bgdesk.core.cutout import Cutout
from bgdesk.core.engine import EngineStatus
from bgdesk.core.errors import ModelError
from bgdesk.core.formats import Format
from bgdesk.core.recipe import MatteRecipe
from bgdesk.core.tasks import Progress, silent
from bgdesk.core.trimap import Label
from bgdesk.engine.pipeline import Pipeline
from bgdesk.ui.canvas.render import LABEL_COLOURS
from bgdesk.ui.editor.main_window import MainWindow
from bgdesk.ui.kit.bridge import Bridge
from bgdesk.ui.kit.file_dialogs import Ask, Closing, ExportTarget
from bgdesk.ui.services import Services
from tests.e2e.queues import Queue
from tests.fakes.engine import FakeEngine
from tests.ui.fakes import Brake

#: Photos of these tests: a bright disc on a dark ground.
SIDE = 240


class BrightEngine(FakeEngine):
    """Bright pixels are the subject. Unknown pixels get the brightness as alpha."""

    MARGIN: ClassVar[int] = 8
    SEAM: ClassVar[int] = 8
    LOADED: ClassVar[EngineStatus] = EngineStatus(device="cpu", precision="bf16", model="fake")
    TIMINGS: ClassVar[Mapping[str, float]] = {"network": 0.5, "alpha": 0.03}

    def __init__(self, installed: bool) -> None:
        super().__init__()
        self.qualities: list[str] = []  # of every cut-out
        if not installed:
            self.failures["auto"] = ModelError("No network is installed. Install one with: bgdesk models install fake")

    def auto(self, pixels: Pixels, recipe: MatteRecipe = MatteRecipe(), progress: Progress = silent) -> Cutout:
        self.qualities.append(recipe.quality.value)
        return super().auto(pixels, recipe, progress)

    def trimap_of(self, pixels: Pixels) -> Trimap:
        grey = _grey(pixels)
        trimap = np.full(grey.shape, Label.UNKNOWN, np.uint8)
        trimap[grey > 0.7] = Label.FOREGROUND
        trimap[grey < 0.3] = Label.BACKGROUND
        return trimap

    def alpha_of(self, pixels: Pixels, trimap: Trimap) -> Alpha:
        alpha = _grey(pixels)
        alpha[trimap == Label.FOREGROUND] = 1
        alpha[trimap == Label.BACKGROUND] = 0
        return alpha

    def colours_of(self, pixels: Pixels, alpha: Alpha, recipe: MatteRecipe = MatteRecipe()) -> Pixels:
        """The photo's own colours; darker with less strength, so that it shows, and black in one corner where spill is to go."""
        colours: Pixels = np.rint(pixels * (0.5 + 0.5 * recipe.strength)).astype(pixels.dtype)
        if recipe.spill is not None:
            colours[:2, :2] = 0
        return colours


def _grey(pixels: Pixels) -> Alpha:
    return pixels[..., 0].astype(np.float32) / np.float32(np.iinfo(pixels.dtype).max)


class Store:
    """Two networks of a catalogue; installing is instant, unless `gate` is closed."""

    def __init__(self, installed: bool) -> None:
        here = "https://example.org"
        sources = (Source(kind="url", size=88_188_479, sha256="0" * 64, url=f"{here}/net.onnx"),)
        fake = CatalogEntry(
            id="fake",
            title="Fake-Net, general use",
            net="isnet",
            licence="Apache-2.0",
            licence_url=here,
            commercial=True,
            homepage=here,
            sources=sources,
            default=True,
        )
        other = replace(fake, id="other", title="Other-Net", net="u2netp", licence="CC-BY-NC-4.0", commercial=False, default=False)
        self.entries = [fake, other]
        self.installed = {"fake"} if installed else set()
        self.gate = threading.Event()
        self.gate.set()
        self.imported: list[tuple[Path, str]] = []

    def statuses(self) -> list[ModelStatus]:
        return [ModelStatus(entry=entry, installed=entry.id in self.installed, size=entry.sources[0].size) for entry in self.entries]

    def default_id(self) -> str | None:
        return next((entry.id for entry in self.entries if entry.id in self.installed), None)

    def install(self, id: str, progress: Progress = silent) -> object:
        progress("download", 0.4)
        while not self.gate.wait(0.002):
            progress("download", 0.4)
        self.installed.add(id)
        return object()

    def import_file(self, path: Path, id: str, progress: Progress = silent) -> object:
        if path.suffix != ".onnx":
            raise ModelError(f"{path.name} is not an ONNX file.")
        self.imported.append((path, id))
        self.installed.add(id)
        return object()

    def verify(self) -> list[ModelStatus]:
        return [status for status in self.statuses() if status.installed]

    def remove(self, id: str) -> None:
        self.installed.discard(id)


class Files(DiskFiles):
    """The real disk; writing waits while `gate` is closed."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()

    def save(self, *args: Any) -> Path:
        self.gate.wait(10)
        return super().save(*args)


@dataclass
class Answers(Ask):
    """Answers instead of dialogs; `asked` says what was asked."""

    open_paths: list[Path] = field(default_factory=list)
    target: Path | None = None
    network: Path | None = None
    picked: str | None = None
    close: Closing = Closing.CANCEL
    chosen: Path | None = None
    leave: bool = True
    may_replace: bool = True
    asked: list[str] = field(default_factory=list)

    def photos(self, parent: QWidget, suffixes: tuple[str, ...]) -> list[Path]:
        self.asked.append("photos")
        return self.open_paths

    def network_file(self, parent: QWidget, title: str) -> Path | None:
        self.asked.append("network")
        return self.network

    def export_target(self, parent: QWidget, suggestion: Path, format: Format) -> ExportTarget | None:
        self.asked.append(f"export {suggestion.name} {format.value}")
        return None if self.target is None else ExportTarget(self.target, Format(self.target.suffix[1:]), self.target.exists())

    def replace(self, parent: QWidget, path: Path) -> bool:
        self.asked.append(f"replace {path.name}")
        return self.may_replace

    def colour(self, parent: QWidget, title: str, current: str) -> str | None:
        self.asked.append(f"colour {current}")
        return self.picked

    def closing(self, parent: QWidget, names: list[str], can_export: bool) -> Closing:
        self.asked.append("closing " + ", ".join(names))
        return self.close

    def remove_network(self, parent: QWidget, title: str) -> bool:
        self.asked.append("remove")
        return True

    def folder(self, parent: QWidget, title: str) -> Path | None:
        self.asked.append(title)
        return self.chosen

    def leave_queue(self, parent: QWidget, title: str, left: int) -> bool:
        self.asked.append(f"leave {title}, {left} left")
        return self.leave

    def forget_queue(self, parent: QWidget, title: str) -> bool:
        self.asked.append(f"forget {title}")
        return True


def _engine(installed: bool, real: ModelStore | None) -> Any:
    return BrightEngine(installed) if real is None else Pipeline(real.weights)


def _store(installed: bool, real: ModelStore | None) -> Any:
    return real or Store(installed)


class Desk:
    """The window under test, and the hands on it. Coordinates are photo coordinates."""

    def __init__(
        self, qtbot: QtBot, installed: bool, settings: Settings, real: ModelStore | None = None, pools: MakePool | None = None
    ) -> None:
        """real: use the real engine with a network of this store. pools: what does the photos of queues."""
        self.qtbot = qtbot
        self.pools = pools or Brake().pool
        self.engine = _engine(installed, real)
        self.store = _store(installed, real)
        self.ask = Answers()
        self.remembered: list[Settings] = []
        self.bridge = Bridge()
        jobs = Jobs(self.bridge.post)
        self.files = Files()
        self.session = Session(self.engine, self.store, settings, jobs, self.bridge.post, self.files)
        services = Services(
            session=self.session,
            store=self.store,
            jobs=jobs,
            ask=self.ask,
            renew_engine=self.engine.close,
            remember=self.remembered.append,
            post=self.bridge.post,
            pools=lambda: self.pools,
        )
        self.window = MainWindow(services)
        if not settings.window_geometry:
            self.window.resize(1280, 800)  # whatever the screen has room for
        self.window.show()
        qtbot.waitExposed(self.window)
        self.closed = False

    def close(self) -> None:
        if isinstance(self.engine, BrightEngine):
            self.engine.release_all()
            self.store.gate.set()
        self.files.gate.set()
        self.ask.close = Closing.DISCARD
        self.window.close()
        if self.window.commands.queue_controller is not None:
            self.window.commands.queue_controller.open_queue.join()
        self.bridge.close()
        self.window.deleteLater()
        QApplication.processEvents()

    @property
    def work(self) -> Work:
        work = self.session.work
        assert work is not None
        return work

    def until(self, condition: Callable[[], bool]) -> None:
        self.qtbot.waitUntil(condition, timeout=10_000)

    def drop(self, *paths: Path) -> None:
        mime = QMimeData()
        mime.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
        left, plain, copy = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, Qt.DropAction.CopyAction
        enters: Any = QPointF if PySide6.__version_info__ >= (6, 12) else QPoint  # 6.12 deprecates what came before
        QApplication.sendEvent(self.window, QDragEnterEvent(enters(300, 300), copy, mime, left, plain))
        QApplication.sendEvent(self.window, QDropEvent(QPointF(300, 300), copy, mime, left, plain))

    def open(self, path: Path) -> None:
        """Drop one photo and wait for its cut-out."""
        self.drop(path)
        self.until(lambda: self.session.work is not None and self.work.path == path and self.work.has_alpha)
        self.settle()

    def settle(self) -> None:
        """Until nothing is being computed and nothing moves."""
        self.until(lambda: self.session.busy is None and not self.session.pending_rects)
        self.qtbot.waitUntil(lambda: self.window.canvas.look.reveal == 1.0, timeout=10_000)

    def at(self, x: float, y: float) -> QPoint:
        """Where a photo point is on the canvas, in logical pixels."""
        viewport = self.window.canvas.viewport
        assert viewport is not None
        ratio = self.window.canvas.devicePixelRatioF()
        screen = viewport.to_screen(x, y)
        return QPoint(round(screen.x / ratio), round(screen.y / ratio))

    def press(self, x: float, y: float, modifiers: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
        QTest.mousePress(self.window.canvas, Qt.MouseButton.LeftButton, modifiers, self.at(x, y))

    def move(self, x: float, y: float) -> None:
        QTest.mouseMove(self.window.canvas, self.at(x, y))
        QApplication.processEvents()

    def release(self, x: float, y: float) -> None:
        QTest.mouseRelease(self.window.canvas, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, self.at(x, y))

    def stroke(self, *points: tuple[float, float]) -> None:
        self.press(*points[0])
        for point in points[1:]:
            self.move(*point)
        self.release(*points[-1])

    def key(self, key: Qt.Key, modifiers: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
        QTest.keyClick(self.window.canvas, key, modifiers)
        QApplication.processEvents()

    def colour(self, x: float, y: float) -> tuple[int, int, int]:
        """What the canvas shows over a photo point, without the brush's outline."""
        canvas = self.window.canvas
        QTest.mouseMove(canvas, QPoint(2, 2))
        image = canvas.grab().toImage()
        ratio = canvas.devicePixelRatioF()
        point = self.at(x, y)
        colour = image.pixelColor(round(point.x() * ratio), round(point.y() * ratio))
        return colour.red(), colour.green(), colour.blue()

    def control(self, name: str) -> QWidget:
        widget = self.window.findChild(QWidget, name)
        assert widget is not None, name
        return widget


@pytest.fixture
def make_desk(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Desk]]:
    desks: list[Desk] = []

    def make(
        installed: bool = True, settings: Settings | None = None, real: ModelStore | None = None, pools: MakePool | None = None
    ) -> Desk:
        desks.append(Desk(qtbot, installed, settings or Settings(theme="dark", precut=False), real, pools))
        return desks[-1]

    yield make
    for desk in desks:
        desk.close()


@pytest.fixture
def desk(make_desk: Callable[..., Desk]) -> Desk:
    return make_desk()


@pytest.fixture
def label_colours() -> dict[Label, tuple[int, int, int]]:
    return LABEL_COLOURS


def disc(side: int = SIDE, value: int = 220) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """A bright disc with a soft rim on a dark ground, a little coloured so that channels cannot be mixed up."""
    ys, xs = np.mgrid[:side, :side]
    distance = np.hypot(xs - side / 2, ys - side / 2) - side / 4
    grey = np.clip(0.5 - distance / 8, 0, 1) * (value - 30) + 30
    return np.stack([grey, grey * 0.8, grey * 0.6], axis=-1).astype(np.uint8)


@pytest.fixture
def make_photo(tmp_path: Path) -> Callable[..., Path]:
    def make(name: str = "disc.png", value: int = 220, side: int = SIDE) -> Path:
        path = tmp_path / name
        Image.fromarray(disc(side, value)).save(path)
        return path

    return make


@pytest.fixture
def photo(make_photo: Callable[..., Path]) -> Path:
    return make_photo()


@pytest.fixture
def folder(make_photo: Callable[..., Path], tmp_path: Path) -> Path:
    """Eight photos: three doubtful ones and one that cannot be read."""
    (tmp_path / "shoes").mkdir()
    for name in ("1.png", "2-doubt.png", "3.png", "4-doubt.png", "5-bad.png", "6.png", "7-doubt.png", "8.png"):
        make_photo(f"shoes/{name}", side=96)
    return tmp_path / "shoes"


@pytest.fixture
def start(make_desk: Callable[..., Any]) -> Callable[..., Queue]:
    """Start the program: a window with the queue's behind it."""

    def start(brake: Brake | None = None, settings: Settings | None = None) -> Queue:
        return Queue(make_desk(settings=settings, pools=(brake or Brake()).pool))

    return start
