"""Finishing an edge: laws that hold for every alpha, and what shift, smooth, feather and contrast do to drawn edges."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bgdesk.core.arrays import Alpha
from bgdesk.core.cutout import Cutout
from bgdesk.core.finish import BLOCK, Finisher, finish, finished, reach
from bgdesk.core.finishing.filters import share_below, standing_at
from bgdesk.core.geometry import Rect
from bgdesk.core.recipe import EdgeRecipe
from tests.engine.scenes import strands

SLOW = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
#: One step of 8 bits.
STEP = 1 / 255


def ramp(radius: float, side: int = 300, x: float = 149.3, y: float = 150.7) -> Alpha:
    """A disc whose rim is a ramp over the distance."""
    rows, columns = np.mgrid[:side, :side]
    disc: Alpha = np.clip(radius - np.hypot(columns - x, rows - y) + 0.5, 0, 1).astype(np.float32)
    return disc


def covered(radius: float, side: int = 300, x: float = 149.3, y: float = 150.7) -> Alpha:
    """A disc of which each pixel shows how much of its square is covered: exact down the column, in 64 slices across."""
    total = np.zeros((side, side))
    rows = np.arange(side)[:, None]
    for offset in (np.arange(64) + 0.5) / 64 - 0.5:
        half = np.sqrt(np.maximum(radius**2 - (np.arange(side) + offset - x) ** 2, 0))
        total += np.clip(np.minimum(y + half, rows + 0.5) - np.maximum(y - half, rows - 0.5), 0, 1)
    return (total / 64).astype(np.float32)


def straight(angle: float, at: float = 0.0, softness: float = 0.0, side: int = 140) -> Alpha:
    """A straight edge through the middle, opaque to the right, `at` pixels off: a ramp, or Gaussian of that softness."""
    rows, columns = np.mgrid[:side, :side] - side // 2
    depth = columns * np.cos(np.radians(angle)) + rows * np.sin(np.radians(angle)) - at
    return share_below((depth / softness).astype(np.float32)) if softness else np.clip(depth + 0.5, 0, 1).astype(np.float32)


def corner() -> Alpha:
    """Opaque from (79.8, 79.8) on, pixels at the border by what is covered."""
    ramp = np.clip(np.arange(200) - 79.8 + 0.5, 0, 1)
    return np.outer(ramp, ramp).astype(np.float32)


def hairy(side: int = 420, seed: int = 1) -> Alpha:
    return strands(side, side, (0.0, 0.7, 0.2), seed)[1]


def half_line(row: np.ndarray) -> float:
    """Where a rising row passes one half, between pixels."""
    at = int(np.flatnonzero((row[:-1] < 0.5) & (row[1:] >= 0.5))[0])
    return at + float((0.5 - row[at]) / (row[at + 1] - row[at]))


def softness_of(row: np.ndarray) -> float:
    """Standard deviation of a Gaussian edge as steep as this one is at its steepest."""
    return float(1 / (np.diff(row).max() * np.sqrt(2 * np.pi)))


def hundredths(low: float, high: float) -> st.SearchStrategy[float]:
    return st.integers(round(low * 100), round(high * 100)).map(lambda value: value / 100)


RECIPES = st.builds(
    EdgeRecipe,
    shift=st.just(0.0) | hundredths(-20, 20),
    smooth=st.just(0.0) | hundredths(0, 20),
    feather=st.just(0.0) | hundredths(0, 50),
    contrast=st.just(0.0) | hundredths(0, 100),
)


@st.composite
def alphas(draw: st.DrawFn) -> Alpha:
    """Blobs, hard and soft, with hairs and faint and glassy parts, across the photo's border."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    height, width = draw(st.integers(200, 420)), draw(st.integers(200, 640))
    picture = np.zeros((height, width), np.uint8)
    for _ in range(draw(st.integers(1, 4))):
        centre = int(random.integers(0, width)), int(random.integers(0, height))
        axes = int(random.integers(5, 120)), int(random.integers(5, 120))
        cv2.ellipse(picture, centre, axes, float(random.uniform(0, 180)), 0, 360, int(random.integers(100, 256)), -1, cv2.LINE_AA)
    for _ in range(draw(st.integers(0, 40))):
        start, end = random.integers(0, width, 2), random.integers(0, height, 2)
        line = (int(start[0]), int(end[0])), (int(start[1]), int(end[1]))
        cv2.line(picture, *line, int(random.integers(0, 256)), int(random.integers(1, 3)), cv2.LINE_AA)
    alpha: Alpha = (picture.astype(np.float32) / 255).astype(np.float32)
    if draw(st.booleans()):
        alpha = np.clip(np.asarray(cv2.GaussianBlur(alpha, (0, 0), float(random.uniform(0.4, 4))), np.float32), 0, 1)
    return alpha


# Laws.


@given(alphas(), RECIPES, st.data())
@SLOW
def test_a_tile_equals_the_same_part_of_the_whole(alpha: np.ndarray, edge: EdgeRecipe, data: st.DataObject) -> None:
    height, width = alpha.shape
    left, top = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
    rect = Rect(left, top, data.draw(st.integers(left + 1, width)), data.draw(st.integers(top + 1, height)))
    assert np.array_equal(finish(alpha, edge, rect), finish(alpha, edge)[rect.slices])


@given(alphas())
@SLOW
def test_a_neutral_recipe_changes_no_bit(alpha: np.ndarray) -> None:
    assert finish(alpha, EdgeRecipe()) is alpha
    rect = Rect(3, 5, 60, 90)
    assert np.array_equal(finish(alpha, EdgeRecipe(), rect), alpha[rect.slices])
    assert reach(EdgeRecipe()) == 0


@given(alphas(), RECIPES, st.integers(0, 2**32 - 1))
@SLOW
def test_nothing_farther_than_the_reach_has_a_say(alpha: np.ndarray, edge: EdgeRecipe, seed: int) -> None:
    height, width = alpha.shape
    rect = Rect(width // 2 - 20, height // 2 - 10, width // 2 + 20, height // 2 + 10)
    other = np.random.default_rng(seed).random(alpha.shape, np.float32)
    known = rect.grow(reach(edge)).clip(rect.of_shape(alpha.shape).size)
    other[known.slices] = alpha[known.slices]
    # Sums that run along a row keep a trace of what left them: rounding, and no more.
    assert np.abs(finish(alpha, edge, rect) - finish(other, edge, rect)).max() <= 1e-5


@given(RECIPES, st.integers(0, 5), st.integers(1, 80))
@SLOW
def test_blocks_leave_no_seams(edge: EdgeRecipe, seed: int, offset: int) -> None:
    # A crop that starts elsewhere has its blocks elsewhere.
    alpha, edge = hairy(side=600, seed=seed), replace(edge, contrast=0)
    crop = np.ascontiguousarray(alpha[offset:, offset:])
    margin = reach(edge)
    apart = finish(crop, edge)[margin:, margin:] - finish(alpha, edge)[offset + margin :, offset + margin :]
    assert np.abs(apart).max() <= STEP / 4


@given(alphas(), RECIPES)
@SLOW
def test_values_stay_in_range_and_nothing_is_written_into_the_solved_alpha(alpha: np.ndarray, edge: EdgeRecipe) -> None:
    before = alpha.copy()
    result = finish(alpha, edge)
    assert result.dtype == np.float32
    assert result.shape == alpha.shape
    assert 0 <= result.min() <= result.max() <= 1
    assert np.array_equal(alpha, before)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_photo_without_an_edge_stays_as_it_is(value: float) -> None:
    alpha = np.full((300, 500), value, np.float32)
    assert (finish(alpha, EdgeRecipe(shift=-7, smooth=4, feather=30, contrast=50)) == value).all()


@given(RECIPES, st.integers(0, 5))
@SLOW
def test_mirror_images_are_finished_alike(edge: EdgeRecipe, seed: int) -> None:
    alpha = hairy(side=360, seed=seed)
    edge = replace(edge, contrast=0)  # which would enlarge what is lost in rounding
    whole = finish(alpha, edge)
    assert np.abs(finish(np.ascontiguousarray(alpha[:, ::-1]), edge)[:, ::-1] - whole).max() <= STEP / 4
    assert np.abs(finish(np.ascontiguousarray(alpha[::-1]), edge)[::-1] - whole).max() <= STEP / 4


@given(RECIPES)
@SLOW
def test_a_clean_edge_and_its_mirror_image_come_out_alike(edge: EdgeRecipe) -> None:
    alpha, edge = covered(60, side=220, x=101.3, y=96.8), replace(edge, contrast=0)
    whole = finish(alpha, edge)
    assert np.abs(finish(np.ascontiguousarray(alpha[:, ::-1]), edge)[:, ::-1] - whole).max() <= 2e-5
    assert np.abs(finish(np.ascontiguousarray(alpha[::-1]), edge)[::-1] - whole).max() <= 2e-5


@pytest.mark.parametrize("angle", [0, 30, 90])
@pytest.mark.parametrize("edge", [EdgeRecipe(shift=-6), EdgeRecipe(shift=6), EdgeRecipe(smooth=8), EdgeRecipe(feather=20)])
def test_what_the_photo_cuts_off_goes_on_outside(angle: float, edge: EdgeRecipe) -> None:
    # A straight edge that runs out of the photo: the same picture cut out of a larger photo comes out nearly the same.
    large = straight(angle, side=300)
    cut = Rect(70, 70, 230, 230)
    part = np.ascontiguousarray(large[cut.slices])
    apart = np.abs(finish(part, edge) - finish(large, edge)[cut.slices])
    assert apart.max() <= 0.3
    assert (apart > 0.1).sum() <= 8
    opaque = np.ones((160, 160), np.float32)
    opaque[:, :80] = 0
    result = finish(opaque, edge)
    assert (result[:, -1] == 1).all()
    assert np.abs(result - result[80]).max() <= 1e-4


@given(hundredths(-20, 20), st.integers(0, 3))
@SLOW
def test_a_finisher_that_remembers_says_the_same(shift: float, seed: int) -> None:
    alpha = hairy(side=300, seed=seed)
    finisher = Finisher(alpha, remember=True)
    finisher.finish(EdgeRecipe(shift=3))
    edge = EdgeRecipe(shift=shift, feather=2)
    assert np.array_equal(finisher.finish(edge), finish(alpha, edge))
    changed = alpha.copy()
    rect = Rect(100, 100, 130, 120)
    changed[rect.slices] = 1 - changed[rect.slices]
    finisher.changed(changed, rect)
    assert np.array_equal(finisher.finish(edge), finish(changed, edge))


# Shift.


@pytest.mark.parametrize("disc", [ramp, covered])
@pytest.mark.parametrize("first", [2.0, -2.0, 0.37])
def test_an_edge_shifted_there_and_back_is_the_same(disc: Callable[[float], Alpha], first: float) -> None:
    alpha = disc(100)
    there = finish(alpha, EdgeRecipe(shift=first))
    assert np.abs(there - alpha).max() > 0.3
    assert np.abs(finish(there, EdgeRecipe(shift=-first)) - alpha).max() <= STEP


@given(hundredths(-20, 20), st.sampled_from([ramp, covered]))
@SLOW
def test_a_disc_grows_by_the_shift(shift: float, disc: Callable[[float], Alpha]) -> None:
    area = finish(disc(100), EdgeRecipe(shift=shift)).sum(dtype=float)
    assert area == pytest.approx(np.pi * (100 + shift) ** 2, rel=0.0005)


def test_a_hundredth_of_a_pixel_is_a_step() -> None:
    alpha = covered(100)
    frames = [finish(alpha, EdgeRecipe(shift=1 + step / 100)) for step in range(20)]
    areas = np.diff([frame.sum(dtype=float) for frame in frames])
    assert areas == pytest.approx(np.full(19, 2 * np.pi * 101 / 100), rel=0.01)
    assert min((later - sooner).min() for sooner, later in pairwise(frames)) >= -1e-4


@pytest.mark.parametrize("softness", [1.0, 2.0, 3.0])
@pytest.mark.parametrize("shift", [-20.0, -5.0, -1.0, 1.0, 5.0, 20.0])
def test_a_soft_edge_moves_and_keeps_its_softness(softness: float, shift: float) -> None:
    alpha = straight(0, softness=softness)
    row = finish(alpha, EdgeRecipe(shift=shift))[70]
    assert half_line(row) == pytest.approx(70 - shift, abs=0.1)
    assert softness_of(row) == pytest.approx(softness_of(alpha[70]), rel=0.15)


@pytest.mark.parametrize("shift", [-5.0, 5.0])
def test_a_blurred_edge_moves_too(shift: float) -> None:
    row = finish(straight(0, softness=7), EdgeRecipe(shift=shift))[70]
    assert half_line(row) == pytest.approx(70 - shift, abs=0.6)


def test_a_corner_grows_round() -> None:
    grown = finish(corner(), EdgeRecipe(shift=15))
    rows, columns = np.mgrid[:200, :200]
    distance = np.hypot(np.maximum(79.8 - rows, 0), np.maximum(79.8 - columns, 0))
    assert (grown[distance < 13] > 0.99).all()
    assert (grown[distance > 16] < 0.01).all()


@pytest.mark.parametrize("shift", [3.0, 5.0, 10.0])
def test_strands_are_no_slabs(shift: float) -> None:
    alpha = np.zeros((300, 300), np.float32)
    picture = np.zeros((600, 600), np.uint8)
    for start in range(40, 560, 60):
        cv2.line(picture, (start, 0), (start + 30, 599), 255, 3, cv2.LINE_AA)
    alpha = np.asarray(cv2.resize(picture.astype(np.float32) / 255, (300, 300), interpolation=cv2.INTER_AREA), np.float32)
    row = finish(alpha, EdgeRecipe(shift=shift))[150]
    assert (row > 0.5).sum() <= (alpha[150] > 0.5).sum() + 2
    assert (row >= alpha[150] - 1e-6).all()
    thin = finish(alpha, EdgeRecipe(shift=-shift))[150]
    assert thin.max() > 0.3
    assert (thin <= alpha[150] + 1e-6).all()


def test_a_gap_closes_and_a_leg_vanishes() -> None:
    alpha = np.ones((160, 200), np.float32)
    alpha[:, 95:105] = 0
    assert (finish(alpha, EdgeRecipe(shift=7))[20:140] == 1).all()
    assert (finish(1 - alpha, EdgeRecipe(shift=-7))[20:140] == 0).all()


def test_a_glass_keeps_its_inside() -> None:
    grain = np.random.default_rng(1).normal(0.93, 0.01, (300, 300)).astype(np.float32)
    alpha = ramp(90) * np.clip(grain, 0, 1)
    inside = ramp(70) == 1
    for shift in (-3.0, 3.0):
        assert np.abs(finish(alpha, EdgeRecipe(shift=shift)) - alpha)[inside].max() <= 0.01


# Smooth.


@pytest.mark.parametrize("angle", [0, 5, 20, 45])
@pytest.mark.parametrize("radius", [0.3, 1.0, 2.0, 10.0, 20.0])
def test_smoothing_leaves_a_straight_edge_alone(angle: float, radius: float) -> None:
    alpha = straight(angle, 0.25)
    assert np.abs(finish(alpha, EdgeRecipe(smooth=radius)) - alpha)[40:100, 40:100].max() <= 0.015


@pytest.mark.parametrize("softness", [1.0, 2.0, 4.0, 8.0])
def test_smoothing_keeps_an_edge_as_soft_as_it_was(softness: float) -> None:
    alpha = straight(0, softness=softness)
    row = finish(alpha, EdgeRecipe(smooth=10))[70]
    assert softness_of(row) == pytest.approx(softness_of(alpha[70]), rel=0.12)
    assert half_line(row) == pytest.approx(70, abs=0.1)


@pytest.mark.parametrize("radius", [4.0, 10.0, 20.0])
def test_smoothing_rounds_a_corner(radius: float) -> None:
    diagonal = np.diag(finish(corner(), EdgeRecipe(smooth=radius)))
    # A corner rounded by a circle loses (√2 − 1) of its radius.
    lost = (half_line(diagonal) - 79.8) * np.sqrt(2)
    assert lost == pytest.approx((np.sqrt(2) - 1) * radius, rel=0.3, abs=0.8)


def test_smoothing_takes_jags_off() -> None:
    alpha = straight(0, side=240)
    alpha[:, 115:125] = (np.arange(240)[:, None] // 4 % 2).astype(np.float32)
    result = finish(alpha, EdgeRecipe(smooth=10))[60:180]
    lines = [half_line(row) for row in result]
    assert np.ptp(lines) <= 0.5
    assert softness_of(result[60]) < 1


# Feather and contrast.


@pytest.mark.parametrize("radius", [0.5, 2.0, 10.0, 30.0, 50.0])
def test_a_feather_keeps_the_half_line_and_is_as_wide_as_it_says(radius: float) -> None:
    row = finish(straight(0, 0.3, side=300), EdgeRecipe(feather=radius))[150]
    assert half_line(row) == pytest.approx(150.3, abs=0.25)
    if radius > 1:
        reached = np.interp([150.3 - radius, 150.3 + radius], np.arange(300), row)
        assert reached == pytest.approx([0.023, 0.977], abs=0.02)
    assert (np.diff(row) >= -1e-6).all()


@given(hundredths(0, 100), hundredths(0, 100), st.integers(0, 3))
@SLOW
def test_more_contrast_is_steeper(one: float, other: float, seed: int) -> None:
    alpha = hairy(side=200, seed=seed)
    less, more = (finish(alpha, EdgeRecipe(contrast=value)) for value in sorted([one, other]))
    assert (np.abs(more - 0.5) >= np.abs(less - 0.5) - 1e-6).all()
    order = np.argsort(alpha, axis=None)
    assert (np.diff(more.ravel()[order]) >= -1e-6).all()


def test_full_contrast_leaves_opaque_and_clear_only() -> None:
    alpha = np.array([[0, 0.2, 0.49, 0.5, 0.51, 0.9, 1]], np.float32)
    assert finish(alpha, EdgeRecipe(contrast=100)).tolist() == [[0, 0, 0, 1, 1, 1, 1]]


def test_contrast_reaches_where_no_edge_is() -> None:
    alpha = np.full((300, 600), 0.25, np.float32)
    assert (finish(alpha, EdgeRecipe(contrast=100)) == 0).all()
    assert np.allclose(finish(alpha, EdgeRecipe(shift=4, smooth=3, feather=9)), alpha, atol=1e-6)
    assert (finish(alpha, EdgeRecipe(contrast=50)) == 0).all()


def test_steps_come_in_order() -> None:
    alpha = ramp(100)
    edge = EdgeRecipe(shift=4, smooth=3, feather=5, contrast=40)
    stepwise = alpha
    for step in (EdgeRecipe(shift=4), EdgeRecipe(smooth=3), EdgeRecipe(feather=5), EdgeRecipe(contrast=40)):
        stepwise = finish(stepwise, step)
    assert np.array_equal(finish(alpha, edge), stepwise)


def test_a_photo_smaller_than_a_block_and_one_of_a_single_pixel() -> None:
    edge = EdgeRecipe(shift=3, smooth=3, feather=3, contrast=10)
    for shape in ((1, 1), (1, 40), (40, 1), (3, 5), (BLOCK, BLOCK + 1)):
        alpha = (np.indices(shape).sum(axis=0) % 7 > 2).astype(np.float32)
        assert finish(alpha, edge).shape == shape


def test_a_cutout_is_finished_in_its_alpha_alone() -> None:
    alpha = ramp(30, side=100, x=50, y=50)
    source = np.zeros((100, 100, 3), np.uint8)
    cutout = Cutout(source=source, alpha=alpha, foreground=source, trimap=np.full((100, 100), 128, np.uint8))
    assert finished(cutout, EdgeRecipe()) is cutout
    result = finished(cutout, EdgeRecipe(shift=2))
    assert np.array_equal(result.alpha, finish(alpha, EdgeRecipe(shift=2)))
    assert result.foreground is source
    assert result.trimap is cutout.trimap


@given(st.floats(-4.5, 4.5))
def test_a_share_and_where_it_stands_are_inverse(z: float) -> None:
    share = share_below(np.array([z], np.float32))
    assert standing_at(share)[0] == pytest.approx(z, abs=0.02)
