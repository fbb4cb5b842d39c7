"""Profiles of every kind are obeyed; damaged ones are ignored."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from bgdesk.files import colour, icc
from bgdesk.files.load import load
from tests.files import pictures

PHOTO, DEEP = pictures.photo(), pictures.deep()
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def coded(linear: np.ndarray) -> np.ndarray:
    """Linear light -> sRGB, both in [0, 1]."""
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * np.maximum(linear, 0) ** (1 / 2.4) - 0.055)


def by_lcms(pixels: np.ndarray, profile: bytes) -> np.ndarray:
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    image = ImageCms.profileToProfile(
        Image.fromarray(pixels), source, ImageCms.createProfile("sRGB"), ImageCms.Intent.RELATIVE_COLORIMETRIC, "RGB"
    )
    assert image is not None
    return np.asarray(image)


@pytest.mark.parametrize("gamma", [1.0, 1.8, 2.2, 2.6])
@pytest.mark.parametrize("swap", [False, True])
def test_matrix_profiles(gamma: float, swap: bool) -> None:
    profile = pictures.gamma_profile(gamma, swap)
    expected = coded(((PHOTO[:, :, ::-1] if swap else PHOTO) / 255) ** gamma)
    found = colour.from_array(PHOTO, profile)
    assert found.dtype == np.uint8
    assert np.abs(found / 255 - expected).max() < 1.1 / 255
    assert np.abs(found.astype(int) - by_lcms(PHOTO, profile)).max() <= 1
    expected = coded(((DEEP[:, :, ::-1] if swap else DEEP) / 65535) ** gamma)
    found = colour.from_array(DEEP, profile)
    assert found.dtype == np.uint16
    assert np.abs(found / 65535 - expected).max() < 0.3 / 255  # profiles give their matrix in five digits
    greys = np.repeat(DEEP[:, :, :1], 3, axis=2)
    assert np.ptp(colour.from_array(greys, profile).astype(int), axis=2).max() <= 1


def test_a_profile_that_is_srgb_changes_nothing() -> None:
    assert colour.from_array(PHOTO, SRGB) is PHOTO
    assert colour.from_array(DEEP, SRGB) is DEEP
    assert np.array_equal(colour.from_pillow(Image.fromarray(PHOTO), SRGB), PHOTO)


@pytest.mark.parametrize("damage", [b"", b"rubbish", SRGB[:100], SRGB[:300], SRGB[:128] + bytes(2000)])
def test_damaged_profiles_are_ignored(damage: bytes) -> None:
    for pixels in (PHOTO, DEEP, PHOTO[:, :, 0]):
        expected = pixels if pixels.ndim == 3 else np.repeat(pixels[:, :, None], 3, axis=2)
        assert np.array_equal(colour.from_array(pixels, damage), expected)


def test_profiles_for_other_pictures_are_ignored() -> None:
    assert np.array_equal(colour.from_array(PHOTO, pictures.grey_profile(1.0)), PHOTO)
    cmyk = Image.frombytes("CMYK", (40, 30), bytes(40 * 30 * 4))
    assert (colour.from_pillow(cmyk, SRGB) == 255).all()


def test_grey_profiles() -> None:
    profile = pictures.grey_profile(1.0)
    grey = PHOTO[:, :, 1]
    for found, top in ((colour.from_array(grey, profile), 255), (colour.from_array(DEEP[:, :, 1], profile), 65535)):
        expected = coded((grey if top == 255 else DEEP[:, :, 1]) / top)
        assert found.shape == PHOTO.shape
        assert np.abs(found / top - expected[:, :, None]).max() < 1.6 / 255
        assert (found == found[:, :, :1]).all()


def test_grey_pictures_with_an_rgb_profile() -> None:
    grey = PHOTO[:, :, 0]
    found = colour.from_pillow(Image.fromarray(grey), pictures.gamma_profile(1.0))
    assert np.abs(found / 255 - coded(grey / 255)[:, :, None]).max() < 1.1 / 255


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "TIFF", "WEBP", "AVIF"])
def test_files_with_profiles(tmp_path: Path, format_: str) -> None:
    options = {"lossless": True} if format_ == "WEBP" else {"quality": 100} if format_ in ("JPEG", "AVIF") else {}
    data = pictures.encoded(Image.fromarray(PHOTO), format_, icc_profile=pictures.gamma_profile(1.0, swap=True), **options)
    found = load(pictures.write(tmp_path / "photo", data)).pixels
    assert np.abs(found / 255 - coded(PHOTO[:, :, ::-1] / 255)).mean() < 0.03


def test_named_primaries() -> None:
    """A P3 red is outside sRGB and clips; greys stay; the third colour was worked out by hand from the D65 matrices."""
    profile = icc.from_primaries(12)
    assert profile is not None
    pixels = np.array([[[255, 0, 0], [128, 128, 128], [100, 150, 200]]], np.uint8)
    assert icc.apply(profile, pixels).tolist() == [[[255, 0, 0], [128, 128, 128], [83, 152, 205]]]
    assert icc.from_primaries(1) is None
    assert icc.from_primaries(77) is None


def test_parametric_curves() -> None:
    """lcms writes sRGB's own curve as a parametric one (type 3)."""
    profile = icc.parse(SRGB)
    assert profile is not None
    steps = np.arange(65536) / 65535
    linear = np.where(steps <= 0.04045, steps / 12.92, ((steps + 0.055) / 1.055) ** 2.4)
    assert np.abs(profile.curves[0] - linear).max() < 1e-4
    assert np.abs(icc.apply(profile, DEEP).astype(int) - DEEP).max() < 0.3 * 257


def test_on_white() -> None:
    for dtype in (np.uint8, np.uint16):
        top = np.iinfo(dtype).max
        colours: Any = np.full((1, 4, 3), top // 3, dtype)
        alpha: Any = np.array([[0, top, top // 2, 1]], dtype)
        found = colour.on_white(colours, alpha)
        expected = np.rint((colours * alpha[:, :, None].astype(float) + top * (top - alpha[:, :, None].astype(float))) / top)
        assert np.array_equal(found, expected)
        opaque: Any = np.full((1, 4), top, dtype)
        assert colour.on_white(colours, opaque) is colours


def test_equal_exports_carry_equal_profiles() -> None:
    assert colour.srgb_profile() == colour.srgb_profile()
    assert ImageCms.getProfileDescription(io.BytesIO(colour.srgb_profile())).startswith("sRGB")
