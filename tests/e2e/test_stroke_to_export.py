"""The main job with real gestures on the real window: drop, look, paint, take back, export."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from bgdesk.core.geometry import Rect
from bgdesk.core.pixels.brush import RIM
from bgdesk.core.trimap import Label
from bgdesk.ui.canvas.render import LABEL_COLOURS

CTRL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier


def near(one: tuple[int, int, int], other: tuple[int, int, int], by: int = 3) -> bool:
    return all(abs(a - b) <= by for a, b in zip(one, other, strict=True))


def greenish(colour: tuple[int, int, int]) -> bool:
    return colour[1] > colour[0] + 20 and colour[1] > colour[2] + 20


def test_drop_paint_undo_redo_export(desk: Any, photo: Path, tmp_path: Path) -> None:
    desk.drop(photo)
    desk.until(lambda: desk.session.work is not None)
    desk.until(lambda: desk.work.has_alpha)
    desk.settle()

    # Overlay: the subject as it is, what is removed darker and redder than the photo.
    source = desk.work.source
    centre, corner = tuple(source[120, 120]), tuple(source[20, 20])
    assert near(desk.colour(120, 120), centre)
    shown = desk.colour(20, 20)
    assert shown[0] > shown[1] + 20
    assert not near(shown, corner)

    trimap, alpha = desk.work.labels.copy(), desk.work.solved.copy()
    desk.window.brush.set_diameter(20)
    desk.key(Qt.Key.Key_1)
    desk.stroke((30, 30), (45, 30), (60, 32))
    desk.settle()

    # Only the stroke's region changed, and inside it what was painted is opaque.
    changed = desk.work.solved != alpha
    touched = Rect.bounding(desk.work.labels != trimap)
    assert touched == Rect(20, 20, 70, 42).grow(RIM)
    assert changed.any()
    assert touched.grow(desk.engine.MARGIN).contains(Rect.bounding(changed))
    assert (desk.work.solved[(desk.work.labels != trimap) & (desk.work.labels == Label.FOREGROUND)] == 1).all()
    assert near(desk.colour(45, 30), tuple(source[30, 45]))
    assert desk.engine.count("auto") == 1

    painted_trimap, painted_alpha = desk.work.labels.copy(), desk.work.solved.copy()
    desk.key(Qt.Key.Key_Z, CTRL)
    assert np.array_equal(desk.work.labels, trimap)
    assert np.array_equal(desk.work.solved, alpha)
    assert desk.colour(45, 30)[0] > desk.colour(45, 30)[1] + 20
    desk.key(Qt.Key.Key_Z, CTRL | SHIFT)
    assert np.array_equal(desk.work.labels, painted_trimap)
    assert np.array_equal(desk.work.solved, painted_alpha)

    target = tmp_path / "out.png"
    desk.ask.target = target
    desk.key(Qt.Key.Key_E, CTRL)
    desk.until(target.exists)
    desk.settle()
    assert desk.ask.asked[-1] == "export disc_cutout.png png"
    saved = np.asarray(Image.open(target))
    assert saved.shape == (240, 240, 4)
    assert np.array_equal(saved[..., 3], np.rint(desk.work.solved * 255).astype(np.uint8))
    opaque = desk.work.solved == 1
    assert np.array_equal(saved[..., :3][opaque], source[opaque])
    desk.until(lambda: "out.png" in desk.window.messages.message.text)
    assert not desk.control("message.bar").isHidden()
    assert not desk.control("message.show_in_folder").isHidden()


@pytest.mark.parametrize("replaces", [True, False])
def test_a_file_that_appears_after_the_name_was_chosen_is_asked_about(desk: Any, photo: Path, tmp_path: Path, replaces: bool) -> None:
    desk.open(photo)
    desk.files.gate.clear()
    desk.ask.target, desk.ask.may_replace = tmp_path / "out.png", replaces
    desk.window.actions_["action.export"].trigger()
    (tmp_path / "out.png").write_bytes(b"precious")
    desk.ask.target = tmp_path / "other.png"
    desk.files.gate.set()
    written = tmp_path / ("out.png" if replaces else "other.png")
    desk.until(lambda: desk.window.messages.message is not None and f"{written.name} is saved" in desk.window.messages.message.text)
    assert "replace out.png" in desk.ask.asked
    assert ((tmp_path / "out.png").read_bytes() == b"precious") is not replaces
    assert written.read_bytes().startswith(b"\x89PNG")


def test_export_psd_from_the_menu(desk: Any, photo: Path, tmp_path: Path) -> None:
    desk.open(photo)
    target = tmp_path / "out.psd"
    desk.ask.target = target
    desk.window.actions_["action.export.psd"].trigger()
    desk.until(target.exists)
    desk.settle()
    assert target.read_bytes()[:4] == b"8BPS"
    # The format is remembered, and the main button says so.
    assert desk.remembered[-1].export_format == "psd"
    assert desk.control("panel.export").text() == "Export PSD…"


@pytest.mark.parametrize("label", list(Label))
def test_paint_shows_at_once_and_stays_until_the_answer(desk: Any, photo: Path, label: Label) -> None:
    desk.open(photo)
    desk.window.brush.set_diameter(24)
    desk.key({Label.FOREGROUND: Qt.Key.Key_1, Label.BACKGROUND: Qt.Key.Key_2, Label.UNKNOWN: Qt.Key.Key_3}[label])
    desk.engine.hold("rematte")
    before = desk.colour(120, 120)
    desk.press(100, 120)
    desk.move(140, 120)
    painted = desk.colour(120, 120)
    wanted = LABEL_COLOURS[label]
    strongest = max(range(3), key=lambda channel: wanted[channel] - before[channel])
    assert painted != before
    assert abs(wanted[strongest] - painted[strongest]) < abs(wanted[strongest] - before[strongest])
    desk.release(140, 120)
    desk.until(lambda: desk.engine.called[-1] == "rematte")
    assert desk.colour(120, 120) == painted
    desk.engine.release("rematte")
    desk.settle()
    assert desk.colour(120, 120) != painted
    assert desk.window.canvas.scene.painted.empty


def test_escape_drops_the_stroke_before_anything_else(desk: Any, photo: Path) -> None:
    desk.open(photo)
    trimap, before = desk.work.labels.copy(), desk.colour(40, 30)
    desk.press(30, 30)
    desk.move(50, 30)
    assert greenish(desk.colour(40, 30))
    desk.key(Qt.Key.Key_Escape)
    desk.release(50, 30)
    desk.settle()
    assert np.array_equal(desk.work.labels, trimap)
    assert desk.colour(40, 30) == before
    assert not desk.session.can_undo
    assert "rematte" not in desk.engine.called


def test_shift_click_draws_a_straight_line(desk: Any, photo: Path) -> None:
    desk.open(photo)
    desk.window.brush.set_diameter(6)
    desk.stroke((20, 20), (21, 20))
    desk.settle()
    desk.press(20, 60, SHIFT)
    desk.release(20, 60)
    desk.settle()
    assert (desk.work.labels[20:60, 20] == Label.FOREGROUND).all()
    # Another photo begins afresh.
    desk.drop(photo.parent / "nothing.png")
    desk.settle()


def test_alt_paints_with_the_opposite_brush(desk: Any, photo: Path) -> None:
    desk.open(photo)
    desk.window.brush.set_diameter(10)
    desk.press(120, 120, Qt.KeyboardModifier.AltModifier)
    desk.release(120, 120)
    desk.settle()
    assert desk.work.labels[120, 120] == Label.BACKGROUND
    assert desk.window.brush.label is Label.FOREGROUND


def test_a_stroke_while_another_is_computed(desk: Any, photo: Path) -> None:
    desk.open(photo)
    desk.window.brush.set_diameter(12)
    desk.engine.hold("rematte")
    desk.stroke((30, 30), (60, 30))
    desk.until(lambda: "rematte" in desk.engine.called)
    desk.press(30, 200)
    desk.move(60, 200)
    desk.engine.release("rematte")
    desk.until(lambda: desk.work.solved[30, 45] == 1)
    # The first stroke is answered; the second, still being drawn, keeps its colour.
    QApplication.processEvents()
    assert greenish(desk.colour(45, 200))
    desk.release(60, 200)
    desk.settle()
    assert (desk.work.solved[200, 32:58] == 1).all()
    assert (desk.work.solved[30, 32:58] == 1).all()


def test_painting_by_hand_without_a_network(make_desk: Callable[..., Any], photo: Path, tmp_path: Path) -> None:
    desk = make_desk(installed=False)
    assert "not installed" in desk.control("empty.network").text()
    assert desk.control("empty.install").text() == "Install Fake-Net (88 MB, Apache-2.0)"
    desk.drop(photo)
    desk.until(lambda: desk.session.work is not None and desk.work.has_alpha)
    desk.settle()
    assert (desk.work.solved == 0).all()
    assert not desk.control("message.bar").isHidden()
    assert "painting" in desk.window.messages.message.text or "paint" in desk.window.messages.message.text
    desk.window.brush.set_diameter(40)
    desk.stroke((100, 120), (140, 120))
    desk.settle()
    assert (desk.work.solved[120, 100:140] == 1).all()
    assert desk.work.solved[10, 10] == 0
    desk.ask.target = tmp_path / "hand.png"
    desk.key(Qt.Key.Key_E, CTRL)
    desk.until(desk.ask.target.exists)
    desk.settle()


def test_installing_a_network_from_the_empty_window(make_desk: Callable[..., Any], photo: Path) -> None:
    desk = make_desk(installed=False)
    desk.store.gate.clear()
    desk.control("empty.install").click()
    desk.until(lambda: not desk.control("progress.line").isHidden())
    assert "Downloading" in desk.control("progress.stage").text()
    desk.engine.failures.clear()
    desk.store.gate.set()
    desk.until(lambda: desk.control("empty.network").text() == "Ready: Fake-Net, general use")
    assert desk.control("empty.install").isHidden()
    desk.open(photo)
    assert desk.work.solved[120, 120] == 1


def test_importing_a_network_that_is_none_says_why(make_desk: Callable[..., Any], tmp_path: Path) -> None:
    desk = make_desk(installed=False)
    desk.ask.network = tmp_path / "net.txt"
    desk.control("empty.import").click()
    desk.until(lambda: desk.window.messages.message is not None)
    assert "net.txt is not an ONNX file" in desk.window.messages.message.text


def test_cancel_button_stops_the_network(desk: Any, photo: Path) -> None:
    desk.engine.hold("auto")
    desk.drop(photo)
    desk.until(lambda: not desk.control("progress.line").isHidden())
    assert "Finding the subject" in desk.control("progress.stage").text()
    QTest.mouseClick(desk.control("progress.cancel"), Qt.MouseButton.LeftButton)
    desk.until(lambda: desk.session.busy is None and desk.window.messages.message is not None)
    assert desk.control("progress.line").isHidden()
    assert "Cancelled" in desk.window.messages.message.text
    # The photo stays, and can be cut out again.
    assert desk.session.work is not None
    desk.engine.release("auto")
    desk.window.actions_["action.cut_again"].trigger()
    desk.until(lambda: desk.work.solved[120, 120] == 1 and desk.work.solved[10, 10] == 0)


def test_escape_cancels_the_work(desk: Any, photo: Path) -> None:
    desk.engine.hold("auto")
    desk.drop(photo)
    desk.until(lambda: "auto" in desk.engine.called)
    desk.key(Qt.Key.Key_Escape)
    desk.until(lambda: desk.session.busy is None)
