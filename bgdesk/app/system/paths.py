"""Where bgdesk keeps its things, and where it finds the files it ships.

`BGDESK_HOME`, when set, holds everything (models, settings, cache) in one folder: for tests and for a portable copy.
Folders are named here and made by whoever writes into them.
"""

import os
from pathlib import Path

import platformdirs

_PACKAGE = Path(__file__).resolve().parents[2]


def _home() -> Path | None:
    home = os.environ.get("BGDESK_HOME", "")
    return Path(home).expanduser().absolute() if home else None


def data_folder() -> Path:
    """The person's own folder for what must be kept: networks, journals, sessions."""
    return _home() or Path(platformdirs.user_data_dir("bgdesk", appauthor=False))


def models_folder() -> Path:
    """Where installed networks lie."""
    return data_folder() / "models"


def settings_folder() -> Path:
    """Where the settings lie."""
    home = _home()
    return home / "settings" if home else Path(platformdirs.user_config_dir("bgdesk", appauthor=False))


def cache_folder() -> Path:
    """The person's own folder for what can be made again."""
    home = _home()
    return home / "cache" if home else Path(platformdirs.user_cache_dir("bgdesk", appauthor=False))


def kernels_folder() -> Path:
    """Where the engine keeps its machine code: in a checkout beside it, for any home; else with what can be made again."""
    root = _PACKAGE.parent
    in_checkout = (root / "pyproject.toml").is_file() and os.access(root, os.W_OK)
    return root / ".cache" / "kernels" if in_checkout else cache_folder() / "kernels"


def _shipped(name: str) -> Path:
    """A file or folder of the top level that travels with the program.

    An installed wheel and a frozen build carry them inside the package, in bgdesk/_data; a checkout has them beside
    the package. (PyInstaller unpacks the package with its folders, so a frozen build needs no case of its own.)
    """
    packed = _PACKAGE / "_data" / name
    return packed if packed.exists() else _PACKAGE.parent / name


def resource(name: str) -> Path:
    """A file or folder of resources/, such as "icons/brush.svg" or "samples". It may not exist."""
    return _shipped("resources") / name


def catalog_file() -> Path:
    """models/catalog.toml: the networks that bgdesk can install."""
    return _shipped("models") / "catalog.toml"
