"""EXIF made true for the upright cutout, without moving a byte that something points at."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from bgdesk.core.geometry import Size
from bgdesk.files.metadata import bare_exif, sane_dpi, upright_exif, upright_xmp
from tests.files import pictures

THUMBNAIL = b"\xff\xd8thumbnail\xff\xd9"


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_upright_exif(order: str, orientation: int) -> None:
    data = upright_exif(pictures.exif_bytes(orientation, order, THUMBNAIL), Size(30, 40))
    assert data is not None
    exif = Image.Exif()
    exif.load(data)
    assert exif[pictures.ORIENTATION] == 1
    assert exif[0x010F] == "Camera"
    assert exif.get_ifd(0x8769) == {0xA002: 30, 0xA003: 40}
    assert b"thumbnail" not in data


def test_a_thumbnail_in_the_middle_is_wiped() -> None:
    """What follows it may be a maker note with offsets: it must not move."""
    data = upright_exif(pictures.exif_bytes(6, thumbnail=THUMBNAIL) + b"maker note", Size(40, 30))
    assert data is not None
    assert data.endswith(bytes(len(THUMBNAIL)) + b"maker note")


def test_blocks_that_do_not_hold_together() -> None:
    whole = pictures.exif_bytes(6, thumbnail=THUMBNAIL)
    assert upright_exif(None, Size(1, 1)) is None
    assert upright_exif(b"", Size(1, 1)) is None
    assert upright_exif(b"II*\0", Size(1, 1)) is None
    assert upright_exif(whole[:40], Size(1, 1)) is None
    assert upright_exif(whole[:4] + struct.pack("<I", 5000) + whole[8:], Size(1, 1)) is None


@given(st.binary(max_size=120), st.sampled_from([b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08"]))
def test_any_bytes(data: bytes, head: bytes) -> None:
    found = upright_exif(head + data, Size(40, 30))
    assert found is None or len(found) <= len(head + data)


def test_bare_exif() -> None:
    assert bare_exif(b"Exif\0\0II*\0rest") == b"II*\0rest"
    assert bare_exif(b"MM\0*rest") == b"MM\0*rest"
    assert bare_exif(b"rubbish") is None
    assert bare_exif("text") is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [((300, 300), (300, 300)), ((72.5, 96), (72.5, 96)), ((0, 300), None), ((float("nan"), 300), None), ((1e9, 300), None),
     (None, None), ((300,), None), (("a", 300), None), (300, None)],
)  # fmt: skip
def test_sane_dpi(value: object, expected: tuple[float, float] | None) -> None:
    assert sane_dpi(value) == expected


def test_upright_xmp() -> None:
    assert upright_xmp(None) is None
    assert upright_xmp(b"<tiff:Orientation>8</tiff:Orientation>") == b"<tiff:Orientation>1</tiff:Orientation>"
    assert upright_xmp(b"tiff:Orientation='3' x='3'") == b"tiff:Orientation='1' x='3'"
