"""Zoom and pan are tables of numbers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgdesk.core.geometry import Rect, Size
from bgdesk.ui.canvas.viewport import BELOW, HIGHEST, MARGIN, SLACK, STOPS, Viewport


@pytest.mark.parametrize(
    ("photo", "screen", "scale", "frame"),
    [
        (Size(100, 50), Size(400, 300), 1.0, Rect(150, 125, 250, 175)),  # never above 100 %
        (Size(1000, 500), Size(548, 600), 0.5, Rect(24, 175, 524, 425)),  # the width decides
        (Size(500, 1000), Size(600, 576), 0.5, Rect(175, 24, 425, 524)),  # the height decides: higher than the middle
        (Size(6000, 4000), Size(648, 10000), 0.1, Rect(24, 4800, 624, 5200)),
        (Size(1, 1), Size(10, 10), 1.0, Rect(4, 0, 5, 1)),
    ],
)
def test_fitted(photo: Size, screen: Size, scale: float, frame: Rect) -> None:
    viewport = Viewport.fitted(photo, screen)
    assert viewport.scale == pytest.approx(scale)
    assert viewport.frame == frame


def test_fitted_margins_grow_with_dense_screens() -> None:
    viewport = Viewport.fitted(Size(4000, 4000), Size(1000, 1000), unit=2)
    assert viewport.frame.height == 1000 - 2 * (MARGIN + BELOW)


@pytest.mark.parametrize(("scale", "up", "down"), [(1.0, 1.5, 0.6667), (0.9, 1.0, 0.6667), (32.0, 32.0, 24.0), (0.5, 0.6667, 0.3333)])
def test_stops(scale: float, up: float, down: float) -> None:
    viewport = Viewport.fitted(Size(4000, 3000), Size(800, 600)).zoomed_to_centre(scale)
    assert viewport.stepped(1).scale == pytest.approx(up)
    assert viewport.stepped(-1).scale == pytest.approx(down)
    assert list(STOPS) == sorted(STOPS)


def test_panning_stops_a_little_beyond_the_edges() -> None:
    viewport = Viewport(Size(1000, 1000), Size(400, 400), 1.0, -300.0, -300.0)
    assert viewport.panned(10_000, 0).left == SLACK
    assert viewport.panned(-10_000, 0).left == 400 - 1000 - SLACK
    assert viewport.panned(7, -9) == Viewport(Size(1000, 1000), Size(400, 400), 1.0, -293.0, -309.0)


def test_zooming_out_comes_to_rest_where_the_photo_fits() -> None:
    fitted = Viewport.fitted(Size(2000, 1000), Size(500, 400))
    assert fitted.zoomed(1.0, 10, 10).zoomed(0.01, 400, 300) == fitted
    assert fitted.zoomed(1e9, 200, 200).scale == HIGHEST


def test_resizing_keeps_the_middle() -> None:
    viewport = Viewport(Size(4000, 4000), Size(400, 300), 1.0, -1000.0, -900.0)
    resized = viewport.resized(Size(600, 500))
    assert resized.to_photo(300, 250) == viewport.to_photo(200, 150)


sizes = st.builds(Size, st.integers(1, 7000), st.integers(1, 7000))
screens = st.builds(Size, st.integers(50, 3000), st.integers(50, 3000))
scales = st.floats(0.01, 32)
shares = st.floats(0, 1)


@given(sizes, screens, scales, shares, shares)
def test_there_and_back_again(photo: Size, screen: Size, scale: float, x: float, y: float) -> None:
    viewport = Viewport.fitted(photo, screen).zoomed_to_centre(scale)
    point = viewport.to_screen(x * photo.width, y * photo.height)
    back = viewport.to_photo(*point)
    assert back.x == pytest.approx(x * photo.width, abs=1e-6)
    assert back.y == pytest.approx(y * photo.height, abs=1e-6)


@given(sizes, screens, shares, shares, st.floats(1.01, 4))
def test_the_point_under_the_pointer_stays(photo: Size, screen: Size, x: float, y: float, factor: float) -> None:
    before = Viewport.fitted(photo, screen)
    point = before.to_screen(x * photo.width, y * photo.height)
    after = before.zoomed(before.scale * factor, *point)
    if after.scale == before.scale:
        return
    moved = after.to_screen(x * photo.width, y * photo.height)
    # Within a device pixel of rounding, magnified; or as near as the edges allow, when clamped.
    unclamped = (
        before.x - (point.x - before.x) * (after.scale / before.scale - 1),
        before.y - (point.y - before.y) * (after.scale / before.scale - 1),
    )
    if (after.x, after.y) == pytest.approx(unclamped):
        reach = 0.5 + 0.5 * factor + 1e-6
        assert abs(moved.x - point.x) <= reach
        assert abs(moved.y - point.y) <= reach


@given(sizes, screens, scales, shares, shares, st.integers(1, 50))
def test_screen_rect_holds_every_pixel_that_shows_the_photo_rect(
    photo: Size, screen: Size, scale: float, x: float, y: float, side: int
) -> None:
    viewport = Viewport.fitted(photo, screen).zoomed_to_centre(scale)
    left, top = int(x * (photo.width - 1)), int(y * (photo.height - 1))
    rect = Rect(left, top, left + side, top + side).clip(photo)
    corners = Rect(
        int(viewport.to_screen(rect.left, 0).x), int(viewport.to_screen(0, rect.top).y),
        int(viewport.to_screen(rect.right, 0).x), int(viewport.to_screen(0, rect.bottom).y),
    )  # fmt: skip
    shown = corners.intersect(viewport.visible)
    assert viewport.screen_rect(rect).contains(shown)
    assert viewport.visible.contains(viewport.screen_rect(rect))
