import cv2
import numpy as np
import pytest

from bgdesk.core.tasks import Cancelled
from bgdesk.engine.matting import guided as module
from bgdesk.engine.matting.guided import fit, lift


def halves(pixels: np.ndarray, alpha: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    size = ((pixels.shape[1] + 1) // 2, (pixels.shape[0] + 1) // 2)
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), cv2.resize(alpha, size, interpolation=cv2.INTER_AREA)


def disc(height: int, width: int, dtype: type = np.uint8) -> tuple[np.ndarray, np.ndarray]:
    """A sharp-edged disc of one noisy colour on another, and its alpha."""
    y, x = np.mgrid[0:height, 0:width]
    alpha = np.clip(0.3 * min(height, width) - np.hypot(y - height / 2, x - width / 2) + 0.5, 0, 1).astype(np.float32)
    noise = 0.01 * np.random.default_rng(3).standard_normal((height, width, 3))
    mixed = alpha[..., None] * np.array([0.8, 0.3, 0.2]) + (1 - alpha[..., None]) * np.array([0.2, 0.5, 0.6]) + noise
    return np.rint(np.clip(mixed, 0, 1) * np.iinfo(dtype).max).astype(dtype), alpha


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("shape", [(300, 401), (301, 260)])
def test_an_edge_is_sharp_again(shape: tuple[int, int], dtype: type) -> None:
    pixels, truth = disc(*shape, dtype)
    small, coarse = halves(pixels, truth)
    unknown = np.full(shape, 128, np.uint8)
    lifted = lift(pixels, unknown, small, coarse, np.ones(coarse.shape, bool))
    plain = lift(pixels, unknown, small, coarse, np.zeros(coarse.shape, bool))
    assert np.abs(lifted - truth).sum() < 0.6 * np.abs(plain - truth).sum()
    assert np.square(lifted - truth).sum() < 0.4 * np.square(plain - truth).sum()
    assert 0 <= lifted.min() <= lifted.max() <= 1


def test_known_pixels_are_exact_and_constants_are_kept() -> None:
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (90, 121, 3), np.uint8)
    trimap = random.choice(np.array([0, 128, 255], np.uint8), (90, 121))
    small, _ = halves(pixels, np.zeros((90, 121), np.float32))
    alpha = lift(pixels, trimap, small, np.full((45, 61), 0.3, np.float32), np.ones((45, 61), bool))
    assert (alpha[trimap == 0] == 0).all()
    assert (alpha[trimap == 255] == 1).all()
    assert alpha[trimap == 128] == pytest.approx(0.3, abs=1e-3)


def test_an_alpha_that_follows_the_colours_is_fitted_exactly() -> None:
    random = np.random.default_rng(1)
    image = random.random((40, 50, 3), np.float32)
    alpha = image @ np.array([0.3, -0.2, 0.5], np.float32) + np.float32(0.1)
    model = fit(image, alpha)
    assert (model[..., :3] * image).sum(-1) + model[..., 3] == pytest.approx(alpha, abs=5e-3)


def test_tiles_agree_with_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    pixels, truth = disc(310, 290)
    small, coarse = halves(pixels, truth)
    arguments = (pixels, np.full(truth.shape, 128, np.uint8), small, coarse, np.ones(coarse.shape, bool))
    whole = lift(*arguments)
    monkeypatch.setattr(module, "_TILE", 64)
    assert np.abs(lift(*arguments) - whole).max() < 2e-3


def test_lifting_can_be_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    pixels, truth = disc(300, 300)
    small, coarse = halves(pixels, truth)
    monkeypatch.setattr(module, "_TILE", 32)
    calls: list[float] = []

    def progress(stage: str, fraction: float) -> None:
        calls.append(fraction)
        if len(calls) == 3:
            raise Cancelled

    with pytest.raises(Cancelled):
        lift(pixels, np.full(truth.shape, 128, np.uint8), small, coarse, np.ones(coarse.shape, bool), progress)
    assert len(calls) == 3
