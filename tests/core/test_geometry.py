import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgdesk.core.geometry import Rect, Size

coordinate = st.integers(-60, 60)
rects = st.builds(Rect, coordinate, coordinate, coordinate, coordinate)
sizes = st.builds(Size, st.integers(1, 50), st.integers(1, 50))


def pixels(rect: Rect) -> set[tuple[int, int]]:
    return {(x, y) for y in range(rect.top, rect.bottom) for x in range(rect.left, rect.right)}


@given(rects, rects)
def test_intersection_holds_just_the_shared_pixels(a: Rect, b: Rect) -> None:
    assert pixels(a.intersect(b)) == pixels(a) & pixels(b)
    assert a.overlaps(b) == bool(pixels(a) & pixels(b))


@given(rects, rects)
def test_union_is_the_smallest_rectangle_around_both(a: Rect, b: Rect) -> None:
    union = a.union(b)
    both = pixels(a) | pixels(b)
    assert pixels(union) >= both
    if both:
        xs, ys = zip(*both, strict=True)
        assert union == Rect(min(xs), min(ys), max(xs) + 1, max(ys) + 1)
    else:
        assert union.empty


@given(rects, sizes)
def test_clipping_stays_inside_the_photo(rect: Rect, size: Size) -> None:
    clipped = rect.clip(size)
    assert pixels(clipped) == {(x, y) for x, y in pixels(rect) if 0 <= x < size.width and 0 <= y < size.height}


@given(rects, st.integers(1, 20))
def test_tiles_cover_once(rect: Rect, side: int) -> None:
    seen = [pixel for tile in rect.tiles(side) for pixel in pixels(tile)]
    assert len(seen) == len(set(seen)) == len(pixels(rect))
    assert set(seen) == pixels(rect)
    assert all(tile.width <= side and tile.height <= side for tile in rect.tiles(side))


@given(rects, st.integers(0, 9))
def test_growing_an_empty_rectangle_adds_nothing(rect: Rect, margin: int) -> None:
    grown = rect.grow(margin)
    assert grown.empty == rect.empty
    if not rect.empty:
        assert grown.width == rect.width + 2 * margin


@given(st.lists(st.tuples(st.integers(0, 19), st.integers(0, 29)), max_size=6))
def test_bounding_a_mask(points: list[tuple[int, int]]) -> None:
    mask = np.zeros((20, 30), bool)
    for y, x in points:
        mask[y, x] = True
    rect = Rect.bounding(mask)
    if points:
        assert mask[rect.slices].sum() == mask.sum()
        assert mask[rect.top].any()
        assert mask[:, rect.right - 1].any()
    else:
        assert rect.empty


@pytest.mark.parametrize(
    ("size", "longest", "expected"),
    [
        (Size(6000, 4000), 1024, Size(1024, 683)),
        (Size(400, 300), 1024, Size(400, 300)),
        (Size(10000, 1), 100, Size(100, 1)),
    ],
)
def test_fit_shrinks_and_never_enlarges(size: Size, longest: int, expected: Size) -> None:
    assert size.fit(longest) == expected
