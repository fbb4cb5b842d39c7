"""The main job once more, with nothing faked: a real photo, the real network, the real solver, real files."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PySide6.QtCore import Qt

from bgdesk.app.networks.store import default_store
from bgdesk.core.geometry import Rect
from bgdesk.core.pixels.brush import RIM
from bgdesk.engine.pipeline import Pipeline
from bgdesk.files.load import load

CTRL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier


def real_desk(make_desk: Callable[..., Any]) -> Any:
    return make_desk(real=default_store())


@pytest.mark.parametrize("suffix", ["png", "psd"])
def test_from_a_dropped_photo_to_a_file(
    make_desk: Callable[..., Any], models_home: Path, sample: Path, tmp_path: Path, suffix: str
) -> None:
    photo = tmp_path / "astronaut.png"
    photo.write_bytes(sample.read_bytes())
    desk = real_desk(make_desk)
    desk.drop(photo)
    desk.until(lambda: desk.session.work is not None)
    # The photo is there, and the window answers, while the network still works.
    assert np.array_equal(desk.work.source, load(sample).pixels)
    desk.qtbot.waitUntil(lambda: desk.work.has_alpha, timeout=60_000)
    desk.settle()
    alpha, trimap = desk.work.solved.copy(), desk.work.labels.copy()
    assert alpha[120, 220] == 1  # her face
    assert alpha[20, 480] == 0  # the wall

    # Paint 'unknown' over her hair, then undo, then redo.
    desk.window.brush.set_diameter(24)
    desk.key(Qt.Key.Key_3)
    desk.stroke((150, 60), (160, 40), (180, 25))
    desk.settle()
    painted = Rect.bounding(desk.work.labels != trimap)
    changed = Rect.bounding(desk.work.solved != alpha)
    assert not changed.empty
    assert painted.grow(Pipeline.MARGIN + 13 + RIM).contains(changed)
    after_alpha, after_trimap = desk.work.solved.copy(), desk.work.labels.copy()
    desk.key(Qt.Key.Key_Z, CTRL)
    desk.settle()
    assert np.array_equal(desk.work.solved, alpha)
    assert np.array_equal(desk.work.labels, trimap)
    desk.key(Qt.Key.Key_Z, CTRL | SHIFT)
    desk.settle()
    assert np.array_equal(desk.work.solved, after_alpha)
    assert np.array_equal(desk.work.labels, after_trimap)

    desk.until(lambda: not desk.work.stale and desk.work.colouring is None)
    target = tmp_path / f"out.{suffix}"
    desk.ask.target = target
    desk.window.actions_[f"action.export.{suffix}"].trigger()
    desk.until(target.exists)
    desk.settle()
    assert photo.read_bytes() == sample.read_bytes()
    if suffix == "png":
        read = cv2.imread(str(target), cv2.IMREAD_UNCHANGED)
        assert read is not None
        saved = cv2.cvtColor(read, cv2.COLOR_BGRA2RGBA)
        assert np.array_equal(saved[..., 3], np.rint(desk.work.solved * 255).astype(np.uint8))
        assert np.array_equal(saved[..., :3], desk.work.foreground)
    else:
        from psd_tools import PSDImage

        source, cutout = PSDImage.open(target)
        assert (source.name, source.visible) == ("Source", False)
        assert (cutout.name, cutout.visible) == ("Cutout", True)
        assert np.array_equal(np.asarray(source.topil())[..., :3], desk.work.source)
        assert cutout.mask is not None
        assert np.array_equal(np.asarray(cutout.mask.topil()), np.rint(desk.work.solved * 255).astype(np.uint8))
        shown = np.rint(desk.work.solved * 255) > 0
        assert np.array_equal(np.asarray(cutout.topil())[..., :3][shown], desk.work.foreground[shown])


def test_cancelling_the_real_network_leaves_the_photo(make_desk: Callable[..., Any], models_home: Path, sample: Path) -> None:
    desk = real_desk(make_desk)
    desk.drop(sample)
    desk.until(lambda: desk.session.work is not None)
    desk.until(lambda: desk.session.busy is not None)
    desk.key(Qt.Key.Key_Escape)
    desk.qtbot.waitUntil(lambda: desk.session.busy is None, timeout=30_000)
    assert not desk.work.has_alpha
    desk.session.cut_again()  # at once, though the network cannot stop in the middle of its one long step
    desk.qtbot.waitUntil(lambda: desk.work.has_alpha, timeout=60_000)
