"""The window as a whole: files in, several photos, keys, names, closing."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QTimer, QUrl
from PySide6.QtGui import QImage, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication, QComboBox, QLabel, QLineEdit, QProgressBar, QSlider, QSpinBox, QWidget

from bgdesk.app.system.settings import Settings
from bgdesk.core.recipe import Quality
from bgdesk.core.trimap import Label
from bgdesk.ui.canvas.render import View
from bgdesk.ui.canvas.tools import Tool
from bgdesk.ui.editor.actions import ACTIONS
from bgdesk.ui.kit import system
from bgdesk.ui.kit.file_dialogs import Closing
from bgdesk.ui.kit.theme import DARK, HIGH_CONTRAST, LIGHT, SMALLEST_WINDOW

CTRL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier


# Files in.


def test_a_wrong_file_says_why_and_keeps_the_photo(desk: Any, photo: Path, tmp_path: Path) -> None:
    desk.open(photo)
    wrong = tmp_path / "letter.jpg"
    wrong.write_text("Dear Sir")
    desk.drop(wrong)
    desk.until(lambda: desk.window.messages.message is not None)
    assert desk.window.messages.message.text.startswith("letter.jpg ")
    assert not desk.control("message.bar").isHidden()
    assert desk.work.path == photo
    assert desk.window.isVisible()
    desk.control("message.dismiss").click()
    assert desk.control("message.bar").isHidden()


def test_many_photos_make_a_film_strip(desk: Any, make_photo: Callable[..., Path]) -> None:
    first, second, third = make_photo("a.png"), make_photo("b.png", value=200), make_photo("c.png", value=180)
    desk.open(first)
    assert desk.control("film_strip").isHidden()
    desk.drop(second, third)
    desk.until(lambda: len(desk.session.photos) == 3 and desk.session.work.path == second and desk.work.has_alpha)
    desk.settle()
    assert not desk.control("film_strip").isHidden()
    assert desk.window.windowTitle().startswith("b.png")
    desk.key(Qt.Key.Key_PageDown)
    desk.until(lambda: desk.work.path == third)
    desk.key(Qt.Key.Key_PageDown)
    desk.until(lambda: desk.work.path == first)
    desk.key(Qt.Key.Key_PageUp)
    desk.until(lambda: desk.work.path == third)
    films = desk.window.film.list
    QTest.mouseClick(films.viewport(), Qt.MouseButton.LeftButton, pos=films.visualItemRect(films.item(1)).center())
    desk.until(lambda: desk.work.path == second)
    desk.window.actions_["action.close_photo"].trigger()
    desk.until(lambda: len(desk.session.photos) == 2)
    desk.until(lambda: films.count() == 2)


def test_dropping_a_folder_takes_its_photos(desk: Any, make_photo: Callable[..., Path], tmp_path: Path) -> None:
    make_photo("a.png")
    make_photo("b.png")
    (tmp_path / "notes.txt").write_text("no photo")
    desk.drop(tmp_path)
    desk.until(lambda: len(desk.session.photos) == 2)


def test_pasting_a_picture_and_files(desk: Any, photo: Path) -> None:
    pixels = np.zeros((50, 70, 3), np.uint8)
    pixels[10:40, 10:60] = (250, 120, 10)
    QApplication.clipboard().setImage(QImage(pixels.tobytes(), 70, 50, 210, QImage.Format.Format_RGB888))
    desk.window.actions_["action.paste"].trigger()
    desk.until(lambda: desk.session.work is not None and desk.work.has_alpha)
    assert np.array_equal(desk.work.source, pixels)
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(photo))])
    QApplication.clipboard().setMimeData(mime)
    desk.key(Qt.Key.Key_V, CTRL)
    desk.until(lambda: desk.work.path == photo)
    QApplication.clipboard().clear()
    desk.key(Qt.Key.Key_V, CTRL)
    assert "no picture to paste" in desk.window.messages.message.text


def test_open_and_sample(desk: Any, photo: Path) -> None:
    desk.ask.open_paths = [photo]
    desk.control("empty.open").click()
    desk.until(lambda: desk.session.work is not None and desk.work.path == photo)
    desk.window.actions_["action.sample"].trigger()
    desk.until(lambda: desk.work.path.name == "astronaut.png")
    desk.settle()


# Keys.


def test_keys_choose_brush_and_size(desk: Any, photo: Path) -> None:
    desk.open(photo)
    brush, canvas = desk.window.brush, desk.window.canvas
    for key, label in ((Qt.Key.Key_2, Label.BACKGROUND), (Qt.Key.Key_3, Label.UNKNOWN), (Qt.Key.Key_1, Label.FOREGROUND)):
        desk.key(key)
        assert brush.label is label
    desk.key(Qt.Key.Key_X)
    assert brush.label is Label.BACKGROUND
    assert desk.window.actions_["tool.background"].isChecked()
    brush.set_diameter(40)
    desk.key(Qt.Key.Key_BracketRight)
    assert brush.diameter == 50
    desk.key(Qt.Key.Key_BracketLeft)
    assert brush.diameter == 38
    desk.key(Qt.Key.Key_BracketRight, SHIFT)
    assert brush.diameter == 40
    assert desk.control("panel.brush.size").value() == 40
    tools = []
    for key in (Qt.Key.Key_H, Qt.Key.Key_B):
        desk.key(key)
        tools.append(canvas.tool)
    assert tools == [Tool.PAN, Tool.BRUSH]
    assert brush.label is Label.BACKGROUND


def test_keys_choose_the_view(desk: Any, photo: Path) -> None:
    desk.open(photo)
    canvas = desk.window.canvas
    seen = []
    for _ in View:
        seen.append(canvas.view)
        assert desk.control("chip.view").text().lower() == canvas.view.value
        desk.key(Qt.Key.Key_F)
    assert [*seen, canvas.view] == [*View, View.OVERLAY]


def test_a_held_key_shows_the_source(desk: Any, photo: Path) -> None:
    desk.open(photo)
    canvas = desk.window.canvas
    QTest.keyPress(canvas, Qt.Key.Key_Backslash)
    held = canvas.view
    assert desk.colour(20, 20) == tuple(desk.work.source[20, 20])
    QTest.keyRelease(canvas, Qt.Key.Key_Backslash)
    assert (held, canvas.view) == (View.SOURCE, View.OVERLAY)
    desk.control("panel.view.white").click()
    assert desk.colour(20, 20) == (255, 255, 255)
    desk.control("panel.view.alpha").click()
    assert desk.colour(120, 120) == (255, 255, 255)
    assert desk.colour(20, 20) == (0, 0, 0)


def test_zoom_and_pan(desk: Any, make_photo: Callable[..., Path]) -> None:
    desk.open(make_photo("large.png", side=1600))
    canvas = desk.window.canvas
    fitted = canvas.viewport
    assert fitted.scale < 1
    desk.key(Qt.Key.Key_1, CTRL)
    assert canvas.viewport.scale == 1
    assert desk.control("status.zoom").text().endswith("100 %")
    desk.key(Qt.Key.Key_0, CTRL)
    assert canvas.viewport == fitted
    place = desk.at(400, 600)
    ratio = canvas.devicePixelRatioF()
    before = canvas.viewport.to_photo(place.x() * ratio, place.y() * ratio)
    for _ in range(6):
        wheel = QWheelEvent(
            QPointF(place),
            QPointF(canvas.mapToGlobal(place)),
            QPoint(),
            QPoint(0, 120),
            Qt.MouseButton.NoButton,
            Qt.KeyboardModifier.NoModifier,
            Qt.ScrollPhase.NoScrollPhase,
            False,
        )
        QApplication.sendEvent(canvas, wheel)
    after = canvas.viewport.to_photo(place.x() * ratio, place.y() * ratio)
    assert canvas.viewport.scale == pytest.approx(fitted.scale * 2**1.5)
    assert abs(after.x - before.x) < 1
    assert abs(after.y - before.y) < 1
    origin = canvas.viewport.left
    QTest.keyPress(canvas, Qt.Key.Key_Space)
    desk.press(400, 600)
    QTest.mouseMove(canvas, place + QPoint(-50, 0))
    QTest.mouseRelease(canvas, Qt.MouseButton.LeftButton, pos=place + QPoint(-50, 0))
    QTest.keyRelease(canvas, Qt.Key.Key_Space)
    assert abs(canvas.viewport.left - (origin - 50 * ratio)) <= 1
    assert not desk.session.can_undo
    QTest.mousePress(canvas, Qt.MouseButton.MiddleButton, pos=place)
    QTest.mouseMove(canvas, place + QPoint(30, 0))
    QTest.mouseRelease(canvas, Qt.MouseButton.MiddleButton, pos=place + QPoint(30, 0))
    assert abs(canvas.viewport.left - (origin - 20 * ratio)) <= 1


def test_tab_hides_the_inspector_and_shift_tab_leaves_the_canvas(desk: Any, photo: Path) -> None:
    desk.open(photo)
    desk.window.activateWindow()
    desk.until(desk.window.canvas.hasFocus)
    assert desk.window.inspector.isVisible()
    desk.key(Qt.Key.Key_Tab)
    assert not desk.window.inspector.isVisible()
    desk.key(Qt.Key.Key_Tab)
    assert desk.window.inspector.isVisible()
    desk.key(Qt.Key.Key_Backtab, SHIFT)
    assert not desk.window.canvas.hasFocus()


def test_the_status_bar_says_what_computes_in_place_of_what_and_why(desk: Any, photo: Path) -> None:
    desk.open(photo)
    assert desk.window.status.text("device") == "CPU"
    why = "Big Card is not used: in fp16 its answer to a sample differs from the CPU's by 0.5 at worst."
    desk.engine.status = replace(desk.engine.status, notes=(why,), instead_of="Big Card")
    desk.stroke((30, 30), (60, 30))
    desk.until(lambda: desk.window.status.text("device") == "CPU in place of Big Card")
    assert desk.control("status.device").toolTip() == why
    assert why in desk.control("panel.cutout.note").text()


# Names, for whoever cannot see and for whoever drives the window from outside.


def test_every_control_has_a_name_and_an_accessible_name(desk: Any, photo: Path) -> None:
    desk.open(photo)
    kinds = (QAbstractButton, QSlider, QSpinBox, QComboBox, QProgressBar)
    found = desk.window.findChildren(QWidget)
    controls: list[Any] = [widget for widget in found if isinstance(widget, kinds) and not widget.objectName().startswith("qt_")]
    assert len(controls) > 25
    for control in controls:
        assert control.objectName(), control
        assert control.accessibleName() or (isinstance(control, QAbstractButton) and control.text()), control.objectName()
    names = [control.objectName() for control in controls]
    assert len(set(names)) == len(names)
    for name in ("canvas", "panel.brush.size", "message.bar", "progress.cancel", "status.device", "panel.export", "film_strip.list"):
        assert desk.control(name).accessibleName(), name
    assert "disc.png, 240 × 240 pixels, cut out" in desk.window.canvas.accessibleDescription()
    for spec in ACTIONS:
        assert desk.window.actions_[spec.id].objectName() == spec.id


def test_the_status_bar_says_what_computes(desk: Any, photo: Path) -> None:
    assert desk.window.status.text("device") == "The engine starts with the first cut"
    desk.open(photo)
    desk.window.commands.warm()
    desk.until(lambda: desk.window.status.text("device") == "CPU")
    assert desk.window.status.text("precision") == "bf16"
    assert desk.window.status.text("model") == "fake"
    assert desk.window.status.text("timings") == "network 0.50 s · alpha 30 ms"
    assert desk.window.status.text("size") == "240 × 240"


@pytest.mark.parametrize(("wish", "tokens"), [("dark", DARK), ("light", LIGHT), ("contrast", HIGH_CONTRAST)])
def test_themes(make_desk: Callable[..., Any], photo: Path, wish: str, tokens: Any) -> None:
    desk = make_desk(settings=Settings(theme=wish, precut=False))
    desk.open(photo)
    assert desk.window.tokens is tokens
    canvas = desk.window.canvas
    colour = canvas.grab().toImage().pixelColor(4, canvas.height() // 2).name()
    assert colour == tokens.surround


def test_settings_dialog_changes_the_theme_at_once(desk: Any) -> None:
    desk.window.actions_["action.settings"].trigger()
    combo = desk.control("settings.theme")
    combo.setCurrentIndex(combo.findData("light"))
    combo.activated.emit(combo.currentIndex())
    assert desk.window.tokens is LIGHT
    assert desk.remembered[-1].theme == "light"
    desk.control("dialog.settings").reject()


def test_networks_dialog(desk: Any) -> None:
    desk.window.actions_["action.models"].trigger()
    assert desk.control("models.fake.state").text() == "Installed, in use"
    words = " ".join(label.text() for label in desk.control("models.other").findChildren(QLabel))
    assert "CC-BY-NC-4.0" in words
    assert "not for commercial use" in words
    desk.control("models.other.install").click()
    desk.until(lambda: desk.control("models.other.state").text() == "Installed")
    # Two installed: the inspector offers the choice.
    assert not desk.control("panel.cutout.model").isHidden()
    desk.control("models.verify").click()
    desk.until(lambda: desk.control("models.stage").text() == "Every installed network is whole.")
    desk.control("models.other.remove").click()
    desk.until(lambda: "other" not in desk.store.installed)
    desk.until(lambda: desk.control("models.other.state").text() == "Not installed")
    assert desk.control("panel.cutout.model").isHidden()
    desk.control("dialog.models").reject()


def test_help_dialogs(desk: Any) -> None:
    for id, name in (("action.shortcuts", "dialog.shortcuts"), ("action.about", "dialog.about")):
        desk.window.actions_[id].trigger()
        dialog = desk.control(name)
        assert dialog.isVisible()
        dialog.reject()


# Leaving.


def test_closing_with_changes_asks_once(desk: Any, photo: Path, tmp_path: Path) -> None:
    desk.open(photo)
    desk.stroke((30, 30), (60, 30))
    desk.settle()
    assert desk.window.isWindowModified()
    desk.ask.close = Closing.CANCEL
    assert not desk.window.close()
    assert desk.ask.asked == ["closing disc.png"]
    assert desk.window.isVisible()
    # Export, and it closes by itself when the file is written.
    desk.ask.close, desk.ask.target = Closing.EXPORT, tmp_path / "out.png"
    desk.window.close()
    desk.until(lambda: not desk.window.isVisible())
    assert (tmp_path / "out.png").exists()
    assert desk.ask.asked == ["closing disc.png", "closing disc.png", "export disc_cutout.png png"]


def test_closing_waits_for_a_file_being_written(desk: Any, photo: Path, tmp_path: Path) -> None:
    desk.open(photo)
    desk.files.gate.clear()
    desk.ask.target = tmp_path / "out.png"
    desk.window.actions_["action.export"].trigger()
    assert not desk.window.close()
    assert "closes as soon as" in desk.window.messages.message.text
    desk.files.gate.set()
    desk.until(lambda: not desk.window.isVisible())
    assert (tmp_path / "out.png").exists()


def test_a_failed_export_keeps_the_window(desk: Any, photo: Path, tmp_path: Path) -> None:
    desk.open(photo)
    desk.stroke((30, 30), (60, 30))
    desk.settle()
    desk.ask.close, desk.ask.target = Closing.EXPORT, tmp_path / "missing" / "out.png"
    desk.window.close()
    desk.until(lambda: desk.window.messages.message is not None)
    desk.settle()
    assert desk.window.isVisible()
    assert "out.png" in desk.window.messages.message.text
    assert desk.window.isWindowModified()


def test_the_last_photo_closed_shows_the_way_in_again(desk: Any, photo: Path) -> None:
    desk.open(photo)
    assert desk.control("empty").isHidden()
    desk.key(Qt.Key.Key_W, CTRL)
    desk.until(lambda: not desk.control("empty").isHidden())
    assert desk.control("empty.network").text() == "Ready: Fake-Net, general use"


def test_closing_after_an_export_does_not_ask(desk: Any, photo: Path, tmp_path: Path) -> None:
    desk.open(photo)
    desk.stroke((30, 30), (60, 30))
    desk.settle()
    item = desk.window.film.list.item(0)
    assert item.data(Qt.ItemDataRole.AccessibleTextRole) == "disc.png, ready, not exported"
    desk.ask.target = tmp_path / "out.png"
    desk.window.actions_["action.export"].trigger()
    desk.until(lambda: not desk.window.isWindowModified())
    assert item.data(Qt.ItemDataRole.AccessibleTextRole) == "disc.png, ready"
    assert desk.window.close()
    assert not [asked for asked in desk.ask.asked if asked.startswith("closing")]


def test_the_window_remembers(make_desk: Callable[..., Any]) -> None:
    desk = make_desk()
    desk.window.brush.set_diameter(77)
    desk.control("panel.view.fold").click()
    desk.control("panel.view.strength").setValue(60)
    desk.window.inspector.take_spill("auto")
    quality = desk.control("panel.cutout.quality")
    quality.activated.emit(quality.findData(Quality.BEST))
    desk.control("panel.colours.clean").setValue(30)
    desk.window.resize(1100, 700)
    QApplication.processEvents()
    desk.window.close()
    settings = desk.remembered[-1]
    again = make_desk(settings=settings)
    assert again.window.brush.diameter == 77
    assert again.window.canvas.look.strength == pytest.approx(0.6)
    assert again.control("panel.view.strength").value() == 60
    assert again.control("panel.colours.clean").value() == 30
    assert again.control("panel.colours.spill").currentText() == "Remove spill, find its colour"
    assert again.control("panel.cutout.quality").currentText() == "Best: twice the time"
    assert again.window.inspector.folded_names == ("panel.view",)
    assert again.window.height() == 700  # the width is cut to the offscreen screen's


# It never freezes, and it starts at once.


def test_the_window_lives_while_the_engine_works(desk: Any, photo: Path) -> None:
    desk.engine.hold("auto")
    desk.drop(photo)
    desk.until(lambda: "auto" in desk.engine.called)
    ticks: list[int] = []
    timer = QTimer()
    timer.timeout.connect(lambda: ticks.append(len(ticks)))
    timer.start(5)
    desk.until(lambda: len(ticks) >= 20)
    timer.stop()
    # The engine still works; meanwhile the photo is there and can be zoomed, painted and looked at.
    assert desk.session.busy is not None
    assert desk.colour(120, 120) == tuple(desk.work.source[120, 120])
    desk.key(Qt.Key.Key_F)
    assert desk.window.canvas.view is View.CHECKERBOARD
    desk.stroke((30, 30), (60, 30))
    assert desk.work.labels[30, 45] == Label.FOREGROUND
    desk.engine.release("auto")
    desk.until(lambda: desk.session.busy is None)
    assert desk.work.labels[30, 45] == Label.FOREGROUND
    assert desk.work.solved[30, 45] == 1


def test_the_window_comes_up_without_torch(tmp_path: Path) -> None:
    """And without anything else that takes long to import; in a process of its own, since other tests import torch here."""
    code = """
import sys
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication
from bgdesk.ui import application
from bgdesk.ui.editor import main_window
shown = []
def look(self, event):
    if not shown:
        shown.append(True)
        slow = [name for name in ("torch", "numba", "pymatting", "psd_tools", "onnx", "scipy") if name in sys.modules]
        print("slow:", slow)
        QTimer.singleShot(0, QApplication.quit)
main_window.MainWindow.showEvent = look
application.run([])
print("shown:", shown)
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "BGDESK_HOME": str(tmp_path), "QT_QPA_PLATFORM": "offscreen"},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["slow: []", "shown: [True]"]


def test_line_edits_are_not_mistaken_for_the_canvas(desk: Any, photo: Path) -> None:
    """Every field in which something can be typed keeps what is typed."""
    desk.open(photo)
    fields = desk.window.findChildren(QLineEdit)
    assert fields
    for field in fields:
        field.setFocus()
        field.selectAll()
        QTest.keyClicks(field, "7")
        assert "7" in field.text()


def test_a_small_screen_has_room_for_what_is_used_every_minute(desk: Any, photo: Path) -> None:
    desk.open(photo)
    desk.window.resize(1, 1)
    desk.until(lambda: desk.window.width() == SMALLEST_WINDOW[0])
    assert desk.window.height() == SMALLEST_WINDOW[1]
    for name in ("panel.export", "strip.action.undo", "strip.tool.unknown", "chip.zoom", "status.device"):
        control = desk.control(name)
        corner = control.mapTo(desk.window, control.rect().bottomRight())
        assert control.isVisible()
        assert desk.window.rect().contains(corner), name
    assert desk.window.canvas.width() > 400


def test_a_window_is_never_larger_than_its_screen(desk: Any) -> None:
    room = desk.window.screen().availableGeometry()
    system.fit(desk.window, 10 * room.width(), 10 * room.height())
    assert desk.window.width() <= max(room.width(), SMALLEST_WINDOW[0])
    assert desk.window.height() < room.height()
