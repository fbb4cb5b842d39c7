"""How this package's inner loops are compiled."""

from collections.abc import Callable
from typing import Any, TypeVar

import numba

Kernel = TypeVar("Kernel", bound=Callable[..., Any])


def kernel(function: Kernel) -> Kernel:
    """Compile with numba at the first call: without the interpreter lock, and kept on disk for the next start.

    Where there is nowhere to keep it (a read-only installation without a writable home), it is compiled at every start.
    """
    compiled: Any
    try:
        compiled = numba.njit(cache=True, nogil=True, boundscheck=False)(function)
    except RuntimeError:
        compiled = numba.njit(nogil=True, boundscheck=False)(function)
    typed: Kernel = compiled
    return typed
