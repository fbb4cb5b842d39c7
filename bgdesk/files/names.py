"""Names of files: without their suffix, with another suffix, and free ones. A name keeps its dots."""

import os
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path, PurePath

from bgdesk.core.formats import Format
from bgdesk.files.find import SUFFIXES

#: The suffixes of photos and cut-outs. Other endings belong to the name: "shoe v1.2" has no suffix.
_KNOWN = frozenset(SUFFIXES) | {suffix for each in Format for suffix in each.suffixes}


def stem(name: str | PurePath) -> str:
    """Return the name of a photo or a cut-out without folder and suffix.

    Examples
    --------
    >>> stem("shoe v1.2.jpg")
    'shoe v1.2'
    >>> stem("shoe v1.2")
    'shoe v1.2'
    """
    path = PurePath(name)
    return path.stem if path.suffix.lower() in _KNOWN else path.name


def named(path: Path, format: Format) -> Path:
    """Return the path with a suffix of this format: in place of another format's suffix, or else appended.

    Examples
    --------
    >>> named(Path("shoe v1.2"), Format.PNG).name
    'shoe v1.2.png'
    >>> named(Path("shoe v1.2.PNG"), Format.PSD).name
    'shoe v1.2.psd'
    """
    there = Format.of_path(path)
    if there is format:
        return path
    return path.with_name((path.name if there is None else path.stem) + format.suffix)


def numbered(folder: Path, name: str, suffix: str) -> Iterator[Path]:
    """Give NAME, NAME-2, NAME-3 and so on in a folder, without end. `suffix` has its dot, or is empty."""
    yield folder / (name + suffix)
    for number in count(2):
        yield folder / f"{name}-{number}{suffix}"


def free_name(folder: Path, name: str, suffix: str, taken: Callable[[Path], bool] = os.path.lexists) -> Path:
    """Return the first of NAME, NAME-2, NAME-3 … that is not taken.

    Parameters
    ----------
    folder
        Where the file is to go.
    name
        Without suffix; never shortened.
    suffix
        With dot, or empty.
    taken
        Tells whether a path cannot be used; by default, whether there is a file.
    """
    return next(path for path in numbered(folder, name, suffix) if not taken(path))
