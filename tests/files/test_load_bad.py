"""Files that cannot be read give a LoadError that names them and says what to do, and cost little."""

import errno
import os
import resource
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from bgdesk.core.errors import LoadError
from bgdesk.files.load import load, preview
from bgdesk.files.readers import pillow_read
from tests.files import pictures

RGB = Image.fromarray(pictures.photo(400, 300))
EARLY = "the file ends early. Copy it again from the camera."


def refusal(path: Path) -> str:
    """What a person is told, less the name of the file; load and preview must say the same."""
    said = []
    for read in (load, lambda p: preview(p, 64)):
        with pytest.raises(LoadError) as caught:
            read(path)
        said.append(str(caught.value))
    start = f"{path.name} could not be read: "
    assert said[0] == said[1]
    assert said[0].startswith(start)
    return said[0].removeprefix(start)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "the file is empty."),
        (b"<?xml version='1.0'?>\n<svg xmlns='http://www.w3.org/2000/svg'/>", "it is an SVG drawing. Export it as PNG"),
        (b"\xef\xbb\xbf<!DOCTYPE html><html></html>", "it is a web page."),
        ("Grüße,\nhere are the photos.\n".encode(), "it is a text file."),
        ("ä".encode() * 5000, "it is a text file."),
        (b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + bytes(100), "it is a video. Take a still picture"),
        (b"\0\0\0\x14ftypqt  \0\0\0\0qt  " + bytes(100), "it is a video."),
        (b"\x1aE\xdf\xa3" + bytes(100), "it is a video."),
        (b"RIFF\x24\0\0\0WAVEfmt " + bytes(100), "it is a sound recording."),
        (b"RIFF\x24\0\0\0AVI LIST" + bytes(100), "it is a video."),
        (b"%PDF-1.7\n" + bytes(100), "it is a PDF document."),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "it is a PostScript drawing."),
        (b"PK\x03\x04" + bytes(100), "it is a ZIP archive"),
        (b"\0\0\0\x18ftypcrx \0\0\0\x01crx isom" + bytes(100), "it is a camera raw file. Develop it first"),
        (b"II*\0\x10\0\0\0CR\x02\0" + bytes(100), "it is a camera raw file."),
        (b"FUJIFILMCCD-RAW 0201" + bytes(100), "it is a camera raw file."),
        (b"gimp xcf v011" + bytes(100), "it is a GIMP document."),
        (b"\x7fELF" + bytes(100), "it is a program."),
        (bytes(500), "it is not a picture, or of a kind that bgdesk does not know."),
        (b"\x89PNG\r\n\x1a\n" + b"junk" * 50, "the file ends early."),
        (b"8BPS\0\x01" + bytes(6) + struct.pack(">HIIHH", 3, 10, 10, 7, 3) + bytes(100), "it is damaged"),
    ],
)
def test_what_is_not_a_photo(tmp_path: Path, data: bytes, told: str) -> None:
    assert refusal(pictures.write(tmp_path / "photo.jpg", data)).startswith(told)


def test_raw_files_in_tiff_clothes(tmp_path: Path) -> None:
    """Their first picture is a thumbnail, which nobody wants cut out."""
    path = pictures.write(tmp_path / "DSC_0001.NEF", pictures.encoded(RGB, "TIFF"))
    assert refusal(path).startswith("it is a camera raw file.")


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP", "TIFF", "BMP", "AVIF", "GIF", "PSD", "PSD rows", "PNG 16", "HEIF"])
@pytest.mark.parametrize("share", [0.5, 0.9])
def test_files_that_end_early(tmp_path: Path, format_: str, share: float) -> None:
    if format_.startswith("PSD"):
        data = pictures.psd_bytes(pictures.photo(400, 300).transpose(2, 0, 1), 3)
        if format_ == "PSD rows":  # packed rows
            data = data[: 26 + 12] + b"\0\1" + struct.pack(">900H", *[400] * 900) + bytes(200)
    elif format_ == "PNG 16":
        data = pictures.png_bytes(pictures.deep(200, 100), 2)
    elif format_ == "HEIF":
        data = pictures.heif("orientation-1")
    else:
        data = pictures.encoded(RGB, format_)
    assert refusal(pictures.write(tmp_path / "photo.jpg", data[: int(len(data) * share)])) == EARLY


@pytest.mark.parametrize("length", [3, 4, 10, 20, 100, 400])
def test_a_jpeg_cut_in_its_header(tmp_path: Path, length: int) -> None:
    data = pictures.encoded(RGB, "JPEG", exif=b"Exif\0\0" + pictures.exif_bytes(6, thumbnail=b"\xff\xd8thumbnail\xff\xd9"))
    assert refusal(pictures.write(tmp_path / "photo.jpg", data[:length])) == EARLY


def test_png_with_damaged_pixels(tmp_path: Path) -> None:
    for pixels in (pictures.photo(), pictures.deep()):
        data = bytearray(pictures.png_bytes(pixels, 2))
        data[data.index(b"IDAT") + 50] ^= 0xFF
        assert refusal(pictures.write(tmp_path / "a.png", bytes(data))).startswith("it is damaged")


def test_png_with_damaged_side_data_opens(tmp_path: Path) -> None:
    """Every viewer shows it; only the damaged chunk is lost."""
    data = pictures.png_bytes(pictures.photo(), 2, ((b"gAMA", struct.pack(">I", 45455)),), spoil=b"gAMA")
    assert np.array_equal(load(pictures.write(tmp_path / "a.png", data)).pixels, pictures.photo())


def test_missing(tmp_path: Path) -> None:
    assert refusal(tmp_path / "gone.jpg") == "there is no such file. Look whether it was moved or renamed."
    assert refusal(pictures.write(tmp_path / "file", b"x") / "photo.jpg").startswith("there is no such file.")


def test_folder(tmp_path: Path) -> None:
    assert refusal(tmp_path) == "it is a folder. Choose a photo inside it."


def test_pipe(tmp_path: Path) -> None:
    """Opening one would wait for ever."""
    os.mkfifo(tmp_path / "pipe.jpg")
    assert refusal(tmp_path / "pipe.jpg").startswith("it is a device or a pipe")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (PermissionError(errno.EACCES, "Permission denied"), "you are not allowed to read it."),
        (OSError(errno.EIO, "Input/output error"), "the disk or the network failed (Input/output error)."),
        (MemoryError(), "it does not fit into this computer's memory."),
    ],
)
def test_failures_of_the_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, told: str) -> None:
    path = pictures.write(tmp_path / "photo.png", pictures.encoded(RGB, "PNG"))

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(pillow_read, "decode", fail)
    with pytest.raises(LoadError) as caught:
        load(path)
    assert str(caught.value).startswith(f"photo.png could not be read: {told}")
    assert caught.value.__cause__ is error


def test_no_permission(tmp_path: Path) -> None:
    """As another user, because the system's administrator may read everything."""
    path = pictures.write(tmp_path / "secret.png", pictures.encoded(RGB, "PNG"))
    path.chmod(0)
    if os.access(path, os.R_OK):
        code = (
            "import os, sys; from bgdesk.files.load import load; os.setgid(65534); os.setuid(65534)\n"
            "try: load(sys.argv[1])\n"
            "except Exception as error: print(type(error).__name__, error)"
        )
        for folder in [tmp_path, *tmp_path.parents[:2]]:
            folder.chmod(0o755)
        said = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True).stdout
        assert said.startswith("LoadError secret.png could not be read: ")
        assert "not allowed" in said
    else:
        assert refusal(path).startswith("you are not allowed to read it.")


# --- bombs -----------------------------------------------------------------------------------------------------------


def bombs() -> dict[str, bytes]:
    """Small files whose headers claim a lot."""
    one = np.zeros((1, 1, 3), np.uint8)
    png = bytearray(pictures.png_bytes(one, 2))
    png[16:24] = struct.pack(">II", 60_000, 60_000)
    less = bytearray(pictures.png_bytes(one, 2))
    less[16:24] = struct.pack(">II", 20_000, 20_000)
    jpeg = bytearray(pictures.encoded(Image.fromarray(one), "JPEG"))
    at = jpeg.index(b"\xff\xc0")
    jpeg[at + 5 : at + 9] = struct.pack(">HH", 65_000, 65_000)
    psd = bytearray(pictures.psd_bytes(one.transpose(2, 0, 1), 3))
    psd[14:22] = struct.pack(">II", 30_000, 30_000)
    bmp = bytearray(pictures.encoded(Image.fromarray(one), "BMP"))
    bmp[18:26] = struct.pack("<ii", 100_000, 100_000)
    gif = bytearray(pictures.encoded(Image.fromarray(one).quantize(2), "GIF"))
    gif[6:10] = struct.pack("<HH", 65_000, 65_000)
    many = bytearray(pictures.psd_bytes(np.zeros((50, 1, 1), np.uint8), 7))
    many[14:22] = struct.pack(">II", 7_500, 7_500)
    # 20 × 20 thousand pixels are below the limit, and 50 channels would multiply a size that is.
    found = {"png": _fixed(png), "less": _fixed(less), "jpeg": jpeg, "psd": psd, "bmp": bmp, "gif": gif, "many": many}
    return {name: bytes(data) for name, data in found.items()}


def _fixed(data: bytes | bytearray) -> bytes:
    """A PNG header's checksum made right again."""
    return bytes(data[:29]) + struct.pack(">I", zlib.crc32(data[12:29])) + bytes(data[33:])


@pytest.mark.parametrize("name", sorted(bombs()))
def test_a_forged_header_costs_no_memory(tmp_path: Path, name: str) -> None:
    """In a process that may take 1 GB of memory."""
    path = pictures.write(tmp_path / f"bomb.{name}", bombs()[name])
    code = (
        "import sys, resource; from bgdesk.files.load import load\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try: load(sys.argv[1])\n"
        "except Exception as error: print(type(error).__name__, error)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    limit = 1 << 30
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True, timeout=20,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (limit, limit)),
    )  # fmt: skip
    told, grown = done.stdout.splitlines()
    assert told.startswith(f"LoadError bomb.{name} could not be read: ")
    assert int(grown) < 250_000  # kB


def test_too_many_pixels_are_refused_by_name(tmp_path: Path) -> None:
    path = pictures.write(tmp_path / "huge.png", bombs()["png"])
    assert "500 megapixels" in refusal(path)
    path = pictures.write(tmp_path / "thin.png", bombs()["less"])
    assert refusal(path).startswith("it claims to have 20000 × 20000 pixels but carries only 1 kB of data.")


# --- anything at all -------------------------------------------------------------------------------------------------

SEEDS = {
    "png": pictures.encoded(RGB.resize((12, 9)), "PNG"),
    "deep": pictures.png_bytes(pictures.deep(6, 5), 2),
    "jpeg": pictures.encoded(RGB.resize((12, 9)), "JPEG", exif=b"Exif\0\0" + pictures.exif_bytes(6)),
    "tiff": pictures.encoded(RGB.resize((12, 9)), "TIFF", compression="tiff_lzw"),
    "wide": pictures.tiff_bytes(pictures.deep(6, 5)),
    "gif": pictures.encoded(RGB.resize((12, 9)), "GIF"),
    "webp": pictures.encoded(RGB.resize((12, 9)), "WEBP"),
    "psd": pictures.psd_bytes(pictures.photo(6, 5).transpose(2, 0, 1), 3, resources=((1039, pictures.gamma_profile(2.0)),)),
    "bmp": pictures.encoded(RGB.resize((12, 9)), "BMP"),
}


def loads_or_refuses(path: Path) -> bool:
    try:
        pixels = load(path).pixels
    except LoadError as error:
        return str(error).startswith(f"{path.name} could not be read: ")
    return pixels.ndim == 3 and pixels.shape[2] == 3


@settings(max_examples=250)
@given(st.sampled_from(sorted(SEEDS)), st.data())
def test_damage_anywhere_loads_or_is_refused_in_words(tmp_path_factory: pytest.TempPathFactory, kind: str, data: st.DataObject) -> None:
    """Flip a few bytes, or cut the file: a picture or a LoadError, nothing else."""
    spoilt = bytearray(SEEDS[kind])
    for _ in range(data.draw(st.integers(0, 4))):
        spoilt[data.draw(st.integers(0, len(spoilt) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / f"spoilt.{kind}"
    path.write_bytes(spoilt[: data.draw(st.integers(1, len(spoilt)))])
    assert loads_or_refuses(path)


@given(st.binary(min_size=1, max_size=200))
@example(b"P6 1 1 255 abc")
@example(b"BM" + bytes(60))
@example(b"\0\0\1\0" + bytes(60))
def test_any_bytes(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "noise"
    path.write_bytes(data)
    assert loads_or_refuses(path)
