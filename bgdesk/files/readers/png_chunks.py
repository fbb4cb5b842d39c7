"""The chunks of a PNG file: whether those that hold the picture are whole, and a copy without the others."""

import zlib
from collections.abc import Iterator
from typing import IO

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PICTURE = (b"IHDR", b"PLTE", b"IDAT", b"IEND")


def sound(stream: IO[bytes]) -> bool:
    """Return whether the picture's chunks are complete and undamaged: some decoders silently give grey for missing ones."""
    try:
        return all(whole or name not in _PICTURE for name, whole, _ in _chunks(stream))
    except EOFError:
        return False


def ends_early(stream: IO[bytes]) -> bool:
    """Return whether the file stops before its end marker."""
    try:
        return not any(name == b"IEND" for name, _, _ in _chunks(stream))
    except EOFError:
        return True


def essential(stream: IO[bytes]) -> bytes | None:
    """Return the file without the chunks that do not hold the picture.

    None if the picture is damaged or cut short, or if there are no other chunks.
    """
    kept, left_out = [_SIGNATURE], False
    try:
        for name, whole, chunk in _chunks(stream):
            if name in _PICTURE and not whole:
                return None
            if name in _PICTURE or (name == b"tRNS" and whole):
                kept.append(chunk)
            else:
                left_out = True
    except EOFError:
        return None
    return b"".join(kept) if left_out else None


def _chunks(stream: IO[bytes]) -> Iterator[tuple[bytes, bool, bytes]]:
    """Give (name, whether the checksum is right, the whole chunk) up to the end marker. Raises EOFError without that."""
    stream.seek(len(_SIGNATURE))
    name = b""
    while name != b"IEND":
        head = stream.read(8)
        length, name = int.from_bytes(head[:4], "big"), head[4:]
        rest = stream.read(length + 4) if length < 1 << 31 else b""
        if len(head) < 8 or len(rest) < length + 4:
            raise EOFError("no end marker")
        yield name, zlib.crc32(rest[:-4], zlib.crc32(name)) == int.from_bytes(rest[-4:], "big"), head + rest
