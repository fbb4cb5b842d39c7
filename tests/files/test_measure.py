"""Width and height from a file's head, without decoding it."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bgdesk.core.cutout import Cutout
from bgdesk.core.errors import LoadError
from bgdesk.core.geometry import Size
from bgdesk.files.load import load, measure
from bgdesk.files.save import save
from tests.files import pictures


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.tif", "a.webp", "a.avif", "a.heic", "a.gif", "a.bmp", "a.jp2"])
def test_head_tells_what_decoding_finds(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    if name.endswith(".heic"):
        path.write_bytes(pictures.heif("orientation-1"))
    else:
        Image.new("RGB", (40, 30), "teal").save(path)
    assert measure(path) == load(path).size == Size(40, 30)


def test_psd_is_measured_too(tmp_path: Path) -> None:
    pixels = np.zeros((20, 30, 3), np.uint8)
    path = save(
        Cutout(source=pixels, alpha=np.ones((20, 30), np.float32), foreground=pixels, trimap=np.full((20, 30), 255, np.uint8)),
        tmp_path / "a.psd",
    )
    assert measure(path) == Size(30, 20)


def test_photo_on_its_side_is_measured_as_it_is_stored(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (60, 34)).save(tmp_path / "a.jpg", exif=exif)
    assert measure(tmp_path / "a.jpg") == Size(60, 34)
    assert load(tmp_path / "a.jpg").size == Size(34, 60)


def test_pixels_are_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.effect_noise((400, 300), 50).save(path)
    path.write_bytes(path.read_bytes()[:100])
    assert measure(path) == Size(400, 300)
    with pytest.raises(LoadError):
        load(path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b"plain words", "a text file"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0", "damaged|ends early"),
        (b"8BPS\0\1", "damaged|ends early"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\xff\0\0\0\xff\0\0\x08\x06\0\0\0", "more than the 500 megapixels"),
    ],
)
def test_what_is_no_photo_is_refused_in_words(content: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(LoadError, match=rf"^a\.png could not be read: .*({said})"):
        measure(tmp_path / "a.png")


def test_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(LoadError, match=r"^gone\.jpg could not be read: there is no such file"):
        measure(tmp_path / "gone.jpg")
