"""Install, import, verify, list and remove networks.

A network is two files in the models folder: <id>.safetensors, and <id>.json, the record that says what it is. The
record is written last: without a record a network is not installed. All work happens in a temporary folder beside
them, so that putting the result in place is a rename, and is done under a lock that other processes respect.
"""

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from bgdesk.app import paths
from bgdesk.app.catalog import CatalogEntry, load_catalog
from bgdesk.app.fetch import FETCHERS, Fetch, check, sha256_of
from bgdesk.app.filelock import locked
from bgdesk.core.errors import ModelError
from bgdesk.core.tasks import Progress, silent

if TYPE_CHECKING:
    from bgdesk.engine.weights import Weights

#: convert(onnx, net, target, progress): ONNX file to safetensors, every name and shape checked; raises ModelError.
Convert: TypeAlias = Callable[[Path, str, Path, Progress], None]

_WORK_PREFIX = ".incoming-"
_PICKLES = frozenset({".pt", ".pth", ".ckpt", ".bin", ".pkl", ".pickle"})


@dataclass(frozen=True)
class Record:
    """What <id>.json says. size, sha256: of the tensors; source_sha256: of the ONNX file they were made from."""

    id: str
    net: str
    size: int
    sha256: str
    source_sha256: str
    licence: str
    installed_from: str


@dataclass(frozen=True)
class ModelStatus:
    """One line of a list of networks.

    installed: it is there, whole or not. size: bytes on disk; before it is installed, bytes to download.
    damaged: it is there and cannot be used; problem says why, as a sentence.
    installed_from: where the installed file came from, in words.
    """

    entry: CatalogEntry
    installed: bool
    size: int
    damaged: bool = False
    problem: str = ""
    installed_from: str = ""


class ModelStore:
    """The networks in one folder. Safe to use from several threads and processes."""

    def __init__(
        self, folder: Path, catalog: Sequence[CatalogEntry], fetchers: Mapping[str, Fetch] = FETCHERS, convert: Convert | None = None
    ) -> None:
        self.folder = folder
        self.catalog = tuple(catalog)
        self._fetchers = fetchers
        self._convert = convert or _engine_convert
        #: Files whose sha256 was computed in this process: path -> ((mtime, size), sha256).
        self._hashed: dict[Path, tuple[tuple[int, int], str]] = {}

    # --- look ---

    def entry(self, id: str) -> CatalogEntry:
        """The catalogue's entry of this id; ModelError if there is none."""
        for entry in self.catalog:
            if entry.id == id:
                return entry
        known = ", ".join(entry.id for entry in self.catalog)
        raise ModelError(f"There is no network called {id!r}. The networks are: {known}.")

    @property
    def default_entry(self) -> CatalogEntry:
        """The network that is meant when nobody names one, installed or not."""
        return next(entry for entry in self.catalog if entry.default)

    def statuses(self) -> list[ModelStatus]:
        """Every network of the catalogue, in its order. Quick: sizes are compared, contents are not."""
        return [self._status(entry) for entry in self.catalog]

    def default_id(self) -> str | None:
        """The catalogue's default if it is installed, else the first installed one, else None."""
        installed = [status.entry for status in self.statuses() if status.installed]
        return next((entry.id for entry in (*(e for e in installed if e.default), *installed)), None)

    def weights(self, id: str | None = None) -> "Weights":
        """A verified network: `id`, or the default one.

        The sha256 is computed before the first use in a process and again when the file has changed.
        Raises ModelError if it is not installed or not whole.
        """
        from bgdesk.engine.weights import Weights

        chosen = id or self.default_id()
        if chosen is None:
            raise ModelError(f"No network is installed. Install one with: bgdesk models install {self.default_entry.id}")
        entry = self.entry(chosen)
        problem, record = self._inspect(entry, contents=True)
        if problem:
            raise ModelError(f"The network {chosen} is damaged: {problem}. Install it again with: bgdesk models install {chosen}")
        if record is None:
            raise ModelError(f"The network {chosen} is not installed. Install it with: bgdesk models install {chosen}")
        return Weights(chosen, record.net, self._tensors(chosen), record.sha256)

    def verify(self) -> list[ModelStatus]:
        """Read every installed network from disk and compare its sha256; the installed ones, in catalogue order."""
        self._hashed.clear()
        return [status for status in (self._status(entry, contents=True) for entry in self.catalog) if status.installed]

    # --- change ---

    def install(self, id: str, progress: Progress = silent) -> "Weights":
        """Download, check and convert a network; one that is installed and whole is left as it is.

        Stages: "download", "unpack", "verify", "convert" ("wait" while another bgdesk installs). The sources are tried
        in order; ModelError gives the reason of each. Cancelled, Ctrl-C and errors leave the folder as it was.
        """
        entry = self.entry(id)
        with self._work_folder(id, progress) as work:
            problem, record = self._inspect(entry, contents=True)
            if record is not None and not problem:
                return self.weights(id)
            reasons = []
            for number, source in enumerate(entry.sources):
                onnx = work / f"{id}.onnx"  # the name that messages about its contents give
                fetching = work / str(number)
                fetching.mkdir()
                try:
                    self._fetchers[source.kind](source, fetching, onnx, progress)
                    check(onnx, source.size, source.sha256, progress)
                    shutil.rmtree(fetching, ignore_errors=True)  # room for the conversion; the rest goes with the work folder
                    return self._put(entry, onnx, source.sha256, source.title, work, progress)
                except (ModelError, OSError) as error:
                    reasons.append(f"{source.title}: {_reason(error)}")
                    onnx.unlink(missing_ok=True)
            raise ModelError(
                f"The network {id} could not be installed. {'. '.join(reasons)}. Check the connection and try again, or fetch "
                f"the ONNX file on another machine and run: bgdesk models import FILE --as {id}"
            )

    def import_file(self, path: Path, id: str, progress: Progress = silent) -> "Weights":
        """Install a network from a local ONNX file, replacing an installed one of the same id.

        Any ONNX file of the right architecture is taken; a truncated or foreign one is refused with ModelError, and so
        is a pickle. Stages: "verify", "convert".
        """
        entry = self.entry(id)
        _refuse_foreign(path, id)
        with self._work_folder(id, progress) as work:
            try:
                sha256 = sha256_of(path, progress)
                owner = next((e.id for e in self.catalog if any(s.sha256 == sha256 for s in e.sources)), id)
                if owner != id:
                    raise ModelError(f"{path.name} is the network {owner}. Import it with: bgdesk models import {path.name} --as {owner}")
                return self._put(entry, path, sha256, f"file {path.name}", work, progress)
            except OSError as error:
                raise ModelError(
                    f"{path.name} could not be imported as {id}: {_reason(error)}. See that the file can be read and that there is "
                    f"room in {self.folder}, and try again."
                ) from error

    def remove(self, id: str) -> None:
        """Delete an installed network. ModelError if it is not installed or in use."""
        entry = self.entry(id)
        with self._work_folder(id, silent) as work:
            if not self._status(entry).installed:
                raise ModelError(f"The network {id} is not installed.")
            try:
                # A rename fails as a whole where another process has the tensors open (Windows): then nothing has changed.
                if self._tensors(id).exists():
                    os.replace(self._tensors(id), work / "removed")
                self._record_file(id).unlink(missing_ok=True)
            except OSError as error:
                raise ModelError(
                    f"The network {id} could not be removed: {_reason(error)}. Close other windows of bgdesk and try again."
                ) from error

    # --- inside ---

    def _tensors(self, id: str) -> Path:
        return self.folder / f"{id}.safetensors"

    def _record_file(self, id: str) -> Path:
        return self.folder / f"{id}.json"

    def _status(self, entry: CatalogEntry, contents: bool = False) -> ModelStatus:
        problem, record = self._inspect(entry, contents)
        if record is None and not problem:
            return ModelStatus(entry, False, entry.download_size)
        tensors = self._tensors(entry.id)
        size = tensors.stat().st_size if tensors.exists() else 0
        return ModelStatus(entry, True, size, bool(problem), problem, record.installed_from if record else "")

    def _inspect(self, entry: CatalogEntry, contents: bool) -> tuple[str, Record | None]:
        """(what is wrong with an installed network or "", its record); ("", None) means not installed."""
        try:
            fields = json.loads(self._record_file(entry.id).read_text(encoding="utf-8"))
            record = Record(**fields)
        except FileNotFoundError:
            return "", None
        except (OSError, ValueError, TypeError) as error:
            return f"its record could not be read ({error})", None
        tensors = self._tensors(entry.id)
        try:
            found = tensors.stat()
            if found.st_size != record.size:
                return f"{tensors.name} has {found.st_size:,} bytes instead of {record.size:,}", record
            if record.net != entry.net:
                return f"it was made for the architecture {record.net}, not {entry.net}", record
            stamp = (found.st_mtime_ns, found.st_size)
            known = self._hashed.get(tensors)
            if contents and (known is None or known[0] != stamp):
                known = stamp, sha256_of(tensors)
                self._hashed[tensors] = known
        except OSError as error:
            return f"{tensors.name} could not be read ({_reason(error)})", record
        if known is not None and known[0] == stamp and known[1] != record.sha256:
            return f"the sha256 of {tensors.name} is wrong", record
        return "", record

    def _put(self, entry: CatalogEntry, onnx: Path, source_sha256: str, origin: str, work: Path, progress: Progress) -> "Weights":
        """Convert an ONNX file in `work`, then rename the tensors and, last, the record into place."""
        progress("convert", 0.0)
        tensors, note = work / "network.safetensors", work / "record.json"
        self._convert(onnx, entry.net, tensors, progress)
        record = Record(entry.id, entry.net, tensors.stat().st_size, sha256_of(tensors), source_sha256, entry.licence, origin)
        note.write_text(json.dumps(asdict(record), indent=2) + "\n", encoding="utf-8")
        shutil.copymode(note, tensors)  # safetensors writes files that only their owner can read
        progress("convert", 1.0)
        os.replace(tensors, self._tensors(entry.id))
        os.replace(note, self._record_file(entry.id))
        return self.weights(entry.id)

    @contextmanager
    def _work_folder(self, id: str, progress: Progress) -> Iterator[Path]:
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
                    f"The network {id} could not be changed in {self.folder}: {_reason(error)}. "
                    "Make room there, or see that the folder may be written to, and try again."
                ) from error
            yield Path(work)


def default_store() -> ModelStore:
    """The networks of this person, with the catalogue that ships with bgdesk."""
    return ModelStore(paths.models_folder(), load_catalog(paths.catalog_file()))


def _engine_convert(onnx: Path, net: str, target: Path, progress: Progress) -> None:
    from bgdesk.engine.weights import convert

    convert(onnx, net, target, progress)


def _reason(error: Exception) -> str:
    """An error as the end of a sentence, without a full stop."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error) or type(error).__name__
    return text.strip().rstrip(".")


def _refuse_foreign(path: Path, id: str) -> None:
    """Raise ModelError for what can be told from a file's name and first bytes: no file, a pickle, no ONNX."""
    remedy = f"Give an ONNX file of {id}, or run: bgdesk models install {id}"
    try:
        with path.open("rb") as file:
            head = file.read(8)
    except OSError as error:
        raise ModelError(f"{path.name} could not be read: {_reason(error)}. {remedy}") from error
    # A pickle of protocol 2 and later begins with 0x80; torch has wrapped pickles in zip files since 1.6.
    if path.suffix.lower() in _PICKLES or head[:1] == b"\x80":
        raise ModelError(f"{path.name} is a pickle, and opening one can run any program hidden in it, so bgdesk never does. {remedy}")
    if head[:4] == b"PK\x03\x04":
        raise ModelError(f"{path.name} is an archive, not an ONNX file. {remedy}")
    if path.suffix.lower() != ".onnx":
        raise ModelError(f"{path.name} is not an ONNX file (its name does not end in .onnx). {remedy}")
    if not head:
        raise ModelError(f"{path.name} is empty. {remedy}")
