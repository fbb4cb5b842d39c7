import cv2
import numpy as np
import pymatting
import pytest

from bgdesk.core.tasks import Cancelled
from bgdesk.engine.matting.closed_form import estimate_alpha
from bgdesk.engine.matting.solver import solve
from bgdesk.engine.matting.spans import System, find_spans


def noisy_scene(height: int = 40, width: int = 50, seed: int = 5) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A source mixed from two noisy colours by a soft edge, the true alpha, and a band around the edge."""
    random = np.random.default_rng(seed)
    xs = np.arange(width)[None, :] + np.linspace(-6, 6, height)[:, None]
    alpha = np.clip((xs - width / 2) / 8 + 0.5, 0, 1).astype(np.float32)
    front = np.array([0.8, 0.3, 0.2]) + 0.02 * random.standard_normal((height, width, 3))
    back = np.array([0.1, 0.4, 0.7]) + 0.02 * random.standard_normal((height, width, 3))
    image = (alpha[..., None] * front + (1 - alpha[..., None]) * back).astype(np.float32)
    return image, alpha, np.abs(xs - width / 2) < 12


def reference(image: np.ndarray, band: np.ndarray, alpha: np.ndarray, prior: np.ndarray | None, weight: np.ndarray | None) -> np.ndarray:
    """The same system with pymatting's Laplacian and a direct solve."""
    laplacian = pymatting.cf_laplacian(image.astype(np.float64), epsilon=1e-7, radius=1).toarray()
    unknown = band.ravel()
    matrix = laplacian[np.ix_(unknown, unknown)]
    b = -laplacian[np.ix_(unknown, ~unknown)] @ alpha.ravel()[~unknown]
    if prior is not None and weight is not None:
        matrix += np.diag(weight.ravel()[unknown])
        b += (weight * prior).ravel()[unknown]
    answer = alpha.astype(np.float64).copy()
    answer[band] = np.clip(np.linalg.solve(matrix, b), 0, 1)
    return answer


@pytest.mark.parametrize("with_prior", [False, True])
def test_agrees_with_a_direct_solve(with_prior: bool) -> None:
    image, truth, band = noisy_scene()
    known = np.where(band, 0.5, np.rint(truth)).astype(np.float32)
    prior = np.full_like(truth, 0.3) if with_prior else None
    weight = np.full_like(truth, 0.05) if with_prior else None
    found = estimate_alpha(image, band, known, prior, weight, tolerance=1e-6, most=500)
    assert found.converged
    assert np.abs(found.alpha - reference(image, band, known, prior, weight)).max() < 2e-3
    assert np.array_equal(found.alpha[~band], known[~band])


def test_recovers_a_soft_edge() -> None:
    image, truth, band = noisy_scene()
    found = estimate_alpha(image, band, np.where(band, 0.5, np.rint(truth)).astype(np.float32))
    assert np.abs(found.alpha - truth)[band].mean() < 0.05


def test_starting_at_the_answer_takes_fewer_steps() -> None:
    image, truth, band = noisy_scene(120, 160)
    cold = estimate_alpha(image, band, np.where(band, 0.5, np.rint(truth)).astype(np.float32), tolerance=1e-5)
    warm = estimate_alpha(image, band, cold.alpha, tolerance=1e-5)
    assert warm.iterations < cold.iterations


def test_an_empty_band_changes_nothing() -> None:
    image, truth, band = noisy_scene()
    found = estimate_alpha(image, np.zeros_like(band), truth)
    assert found.converged
    assert np.array_equal(found.alpha, truth)


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (2, 2), (3, 3), (40, 2)])
def test_tiny_and_thin_pictures(shape: tuple[int, int]) -> None:
    image = np.random.default_rng(0).random((*shape, 3), np.float32)
    found = estimate_alpha(image, np.ones(shape, bool), np.full(shape, 0.25, np.float32))
    assert found.alpha.shape == shape
    assert np.isfinite(found.alpha).all()


def test_a_flat_picture_without_anything_known_stays_at_its_start() -> None:
    found = estimate_alpha(np.full((20, 20, 3), 0.5, np.float32), np.ones((20, 20), bool), np.full((20, 20), 0.7, np.float32))
    assert found.converged
    assert found.alpha == pytest.approx(0.7, abs=1e-3)


def test_can_be_cancelled_between_steps() -> None:
    image, truth, band = noisy_scene()
    calls = 0

    def progress(stage: str, fraction: float) -> None:
        nonlocal calls
        assert stage == "alpha"
        assert 0 <= fraction <= 1
        calls += 1
        if calls == 4:
            raise Cancelled

    with pytest.raises(Cancelled):
        estimate_alpha(image, band, truth, tolerance=1e-12, progress=progress)


def test_constants_are_kept_exactly() -> None:
    """Ragged bands with gaps of one pixel, and a start that is far off."""
    random = np.random.default_rng(1)
    image = random.random((61, 83, 3), np.float32)
    band = random.random((61, 83)) < 0.8
    band[30, 40] = False
    start = np.where(band, random.random((61, 83)), 0.37).astype(np.float32)
    found = estimate_alpha(image, band, start, tolerance=1e-6, most=500)
    assert found.converged
    assert found.alpha == pytest.approx(0.37, abs=2e-4)


def test_a_colour_line_is_followed_through_the_band() -> None:
    """Where alpha is an affine function of the colours, the answer is that function, far from anything known too."""
    random = np.random.default_rng(4)
    truth = cv2.GaussianBlur(random.random((90, 110), np.float32), (0, 0), 4)
    truth = (truth - truth.min()) / np.ptp(truth)
    image = truth[..., None] * np.array([0.8, 0.2, 0.5], np.float32) + np.array([0.1, 0.5, 0.2], np.float32)
    band = np.zeros((90, 110), bool)
    band[10:80, 10:100] = True
    found = estimate_alpha(image, band, np.where(band, 0.5, truth).astype(np.float32), tolerance=1e-5, most=500)
    assert found.converged
    assert np.abs(found.alpha - truth).max() < 0.02


def test_turning_the_picture_turns_the_answer() -> None:
    image, truth, band = noisy_scene(60, 70)
    start = np.where(band, 0.5, np.rint(truth)).astype(np.float32)
    upright = estimate_alpha(image, band, start, tolerance=1e-6, most=500)
    turned = estimate_alpha(
        np.rot90(image), np.ascontiguousarray(np.rot90(band)), np.ascontiguousarray(np.rot90(start)), tolerance=1e-6, most=500
    )
    assert np.rot90(turned.alpha, -1) == pytest.approx(upright.alpha, abs=2e-3)


def line_system(n: int) -> tuple[System, np.ndarray, np.ndarray]:
    """-1 2 -1 on a line of n pixels, as a System with its mask, and as a dense matrix."""
    coefficients = np.zeros((25, n), np.float32)
    coefficients[12] = 2.0
    coefficients[11, 1:] = -1.0
    coefficients[13, :-1] = -1.0
    mask = np.ones((1, n), bool)
    return System(find_spans(mask), coefficients.ravel(), 2), mask, 2 * np.eye(n) - np.eye(n, k=1) - np.eye(n, k=-1)


@pytest.mark.parametrize("n", [1, 2, 7, 300])
def test_the_solver_on_a_known_system(n: int) -> None:
    system, mask, dense = line_system(n)
    b = np.random.default_rng(n).standard_normal(n).astype(np.float32)
    found = solve(system, mask, b, float(np.linalg.norm(b)), 1e-6, 200)
    assert found.converged
    assert found.x == pytest.approx(np.linalg.solve(dense, b), rel=1e-3, abs=1e-3)


def test_too_few_steps_are_reported() -> None:
    system, mask, _ = line_system(300)
    found = solve(system, mask, np.ones(300, np.float32), 300**0.5, 1e-6, 1)
    assert not found.converged
    assert found.residual > 1e-6


def test_a_system_that_is_not_positive_is_reported() -> None:
    system, mask, _ = line_system(50)
    system.coefficients[12 * 50 : 13 * 50] = -2.0
    assert not solve(system, mask, np.ones(50, np.float32), 50**0.5, 1e-6, 50).converged


def test_spans_bridge_gaps_of_one_pixel() -> None:
    mask = np.array([[1, 0, 1, 1, 0, 0, 1], [0, 0, 0, 0, 0, 0, 0], [0, 1, 0, 0, 0, 1, 0]], bool)
    spans = find_spans(mask)
    width = 7 + 4
    assert spans.starts.tolist() == [2 * width + 2, 2 * width + 8, 4 * width + 3, 4 * width + 7]
    assert spans.firsts.tolist() == [0, 4, 5, 6, 7]
    assert spans.shape == (3 + 4, width)
