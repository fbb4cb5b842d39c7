"""What the C library's allocator does with freed memory: keep it for the next array, or give it back to the system.

glibc maps every block above 32 MB anew and unmaps it when it is freed, so that the network's activations are paid for page
by page, several times in one pass: a tenth of its time on the CPU. Other C libraries keep what they want, and are left alone.
"""

import ctypes
import sys
from collections.abc import Callable
from contextlib import suppress

#: Blocks up to here are kept: the largest activation of our networks is 134 MB, in fp32. Above are the arrays of very large photos.
KEPT = 192 << 20
#: Freed bytes that the allocator keeps before it trims: more than a pass on the CPU turns over.
_SPARE = 1 << 30
#: Pixels of a photo that takes seconds anyway, and whose arrays are not worth keeping.
_LARGE = 8_000_000

# mallopt's names, from glibc's malloc.h.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3


def keep() -> None:
    """Keep freed blocks for the next pass, in this process, from now on; `trim` gives them back to the system."""
    mallopt = _find("mallopt")
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, KEPT)
        mallopt(_TRIM_THRESHOLD, _SPARE)


def settle(pixels: int) -> None:
    """Give freed memory back after a stage, if the photo has so many pixels that this is worth its cost.

    For a small photo it would cost the next pass all that `keep` gains.
    """
    if pixels > _LARGE:
        trim()


def trim() -> None:
    """Give freed memory back to the system."""
    malloc_trim = _find("malloc_trim")
    if malloc_trim is not None:
        malloc_trim(0)


def _find(name: str) -> "Callable[..., int] | None":
    """A function of glibc; None elsewhere (musl, which keeps little, has neither)."""
    if sys.platform == "linux":
        with suppress(AttributeError, OSError):
            found: Callable[..., int] = getattr(ctypes.CDLL(None), name)
            return found
    return None
