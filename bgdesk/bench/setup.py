"""What a bench works with: the engine, the data that was given, and how thorough the bench is."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import cv2
import numpy as np

from bgdesk.app.system import paths
from bgdesk.bench.bench_report import Figure
from bgdesk.bench.cases import corpus, scenes
from bgdesk.bench.cases.corpus import Bytes
from bgdesk.bench.cases.folders import NO_DATA, Data
from bgdesk.bench.engines import OpenEngine, OpenGiven
from bgdesk.core.arrays import to_uint8
from bgdesk.core.errors import BgdeskError
from bgdesk.files.load import load

T = TypeVar("T")


#: Runs the program in a process of its own: arguments of `bgdesk` -> what it wrote to stdout.
RunProgram: TypeAlias = Callable[[Sequence[str]], str]


def run_program(arguments: Sequence[str]) -> str:
    """Run `bgdesk ARGUMENTS` in a child process, and return its stdout. Raises BgdeskError with the end of its stderr."""
    done = subprocess.run([sys.executable, "-m", "bgdesk", *arguments], capture_output=True, text=True, encoding="utf-8")
    if done.returncode:
        raise BgdeskError(f"bgdesk {' '.join(arguments)} ended with status {done.returncode}: {done.stderr.strip()[-500:]}")
    return done.stdout


@dataclass(frozen=True, kw_only=True)
class Setup:
    """Everything that a runner may use."""

    engine: OpenEngine  #: opens an engine with an installed network
    given: OpenGiven  #: opens an engine whose network answers a given matte
    data: Data = NO_DATA  #: the folders that a person gave
    onnx: Path = field(default_factory=lambda: paths.data_folder() / "onnx")  #: holds the published files (ID.onnx) of networks
    quick: bool = False  #: few and small cases, to see that everything runs; such figures are not measurements
    run_program: RunProgram = run_program  #: runs bgdesk in a process of its own
    say: Callable[[str], None] = lambda text: None  #: hears one line about the progress

    def photo(self) -> tuple[str, Bytes]:
        """Return name and pixels (H×W×3 uint8) of the photo for timing: the largest file that was given, else the larger sample."""
        given = self.data.backgrounds or corpus.pictures(paths.resource("samples"))
        best = max(given, key=lambda path: (path.stat().st_size, path.name))
        return best.name, to_uint8(load(best).pixels)

    def recipes(self) -> list[corpus.CaseRecipe]:
        """Return the composites with known alpha: drawn ones, and those of every matting folder."""
        found = scenes.generated((0.06,), 1) if self.quick else scenes.generated((2, 6, 2), 3)
        for folder in self.data.matting:
            sizes = (0.06,) if self.quick else (2, 2, 6, 2, 12, 2, 24)
            found += corpus.cutouts(folder, self.data.backgrounds, sizes)[: 2 if self.quick else None]
        return found


#: A runner measures one subject, and gives one figure after the other.
Runner: TypeAlias = Callable[[Setup], Iterator[Figure]]


def missing(*packages: str) -> str:
    """Return "" if all packages are installed, else the reason not to measure: "pymatting is not installed"."""
    return "; ".join(f"{package} is not installed" for package in packages if find_spec(package) is None)


def versions(*packages: str) -> Mapping[str, str]:
    """Return package -> its version, or "not installed"."""
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def enlarged(photo: Bytes, megapixels: float) -> Bytes:
    """Return the photo (H×W×3 uint8) resized to so many million pixels."""
    size = corpus.size_of(photo.shape, megapixels)
    return np.asarray(cv2.resize(photo, size, interpolation=cv2.INTER_CUBIC), np.uint8)


def timed(work: Callable[..., T], *arguments: Any) -> tuple[float, T]:
    """Call work(*arguments); return the seconds that it took, and its answer."""
    start = time.perf_counter()
    answer = work(*arguments)
    return time.perf_counter() - start, answer
