import numpy as np
import pymatting
import pytest

from bgdesk.core.tasks import Cancelled
from bgdesk.engine.matting.closed_form import estimate_alpha
from bgdesk.engine.matting.stencil import PAD, System, solve


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
    found = estimate_alpha(image, band, known, prior, weight, tolerance=1e-9, most=500)
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


def line_system(n: int) -> tuple[System, np.ndarray]:
    """-1 2 -1 on a line of n pixels, as a System and as a dense matrix."""
    places = (np.arange(n) + PAD + PAD * (n + 2 * PAD)).astype(np.int32)
    coefficients = np.zeros((n, 25))
    coefficients[:, 12] = 2.0
    coefficients[1:, 11] = -1.0
    coefficients[:-1, 13] = -1.0
    width = n + 2 * PAD
    offsets = np.array([dy * width + dx for dy in range(-2, 3) for dx in range(-2, 3)], np.int32)
    return System(coefficients, offsets, places, (1 + 2 * PAD, width)), 2 * np.eye(n) - np.eye(n, k=1) - np.eye(n, k=-1)


@pytest.mark.parametrize("n", [1, 2, 7, 300])
def test_the_solver_on_a_known_system(n: int) -> None:
    system, dense = line_system(n)
    b = np.random.default_rng(n).standard_normal(n)
    found = solve(system, b, np.zeros(n), 1e-10, 200)
    assert found.converged
    assert found.x == pytest.approx(np.linalg.solve(dense, b), abs=1e-5)


def test_too_few_steps_are_reported() -> None:
    system, _ = line_system(300)
    found = solve(system, np.ones(300), np.zeros(300), 1e-12, 1)
    assert not found.converged
    assert found.residual > 1e-12


def test_a_system_that_is_not_positive_is_reported() -> None:
    system, _ = line_system(50)
    system.coefficients[:, 12] = -2.0
    assert not solve(system, np.ones(50), np.zeros(50), 1e-8, 50).converged
