"""Photos of every kind come out upright, in sRGB, at their own depth."""

import struct
import subprocess
import sys
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageOps

from bgdesk.core.errors import LoadError
from bgdesk.core.geometry import Size
from bgdesk.core.trimap import Label
from bgdesk.files.load import load, load_trimap, preview
from bgdesk.files.readers.orient import upright
from tests.files import pictures

PHOTO = pictures.photo()
RGB = Image.fromarray(PHOTO)


def opened(tmp_path: Path, data: bytes, name: str = "photo.bin") -> np.ndarray:
    """The pixels of a file with these bytes, after the checks that hold for every photo."""
    path = pictures.write(tmp_path / name, data)
    image = load(path)
    assert image.path == path
    assert image.name == name
    assert image.pixels.ndim == 3
    assert image.pixels.shape[2] == 3
    assert image.pixels.dtype in (np.uint8, np.uint16)
    assert image.pixels.flags.c_contiguous
    assert not image.pixels.flags.writeable
    assert image.size == Size(image.pixels.shape[1], image.pixels.shape[0])
    return image.pixels


@pytest.mark.parametrize("format_", ["PNG", "TIFF", "BMP", "PPM", "TGA", "QOI", "PCX", "SGI", "DDS", "ICO"])
def test_lossless_kinds_come_out_exactly(tmp_path: Path, format_: str) -> None:
    options = {"sizes": [RGB.size]} if format_ == "ICO" else {}
    # The suffix lies: only content counts (but for TGA, which has no signature).
    name = "photo.tga" if format_ == "TGA" else "photo.jpg"
    assert np.array_equal(opened(tmp_path, pictures.encoded(RGB, format_, **options), name), PHOTO)


@pytest.mark.parametrize(
    ("format_", "options"),
    [("PNG", {}), ("WEBP", {"lossless": True}), ("JPEG2000", {"irreversible": False}), ("TIFF", {"compression": "tiff_lzw"}),
     ("TIFF", {"compression": "tiff_adobe_deflate"}), ("TIFF", {"compression": "packbits"})],
)  # fmt: skip
def test_packed_kinds_come_out_exactly(tmp_path: Path, format_: str, options: dict[str, object]) -> None:
    assert np.array_equal(opened(tmp_path, pictures.encoded(RGB, format_, **options)), PHOTO)


@pytest.mark.parametrize("format_", ["JPEG", "WEBP", "AVIF", "MPO", "HEIF"])
def test_lossy_kinds_come_out_nearly(tmp_path: Path, format_: str) -> None:
    data = pictures.heif("orientation-1") if format_ == "HEIF" else pictures.encoded(RGB, format_, quality=95)
    assert np.abs(opened(tmp_path, data).astype(int) - PHOTO).mean() < 4


def test_jpeg_is_what_pillow_decodes(tmp_path: Path) -> None:
    data = pictures.encoded(RGB, "JPEG", quality=90)
    (tmp_path / "reference.jpg").write_bytes(data)
    with Image.open(tmp_path / "reference.jpg") as reference:
        assert np.array_equal(opened(tmp_path, data), np.asarray(reference))


def test_jpeg_with_bytes_after_its_end(tmp_path: Path) -> None:
    """Phones append their own data behind the picture."""
    data = pictures.encoded(RGB, "JPEG", quality=95) + b"trailer" * 100
    assert np.abs(opened(tmp_path, data).astype(int) - PHOTO).mean() < 4


def test_grey_pictures(tmp_path: Path) -> None:
    grey = PHOTO[:, :, 0]
    expected = np.repeat(grey[:, :, None], 3, axis=2)
    for format_ in ("PNG", "TIFF", "BMP"):
        assert np.array_equal(opened(tmp_path, pictures.encoded(Image.fromarray(grey), format_)), expected)


def test_one_bit_pictures(tmp_path: Path) -> None:
    bits = PHOTO[:, :, 0] > 100
    for format_, options in (("PNG", {}), ("TIFF", {"compression": "group4"}), ("BMP", {})):
        pixels = opened(tmp_path, pictures.encoded(Image.fromarray(bits), format_, **options))
        assert np.array_equal(pixels, np.repeat(bits[:, :, None] * np.uint8(255), 3, axis=2))


def test_sixteen_bit_grey(tmp_path: Path) -> None:
    grey = pictures.deep()[:, :, 0]
    expected = np.repeat(grey[:, :, None], 3, axis=2)
    for format_ in ("PNG", "TIFF"):
        assert np.array_equal(opened(tmp_path, pictures.encoded(Image.fromarray(grey), format_)), expected)


def test_sixteen_bit_png(tmp_path: Path) -> None:
    assert np.array_equal(opened(tmp_path, pictures.png_bytes(pictures.deep(), 2)), pictures.deep())


@pytest.mark.parametrize("planar", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
def test_sixteen_bit_tiff(tmp_path: Path, order: Literal["<", ">"], planar: bool) -> None:
    pixels = opened(tmp_path, pictures.tiff_bytes(pictures.deep(), order=order, planar=planar))
    # Separate planes are left to Pillow, which gives the upper 8 bits.
    assert np.array_equal(pixels, (pictures.deep() >> 8).astype(np.uint8) if planar else pictures.deep())


def test_float_tiff(tmp_path: Path) -> None:
    values = (pictures.deep() / 65535).astype(np.float32)
    assert np.abs(opened(tmp_path, pictures.tiff_bytes(values, floats=True)).astype(int) - pictures.deep()).max() <= 1


@pytest.mark.parametrize("top", [1.0, 255.0, 65535.0])
def test_float_grey_is_scaled(tmp_path: Path, top: float) -> None:
    values = np.linspace(0, top, 1200, dtype=np.float32).reshape(30, 40)
    pixels = opened(tmp_path, pictures.encoded(Image.fromarray(values), "TIFF"))
    assert np.abs(pixels[:, :, 1].astype(int) - np.rint(values / top * 65535)).max() <= 1


def test_whole_numbers_of_32_bits_are_scaled(tmp_path: Path) -> None:
    values = np.linspace(0, 2_000_000_000, 1200).astype(np.int32).reshape(30, 40)
    pixels = opened(tmp_path, pictures.encoded(Image.fromarray(values), "TIFF"))
    assert pixels.dtype == np.uint16
    assert np.abs(pixels[:, :, 0].astype(int) - np.linspace(0, 65535, 1200).reshape(30, 40)).max() <= 1


# --- transparency is laid over white ---------------------------------------------------------------------------------


def over_white(colours: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    top = np.iinfo(colours.dtype).max
    a = alpha[:, :, None].astype(float) / top
    return colours * a + top * (1 - a)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparent_png(tmp_path: Path, mode: str) -> None:
    alpha = PHOTO[:, :, 2]
    image = Image.fromarray(np.dstack((PHOTO, alpha)) if mode == "RGBA" else np.dstack((PHOTO[:, :, 0], alpha)))
    assert image.mode == mode
    colours = PHOTO if mode == "RGBA" else np.repeat(PHOTO[:, :, :1], 3, axis=2)
    assert np.abs(opened(tmp_path, pictures.encoded(image, "PNG")) - over_white(colours, alpha)).max() <= 0.5


@pytest.mark.parametrize("colour_type", [4, 6])
def test_transparent_sixteen_bit_png(tmp_path: Path, colour_type: int) -> None:
    alpha = pictures.deep()[:, :, 2]
    data = np.dstack((pictures.deep(), alpha)) if colour_type == 6 else np.dstack((pictures.deep()[:, :, 0], alpha))
    colours = pictures.deep() if colour_type == 6 else np.repeat(pictures.deep()[:, :, :1], 3, axis=2)
    pixels = opened(tmp_path, pictures.png_bytes(data, colour_type))
    assert pixels.dtype == np.uint16
    assert np.abs(pixels - over_white(colours, alpha)).max() <= 0.5


def test_sixteen_bit_tiff_with_each_meaning_of_a_fourth_channel(tmp_path: Path) -> None:
    alpha = np.maximum(pictures.deep()[:, :, 2], 20_000)
    straight = np.dstack((pictures.deep(), alpha))
    assert np.abs(opened(tmp_path, pictures.tiff_bytes(straight, extra=2)) - over_white(pictures.deep(), alpha)).max() <= 0.5
    assert np.array_equal(opened(tmp_path, pictures.tiff_bytes(straight, extra=0)), pictures.deep())
    multiplied = straight.copy()
    multiplied[:, :, :3] = np.rint(pictures.deep() * (alpha[:, :, None] / 65535))
    assert np.abs(opened(tmp_path, pictures.tiff_bytes(multiplied, extra=1)) - over_white(pictures.deep(), alpha)).max() <= 3


def test_palettes(tmp_path: Path) -> None:
    palette = RGB.quantize(16)
    expected = np.asarray(palette.convert("RGB"))
    for format_ in ("PNG", "GIF", "BMP", "TIFF"):
        assert np.array_equal(opened(tmp_path, pictures.encoded(palette, format_)), expected)
    clear = int(np.asarray(palette)[0, 0])
    pixels = opened(tmp_path, pictures.encoded(palette, "PNG", transparency=clear))
    assert (pixels[np.asarray(palette) == clear] == 255).all()
    assert np.array_equal(pixels[np.asarray(palette) != clear], expected[np.asarray(palette) != clear])


def test_transparent_colour_of_an_rgb_png(tmp_path: Path) -> None:
    clear = tuple(int(value) for value in PHOTO[3, 4])
    pixels = opened(tmp_path, pictures.encoded(RGB, "PNG", transparency=clear))
    hidden = (np.array(clear) == PHOTO).all(axis=2)
    assert (pixels[hidden] == 255).all()
    assert np.array_equal(pixels[~hidden], PHOTO[~hidden])


@pytest.mark.parametrize("format_", ["GIF", "PNG", "WEBP"])
def test_the_first_frame_of_an_animation(tmp_path: Path, format_: str) -> None:
    first, second = Image.new("RGB", (8, 6), (250, 10, 20)), Image.new("RGB", (8, 6), (0, 0, 200))
    options = {"lossless": True} if format_ == "WEBP" else {}
    data = pictures.encoded(first, format_, save_all=True, append_images=[second], **options)
    assert (opened(tmp_path, data) == (250, 10, 20)).all()


# --- turning ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("orientation", range(10))
@pytest.mark.parametrize("format_", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_every_exif_turn(tmp_path: Path, format_: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[pictures.ORIENTATION] = orientation
    options = {"lossless": True} if format_ == "WEBP" else {}
    path = pictures.write(tmp_path / "turned", pictures.encoded(RGB, format_, exif=exif, **options))
    with Image.open(path) as image:
        expected = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    pixels = load(path).pixels
    assert np.array_equal(pixels, expected)
    small = preview(path, 20)
    assert small.shape[:2] == (Size(pixels.shape[1], pixels.shape[0]).fit(20)[::-1])
    shrunk = cv2.resize(pixels, small.shape[1::-1], interpolation=cv2.INTER_AREA)
    assert np.abs(small.astype(int) - shrunk).mean() < 6


@pytest.mark.parametrize("orientation", range(1, 9))
def test_sixteen_bit_tiff_is_turned_once(tmp_path: Path, orientation: int) -> None:
    pixels = opened(tmp_path, pictures.tiff_bytes(pictures.deep(), orientation=orientation))
    assert np.array_equal(pixels, upright(pictures.deep(), orientation))


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 8))
def test_upright_agrees_with_pillow(width: int, height: int, orientation: int) -> None:
    pixels = np.arange(width * height * 3, dtype=np.uint8).reshape(height, width, 3)
    image = Image.fromarray(pixels)
    image.getexif()[pictures.ORIENTATION] = orientation
    turned = upright(pixels, orientation)
    assert np.array_equal(turned, np.asarray(ImageOps.exif_transpose(image)))
    assert turned.flags.c_contiguous


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_heif_turns_once(tmp_path: Path, orientation: int) -> None:
    """The container says how it is turned (irot), and EXIF says so too."""
    data = pictures.heif(f"orientation-{orientation}")
    assert (b"irot" in data) == (orientation != 1)
    assert np.abs(opened(tmp_path, data).astype(int) - upright(PHOTO, orientation)).mean() < 4


def test_avif_turns_once(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[pictures.ORIENTATION] = 6
    pixels = opened(tmp_path, pictures.encoded(RGB, "AVIF", exif=exif, quality=95))
    assert np.abs(pixels.astype(int) - upright(PHOTO, 6)).mean() < 4


def test_heif_of_ten_bits_keeps_its_depth(tmp_path: Path) -> None:
    pixels = opened(tmp_path, pictures.heif("deep"))
    assert pixels.dtype == np.uint16
    assert np.abs(pixels.astype(int) - pictures.deep()).mean() < 1200


# --- colour modes ----------------------------------------------------------------------------------------------------


def cmyk(rgb: np.ndarray) -> np.ndarray:
    return np.dstack((255 - rgb, np.zeros(rgb.shape[:2], np.uint8)))


@pytest.mark.parametrize(("format_", "tolerance"), [("TIFF", 0), ("JPEG", 4)])
def test_cmyk_without_a_profile(tmp_path: Path, format_: str, tolerance: int) -> None:
    """Pillow writes CMYK JPEG inverted with Adobe's marker, as Photoshop does."""
    image = Image.frombytes("CMYK", RGB.size, cmyk(PHOTO).tobytes())
    pixels = opened(tmp_path, pictures.encoded(image, format_, **({"quality": 95} if format_ == "JPEG" else {})))
    assert np.abs(pixels.astype(int) - PHOTO).mean() <= tolerance


def test_lab_tiff(tmp_path: Path) -> None:
    to_lab = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")
    pixels = opened(tmp_path, pictures.encoded(to_lab.apply(RGB), "TIFF"))
    assert np.abs(pixels.astype(int) - PHOTO).mean() < 2


def test_ycbcr_tiff(tmp_path: Path) -> None:
    pixels = opened(tmp_path, pictures.encoded(RGB.convert("YCbCr"), "TIFF"))
    assert np.abs(pixels.astype(int) - PHOTO).mean() < 2


# --- Photoshop -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [1, 2])
def test_psd_rgb(tmp_path: Path, version: int) -> None:
    assert np.array_equal(opened(tmp_path, pictures.psd_bytes(PHOTO.transpose(2, 0, 1), 3, version=version)), PHOTO)
    assert np.array_equal(opened(tmp_path, pictures.psd_bytes(pictures.deep().transpose(2, 0, 1), 3, version=version)), pictures.deep())


def test_psd_other_modes(tmp_path: Path) -> None:
    grey = PHOTO[:, :, :1].transpose(2, 0, 1)
    expected = np.repeat(PHOTO[:, :, :1], 3, axis=2)
    assert np.array_equal(opened(tmp_path, pictures.psd_bytes(grey, 1)), expected)
    assert np.array_equal(opened(tmp_path, pictures.psd_bytes(grey, 8, palette=b"duotone")), expected)
    bits = PHOTO[:, :, :1].transpose(2, 0, 1) > 100
    assert np.array_equal(opened(tmp_path, pictures.psd_bytes(bits, 0)), np.where(bits[0, :, :, None], 0, 255).repeat(3, axis=2))
    table = np.random.default_rng(0).integers(0, 256, (256, 3)).astype(np.uint8)
    assert np.array_equal(opened(tmp_path, pictures.psd_bytes(grey, 2, palette=table.T.tobytes())), table[PHOTO[:, :, 0]])
    inverted = (255 - cmyk(PHOTO)).transpose(2, 0, 1)
    assert np.array_equal(opened(tmp_path, pictures.psd_bytes(inverted, 4)), PHOTO)
    lab = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB").apply(RGB)
    planes = np.asarray(lab).transpose(2, 0, 1).copy()
    planes[1:] ^= 0x80
    assert np.abs(opened(tmp_path, pictures.psd_bytes(planes, 9)).astype(int) - PHOTO).mean() < 2


def test_psd_of_32_bits_is_linear_light(tmp_path: Path) -> None:
    linear = np.where(PHOTO / 255 <= 0.04045, PHOTO / 255 / 12.92, ((PHOTO / 255 + 0.055) / 1.055) ** 2.4).astype(np.float32)
    pixels = opened(tmp_path, pictures.psd_bytes(linear.transpose(2, 0, 1), 3))
    assert np.abs(pixels / 257 - PHOTO).max() < 0.01


def test_psd_says_its_resolution_and_profile(tmp_path: Path) -> None:
    profile = pictures.gamma_profile(1.8)
    resolution = struct.pack(">I2HI2H", 300 << 16, 1, 1, 150 << 16, 1, 1)
    data = pictures.psd_bytes(PHOTO.transpose(2, 0, 1), 3, resources=((1005, resolution), (1039, profile)))
    image = load(pictures.write(tmp_path / "a.psd", data))
    assert image.dpi == (300.0, 150.0)
    assert image.icc == profile
    assert np.abs(image.pixels / 255 - expected_srgb((PHOTO / 255) ** 1.8)).max() < 1.1 / 255


def expected_srgb(linear: np.ndarray) -> np.ndarray:
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)


# --- what travels along ----------------------------------------------------------------------------------------------


def test_metadata_is_found(tmp_path: Path) -> None:
    profile, exif, xmp = pictures.gamma_profile(2.2), pictures.exif_bytes(6), b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>"
    data = pictures.encoded(RGB, "JPEG", icc_profile=profile, exif=b"Exif\0\0" + exif, dpi=(300, 150), xmp=xmp)
    image = load(pictures.write(tmp_path / "photo.jpg", data))
    assert (image.icc, image.exif, image.xmp) == (profile, exif, xmp)
    assert image.dpi == (150.0, 300.0)  # turned with the picture
    assert image.size == Size(30, 40)
    assert load(pictures.write(tmp_path / "bare.jpg", pictures.encoded(RGB, "JPEG"))).dpi is None


# --- trimaps and previews --------------------------------------------------------------------------------------------


def test_load_trimap(tmp_path: Path) -> None:
    grey = np.array([[0, 63, 64, 128], [191, 192, 255, 130]], np.uint8)
    path = pictures.write(tmp_path / "trimap.png", pictures.encoded(Image.fromarray(grey), "PNG"))
    b, u, f = Label.BACKGROUND, Label.UNKNOWN, Label.FOREGROUND
    assert np.array_equal(load_trimap(path, Size(4, 2)), [[b, b, u, u], [u, f, f, u]])
    with pytest.raises(LoadError, match=r"trimap\.png does not fit as a trimap: it has 4 × 2 pixels, the photo 5 × 2"):
        load_trimap(path, Size(5, 2))


def test_preview_never_enlarges(tmp_path: Path) -> None:
    for name, data in (("a.jpg", pictures.encoded(RGB, "JPEG")), ("a.png", pictures.encoded(RGB, "PNG"))):
        small = preview(pictures.write(tmp_path / name, data), 4000)
        assert small.shape == PHOTO.shape
        assert small.dtype == np.uint8


@pytest.mark.parametrize(
    "data", [pictures.png_bytes(pictures.deep(), 2), pictures.psd_bytes(PHOTO.transpose(2, 0, 1), 3)], ids=["png", "psd"]
)
def test_preview_of_other_kinds(tmp_path: Path, data: bytes) -> None:
    small = preview(pictures.write(tmp_path / "photo", data), 10)
    assert small.shape == (8, 10, 3)
    assert np.abs(small.astype(int) - cv2.resize(PHOTO, (10, 8), interpolation=cv2.INTER_AREA)).mean() < 8


def test_preview_obeys_profile_and_cmyk(tmp_path: Path) -> None:
    swapped = pictures.gamma_profile(2.2, swap=True)
    small = preview(pictures.write(tmp_path / "a.jpg", pictures.encoded(RGB, "JPEG", icc_profile=swapped, quality=95)), 20)
    full = load(tmp_path / "a.jpg").pixels
    assert np.abs(small.astype(int) - cv2.resize(full, (20, 15), interpolation=cv2.INTER_AREA)).mean() < 4
    image = Image.frombytes("CMYK", RGB.size, cmyk(PHOTO).tobytes())
    small = preview(pictures.write(tmp_path / "b.jpg", pictures.encoded(image, "JPEG", quality=95)), 20)
    assert np.abs(small.astype(int) - cv2.resize(PHOTO, (20, 15), interpolation=cv2.INTER_AREA)).mean() < 4


def test_importing_is_light() -> None:
    """psd-tools and pi-heif are imported when such a file is met."""
    code = "import sys, bgdesk.files.load; print([m for m in ('psd_tools', 'pi_heif', 'torch', 'PySide6', 'scipy') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
