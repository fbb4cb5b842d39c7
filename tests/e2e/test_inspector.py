"""The inspector's choices: what they show, what they do, and that they are remembered."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from bgdesk.core.engine import Reach
from bgdesk.core.recipe import EdgeRecipe, Quality
from bgdesk.core.trimap import Label

CTRL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier


def test_number_fields_take_typing_and_give_the_keyboard_back(desk: Any, photo: Path) -> None:
    desk.open(photo)
    desk.window.activateWindow()
    field = desk.control("panel.brush.size")
    field.setFocus()
    desk.until(field.hasFocus)
    field.selectAll()

    def label() -> Label:
        now: Label = desk.window.brush.label
        return now

    QTest.keyClicks(field, "123")
    assert label() is Label.FOREGROUND
    QTest.keyClick(field, Qt.Key.Key_Return)
    assert desk.window.brush.diameter == 123
    desk.until(desk.window.canvas.hasFocus)
    desk.key(Qt.Key.Key_2)
    assert label() is Label.BACKGROUND
    QTest.mouseDClick(desk.control("panel.brush.size.label"), Qt.MouseButton.LeftButton)
    assert desk.window.brush.diameter == 40


# The edge's colours.


def test_the_strength_of_cleaning_edge_colours(desk: Any, photo: Path) -> None:
    desk.open(photo)
    centre = tuple(side // 2 for side in desk.work.source.shape[:2])
    full = int(desk.work.foreground[centre][0])
    assert full > 100
    field = desk.control("panel.colours.clean")
    field.setFocus()
    field.selectAll()
    QTest.keyClicks(field, "40")
    QTest.keyClick(field, Qt.Key.Key_Return)
    desk.until(lambda: abs(int(desk.work.foreground[centre][0]) - 0.7 * full) <= 1)
    slider = desk.control("panel.colours.clean.slider")
    assert slider.value() == 40
    QTest.keyClick(slider, Qt.Key.Key_Home)
    desk.until(lambda: abs(int(desk.work.foreground[centre][0]) - 0.5 * full) <= 1)
    QTest.mouseDClick(desk.control("panel.colours.clean.label"), Qt.MouseButton.LeftButton)
    desk.until(lambda: int(desk.work.foreground[centre][0]) == full)


def test_taking_spill_off(desk: Any, photo: Path) -> None:
    desk.open(photo)
    before = desk.work.foreground[0, 0].tolist()
    combo = desk.control("panel.colours.spill")
    combo.setFocus()
    desk.until(combo.hasFocus)
    assert combo.currentText() == "Leave spill"
    QTest.keyClick(combo, Qt.Key.Key_Down)
    desk.until(lambda: desk.work.recipe.matte.spill == "auto")
    desk.until(lambda: desk.work.foreground[0, 0].tolist() == [0, 0, 0])
    desk.ask.picked = "#102030"
    QTest.keyClick(combo, Qt.Key.Key_Down)
    desk.until(lambda: desk.work.recipe.matte.spill == (16, 32, 48))
    assert desk.ask.asked[-1] == "colour #00b140"
    assert combo.currentText() == "Remove spill of #102030"
    desk.ask.picked = None  # thought better of it
    QTest.keyClick(combo, Qt.Key.Key_Down)
    assert desk.work.recipe.matte.spill == (16, 32, 48)
    assert combo.currentText() == "Remove spill of #102030"
    QTest.keyClick(combo, Qt.Key.Key_Home)
    desk.until(lambda: desk.work.recipe.matte.spill is None)
    desk.until(lambda: desk.work.foreground[0, 0].tolist() == before)


def test_the_reach_of_strokes_is_chosen_beside_the_brush(desk: Any, photo: Path) -> None:
    desk.open(photo)
    combo = desk.control("panel.brush.reach")
    assert combo.currentText().startswith("Smart")
    desk.stroke((30, 30), (60, 30))
    desk.settle()
    combo.setFocus()
    desk.until(combo.hasFocus)
    QTest.keyClick(combo, Qt.Key.Key_Down)
    desk.until(lambda: desk.remembered and desk.remembered[-1].reach == "exact")
    desk.stroke((30, 80), (60, 80))
    desk.settle()
    assert [reach for reach, *_ in desk.engine.reaches] == [Reach.SMART, Reach.EXACT]


def test_quality_is_used_when_the_photo_is_cut_again(desk: Any, photo: Path) -> None:
    desk.open(photo)
    combo = desk.control("panel.cutout.quality")
    assert combo.currentText() == "Balanced"
    desk.stroke((30, 30), (60, 30))
    desk.settle()
    painted, calls = desk.work.solved.copy(), list(desk.engine.calls)
    combo.setFocus()
    desk.until(combo.hasFocus)
    QTest.keyClick(combo, Qt.Key.Key_Down)
    desk.until(lambda: desk.work.recipe.matte.quality is Quality.BEST)
    desk.settle()
    assert np.array_equal(desk.work.solved, painted)  # a choice takes no strokes back
    assert desk.engine.calls == calls  # and costs nothing by itself
    QTest.mouseClick(desk.control("panel.cutout.again"), Qt.MouseButton.LeftButton)
    desk.until(lambda: desk.engine.qualities == ["balanced", "best"])
    desk.settle()
    QTest.keyClick(combo, Qt.Key.Key_Home)
    desk.until(lambda: desk.work.recipe.matte.quality is Quality.FAST)
    QTest.mouseClick(desk.control("panel.cutout.again"), Qt.MouseButton.LeftButton)
    desk.until(lambda: desk.engine.qualities == ["balanced", "best", "fast"])


def test_a_choice_made_while_the_network_works_is_kept(desk: Any, photo: Path) -> None:
    desk.engine.hold("auto")
    desk.drop(photo)
    desk.until(lambda: "auto" in desk.engine.called)
    desk.control("panel.colours.clean").setValue(0)
    desk.until(lambda: desk.session.recipe.matte.strength == 0)
    desk.engine.release("auto")
    desk.until(lambda: desk.session.work is not None and desk.work.has_alpha)
    centre = tuple(side // 2 for side in desk.work.source.shape[:2])
    desk.until(lambda: abs(int(desk.work.foreground[centre][0]) - 0.5 * desk.work.source[centre][0]) <= 1)


# The edge, and each photo's own recipe.


def type_into(desk: Any, name: str, text: str) -> None:
    field = desk.control(name)
    field.setFocus()
    field.selectAll()
    QTest.keyClicks(field, text)
    QTest.keyClick(field, Qt.Key.Key_Return)


def test_edge_sliders_take_hundredths_and_are_undone_by_name(desk: Any, photo: Path) -> None:
    desk.open(photo)
    type_into(desk, "panel.edge.shift", "-1.25")
    assert desk.session.recipe.edge == EdgeRecipe(shift=-1.25)
    undo = desk.window.actions_["action.undo"]
    assert undo.text() == "Undo shift edge"
    type_into(desk, "panel.edge.feather", "2.5")
    assert desk.session.recipe.edge == EdgeRecipe(shift=-1.25, feather=2.5)
    undo.trigger()
    undo.trigger()
    assert desk.session.recipe.edge.neutral
    assert undo.text() == "Undo"
    assert desk.window.actions_["action.redo"].text() == "Redo shift edge"
    assert desk.control("panel.edge.shift").value() == 0
    assert desk.control("panel.edge.shift.slider").value() == 200


def test_one_drag_of_a_slider_is_one_step(desk: Any, photo: Path) -> None:
    desk.open(photo)
    slider = desk.control("panel.edge.feather.slider")
    slider.setSliderDown(True)
    for position in (40, 90, 150):
        slider.setSliderPosition(position)
    slider.setSliderDown(False)
    assert desk.session.recipe.edge == EdgeRecipe(feather=15)
    desk.window.actions_["action.undo"].trigger()
    assert desk.session.recipe.edge.neutral


def test_the_reset_of_a_section_is_one_step(desk: Any, photo: Path) -> None:
    desk.open(photo)
    type_into(desk, "panel.edge.shift", "3")
    type_into(desk, "panel.edge.contrast", "40")
    QTest.mouseClick(desk.control("panel.edge.reset"), Qt.MouseButton.LeftButton)
    assert desk.session.recipe.edge.neutral
    desk.window.actions_["action.undo"].trigger()
    assert desk.session.recipe.edge == EdgeRecipe(shift=3, contrast=40)


def test_the_canvas_shows_the_finished_edge_at_once(desk: Any, photo: Path) -> None:
    desk.open(photo)
    desk.window.actions_["view.alpha"].trigger()
    desk.settle()

    def opaque() -> int:
        picture = desk.window.canvas.grab().toImage()
        colours = [picture.pixelColor(x, y).red() for x in range(0, picture.width(), 3) for y in range(0, picture.height(), 3)]
        return sum(colour > 250 for colour in colours)

    before = opaque()
    assert before > 0
    type_into(desk, "panel.edge.shift", "-10")
    desk.until(lambda: opaque() < 0.9 * before)
    desk.window.actions_["action.undo"].trigger()
    desk.until(lambda: opaque() == before)


def test_every_photo_has_its_own_recipe(desk: Any, photo: Path, make_photo: Callable[..., Path]) -> None:
    photo_two = make_photo("two.png", 180)
    desk.open(photo)
    type_into(desk, "panel.edge.shift", "2")
    desk.drop(photo_two)
    desk.until(lambda: desk.session.current.path == photo_two and desk.work.has_alpha)
    assert desk.control("panel.edge.shift").value() == 0
    desk.window.actions_["action.photo.previous"].trigger()
    desk.until(lambda: desk.session.current.path == photo)
    assert desk.control("panel.edge.shift").value() == 2
    QTest.mouseClick(desk.control("panel.action.recipe.all"), Qt.MouseButton.LeftButton)
    desk.window.actions_["action.photo.next"].trigger()
    desk.until(lambda: desk.session.current.path == photo_two)
    assert desk.control("panel.edge.shift").value() == 2


def test_a_recipe_can_become_the_default(desk: Any, photo: Path, make_photo: Callable[..., Path]) -> None:
    photo_two = make_photo("two.png", 180)
    desk.open(photo)
    type_into(desk, "panel.edge.smooth", "1.5")
    QTest.mouseClick(desk.control("panel.action.recipe.default"), Qt.MouseButton.LeftButton)
    assert desk.remembered[-1].recipe == desk.session.recipe
    desk.drop(photo_two)
    desk.until(lambda: desk.session.current.path == photo_two and desk.work.has_alpha)
    assert desk.session.recipe.edge == EdgeRecipe(smooth=1.5)
    assert not desk.session.current.edited


def test_without_a_photo_the_sliders_show_and_set_what_new_photos_begin_with(desk: Any, photo: Path) -> None:
    type_into(desk, "panel.edge.feather", "1")
    assert desk.remembered[-1].recipe.edge == EdgeRecipe(feather=1)
    desk.open(photo)
    assert desk.session.recipe.edge == EdgeRecipe(feather=1)


def test_the_wheel_on_its_way_through_the_panel_changes_nothing(desk: Any, photo: Path) -> None:
    desk.open(photo)
    before = desk.session.recipe
    for name in ("panel.edge.feather", "panel.edge.feather.slider", "panel.cutout.quality", "panel.colours.spill", "panel.brush.size"):
        control = desk.control(name)
        centre = QPointF(control.rect().center())
        turn = QWheelEvent(
            centre, control.mapToGlobal(centre), QPoint(), QPoint(0, -120), Qt.MouseButton.NoButton,
            Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,
        )  # fmt: skip
        QApplication.sendEvent(control, turn)
    assert desk.session.recipe == before
    assert desk.window.brush.diameter == 40
    assert not desk.session.can_undo
