import sys
from pathlib import Path

import numpy as np
import pymatting
import pytest

from bgdesk.core.tasks import Cancelled
from bgdesk.engine.foreground import foreground

sys.path.insert(0, str(Path(__file__).parent))
from scenes import hairy


def error(found: np.ndarray, front: np.ndarray, alpha: np.ndarray) -> float:
    band = (alpha > 0.02) & (alpha < 0.98)
    return float((np.abs(found.astype(float) - front) * alpha[..., None])[band].mean() / np.iinfo(front.dtype).max)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_removes_the_backdrop_from_soft_edges(dtype: type) -> None:
    source, alpha, front = hairy(240, 321, dtype=dtype)
    found = foreground(source, alpha)
    assert found.dtype == source.dtype
    assert error(found, front, alpha) < 0.4 * error(source, front, alpha)


def test_no_worse_than_the_published_method() -> None:
    source, alpha, front = hairy(400, 500)
    published = pymatting.estimate_foreground_ml(source / 255.0, alpha.astype(np.float64))
    published = np.rint(np.clip(published, 0, 1) * 255).astype(np.uint8)
    assert error(foreground(source, alpha), front, alpha) < 1.1 * error(published, front, alpha)


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (2, 3), (33, 31), (513, 520)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_opaque_pixels_keep_the_sources_colours_bit_for_bit(shape: tuple[int, int], dtype: type) -> None:
    random = np.random.default_rng(4)
    source = random.integers(0, np.iinfo(dtype).max + 1, (*shape, 3)).astype(dtype)
    alpha = random.choice(np.array([0, 0.3, 0.9, 1], np.float32), shape)
    found = foreground(source, alpha)
    assert found.shape == source.shape
    assert np.array_equal(found[alpha == 1], source[alpha == 1])


def test_colour_is_extended_under_clear_pixels() -> None:
    source, alpha, front = hairy(200, 200)
    clear = alpha == 0
    found = foreground(source, alpha).astype(float)
    assert np.abs(found - front)[clear].mean() < 0.3 * np.abs(source.astype(float) - front)[clear].mean()


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_a_constant_alpha(value: float) -> None:
    source = np.full((20, 30, 3), 77, np.uint8)
    assert np.abs(foreground(source, np.full((20, 30), value, np.float32)).astype(int) - 77).max() <= 1


def test_strength_mixes_source_and_estimate() -> None:
    source, alpha, _ = hairy(200, 260)
    full, half = foreground(source, alpha).astype(float), foreground(source, alpha, strength=0.5).astype(float)
    assert np.array_equal(foreground(source, alpha, strength=0.0), source)
    assert np.abs(half - (full + source) / 2).max() <= 1
    assert np.abs(full - source).max() > 50


def test_can_be_cancelled() -> None:
    def progress(stage: str, fraction: float) -> None:
        assert stage == "foreground"
        if fraction > 0.1:
            raise Cancelled

    source, alpha, _ = hairy(100, 100)
    with pytest.raises(Cancelled):
        foreground(source, alpha, progress)
