"""What the program remembers between two starts."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from bgdesk.app.system import paths
from bgdesk.core.errors import UsageError
from bgdesk.core.recipe import AUTO, MatteRecipe, Quality, colour_of

log = logging.getLogger(__name__)

_MIB = 1024 * 1024


@dataclass(frozen=True)
class Settings:
    """Every remembered choice, frozen: `dataclasses.replace` makes a new one, `save` writes it.

    theme: "system", "light", "dark" or "contrast".
    brush_size: diameter in image pixels. overlay: strength of the overlay in [0, 1].
    quality: "fast", "balanced" or "best". reach: of strokes, "smart" or "exact".
    decontaminate: how much of the backdrop's colour is taken out of soft edges, in [0, 1].
    spill: the backdrop whose light is taken off the subject's rim: "" for none, "auto", or a colour as "#00b140".
    export_format: "png" or "psd". export_folder: "" for the source's own folder.
    undo_bytes: most memory the undo steps of one photo may take. memory_bytes: most memory for open photos together.
    device, precision: "auto" or what engine.device knows. model: catalogue id, "" for the default network.
    matting: id of a network that works out edges, "" for our own solver.
    precut: cut out the next photos of the film strip while nothing else runs.
    window_geometry, window_state, splitter_state: base64, opaque.
    folded: names of the inspector's sections that are folded.
    queue_setup: what was chosen for the last queue, as JSON. queue_told: a person knows that a queue goes on at the next start.
    """

    theme: str = "system"
    brush_size: float = 40.0
    overlay: float = 0.45
    quality: str = "balanced"
    reach: str = "smart"
    decontaminate: float = 1.0
    spill: str = ""
    export_format: str = "png"
    export_folder: str = ""
    undo_bytes: int = 256 * _MIB
    memory_bytes: int = 2048 * _MIB
    device: str = "auto"
    precision: str = "auto"
    model: str = ""
    matting: str = ""
    precut: bool = True
    window_geometry: str = ""
    window_state: str = ""
    splitter_state: str = ""
    folded: tuple[str, ...] = ()
    queue_setup: str = ""
    queue_told: bool = False

    @property
    def matte(self) -> MatteRecipe:
        """How photos are cut out."""
        return MatteRecipe(strength=self.decontaminate, spill=self.spill or None, quality=Quality(self.quality))


#: What a value may be, beside its type; a value outside is replaced by the default.
_CHOICES: Mapping[str, tuple[str, ...]] = {
    "theme": ("system", "light", "dark", "contrast"),
    "export_format": ("png", "psd"),
    "reach": ("smart", "exact"),
    "quality": tuple(quality.value for quality in Quality),
}
_RANGES: Mapping[str, tuple[float, float]] = {
    "brush_size": (1.0, 10000.0),
    "overlay": (0.0, 1.0),
    "decontaminate": (0.0, 1.0),
    "undo_bytes": (_MIB, 1024 * 1024 * _MIB),
    "memory_bytes": (_MIB, 1024 * 1024 * _MIB),
}


def default_file() -> Path:
    """Where the settings lie."""
    return paths.settings_folder() / "settings.json"


def load(file: Path | None = None) -> Settings:
    """The settings in `file` (default_file()); the defaults if there is none.

    Names it does not know and values that make no sense are left out. A file that is no settings file at all is kept
    beside it as settings.json.broken, never lost; so is one with a single senseless value.
    """
    file = file or default_file()
    try:
        text = file.read_text("utf-8")
    except FileNotFoundError:
        return Settings()
    except (OSError, UnicodeDecodeError) as error:
        log.warning("%s could not be read (%s): starting with the defaults", file, error)
        _keep_aside(file)
        return Settings()
    try:
        values = json.loads(text)
    except ValueError:
        values = None
    if not isinstance(values, dict):
        log.warning("%s is not a settings file: starting with the defaults", file)
        _keep_aside(file)
        return Settings()
    good = {field.name: value for field in fields(Settings) if (value := _sane(field.name, values.get(field.name))) is not None}
    lost = sorted(name for name in values if name not in good)
    if lost:  # written by a newer version, or by hand
        log.warning("%s: not understood and left out: %s", file, ", ".join(lost))
        _keep_aside(file)
    return Settings(**good)


def save(settings: Settings, file: Path | None = None) -> None:
    """Write them, complete or not at all. Raises OSError."""
    file = file or default_file()
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_name(f"{file.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("w", encoding="utf-8") as stream:
            json.dump(asdict(settings), stream, indent=2)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(file)
    finally:
        temporary.unlink(missing_ok=True)


def _sane(name: str, value: Any) -> Any:
    """`value` as the field `name` takes it, or None if it cannot."""
    default = getattr(Settings(), name)
    if isinstance(default, bool):
        return value if isinstance(value, bool) else None
    if isinstance(default, int | float):
        low, high = _RANGES[name]
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            return None
        return type(default)(value)
    if isinstance(default, tuple):
        return tuple(value) if isinstance(value, list) and all(isinstance(item, str) for item in value) else None
    if not isinstance(value, str):
        return None
    if name == "spill" and value not in ("", AUTO):
        try:
            colour_of(value)
        except UsageError:
            return None
    return value if value in _CHOICES.get(name, (value,)) else None


def _keep_aside(file: Path) -> None:
    """Copy it to the first free name of settings.json.broken, .broken-2, …, unless such a copy is there already."""
    aside = file.with_name(file.name + ".broken")
    number = 2
    try:
        content = file.read_bytes()
        while aside.exists():
            if aside.read_bytes() == content:
                return
            aside = file.with_name(f"{file.name}.broken-{number}")
            number += 1
        aside.write_bytes(content)
    except OSError as error:
        log.warning("%s could not be kept aside: %s", file, error)
