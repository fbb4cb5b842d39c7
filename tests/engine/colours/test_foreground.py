import numpy as np
import pymatting
import pytest

from bgdesk.bench.cases.metrics import delta_e2000, lab
from bgdesk.core.arrays import Pixels
from bgdesk.core.tasks import Cancelled, silent
from bgdesk.engine.colours import foreground as foreground_module
from bgdesk.engine.colours.foreground import foreground
from bgdesk.engine.matting.refine import refine
from tests.engine.scenes import BACKDROPS, hairy, strands, trimap_of


def error(found: np.ndarray, front: np.ndarray, alpha: np.ndarray) -> float:
    band = (alpha > 0.02) & (alpha < 0.98)
    return float((np.abs(found.astype(float) - front) * alpha[..., None])[band].mean() / np.iinfo(front.dtype).max)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_removes_the_backdrop_from_soft_edges(dtype: type) -> None:
    source, alpha, front = hairy(240, 321, dtype=dtype)
    found = foreground(source, alpha)
    assert found.dtype == source.dtype
    assert error(found, front, alpha) < 0.4 * error(source, front, alpha)


@pytest.mark.parametrize("blur", [0.0, 1.5, 5.0])
@pytest.mark.parametrize("backdrop", BACKDROPS.values(), ids=BACKDROPS)
def test_better_than_the_published_method(backdrop: tuple[float, float, float], blur: float) -> None:
    source, alpha, front = strands(400, 500, backdrop, blur=blur)
    published = pymatting.estimate_foreground_ml(source / 255.0, alpha.astype(np.float64))
    published = np.rint(np.clip(published, 0, 1) * 255).astype(np.uint8)
    assert error(foreground(source, alpha), front, alpha) < 0.95 * error(published, front, alpha)


def composite_error(found: np.ndarray, alpha: np.ndarray, front: np.ndarray, truth: np.ndarray) -> float:
    """Mean ΔE2000 in the true band, over a light, a middle and a dark new background."""
    band = (truth > 0.02) & (truth < 0.98)
    a, t = alpha[band][:, None], truth[band][:, None]
    errors = []
    for grey in (0.1, 0.5, 0.9):
        made, right = a * found[band] / 255 + (1 - a) * grey, t * front[band] / 255 + (1 - t) * grey
        errors.append(delta_e2000(lab(made), lab(right)).mean())
    return float(np.mean(errors))


@pytest.mark.parametrize("backdrop", BACKDROPS.values(), ids=BACKDROPS)
def test_thin_hair_loses_the_backdrops_colour(backdrop: tuple[float, float, float]) -> None:
    source, alpha, front = strands(500, 600, backdrop)
    before, after = composite_error(source, alpha, front, alpha), composite_error(foreground(source, alpha), alpha, front, alpha)
    assert after < 0.2 * before


@pytest.mark.parametrize("backdrop", BACKDROPS.values(), ids=BACKDROPS)
def test_thin_hair_loses_the_backdrops_colour_with_the_alpha_that_we_find(backdrop: tuple[float, float, float]) -> None:
    source, truth, front = strands(400, 480, backdrop, hairs=40)
    alpha = refine(source, trimap_of(truth), None, silent).alpha
    before, after = composite_error(source, alpha, front, truth), composite_error(foreground(source, alpha), alpha, front, truth)
    assert after < 0.6 * before


@pytest.mark.parametrize("cells", [1 << 15, 1 << 13])
def test_tiles_leave_no_seams(monkeypatch: pytest.MonkeyPatch, cells: int) -> None:
    source, alpha, _ = strands(900, 1100, BACKDROPS["green"])
    whole = foreground(source, alpha).astype(float)
    monkeypatch.setattr(foreground_module, "_COARSE", cells)
    tiled = foreground(source, alpha).astype(float)
    assert np.array_equal(foreground(source, alpha), tiled)  # whatever thread had which tile
    band = (alpha > 0.02) & (alpha < 0.98)
    across, along = np.zeros(alpha.shape, bool), np.zeros(alpha.shape, bool)
    across[:, 510:514], along[510:514] = True, True
    away = np.abs(tiled - whole).mean(axis=2) * alpha
    assert away[band].mean() < 2
    for seam in (across, along):
        assert away[band & seam].mean() < 2 * away[band].mean()


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (2, 3), (33, 31), (513, 520)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_opaque_pixels_keep_the_sources_colours_bit_for_bit(shape: tuple[int, int], dtype: type) -> None:
    random = np.random.default_rng(4)
    source: Pixels = random.integers(0, np.iinfo(dtype).max + 1, (*shape, 3)).astype(dtype)
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
