"""How this package's inner loops are compiled, and where the machine code is kept.

A checkout and an installed wheel leave it to numba: a kernel is compiled at its first call and kept beside the sources or
in the person's cache. numba finds it again by the exact CPU and by the bytes of the program's file, so that what a build
machine compiled would be found nowhere else. A frozen build therefore carries a shelf (made by packaging/kernels.py):
kernels compiled for a named level of CPU, which are known by bgdesk's version and the hash of their sources.
"""

import hashlib
import os
import pickle
import platform
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import numba
from numba.core import codegen, compiler, serialize

Kernel = TypeVar("Kernel", bound=Callable[..., Any])

#: What a frozen build carries: a folder for each level, and the file STAMP. Absent elsewhere.
CARRIED = Path(__file__).resolve().parents[2] / "_data" / "kernels"
STAMP = "stamp.txt"
SUFFIX = ".kernel"

# numba's own interior, which has no types. (A checkout does not depend on it; a frozen build has the one that it was built with.)
_config: Any = numba.config
_codegen: Any = codegen
_result: Any = compiler.CompileResult
_dumps: Any = serialize.dumps

#: Levels of x86-64, best first, and what tells them apart from the next, in LLVM's words. x86-64-v4 gained nothing over v3.
_X86 = {
    "x86-64-v3": ("avx", "avx2", "bmi", "bmi2", "f16c", "fma", "lzcnt", "movbe"),
    "x86-64-v2": ("cx16", "popcnt", "sahf", "sse3", "sse4.1", "sse4.2", "ssse3"),
}


@dataclass(frozen=True)
class KernelShelf:
    """Kernels made ahead. stamp: the sources they were made from.

    carried: those for this CPU, only read (None: there are none). own: where others are kept once compiled (None: nowhere).
    """

    stamp: str
    carried: Path | None
    own: Path | None


def levels(system: str, machine: str) -> Mapping[str, tuple[str, ...]]:
    """LLVM's names of the CPUs to compile for on this platform, best first, each with the features that one must have."""
    if machine.lower() in ("x86_64", "amd64"):
        return _X86
    return {"apple-m1" if system == "Darwin" else "generic": ()}


def find_shelf(carried: Path, cache: str) -> KernelShelf | None:
    """The shelf at `carried` for this CPU, for which numba then compiles; None without one. cache: a folder, "" for none."""
    try:
        stamp = (carried / STAMP).read_text(encoding="utf-8")
    except OSError:
        return None
    features = set(_codegen.get_host_cpu_features().split(","))
    for level, needed in levels(platform.system(), platform.machine()).items():
        if (carried / level).is_dir() and features.issuperset(f"+{name}" for name in needed):
            target(level)
            return KernelShelf(stamp, carried / level, Path(cache) / level if cache else None)
    return KernelShelf(stamp, None, Path(cache) if cache else None)


def target(level: str) -> None:
    """Compile for CPUs of this level from now on. Must come before the first kernel."""
    _config.CPU_NAME, _config.CPU_FEATURES = level, ""


#: None: numba's own way. packaging/kernels.py puts one here before it imports any kernel.
shelf = find_shelf(CARRIED, _config.CACHE_DIR)
#: Every kernel that was imported, as numba holds it.
kernels: list[Any] = []


def kernel(function: Kernel) -> Kernel:
    """Compile with numba at the first call: without the interpreter lock, and kept on disk for the next start.

    Where there is nowhere to keep it (a read-only installation without a writable home), it is compiled at every start.
    """
    compiled: Any
    try:
        compiled = numba.njit(cache=shelf is None, nogil=True, boundscheck=False)(function)
    except RuntimeError:
        compiled = numba.njit(nogil=True, boundscheck=False)(function)
    if shelf is not None:
        compiled._cache = _ShelfCache(function, shelf)
    kernels.append(compiled)
    typed: Kernel = compiled
    return typed


# --- the shelf, as numba asks for it ---------------------------------------------------------------------------------


class _ShelfCache:
    """The cache of one kernel, with what numba's dispatcher asks of a cache (numba.core.caching._Cache).

    One file for each signature. Everything that its machine code depends on is in the file's name, so that nothing stale
    is ever found. A disk that fails costs time, never a photo.
    """

    def __init__(self, function: Callable[..., Any], kept: KernelShelf) -> None:
        self._name = f"{function.__module__}.{function.__name__}"
        self._kept = kept

    @property
    def cache_path(self) -> str | None:
        return str(self._kept.own) if self._kept.own else None

    def _file(self, signature: Any, codegen: Any) -> str:
        known_by = (self._kept.stamp, numba.__version__, sys.version_info[:2], str(signature), codegen.magic_tuple())
        return f"{self._name}-{hashlib.sha256(repr(known_by).encode()).hexdigest()[:20]}{SUFFIX}"

    def load_overload(self, signature: Any, context: Any) -> Any:
        context.refresh()
        name = self._file(signature, context.codegen())
        for folder in filter(None, (self._kept.carried, self._kept.own)):
            try:
                return _result._rebuild(context, *pickle.loads((folder / name).read_bytes()))
            except Exception:  # not there, not to be read, damaged: pickle has many words for it, and all say "compile"
                continue
        return None

    def save_overload(self, signature: Any, compiled: Any) -> None:
        folder = self._kept.own
        if folder is None:
            return
        file = folder / self._file(signature, compiled.codegen)
        part = file.with_suffix(f".{uuid4().hex[:8]}.part")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            part.write_bytes(_dumps(compiled._reduce()))
            os.replace(part, file)
        except OSError:
            with suppress(OSError):
                part.unlink(missing_ok=True)

    def enable(self) -> None:
        """It always is."""

    def disable(self) -> None:
        """It is never asked for."""

    def flush(self) -> None:
        """Nothing is held back."""
