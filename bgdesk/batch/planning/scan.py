"""From what a person dropped or named to the photos that are meant: each once, and none of bgdesk's own outputs."""

import fnmatch
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import NamedTuple, TypeAlias

from bgdesk.batch.outputs import placing
from bgdesk.core.errors import UsageError
from bgdesk.core.stages import Stage
from bgdesk.core.tasks import Progress, silent
from bgdesk.files.find import CHECK, Listed, listed, natural, natural_key, no_photo, not_opened, printable

#: The folder, in the output folder, for copies of photos from a watched folder that failed.
FAILED = "failed"

_EVERY = 500  # entries between two looks at the cancel token


class PhotoFile(NamedTuple):
    """A file to cut out."""

    path: Path  #: absolute, as named (links are not followed)
    size: int  #: bytes
    mtime: int  #: nanoseconds since 1970
    root: Path | None = None  #: the source folder that it was found in or below; None for a file that was named itself


#: A file or folder, and a sentence that says what is wrong with it and what to do.
Problem: TypeAlias = tuple[Path, str]


class Order(Enum):
    """In which order photos are cut out."""

    NAME = "name"  #: folder by folder, in natural order ("photo2" before "photo10")
    DATE = "date"  #: oldest first
    SIZE = "size"  #: smallest first
    GIVEN = "given"  #: as the sources were named, each folder's own photos by name


@dataclass(frozen=True)
class Filters:
    """Which files are taken, whether they were named or are in a folder."""

    include: tuple[str, ...] = ()  #: patterns for the file's name such as "*.jpg" or "shoe-??.*", case aside; () takes all
    exclude: tuple[str, ...] = ()  #: the same, for files that are not taken
    newer: datetime | None = None  #: only files changed after this moment (local time unless it says otherwise)
    smallest: int = 0  #: least size in bytes

    def takes(self, name: str, size: int, mtime: int) -> bool:
        """Whether a file of that name, size in bytes and mtime in nanoseconds is taken."""
        if size < self.smallest or (self.newer is not None and mtime <= self.newer.timestamp() * 1e9):
            return False
        name = name.casefold()
        if any(fnmatch.fnmatchcase(name, pattern.casefold()) for pattern in self.exclude):
            return False
        return not self.include or any(fnmatch.fnmatchcase(name, pattern.casefold()) for pattern in self.include)


@dataclass(frozen=True)
class ScanResult:
    """What was found."""

    photos: tuple[PhotoFile, ...]  #: in order, none twice
    problems: tuple[Problem, ...] = ()  #: what was named and cannot be taken
    folders: tuple[Path, ...] = ()  #: the sources that are folders


def moment(text: str) -> datetime:
    """A date as a person writes it for `Filters.newer`: 2026-03-01, or 2026-03-01 14:30. Raises UsageError."""
    try:
        return datetime.fromisoformat(text.strip())
    except ValueError:
        raise UsageError(f"{text!r} is not a date. Write it like 2026-03-01, or 2026-03-01 14:30.") from None


def find(
    sources: Sequence[Path],
    *,
    recursive: bool = False,
    filters: Filters | None = None,
    output: Path | None = None,
    order: Order = Order.NAME,
    progress: Progress = silent,
) -> ScanResult:
    """The photos that `sources` stand for.

    Parameters
    ----------
    sources
        A file is taken as named, whatever its suffix. A folder stands for the photos in it: files with known suffixes
        (files.find.SUFFIXES), without hidden ones. Links are followed, but no folder is entered twice.
    recursive
        A folder also stands for the photos in its subfolders.
    filters
        Which files are taken; None: all.
    output
        Where the cutouts go. Inside a source this folder is left out; where it is a source itself, so are the folders that the
        queue makes in it.
    order
        Of the photos.
    progress
        Hears Stage.SCAN without a fraction (always 0.0), and may raise Cancelled.

    Returns
    -------
    ScanResult
        What goes wrong with one source does not keep the others from being found: it is among the `problems`.
    """
    return _Scan(recursive, filters or Filters(), output, progress).run(sources, order)


def photo_at(path: Path) -> PhotoFile | None:
    """The file at `path` as it is now; None if it does not exist."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    return PhotoFile(absolute(path), status.st_size, status.st_mtime_ns)


def absolute(path: Path) -> Path:
    """`path` from the root, without "..", links as they are: a queue may be resumed from another folder."""
    return Path(os.path.abspath(path))


class _Scan:
    """One search: what it has met, and what it has found so far."""

    def __init__(self, recursive: bool, filters: Filters, output: Path | None, progress: Progress) -> None:
        self._recursive, self._filters, self._progress = recursive, filters, progress
        self._output = "" if output is None else os.path.realpath(output)
        self._met: set[str] = set()  # real paths of files
        self._entered: set[str] = set()  # real paths of folders
        self._problems: list[Problem] = []

    def run(self, sources: Sequence[Path], order: Order) -> ScanResult:
        folders: list[Path] = []
        photos: list[PhotoFile] = []
        for number, source in enumerate(sources):
            if number % _EVERY == 0:
                self._progress(Stage.SCAN, 0.0)
            path = absolute(source)
            # os.path rather than pathlib: a name that is too long or a ring of links is answered, not raised.
            if os.path.isdir(path):
                folders.append(path)
                photos += _by_name(self._folder(path))
            else:
                photos += self._named(path)
        return ScanResult(_ordered(photos, order), tuple(self._problems), tuple(folders))

    def _named(self, path: Path) -> list[PhotoFile]:
        photo = photo_at(path)
        if photo is None:
            return self._problem(path, "there is no such file. Look whether it was moved or renamed.")
        if not os.path.isfile(path):
            return self._problem(path, "it is a device or a pipe, not a file. Choose a photo.")
        wanted = self._filters.takes(path.name, photo.size, photo.mtime)
        return self._once(photo, os.path.realpath(path)) if wanted else []

    def _folder(self, source: Path) -> list[PhotoFile]:
        """The photos of one named folder, in no order."""
        photos: list[PhotoFile] = []
        top = os.path.realpath(source)
        known, troubles = top in self._entered, len(self._problems)
        pending, suitable, deeper = [(str(source), top)], 0, False
        while pending:
            folder, real = pending.pop()
            if real in self._entered:  # named twice, or a ring of links
                continue
            self._entered.add(real)
            try:
                for each in listed(folder, real, lambda: self._progress(Stage.SCAN, 0.0)):
                    if not each.is_folder:
                        suitable += 1
                        photos += self._entry(each, source)
                    elif not self._own(each.entry.name, each.real, top):
                        deeper = True
                        pending += [(each.entry.path, each.real)] * self._recursive
            except OSError as error:
                self._problems.append((Path(folder), not_opened(Path(folder), error)))
        if not suitable and not known and len(self._problems) == troubles:
            subfolders = deeper and not self._recursive
            self._problems.append((source, no_photo(source, "Take its subfolders in as well") if subfolders else no_photo(source)))
        return photos

    def _own(self, name: str, real: str, top: str) -> bool:
        """Whether a folder that was met on the way is for outputs of the queue."""
        return real == self._output or (top == self._output and name in (placing.REVIEW, FAILED))

    def _entry(self, each: Listed, source: Path) -> list[PhotoFile]:
        entry = each.entry
        try:
            status = entry.stat()
        except FileNotFoundError:  # gone since the folder was read
            return []
        except OSError as error:
            return self._problem(Path(entry.path), f"{error.strerror}. {CHECK}")
        if not self._filters.takes(entry.name, status.st_size, status.st_mtime_ns):
            return []
        return self._once(PhotoFile(Path(entry.path), status.st_size, status.st_mtime_ns, source), each.real)

    def _once(self, photo: PhotoFile, real: str) -> list[PhotoFile]:
        if real in self._met:
            return []
        self._met.add(real)
        try:
            str(photo.path).encode()
        except UnicodeEncodeError:  # neither the journal nor a report could tell it
            return self._problem(photo.path, "its name or its folder's is not valid text. Rename it.")
        return [photo]

    def _problem(self, path: Path, why: str) -> list[PhotoFile]:
        self._problems.append((path, f"{printable(path.name or path)} could not be read: {why}"))
        return []


def _by_name(photos: Sequence[PhotoFile]) -> list[PhotoFile]:
    """Folder by folder, each folder's photos before those of its subfolders."""
    folders = {folder: tuple(map(natural, folder.parts)) for folder in {photo.path.parent for photo in photos}}

    def key(photo: PhotoFile) -> tuple[object, ...]:
        return folders[photo.path.parent], natural_key(photo.path.name)

    return sorted(photos, key=key)


def _ordered(photos: Sequence[PhotoFile], order: Order) -> tuple[PhotoFile, ...]:
    if order is Order.GIVEN:
        return tuple(photos)
    named = _by_name(photos)
    if order is Order.DATE:
        named.sort(key=lambda photo: photo.mtime)
    elif order is Order.SIZE:
        named.sort(key=lambda photo: photo.size)
    return tuple(named)
