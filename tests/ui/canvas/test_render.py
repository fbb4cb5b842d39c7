"""Frames against a composition written out pixel by pixel, in floating point, from the definitions."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from bgdesk.core.geometry import Rect, Size
from bgdesk.core.trimap import Label
from bgdesk.ui.canvas.blending import blend
from bgdesk.ui.canvas.pyramid import NEAREST_FROM, Grid, Layer
from bgdesk.ui.canvas.render import LABEL_COLOURS, Look, Scene, View, ground, revealed
from bgdesk.ui.canvas.viewport import Viewport

LABELS = np.array([0, 128, 255], np.uint8)


@dataclass
class Layers:
    source: Any
    labels: Any
    solved: Any
    foreground: Any = None


def layers(width: int, height: int, seed: int = 0, dtype: type = np.uint8) -> Layers:
    rng = np.random.default_rng(seed)
    top = np.iinfo(dtype).max
    alpha = np.clip(rng.random((height, width), np.float32) * 2 - 0.5, 0, 1)
    source = rng.integers(0, top, (height, width, 3), dtype, endpoint=True)
    foreground = rng.integers(0, top, (height, width, 3), dtype, endpoint=True)
    return Layers(source, rng.choice(LABELS, (height, width)), alpha, foreground)


def views_at(photo: Size) -> list[Viewport]:
    """Zooms of every kind: far out, odd, exactly 50 and 100 %, between, squares."""
    base = Viewport.fitted(photo, Size(170, 130))
    wanted = (0.11, 0.25, 0.37, 0.5, 0.73, 1.0, 1.6, 2.0, 3.3, 9.0)
    result = []
    for number, scale in enumerate(wanted):
        viewport = Viewport(photo, base.screen, scale, 13.3 - 5 * number, -7.6 * number).clamped()
        if not viewport.visible.empty:
            result.append(viewport)
    return result


def level(picture: Any, number: int) -> Any:
    """The picture at 1 / 2^number, each pixel the mean of the 2×2 below, bytes at every step; odd edges stand for themselves."""
    for _ in range(number):
        padded = np.pad(picture, ((0, picture.shape[0] % 2), (0, picture.shape[1] % 2), (0, 0)), mode="edge").astype(np.float64)
        mean = (padded[::2, ::2] + padded[1::2, ::2] + padded[::2, 1::2] + padded[1::2, 1::2]) / 4
        picture = np.floor(mean + 0.5)
    return picture


def sampled(picture: Any, viewport: Viewport, rect: Rect) -> Any:
    """What the screen pixels of `rect` show of H×W×C bytes, one pixel at a time."""
    scale = viewport.scale
    number = 0
    while scale * 2 ** (number + 1) <= 1 + 1e-9:
        number += 1
    small = level(picture, number)
    height, width = small.shape[:2]
    out = np.zeros((rect.height, rect.width, picture.shape[2]))
    for row in range(rect.height):
        for column in range(rect.width):
            x = (rect.left + column + 0.5 - viewport.left) / (scale * 2**number)
            y = (rect.top + row + 0.5 - viewport.top) / (scale * 2**number)
            if scale >= NEAREST_FROM:
                out[row, column] = small[min(height - 1, int(y)), min(width - 1, int(x))]
                continue
            x, y = min(max(x - 0.5, 0), width - 1), min(max(y - 0.5, 0), height - 1)
            left, top = int(x), int(y)
            right, bottom = min(left + 1, width - 1), min(top + 1, height - 1)
            u, v = x - left, y - top
            above = small[top, left] * (1 - u) + small[top, right] * u
            below = small[bottom, left] * (1 - u) + small[bottom, right] * u
            out[row, column] = above * (1 - v) + below * v
    return out


def bytes_of(picture: Any) -> Any:
    return np.rint(picture / 257) if picture.dtype == np.uint16 else picture


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("photo", [Size(121, 77), Size(64, 64), Size(1, 1), Size(3, 200)])
def test_cut_out_views_against_brute_force(photo: Size, dtype: type) -> None:
    work = layers(*photo, dtype=dtype)
    scene = Scene(work)
    alpha = np.rint(work.solved * 255)[..., None]
    for number, viewport in enumerate(views_at(photo)):
        visible = viewport.visible
        rect = Rect(visible.left, visible.top, min(visible.right, visible.left + 40), min(visible.bottom, visible.top + 30))
        opacity = sampled(alpha, viewport, rect) / 255
        subject = sampled(bytes_of(work.foreground), viewport, rect)
        view = (View.WHITE, View.BLACK, View.CHECKERBOARD)[number % 3]
        wanted = subject * opacity + ground(view, rect, Look(view)) * (1 - opacity)
        frame = scene.compose(viewport, rect, Look(view))
        assert frame.shape == (rect.height, rect.width, 3)
        # Positions are rounded to 1/32 of a pixel and levels to bytes: at worst a few steps on pure noise.
        exact = viewport.scale in (0.25, 0.5, 1.0) or viewport.scale >= NEAREST_FROM
        assert np.abs(frame - wanted).max() <= (2 if exact else 14), viewport


def test_source_is_exact_at_100_percent_and_above_200() -> None:
    work = layers(90, 60)
    scene = Scene(work)
    for scale in (1.0, 2.0, 5.0):
        viewport = Viewport(Size(90, 60), Size(80, 50), scale, -11.0, -7.0)
        frame = scene.compose(viewport, viewport.visible, Look(View.SOURCE))
        rows = [int((y + 0.5 - viewport.top) / scale) for y in range(viewport.visible.top, viewport.visible.bottom)]
        columns = [int((x + 0.5 - viewport.left) / scale) for x in range(viewport.visible.left, viewport.visible.right)]
        assert np.array_equal(frame, work.source[rows][:, columns])


@pytest.mark.parametrize("view", list(View))
def test_any_rectangle_of_a_frame_is_that_part_of_the_frame(view: View) -> None:
    """No seams: a pixel's value does not depend on which rectangle it is drawn with."""
    work = layers(331, 217, seed=3)
    scene = Scene(work)
    scene.paint((40, 40), (200, 150), 30, Label.UNKNOWN)
    rng = np.random.default_rng(1)
    for viewport in views_at(Size(331, 217)):
        visible = viewport.visible
        whole = scene.compose(viewport, visible, Look(view))
        for _ in range(5):
            left, right = np.sort(rng.choice(np.arange(visible.left, visible.right + 1), 2, replace=False))
            top, bottom = np.sort(rng.choice(np.arange(visible.top, visible.bottom + 1), 2, replace=False))
            rect = Rect(int(left), int(top), int(right), int(bottom))
            part = whole[rect.shift(-visible.left, -visible.top).slices]
            assert np.array_equal(scene.compose(viewport, rect, Look(view)), part)


@pytest.mark.parametrize("view", list(View))
def test_following_changes_by_rectangle_equals_starting_anew(view: View) -> None:
    work = layers(260, 190, seed=5)
    scene = Scene(work)
    viewports = views_at(Size(260, 190))
    for viewport in viewports:  # builds every level
        scene.compose(viewport, viewport.visible, Look(view))
    rng = np.random.default_rng(2)
    for step in range(6):
        left, top = int(rng.integers(0, 200)), int(rng.integers(0, 150))
        rect = Rect(left, top, left + int(rng.integers(1, 60)), top + int(rng.integers(1, 40))).clip(Size(260, 190))
        if step % 2:  # the work may replace its arrays by copies at any time
            work.solved, work.labels, work.foreground = (a.copy() for a in (work.solved, work.labels, work.foreground))
        work.solved[rect.slices] = rng.random(rect.size[::-1])
        work.labels[rect.slices] = rng.choice(LABELS, rect.size[::-1])
        work.foreground[rect.slices] = rng.integers(0, 256, (*rect.size[::-1], 3))
        scene.alpha_changed(rect)
        scene.labels_changed(rect)
        scene.foreground_changed(rect)
        anew = Scene(work)
        for viewport in viewports:
            frame = scene.compose(viewport, viewport.visible, Look(view))
            assert np.array_equal(frame, anew.compose(viewport, viewport.visible, Look(view)))


def test_screen_rect_covers_what_a_change_changes() -> None:
    """What the canvas redraws after a change is at least what looks different."""
    photo = Size(300, 220)
    work = layers(*photo, seed=9)
    scene = Scene(work)
    for viewport in views_at(photo):
        before = scene.compose(viewport, viewport.visible, Look(View.ALPHA)).copy()
        rect = Rect(100, 80, 117, 91)
        work.solved[rect.slices] = 1 - work.solved[rect.slices]
        scene.alpha_changed(rect)
        after = scene.compose(viewport, viewport.visible, Look(View.ALPHA))
        changed = Rect.bounding((before != after).any(axis=2)).shift(viewport.visible.left, viewport.visible.top)
        if (before != after).any():
            assert viewport.screen_rect(rect).contains(changed)


def test_overlay_leaves_the_subject_untouched_and_darkens_the_rest() -> None:
    work = layers(80, 60)
    work.solved[:, :40], work.solved[:, 40:] = 1, 0
    viewport = Viewport(Size(80, 60), Size(80, 60), 1.0, 0.0, 0.0)
    frame = Scene(work).compose(viewport, viewport.visible, Look(View.OVERLAY)).astype(int)
    assert np.array_equal(frame[:, :40], work.source[:, :40])
    # Grey, half as bright, tinted with the background's colour: red leads everywhere.
    assert (frame[:, 40:, 0] > frame[:, 40:, 2]).all()
    assert frame[:, 40:].mean() < work.source[:, 40:].mean()
    plain = Scene(work).compose(viewport, viewport.visible, Look(View.OVERLAY, strength=0.0)).astype(int)
    assert np.abs(plain[:, 40:, 0] - plain[:, 40:, 2]).max() == 0


def test_trimap_tints_each_label_in_its_colour() -> None:
    work = layers(90, 30)
    work.source[:] = 128
    for number, label in enumerate((Label.FOREGROUND, Label.UNKNOWN, Label.BACKGROUND)):
        work.labels[:, number * 30 : number * 30 + 30] = label
    viewport = Viewport(Size(90, 30), Size(90, 30), 1.0, 0.0, 0.0)
    frame = Scene(work).compose(viewport, viewport.visible, Look(View.TRIMAP))
    for number, label in enumerate((Label.FOREGROUND, Label.UNKNOWN, Label.BACKGROUND)):
        region = frame[:, number * 30 : number * 30 + 30].reshape(-1, 3)
        tones = np.unique(region, axis=0)
        assert len(tones) == 2  # the ground and its pattern: lines or dots, never colour alone
        wanted = np.array(LABEL_COLOURS[label], float)
        for tone in tones:
            share = (tone - 128.0) @ (wanted - 128) / ((wanted - 128) @ (wanted - 128))
            assert 0.3 < share < 0.7


def test_paint_appears_stays_where_it_is_held_and_goes() -> None:
    work = layers(200, 100)
    work.solved[:] = 1
    scene = Scene(work)
    viewport = Viewport(Size(200, 100), Size(100, 50), 0.5, 0.0, 0.0)
    clean = scene.compose(viewport, viewport.visible, Look(View.OVERLAY))
    one = scene.paint((40, 50), (40, 50), 10, Label.FOREGROUND)
    other = scene.paint((150, 50), (150, 50), 10, Label.BACKGROUND)
    assert scene.painted == one.union(other)
    both = scene.compose(viewport, viewport.visible, Look(View.OVERLAY))
    assert (both[25, 20] != clean[25, 20]).any()
    assert (both[25, 75] != clean[25, 75]).any()
    scene.wipe(Rect(0, 0, 200, 100), keep=(other,))
    held = scene.compose(viewport, viewport.visible, Look(View.OVERLAY))
    assert np.array_equal(held[:, :50], clean[:, :50])
    assert np.array_equal(held[:, 60:], both[:, 60:])
    assert scene.painted == other
    scene.wipe(other)
    assert np.array_equal(scene.compose(viewport, viewport.visible, Look(View.OVERLAY)), clean)
    assert scene.painted.empty


def test_paint_is_not_shown_over_the_source() -> None:
    work = layers(50, 50)
    scene = Scene(work)
    scene.paint((25, 25), (25, 25), 10, Label.FOREGROUND)
    viewport = Viewport(Size(50, 50), Size(50, 50), 1.0, 0.0, 0.0)
    assert np.array_equal(scene.compose(viewport, viewport.visible, Look(View.SOURCE)), work.source)


def test_a_late_foreground_falls_back_to_the_source() -> None:
    work = layers(40, 40)
    foreground, work.foreground = work.foreground, None
    work.solved[:] = 1
    viewport = Viewport(Size(40, 40), Size(40, 40), 1.0, 0.0, 0.0)
    scene = Scene(work)
    assert np.array_equal(scene.compose(viewport, viewport.visible, Look(View.WHITE)), work.source)
    work.foreground = foreground
    scene.foreground_changed(Rect(0, 0, 40, 40))
    assert np.array_equal(scene.compose(viewport, viewport.visible, Look(View.WHITE)), foreground)


def test_blend_is_the_rounded_mix_for_every_pair_of_bytes() -> None:
    values, alpha = np.meshgrid(np.arange(256, dtype=np.uint8), np.arange(256, dtype=np.uint8))
    top, bottom = np.repeat(values[..., None], 3, axis=2), np.repeat(values[:, ::-1, None], 3, axis=2)
    share = alpha[..., None] / 255.0
    exact = top * share + bottom * (1 - share)
    assert np.abs(blend(top, bottom, alpha) - exact).max() <= 0.5 + 1e-9


def test_reveal_goes_from_opaque_to_the_alpha_itself() -> None:
    alpha = np.arange(256, dtype=np.uint8)[None]
    assert (revealed(alpha, 0.0) == 255).all()
    assert np.array_equal(revealed(alpha, 1.0), alpha)
    assert (np.diff(np.stack([revealed(alpha, t)[0].astype(int) for t in np.linspace(0, 1, 9)]), axis=0) <= 0).all()


def test_checkerboard_is_fixed_to_the_screen() -> None:
    rect = Rect(0, 0, 40, 40)
    board = ground(View.CHECKERBOARD, rect, Look(View.CHECKERBOARD))
    assert set(np.unique(board)) == {0xD0, 0xFF}
    assert np.array_equal(board[:8, :8], np.full((8, 8, 3), 0xFF))
    assert np.array_equal(
        ground(View.CHECKERBOARD, rect.shift(5, 3), Look()), np.roll(np.tile(board[:16, :16], (4, 4, 1)), (-3, -5), (0, 1))[:40, :40]
    )
    assert np.array_equal(ground(View.CHECKERBOARD, rect, Look(unit=2.0))[:16, :16], np.full((16, 16, 3), 0xFF))


def test_a_frame_costs_screen_pixels_not_photo_pixels() -> None:
    """After its levels are built, a zoomed-out layer reads no more of them than the screen has pixels, four times over."""
    read: list[int] = []

    def convert(crop: Any) -> Any:
        read.append(crop.shape[0] * crop.shape[1])
        return crop

    layer = Layer(np.zeros((4000, 6000), np.uint8), convert)
    viewport = Viewport.fitted(Size(6000, 4000), Size(600, 400))
    grid = Grid.of(viewport, viewport.visible)
    layer.sample(grid)
    read.clear()
    layer.sample(grid)
    assert read == []  # the photo itself is not touched again
    assert grid.crop.area <= 4 * viewport.visible.area
    layer.refresh(Rect(100, 100, 150, 150))
    assert sum(read) <= 60 * 60
