"""The models folder: which files a network has, whether they are whole, and a place to make new ones under a lock."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bgdesk.app.networks.catalog import CatalogEntry
from bgdesk.app.networks.download import sha256_of
from bgdesk.app.system.locks import locked
from bgdesk.core.errors import ModelError
from bgdesk.core.network import NetworkKind
from bgdesk.core.tasks import Progress, silent

_WORK_PREFIX = ".incoming-"
_PICKLES = frozenset({".pt", ".pth", ".ckpt", ".bin", ".pkl", ".pickle"})


@dataclass(frozen=True, kw_only=True)
class ModelStatus:
    """One line of a list of networks."""

    entry: CatalogEntry
    installed: bool  #: it is there, whole or not
    size: int  #: bytes on disk; before it is installed, bytes to download
    problem: str = ""  #: why it cannot be used although it is there, as a sentence; empty if it can
    installed_from: str = ""  #: where the installed file came from, in words
    kind: NetworkKind = NetworkKind.SEGMENT
    own: bool = False  #: somebody brought it, it is not the catalogue's

    @property
    def damaged(self) -> bool:
        """Whether it is there and cannot be used."""
        return bool(self.problem)


class ModelFiles:
    """One folder of networks. Safe to use from several threads and processes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        #: Files whose sha256 was computed in this process: path -> ((mtime, size), sha256).
        self._hashed: dict[Path, tuple[tuple[int, int], str]] = {}

    def tensors(self, id: str) -> Path:
        return self.folder / f"{id}.safetensors"

    def onnx(self, id: str) -> Path:
        return self.folder / f"{id}.onnx"

    def record(self, id: str) -> Path:
        return self.folder / f"{id}.json"

    def forget(self) -> None:
        """Read every file again, whatever is known of it."""
        self._hashed.clear()

    def fault(self, file: Path, size: int, sha256: str, contents: bool) -> str:
        """What is wrong with a file, or "". contents: read it, once in a process and again when it has changed."""
        try:
            found = file.stat()
            if found.st_size != size:
                return f"{file.name} has {found.st_size:,} bytes instead of {size:,}"
            stamp = (found.st_mtime_ns, found.st_size)
            known = self._hashed.get(file)
            if contents and (known is None or known[0] != stamp):
                known = stamp, sha256_of(file)
                self._hashed[file] = known
        except OSError as error:
            return f"{file.name} could not be read ({reason(error)})"
        if known is not None and known[0] == stamp and known[1] != sha256:
            return f"the sha256 of {file.name} is wrong"
        return ""

    def delete(self, id: str, work: Path) -> None:
        """Take a network's files away; call under the lock. Raises ModelError if one is in use."""
        try:
            for file in (self.tensors(id), self.onnx(id)):
                # A rename fails as a whole where another process has the file open (Windows): then nothing has changed.
                if file.exists():
                    os.replace(file, work / f"removed{file.suffix}")
            self.record(id).unlink(missing_ok=True)
        except OSError as error:
            raise ModelError(
                f"The network {id} could not be removed: {reason(error)}. Close other windows of bgdesk and try again."
            ) from error

    @contextmanager
    def work_folder(self, id: str, progress: Progress = silent) -> Iterator[Path]:
        """An empty folder on the disk of the models folder, under the lock; gone afterwards, whatever happens."""
        with ExitStack() as stack:
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
                stack.enter_context(locked(self.folder / ".lock", lambda: progress("wait", 0.0)))
                # Whoever made these held the lock, and holds it no longer: it was killed.
                for stale in self.folder.glob(_WORK_PREFIX + "*"):
                    shutil.rmtree(stale, ignore_errors=True)
                work = stack.enter_context(tempfile.TemporaryDirectory(prefix=_WORK_PREFIX, dir=self.folder, ignore_cleanup_errors=True))
            except OSError as error:
                raise ModelError(
                    f"The network {id} could not be changed in {self.folder}: {reason(error)}. "
                    "Make room there, or see that the folder may be written to, and try again."
                ) from error
            yield Path(work)


def reason(error: Exception) -> str:
    """An error as the end of a sentence, without a full stop."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error) or type(error).__name__
    return text.strip().rstrip(".")


def refuse_foreign(path: Path, remedy: str) -> None:
    """Raise ModelError for what can be told from a file's name and first bytes: no file, a pickle, no ONNX."""
    try:
        with path.open("rb") as file:
            head = file.read(8)
    except OSError as error:
        raise ModelError(f"{path.name} could not be read: {reason(error)}. {remedy}") from error
    # A pickle of protocol 2 and later begins with 0x80; torch has wrapped pickles in zip files since 1.6.
    if path.suffix.lower() in _PICKLES or head[:1] == b"\x80":
        raise ModelError(f"{path.name} is a pickle, and opening one can run any program hidden in it, so bgdesk never does. {remedy}")
    if head[:4] == b"PK\x03\x04":
        raise ModelError(f"{path.name} is an archive, not an ONNX file. {remedy}")
    if path.suffix.lower() != ".onnx":
        raise ModelError(f"{path.name} is not an ONNX file (its name does not end in .onnx). {remedy}")
    if not head:
        raise ModelError(f"{path.name} is empty. {remedy}")
