"""Where compiled kernels lie. Apart from kernel_cache, because asking for that must not cost the import of numba."""

import os
from pathlib import Path

#: What a frozen build carries: a folder for each level of CPU. Absent elsewhere.
CARRIED = Path(__file__).resolve().parents[2] / "_data" / "kernels"
SUFFIX = ".kernel"


class _Named:
    """What `keep_in` was told."""

    folder: Path | None = None


def keep_in(folder: Path) -> None:
    """Keep compiled kernels in `folder` from now on, unless the environment variable NUMBA_CACHE_DIR names another.

    Whoever opens an engine says this first: the engine does not know where the person's folders are. Without it, every process
    compiles its kernels anew.
    """
    _Named.folder = folder


def kept() -> Path | None:
    """The folder that compiled kernels are kept in; None: nowhere."""
    named = os.environ.get("NUMBA_CACHE_DIR")
    return Path(named) if named else _Named.folder
