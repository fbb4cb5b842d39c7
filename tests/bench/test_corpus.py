"""The laws of a composite with known truth."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgdesk.bench.cases import corpus, scenes
from bgdesk.bench.cases.corpus import Case, SubjectKind
from bgdesk.core.errors import UsageError
from tests.bench.fakes import blurred


def lawful(case: Case) -> None:
    height, width = case.alpha.shape
    assert case.alpha.dtype == np.float32
    assert case.alpha.min() >= 0
    assert case.alpha.max() <= 1
    for layer in (case.composite, case.foreground, case.background):
        assert layer.shape == (height, width, 3)
        assert layer.dtype == np.uint8
    part = case.alpha[..., None].astype(np.float64)
    mixed = part * case.foreground + (1 - part) * case.background
    assert np.abs(mixed - case.composite).max() <= 0.5 + 1e-4
    assert (case.alpha == 1).any()
    assert (case.alpha == 0).any()


def test_drawn_cases_keep_the_compositing_law(drawn: list[Case]) -> None:
    assert [case.kind for case in drawn] == list(SubjectKind)
    for case in drawn:
        lawful(case)
        assert not case.captured


def test_a_case_is_the_same_each_time_and_another_is_not(drawn: list[Case]) -> None:
    for case, again in zip(drawn, [recipe.make() for recipe in scenes.generated((0.03,), 1)], strict=True):
        np.testing.assert_array_equal(case.composite, again.composite)
        np.testing.assert_array_equal(case.alpha, again.alpha)
    first, second = (recipe.make() for recipe in scenes.generated((0.03,), 2)[:2])
    assert (first.alpha != second.alpha).any()


def test_sizes_and_names() -> None:
    recipes = scenes.generated((0.02, 0.05), 2)
    assert len(recipes) == len({recipe.name for recipe in recipes}) == 8
    for recipe in recipes:
        case = recipe.make()
        assert case.alpha.size == pytest.approx(recipe.megapixels * 1e6, rel=0.02)
        assert case.kind is recipe.kind
        assert case.name == recipe.name


def test_what_the_kinds_promise() -> None:
    """Hair is thin and soft, a hard edge a pixel or two wide, thin stuff broad and soft, blur a wide smooth ramp."""
    cases = {recipe.kind: recipe.make() for recipe in scenes.generated((0.5,), 1)}

    def depth(kind: SubjectKind) -> float:
        return float(cv2.distanceTransform(cases[kind].soft.astype(np.uint8), cv2.DIST_L2, 5).max())

    assert 1.5 * depth(SubjectKind.HARD) < depth(SubjectKind.BLUR) < depth(SubjectKind.SEMI)
    assert cases[SubjectKind.HAIR].soft.mean() > 8 * cases[SubjectKind.HARD].soft.mean()
    steep = {kind: float(np.abs(cv2.Laplacian(case.alpha, cv2.CV_32F)).mean()) for kind, case in cases.items()}
    assert steep[SubjectKind.HAIR] > 4 * steep[SubjectKind.HARD] > 4 * steep[SubjectKind.BLUR]


def test_a_saturated_backdrop_is_saturated() -> None:
    case = scenes.saturated(SubjectKind.HAIR, 0.33, 0.03).make()
    lawful(case)
    behind = case.background.reshape(-1, 3).mean(axis=0)
    assert behind.argmax() == 1
    assert behind[1] > 2.5 * behind[[0, 2]].max()


@given(st.floats(0.5, 40), st.floats(0, 3.15))
def test_motion_is_as_long_as_asked(length: float, angle: float) -> None:
    kernel = corpus.motion(length, angle)
    kernel = kernel / kernel.sum()
    y, x = np.mgrid[: kernel.shape[0], : kernel.shape[1]] - kernel.shape[0] // 2
    assert abs((x * kernel).sum()) < 1e-3
    assert abs((y * kernel).sum()) < 1e-3
    along = x * np.cos(angle) + y * np.sin(angle)
    assert (along**2 * kernel).sum() == pytest.approx(length**2 / 12, rel=0.35, abs=0.5)


def test_defocus_is_a_disc() -> None:
    kernel = corpus.defocus(6.0)
    assert kernel.sum() == pytest.approx(np.pi * 6.0**2, rel=0.1)
    np.testing.assert_array_equal(kernel, kernel.T)


def test_blurring_keeps_the_light() -> None:
    alpha = np.zeros((40, 40), np.float32)
    alpha[12:28, 12:28] = 1
    colours = np.zeros((40, 40, 3), np.float32)
    colours[..., 0], colours[:, 20:, 1] = 0.8, 0.6
    soft, mixed = corpus.blurred(alpha, colours, corpus.defocus(3.0))
    assert soft.sum() == pytest.approx(alpha.sum(), rel=1e-3)
    np.testing.assert_allclose((soft[..., None] * mixed).sum((0, 1)), (alpha[..., None] * colours).sum((0, 1)), rtol=1e-3)
    assert soft[20, 20] == 1
    assert 0.05 < soft[20, 12] < 0.95
    assert mixed[20, 12, 0] == pytest.approx(0.8, abs=1e-3)  # the edge keeps the subject's colour


def test_kind_of_sorts_by_the_edge(drawn: list[Case]) -> None:
    hard = scenes.generated((0.5,), 1)[1].make().alpha
    assert corpus.kind_of(hard) is SubjectKind.HARD
    assert corpus.kind_of(blurred(hard, 4)) is SubjectKind.HAIR
    assert corpus.kind_of(0.5 * hard) is SubjectKind.SEMI
    assert corpus.kind_of(corpus.veil(hard, np.random.default_rng(1))) is SubjectKind.SEMI


def test_a_veil_thins_and_never_thickens(drawn: list[Case]) -> None:
    alpha = drawn[1].alpha
    thin = corpus.veil(alpha, np.random.default_rng(2))
    assert (thin <= alpha + 1e-6).all()
    assert thin[alpha == 1].min() < 0.5
    assert thin[alpha == 1].max() == 1


def test_real_cutouts_over_other_photos(matting_folder: Path, sample: Path) -> None:
    recipes = corpus.cutouts(matting_folder, [sample], (0.03, 0.06))
    names = [recipe.name for recipe in recipes]
    assert len(set(names)) == len(names)
    assert {recipe.kind for recipe in recipes} >= {SubjectKind.BLUR, SubjectKind.SEMI}
    for recipe in recipes:
        case = recipe.make()
        lawful(case)
        assert case.captured
        assert case.alpha.size == pytest.approx(recipe.megapixels * 1e6, rel=0.02)
        again = recipe.make()
        np.testing.assert_array_equal(again.composite, case.composite)
        np.testing.assert_array_equal(again.alpha, case.alpha)


def test_without_backgrounds_the_folders_own_photos_serve(matting_folder: Path) -> None:
    case = corpus.cutouts(matting_folder, sizes=(0.03,))[0].make()
    lawful(case)


def test_a_folder_without_pairs(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="must hold image/ and alpha/"):
        corpus.cutouts(tmp_path)
