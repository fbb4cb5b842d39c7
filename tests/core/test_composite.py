"""Compositing and fitting: laws that hold for every picture, and the edge that must not show what lay behind it."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from bgdesk.core.arrays import Pixels
from bgdesk.core.cutout import Cutout
from bgdesk.core.geometry import Rect, Size
from bgdesk.core.pixels.composite import FAINTEST, checkered, over, place, rendered, resized, squared, subject

COLOURS = st.tuples(*[st.integers(0, 255)] * 3)
DEPTHS = st.sampled_from([np.uint8, np.uint16])


@st.composite
def cuts(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """(foreground, alpha) of a small picture in either depth."""
    shape = draw(st.tuples(st.integers(1, 24), st.integers(1, 24)))
    foreground = draw(arrays.arrays(draw(DEPTHS), (*shape, 3)))
    alpha = draw(arrays.arrays(np.float32, shape, elements=st.sampled_from([0.0, 0.25, 0.5, 1.0])))
    return foreground, alpha


def cutout_of(foreground: np.ndarray, alpha: np.ndarray) -> Cutout:
    return Cutout(source=foreground, alpha=alpha, foreground=foreground, trimap=np.full(alpha.shape, 128, np.uint8))


@given(cuts(), COLOURS)
def test_opaque_keeps_its_pixels_and_clear_gives_the_colour(cut: tuple[np.ndarray, np.ndarray], colour: tuple[int, int, int]) -> None:
    foreground, alpha = cut
    laid = over(foreground, alpha, colour)
    assert laid.dtype == foreground.dtype
    assert np.array_equal(laid[alpha == 1], foreground[alpha == 1])
    ground = np.asarray(colour) * (257 if foreground.dtype == np.uint16 else 1)
    assert (laid[alpha == 0] == ground).all()
    exact = foreground * alpha[:, :, None].astype(float) + ground * (1 - alpha[:, :, None].astype(float))
    assert np.abs(laid - exact).max() <= 0.51


@given(cuts(), st.integers(1, 40), st.integers(1, 40), COLOURS, DEPTHS)
def test_resizing_keeps_an_even_colour(
    cut: tuple[np.ndarray, np.ndarray], width: int, height: int, colour: tuple[int, int, int], depth: type
) -> None:
    alpha = cut[1]
    levels: Pixels = np.asarray(colour, depth) * (257 if depth is np.uint16 else 1)
    even: Pixels = np.broadcast_to(levels.astype(depth), (*alpha.shape, 3))
    colours, opacity = resized(even, alpha, Size(width, height))
    assert colours.shape == (height, width, 3)
    assert opacity.shape == (height, width)
    assert 0 <= opacity.min() <= opacity.max() <= 1
    assert np.abs(colours.astype(int) - levels.astype(int)).max() <= (1 if depth is np.uint8 else 8)


@given(cuts(), st.integers(16, 90), st.floats(0, 0.45))
def test_a_canvas_is_square_and_keeps_its_margin(cut: tuple[np.ndarray, np.ndarray], size: int, margin: float) -> None:
    foreground, alpha = cut
    colours, opacity = squared(foreground, alpha, size, margin)
    assert colours.shape == (size, size, 3)
    assert colours.dtype == foreground.dtype
    assert opacity.shape == (size, size)
    free = round(margin * size)
    seen = Rect.bounding(opacity > 0)
    if alpha.max() < FAINTEST:
        assert seen.empty
        return
    assert free <= seen.left
    assert free <= seen.top
    assert seen.right <= size - free
    assert seen.bottom <= size - free


@pytest.mark.parametrize(
    ("photo", "size", "margin", "spot"),
    [
        (Rect(5, 5, 25, 15), 100, 0.0, Rect(0, 25, 100, 75)),
        (Rect(0, 0, 4000, 2000), 100, 0.1, Rect(10, 30, 90, 70)),
        (Rect(0, 0, 1, 500), 64, 0.25, Rect(31, 16, 32, 48)),
        (Rect(0, 0, 3, 3), 16, 0.45, Rect(7, 7, 9, 9)),
    ],
)
def test_the_subject_goes_into_the_middle(photo: Rect, size: int, margin: float, spot: Rect) -> None:
    assert place(photo, size, margin) == spot


def test_what_nobody_sees_is_no_part_of_the_subject() -> None:
    alpha = np.zeros((40, 60), np.float32)
    alpha[10:20, 30:35] = 1
    alpha[0, 0] = FAINTEST / 2
    assert subject(alpha) == Rect(30, 10, 35, 20)
    assert subject(np.zeros((3, 3), np.float32)).empty


@pytest.mark.parametrize("size", [30, 400])
def test_no_fringe(size: int) -> None:
    """A red disc on green: smaller or larger, no pixel of it turns green, though half of each edge pixel's neighbours are."""
    ys, xs = np.mgrid[:100, :100]
    alpha = cv2.GaussianBlur((np.hypot(xs - 50, ys - 50) < 30).astype(np.float32), (0, 0), 1)
    alpha[alpha < 0.004] = 0
    foreground = np.where(alpha[:, :, None] > 0, np.array((200, 10, 0), np.uint8), np.array((0, 255, 0), np.uint8)).astype(np.uint8)
    colours, opacity = squared(foreground, alpha, size, 0.1)
    assert (opacity == 1).any()
    shown = over(colours, opacity, (255, 255, 255))
    white_to_red = shown[..., 0] >= shown[..., 1].astype(int) - 1
    assert white_to_red.all()
    assert np.abs(colours[opacity > 0.1] - np.array((200, 10, 0))).max() <= 1


def test_strips_leave_no_seam() -> None:
    rng = np.random.default_rng(3)
    foreground, alpha = rng.integers(0, 256, (700, 300, 3), np.uint8), np.ones((700, 300), np.float32)
    colours, opacity = resized(foreground, alpha, Size(110, 257))
    expected = cv2.resize(foreground.astype(np.float32), (110, 257), interpolation=cv2.INTER_AREA)
    assert (opacity == 1).all()
    assert np.abs(colours - expected).max() <= 0.51


def test_without_size_or_colour_the_cutout_is_the_one_that_came() -> None:
    cutout = cutout_of(np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4), np.float32))
    assert rendered(cutout) is cutout


def test_on_a_colour_the_picture_is_opaque() -> None:
    alpha = np.linspace(0, 1, 20, dtype=np.float32).reshape(4, 5)
    shown = rendered(cutout_of(np.full((4, 5, 3), 40, np.uint8), alpha), (255, 0, 0), 32, 0.05)
    assert shown.alpha.shape == (32, 32)
    assert (shown.alpha == 1).all()
    assert (shown.trimap == 255).all()
    assert shown.source is shown.foreground
    assert tuple(shown.foreground[0, 0]) == (255, 0, 0)


def test_the_checkerboard_shows_through() -> None:
    board = checkered(np.zeros((16, 16, 3), np.uint8), np.zeros((16, 16), np.float32))
    assert {tuple(colour) for colour in board.reshape(-1, 3)} == {(250, 250, 250), (225, 225, 225)}
    assert (checkered(np.full((4, 4, 3), 9, np.uint8), np.ones((4, 4), np.float32)) == 9).all()
