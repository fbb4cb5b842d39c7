"""The inspector's choices: what they show, what they do, and that they are remembered."""

from pathlib import Path
from typing import Any

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from bgdesk.core.engine import Reach
from bgdesk.core.trimap import Label

CTRL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier


def test_number_fields_take_typing_and_give_the_keyboard_back(desk: Any, photo: Path) -> None:
    desk.open(photo)
    desk.window.activateWindow()
    field = desk.control("panel.brush.size")
    field.setFocus()
    desk.until(field.hasFocus)
    field.selectAll()
    QTest.keyClicks(field, "123")
    assert desk.window.brush.label is Label.FOREGROUND
    QTest.keyClick(field, Qt.Key.Key_Return)
    assert desk.window.brush.diameter == 123
    desk.until(desk.window.canvas.hasFocus)
    desk.key(Qt.Key.Key_2)
    assert desk.window.brush.label is Label.BACKGROUND
    label = desk.control("panel.brush.size.label")
    QTest.mouseDClick(label, Qt.MouseButton.LeftButton)
    assert desk.window.brush.diameter == 40


# The edge's colours.


def test_the_strength_of_cleaning_edge_colours(desk: Any, photo: Path) -> None:
    desk.open(photo)
    centre = tuple(side // 2 for side in desk.work.source.shape[:2])
    full = int(desk.work.foreground[centre][0])
    assert full > 100
    field = desk.control("panel.edge.clean")
    field.setFocus()
    field.selectAll()
    QTest.keyClicks(field, "40")
    QTest.keyClick(field, Qt.Key.Key_Return)
    desk.until(lambda: abs(int(desk.work.foreground[centre][0]) - 0.7 * full) <= 1)
    slider = desk.control("panel.edge.clean.slider")
    assert slider.value() == 40
    QTest.keyClick(slider, Qt.Key.Key_Home)
    desk.until(lambda: abs(int(desk.work.foreground[centre][0]) - 0.5 * full) <= 1)
    QTest.mouseDClick(desk.control("panel.edge.clean.label"), Qt.MouseButton.LeftButton)
    desk.until(lambda: int(desk.work.foreground[centre][0]) == full)
    desk.until(lambda: desk.remembered[-1].decontaminate == 1)


def test_taking_spill_off(desk: Any, photo: Path) -> None:
    desk.open(photo)
    before = desk.work.foreground[0, 0].tolist()
    combo = desk.control("panel.edge.spill")
    combo.setFocus()
    desk.until(combo.hasFocus)
    assert combo.currentText() == "Leave spill"
    QTest.keyClick(combo, Qt.Key.Key_Down)
    desk.until(lambda: desk.remembered and desk.remembered[-1].spill == "auto")
    desk.until(lambda: desk.work.foreground[0, 0].tolist() == [0, 0, 0])
    desk.ask.picked = "#102030"
    QTest.keyClick(combo, Qt.Key.Key_Down)
    desk.until(lambda: desk.remembered[-1].spill == "#102030")
    assert desk.ask.asked[-1] == "colour #00b140"
    assert combo.currentText() == "Remove spill of #102030"
    assert desk.work.recipe.spill == (16, 32, 48)
    desk.ask.picked = None  # thought better of it
    QTest.keyClick(combo, Qt.Key.Key_Down)
    assert desk.remembered[-1].spill == "#102030"
    QTest.keyClick(combo, Qt.Key.Key_Home)
    desk.until(lambda: desk.remembered[-1].spill == "")
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
    assert desk.engine.reaches == [Reach.SMART, Reach.EXACT]


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
    desk.until(lambda: desk.remembered and desk.remembered[-1].quality == "best")
    desk.settle()
    assert np.array_equal(desk.work.solved, painted)  # a choice takes no strokes back
    assert desk.engine.calls == calls  # and costs nothing by itself
    QTest.mouseClick(desk.control("panel.cutout.again"), Qt.MouseButton.LeftButton)
    desk.until(lambda: desk.engine.qualities == ["balanced", "best"])
    desk.settle()
    QTest.keyClick(combo, Qt.Key.Key_Home)
    desk.until(lambda: desk.remembered[-1].quality == "fast")
    QTest.mouseClick(desk.control("panel.cutout.again"), Qt.MouseButton.LeftButton)
    desk.until(lambda: desk.engine.qualities == ["balanced", "best", "fast"])


def test_a_choice_made_while_the_network_works_is_kept(desk: Any, photo: Path) -> None:
    desk.engine.hold("network")
    desk.drop(photo)
    desk.until(lambda: "network" in desk.engine.calls)
    desk.control("panel.edge.clean").setValue(0)
    desk.until(lambda: desk.session.settings.decontaminate == 0)
    desk.engine.release("network")
    desk.until(lambda: desk.session.work is not None and desk.work.has_alpha)
    centre = tuple(side // 2 for side in desk.work.source.shape[:2])
    desk.until(lambda: abs(int(desk.work.foreground[centre][0]) - 0.5 * desk.work.source[centre][0]) <= 1)
