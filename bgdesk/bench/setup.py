"""What a bench has to work with: the engine, the data that was given, and how thorough it should be."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol, TypeAlias, TypeVar

import cv2
import numpy as np

from bgdesk.app.system import paths
from bgdesk.bench.bench_report import Figure
from bgdesk.bench.cases import corpus, scenes
from bgdesk.bench.cases.corpus import Bytes
from bgdesk.core.arrays import Alpha, Pixels, to_uint8
from bgdesk.core.engine import EngineProtocol
from bgdesk.core.errors import BgdeskError, UsageError
from bgdesk.core.geometry import Rect
from bgdesk.files.load import load

T = TypeVar("T")

#: Below so many different values a grey picture is a mask of objects, not captured opacity.
MASK_LEVELS = 8


class MeasuredEngine(EngineProtocol, Protocol):
    """The engine, and the second look of its confidence, which is measured by itself."""

    def mirrored(self, pixels: Pixels, part: Rect) -> Alpha: ...


class OpenEngine(Protocol):
    """Makes an engine for an installed network (None: the default one)."""

    def __call__(self, model: str | None = None, device: str = "auto", precision: str = "auto") -> MeasuredEngine: ...


class OpenGiven(Protocol):
    """Makes an engine whose network says `matte` whatever the photo is."""

    def __call__(self, matte: Alpha) -> MeasuredEngine: ...


@dataclass(frozen=True)
class Data:
    """Folders that were given, by what they hold. matting: captured alpha. objects: masks. photos: pictures alone."""

    matting: tuple[Path, ...] = ()
    objects: tuple[Path, ...] = ()
    photos: tuple[Path, ...] = ()

    @property
    def backgrounds(self) -> list[Path]:
        """The photos of the folders that hold nothing else."""
        return [photo for folder in self.photos for photo in corpus.pictures(folder)]


def sort_folders(folders: Sequence[Path]) -> Data:
    """See what each folder holds. Raises UsageError for one that holds nothing that a bench can use."""
    found: dict[str, list[Path]] = {"matting": [], "objects": [], "photos": []}
    for folder in folders:
        if (folder / "image").is_dir() and (folder / "alpha").is_dir():
            # Captured opacity has every level, whichever photo is looked at; a mask has two or three.
            levels = len(np.unique(np.rint(255 * corpus.read_alpha(corpus.pairs(folder)[0][1]))))
            found["objects" if levels < MASK_LEVELS else "matting"].append(folder)
        elif corpus.pictures(folder):
            found["photos"].append(folder)
        else:
            raise UsageError(f"{folder} holds neither photos nor image/ and alpha/ folders of them.")
    return Data(**{name: tuple(each) for name, each in found.items()})


#: Runs the program in a process of its own: arguments of `bgdesk` -> what it wrote to stdout.
RunProgram: TypeAlias = Callable[[Sequence[str]], str]


def run_program(arguments: Sequence[str]) -> str:
    """`bgdesk ARGUMENTS` in a child process. Raises BgdeskError with what it said when it failed."""
    done = subprocess.run([sys.executable, "-m", "bgdesk", *arguments], capture_output=True, text=True, encoding="utf-8")
    if done.returncode:
        raise BgdeskError(f"bgdesk {' '.join(arguments)} ended with status {done.returncode}: {done.stderr.strip()[-500:]}")
    return done.stdout


@dataclass(frozen=True)
class Setup:
    """Everything a runner may use.

    onnx: folder with the published ONNX files (ID.onnx) that networks were converted from. quick: small and few, to see
    that everything runs; such figures are no measurement. say: one line about how far it is.
    """

    engine: OpenEngine
    given: OpenGiven
    data: Data = Data()
    onnx: Path = field(default_factory=lambda: paths.data_folder() / "onnx")
    quick: bool = False
    run_program: RunProgram = run_program
    say: Callable[[str], None] = lambda text: None

    def photo(self) -> tuple[str, Bytes]:
        """(name, pixels) of the photo for timing: the largest file that was given, else the larger sample."""
        given = self.data.backgrounds or corpus.pictures(paths.resource("samples"))
        best = max(given, key=lambda path: (path.stat().st_size, path.name))
        return best.name, to_uint8(load(best).pixels)

    def recipes(self) -> list[corpus.CaseRecipe]:
        """The composites with known alpha: drawn ones, and those of every matting folder."""
        found = scenes.generated((0.06,), 1) if self.quick else scenes.generated((2, 6, 2), 3)
        for folder in self.data.matting:
            sizes = (0.06,) if self.quick else (2, 2, 6, 2, 12, 2, 24)
            found += corpus.cutouts(folder, self.data.backgrounds, sizes)[: 2 if self.quick else None]
        return found


#: A runner: what it measures, one figure after the other.
Runner: TypeAlias = Callable[[Setup], Iterator[Figure]]


def missing(*packages: str) -> str:
    """ "" if all these packages are there, else which is not, as a reason not to measure."""
    return "; ".join(f"{package} is not installed" for package in packages if find_spec(package) is None)


def versions(*packages: str) -> Mapping[str, str]:
    """Package -> its version, "not installed" for one that is missing."""
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def enlarged(photo: Bytes, megapixels: float) -> Bytes:
    """The photo at so many million pixels, uint8 like itself."""
    size = corpus.size_of(photo.shape, megapixels)
    return np.asarray(cv2.resize(photo, size, interpolation=cv2.INTER_CUBIC), np.uint8)


def timed(work: Callable[..., T], *arguments: Any) -> tuple[float, T]:
    """(seconds, answer) of work(*arguments)."""
    start = time.perf_counter()
    answer = work(*arguments)
    return time.perf_counter() - start, answer
