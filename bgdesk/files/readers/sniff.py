"""What a file is, told from its first bytes. Its suffix counts only for formats that have no signature."""

from dataclasses import dataclass
from enum import Enum
from pathlib import PurePath

#: Bytes of a file that `sniff` needs.
HEAD = 4096


class Kind(Enum):
    """A family of picture files; the value is the name of Pillow's decoder."""

    JPEG = "JPEG"
    PNG = "PNG"
    TIFF = "TIFF"
    WEBP = "WEBP"
    HEIF = "HEIF"
    AVIF = "AVIF"
    PSD = "PSD"
    GIF = "GIF"
    BMP = "BMP"
    JPEG2000 = "JPEG2000"
    ICO = "ICO"
    ICNS = "ICNS"
    PPM = "PPM"
    QOI = "QOI"
    DDS = "DDS"
    SGI = "SGI"
    PCX = "PCX"
    TGA = "TGA"


@dataclass(frozen=True)
class Stranger:
    """A file that is not a photo."""

    what: str  #: completes "it is …"
    #: A sentence that says what to do.
    advice: str = "Choose a photo instead: PNG, JPEG, TIFF, WebP, HEIC, AVIF or PSD."


_DRAWING = "Export it as PNG from the program that made it."
_VIDEO = "Take a still picture from it first."
_RAW = "Develop it first, and export it as TIFF or JPEG."

_SIGNATURES: tuple[tuple[int, bytes, Kind | Stranger], ...] = (
    (0, b"\xff\xd8\xff", Kind.JPEG),
    (0, b"\x89PNG\r\n\x1a\n", Kind.PNG),
    (0, b"FUJIFILMCCD-RAW", Stranger("a camera raw file", _RAW)),
    (0, b"IIRO", Stranger("a camera raw file", _RAW)),
    (0, b"IIRS", Stranger("a camera raw file", _RAW)),
    (0, b"IIU\x00", Stranger("a camera raw file", _RAW)),
    (8, b"CR\x02\x00", Stranger("a camera raw file", _RAW)),
    (0, b"FOVb", Stranger("a camera raw file", _RAW)),
    (0, b"II*\x00", Kind.TIFF),
    (0, b"MM\x00*", Kind.TIFF),
    (0, b"II+\x00", Kind.TIFF),
    (0, b"MM\x00+", Kind.TIFF),
    (8, b"WEBP", Kind.WEBP),
    (0, b"8BPS", Kind.PSD),
    (0, b"GIF87a", Kind.GIF),
    (0, b"GIF89a", Kind.GIF),
    (0, b"\x00\x00\x00\x0cjP  \r\n\x87\n", Kind.JPEG2000),
    (0, b"\xff\x4f\xff\x51", Kind.JPEG2000),
    (0, b"icns", Kind.ICNS),
    (0, b"qoif", Kind.QOI),
    (0, b"DDS ", Kind.DDS),
    (0, b"%PDF", Stranger("a PDF document", "Export the page as PNG or TIFF.")),
    (0, b"%!PS", Stranger("a PostScript drawing", _DRAWING)),
    (0, b"\xc5\xd0\xd3\xc6", Stranger("a PostScript drawing", _DRAWING)),
    (0, b"\x1aE\xdf\xa3", Stranger("a video", _VIDEO)),
    (8, b"AVI ", Stranger("a video", _VIDEO)),
    (0, b"\x00\x00\x01\xba", Stranger("a video", _VIDEO)),
    (0, b"\x00\x00\x01\xb3", Stranger("a video", _VIDEO)),
    (0, b"FLV\x01", Stranger("a video", _VIDEO)),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", Stranger("a video", _VIDEO)),
    (8, b"WAVE", Stranger("a sound recording")),
    (0, b"ID3", Stranger("a sound recording")),
    (0, b"OggS", Stranger("a sound or video recording")),
    (0, b"fLaC", Stranger("a sound recording")),
    (0, b"gimp xcf", Stranger("a GIMP document", _DRAWING)),
    (0, b"PK\x03\x04", Stranger("a ZIP archive or a document packed like one", "Unpack it, or export it as PNG.")),
    (0, b"Rar!", Stranger("an archive", "Unpack it first.")),
    (0, b"7z\xbc\xaf", Stranger("an archive", "Unpack it first.")),
    (0, b"\x1f\x8b", Stranger("a compressed file", "Unpack it first.")),
    (0, b"\x7fELF", Stranger("a program")),
    (0, b"MZ", Stranger("a program")),
)

_HEIF_BRANDS = frozenset((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"mif2", b"msf1", b"miaf", b"jpeg", b"j2ki"))
_AVIF_BRANDS = frozenset((b"avif", b"avis"))
_RAW_SUFFIXES = frozenset((".nef", ".nrw", ".arw", ".sr2", ".srf", ".cr2", ".dng", ".pef", ".3fr", ".iiq", ".erf", ".kdc", ".dcr", ".mos"))
_TGA_SUFFIXES = frozenset((".tga", ".icb", ".vda", ".vst"))
_NOT_A_PICTURE = Stranger("not a picture, or of a kind that bgdesk does not know")


def sniff(head: bytes, name: str = "") -> Kind | Stranger:
    """Return what kind of picture a file is, or what else it is.

    Parameters
    ----------
    head
        The first HEAD bytes of the file, or all of a shorter one; not empty.
    name
        Of the file; counts only where the content does not decide.
    """
    suffix = PurePath(name).suffix.lower()
    if head[4:8] == b"ftyp":
        return _iso_media(head)
    for offset, magic, kind in _SIGNATURES:
        if head.startswith(magic, offset):
            if kind is Kind.TIFF and suffix in _RAW_SUFFIXES:
                return Stranger("a camera raw file", _RAW)
            return kind
    if head[:2] == b"BM" and len(head) >= 18:
        return Kind.BMP
    if head[:4] == b"\x00\x00\x01\x00" or (head[:4] == b"\x00\x00\x02\x00" and suffix == ".cur"):
        return Kind.ICO
    if head[:2] == b"\x01\xda":
        return Kind.SGI
    if len(head) > 128 and head[0] == 10 and head[1] in (0, 2, 3, 5) and head[2] == 1:
        return Kind.PCX
    if len(head) > 2 and head[:1] == b"P" and head[1:2] in b"123456fFyM" and head[2:3] in b" \t\r\n#fF123456":
        return Kind.PPM
    if suffix in _TGA_SUFFIXES:
        return Kind.TGA
    return _text(head) or _NOT_A_PICTURE


def _iso_media(head: bytes) -> Kind | Stranger:
    """HEIF, AVIF, camera raw and video share one container; the brands tell them apart."""
    length = min(max(int.from_bytes(head[:4], "big"), 16), len(head))
    brands = [head[8:12], *(head[at : at + 4] for at in range(16, length - 3, 4))]
    if brands[0] in _AVIF_BRANDS or (brands[0] not in _HEIF_BRANDS and _AVIF_BRANDS.intersection(brands)):
        return Kind.AVIF
    if brands[0] in (b"mif1", b"msf1", b"miaf") and _AVIF_BRANDS.intersection(brands) and not {b"heic", b"heix"}.intersection(brands):
        return Kind.AVIF
    if _HEIF_BRANDS.intersection(brands):
        return Kind.HEIF
    if brands[0] == b"crx ":
        return Stranger("a camera raw file", _RAW)
    return Stranger("a video", _VIDEO)


def _text(head: bytes) -> Stranger | None:
    """Name text files, and drawings written as text."""
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if b"<svg" in text and text.startswith(b"<"):
        return Stranger("an SVG drawing", _DRAWING)
    if text.startswith((b"<!doctype html", b"<html")):
        return Stranger("a web page", "Save the picture itself rather than the page that shows it.")
    try:
        # A multi-byte character may be cut by the end of the head: up to three bytes of it.
        decoded = head.decode("utf-8") if len(head) < HEAD else head[:-3].decode("utf-8", "ignore")
    except UnicodeDecodeError:
        return None
    if decoded and all(character.isprintable() or character in "\t\r\n\f" for character in decoded):
        return Stranger("a text file")
    return None
