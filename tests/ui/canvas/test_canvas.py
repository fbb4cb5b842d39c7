"""The canvas by itself, on screens of both densities, with strokes written down instead of painted."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QMimeData, QPoint, Qt, QUrl
from PySide6.QtGui import QImage
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from bgdesk.core.finish import finish
from bgdesk.core.geometry import Rect
from bgdesk.core.recipe import EdgeRecipe
from bgdesk.core.trimap import Label
from bgdesk.ui.canvas import frame as frames
from bgdesk.ui.canvas.canvas import Canvas
from bgdesk.ui.canvas.render import View
from bgdesk.ui.canvas.tools import Brush
from bgdesk.ui.kit import incoming


@dataclass
class Strokes:
    told: list[Any] = field(default_factory=list)

    def stroke_begin(self, label: Label, radius: float, point: tuple[float, float]) -> None:
        self.told.append((label, radius, tuple(point)))

    def stroke_extend(self, point: tuple[float, float]) -> None:
        self.told.append(tuple(point))

    def stroke_end(self) -> None:
        self.told.append("end")

    def stroke_cancel(self) -> None:
        self.told.append("cancel")


@dataclass
class Layers:
    source: Any
    labels: Any
    solved: Any
    foreground: Any = None


def layers(width: int, height: int) -> Layers:
    source = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    return Layers(source, np.full((height, width), 255, np.uint8), np.ones((height, width), np.float32))


@pytest.fixture(params=[1.0, 1.5, 2.0], ids=lambda ratio: f"{ratio} device pixels")
def canvas(request: pytest.FixtureRequest, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> Canvas:
    monkeypatch.setattr(Canvas, "devicePixelRatioF", lambda _self: request.param)
    widget = Canvas(Strokes(), Brush(20))
    qtbot.addWidget(widget)
    widget.resize(400, 300)
    widget.show()
    qtbot.waitExposed(widget)
    return widget


def frame_of(canvas: Canvas) -> Any:
    canvas.repaint()
    return canvas._frame.pixels[..., 2::-1]


def test_one_photo_pixel_is_one_device_pixel_at_100_percent(canvas: Canvas) -> None:
    ratio = canvas.devicePixelRatioF()
    work = layers(150, 100)
    canvas.show_document(work)
    assert canvas.viewport is not None
    assert canvas.viewport.scale == 1
    frame = frame_of(canvas)
    assert frame.shape == (round(300 * ratio), round(400 * ratio), 3)
    assert np.array_equal(frame[canvas.viewport.frame.slices], work.source)
    # Around it, the surround.
    assert (frame[0, 0] == 0x3C).all()


def test_gestures_arrive_in_photo_coordinates(canvas: Canvas) -> None:
    ratio = canvas.devicePixelRatioF()
    canvas.show_document(layers(150, 100))
    viewport = canvas.viewport
    assert viewport is not None
    strokes: Any = canvas.brush_tool._strokes
    place = QPoint(200, 150)
    QTest.mousePress(canvas, Qt.MouseButton.LeftButton, pos=place)
    QTest.mouseMove(canvas, place + QPoint(10, 0))
    QTest.mouseRelease(canvas, Qt.MouseButton.LeftButton, pos=place + QPoint(10, 0))
    wanted = viewport.to_photo(200 * ratio, 150 * ratio)
    assert strokes.told == [(Label.FOREGROUND, 10.0, tuple(wanted)), (wanted.x + 10 * ratio, wanted.y), "end"]


def test_changes_recompose_their_rectangle_alone(canvas: Canvas) -> None:
    work = layers(150, 100)
    canvas.show_document(work)
    frame_of(canvas)
    assert canvas.viewport is not None
    frame = canvas._frame.pixels
    frame[...] = 7  # what is not composed again keeps this
    work.solved[40:60, 50:90] = 0
    canvas.alpha_changed(Rect(50, 40, 90, 60), (), first=False)
    canvas.repaint()
    touched = canvas.viewport.screen_rect(Rect(50, 40, 90, 60))
    inside = np.zeros(frame.shape[:2], bool)
    inside[touched.slices] = True
    assert (frame[~inside] == 7).all()
    assert (frame[inside][:, :3] != 7).any(axis=1).mean() > 0.9


def test_right_drag_sets_the_size(canvas: Canvas) -> None:
    canvas.show_document(layers(150, 100))
    ratio = canvas.devicePixelRatioF()
    QTest.mousePress(canvas, Qt.MouseButton.RightButton, pos=QPoint(200, 150))
    QTest.mouseMove(canvas, QPoint(220, 150))
    QTest.mouseRelease(canvas, Qt.MouseButton.RightButton, pos=QPoint(220, 150))
    assert canvas._brush.diameter == 20 + round(20 * ratio)
    strokes: Any = canvas.brush_tool._strokes
    assert strokes.told == []


def test_losing_the_keyboard_lets_go_of_held_keys(canvas: Canvas) -> None:
    canvas.show_document(layers(150, 100))
    canvas.setFocus()

    def shown() -> View:
        return canvas.view

    QTest.keyPress(canvas, Qt.Key.Key_Backslash)
    held = canvas.view
    canvas.clearFocus()
    assert (held, canvas.view) == (View.SOURCE, View.OVERLAY)


def test_a_picture_with_alpha_and_odd_rows_is_taken_in_as_it_is() -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (7, 5, 4), np.uint8)
    image = QImage(pixels.tobytes(), 5, 7, 20, QImage.Format.Format_RGBA8888)
    assert np.array_equal(incoming.pixels(image), pixels[..., :3])
    plain = np.ascontiguousarray(pixels[..., :3])
    assert np.array_equal(incoming.pixels(QImage(plain.tobytes(), 5, 7, 15, QImage.Format.Format_RGB888)), plain)


def test_files_are_taken_once_and_only_from_this_computer(tmp_path: Any) -> None:
    mime = QMimeData()
    here = QUrl.fromLocalFile(str(tmp_path / "a.jpg"))
    mime.setUrls([here, QUrl("https://example.org/b.jpg"), here])
    assert incoming.paths(mime) == [tmp_path / "a.jpg"]
    assert incoming.acceptable(mime)
    web = QMimeData()
    web.setUrls([QUrl("https://example.org/b.jpg")])
    assert incoming.paths(web) == []
    assert not incoming.acceptable(web)


# The edge recipe.


def ringed(width: int = 700, height: int = 500) -> Layers:
    """Half opaque, with an edge down the middle."""
    work = layers(width, height)
    work.solved[:, : width // 2] = 0
    return work


def exact_frame_of(canvas: Canvas, qtbot: QtBot) -> Any:
    """A copy of the frame, when nothing about it is coarse any more."""
    frame_of(canvas)
    qtbot.waitUntil(lambda: not canvas._frame.coarse, timeout=5000)
    return frame_of(canvas).copy()


def test_alpha_is_shown_as_the_edge_recipe_finishes_it(canvas: Canvas, qtbot: QtBot) -> None:
    work, edge = ringed(), EdgeRecipe(shift=6, feather=3)
    canvas.set_view(View.ALPHA)
    canvas.show_document(work)
    canvas.actual_size()
    before = exact_frame_of(canvas, qtbot)
    canvas.set_edge(edge)
    after = exact_frame_of(canvas, qtbot)
    assert canvas.viewport is not None
    visible = canvas.viewport.visible
    left, top = (int(part) for part in canvas.viewport.to_photo(visible.left, visible.top))
    exported = np.rint(finish(work.solved, edge) * 255)[top : top + visible.height, left : left + visible.width]
    assert np.array_equal(after[visible.slices][..., 0], exported)
    assert (work.solved == ringed().solved).all()
    # Another document is shown with the same recipe, and without one as it was solved.
    canvas.show_document(work)
    canvas.actual_size()
    assert np.array_equal(exact_frame_of(canvas, qtbot), after)
    canvas.set_edge(EdgeRecipe())
    assert np.array_equal(exact_frame_of(canvas, qtbot), before)


def test_a_coarse_frame_becomes_exact_when_everything_rests(canvas: Canvas, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "_AFFORDED", 0.0)
    canvas.set_view(View.ALPHA)
    canvas.show_document(ringed())
    canvas.actual_size()
    canvas.set_edge(EdgeRecipe(shift=2.4))
    frame_of(canvas)
    assert canvas._frame.coarse
    shown = exact_frame_of(canvas, qtbot)
    monkeypatch.setattr(frames, "_AFFORDED", 1e6)
    canvas.show_document(ringed())
    canvas.actual_size()
    assert np.array_equal(frame_of(canvas), shown)


def test_new_alpha_is_redrawn_as_far_as_the_recipe_carries_it(canvas: Canvas, qtbot: QtBot) -> None:
    work = ringed()
    canvas.set_view(View.ALPHA)
    canvas.set_edge(EdgeRecipe(feather=40))
    canvas.show_document(work)
    canvas.actual_size()
    exact_frame_of(canvas, qtbot)
    rect = Rect(300, 240, 400, 260)
    work.solved[rect.slices] = 1
    canvas.alpha_changed(rect, (), False)
    shown = exact_frame_of(canvas, qtbot)
    canvas.show_document(work)
    canvas.actual_size()
    assert np.array_equal(shown, exact_frame_of(canvas, qtbot))
