"""The public interface, with the real network and real files."""

from pathlib import Path

import numpy as np
import pytest

import bgdesk
from bgdesk.app.networks.onnx_presets import describe
from bgdesk.app.networks.store import default_store
from bgdesk.core.geometry import Size
from tests.networks import matting, weighted


def test_from_a_photo_to_a_png_and_back(models_home: Path, sample: Path, tmp_path: Path) -> None:
    photo = bgdesk.load(sample)
    assert photo.path == sample
    cutout = bgdesk.Engine(model="u2netp").cut(photo.pixels)
    written = bgdesk.save(cutout, tmp_path / "cut.png")
    assert written == tmp_path / "cut.png"
    again = bgdesk.load(written)
    assert again.pixels.shape == photo.pixels.shape


def test_the_photo_itself_is_never_overwritten(tmp_path: Path, sample: Path) -> None:
    source = tmp_path / "photo.png"
    source.write_bytes(sample.read_bytes())
    photo = bgdesk.load(source)
    opaque = np.ones(photo.pixels.shape[:2], np.float32)
    cutout = bgdesk.Cutout(source=photo.pixels, alpha=opaque, foreground=photo.pixels, trimap=np.full(opaque.shape, 255, np.uint8))
    with pytest.raises(bgdesk.SaveError, match=r"photo\.png"):
        bgdesk.save(cutout, source, photo=photo)
    assert source.read_bytes() == sample.read_bytes()


def test_a_missing_network_says_how_to_get_it(sample: Path) -> None:
    with pytest.raises(bgdesk.ModelError, match="bgdesk models install isnet-general"):
        bgdesk.Engine().segment(bgdesk.load(sample).pixels)


def test_networks_of_ones_own(tmp_path: Path, sample: Path) -> None:
    store = default_store()
    for id, preset, file in (
        ("mine", "birefnet-lite", weighted(tmp_path / "a.onnx")),
        ("hair", "vitmatte-base", matting(tmp_path / "b.onnx")),
    ):
        store.import_own(file, id, describe(id, preset, size=Size(128, 128)))
    engine = bgdesk.Engine("mine", matting="hair")
    assert engine.cut(bgdesk.load(sample).pixels).model == "mine + hair"
    with pytest.raises(bgdesk.ModelError, match="no network called 'none'"):
        bgdesk.Engine("mine", matting="none").cut(bgdesk.load(sample).pixels)


def test_every_public_name_is_there() -> None:
    for name in bgdesk.__all__:
        assert getattr(bgdesk, name) is not None
    assert set(dir(bgdesk)) == set(bgdesk.__all__)
    with pytest.raises(AttributeError, match="nothing_such"):
        _ = bgdesk.nothing_such


def test_a_stroke_through_the_public_interface() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    trimap = np.zeros((60, 80), np.uint8)
    trimap[20:40, 20:60] = 255
    alpha = (trimap / 255).astype(np.float32)
    trimap[18:22, 30:50] = 128
    before = trimap.copy()
    patch = bgdesk.Engine().rematte(pixels, trimap, alpha, (30, 18, 50, 22), reach="exact")
    assert patch.alpha.shape == patch.labels.shape == (patch.rect.height, patch.rect.width)
    assert np.array_equal(patch.labels, trimap[patch.rect.slices])
    assert np.array_equal(trimap, before)


def test_an_unknown_reach_is_refused() -> None:
    pixels, plane = np.zeros((9, 9, 3), np.uint8), np.zeros((9, 9), np.uint8)
    with pytest.raises(bgdesk.MattingError, match="Use smart or exact"):
        bgdesk.Engine().rematte(pixels, plane, plane.astype(np.float32), (0, 0, 5, 5), reach="far")


def test_the_other_stages_through_the_public_interface() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    trimap = np.full((60, 80), 128, np.uint8)
    trimap[:, :30], trimap[:, 50:] = 0, 255
    engine = bgdesk.Engine()
    alpha = engine.matte(pixels, trimap)
    assert (alpha.dtype, alpha.shape) == (np.dtype(np.float32), (60, 80))
    colours = engine.foreground(pixels, alpha)
    assert (colours.dtype, colours.shape) == (pixels.dtype, pixels.shape)
    assert engine.status.device == ""
