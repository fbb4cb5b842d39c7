"""A stroke's label flows to what it belongs to, stops at edges, and never touches what a hand has fixed."""

import cv2
import numpy as np
import pytest

from bgdesk.core.engine import Reach
from bgdesk.core.geometry import Rect, Size
from bgdesk.core.tasks import Cancelled
from bgdesk.core.trimap import Label
from bgdesk.engine.matting.propagate import MARGIN, propagate
from bgdesk.engine.networks.weights import Weights
from bgdesk.engine.pipeline import Pipeline


def no_weights() -> Weights:
    raise AssertionError("a stroke needs no network")


def scene(dtype: type = np.uint8) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A red body with an arm that the matte lost, on blue, and a green post that it took: (pixels, alpha, trimap)."""
    random = np.random.default_rng(5)
    pixels = np.empty((300, 420, 3), np.float32)
    pixels[:] = (40, 60, 180)
    pixels[100:260, 60:160] = (200, 40, 40)  # body
    pixels[120:150, 160:330] = (205, 45, 45)  # arm
    pixels[60:260, 360:385] = (40, 170, 60)  # post
    pixels += random.normal(0, 6, pixels.shape)
    pixels = np.clip(cv2.GaussianBlur(pixels, (0, 0), 0.8), 0, 255)
    alpha = np.zeros((300, 420), np.float32)
    alpha[100:260, 60:160] = 1
    alpha[60:260, 360:385] = 1
    trimap = np.where(alpha > 0, np.uint8(255), np.uint8(0))
    scale = np.iinfo(dtype).max / 255
    return (pixels * scale).astype(dtype), alpha, trimap


ARM, POST = (slice(124, 146), slice(164, 326)), (slice(64, 256), slice(363, 382))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_stroke_on_a_lost_arm_brings_back_the_arm(dtype: type) -> None:
    pixels, alpha, trimap = scene(dtype)
    roi = Rect(190, 126, 230, 144)
    trimap[roi.slices] = 255
    patch = Pipeline(no_weights).rematte(pixels, trimap, alpha, roi)
    assert not roi.grow(48).contains(patch.rect)
    alpha[patch.rect.slices] = patch.alpha
    assert alpha[ARM].mean() > 0.98
    assert alpha[170:290, 190:340].max() < 0.02  # no spill into the background
    trimap[patch.rect.slices] = patch.labels
    assert (trimap[ARM] == 255).mean() > 0.95  # the labels go along: the next stroke starts from there
    assert alpha[POST].min() == 1


def test_a_stroke_on_a_false_object_takes_it_away() -> None:
    pixels, alpha, trimap = scene()
    roi = Rect(364, 140, 381, 180)
    trimap[roi.slices] = 0
    patch = Pipeline(no_weights).rematte(pixels, trimap, alpha, roi)
    alpha[patch.rect.slices] = patch.alpha
    assert alpha[POST].max() < 0.02
    assert alpha[110:250, 70:150].min() == 1


def test_exact_takes_only_what_was_touched() -> None:
    pixels, alpha, trimap = scene()
    roi = Rect(190, 126, 230, 144)
    trimap[roi.slices] = 255
    before = trimap.copy()
    patch = Pipeline(no_weights).rematte(pixels, trimap, alpha, roi, reach=Reach.EXACT)
    assert roi.grow(48).contains(patch.rect)
    assert np.array_equal(patch.labels, trimap[patch.rect.slices])
    assert np.array_equal(trimap, before)
    alpha[patch.rect.slices] = patch.alpha
    assert alpha[roi.slices].min() == 1
    assert alpha[124:146, 290:326].max() == 0


def test_what_a_hand_has_fixed_stays() -> None:
    pixels, alpha, trimap = scene()
    fixed = np.zeros(trimap.shape, bool)
    fixed[120:150, 270:290] = True  # painted as background before
    roi = Rect(190, 126, 230, 144)
    trimap[roi.slices] = 255
    rect, labels = propagate(pixels, trimap, alpha, roi, fixed)
    trimap[rect.slices] = labels
    assert (trimap[120:150, 270:290] == 0).all()
    assert (trimap[124:146, 170:260] == 255).all()


def test_no_argument_is_written_to() -> None:
    pixels, alpha, trimap = scene()
    trimap[126:144, 190:230] = 255
    fixed = np.zeros(trimap.shape, bool)
    for array in (pixels, alpha, trimap, fixed):
        array.flags.writeable = False
    patch = Pipeline(no_weights).rematte(pixels, trimap, alpha, Rect(190, 126, 230, 144), fixed=fixed)
    assert patch.alpha[125 - patch.rect.top : 145 - patch.rect.top, 300 - patch.rect.left].mean() > 0.95
    assert patch.labels.shape == patch.alpha.shape == (patch.rect.height, patch.rect.width)
    patch.labels[:], patch.alpha[:] = 0, 0  # they belong to the caller


def test_nothing_farther_than_the_margin_is_read_or_changed() -> None:
    random = np.random.default_rng(3)
    pixels = np.full((400, 3000, 3), 90, np.uint8) + random.integers(0, 8, (400, 3000, 3), np.uint8)
    alpha, trimap = np.zeros((400, 3000), np.float32), np.zeros((400, 3000), np.uint8)
    alpha[100:300], trimap[100:300] = 1, 255  # one endless bar
    roi = Rect(1480, 180, 1520, 220)
    trimap[roi.slices] = 0
    rect, _ = propagate(pixels, trimap, alpha, roi)
    assert roi.grow(MARGIN).contains(rect)
    crop = roi.grow(Pipeline.MARGIN).clip(Size(3000, 400))
    whole = Pipeline(no_weights).rematte(pixels, trimap, alpha, roi)
    moved = roi.shift(-crop.left, -crop.top)
    part = Pipeline(no_weights).rematte(pixels[crop.slices], trimap[crop.slices], alpha[crop.slices], moved)
    assert part.rect.shift(crop.left, crop.top) == whole.rect
    assert np.array_equal(part.alpha, whole.alpha)
    assert np.array_equal(part.labels, whole.labels)


def test_looking_again_finds_a_gap_that_the_matte_has_closed() -> None:
    pixels, alpha, trimap = scene()
    pixels[170:230, 90:130] = pixels[10:70, 200:240]  # background is seen through the body, and the matte did not see it
    trimap[185:215, 100:120] = 128
    patch = Pipeline(no_weights).rematte(pixels, trimap, alpha, Rect(100, 185, 120, 215))
    alpha[patch.rect.slices] = patch.alpha
    assert alpha[188:212, 102:118].max() < 0.1
    assert alpha[110:160, 70:150].min() == 1


def test_a_known_stroke_that_agrees_asks_for_nothing() -> None:
    pixels, alpha, trimap = scene()
    trimap[100:260, 150:170] = 128
    alpha[100:260, 150:170] = np.linspace(1, 0, 20)
    before = alpha.copy()
    patch = Pipeline(no_weights).rematte(pixels, trimap, alpha, Rect(100, 150, 175, 200), again=False)
    assert np.abs(patch.alpha - before[patch.rect.slices]).mean() < 0.05


def test_a_stroke_that_is_cancelled_leaves_the_trimap_as_it_was() -> None:
    pixels, alpha, trimap = scene()
    trimap[126:144, 190:230] = 255
    before = trimap.copy()
    calls: list[float] = []

    def progress(stage: str, fraction: float) -> None:
        calls.append(fraction)
        if len(calls) > 2:  # the labels have flown, the solver is at work
            raise Cancelled

    with pytest.raises(Cancelled):
        Pipeline(no_weights).rematte(pixels, trimap, alpha, Rect(190, 126, 230, 144), progress)
    assert len(calls) == 3
    assert np.array_equal(trimap, before)


@pytest.mark.parametrize("label", list(Label))
def test_any_stroke_on_a_flat_photo_is_survived(label: Label) -> None:
    pixels = np.full((60, 80, 3), 120, np.uint8)
    alpha, trimap = np.zeros((60, 80), np.float32), np.zeros((60, 80), np.uint8)
    trimap[20:40, 30:50] = label
    patch = Pipeline(no_weights).rematte(pixels, trimap, alpha, Rect(30, 20, 50, 40))
    assert np.isfinite(patch.alpha).all()
    inside = patch.alpha[20 - patch.rect.top : 40 - patch.rect.top, 30 - patch.rect.left : 50 - patch.rect.left]
    if label != Label.UNKNOWN:
        assert (inside == (label == Label.FOREGROUND)).all()


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (7, 1), (3, 3), (3, 40), (40, 3), (1, 200)])
@pytest.mark.parametrize("label", list(Label))
def test_the_smallest_photos(shape: tuple[int, int], label: Label) -> None:
    pixels = np.full((*shape, 3), 120, np.uint8)
    alpha, trimap = np.zeros(shape, np.float32), np.full(shape, label, np.uint8)
    patch = Pipeline(no_weights).rematte(pixels, trimap, alpha, Rect(0, 0, shape[1], shape[0]))
    assert patch.rect == Rect.of_shape(shape)
    assert np.isfinite(patch.alpha).all()
