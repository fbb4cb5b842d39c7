"""Opening photos: any file in, upright sRGB pixels out, or a LoadError that says what to do."""

import contextlib
import errno
import logging
import os
import re
import stat
import struct
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, TiffImagePlugin

from bgdesk.core import trimap as trimaps
from bgdesk.core.arrays import Trimap, to_uint8
from bgdesk.core.errors import LoadError
from bgdesk.core.geometry import Size
from bgdesk.files.metadata import LoadedImage
from bgdesk.files.readers import pillow_read
from bgdesk.files.readers.cut_short import ends_early
from bgdesk.files.readers.decoded import DAMAGED, ENDS_EARLY, MAX_PIXELS, Decoded, Refused, check_claim
from bgdesk.files.readers.orient import upright
from bgdesk.files.readers.sniff import HEAD, Kind, Stranger, sniff

__all__ = ["LoadedImage", "load", "load_trimap", "measure", "preview"]

_EARLY = re.compile(r"truncated|unexpected end|end of file|\beof\b|broken data stream|not enough (image )?data|premature", re.IGNORECASE)


def load(path: str | os.PathLike[str]) -> LoadedImage:
    """Read a photo.

    The kind is told from the content. The first frame of an animation and the merged picture of a PSD are taken. Transparent
    pixels are laid over white: the program looks for a subject in what a person would see on paper.

    Parameters
    ----------
    path
        Any file.

    Returns
    -------
    LoadedImage
        Its pixels are H×W×3, uint8 or uint16, upright, sRGB (converted by the embedded profile) and read-only. 16-bit files keep
        their depth; see `colour` for the one exception.

    Raises
    ------
    LoadError
        The text names the file and says what to do: missing, a folder, not permitted, empty, not a picture, cut short, damaged,
        more than 500 megapixels, or too large for this computer's memory.
    """
    path = Path(path)
    with _explained(path):
        decoded = _decode(path)
        pixels = upright(decoded.pixels, decoded.orientation)
        pixels = np.require(pixels, requirements=["C", "O"])
        pixels.flags.writeable = False
        dpi = decoded.dpi[::-1] if decoded.dpi and decoded.orientation in (5, 6, 7, 8) else decoded.dpi
    return LoadedImage(pixels=pixels, path=path, icc=decoded.icc, exif=decoded.exif, xmp=decoded.xmp, dpi=dpi)


def preview(path: str | os.PathLike[str], longest: int) -> NDArray[np.uint8]:
    """Read a small picture of a file; JPEG takes a few milliseconds, other kinds cost as much as `load`.

    Parameters
    ----------
    path
        Any file.
    longest
        Most pixels of the longer side.

    Returns
    -------
    ndarray
        H×W×3 uint8, upright, sRGB.

    Raises
    ------
    LoadError
        As `load` does.
    """
    path = Path(path)
    with _explained(path):
        small = _draft(path, longest)
        if small is None:
            decoded = _decode(path)
            small = Decoded(pixels=_shrink(Image.fromarray(to_uint8(decoded.pixels)), longest), orientation=decoded.orientation)
        return np.require(upright(small.pixels, small.orientation), dtype=np.uint8, requirements=["C", "O"])


def measure(path: str | os.PathLike[str]) -> Size:
    """Read a photo's size from the head of its file; a millisecond, whatever its size.

    Parameters
    ----------
    path
        Any file.

    Returns
    -------
    Size
        Width and height in pixels, before the photo is turned upright.

    Raises
    ------
    LoadError
        As `load` does; damage behind the head is not seen.
    """
    path = Path(path)
    with _explained(path), _opened(path) as (stream, kind, length):
        # Pillow takes offence at a PNG's later chunks, and psd-tools takes a while to import.
        if kind is Kind.PNG:
            size = Size(*struct.unpack(">II", stream.read(24)[16:]))
        elif kind is Kind.PSD:
            size = Size(*reversed(struct.unpack(">II", stream.read(22)[14:])))
        elif kind is Kind.HEIF:
            from bgdesk.files.readers import heif_read

            size = heif_read.measure(stream)
        else:
            with Image.open(stream, formats=pillow_read.pillow_formats(kind)) as image:
                size = Size(*image.size)
        check_claim(*size, length)
        return size


def load_trimap(path: str | os.PathLike[str], size: Size) -> Trimap:
    """Read a grey picture as a trimap.

    Parameters
    ----------
    path
        Any file that `load` reads. Dark is background, light is foreground, the rest is unknown.
    size
        Of the photo, in pixels.

    Returns
    -------
    ndarray
        H×W uint8, values of core.trimap.Label.

    Raises
    ------
    LoadError
        As `load` does, and when the sizes differ.
    """
    image = load(path)
    if image.size != size:
        raise LoadError(
            f"{image.name} does not fit as a trimap: it has {image.size.width} × {image.size.height} pixels, the photo "
            f"{size.width} × {size.height}. Make both the same size."
        )
    pixels = to_uint8(image.pixels).astype(np.uint16)
    return trimaps.from_gray(((pixels[:, :, 0] + 2 * pixels[:, :, 1] + pixels[:, :, 2] + 2) // 4).astype(np.uint8))


def _decode(path: Path) -> Decoded:
    with _opened(path) as (stream, kind, length):
        if kind is Kind.PSD:
            from bgdesk.files.readers import psd_read  # psd-tools takes a while to import

            return psd_read.decode(stream, length)
        if kind is Kind.HEIF:
            from bgdesk.files.readers import heif_read

            return heif_read.decode(stream, length)
        return pillow_read.decode(stream, kind, length)


def _draft(path: Path, longest: int) -> Decoded | None:
    """A preview of a JPEG, decoded at a fraction of its size; None for other kinds."""
    with _opened(path) as (stream, kind, length):
        if kind is not Kind.JPEG:
            return None
        with Image.open(stream, formats=pillow_read.pillow_formats(kind)) as image:
            check_claim(image.width, image.height, length)
            orientation = pillow_read.orientation(image)
            profile = image.info.get("icc_profile") or None
            image.draft(None, (longest, longest))
            image.load()
            small = image.copy()
            if image.mode in ("L", "RGB", "CMYK"):
                small.thumbnail((longest, longest), Image.Resampling.BICUBIC)
            return Decoded(pixels=pillow_read.to_srgb(small, profile), orientation=orientation)


def _shrink(image: Image.Image, longest: int) -> NDArray[np.uint8]:
    target = Size(*image.size).fit(longest)
    return np.array(image.resize(target, Image.Resampling.BICUBIC, reducing_gap=2.0))


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[tuple[IO[bytes], Kind, int]]:
    """Open a file; yield the stream at its start, its kind and its length in bytes. Raises Refused if it cannot be a photo."""
    if stat.S_ISDIR(os.stat(path).st_mode):
        raise IsADirectoryError(errno.EISDIR, "is a folder")
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise Refused("it is a device or a pipe, not a file. Choose a photo.")
    with open(path, "rb") as stream:
        length = os.fstat(stream.fileno()).st_size
        head = stream.read(HEAD)
        if not head:
            raise Refused("the file is empty. Copy it again from the camera.")
        kind = sniff(head, path.name)
        if isinstance(kind, Stranger):
            raise Refused(f"it is {kind.what}. {kind.advice}")
        stream.seek(0)
        try:
            yield stream, kind, length
        except (Refused, MemoryError, Image.DecompressionBombError):
            raise
        except Exception as error:  # decoders raise anything on bad data: struct.error, KeyError, zlib.error, RuntimeError …
            if getattr(error, "errno", None) is None and ends_early(stream, kind, length):
                raise Refused(ENDS_EARLY) from error
            raise


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn whatever goes wrong with a file into a LoadError in words."""
    _quieten()
    try:
        yield
    except Exception as error:  # decoders raise anything: what `_reason` does not know counts as damage
        name = path.name or str(path)
        raise LoadError(f"{name} could not be read: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    if isinstance(error, Refused):
        return str(error)
    if isinstance(error, MemoryError):
        return "it does not fit into this computer's memory. Close other programs, or make the picture smaller."
    if isinstance(error, Image.DecompressionBombError):
        return f"it has more than the {MAX_PIXELS // 1_000_000} megapixels that bgdesk opens. Make it smaller in another program first."
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return "there is no such file. Look whether it was moved or renamed."
    if isinstance(error, IsADirectoryError):
        return "it is a folder. Choose a photo inside it."
    if isinstance(error, PermissionError):
        return "you are not allowed to read it. Change its permissions, or ask its owner."
    if isinstance(error, EOFError) or _EARLY.search(str(error)):
        return ENDS_EARLY
    if isinstance(error, OSError) and error.errno is not None:
        return f"the disk or the network failed ({os.strerror(error.errno)}). Check the connection and try again."
    return DAMAGED


def _quieten() -> None:
    """Silence decoders' warnings and log lines about odd files: what matters becomes a LoadError.

    The filters are set at every call, because test runners and other libraries reset them; that is cheap.
    """
    warnings.filterwarnings("ignore", module=r"(PIL|pi_heif|psd_tools)(\.|$)")
    for name in ("PIL", "pi_heif", "psd_tools"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS
    # Pillow's own reader of uncompressed TIFF garbles 16-bit pictures whose channels are stored apart; libtiff does not.
    TiffImagePlugin.READ_LIBTIFF = True
