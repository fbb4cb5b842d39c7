"""bgdesk takes the background off photos on the person's own machine.

The names below are the public interface. Importing the package is cheap: numpy, torch and Qt are loaded when a name
that needs them is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from bgdesk.api import Engine, load, save
    from bgdesk.core.cutout import Cutout
    from bgdesk.core.errors import BgdeskError, DeviceError, LoadError, MattingError, ModelError, SaveError, UsageError
    from bgdesk.core.recipe import EdgeRecipe, ExportRecipe, MatteRecipe, Recipe
    from bgdesk.core.tasks import Cancelled
    from bgdesk.files.load import LoadedImage
    from bgdesk.retouch import Retouch

_WHERE = {
    "Engine": "bgdesk.api",
    "load": "bgdesk.api",
    "save": "bgdesk.api",
    "Cutout": "bgdesk.core.cutout",
    "BgdeskError": "bgdesk.core.errors",
    "DeviceError": "bgdesk.core.errors",
    "LoadError": "bgdesk.core.errors",
    "MattingError": "bgdesk.core.errors",
    "ModelError": "bgdesk.core.errors",
    "SaveError": "bgdesk.core.errors",
    "UsageError": "bgdesk.core.errors",
    "Cancelled": "bgdesk.core.tasks",
    "EdgeRecipe": "bgdesk.core.recipe",
    "ExportRecipe": "bgdesk.core.recipe",
    "MatteRecipe": "bgdesk.core.recipe",
    "Recipe": "bgdesk.core.recipe",
    "Retouch": "bgdesk.retouch",
    "LoadedImage": "bgdesk.files.load",
}

__all__ = [
    "BgdeskError",
    "Cancelled",
    "Cutout",
    "DeviceError",
    "EdgeRecipe",
    "Engine",
    "ExportRecipe",
    "LoadError",
    "LoadedImage",
    "MatteRecipe",
    "MattingError",
    "ModelError",
    "Recipe",
    "Retouch",
    "SaveError",
    "UsageError",
    "__version__",
    "load",
    "save",
]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'bgdesk' has no attribute {name!r}")
    value = getattr(import_module(_WHERE[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
