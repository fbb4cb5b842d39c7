"""Messages and the fix bar never cover the photo, and never move it under a person's hand."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPoint, QRect
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication

from bgdesk.app.work.events import Message, Severity
from bgdesk.ui.canvas.render import View
from tests.e2e.conftest import Desk

WARNING = Message(Severity.WARNING, "12 of 40 tiles could not be refined and are less precise. " * 4)


def photo_on_stage(desk: Desk) -> QRect:
    """Where the photo is on the stage, in logical pixels, rounded outward."""
    canvas = desk.window.canvas
    assert canvas.viewport is not None
    ratio = canvas.devicePixelRatioF()
    left, top, right, bottom = (edge / ratio for edge in canvas.viewport.visible)
    inside = QRect(QPoint(int(left), int(top)), QPoint(int(np.ceil(right)) - 1, int(np.ceil(bottom)) - 1))
    return inside.translated(canvas.pos())


def pixels(image: QImage) -> NDArray[np.uint8]:
    plain = image.convertToFormat(QImage.Format.Format_RGB32)
    return np.frombuffer(plain.constBits(), np.uint8).reshape(plain.height(), plain.width(), 4)[..., :3].copy()


def covered(desk: Desk) -> int:
    """Pixels of the photo that something lies over: where the stage shows something else than the canvas does."""
    canvas, at = desk.window.canvas, photo_on_stage(desk)
    shown = pixels(desk.window.stage.grab(at).toImage())
    wanted = pixels(canvas.grab(at.translated(-canvas.pos())).toImage())
    return int(np.any(shown != wanted, axis=-1).sum())


def banner(desk: Desk, name: str) -> QRect:
    widget = desk.control(name)
    assert not widget.isHidden()
    return QRect(widget.mapTo(desk.window.stage, QPoint(0, 0)), widget.size())


def settle(desk: Desk) -> None:
    QApplication.processEvents()
    QApplication.processEvents()


def tell(desk: Desk) -> None:
    desk.window.tell(WARNING)
    settle(desk)


def test_a_message_is_never_over_the_photo_in_any_view(desk: Desk, make_photo: Callable[..., Path]) -> None:
    desk.open(make_photo(side=1400))
    tell(desk)
    bar = banner(desk, "message.bar")
    assert bar.height() > 30
    for view in View:
        desk.window.actions_["view." + view.value].trigger()
        settle(desk)
        assert not bar.intersects(photo_on_stage(desk)), view
        assert covered(desk) == 0, view
    desk.window.actions_["action.zoom.actual"].trigger()
    settle(desk)
    assert photo_on_stage(desk).top() > bar.bottom()


def test_a_photo_that_is_fitted_stays_fitted(desk: Desk, make_photo: Callable[..., Path]) -> None:
    desk.open(make_photo(side=1400))
    before = photo_on_stage(desk)
    tell(desk)
    narrower = photo_on_stage(desk)
    assert narrower.height() < before.height()
    assert narrower.bottom() <= before.bottom()
    desk.window.messages.dismiss()
    settle(desk)
    assert photo_on_stage(desk) == before


def test_a_photo_that_is_zoomed_stays_where_it_is_on_the_screen(desk: Desk, make_photo: Callable[..., Path]) -> None:
    desk.open(make_photo(side=1400))
    desk.window.actions_["view.source"].trigger()  # hatches of the other views begin at the canvas's corner
    desk.window.actions_["action.zoom.actual"].trigger()
    settle(desk)
    stage, canvas = desk.window.stage, desk.window.canvas
    before = pixels(stage.grab().toImage())
    tell(desk)
    below = banner(desk, "message.bar").bottom() + 8
    during = pixels(stage.grab().toImage())
    assert canvas.y() > 30
    chips = stage.height() - 48
    assert np.array_equal(before[below:chips], during[below:chips])
    desk.window.messages.dismiss()
    settle(desk)
    assert np.array_equal(before[:chips], pixels(stage.grab().toImage())[:chips])


def test_nothing_moves_while_somebody_paints(desk: Desk, make_photo: Callable[..., Path]) -> None:
    desk.open(make_photo(side=1400))
    canvas = desk.window.canvas
    area, viewport = canvas.geometry(), canvas.viewport
    desk.press(300, 300)
    desk.move(320, 300)
    tell(desk)
    assert (canvas.geometry(), canvas.viewport) == (area, viewport)
    assert covered(desk) == 0
    desk.release(340, 300)
    settle(desk)
    assert (canvas.geometry(), canvas.viewport) == (area, viewport)  # the next stroke may follow at once
    desk.until(lambda: canvas.y() > area.y())
    assert not banner(desk, "message.bar").intersects(photo_on_stage(desk))


def test_a_stroke_that_is_cancelled_lets_the_message_come(desk: Desk, make_photo: Callable[..., Path]) -> None:
    desk.open(make_photo(side=1400))
    top = desk.window.canvas.y()
    desk.press(300, 300)
    tell(desk)
    desk.window.actions_["action.cancel"].trigger()
    desk.until(lambda: desk.window.canvas.y() > top)


def test_the_fix_bar_and_a_message_share_the_room_above_the_photo(desk: Desk, make_photo: Callable[..., Path]) -> None:
    desk.open(make_photo(side=1400))
    desk.window.fix_bar.show_photo("shoe.jpg", ready=True)
    settle(desk)
    photo = photo_on_stage(desk)
    assert not banner(desk, "fix.bar").intersects(photo)
    assert covered(desk) == 0
    tell(desk)
    for name in ("fix.bar", "message.bar"):
        assert not banner(desk, name).intersects(photo_on_stage(desk))
    assert not banner(desk, "fix.bar").intersects(banner(desk, "message.bar"))
    assert covered(desk) == 0


def test_work_is_shown_without_moving_or_covering_the_photo(desk: Desk, photo: Path) -> None:
    desk.open(photo)
    desk.engine.hold("rematte")
    area = desk.window.canvas.geometry()
    desk.stroke((40, 40), (60, 40))
    desk.until(lambda: not desk.control("progress.line").isHidden())
    assert not desk.control("progress.bar").isHidden()
    assert desk.window.canvas.geometry() == area
    assert covered(desk) == 0
    desk.engine.release("rematte")
    desk.settle()
    assert desk.control("progress.bar").isHidden()


def test_the_banners_follow_the_width_of_the_window(desk: Desk, make_photo: Callable[..., Path]) -> None:
    desk.open(make_photo(side=1400))
    tell(desk)
    wide = banner(desk, "message.bar")
    desk.window.resize(960, 600)
    settle(desk)
    narrow = banner(desk, "message.bar")
    assert narrow.height() > wide.height()  # the text takes more lines
    assert not narrow.intersects(photo_on_stage(desk))
