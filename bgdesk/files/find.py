"""From what a person named or dropped to the photos that are meant: files as they are, folders as the photos in them."""

import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

#: Suffixes offered in file dialogs and taken from folders. Other files still open if their content is known.
SUFFIXES: tuple[str, ...] = (
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".tif", ".tiff", ".webp", ".heic", ".heif", ".hif", ".avif", ".psd", ".psb",
    ".gif", ".bmp", ".jp2", ".j2k", ".jpx", ".mpo", ".tga", ".ppm", ".pgm", ".qoi",
)  # fmt: skip

#: What a person can do about a folder that could not be opened.
CHECK = "Check its permissions and the disk."

_EVERY = 500  # entries between two looks at the cancel token
_DIGITS = re.compile(r"(\d+)")


@dataclass(frozen=True)
class Found:
    """What was named, resolved."""

    photos: tuple[Path, ...]  #: in order, none twice
    problems: tuple[tuple[Path, str], ...] = ()  #: folders that gave no photo, each with a sentence that says what to do
    folders: tuple[Path, ...] = ()  #: those that were named


class Listed(NamedTuple):
    """A photo or a folder in a folder."""

    entry: os.DirEntry[str]
    real: str  #: its path without links
    is_folder: bool


def find(paths: Iterable[Path], look: Callable[[], None] = lambda: None) -> Found:
    """Replace folders by the photos in them.

    Parameters
    ----------
    paths
        Files and folders. A file is taken as named, whether it exists or not: loading it says what is wrong with it. A folder
        stands for the photos in it, not for those in its subfolders.
    look
        Called now and then; what it raises ends the search.

    Returns
    -------
    Found
        Each folder's photos in natural order ("photo2" before "photo10"). A file and links to it are one photo.
    """
    photos: dict[str, Path] = {}
    folders: list[Path] = []
    problems: list[tuple[Path, str]] = []
    for path in paths:
        # os.path rather than pathlib: a name that is too long or a ring of links is loading's to explain.
        if not os.path.isdir(path):
            photos.setdefault(os.path.realpath(path), path)
            continue
        folders.append(path)
        try:
            inside = [each for each in listed(path, os.path.realpath(path), look) if not each.is_folder]
        except OSError as error:
            problems.append((path, not_opened(path, error)))
            continue
        if not inside:
            problems.append((path, no_photo(path)))
        for each in sorted(inside, key=lambda each: natural_key(each.entry.name)):
            photos.setdefault(each.real, path / each.entry.name)
    return Found(tuple(photos.values()), tuple(problems), tuple(folders))


def listed(folder: str | os.PathLike[str], real: str, look: Callable[[], None] = lambda: None) -> Iterator[Listed]:
    """The photos and folders directly in a folder, in no order: known suffixes, hidden ones left out, links followed.

    real: the folder's path without links. Raises OSError.
    """
    with os.scandir(folder) as entries:
        for number, entry in enumerate(entries):
            if number % _EVERY == 0:
                look()
            if entry.name.startswith("."):  # "._photo.jpg" is not a photo
                continue
            link = entry.is_symlink()
            place = os.path.realpath(entry.path) if link else os.path.join(real, entry.name)
            # Where a link leads nowhere or in a ring, entry.is_dir and entry.is_file may raise.
            if os.path.isdir(entry.path) if link else entry.is_dir():
                yield Listed(entry, place, True)
            elif has_photo_suffix(entry.name) and (os.path.isfile(entry.path) if link else entry.is_file()):
                yield Listed(entry, place, False)


def has_photo_suffix(name: str) -> bool:
    """Whether a file of this name is taken from a folder."""
    return name.lower().endswith(SUFFIXES)


def natural(text: str) -> tuple[str | int, ...]:
    """A key that sorts names as people count: "photo2" before "photo10", case aside."""
    parts = _DIGITS.split(text.casefold())
    return tuple(int(part) if index % 2 else part for index, part in enumerate(parts))


def natural_key(name: str) -> tuple[tuple[str | int, ...], str, str]:
    """`natural` for names of files: "shoe.jpg" comes before "shoe-2.jpg"."""
    stem, suffix = os.path.splitext(name)
    return natural(stem), suffix, name


def not_opened(folder: Path, error: OSError) -> str:
    """A sentence about a folder that could not be looked into."""
    return f"{printable(folder)} could not be opened: {error.strerror or error}. {CHECK}"


def no_photo(folder: Path, advice: str = "") -> str:
    """A sentence about a folder in which there is no photo."""
    said = f"{advice}, or choose another folder." if advice else "Choose another folder."
    return f"{printable(folder)} holds no photo that bgdesk can read. {said}"


def printable(path: str | os.PathLike[str]) -> str:
    """A path fit to be printed, whatever bytes the name is made of."""
    return os.fsencode(path).decode(errors="replace")
