"""Whether a file that would not decode ends before its own structure says it should."""

import struct
from typing import IO

from bgdesk.files import png_chunks
from bgdesk.files.decoded import ENDS_EARLY, Refused
from bgdesk.files.sniff import Kind


def ends_early(stream: IO[bytes], kind: Kind, length: int) -> bool:
    """Asked only after a decoder has failed, to choose the words; False also means "cannot tell"."""
    if kind is Kind.JPEG:
        stream.seek(max(0, length - 1024))
        return b"\xff\xd9" not in stream.read()
    if kind is Kind.PNG:
        try:
            png_chunks.check(stream)
        except Refused as error:
            return str(error) == ENDS_EARLY
        return False
    if kind is Kind.WEBP:
        stream.seek(4)
        return int.from_bytes(stream.read(4), "little") + 8 > length
    if kind in (Kind.HEIF, Kind.AVIF):
        return _boxes_end_early(stream, length)
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
