import cv2
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bgdesk.core.geometry import Size
from bgdesk.core.pixels.brush import RIM, paint, paint_roughly, stretch_rect
from bgdesk.core.trimap import Label

places = st.floats(-20, 60, allow_nan=False)
points = st.tuples(places, places)


def brute_force(shape: tuple[int, int], start: tuple[float, float], end: tuple[float, float], radius: float) -> np.ndarray:
    ys, xs = np.mgrid[: shape[0], : shape[1]] + 0.5
    a, b = np.array(start), np.array(end)
    span = b - a
    length = float(span @ span)
    t = np.clip(((xs - a[0]) * span[0] + (ys - a[1]) * span[1]) / length, 0, 1) if length else 0.0
    distance: np.ndarray = np.hypot(xs - a[0] - t * span[0], ys - a[1] - t * span[1])
    return distance


@given(points, points, st.floats(0.5, 15), st.sampled_from([(255, 0), (0, 255), (255, 128), (0, 128), (128, 0), (128, 255)]))
def test_paints_what_lies_within_the_radius(
    start: tuple[float, float], end: tuple[float, float], radius: float, labels: tuple[int, int]
) -> None:
    label, ground = labels
    trimap = np.full((40, 50), ground, np.uint8)
    rect = paint(trimap, start, end, radius, label)
    distance = brute_force(trimap.shape, start, end, radius)
    assert (trimap[distance < radius - 1e-3] == label).all()
    column, row = int(np.floor(start[0])), int(np.floor(start[1]))
    if 0 <= column < 50 and 0 <= row < 40:
        assert trimap[row, column] == label
        trimap[row, column] = ground
        distance[row, column] = np.inf
    # Against the opposite label the stroke gets a rim of unknown pixels; otherwise nothing outside it changes.
    rim = RIM if 128 not in labels else 0
    assert (trimap[(distance > radius + 1e-3) & (distance < radius + rim - 1e-3)] == 128).all()
    assert (trimap[distance > radius + rim + 1e-3] == ground).all()
    outside = np.ones(trimap.shape, bool)
    outside[rect.slices] = False
    assert (trimap[outside] == ground).all()
    assert rect == stretch_rect(start, end, radius, Size(50, 40))


def test_a_click_with_the_smallest_brush_paints_the_pixel_under_it() -> None:
    trimap = np.zeros((5, 5), np.uint8)
    paint(trimap, (2.9, 1.1), (2.9, 1.1), 0.1, 255)
    assert np.argwhere(trimap == 255).tolist() == [[1, 2]]
    assert (trimap[0, 2], trimap[1, 3], trimap[4, 4]) == (128, 128, 0)


def test_outside_the_photo_nothing_happens() -> None:
    trimap = np.zeros((5, 5), np.uint8)
    assert paint(trimap, (-50.0, -50.0), (-40.0, -50.0), 3, 255).empty
    assert not trimap.any()


@given(
    st.lists(st.tuples(st.floats(25, 95), st.floats(25, 75)), min_size=1, max_size=5),
    st.floats(0.5, 20),
)
def test_a_stroke_painted_roughly_is_where_it_was_painted(points: list[tuple[float, float]], radius: float) -> None:
    exact, rough = np.full((2, 100, 120), Label.UNKNOWN, np.uint8)
    for start, end in zip((points[0], *points), points, strict=False):
        paint(exact, start, end, radius, Label.FOREGROUND)
    paint_roughly(rough, points, radius, Label.FOREGROUND)
    around = np.ones((5, 5), np.uint8)
    one, two = ((canvas == Label.FOREGROUND).astype(np.uint8) for canvas in (exact, rough))
    assert (one <= cv2.dilate(two, around)).all()
    assert (two <= cv2.dilate(one, around)).all()
