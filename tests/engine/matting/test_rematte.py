import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from bgdesk.core.geometry import Rect, Size
from bgdesk.core.trimap import Label, from_matte
from bgdesk.engine.matting import propagate
from bgdesk.engine.matting.refine import refine
from bgdesk.engine.matting.rematte import MARGIN, SAMPLED, solve
from bgdesk.engine.pipeline import Pipeline
from tests.engine.scenes import coarse, hairy


def stroke_case() -> tuple[np.ndarray, np.ndarray, np.ndarray, Rect]:
    source, truth, _ = hairy(300, 400)
    matte = coarse(truth)
    trimap = from_matte(matte)
    alpha = refine(source, trimap, matte).alpha
    roi = Rect(200, 60, 260, 110)
    trimap[roi.slices] = 128
    return source, trimap, alpha, roi


def test_a_stroke_changes_its_surroundings_alone() -> None:
    source, trimap, alpha, roi = stroke_case()
    window, patch, converged = solve(source, trimap, alpha, roi)
    assert converged
    assert window == roi.grow(MARGIN).clip(Size(400, 300))
    assert patch.shape == (window.height, window.width)
    before = alpha[window.slices]
    assert np.abs(patch - before)[MARGIN:-MARGIN, MARGIN:-MARGIN].max() > 0.05
    for edge in (patch[0] - before[0], patch[-1] - before[-1], patch[:, 0] - before[:, 0], patch[:, -1] - before[:, -1]):
        assert not edge.any()


@settings(max_examples=25)
@given(st.integers(0, 399), st.integers(0, 299), st.integers(1, 150), st.integers(1, 150), st.sampled_from(list(Label)))
def test_a_crop_gives_the_same_answer_bit_for_bit(x: int, y: int, width: int, height: int, label: Label) -> None:
    source, trimap, alpha, _ = stroke_case()
    roi = Rect(x, y, x + width, y + height).clip(Size(400, 300))
    trimap[roi.slices] = label
    window, patch, _ = solve(source, trimap, alpha, roi)
    crop = roi.grow(SAMPLED).clip(Size(400, 300))
    moved, same, _ = solve(source[crop.slices], trimap[crop.slices], alpha[crop.slices], roi.shift(-crop.left, -crop.top))
    assert moved.shift(crop.left, crop.top) == window
    assert np.array_equal(patch, same)
    known = trimap[window.slices]
    assert (patch[known == 255] == 1).all()
    assert (patch[known == 0] == 0).all()


def test_the_margin_that_callers_see_is_the_one_that_is_used() -> None:
    assert Pipeline.MARGIN == propagate.MARGIN + SAMPLED
