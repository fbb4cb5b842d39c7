"""What the program remembers between two starts."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from bgdesk.app.system import codec, paths
from bgdesk.core.errors import UsageError
from bgdesk.core.formats import Format
from bgdesk.core.parameters import EDGE, STRENGTH, Parameter
from bgdesk.core.recipe import AUTO, EdgeRecipe, MatteRecipe, Quality, Recipe, colour_of
from bgdesk.files.names import numbered

log = logging.getLogger(__name__)

T = TypeVar("T")

_MIB = 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What is true of one remembered choice, beside its type."""

    label: str = ""  #: in dialogs; empty for what a person never sees by itself
    choices: Mapping[str, str] = field(default_factory=dict)  #: value -> words, of a setting that is one of a few
    number: Parameter | None = None  #: the range of a setting that is a number
    check: Callable[[Any], object] | None = None  #: raises UsageError for what type, choices and range do not tell


def _setting(default: T, label: str = "", **facts: Any) -> T:
    """A field of `Settings`: its default, typed as the field is, and its `Setting`."""
    made: T = field(default=default, metadata={"setting": Setting(label=label, **facts)})
    return made


def _number(default: T, parameter: Parameter) -> T:
    return _setting(default, parameter.label, number=parameter)


def _bytes(name: str, label: str, standard: int, help: str, lowest: int = _MIB) -> Parameter:
    return Parameter(
        name=name, label=label, lowest=lowest, highest=1024 * 1024 * _MIB, standard=standard, unit="bytes", decimals=0, help=help
    )


def _check_spill(value: str) -> None:
    if value not in ("", AUTO):
        colour_of(value)


BRUSH_SIZE = Parameter(
    name="brush_size",
    label="Brush size",
    lowest=1,
    highest=10_000,
    standard=40,
    unit="px",
    decimals=1,
    help="Diameter of the brush, in pixels of the photo",
)
OVERLAY = Parameter(
    name="overlay",
    label="Tint strength",
    lowest=0,
    highest=1,
    standard=0.45,
    unit="",
    decimals=2,
    help="How strongly what is removed is tinted",
)
UNDO_MEMORY = _bytes("undo_bytes", "Undo in memory", 256 * _MIB, "Most memory that the undo steps of one photo take")
UNDO_DISK = _bytes("undo_disk_bytes", "Undo on disk", 1024 * _MIB, "Most disk that the undo steps of photos out of memory take", 0)
PHOTO_MEMORY = _bytes("memory_bytes", "Photos in memory", 2048 * _MIB, "Most memory that the open photos take together")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Every remembered choice: `dataclasses.replace` makes a new one, `save` writes it."""

    theme: str = _setting(
        "system", "Theme", choices={"system": "As the system", "dark": "Dark", "light": "Light", "contrast": "High contrast"}
    )
    brush_size: float = _number(40.0, BRUSH_SIZE)
    overlay: float = _number(0.45, OVERLAY)
    reach: str = _setting("smart", "Reach of strokes", choices={"smart": "Smart", "exact": "Exact"})
    #: Of new photos: what `recipe` is made of. decontaminate: the strength. spill: "", AUTO or a colour as "#00b140".
    quality: str = _setting("balanced", "Quality", choices={each.value: each.value.capitalize() for each in Quality})
    decontaminate: float = _number(1.0, STRENGTH)
    spill: str = _setting("", "Spill", check=_check_spill)
    shift: float = _number(0.0, EDGE["shift"])
    smooth: float = _number(0.0, EDGE["smooth"])
    feather: float = _number(0.0, EDGE["feather"])
    contrast: float = _number(0.0, EDGE["contrast"])
    export_format: str = _setting("png", "Format", choices={each.value: each.facts.title for each in Format})
    export_folder: str = _setting("", "Folder")  #: empty for the source's own folder
    undo_bytes: int = _number(256 * _MIB, UNDO_MEMORY)
    undo_disk_bytes: int = _number(1024 * _MIB, UNDO_DISK)
    memory_bytes: int = _number(2048 * _MIB, PHOTO_MEMORY)
    device: str = _setting(
        "auto",
        "Device",
        choices={"auto": "Best available", "cuda": "NVIDIA GPU", "xpu": "Intel GPU", "mps": "Apple GPU", "cpu": "CPU"},
    )
    precision: str = _setting(
        "auto",
        "Precision",
        choices={"auto": "Best for the device", "fp32": "32 bit, exact", "bf16": "bfloat16, fast", "fp16": "16 bit, fast on GPUs"},
    )
    model: str = _setting("", "Network")  #: id of an installed network; empty for the default one
    matting: str = _setting("", "Edges")  #: id of a network that works out edges; empty for bgdesk's own solver
    precut: bool = _setting(True, "Cut out the next photos of the film strip while nothing else runs")
    window_geometry: str = _setting("")  #: base64, opaque; so is the next one
    splitter_state: str = _setting("")
    folded: tuple[str, ...] = _setting(())  #: names of the inspector's sections that are folded
    queue_setup: str = _setting("")  #: what was chosen for the last queue, as JSON
    queue_told: bool = _setting(False)  #: the person knows that a queue goes on at the next start

    @property
    def recipe(self) -> Recipe:
        """How new photos are cut out."""
        matte = MatteRecipe(strength=self.decontaminate, spill=self.spill or None, quality=Quality(self.quality))
        edge = EdgeRecipe(shift=self.shift, smooth=self.smooth, feather=self.feather, contrast=self.contrast)
        return Recipe(matte=matte, edge=edge)

    def with_recipe(self, recipe: Recipe) -> Settings:
        """The same settings, but new photos begin with `recipe`."""
        matte, edge = recipe.matte, recipe.edge
        spill = "#{:02x}{:02x}{:02x}".format(*matte.spill) if isinstance(matte.spill, tuple) else matte.spill or ""
        return replace(
            self,
            quality=matte.quality.value,
            decontaminate=matte.amount,
            spill=spill,
            shift=edge.shift,
            smooth=edge.smooth,
            feather=edge.feather,
            contrast=edge.contrast,
        )


#: Name of a setting -> what is true of it.
SETTINGS: Mapping[str, Setting] = {each.name: each.metadata["setting"] for each in fields(Settings)}
_TYPES = get_type_hints(Settings)


def default_file() -> Path:
    """Where the settings lie."""
    return paths.settings_folder() / "settings.json"


def load(file: Path | None = None) -> Settings:
    """Read the settings.

    Parameters
    ----------
    file
        `default_file` unless said otherwise. It need not exist.

    Returns
    -------
    Settings
        Unknown names and values that are not valid are left out, with a line in the log. A file with any of them, and one that
        does not hold settings at all, is kept beside it as settings.json.broken.
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
    good: dict[str, Any] = {}
    for name in values.keys() & SETTINGS.keys():
        with suppress(UsageError):
            good[name] = _sane(name, values[name])
    lost = sorted(name for name in values if name not in good)
    if lost:  # written by a newer version, or by hand
        log.warning("%s: not understood and left out: %s", file, ", ".join(lost))
        _keep_aside(file)
    return Settings(**good)


def save(settings: Settings, file: Path | None = None) -> None:
    """Write the settings, complete or not at all.

    Parameters
    ----------
    settings
        What to write.
    file
        `default_file` unless said otherwise; its folder is made.

    Raises
    ------
    OSError
        What was there before still is.
    """
    file = file or default_file()
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_name(f"{file.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("w", encoding="utf-8") as stream:
            json.dump(codec.plain(settings), stream, indent=2)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(file)
    finally:
        temporary.unlink(missing_ok=True)


def _sane(name: str, value: object) -> Any:
    """`value` as the setting `name` takes it. Raises UsageError for any other value."""
    setting = SETTINGS[name]
    found = codec.convert(value, _TYPES[name])
    if setting.choices and found not in setting.choices:
        raise UsageError(f"{name} must be one of {', '.join(setting.choices)}, not {found!r}.")
    if setting.number is not None:
        setting.number.check(found)
    if setting.check is not None:
        setting.check(found)
    return found


def _keep_aside(file: Path) -> None:
    """Copy it to the first free name of settings.json.broken, .broken-2, …, unless such a copy is there already."""
    try:
        content = file.read_bytes()
        for aside in numbered(file.parent, f"{file.name}.broken", ""):
            if not aside.exists():
                break
            if aside.read_bytes() == content:
                return
        aside.write_bytes(content)
    except OSError as error:
        log.warning("%s could not be kept aside: %s", file, error)
