"""Compile bgdesk's kernels ahead, for a frozen build to carry: kernels.py FOLDER

Run by dev.py with the Python of .venv. FOLDER is emptied. What the kernels are called with is found by using them, on every
kind of picture that may come; then they are compiled, not run, for each level of CPU, which this machine need not have.
"""

import hashlib
import pickle
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

import bgdesk
from bgdesk.core.arrays import Pixels
from bgdesk.core.errors import ModelError
from bgdesk.core.geometry import Rect
from bgdesk.core.recipe import MatteRecipe
from bgdesk.engine.pipeline import Pipeline
from bgdesk.engine.runtime import kernels

#: Narrower than a tile of the colours; and larger than their coarse level (a megapixel), so that finer ones are worked out.
SIDES = (96, 1056)


def stamp() -> str:
    """bgdesk's version and the hash of the engine's sources, which hold every kernel and all that a kernel uses."""
    engine = Path(kernels.__file__).parents[1]
    digest = hashlib.sha256()
    for source in sorted(engine.rglob("*.py")):
        digest.update(source.relative_to(engine).as_posix().encode() + b"\0" + source.read_bytes())
    return f"{bgdesk.__version__} {digest.hexdigest()}"


def pictures() -> Iterator[Pixels]:
    """One picture of noise of every kind: small and large, 8 and 16 bits, whole and a part of a wider one, read-only or not."""
    for side, depth, whole, writeable in product(SIDES, (np.uint8, np.uint16), (True, False), (True, False)):
        wide = np.random.default_rng(0).integers(0, np.iinfo(depth).max, (side, side + 32, 3), depth, endpoint=True)
        pixels = wide[:, 16:-16].copy() if whole else wide[:, 16:-16]
        pixels.flags.writeable = writeable
        yield pixels


def use() -> None:
    """Everything that reaches a kernel, and asks for no network."""

    def none() -> Any:
        raise ModelError("none is needed here")

    pipeline = Pipeline(none)
    with suppress(ModelError):
        pipeline.warm()
    for pixels in pictures():
        trimap = np.zeros(pixels.shape[:2], np.uint8)
        trimap[:, 32:], trimap[:, 64:] = 128, 255
        alpha = (trimap / 255).astype(np.float32)
        pipeline.foreground(pixels, alpha, recipe=MatteRecipe(spill=(0, 177, 64)))
        if len(trimap) > SIDES[0]:
            continue  # the solver takes the same at every size
        alpha = pipeline.matte(pixels, trimap).alpha
        pipeline.matte(pixels, trimap, alpha)
        for label in (0, 128, 255):
            trimap[40:60, 30:50] = label
            pipeline.rematte(pixels, trimap, alpha, Rect(30, 40, 50, 60))


def compile_for(level: str, known_by: str, calls: Path, folder: Path) -> None:
    """Compile what `calls` lists into folder/level. For a process of its own: numba compiles for one CPU in its life."""
    kernels.target(level)
    kernels.shelf = kernels.KernelShelf(known_by, None, folder / level)
    for module, name, signatures in pickle.loads(calls.read_bytes()):
        kernel = getattr(import_module(module), name)
        for signature in signatures:
            kernel.compile(signature)


def main(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    known_by = stamp()
    use()
    calls = [(kernel.py_func.__module__, kernel.py_func.__name__, kernel.signatures) for kernel in kernels.kernels]
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "calls.pickle"
        file.write_bytes(pickle.dumps([call for call in calls if call[2]]))
        for level in kernels.levels(platform.system(), platform.machine()):
            subprocess.run([sys.executable, __file__, level, known_by, file, folder], check=True)
            made = list((folder / level).glob(f"*{kernels.SUFFIX}"))
            print(f"{level}: {len(made)} kernels, {sum(file.stat().st_size for file in made) / 1e6:.1f} MB", file=sys.stderr)
    if stamp() != known_by:
        sys.exit("The engine's sources were changed meanwhile. Build again.")
    (folder / kernels.STAMP).write_text(known_by, encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) == 2:
        main(Path(sys.argv[1]).absolute())
    else:
        compile_for(sys.argv[1], sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]))
