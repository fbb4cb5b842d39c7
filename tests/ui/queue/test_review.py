"""The review: which photo comes when, by keys alone, and what is shown of it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from PySide6.QtCore import QPoint, QSize, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QLabel
from pytestqt.qtbot import QtBot

from bgdesk.batch.model.values import BatchRecipe, Decision, State, Variant
from bgdesk.core.cutout import Cutout
from bgdesk.core.errors import LoadError
from bgdesk.core.formats import Format
from bgdesk.files.save import save
from bgdesk.ui.kit.bridge import Bridge
from bgdesk.ui.kit.icons import Icons
from bgdesk.ui.kit.theme import DARK
from bgdesk.ui.queue.open_queue import OpenQueue
from bgdesk.ui.queue.review import review_page
from bgdesk.ui.queue.review.review_loader import LONGEST, Wanted, best, read, read_cutout, wanted
from bgdesk.ui.queue.review.review_page import ReviewPage
from bgdesk.ui.queue.review.review_view import Ground
from tests.ui.fakes import Brake, FakeQueue, cutout, item, reviewable

ACCEPTED, REJECTED = Decision.ACCEPTED, Decision.REJECTED
RED, GREEN, BLUE, GREY = (200, 20, 20), (20, 200, 20), (20, 20, 200), (90, 90, 90)


# What is read.


@pytest.mark.parametrize(
    ("variants", "index"),
    [
        ((Variant(),), 0),
        ((Variant(name="white", background=(255, 255, 255)), Variant(name="cutout")), 1),
        ((Variant(name="mask", alpha_only=True), Variant(name="white", background=(255, 255, 255))), 1),
        ((Variant(name="psd", format=Format.PSD), Variant(name="png")), 1),
    ],
)
def test_the_output_that_shows_most_is_looked_at(variants: tuple[Variant, ...], index: int) -> None:
    assert best(BatchRecipe(variants=variants), len(variants)) == index


def test_an_item_without_outputs_shows_nothing() -> None:
    assert wanted(item(1), BatchRecipe()) is None


@pytest.mark.parametrize("suffix", [".png", ".psd"])
@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_cutouts_are_read_with_their_opacity(tmp_path: Path, suffix: str, depth: type) -> None:
    scale = np.iinfo(depth).max // 255
    source: NDArray[Any] = np.full((40, 50, 3), (200 * scale, 100 * scale, 50 * scale), depth)
    alpha = np.zeros((40, 50), np.float32)
    alpha[10:30, 10:40] = 1
    alpha[:, 25] = 0.5
    trimap = np.full((40, 50), 128, np.uint8)
    file = save(Cutout(source=source, alpha=alpha, foreground=source, trimap=trimap), tmp_path / f"a{suffix}")
    image = read_cutout(file)
    assert image.size() == QSize(50, 40)
    assert image.pixelColor(2, 2).alpha() == 0
    colour = image.pixelColor(15, 15)
    assert (colour.red(), colour.green(), colour.blue(), colour.alpha()) == (200, 100, 50, 255)
    assert abs(image.pixelColor(25, 2).alpha() - 128) <= 1


def test_large_photos_are_read_small_and_whole_when_asked(tmp_path: Path) -> None:
    large = cutout(tmp_path, "large.png", RED, side=LONGEST + 400)
    source = tmp_path / "photo.jpg"
    Image.new("RGB", (LONGEST + 400, LONGEST + 400), GREEN).save(source)
    key = Wanted(1, large, source)
    picture = read(key)
    assert picture.problem == ""
    assert picture.cutout is not None
    assert picture.source is not None
    assert max(picture.cutout.width(), picture.source.width()) <= LONGEST
    assert picture.size == QSize(LONGEST + 400, LONGEST + 400)
    whole = read(key._replace(whole=True)).cutout
    assert whole is not None
    assert whole.width() == LONGEST + 400


@pytest.mark.parametrize(
    ("name", "content"), [("gone.png", None), ("bad.png", b"no picture"), ("bad.psd", b"no picture"), ("gone.psd", None)]
)
def test_what_cannot_be_read_says_why(tmp_path: Path, name: str, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(LoadError, match=f"^{name} could not be shown: "):
        read_cutout(tmp_path / name)
    assert read(Wanted(1, tmp_path / name, tmp_path / "photo.jpg")).problem.startswith(name)


def test_a_photo_that_vanished_still_shows_its_cutout(tmp_path: Path) -> None:
    picture = read(Wanted(1, cutout(tmp_path, "a.png", RED), tmp_path / "gone.jpg"))
    assert picture.cutout is not None
    assert picture.source is None
    assert "gone.jpg" in picture.problem


# By keys alone.


class Table:
    """The page over a fake queue of four photos, and the hands on it."""

    def __init__(self, qtbot: QtBot, bridge: Bridge, folder: Path) -> None:
        self.qtbot = qtbot
        colours = ((1, RED), (2, GREEN), (3, BLUE), (4, GREY))
        self.queue = FakeQueue([reviewable(folder, id, colour) for id, colour in colours], post=bridge.post)
        self.queue.put(item(8, State.DONE), item(9, State.QUEUED))
        self.room = OpenQueue(folder, Brake().pool, bridge.post)
        self.room.adopt(self.queue, self.queue.items(), self.queue.summary())  # type: ignore[arg-type]
        self.page = ReviewPage(self.room, bridge.post)
        self.page.tint(Icons(DARK))
        self.page.resize(900, 600)
        self.page.show()
        qtbot.waitExposed(self.page)
        self.page.begin()

    def press(self, *keys: Qt.Key) -> None:
        for key in keys:
            QTest.keyClick(self.page.canvas, key)

    def label(self, name: str) -> str:
        label = self.page.findChild(QLabel, name)
        assert label is not None
        return label.text()

    def decided(self) -> list[Any]:
        return [call for call in self.queue.calls if call[0] in ("accept", "reject")]

    def colour(self, x: float = 0.5, y: float = 0.5) -> tuple[int, int, int]:
        """What the canvas shows at a share of its width and height."""
        image = self.page.canvas.grab().toImage()
        colour = image.pixelColor(round(x * (image.width() - 1)), round(y * (image.height() - 1)))
        return colour.red(), colour.green(), colour.blue()

    def shows(self, colour: tuple[int, int, int]) -> None:
        self.qtbot.waitUntil(lambda: self.colour() == colour)


@pytest.fixture
def table(qtbot: QtBot, tmp_path: Path) -> Iterator[Table]:
    bridge = Bridge()
    table = Table(qtbot, bridge, tmp_path)
    yield table
    table.page.close_caches()
    table.room.join()
    bridge.close()
    table.page.deleteLater()


def test_the_keys_judge(table: Table, qtbot: QtBot) -> None:
    table.shows(RED)
    assert (table.label("review.name"), table.label("review.position")) == ("photo1.png", "1 of 4")
    assert table.label("review.confidence") == "Confidence 50 %"
    assert table.label("review.reasons") == "Its edge is unsure."
    table.press(Qt.Key.Key_A)
    table.shows(GREEN)
    assert table.label("review.rate") == "1 accepted"
    table.press(Qt.Key.Key_R)
    table.shows(BLUE)
    assert table.label("review.rate") == "1 accepted, 1 rejected"
    table.press(Qt.Key.Key_U)
    table.shows(GREEN)
    table.press(Qt.Key.Key_Return, Qt.Key.Key_Right, Qt.Key.Key_P, Qt.Key.Key_R)
    table.shows(GREY)
    table.press(Qt.Key.Key_Enter)
    assert table.label("review.name") == "Review"
    table.page.settle()
    qtbot.waitUntil(lambda: table.decided() == [("accept", 1), ("accept", 2), ("reject", 3), ("accept", 4)])
    qtbot.waitUntil(lambda: table.label("review.rate") == "3 accepted, 1 rejected")


def test_the_next_photo_is_there_before_the_key(table: Table, qtbot: QtBot) -> None:
    ahead = [table.room.item(id) for id in (1, 2, 3)]
    keys = [wanted(each, table.queue.recipe) for each in ahead if each is not None]
    qtbot.waitUntil(lambda: all(key in table.page.pictures for key in keys if key is not None))
    table.press(Qt.Key.Key_Right)
    assert table.page.canvas.picture is not None  # at once, without a turn of the event loop
    assert table.colour() == GREEN


def test_the_grounds(table: Table) -> None:
    table.shows(RED)
    corner = (0.02, 0.02)
    for key, ground, colour in ((Qt.Key.Key_1, Ground.BLACK, (0, 0, 0)), (Qt.Key.Key_2, Ground.WHITE, (255, 255, 255))):
        table.press(key)
        assert table.page.canvas.ground is ground
        assert table.colour(*corner) == colour
        assert table.colour() == RED
    table.press(Qt.Key.Key_3)
    assert table.colour(*corner) == (0x3C, 0x3C, 0x3C)
    table.press(Qt.Key.Key_4)
    assert table.page.canvas.ground is Ground.BESIDE
    assert table.colour(0.25, 0.5) == table.colour(0.75, 0.5) == RED
    width, height = table.page.canvas.width(), table.page.canvas.height()
    rim = (width / 4 - 25) / (width - 1), (height / 2 - 25) / (height - 1)
    assert table.colour(*rim) == RED  # the photo is whole
    assert table.colour(rim[0] + 0.5, rim[1]) in ((255, 255, 255), (208, 208, 208))  # the cutout is not


def test_zoom_and_pan(table: Table, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(review_page, "LONGEST", 16)  # as if what is there had been scaled down
    table.shows(RED)
    canvas = table.page.canvas
    canvas.resize(300, 200)

    def is_close() -> bool:
        return canvas.is_close

    table.press(Qt.Key.Key_Z)
    assert is_close()
    qtbot.waitUntil(lambda: canvas._whole is not None)
    before = canvas._centre.x()
    QTest.mousePress(canvas, Qt.MouseButton.LeftButton, pos=QPoint(100, 100))
    QTest.mouseMove(canvas, QPoint(90, 100))
    QTest.mouseRelease(canvas, Qt.MouseButton.LeftButton, pos=QPoint(90, 100))
    assert canvas._centre.x() > before
    for keys in ((Qt.Key.Key_Z,), (Qt.Key.Key_Z, Qt.Key.Key_N)):  # another photo is shown as a whole
        table.press(*keys)
        close: bool = canvas.is_close
        assert not close


def test_fix_asks_for_the_editor_and_carries_out_what_was_said_before(table: Table, qtbot: QtBot) -> None:
    table.press(Qt.Key.Key_A)
    with qtbot.waitSignal(table.page.fix_wanted) as asked:
        table.press(Qt.Key.Key_F)
    assert asked.args == [2]
    qtbot.waitUntil(lambda: table.decided() == [("accept", 1)])
    table.page.fixed(2)
    table.shows(BLUE)


def test_more_photos_join_while_it_is_looked_at(table: Table, qtbot: QtBot, tmp_path: Path) -> None:
    table.room.refreshed.connect(lambda _ids: table.page.follow())
    table.press(Qt.Key.Key_Right)
    table.queue.put(reviewable(tmp_path, 9, GREY))
    qtbot.waitUntil(lambda: table.label("review.position") == "2 of 5")


def test_a_decision_is_not_pending_for_ever(table: Table, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    table.page._pending_timer.setInterval(20)
    table.press(Qt.Key.Key_A)
    qtbot.waitUntil(lambda: table.decided() == [("accept", 1)])
    undo = table.page.findChild(QAbstractButton, "review.undo")
    assert undo is not None
    assert not undo.isEnabled()


def test_a_cutout_that_is_gone_says_so_and_can_still_be_judged(table: Table, qtbot: QtBot) -> None:
    first = table.room.item(2)
    assert first is not None
    assert first.outcome is not None
    qtbot.waitUntil(lambda: len(table.page.pictures._kept) == 3)
    first.outcome.written[0].staged.unlink()
    key = wanted(first, table.queue.recipe)
    assert key is not None
    table.page.pictures.drop(key)
    table.press(Qt.Key.Key_Right)
    qtbot.waitUntil(lambda: table.page.canvas.picture is not None)
    assert table.page.canvas.picture is not None
    assert table.page.canvas.picture.problem.startswith("photo2.png could not be shown")
    table.press(Qt.Key.Key_R, Qt.Key.Key_A)
    qtbot.waitUntil(lambda: table.decided() == [("reject", 2)])


def test_every_control_has_a_name(table: Table) -> None:
    for control in table.page.findChildren(QAbstractButton):
        assert control.objectName().startswith("review.")
        assert control.accessibleName()
        assert control.toolTip()
    assert table.page.canvas.accessibleName() == "Photo under review"
    assert "photo1.png, 1 of 4" in table.page.canvas.accessibleDescription()
