"""Layered documents agree with the cutout, read by psd-tools and by ImageMagick."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image
from psd_tools import PSDImage
from psd_tools.constants import ChannelID, Compression, Resource
from psd_tools.psd import PSD

from bgdesk.core.arrays import quantise
from bgdesk.core.cutout import Cutout
from bgdesk.core.errors import SaveError
from bgdesk.core.formats import Format
from bgdesk.files import atomic, colour
from bgdesk.files.load import load
from bgdesk.files.save import save
from bgdesk.files.writers import psd
from tests.files import pictures

DEPTHS = [np.uint8, np.uint16]


def channel(layer: Any, id_: ChannelID, dtype: type) -> np.ndarray:
    """One channel of a layer as psd-tools unpacks it."""
    record, shape = layer._record, (layer.height, layer.width)
    index = [info.id for info in record.channel_info].index(id_)
    depth = np.dtype(dtype).itemsize * 8
    data = layer._channels[index].get_data(layer.width, layer.height, depth, 1)
    return np.frombuffer(data, np.dtype(dtype).newbyteorder(">")).reshape(shape)


def merged(path: Path, dtype: type) -> np.ndarray:
    with open(path, "rb") as stream:
        document = PSD.read(stream)
    assert document.image_data.compression == Compression.RLE
    data = cast(list[bytes], document.image_data.get_data(document.header))
    planes = [np.frombuffer(plane, np.dtype(dtype).newbyteorder(">")) for plane in data]
    return np.stack(planes, axis=-1).reshape(document.header.height, document.header.width, 4)


def layer_colours(cutout: Cutout) -> np.ndarray:
    """What the subject's layer is to hold: its colours within eight pixels of what shows, the photo elsewhere."""
    shows = (quantise(cutout.alpha, cutout.source.dtype) > 0).astype(np.uint8)
    near = cv2.dilate(shows, np.ones((17, 17), np.uint8)) > 0
    return np.where(near[:, :, None], cutout.foreground, cutout.source)


@pytest.mark.parametrize("dtype", DEPTHS)
def test_what_psd_tools_reads(tmp_path: Path, dtype: type) -> None:
    cutout = pictures.cutout(dtype=dtype)
    alpha = quantise(cutout.alpha, dtype)
    document = PSDImage.open(save(cutout, tmp_path / "a.psd"))
    assert (document.width, document.height, document.depth, document.channels) == (40, 30, np.dtype(dtype).itemsize * 8, 4)
    source, subject = document
    assert [(layer.name, layer.visible, layer.bbox, layer.opacity, layer.kind) for layer in (source, subject)] == [
        ("Source", False, (0, 0, 40, 30), 255, "pixel"),
        ("Cutout", True, (0, 0, 40, 30), 255, "pixel"),
    ]
    assert source.mask is None
    mask = subject.mask
    assert mask is not None
    assert (mask.bbox, mask.background_color, mask.disabled) == ((0, 0, 40, 30), 0, False)
    for index, id_ in enumerate((ChannelID.CHANNEL_0, ChannelID.CHANNEL_1, ChannelID.CHANNEL_2)):
        assert np.array_equal(channel(source, id_, dtype), cutout.source[:, :, index])
        assert np.array_equal(channel(subject, id_, dtype), layer_colours(cutout)[:, :, index])
    for layer in (source, subject):  # the alpha is in the mask: the colours themselves are opaque
        assert (channel(layer, ChannelID.TRANSPARENCY_MASK, dtype) == np.iinfo(dtype).max).all()
    assert np.array_equal(channel(subject, ChannelID.USER_LAYER_MASK, dtype), alpha)
    found = merged(tmp_path / "a.psd", dtype)
    assert np.array_equal(found[:, :, 3], alpha)
    assert np.array_equal(found[:, :, :3], colour.on_white(cutout.foreground, alpha))


@pytest.mark.parametrize("dtype", DEPTHS)
def test_painting_the_mask_white_brings_the_photo_back(tmp_path: Path, dtype: type) -> None:
    random = np.random.default_rng(8)
    source: Any = random.integers(0, np.iinfo(dtype).max + 1, (90, 120, 3)).astype(dtype)
    alpha = np.zeros((90, 120), np.float32)
    alpha[40:50, 50:70] = 0.5
    cutout = Cutout(source=source, alpha=alpha, foreground=np.full_like(source, 7), trimap=np.full(alpha.shape, 128, np.uint8))
    _, subject = PSDImage.open(save(cutout, tmp_path / "a.psd"))
    found = np.stack([channel(subject, id_, dtype) for id_ in (ChannelID.CHANNEL_0, ChannelID.CHANNEL_1, ChannelID.CHANNEL_2)], axis=-1)
    near = np.zeros(alpha.shape, bool)
    near[32:58, 42:78] = True  # the subject and eight pixels around it
    assert (found[near] == 7).all()
    assert np.array_equal(found[~near], source[~near])


def test_psd_tools_composes_what_we_merged(tmp_path: Path) -> None:
    """Its own compositing of the layers gives the cutout over nothing."""
    cutout = pictures.cutout()
    document = PSDImage.open(save(cutout, tmp_path / "a.psd"))
    found = np.asarray(document.composite(force=True))
    alpha = quantise(cutout.alpha, np.uint8)
    assert np.abs(found[:, :, 3].astype(int) - alpha).max() <= 1
    shown = alpha > 0
    assert np.abs(found[:, :, :3].astype(int) - cutout.foreground)[shown].max() <= 1
    assert document.has_preview()
    preview = np.asarray(document.topil())
    assert np.array_equal(preview[alpha == 255][:, :3], cutout.foreground[alpha == 255])


def raw(imagemagick: Callable[..., str], path: Path, index: int, depth: int) -> np.ndarray:
    out = path.with_suffix(f".{index}")
    imagemagick("convert", f"{path}[{index}]", "-depth", depth, f"rgba:{out}")
    return np.fromfile(out, f"<u{depth // 8}").reshape(30, 40, 4)


@pytest.mark.parametrize("dtype", DEPTHS)
def test_what_imagemagick_reads(tmp_path: Path, imagemagick: Callable[..., str], dtype: type) -> None:
    cutout = pictures.cutout(dtype=dtype)
    path = save(cutout, tmp_path / "a.psd")
    depth, top = np.dtype(dtype).itemsize * 8, np.iinfo(dtype).max
    listed = imagemagick("identify", "-format", "%s|%l|%wx%h%O|%z|%[colorspace]\n", path).splitlines()
    assert listed == [f"0||40x30+0+0|{depth}|sRGB", f"1|Source|40x30+0+0|{depth}|sRGB", f"2|Cutout|40x30+0+0|{depth}|sRGB"]
    alpha = quantise(cutout.alpha, dtype)
    source, subject = raw(imagemagick, path, 1, depth), raw(imagemagick, path, 2, depth)
    assert np.array_equal(source[:, :, :3], cutout.source)
    assert (source[:, :, 3] == top).all()
    assert np.array_equal(subject[:, :, 3], alpha)  # it applies the mask
    assert np.array_equal(subject[:, :, :3][alpha > 0], cutout.foreground[alpha > 0])
    whole = raw(imagemagick, path, 0, depth)
    assert np.array_equal(whole[:, :, 3], alpha)
    assert np.array_equal(whole[alpha == top][:, :3], cutout.foreground[alpha == top])
    # It takes the white out of the merged colours again; rounding is all that may differ.
    over_white = colour.on_white(whole[:, :, :3].copy(), alpha)
    assert np.abs(over_white.astype(int) - colour.on_white(cutout.foreground, alpha)).max() <= 1


def test_we_load_it_over_white(tmp_path: Path) -> None:
    for dtype in DEPTHS:
        cutout = pictures.cutout(dtype=dtype)
        pixels = load(save(cutout, tmp_path / "a.psd")).pixels
        assert np.array_equal(pixels, colour.on_white(cutout.foreground, quantise(cutout.alpha, dtype)))


@settings(max_examples=40)
@given(
    st.sampled_from(DEPTHS).flatmap(
        lambda dtype: arrays.array_shapes(min_dims=2, max_dims=2, max_side=40).flatmap(lambda shape: arrays.arrays(dtype, (*shape, 4)))
    )
)
def test_any_pixels_round_trip(tmp_path_factory: pytest.TempPathFactory, pixels: np.ndarray) -> None:
    dtype, top = pixels.dtype.type, np.iinfo(pixels.dtype).max
    alpha = (pixels[:, :, 3] / top).astype(np.float32)
    colours = np.ascontiguousarray(pixels[:, :, :3])
    cutout = Cutout(source=colours[::-1].copy(), alpha=alpha, foreground=colours, trimap=np.zeros(alpha.shape, np.uint8))
    source, subject = PSDImage.open(save(cutout, tmp_path_factory.getbasetemp() / "any.psd"))
    assert np.array_equal(channel(source, ChannelID.CHANNEL_1, dtype), cutout.source[:, :, 1])
    assert np.array_equal(channel(subject, ChannelID.CHANNEL_2, dtype), layer_colours(cutout)[:, :, 2])
    assert np.array_equal(channel(subject, ChannelID.USER_LAYER_MASK, dtype), pixels[:, :, 3])


def test_pictures_of_many_bands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cutout = pictures.cutout(97, 61)
    whole = save(cutout, tmp_path / "whole.psd").read_bytes()
    monkeypatch.setattr(psd, "_BAND_BYTES", 2000)
    assert save(cutout, tmp_path / "bands.psd").read_bytes() == whole


def test_resources(tmp_path: Path) -> None:
    exif = b"Exif\0\0" + pictures.exif_bytes(6)
    xmp = b'<x:xmpmeta tiff:Orientation="6"/>'
    data = pictures.encoded(Image.fromarray(pictures.photo()), "JPEG", exif=exif, dpi=(300, 150), xmp=xmp)
    metadata = load(pictures.write(tmp_path / "photo.jpg", data))
    found = PSDImage.open(save(pictures.cutout(30, 40), tmp_path / "a.psd", metadata=metadata)).image_resources
    resolution = found.get_data(Resource.RESOLUTION_INFO)
    assert (resolution.horizontal / 65536, resolution.vertical / 65536) == (150, 300)
    assert found.get_data(Resource.ICC_PROFILE) == colour.srgb_profile()
    assert found.get_data(Resource.VERSION_INFO).has_composite
    assert found.get_data(Resource.XMP_METADATA) == xmp.replace(b"6", b"1")
    block = Image.Exif()
    block.load(found.get_data(Resource.EXIF_DATA_1))
    assert block[pictures.ORIENTATION] == 1


def test_without_metadata(tmp_path: Path) -> None:
    found = PSDImage.open(save(pictures.cutout(), tmp_path / "a.psd")).image_resources
    resolution = found.get_data(Resource.RESOLUTION_INFO)
    assert (resolution.horizontal, resolution.vertical) == (72 << 16, 72 << 16)
    assert Resource.EXIF_DATA_1 not in found


def test_limits_of_the_format(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wide = pictures.cutout(Format.PSD.facts.largest_side + 1, 2)
    with pytest.raises(SaveError, match=r"^a\.psd could not be saved: a PSD has at most 30000 pixels a side, .*30001 × 2\. Export PNG"):
        save(wide, tmp_path / "a.psd")
    monkeypatch.setattr(psd, "MAX_BYTES", 5000)
    with pytest.raises(SaveError, match=r"^a\.psd could not be saved: it would be larger than the 2 GB"):
        save(pictures.cutout(), tmp_path / "a.psd")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("part", ["source", "foreground", "alpha"])
@pytest.mark.parametrize("dtype", DEPTHS)
def test_the_check_sees_every_part(tmp_path: Path, part: str, dtype: type) -> None:
    """A file that holds another cutout, different in one pixel, does not pass."""
    cutout = pictures.cutout(dtype=dtype)
    path = save(cutout, tmp_path / "a.psd")
    assert psd.check(path, cutout, lambda *_: None)
    values = {name: getattr(cutout, name).copy() for name in ("source", "alpha", "foreground", "trimap")}
    values[part][15, 20] = 0.5 if part == "alpha" else 7
    assert not psd.check(path, Cutout(**values), lambda *_: None)
    assert not psd.check(path, pictures.cutout(39, 30, dtype), lambda *_: None)


def test_the_check_sees_names_and_visibility(tmp_path: Path) -> None:
    cutout = pictures.cutout()
    path = save(cutout, tmp_path / "a.psd")
    for change in ("name", "visible"):
        with open(path, "rb") as stream:
            document = PSD.read(stream)
        info = document.layer_and_mask_information.layer_info
        assert info is not None
        record = info.layer_records[0]
        if change == "name":
            record.name = "Photo"
        else:
            record.flags.visible = True
        with open(tmp_path / "b.psd", "wb") as stream:
            document.write(stream)
        assert not psd.check(tmp_path / "b.psd", cutout, lambda *_: None)


def test_progress_never_goes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(atomic, "_PIECE", 3000)
    monkeypatch.setattr(psd, "_BAND_BYTES", 2000)
    for name in ("a.psd", "a.png"):
        steps: list[float] = []

        def progress(stage: str, fraction: float, steps: list[float] = steps) -> None:
            steps.append(fraction)

        save(pictures.cutout(200, 100), tmp_path / name, progress=progress)
        assert steps == sorted(steps)
        assert steps[0] == 0
        assert steps[-1] == 1
