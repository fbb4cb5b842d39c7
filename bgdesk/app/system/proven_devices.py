"""Which devices were proved on this machine to give the CPU's answer: remembered, because proving takes a second or more."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path

from bgdesk.app.system import paths

log = logging.getLogger(__name__)

#: Only the latest are kept: drivers and torch come and go.
_MOST = 50


class ProvenFile:
    """A set of keys in a JSON file. One that cannot be read or written costs another proof, nothing else."""

    def __init__(self, file: Path | None = None) -> None:
        self._file = file

    @property
    def file(self) -> Path:
        return self._file or paths.data_folder() / "devices.json"

    def __contains__(self, key: object) -> bool:
        return key in self._read()

    def add(self, key: str) -> None:
        keys = [*(known for known in self._read() if known != key), key][-_MOST:]
        temporary = self.file.with_name(f"{self.file.name}.{os.getpid()}.tmp")
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_text(json.dumps(keys, indent=2), "utf-8")
            temporary.replace(self.file)
        except OSError as error:
            log.info("%s could not be written: %s", self.file, error)

    def _read(self) -> list[str]:
        try:
            keys = json.loads(self.file.read_text("utf-8"))
        except (OSError, ValueError):
            return []
        return [key for key in keys if isinstance(key, str)] if isinstance(keys, list) else []
