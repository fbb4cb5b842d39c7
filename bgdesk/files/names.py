"""Names of files: without their suffix, with another one, and such as nobody has yet. A name keeps its dots."""

import os
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path, PurePath

from bgdesk.core.formats import Format
from bgdesk.files.find import SUFFIXES

#: What a name may end with that says what the file is; "shoe v1.2" has no suffix.
_KNOWN = frozenset(SUFFIXES) | {suffix for each in Format for suffix in each.suffixes}


def stem(name: str | PurePath) -> str:
    """The name of a photo or a cut-out, without folder and suffix.

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
    """The path with a suffix of this format: in place of another format's, else added.

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
    """NAME, NAME-2, NAME-3 … in a folder, without an end. suffix: with its dot, or empty."""
    yield folder / (name + suffix)
    for number in count(2):
        yield folder / f"{name}-{number}{suffix}"


def free_name(folder: Path, name: str, suffix: str, taken: Callable[[Path], bool] = os.path.lexists) -> Path:
    """The first of NAME, NAME-2, NAME-3 … that is not `taken`.

    Parameters
    ----------
    folder
        Where the file is to go.
    name
        Without its suffix; it is never shortened.
    suffix
        With its dot, or empty.
    taken
        Whether a path may not be had; unless said otherwise, whether something is there.
    """
    return next(path for path in numbered(folder, name, suffix) if not taken(path))
