"""Networks that a person brought: their files and records in the models folder.

Such a network is two files, <id>.onnx and <id>.json. Its record holds everything that running it takes; like any record
it is written last, and the file's sha256 is compared before it is first used.
"""

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bgdesk.app.networks.catalog import CatalogEntry
from bgdesk.app.networks.download import sha256_of
from bgdesk.app.networks.model_files import ModelFiles, ModelStatus, reason, refuse_foreign
from bgdesk.app.networks.onnx_presets import Description
from bgdesk.app.system import codec
from bgdesk.core.errors import ModelError, UsageError
from bgdesk.core.network import NetworkSpec
from bgdesk.core.tasks import Progress, silent

if TYPE_CHECKING:
    from bgdesk.engine.networks.onnx_net import OnnxNetwork

#: What CatalogEntry.net says of a network whose architecture is in its file.
FOREIGN = "onnx"
#: Names that Windows keeps for itself, with any suffix.
_RESERVED = frozenset({"con", "prn", "aux", "nul", *(f"{port}{number}" for port in ("com", "lpt") for number in range(10))})


@dataclass(frozen=True, kw_only=True)
class OwnRecord:
    """What <id>.json says."""

    id: str
    title: str
    spec: NetworkSpec
    answer: str  #: a hash of what the network answered when it was tried
    licence: str
    licence_url: str
    commercial: bool | None  #: None where nobody knows
    homepage: str
    bytes: int  #: of the network's file here
    sha256: str  #: of the network's file here
    source_sha256: str  #: of the file that it was imported from
    installed_from: str  #: where it came from, in words

    @property
    def entry(self) -> CatalogEntry:
        """The network as a list of networks shows it."""
        return CatalogEntry(
            id=self.id,
            title=self.title,
            net=FOREIGN,
            licence=self.licence,
            licence_url=self.licence_url,
            commercial=self.commercial,
            homepage=self.homepage,
            sources=(),
        )

    def to_json(self) -> str:
        fields = codec.plain(self)
        spec = fields.pop("spec")
        return json.dumps({**fields, **spec}, indent=2) + "\n"

    @classmethod
    def read(cls, file: Path) -> "OwnRecord":
        """Raises OSError, or ModelError or UsageError for a record that cannot be used."""
        found = codec.decode(file.read_bytes(), dict[str, Any])
        spec = {name: found.pop(name) for name in NetworkSpec.__dataclass_fields__ if name in found}
        record = codec.convert({**found, "spec": spec}, cls)
        if record.spec.size is None or file.stem != record.id:
            raise ModelError("it lacks a size, or belongs to another network")
        record.spec.check()
        return record


@dataclass(frozen=True)
class Imported:
    """A network that was taken."""

    network: "OnnxNetwork"
    notes: tuple[str, ...]  #: sentences: what was found to be otherwise than it was described


def is_good_id(id: str) -> bool:
    """Whether it makes a good file name everywhere."""
    plain = 0 < len(id) <= 64 and all(c.isascii() and (c.isalnum() or c in "-_.") for c in id)
    return plain and id[0].isalnum() and id[-1] != "." and id.split(".")[0].lower() not in _RESERVED


def check_id(id: str) -> None:
    """Raise ModelError for an id that is not good."""
    if not is_good_id(id):
        raise ModelError(
            f"{id!r} cannot be the id of a network. Use up to 64 letters, digits, '-', '_' and '.', beginning with a letter or digit."
        )


class OwnNetworks:
    """The networks in `files` whose ids are not the catalogue's. Called under no lock; safe from several threads and processes."""

    def __init__(self, files: ModelFiles, catalogued: frozenset[str]) -> None:
        self._files = files
        self._catalogued = catalogued

    def ids(self) -> list[str]:
        """In alphabetical order."""
        return list(self._ids())

    def _ids(self) -> Iterator[str]:
        for file in sorted(self._files.folder.glob("*.json")):
            if file.stem not in self._catalogued and self.has(file.stem):
                yield file.stem

    def has(self, id: str) -> bool:
        """Whether there is such a network, whole or not."""
        if id in self._catalogued or not is_good_id(id):
            return False
        record = self._files.record(id)
        if not record.exists():
            return False
        if self._files.onnx(id).exists():
            return True
        try:  # the file is gone: does the record tell of one?
            return "kind" in codec.decode(record.read_bytes(), dict[str, Any])
        except (OSError, UsageError):
            return False

    def status(self, id: str, contents: bool = False) -> ModelStatus:
        """As ModelStore.statuses, for one that `has`. contents: compare the sha256 as well."""
        problem, record = self._inspect(id, contents)
        file = self._files.onnx(id)
        size = file.stat().st_size if file.exists() else 0
        if record is None:
            entry = CatalogEntry(id=id, title=id, net=FOREIGN, licence="", licence_url="", commercial=None, homepage="", sources=())
            return ModelStatus(entry=entry, installed=True, size=size, problem=problem, own=True)
        return ModelStatus(
            entry=record.entry,
            installed=True,
            size=size,
            problem=problem,
            installed_from=record.installed_from,
            kind=record.spec.kind,
            own=True,
        )

    def network(self, id: str) -> "OnnxNetwork":
        """The verified network. Raises ModelError if it is not whole."""
        from bgdesk.engine.networks.onnx_net import OnnxNetwork

        problem, record = self._inspect(id, contents=True)
        if problem or record is None:
            raise ModelError(f"The network {id} is damaged: {problem}. Remove it with: bgdesk models remove {id}. Then import it again.")
        return OnnxNetwork(id, self._files.onnx(id), record.sha256, record.spec, record.answer)

    def _inspect(self, id: str, contents: bool) -> tuple[str, OwnRecord | None]:
        try:
            record = OwnRecord.read(self._files.record(id))
        except (OSError, UsageError, ModelError) as error:
            return f"its record could not be read ({error})", None
        return self._files.fault(self._files.onnx(id), record.bytes, record.sha256, contents), record

    def put(self, path: Path, id: str, description: Description, progress: Progress = silent) -> Imported:
        """Try the network in `path`, and install it if it does what it should. Stages: "verify", "try".

        Raises ModelError, and leaves the folder as it was.
        """
        from bgdesk.engine.networks.onnx_file import pack
        from bgdesk.engine.networks.onnx_trial import attempt

        check_id(id)
        description.spec.check()
        refuse_foreign(path, "Give an ONNX file of the network.")

        def trying(_stage: str, fraction: float) -> None:
            progress("try", fraction)

        with self._files.work_folder(id, progress) as work:
            if self._files.record(id).exists():
                raise ModelError(f"There is a network called {id} already. Choose another id, or remove it with: bgdesk models remove {id}")
            network, note = work / "network.onnx", work / "record.json"
            try:
                source_sha256 = sha256_of(path, progress)
                pack(path, network, progress)
                trial = attempt(network, path.name, description.spec, description.insist, trying)
                record = OwnRecord(
                    id=id,
                    title=description.title,
                    spec=trial.spec,
                    answer=trial.answer,
                    licence=description.licence,
                    licence_url=description.licence_url,
                    commercial=description.commercial,
                    homepage=description.homepage,
                    bytes=network.stat().st_size,
                    sha256=sha256_of(network),
                    source_sha256=source_sha256,
                    installed_from=f"file {path.name}",
                )
                note.write_text(record.to_json(), encoding="utf-8")
                shutil.copymode(note, network)
                os.replace(network, self._files.onnx(id))
                os.replace(note, self._files.record(id))
            except OSError as error:
                raise ModelError(
                    f"{path.name} could not be imported as {id}: {reason(error)}. See that the file can be read and that there is "
                    f"room in {self._files.folder}, and try again."
                ) from error
        return Imported(self.network(id), trial.notes)
