"""Where the machine code of the kernels is kept: one file for each, known by what it was made from.

A kernel's file is found again by the kernel's own bytecode and that of the kernels it calls, by numba's version, Python's and
the CPU. An edit elsewhere in the engine, or in a comment, therefore compiles nothing, and nothing stale is ever found.
numba's own cache knows its entries by the bytes of the whole source file, and by the exact CPU: what a build machine compiled
would be found nowhere else.

There are two places. A frozen build *carries* kernels, made for a named level of CPU by packaging/kernels.py and only read.
Everywhere else, and on a CPU below every level, they are kept in the folder that kernel_folder names.
"""

import hashlib
import os
import pickle
import platform
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import numba
from numba.core import codegen, compiler, serialize
from numba.core.runtime import nrt

from bgdesk.engine.runtime.kernel_folder import CARRIED, SUFFIX, kept

# numba's own interior, which has no types.
_config: Any = numba.config
_codegen: Any = codegen
_result: Any = compiler.CompileResult
_dumps: Any = serialize.dumps
_runtime: Any = nrt.rtsys

#: Levels of x86-64, best first, and what tells them apart from the next, in LLVM's words. x86-64-v4 gained nothing over v3.
_X86 = {
    "x86-64-v3": ("avx", "avx2", "bmi", "bmi2", "f16c", "fma", "lzcnt", "movbe"),
    "x86-64-v2": ("cx16", "popcnt", "sahf", "sse3", "sse4.1", "sse4.2", "ssse3"),
}


def levels(system: str, machine: str) -> Mapping[str, tuple[str, ...]]:
    """LLVM's names of the CPUs to compile for on this platform, best first, each with the features that one must have."""
    if machine.lower() in ("x86_64", "amd64"):
        return _X86
    return {"apple-m1" if system == "Darwin" else "generic": ()}


def find_carried(folder: Path) -> Path | None:
    """The folder of the best level in `folder` that this CPU can run; None if there is none."""
    features = set(_codegen.get_host_cpu_features().split(",")) if folder.is_dir() else set()
    for level, needed in levels(platform.system(), platform.machine()).items():
        if (folder / level).is_dir() and features.issuperset(f"+{name}" for name in needed):
            return folder / level
    return None


def target(level: str) -> None:
    """Compile for CPUs of this level from now on. Must come before the first kernel."""
    _config.CPU_NAME, _config.CPU_FEATURES = level, ""


#: What this frozen build carries for this CPU, for which numba then compiles the rest as well.
carried = find_carried(CARRIED)
if carried is not None:
    target(carried.name)


def fingerprint(function: Callable[..., Any]) -> str:
    """Changes whenever a kernel's machine code might: with its bytecode, its constants, or those of a kernel it calls."""
    digest = hashlib.sha256()
    for part in _parts(function):
        digest.update(part.encode() + b"\0")
    return digest.hexdigest()


def _parts(function: Callable[..., Any]) -> Iterator[str]:
    code = function.__code__
    constants = code.co_consts[1:] if function.__doc__ and code.co_consts[0] == function.__doc__ else code.co_consts
    yield f"{code.co_code.hex()} {constants!r} {code.co_names} {code.co_varnames} {function.__defaults__!r}"
    for name in code.co_names:
        value: Any = function.__globals__.get(name)
        if hasattr(value, "py_func"):
            yield from _parts(value.py_func)
        elif isinstance(value, bool | int | float | str | tuple):
            yield f"{name}={value!r}"


class KernelCache:
    """The cache of one kernel, with what numba's dispatcher asks of a cache (numba.core.caching._Cache).

    A disk that fails costs time, never a photo.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self._name = f"{function.__module__}.{function.__name__}"
        self._fingerprint = fingerprint(function)

    @property
    def cache_path(self) -> str | None:
        folder = kept()
        return str(folder) if folder else None

    def _file(self, signature: Any, codegen: Any) -> str:
        known_by = (self._fingerprint, numba.__version__, sys.version_info[:2], str(signature), codegen.magic_tuple())
        return f"{self._name}-{hashlib.sha256(repr(known_by).encode()).hexdigest()[:20]}{SUFFIX}"

    def has(self, signature: Any, context: Any) -> bool:
        """Whether there is a file for this signature, which may still turn out to be damaged."""
        name = self._file(signature, context.codegen())
        return any((folder / name).is_file() for folder in (carried, kept()) if folder)

    def load_overload(self, signature: Any, context: Any) -> Any:
        _runtime.initialize(context)
        name = self._file(signature, context.codegen())
        for folder in filter(None, (carried, kept())):
            try:
                return _result._rebuild(context, *pickle.loads((folder / name).read_bytes()))
            except Exception:  # not there, not to be read, damaged: pickle has many words for it, and all say "compile"
                continue
        return None

    def save_overload(self, signature: Any, compiled: Any) -> None:
        folder = kept()
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
        """The cache is always enabled."""

    def disable(self) -> None:
        """Nothing asks for this."""

    def flush(self) -> None:
        """Nothing is held back."""
