"""How much memory a photo takes on its way through a worker, and whether another one may come in."""

import ctypes
import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from bgdesk.batch.model.values import BatchRecipe, Variant
from bgdesk.core.errors import BgdeskError
from bgdesk.core.geometry import Size
from bgdesk.core.recipe import Format
from bgdesk.files.load import measure

#: What a worker takes before the first photo and beside it, in bytes: torch, the network, its own arrays at its own size.
BASE = 1_800_000_000

# Bytes a pixel, measured on photos of 6 to 24 MP in 8 bits and rounded up: most while decoding (JPEG and HEIC 6.5; others go
# by way of deeper copies), while computing (without the photo 15 to 21), and beside the cutout while a file is written.
_DECODE, _DECODE_ANY, _COMPUTE, _PNG, _PSD = 7, 18, 21, 9, 18
_SHALLOW = frozenset((".jpg", ".jpeg", ".jpe", ".jfif", ".heic", ".heif", ".hif", ".webp", ".gif", ".bmp"))
#: Of a photo whose head cannot be read: loading it will say why, before it takes any memory to speak of.
_UNKNOWN = Size(1, 1)


class Where(IntEnum):
    """Where a photo is in a worker, in order. READ and CUT: it waits for the next lane."""

    TAKEN = 0
    LOADING = 1
    READ = 2
    COMPUTING = 3
    CUT = 4
    SAVING = 5


@dataclass(frozen=True)
class Cost:
    """Bytes that one photo holds: while it waits (read, cut), and at most in each stage, what it holds anyway included. pixels: size."""

    loading: int
    read: int
    computing: int
    cut: int
    saving: int
    pixels: int = 0


def cost(source: Path, recipe: BatchRecipe) -> Cost:
    """From the head of the file alone. Never raises: what cannot be read will be refused by the loader."""
    try:
        size = measure(source)
    except BgdeskError:
        size = _UNKNOWN
    shallow = source.suffix.lower() in _SHALLOW
    return cost_of(size, recipe, 1 if shallow else 2, _DECODE if shallow else _DECODE_ANY)


def cost_of(size: Size, recipe: BatchRecipe, depth: int = 1, decode: int = _DECODE) -> Cost:
    """depth: bytes a channel. decode: bytes a pixel while it is read, most."""
    pixels = size.area
    read = 3 * depth
    cut = 2 * read + 4 + 1  # photo and foreground, alpha, trimap
    both = cut if recipe.fallback is not None and recipe.gate is not None else 0  # the first try waits beside the second
    extra = max(_rendering(variant, size, depth) for variant in recipe.variants)
    return Cost(decode * pixels, read * pixels, (read + _COMPUTE * depth + both) * pixels, cut * pixels, cut * pixels + extra, pixels)


def _rendering(variant: Variant, size: Size, depth: int) -> int:
    """Bytes beside the cutout while one output is made and written."""
    shown = size if variant.size is None else Size(variant.size, variant.size)
    extra = shown.area * depth * (_PSD if variant.format is Format.PSD else _PNG)
    if variant.size is not None:
        extra += 28 * size.height * min(size.width, variant.size) + 64 * shown.area  # see core.composite.resized
    elif variant.background is not None:
        extra += (2 * 3 * depth + 4 + 1) * shown.area
    return extra


def need(flight: Iterable[tuple[Cost, Where]]) -> int:
    """The most bytes that these photos can come to hold together, whichever lane is quicker: one at a time is in each stage."""
    waiting = loading = computing = saving = 0
    for each, where in flight:
        rest = max(each.read, each.cut)
        waiting += rest
        if where <= Where.LOADING:
            loading = max(loading, each.loading - rest)
        if where <= Where.COMPUTING:
            computing = max(computing, each.computing - rest)
        saving = max(saving, each.saving - rest)
    return waiting + loading + computing + saving


def admits(flight: Iterable[tuple[Cost, Where]], new: Cost, budget: int) -> bool:
    """Whether one more may come in. One that is too large for the budget comes in when it is alone."""
    present = list(flight)
    return not present or need([*present, (new, Where.TAKEN)]) <= budget


def default_memory() -> int:
    """Half of what this machine (or the container that we are in) has, in bytes; 4 GB where it does not tell."""
    found = []
    if sys.platform == "win32":
        found.append(_windows_memory())
    else:
        with suppress(OSError, ValueError, AttributeError):
            found.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
        for file in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
            with suppress(OSError, ValueError):  # "max" is no number
                found.append(int(Path(file).read_text(encoding="ascii")))
    known = [number for number in found if number > 0]
    return min(known) // 2 if known else 4_000_000_000


if sys.platform == "win32":

    class _MemoryStatus(ctypes.Structure):
        _fields_ = (
            ("length", ctypes.c_uint32),
            ("load", ctypes.c_uint32),
            ("total", ctypes.c_uint64),
            *((name, ctypes.c_uint64) for name in ("free", "page_total", "page_free", "virtual", "virtual_free", "extended")),
        )

    def _windows_memory() -> int:
        status = _MemoryStatus(length=ctypes.sizeof(_MemoryStatus))
        return int(status.total) if ctypes.WinDLL("kernel32").GlobalMemoryStatusEx(ctypes.byref(status)) else 0
