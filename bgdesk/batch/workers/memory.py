"""How much memory a photo takes on its way through a worker, and whether another one may come in."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

import psutil

from bgdesk.batch.model.values import BatchRecipe, Variant
from bgdesk.core.errors import BgdeskError
from bgdesk.core.geometry import Size
from bgdesk.files.load import measure

#: What a worker takes before the first photo and beside every photo, in bytes: torch, the network and the network's arrays.
BASE = 1_800_000_000

# Bytes a pixel, measured on photos of 6 to 24 MP in 8 bits and rounded up: most while decoding (JPEG and HEIC 6.5; others go
# by way of deeper copies), and while computing (without the photo 15 to 21). What writing takes stands in core.formats.
_DECODE, _DECODE_ANY, _COMPUTE = 7, 18, 21
# While an edge is finished, measured at 24 MP (4 to 12); of them stays the finished alpha, beside the solved one.
_FINISH, _FINISHED = 12, 4
_SHALLOW = frozenset((".jpg", ".jpeg", ".jpe", ".jfif", ".heic", ".heif", ".hif", ".webp", ".gif", ".bmp"))
#: Of a photo whose header cannot be read: loading fails and says why, before it takes much memory.
_UNKNOWN = Size(1, 1)


class Station(IntEnum):
    """Where a photo is in a worker, in order."""

    TAKEN = 0  #: it waits to be read
    LOADING = 1
    READ = 2  #: it waits to be cut out
    COMPUTING = 3
    CUT = 4  #: it waits to be written
    SAVING = 5


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Bytes that one photo takes; in a lane at most, what it keeps anyway included."""

    loading: int  #: while it is read
    read: int  #: while it waits to be cut out
    computing: int  #: while it is cut out
    cut: int  #: while it waits to be written
    saving: int  #: while it is written
    pixels: int = 0  #: the photo's size, which is not in bytes


def cost(source: Path, recipe: BatchRecipe) -> Cost:
    """The cost of a photo, from the header of its file alone. Never raises: the loader refuses what cannot be read."""
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
    if not recipe.edge.neutral:
        extra = max(_FINISH * pixels, _FINISHED * pixels + extra)
    return Cost(
        loading=decode * pixels,
        read=read * pixels,
        computing=(read + _COMPUTE * depth + both) * pixels,
        cut=cut * pixels,
        saving=cut * pixels + extra,
        pixels=pixels,
    )


def _rendering(variant: Variant, size: Size, depth: int) -> int:
    """Bytes beside the cutout while one output is made and written."""
    shown = size if variant.size is None else Size(variant.size, variant.size)
    extra = shown.area * depth * variant.format.facts.memory
    if variant.size is not None:
        extra += 28 * size.height * min(size.width, variant.size) + 64 * shown.area  # see core.composite.resized
    elif variant.background is not None:
        extra += (2 * 3 * depth + 4 + 1) * shown.area
    return extra


def need(flight: Iterable[tuple[Cost, Station]]) -> int:
    """The most bytes that these photos can take together, whichever lane is quicker: one photo at a time is in each lane."""
    waiting = loading = computing = saving = 0
    for each, station in flight:
        rest = max(each.read, each.cut)
        waiting += rest
        if station <= Station.LOADING:
            loading = max(loading, each.loading - rest)
        if station <= Station.COMPUTING:
            computing = max(computing, each.computing - rest)
        saving = max(saving, each.saving - rest)
    return waiting + loading + computing + saving


def admits(flight: Iterable[tuple[Cost, Station]], new: Cost, budget: int) -> bool:
    """Whether one more photo may be read. One that is too large for the budget is read when it is alone."""
    present = list(flight)
    return not present or need([*present, (new, Station.TAKEN)]) <= budget


def default_memory() -> int:
    """Half of what this machine (or the container that we are in) has, in bytes."""
    found = [psutil.virtual_memory().total]
    for file in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):  # of a container; psutil does not look
        with suppress(OSError, ValueError):  # "max" is not a number
            found.append(int(Path(file).read_text(encoding="ascii")))
    return min(found) // 2
