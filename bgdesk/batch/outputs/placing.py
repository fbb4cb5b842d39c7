"""Putting complete outputs in their places: each rename may have happened or not, and doing all of it again does nothing twice.

A process may be killed between any two lines here. What it leaves is found by the staged names, which nobody else uses, and by
the outputs' hashes.
"""

import errno
import hashlib
import itertools
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from bgdesk.batch.model.values import Existing, Written
from bgdesk.core.errors import Cause
from bgdesk.files.names import numbered

#: The folder, beside the outputs, of those that need review.
REVIEW = "review"
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK, errno.EXDEV, errno.EACCES)
#: A disk with less room than this, in bytes, is full: the next photo would not fit, whatever its size.
_ROOM = 16e6
_PART = 40  # characters, the last ones, of a name that files.save keeps in its temporary one

#: Whether the file at this path may be replaced.
MayReplace = Callable[[Path], bool]


def staged_name(target: Path, queue: str, item: int, attempt: int = 0) -> Path:
    """Where a worker writes what is to become `target`: hidden, in the same folder, and no other queue's, item's or attempt's.

    A worker that outlives its program for a moment removes what it has begun: by then the next attempt may have begun too.
    """
    tail = f".{queue}-{item}{f'-{attempt}' if attempt else ''}.bgdesk{target.suffix}"
    stem = target.stem
    while len(os.fsencode(f".{stem}{tail}")) > 240:  # file systems take 255 bytes, and saving adds to the name
        stem = stem[:-1]
    return target.with_name(f".{stem}{tail}")


def is_staged(path: Path) -> bool:
    """Whether only `staged_name` can have made up that name."""
    return path.name.startswith(".") and ".bgdesk." in path.name


def sweep(staged: Sequence[Path]) -> None:
    """Remove these staged files, whole and half-written ones, and nothing under any other name.

    Never raises: a staged file that cannot be removed does no harm.
    """
    tails: dict[Path, set[str]] = {}
    for path in filter(is_staged, staged):
        with suppress(OSError):
            path.unlink(missing_ok=True)
        tails.setdefault(path.parent, set()).add(path.name[-_PART:])
    for folder, wanted in tails.items():
        with suppress(OSError):
            for name in os.listdir(folder):
                if name.endswith(".part") and name[1:].rsplit(".", 2)[0] in wanted:
                    (folder / name).unlink(missing_ok=True)


def place(written: Written, target: Path, may_replace: MayReplace) -> Path:
    """Move a staged output to `target`, or to the first of target-2, -3 … that is free. Returns the path that it has now.

    may_replace: asked for what is there already. Raises OSError; the output is then under its staged name, or in its place.
    """
    staged = written.staged
    if not staged.exists():
        found = next((path for path in _numbered(target, 1000) if _holds(path, written.sha256)), None)
        if found is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(staged))
        return found
    target.parent.mkdir(parents=True, exist_ok=True)
    for path in _numbered(target, None):
        if not os.path.lexists(path):
            if _claim(staged, path):
                break
        elif same(staged, path):  # linked, and killed before the staged name was gone
            staged.unlink()
            break
        elif _is_reserved(path, staged) or (not path.is_dir() and may_replace(path)):
            os.replace(staged, path)
            break
    _sync(path.parent)
    return path


def _claim(staged: Path, path: Path) -> bool:
    """Give the staged file this name if it is free; False if it was taken meanwhile."""
    try:
        os.link(staged, path)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
    except (AttributeError, NotImplementedError):  # no links on this system at all
        pass
    else:
        staged.unlink()
        return True
    try:
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
    except FileExistsError:
        return False
    try:
        os.write(handle, _mark(staged))
    finally:
        os.close(handle)
    os.replace(staged, path)
    return True


def _mark(staged: Path) -> bytes:
    """The content of a reserved file until the output comes: after a kill, it tells for which output it was reserved."""
    return b"reserved for " + os.fsencode(staged.name)


def _is_reserved(path: Path, staged: Path) -> bool:
    mark = _mark(staged)
    try:
        return path.stat().st_size == len(mark) and path.read_bytes() == mark
    except OSError:
        return False


def put_in_review(written: Sequence[Written]) -> list[Written]:
    """Move outputs that need review into the review folder; their `staged` says where each is. Raises OSError."""
    return [replace(one, staged=place(one, in_review(one.target), lambda path: False)) for one in written]


def in_review(target: Path) -> Path:
    """Where an output is while it is in review."""
    return target.parent / REVIEW / target.name


def discard(written: Sequence[Written]) -> None:
    """Remove outputs in review that are still what the worker wrote; one that somebody has changed stays. Raises OSError."""
    for one in written:
        if one.staged != one.target and _holds(one.staged, one.sha256):
            one.staged.unlink(missing_ok=True)
        if one.staged.parent.name == REVIEW:
            with suppress(OSError):  # there are others in it
                one.staged.parent.rmdir()


def replacing(existing: Existing, source: Path, ours: Callable[[Path, Path], bool]) -> MayReplace:
    """Which existing files the outputs of a photo may replace. ours(path, source): bgdesk made that file from this photo itself."""

    def may(path: Path) -> bool:
        if same(source, path) or existing is Existing.NUMBER:
            return False
        return existing is Existing.REPLACE or ours(path, source)

    return may


def sha256_of(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _numbered(target: Path, most: int | None) -> Iterator[Path]:
    """`target`, target-2, target-3 …: without an end, or at most so many and as far as something is there."""
    paths = numbered(target.parent, target.stem, target.suffix)
    if most is None:
        return paths
    first, *rest = itertools.islice(paths, most - 1)
    return itertools.chain([first], itertools.takewhile(os.path.lexists, rest))


def _holds(path: Path, sha256: str) -> bool:
    try:
        return path.is_file() and sha256_of(path) == sha256
    except OSError:
        return False


def same(one: Path, other: Path) -> bool:
    """Whether these are names of one file."""
    try:
        return os.path.samefile(one, other)
    except OSError:
        return False


def _sync(folder: Path) -> None:
    """The new name survives a power cut, where the system can do that."""
    if os.name != "posix":
        return
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def trouble(folder: Path, cause: Cause) -> str:
    """What is wrong with the folder that an output could not be saved in, as a sentence; "" if the output itself is to blame.

    That the disk was full is believed: by now the worker has removed its half of a file, and there may be room again. Any other
    cause is checked by writing something there: the folder may be well again, and other photos can be saved in it.
    """
    full = f"The disk that {folder} is on is full. Make room there, then resume."
    with suppress(OSError):
        if cause is Cause.DISK_FULL or shutil.disk_usage(folder).free < _ROOM:
            return full
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"\0" * 65536)
            file.flush()
    except OSError as problem:
        return f"{folder} cannot be written to: {problem.strerror}. Check the disk and the permissions, then resume."
    return ""
