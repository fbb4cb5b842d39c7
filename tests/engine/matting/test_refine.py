import threading

import cv2
import numpy as np
import pytest

from bgdesk.core.tasks import Cancelled
from bgdesk.core.trimap import from_matte
from bgdesk.engine.matting import refine as module
from bgdesk.engine.matting.closed_form import Matting
from bgdesk.engine.matting.refine import broad_softness, deep_weight, inside, keep_interiors, refine
from bgdesk.engine.matting.tiles import pinned
from bgdesk.engine.pipeline import MOST_BROAD_SOFTNESS
from tests.engine.scenes import coarse, hairy, trimap_of


def failing(image: np.ndarray, band: np.ndarray, alpha: np.ndarray, *rest: object, **named: object) -> Matting:
    return Matting(np.full_like(alpha, 0.123), converged=False, iterations=7)


def test_refining_brings_back_what_the_matte_lost() -> None:
    source, truth, _ = hairy(240, 320)
    matte = coarse(truth)
    refined = refine(source, from_matte(matte), matte)
    assert refined.failed == 0
    assert np.abs(refined.alpha - truth).sum() < 0.7 * np.abs(matte - truth).sum()
    assert np.square(refined.alpha - truth).sum() < 0.7 * np.square(matte - truth).sum()


@pytest.mark.parametrize("prior", [False, True])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_known_pixels_are_exactly_0_or_1(prior: bool, dtype: type) -> None:
    source, truth, _ = hairy(150, 200, dtype=dtype)
    trimap = trimap_of(truth)
    alpha = refine(source, trimap, coarse(truth) if prior else None).alpha
    assert alpha.dtype == np.float32
    assert (alpha[trimap == 255] == 1).all()
    assert (alpha[trimap == 0] == 0).all()
    assert alpha.min() >= 0
    assert alpha.max() <= 1


def test_tiles_agree_with_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    source, truth, _ = hairy(700, 900)
    matte = coarse(truth)
    trimap = from_matte(matte)
    whole = refine(source, trimap, matte)
    monkeypatch.setattr(module, "TILE", 160)
    monkeypatch.setattr(module, "WHOLE", 700 * 900)  # more than half of it: tiles, but no coarser level
    tiled = refine(source, trimap, matte)
    assert whole.tiles == 1
    assert tiled.tiles > 8
    difference = np.abs(whole.alpha - tiled.alpha)[trimap == 128]
    assert difference.mean() < 2e-3
    assert np.quantile(difference, 0.999) < 0.05


def test_coarse_to_fine_is_as_good_as_full_size(monkeypatch: pytest.MonkeyPatch) -> None:
    source, truth, _ = hairy(500, 600)
    matte = coarse(truth)
    trimap = from_matte(matte)
    full = refine(source, trimap, matte).alpha
    monkeypatch.setattr(module, "WHOLE", 100_000)
    stepped = refine(source, trimap, matte).alpha
    assert np.abs(stepped - truth).sum() < 1.15 * np.abs(full - truth).sum()
    assert np.array_equal(stepped == 1, pinned(trimap, stepped) == 1)


def test_the_answer_does_not_depend_on_which_tile_finishes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    source, truth, _ = hairy(400, 500)
    matte = coarse(truth)
    trimap = from_matte(matte)
    monkeypatch.setattr(module, "TILE", 100)
    monkeypatch.setattr(module, "WHOLE", 400 * 500)
    assert np.array_equal(refine(source, trimap, matte).alpha, refine(source, trimap, matte).alpha)


def test_a_failed_solve_keeps_the_matte_and_is_counted() -> None:
    source, truth, _ = hairy(100, 120)
    matte = coarse(truth)
    trimap = from_matte(matte)
    refined = refine(source, trimap, matte, solver=failing)
    assert (refined.failed, refined.tiles) == (1, 1)
    kept = pinned(trimap, matte)
    keep_interiors(kept, trimap, matte, inside(trimap, matte))
    assert np.array_equal(refined.alpha, kept)


def test_broad_soft_regions_stay_near_the_matte() -> None:
    random = np.random.default_rng(2)
    source = random.integers(0, 256, (400, 400, 3), np.uint8)
    matte = np.zeros((400, 400), np.float32)
    matte[50:350, 50:350] = 0.5
    matte[50:350, 50:80] = 1.0
    alpha = refine(source, from_matte(matte), matte).alpha
    assert np.abs(alpha - 0.5)[150:300, 150:300].max() < 0.05
    assert deep_weight(matte)[200, 200] > 0
    assert deep_weight(matte)[0, 0] == 0


def test_opaque_interiors_never_turn_transparent() -> None:
    # A dress of the surroundings' own colours, which the matte is nearly sure of, and patchily so.
    random = np.random.default_rng(5)
    source = np.repeat(np.repeat(random.integers(0, 256, (50, 60, 3), np.uint8), 8, axis=0), 8, axis=1)
    matte = np.zeros((400, 480), np.float32)
    matte[60:340, 80:400] = 1
    patches = np.asarray(cv2.GaussianBlur(random.random((400, 480), np.float32), (0, 0), 4), np.float32)
    patches = (patches - patches.min()) / (patches.max() - patches.min())
    matte[100:300, 120:360] = (0.75 + 0.25 * patches)[100:300, 120:360]
    matte = np.asarray(cv2.GaussianBlur(matte, (0, 0), 1.5), np.float32)
    trimap = from_matte(matte)
    alpha = refine(source, trimap, matte).alpha
    deep = np.zeros(matte.shape, bool)
    deep[80:320, 100:380] = True
    sure = deep & (matte >= 0.9)
    assert np.count_nonzero(sure & (trimap == 128)) > 5000
    assert (alpha[sure] >= matte[sure] - 1e-6).all()
    assert alpha[deep & (matte < 0.8)].min() < 0.8, "only what is nearly sure is kept"


def test_a_matte_is_kept_only_far_from_its_contour_and_on_the_band() -> None:
    matte = np.zeros((300, 300), np.float32)
    matte[50:250, 50:250] = 0.9
    trimap = np.full(matte.shape, 128, np.uint8)
    trimap[100:120, 100:200] = 0  # somebody painted background there
    alpha = np.zeros_like(matte)
    keep_interiors(alpha, trimap, matte, inside(trimap, matte))
    assert alpha[60:240, 150].min() == 0
    assert alpha[200, 80:220] == pytest.approx(0.9)
    assert not alpha[trimap == 0].any()
    assert not alpha[115:125, 105:195].any(), "beside what was painted nothing is kept either"
    assert not alpha[50:55].any()
    assert not alpha[:50].any()


def test_a_broad_veil_takes_its_opacity_from_colours_far_away(monkeypatch: pytest.MonkeyPatch) -> None:
    truth = np.zeros((600, 800), np.float32)
    truth[100:500, 100:700] = 1
    truth[150:450, 400:700] = 0.5
    random = np.random.default_rng(3)
    front, back = np.array([0.8, 0.3, 0.2]), np.array([0.1, 0.3, 0.6])
    mixed = truth[..., None] * front + (1 - truth[..., None]) * back + random.normal(0, 0.01, (600, 800, 3))
    source = np.rint(255 * np.clip(mixed, 0, 1)).astype(np.uint8)
    matte = np.where(truth == 0.5, np.float32(0.75), truth)
    errors = []
    for reach in (1, module._FAR):
        monkeypatch.setattr(module, "_FAR", reach)
        alpha = refine(source, from_matte(matte), matte).alpha
        errors.append(np.abs(alpha - 0.5)[200:400, 450:650].mean())
    assert errors[1] < 0.9 * errors[0]
    assert errors[1] < 0.2


def test_where_colours_do_not_tell_the_sides_apart_the_matte_is_held_to() -> None:
    random = np.random.default_rng(4)
    source = np.repeat(np.repeat(random.integers(0, 256, (75, 100, 3), np.uint8), 4, axis=0), 4, axis=1)
    matte = np.zeros((300, 400), np.float32)
    matte[:, 200:] = 1
    matte = np.asarray(cv2.GaussianBlur(matte, (0, 0), 6), np.float32)
    trimap = from_matte(matte)
    alpha = refine(source, trimap, matte).alpha
    sure = (trimap == 128) & (np.abs(matte - 0.5) > 0.4)
    assert np.abs(alpha - matte)[sure].mean() < 0.04


def test_cancelling_stops_tiles_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    source, truth, _ = hairy(300, 400)
    matte = coarse(truth)
    monkeypatch.setattr(module, "TILE", 64)
    monkeypatch.setattr(module, "WHOLE", 300 * 400)
    calls: list[str] = []

    def progress(stage: str, fraction: float) -> None:
        calls.append(threading.current_thread().name)
        if len(calls) >= 5:
            raise Cancelled

    with pytest.raises(Cancelled):
        refine(source, from_matte(matte), matte, progress)
    assert len(calls) < 50


@pytest.mark.parametrize(("blur", "plateau", "soft"), [(0, 0.0, False), (4, 0.0, False), (0, 0.5, True), (4, 0.6, True)])
def test_broad_half_transparency_is_told_from_edges(blur: float, plateau: float, soft: bool) -> None:
    alpha = np.zeros((300, 400), np.float32)
    alpha[50:250, 50:350] = 1
    if plateau:
        alpha[100:200, 100:200] = plateau
    if blur:
        alpha = np.asarray(cv2.GaussianBlur(alpha, (0, 0), blur), np.float32)
    assert (broad_softness(alpha) > MOST_BROAD_SOFTNESS) is soft
    assert broad_softness(np.full((50, 50), 0.3, np.float32)) == 0
