"""Install, import, verify, list and remove networks.

A network is two files in the models folder: <id>.safetensors, and <id>.json, the record that says what it is. The
record is written last: without a record a network is not installed. All work happens in a temporary folder beside
them, so that putting the result in place is a rename, and is done under a lock that other processes respect.
"""

import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from bgdesk.app.networks.catalog import CatalogEntry, load_catalog
from bgdesk.app.networks.download import FETCHERS, Fetch, check, sha256_of
from bgdesk.app.networks.imported import Imported, OwnNetworks
from bgdesk.app.networks.model_files import ModelFiles, ModelStatus, reason, refuse_foreign
from bgdesk.app.networks.onnx_presets import Description
from bgdesk.app.system import codec, paths
from bgdesk.core.errors import ModelError, UsageError
from bgdesk.core.network import NetworkKind
from bgdesk.core.tasks import Progress, silent

if TYPE_CHECKING:
    from bgdesk.engine.networks.network import MattingNet, Net, Network

#: convert(onnx, net, target, progress): ONNX file to safetensors, its weights counted and every shape checked; raises ModelError.
Convert: TypeAlias = Callable[[Path, str, Path, Progress], None]


@dataclass(frozen=True, kw_only=True)
class InstalledRecord:
    """What <id>.json says of a network of the catalogue."""

    id: str
    net: str  #: the architecture
    size: int  #: bytes of the tensors
    sha256: str  #: of the tensors
    source_sha256: str  #: of the ONNX file that they were made from
    licence: str
    installed_from: str  #: where it came from, in words


class ModelStore:
    """The networks in one folder. Safe to use from several threads and processes."""

    def __init__(
        self, folder: Path, catalog: Sequence[CatalogEntry], fetchers: Mapping[str, Fetch] = FETCHERS, convert: Convert | None = None
    ) -> None:
        self.folder = folder
        self.catalog = tuple(catalog)
        self._files = ModelFiles(folder)
        self._own = OwnNetworks(self._files, frozenset(entry.id for entry in catalog))
        self._fetchers = fetchers
        self._convert = convert or _engine_convert

    # --- look ---

    def entry(self, id: str) -> CatalogEntry:
        """Look up a network.

        Parameters
        ----------
        id
            Of the catalogue, or of a network that somebody brought.

        Raises
        ------
        ModelError
            There is none; the text names those there are.
        """
        for entry in self.catalog:
            if entry.id == id:
                return entry
        if self._own.has(id):
            return self._own.status(id).entry
        known = ", ".join([entry.id for entry in self.catalog] + self._own.ids())
        raise ModelError(
            f"There is no network called {id!r}. The networks are: {known}. One of your own: bgdesk models import FILE --as ID."
        )

    @property
    def default_entry(self) -> CatalogEntry:
        """The network that is meant when nobody names one, installed or not."""
        return next(entry for entry in self.catalog if entry.default)

    def statuses(self) -> list[ModelStatus]:
        """Every network of the catalogue, in its order, then those that were brought. Quick: sizes are compared, contents are not."""
        return [self._status(entry) for entry in self.catalog] + [self._own.status(id) for id in self._own.ids()]

    def default_id(self) -> str | None:
        """The catalogue's default if it is installed, else the first installed one that segments, else None."""
        installed = [status.entry for status in self.statuses() if status.installed and status.kind is NetworkKind.SEGMENT]
        return next((entry.id for entry in (*(e for e in installed if e.default), *installed)), None)

    def weights(self, id: str | None = None) -> "Network[Net]":
        """Give a verified network that finds subjects.

        The sha256 is computed before the first use in a process, and again when the file has changed.

        Parameters
        ----------
        id
            None for the default one.

        Raises
        ------
        ModelError
            It is unknown, not installed, not whole, or works out edges.
        """
        from bgdesk.engine.networks.weights import Weights

        chosen = id or self.default_id()
        if chosen is None:
            raise ModelError(f"No network is installed. Install one with: bgdesk models install {self.default_entry.id}")
        if self._own.has(chosen):
            network = self._own.network(chosen)
            if network.spec.kind is not NetworkKind.SEGMENT:
                raise ModelError(f"The network {chosen} works out edges; it finds no subject. Use it with: --matting {chosen}")
            return network
        entry = self.entry(chosen)
        problem, record = self._inspect(entry, contents=True)
        if problem:
            raise ModelError(f"The network {chosen} is damaged: {problem}. Install it again with: bgdesk models install {chosen}")
        if record is None:
            raise ModelError(f"The network {chosen} is not installed. Install it with: bgdesk models install {chosen}")
        return Weights(chosen, record.net, self._files.tensors(chosen), record.sha256)

    def matting(self, id: str) -> "Network[MattingNet]":
        """Give a verified network that works out edges.

        Raises
        ------
        ModelError
            It is unknown, not installed, not whole, or finds subjects.
        """
        if self._own.has(id):
            network = self._own.network(id)
            if network.spec.kind is NetworkKind.MATTE:
                return network
        else:
            self.entry(id)
        known = ", ".join(status.entry.id for status in self.statuses() if status.kind is NetworkKind.MATTE) or "none is installed"
        raise ModelError(f"The network {id} finds subjects; it works out no edges. Use it with: --model {id}. Matting networks: {known}.")

    def verify(self) -> list[ModelStatus]:
        """Read every installed network from disk and compare its sha256; the installed ones, in the order of `statuses`."""
        self._files.forget()
        catalogued = [status for status in (self._status(entry, contents=True) for entry in self.catalog) if status.installed]
        return catalogued + [self._own.status(id, contents=True) for id in self._own.ids()]

    # --- change ---

    def install(self, id: str, progress: Progress = silent) -> "Network[Net]":
        """Download, check and convert a network of the catalogue; one that is installed and whole is left as it is.

        Parameters
        ----------
        id
            Of the catalogue. Its sources are tried in order.
        progress
            Hears "download", "unpack", "verify", "convert", and "wait" while another bgdesk installs; may raise Cancelled.

        Raises
        ------
        ModelError
            With the reason of each source. The folder is as it was, as after Cancelled.
        """
        entry = self.entry(id)
        if not entry.sources:
            raise ModelError(f"The network {id} was imported from a file: it cannot be downloaded. Remove it, and import the file again.")
        with self._files.work_folder(id, progress) as work:
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
                    reasons.append(f"{source.title}: {reason(error)}")
                    onnx.unlink(missing_ok=True)
            raise ModelError(
                f"The network {id} could not be installed. {'. '.join(reasons)}. Check the connection and try again, or fetch "
                f"the ONNX file on another machine and run: bgdesk models import FILE --as {id}"
            )

    def import_own(self, path: Path, id: str, description: Description, progress: Progress = silent) -> Imported:
        """Install a network that is not the catalogue's, once it has shown on a sample that it does what it should.

        Parameters
        ----------
        path
            An ONNX file.
        id
            For it from now on.
        description
            How it wants its photo, and what its licence allows.
        progress
            Hears "verify" and "try"; may raise Cancelled.

        Raises
        ------
        ModelError
            The id is taken or cannot be a name, or the file does not hold a network of that kind.
        """
        if any(entry.id == id for entry in self.catalog):
            raise ModelError(f"{id} is a network of the catalogue. Choose another id for a network of your own.")
        return self._own.put(path, id, description, progress)

    def import_file(self, path: Path, id: str, progress: Progress = silent) -> "Network[Net]":
        """Install a network of the catalogue from a local file, in place of an installed one.

        Parameters
        ----------
        path
            Any ONNX file of the right architecture.
        id
            Of the catalogue.
        progress
            Hears "verify" and "convert"; may raise Cancelled.

        Raises
        ------
        ModelError
            The file is truncated, of another network, or a pickle.
        """
        entry = self.entry(id)
        refuse_foreign(path, f"Give an ONNX file of {id}, or run: bgdesk models install {id}")
        with self._files.work_folder(id, progress) as work:
            try:
                sha256 = sha256_of(path, progress)
                owner = next((e.id for e in self.catalog if any(s.sha256 == sha256 for s in e.sources)), id)
                if owner != id:
                    raise ModelError(f"{path.name} is the network {owner}. Import it with: bgdesk models import {path.name} --as {owner}")
                return self._put(entry, path, sha256, f"file {path.name}", work, progress)
            except OSError as error:
                raise ModelError(
                    f"{path.name} could not be imported as {id}: {reason(error)}. See that the file can be read and that there is "
                    f"room in {self.folder}, and try again."
                ) from error

    def remove(self, id: str) -> None:
        """Delete an installed network. ModelError if it is not installed or in use."""
        entry = self.entry(id)
        with self._files.work_folder(id) as work:
            if not self._own.has(id) and not self._status(entry).installed:
                raise ModelError(f"The network {id} is not installed.")
            self._files.delete(id, work)

    # --- inside ---

    def _status(self, entry: CatalogEntry, contents: bool = False) -> ModelStatus:
        problem, record = self._inspect(entry, contents)
        if record is None and not problem:
            return ModelStatus(entry=entry, installed=False, size=entry.download_size)
        tensors = self._files.tensors(entry.id)
        size = tensors.stat().st_size if tensors.exists() else 0
        origin = record.installed_from if record else ""
        return ModelStatus(entry=entry, installed=True, size=size, problem=problem, installed_from=origin)

    def _inspect(self, entry: CatalogEntry, contents: bool) -> tuple[str, InstalledRecord | None]:
        """(what is wrong with an installed network or "", its record); ("", None) means not installed."""
        try:
            record = codec.decode(self._files.record(entry.id).read_bytes(), InstalledRecord)
        except FileNotFoundError:
            return "", None
        except (OSError, UsageError) as error:
            return f"its record could not be read ({error})", None
        if record.net != entry.net:
            return f"it was made for the architecture {record.net}, not {entry.net}", record
        return self._files.fault(self._files.tensors(entry.id), record.size, record.sha256, contents), record

    def _put(self, entry: CatalogEntry, onnx: Path, source_sha256: str, origin: str, work: Path, progress: Progress) -> "Network[Net]":
        """Convert an ONNX file in `work`, then rename the tensors and, last, the record into place."""
        progress("convert", 0.0)
        tensors, note = work / "network.safetensors", work / "record.json"
        self._convert(onnx, entry.net, tensors, progress)
        record = InstalledRecord(
            id=entry.id,
            net=entry.net,
            size=tensors.stat().st_size,
            sha256=sha256_of(tensors),
            source_sha256=source_sha256,
            licence=entry.licence,
            installed_from=origin,
        )
        note.write_text(json.dumps(codec.plain(record), indent=2) + "\n", encoding="utf-8")
        shutil.copymode(note, tensors)  # safetensors writes files that only their owner can read
        progress("convert", 1.0)
        os.replace(tensors, self._files.tensors(entry.id))
        os.replace(note, self._files.record(entry.id))
        return self.weights(entry.id)


def default_store() -> ModelStore:
    """The networks of this person, with the catalogue that ships with bgdesk."""
    return ModelStore(paths.models_folder(), load_catalog(paths.catalog_file()))


def _engine_convert(onnx: Path, net: str, target: Path, progress: Progress) -> None:
    from bgdesk.engine.networks.weights import convert

    convert(onnx, net, target, progress)
