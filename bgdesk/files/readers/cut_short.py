"""Whether a file that would not decode ends before its own structure says it should."""

import struct
from typing import IO

from PIL import TiffImagePlugin

from bgdesk.files.readers import png_chunks
from bgdesk.files.readers.sniff import Kind


def ends_early(stream: IO[bytes], kind: Kind, length: int) -> bool:
    """Return whether a file that a decoder has refused ends too early; False also if that cannot be told.

    Parameters
    ----------
    stream
        The open file.
    kind
        Its kind.
    length
        Its length in bytes.
    """
    if kind is Kind.JPEG:
        stream.seek(max(0, length - 1024))
        return b"\xff\xd9" not in stream.read()
    if kind is Kind.PNG:
        return png_chunks.ends_early(stream)
    if kind is Kind.TIFF:
        return _strips_end_early(stream, length)
    if kind is Kind.WEBP:
        stream.seek(4)
        return int.from_bytes(stream.read(4), "little") + 8 > length
    if kind in (Kind.HEIF, Kind.AVIF):
        return _boxes_end_early(stream, length)
    return False


def _strips_end_early(stream: IO[bytes], length: int) -> bool:
    """Whether the first directory of a TIFF, or a strip or tile it lists, lies behind the end."""
    stream.seek(0)
    head = stream.read(16)
    try:
        tags = TiffImagePlugin.ImageFileDirectory_v2(head[:16] if head[2:3] == b"+" else head[:8])
        if tags.next >= length:
            return True
        stream.seek(tags.next)
        tags.load(stream)
        for offsets, counts in ((273, 279), (324, 325)):
            if any(offset + count > length for offset, count in zip(tags.get(offsets, ()), tags.get(counts, ()), strict=False)):
                return True
    except (KeyError, ValueError, TypeError, OSError, SyntaxError, struct.error):
        pass  # too damaged to tell
    return False


def _boxes_end_early(stream: IO[bytes], length: int) -> bool:
    """Walk the top-level boxes of an ISO media file."""
    at = 0
    while at + 8 <= length:
        stream.seek(at)
        size, _ = struct.unpack(">I4s", stream.read(8))
        if size == 1:
            size = int.from_bytes(stream.read(8), "big")
        if size == 0:  # up to the end, whatever that is
            return False
        if size < 8:
            return False
        at += size
    return at != length
