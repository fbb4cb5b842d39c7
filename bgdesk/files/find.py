"""Which photos a person means who names or drops files and folders: files as they are, folders as the photos in them."""

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

#: Entries between two calls of `look`.
_EVERY = 500
_DIGITS = re.compile(r"(\d+)")


@dataclass(frozen=True)
class Found:
    """The photos that a person meant."""

    photos: tuple[Path, ...]  #: in order, none twice
    problems: tuple[tuple[Path, str], ...] = ()  #: folders that gave no photo, each with a sentence that says what to do
    folders: tuple[Path, ...] = ()  #: those that were named


class Listed(NamedTuple):
    """A photo or a folder in a folder."""

    entry: os.DirEntry[str]  #: as the system lists it
    real: str  #: its path without links
    is_folder: bool  #: whether it is a folder, or a link to one


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
        # os.path rather than pathlib, which would raise: `load` explains a name that is too long, or a ring of links.
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
    """Give the photos and folders directly in a folder, unsorted. Links are followed, hidden files are left out.

    Parameters
    ----------
    folder
        The folder.
    real
        Its path without links.
    look
        Called now and then; what it raises ends the search.

    Raises
    ------
    OSError
        When the folder cannot be opened.
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
    """Return a key that sorts names as people count: "photo2" before "photo10", case aside."""
    parts = _DIGITS.split(text.casefold())
    return tuple(int(part) if index % 2 else part for index, part in enumerate(parts))


def natural_key(name: str) -> tuple[tuple[str | int, ...], str, str]:
    """Return a key that sorts names of files as `natural` does; "shoe.jpg" comes before "shoe-2.jpg"."""
    stem, suffix = os.path.splitext(name)
    return natural(stem), suffix, name


def not_opened(folder: Path, error: OSError) -> str:
    """Return a sentence about a folder that could not be opened."""
    return f"{printable(folder)} could not be opened: {error.strerror or error}. {CHECK}"


def no_photo(folder: Path, advice: str = "") -> str:
    """Return a sentence about a folder without photos. `advice` is a main clause without its full stop, or empty."""
    said = f"{advice}, or choose another folder." if advice else "Choose another folder."
    return f"{printable(folder)} holds no photo that bgdesk can read. {said}"


def printable(path: str | os.PathLike[str]) -> str:
    """Return a path that can be printed, whatever bytes the name consists of."""
    return os.fsencode(path).decode(errors="replace")
