"""Writing a file so that either all of it is there, or what was there before still is."""

import contextlib
import errno
import functools
import os
import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO, TypeVar

from bgdesk.core.errors import Cause, SaveError
from bgdesk.core.tasks import Progress

_T = TypeVar("_T")
#: Seconds between two calls of progress while a library works.
_POLL = 0.05
#: Bytes written between two calls of progress.
_PIECE = 4 << 20

_FULL = "the disk is full. Make room or choose another disk, and export again."
_ADVICE = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EFBIG: "the disk cannot hold a file of that size. Choose another disk.",
    errno.EACCES: "you are not allowed to write there. Choose another folder.",
    errno.EPERM: "you are not allowed to write there. Choose another folder.",
    errno.EROFS: "that disk can only be read. Choose another folder.",
    errno.ENOENT: "its folder does not exist. Make the folder first, or choose another.",
    errno.ENOTDIR: "its folder does not exist. Make the folder first, or choose another.",
    errno.EISDIR: "there is a folder of that name. Choose another name.",
    errno.ENAMETOOLONG: "the name is too long. Choose a shorter one.",
    errno.EINVAL: "the name has characters that this disk does not take. Choose another name.",
}


class Unwritable(Exception):
    """A writer gives up; the argument completes "NAME could not be saved: …" and says what to do."""


@contextlib.contextmanager
def staged(path: Path, replace: bool = True) -> Iterator[Path]:
    """Give the block a new, empty file beside `path`, and move that file to `path` when the block ends without an error.

    When the block raises, also because it was cancelled, the new file is removed and `path` stays as it was. The file has the
    permissions that any new file gets.

    Parameters
    ----------
    path
        The target, in a folder that exists.
    replace
        Whether a file at `path` is replaced.

    Yields
    ------
    Path
        The new file.

    Raises
    ------
    SaveError
        For every failure of the disk; the text names `path`. Without `replace` it has Cause.EXISTS if there is a file at
        `path`, even one that was made meanwhile.
    """
    # The end of a long name, not its beginning: a queue tells by it whose leftovers it finds after a crash.
    temporary = path.with_name(f".{path.name[-40:]}.{secrets.token_hex(4)}.part")
    created = False
    try:
        if "\0" in str(path):
            raise OSError(errno.EINVAL, "null character")
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, "is a folder")
        if not replace and os.path.lexists(path):
            raise _exists(path)
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))  # less the person's umask
        created = True
        yield temporary
        if replace:
            os.replace(temporary, path)
        else:
            _move_to_free_name(temporary, path)
        created = False
        _sync_folder(path.parent)
    except (OSError, MemoryError, Unwritable) as error:
        cause = Cause.of(error) if isinstance(error, OSError) else Cause.OTHER
        raise SaveError(f"{path.name or path} could not be saved: {_reason(error)}", cause) from error
    finally:
        if created:
            with contextlib.suppress(OSError):  # nothing more can be done, and the first failure is the one to report
                os.unlink(temporary)


def _move_to_free_name(temporary: Path, path: Path) -> None:
    """Rename the file in one step that fails if the name is taken, even at the last moment. Raises OSError and SaveError."""
    try:
        if os.name == "nt":
            os.rename(temporary, path)  # never replaces anything there
            return
        try:
            os.link(temporary, path)
        except FileExistsError:
            raise
        except OSError:  # a disk without hard links: reserve the name with an empty file for a moment
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
            try:
                os.replace(temporary, path)
            except OSError:
                os.unlink(path)
                raise
        else:
            os.unlink(temporary)
    except FileExistsError as error:
        raise _exists(path) from error


def _exists(path: Path) -> SaveError:
    return SaveError(
        f"{path.name} could not be saved: a file of that name is there. Choose another name, or replace that file.", Cause.EXISTS
    )


@contextlib.contextmanager
def opened(temporary: Path, progress: Progress, stage: str) -> Iterator["CheckedFile"]:
    """Open `temporary` for writing, and flush it through to the disk at the end.

    `progress` hears `stage`, and may raise Cancelled between pieces of what is written.
    """
    with open(temporary, "r+b") as stream:
        yield CheckedFile(stream, progress, stage)
        stream.flush()
        patiently(functools.partial(_sync, os.dup(stream.fileno())), progress, stage, 0.7)


class CheckedFile:
    """A binary file that calls `progress` between the pieces it writes, so that a large write can be cancelled."""

    def __init__(self, stream: BinaryIO, progress: Progress, stage: str) -> None:
        self._stream, self._progress, self._stage = stream, progress, stage
        self.fraction = 0.0  #: how much of the stage is done, in [0, 1]; reported with each piece

    def write(self, data: bytes | bytearray | memoryview) -> int:
        view = memoryview(data).cast("B")
        for start in range(0, len(view), _PIECE):
            self._progress(self._stage, self.fraction)
            self._stream.write(view[start : start + _PIECE])
        return len(view)

    def tell(self) -> int:
        return self._stream.tell()

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._stream.seek(offset, whence)


def patiently(work: Callable[[], _T], progress: Progress, stage: str, fraction: float) -> _T:
    """Call work() on another thread, and call `progress` until it is done.

    For calls into a library that take up to a second and cannot be interrupted. When `progress` raises Cancelled, the thread
    finishes by itself and its result is dropped.

    Parameters
    ----------
    work
        What is called.
    progress
        Hears `stage` and `fraction`.

    Returns
    -------
    object
        What `work` returned. An error of `work` is raised here.
    """
    lane = ThreadPoolExecutor(1, thread_name_prefix="files")
    try:
        future = lane.submit(work)
        while True:
            progress(stage, fraction)
            try:
                return future.result(_POLL)
            except TimeoutError:
                if future.done():  # the work itself timed out on something
                    raise
    finally:
        lane.shutdown(wait=False)


def _sync(handle: int) -> None:
    """Flush a file to the disk, and close the handle, which must be a duplicate. On a slow disk this takes seconds."""
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _reason(error: Exception) -> str:
    if isinstance(error, MemoryError):
        return "this computer's memory is full. Close other programs and export again."
    if isinstance(error, OSError):
        known = _ADVICE.get(error.errno or 0)
        return known or f"the disk or the network failed ({error.strerror or error}). Check the connection, or choose another folder."
    return str(error)


def _sync_folder(folder: Path) -> None:
    """Make the new name survive a power cut, where the system can do that (not on Windows, not on every network disk)."""
    if os.name != "posix":
        return
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
