"""PNG cutouts hold what was meant, read by decoders of other makes."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image, PngImagePlugin

from bgdesk.core.arrays import quantise
from bgdesk.core.cutout import Cutout
from bgdesk.core.recipe import ExportRecipe
from bgdesk.files.load import load
from bgdesk.files.save import save
from tests.files import pictures


def decoded(path: Path) -> np.ndarray:
    """H×W×4 RGBA or H×W grey, at the file's own depth."""
    found = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert found is not None
    return found if found.ndim == 2 else found[:, :, [2, 1, 0, 3]]


def chunks(path: Path) -> list[bytes]:
    data, at, found = path.read_bytes(), 8, []
    while at < len(data):
        found.append(data[at + 4 : at + 8])
        at += 12 + int.from_bytes(data[at : at + 4], "big")
    return found


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_every_pixel(tmp_path: Path, dtype: type) -> None:
    cutout = pictures.cutout(dtype=dtype)
    found = decoded(save(cutout, tmp_path / "a.png"))
    assert found.dtype == dtype
    assert np.array_equal(found[:, :, :3], cutout.foreground)  # colours under alpha 0 too
    assert np.array_equal(found[:, :, 3], quantise(cutout.alpha, dtype))
    assert (found[:, :, 3] == 0).any()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_opacity_alone(tmp_path: Path, dtype: type) -> None:
    cutout = pictures.cutout(dtype=dtype)
    found = decoded(save(cutout, tmp_path / "a.png", ExportRecipe(alpha_only=True)))
    assert found.dtype == dtype
    assert np.array_equal(found, quantise(cutout.alpha, dtype))


@given(
    st.sampled_from([np.uint8, np.uint16]).flatmap(
        lambda dtype: arrays.array_shapes(min_dims=2, max_dims=2, max_side=70).flatmap(lambda shape: arrays.arrays(dtype, (*shape, 4)))
    )
)
def test_any_pixels_round_trip(tmp_path_factory: pytest.TempPathFactory, pixels: np.ndarray) -> None:
    top = np.iinfo(pixels.dtype).max
    alpha = (pixels[:, :, 3] / top).astype(np.float32)
    colours = np.ascontiguousarray(pixels[:, :, :3])
    cutout = Cutout(source=colours, alpha=alpha, foreground=colours, trimap=np.zeros(alpha.shape, np.uint8))
    path = save(cutout, tmp_path_factory.getbasetemp() / "any.png")
    assert np.array_equal(decoded(path), pixels)
    with Image.open(path) as image:
        image.load()  # Pillow checks the end of the compressed stream


def test_pictures_of_many_strips(tmp_path: Path) -> None:
    """Larger than one strip, and not a multiple of it."""
    cutout = pictures.cutout(1999, 701)
    found = decoded(save(cutout, tmp_path / "a.png"))
    assert np.array_equal(found[:, :, :3], cutout.foreground)
    with Image.open(tmp_path / "a.png") as image:
        assert np.array_equal(np.asarray(image), found)


def test_slices_of_larger_arrays(tmp_path: Path) -> None:
    whole = pictures.cutout(80, 60)
    part = Cutout(
        source=whole.source[5:35, 9:49],
        alpha=whole.alpha[5:35, 9:49],
        foreground=whole.foreground[5:35, 9:49],
        trimap=whole.trimap[5:35, 9:49],
    )
    assert np.array_equal(decoded(save(part, tmp_path / "a.png"))[:, :, :3], part.foreground)
    save(part, tmp_path / "a.psd")


def test_imagemagick_reads_the_same(tmp_path: Path, imagemagick: Callable[..., str]) -> None:
    for dtype in (np.uint8, np.uint16):
        path = save(pictures.cutout(dtype=dtype), tmp_path / "a.png")
        depth = np.dtype(dtype).itemsize * 8
        imagemagick("convert", path, "-depth", depth, f"rgba:{tmp_path / 'raw'}")
        raw = np.fromfile(tmp_path / "raw", dtype).reshape(30, 40, 4)
        assert np.array_equal(raw, decoded(path))


# --- what travels along ----------------------------------------------------------------------------------------------


def source_with(tmp_path: Path, **options: Any) -> Any:
    return load(pictures.write(tmp_path / "photo.jpg", pictures.encoded(Image.fromarray(pictures.photo()), "JPEG", **options)))


def test_chunks_stand_where_the_standard_wants_them(tmp_path: Path) -> None:
    metadata = source_with(tmp_path, exif=b"Exif\0\0" + pictures.exif_bytes(1), dpi=(300, 300), xmp=b"<x:xmpmeta/>")
    path = save(pictures.cutout(), tmp_path / "a.png", metadata=metadata)
    assert chunks(path) == [b"IHDR", b"sRGB", b"pHYs", b"eXIf", b"iTXt", b"IDAT", b"IEND"]
    assert chunks(save(pictures.cutout(), tmp_path / "b.png")) == [b"IHDR", b"sRGB", b"IDAT", b"IEND"]


def test_metadata_of_the_turned_photo(tmp_path: Path) -> None:
    thumbnail = b"\xff\xd8 the photo, uncut \xff\xd9"
    xmp = b'<x:xmpmeta><rdf:Description tiff:Orientation="6"/><tiff:Orientation>6</tiff:Orientation></x:xmpmeta>'
    exif = b"Exif\0\0" + pictures.exif_bytes(6, thumbnail=thumbnail)
    metadata = source_with(tmp_path, exif=exif, dpi=(300, 150), xmp=xmp)
    path = save(pictures.cutout(30, 40), tmp_path / "a.png", metadata=metadata)
    with PngImagePlugin.PngImageFile(io.BytesIO(path.read_bytes())) as image:
        image.load()
        exif_out = image.getexif()
        assert exif_out[pictures.ORIENTATION] == 1
        assert exif_out[0x010F] == "Camera"
        assert exif_out.get_ifd(0x8769) == {0xA002: 30, 0xA003: 40}
        assert image.info["dpi"] == pytest.approx((150, 300), abs=0.02)
        assert image.info["xmp"] == xmp.replace(b'="6"', b'="1"').replace(b">6<", b">1<")
        assert image.size == (30, 40)
    assert b"uncut" not in path.read_bytes()
    assert np.array_equal(load(path).pixels.shape, (40, 30, 3))  # no reader turns it again
