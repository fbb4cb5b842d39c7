"""Alpha on the screen as its edge recipe finishes it: the same as an export's from 100 % on, and no seams anywhere."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import pytest

from bgdesk.core.finish import finish
from bgdesk.core.geometry import Rect, Size
from bgdesk.core.recipe import EdgeRecipe
from bgdesk.ui.canvas import frame as frames
from bgdesk.ui.canvas.frame import Frame
from bgdesk.ui.canvas.pyramid import Layer
from bgdesk.ui.canvas.render import Look, Scene, View
from bgdesk.ui.canvas.viewport import Viewport

ALPHA_VIEWS = [view for view in View if view.shows_alpha]
EDGES = [
    EdgeRecipe(shift=-3.3),
    EdgeRecipe(shift=2, feather=4),
    EdgeRecipe(smooth=6),
    EdgeRecipe(contrast=60),
    EdgeRecipe(shift=1.5, smooth=3, feather=2, contrast=30),
]
SURROUND = (60, 60, 60)


@dataclass
class Layers:
    source: Any
    labels: Any
    solved: Any
    foreground: Any = None


def layers(width: int = 700, height: int = 560, seed: int = 0) -> Layers:
    """A blob with hairs over noise."""
    random = np.random.default_rng(seed)
    picture = np.zeros((height, width), np.uint8)
    cv2.ellipse(picture, (width // 2, height // 2), (width // 4, height // 4), 20, 0, 360, 255, -1, cv2.LINE_AA)
    for _ in range(30):
        end = int(random.integers(0, width)), int(random.integers(0, height // 2))
        cv2.line(picture, (width // 2, height // 2), end, int(random.integers(100, 256)), 1, cv2.LINE_AA)
    source, foreground = (random.integers(0, 256, (height, width, 3), np.uint8) for _ in range(2))
    return Layers(source, np.full((height, width), 128, np.uint8), picture.astype(np.float32) / 255, foreground)


def places(photo: Size) -> list[Viewport]:
    """Zooms of every kind, on the blob's rim."""
    fitted = Viewport.fitted(photo, Size(420, 300))
    zoomed = [fitted.zoomed_to_centre(scale).panned(-40 * scale, 90 * scale) for scale in (0.5, 0.8, 1.0, 1.7, 2.0, 3.3)]
    return [fitted, *zoomed]


def frame_of(scene: Scene, viewport: Viewport, view: View = View.CHECKERBOARD, coarser: int = 0) -> Any:
    return scene.compose(viewport, viewport.visible, Look(view), coarser)


@pytest.mark.parametrize("edge", EDGES, ids=str)
def test_from_100_percent_on_alpha_is_shown_as_it_would_be_exported(edge: EdgeRecipe) -> None:
    work = layers()
    scene = Scene(work)
    scene.set_edge(edge)
    exported = Scene(Layers(work.source, work.labels, finish(work.solved, edge), work.foreground))
    for viewport in places(scene.size):
        if viewport.scale >= 1:
            for view in ALPHA_VIEWS:
                assert np.array_equal(frame_of(scene, viewport, view), frame_of(exported, viewport, view))


@pytest.mark.parametrize("edge", EDGES, ids=str)
def test_below_100_percent_alpha_looks_like_the_exported_one_made_smaller(edge: EdgeRecipe) -> None:
    work = layers(1600, 1200)
    scene = Scene(work)
    scene.set_edge(edge)
    exported = Scene(Layers(work.source, work.labels, finish(work.solved, edge), work.foreground))
    for scale in (0.5, 0.3):
        viewport = Viewport(scene.size, Size(800, 600), scale, 0.0, 0.0)
        apart = np.abs(frame_of(scene, viewport, View.ALPHA).astype(int) - frame_of(exported, viewport, View.ALPHA))
        assert apart.mean() <= 1.5
        assert (apart > 100).mean() <= 0.003


def test_the_source_and_the_labels_are_shown_as_they_are_and_the_solved_alpha_stays() -> None:
    work = layers()
    before = work.solved.copy()
    scene, plain = Scene(work), Scene(layers())
    scene.set_edge(EdgeRecipe(shift=5, feather=9))
    for viewport in places(scene.size):
        for view in (View.SOURCE, View.TRIMAP):
            assert np.array_equal(frame_of(scene, viewport, view), frame_of(plain, viewport, view))
        frame_of(scene, viewport)
    assert np.array_equal(work.solved, before)


def test_a_neutral_recipe_costs_nothing_and_changes_nothing() -> None:
    scene, plain = Scene(layers()), Scene(layers())
    scene.set_edge(EdgeRecipe(shift=4))
    viewport = places(scene.size)[3]
    assert scene.effort(viewport) > 0
    frame_of(scene, viewport)
    assert scene.effort(viewport) == 0
    scene.set_edge(EdgeRecipe())
    for viewport in places(scene.size):
        assert scene.effort(viewport) == 0
        assert np.array_equal(frame_of(scene, viewport), frame_of(plain, viewport))


@pytest.mark.parametrize("coarser", [0, 1, 2])
@pytest.mark.parametrize("edge", [EDGES[1], EDGES[4]], ids=str)
def test_any_rectangle_of_a_frame_is_that_part_of_the_frame(edge: EdgeRecipe, coarser: int) -> None:
    work = layers()
    whole = Scene(work)
    whole.set_edge(edge)
    random = np.random.default_rng(1)
    for viewport in places(whole.size):
        frame = frame_of(whole, viewport, coarser=coarser)
        parts = Scene(work)
        parts.set_edge(edge)
        visible = viewport.visible
        for _ in range(6):
            left, top = int(random.integers(visible.left, visible.right)), int(random.integers(visible.top, visible.bottom))
            rect = Rect(left, top, int(random.integers(left, visible.right)) + 1, int(random.integers(top, visible.bottom)) + 1)
            part = parts.compose(viewport, rect, Look(View.CHECKERBOARD), coarser)
            assert np.array_equal(part, frame[rect.shift(-visible.left, -visible.top).slices])


@pytest.mark.parametrize("edge", EDGES, ids=str)
def test_what_is_redrawn_after_a_stroke_is_all_that_changed(edge: EdgeRecipe) -> None:
    """Also when the document puts a copy in place of the array that changed."""
    work = layers()
    for viewport in places(Size(700, 560)):
        for coarser in (0, 1):
            document = Layers(work.source, work.labels, work.solved.copy(), work.foreground)
            scene = Scene(document)
            scene.set_edge(edge)
            before = frame_of(scene, viewport, coarser=coarser)
            x, y = viewport.to_photo(viewport.screen.width / 2, viewport.screen.height / 2)
            rect = Rect(int(x) - 22, int(y) - 15, int(x) + 23, int(y) + 15).clip(scene.size)
            document.solved = document.solved.copy()
            document.solved[rect.slices] = 1 - document.solved[rect.slices]
            scene.alpha_changed(rect)
            after = frame_of(scene, viewport, coarser=coarser)
            anew = Scene(document)
            anew.set_edge(edge)
            assert np.array_equal(after, frame_of(anew, viewport, coarser=coarser))
            redrawn = viewport.screen_rect(scene.seen_from(viewport, rect, coarser))
            changed = Rect.bounding((before != after).any(axis=-1)).shift(viewport.visible.left, viewport.visible.top)
            assert not changed.empty
            assert redrawn.contains(changed)


def test_what_another_recipe_may_change_is_named() -> None:
    work = layers(1200, 900)
    work.solved[:, :260] = 0
    for viewport in places(Size(1200, 900)):
        scene = Scene(work)
        scene.set_edge(EDGES[0])
        before = frame_of(scene, viewport)
        named = np.zeros((viewport.screen.height, viewport.screen.width), bool)
        parts = scene.uneven(viewport)
        scene.set_edge(EDGES[4])
        for rect in [*parts, *scene.uneven(viewport)]:
            named[rect.slices] = True
        changed = (frame_of(scene, viewport) != before).any(axis=-1)
        assert not (changed & ~named[viewport.visible.slices]).any()


def test_levels_that_several_threads_ask_for_are_built_once() -> None:
    work = layers(3000, 2400)
    scene = Scene(work)
    viewport = Viewport.fitted(scene.size, Size(1500, 1200))
    frame_of(scene, viewport)
    scene.set_edge(EdgeRecipe(contrast=20))
    far = Viewport.fitted(scene.size, Size(400, 320))
    anew = Scene(work)
    anew.set_edge(EdgeRecipe(contrast=20))
    assert np.array_equal(frame_of(scene, far), frame_of(anew, far))
    layer = Layer(work.source, lambda crop: crop)
    assert layer.whole(3).shape == (300, 375, 3)


# The frame: what is kept of it, and when it is exact.


def drawn(frame: Frame, scene: Scene, viewport: Viewport, view: View = View.CHECKERBOARD) -> Any:
    frame.compose(scene, viewport, Look(view), SURROUND)
    return frame.pixels[viewport.visible.slices][..., 2::-1].copy()


def is_coarse(frame: Frame) -> bool:
    return frame.coarse


def framed(scene: Scene, viewport: Viewport) -> Frame:
    frame = Frame()
    frame.resize(viewport.screen)
    drawn(frame, scene, viewport)
    return frame


@pytest.mark.parametrize("number", range(7))
def test_a_frame_follows_a_slider(number: int) -> None:
    scene = Scene(layers())
    viewport = places(scene.size)[number]
    frame = framed(scene, viewport)
    for edge in (EdgeRecipe(shift=1), EdgeRecipe(shift=1.3), *EDGES, EdgeRecipe(), EDGES[0], EDGES[3]):
        frame.set_edge(scene, viewport, edge)
        shown = drawn(frame, scene, viewport)
        assert np.array_equal(shown, frame_of(scene, viewport, coarser=frame._coarser))
        while frame.coarse and not frame.prepare(scene, viewport):
            pass
        anew = Scene(layers())
        anew.set_edge(edge)
        assert np.array_equal(drawn(frame, scene, viewport), frame_of(anew, viewport))
        assert not frame.coarse


def test_a_frame_that_would_take_too_long_is_coarse_until_it_is_prepared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "_AFFORDED", 0.0)
    scene = Scene(layers())
    viewport = places(scene.size)[3]
    frame = framed(scene, viewport)
    assert not is_coarse(frame)
    frame.set_edge(scene, viewport, EDGES[1])
    coarse = drawn(frame, scene, viewport)
    assert is_coarse(frame)
    pieces = 0
    while not frame.prepare(scene, viewport):
        pieces += 1
    assert pieces >= 2  # between which events are looked at
    assert frame.stale
    exact = drawn(frame, scene, viewport)
    assert not is_coarse(frame)
    assert not np.array_equal(coarse, exact)
    assert np.array_equal(exact, frame_of(scene, viewport))
    # What is composed from now on is exact, until something moves.
    frame.spoil()
    assert np.array_equal(drawn(frame, scene, viewport), exact)
    frame.set_edge(scene, viewport, EDGES[2])
    drawn(frame, scene, viewport)
    assert is_coarse(frame)


def test_a_frame_gets_sharper_while_the_slider_still_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "_AFFORDED", 4.0)
    scene = Scene(layers(1400, 1100))
    viewport = Viewport.fitted(scene.size, Size(1000, 800)).zoomed_to_centre(1.0)
    frame = framed(scene, viewport)
    frame.set_edge(scene, viewport, EdgeRecipe(shift=1))
    drawn(frame, scene, viewport)
    first = frame._coarser
    assert first > 0
    for step in range(30):
        while frame.warm(scene, viewport):
            pass
        frame.set_edge(scene, viewport, EdgeRecipe(shift=1 + step / 100))
        drawn(frame, scene, viewport)
    assert frame._coarser < first
    assert not frame.warm(scene, viewport)


@pytest.mark.parametrize("view", [View.SOURCE, View.TRIMAP])
def test_views_without_alpha_are_always_exact(view: View, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "_AFFORDED", 0.0)
    scene = Scene(layers())
    viewport = places(scene.size)[3]
    frame = framed(scene, viewport)
    frame.set_edge(scene, viewport, EDGES[1])
    frame.spoil()
    drawn(frame, scene, viewport, view)
    assert not frame.coarse
