"""Templates (named sets of variants) and recipe files: what a person keeps of how photos are to be cut out.

A template is a TOML file; its name without .toml is the template's id. Shipped ones lie in resources/templates, the person's
own in the settings folder's `templates`, where one of the same id wins.
"""

import json
import logging
import os
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

from bgdesk.app import paths
from bgdesk.batch.values import BatchRecipe, Fallback, Variant
from bgdesk.core.errors import UsageError
from bgdesk.core.recipe import MatteRecipe
from bgdesk.engine.confidence import PASS

log = logging.getLogger(__name__)

#: The template used where none is named.
DEFAULT = "png"

_LARGEST = 1_000_000  # bytes; anything larger is some other file


@dataclass(frozen=True)
class Template:
    """A named set of variants. id: what a person types. title, description: words for a list. own: the person's, not shipped."""

    id: str
    title: str
    description: str
    variants: tuple[Variant, ...]
    file: Path
    own: bool = False


def own_folder() -> Path:
    """Where the person's own templates lie. It may not exist."""
    return paths.settings_folder() / "templates"


def templates(broken: Callable[[UsageError], None] | None = None) -> list[Template]:
    """All templates, shipped ones first, each kind by id.

    A broken file of the person's own takes none of the others away: `broken` is told of it (else the log), and a shipped one
    of the same id holds.
    """
    found: dict[str, Template] = {}
    for folder, own in ((paths.resource("templates"), False), (own_folder(), True)):
        for file in _files(folder):
            try:
                found[file.stem] = read(file, own)
            except UsageError as error:
                if broken is None:
                    log.warning("%s", error)
                else:
                    broken(error)
    return sorted(found.values(), key=lambda each: (each.own, each.id))


def template(id: str) -> Template:
    """One template by its id. Raises UsageError, whose text names those there are, or the file and what is wrong with it."""
    for folder, own in ((own_folder(), True), (paths.resource("templates"), False)):
        file = next((file for file in _files(folder) if file.stem == id), None)
        if file is not None:
            return read(file, own)
    known = ", ".join(each.id for each in templates(lambda error: None))
    raise UsageError(f"There is no template called {id!r}. The templates are: {known}.")


def variants_of(ids: Sequence[str]) -> tuple[Variant, ...]:
    """The variants of several templates together; equal ones once, and no two under one name. Raises UsageError as `template`."""
    chosen = [template(id) for id in dict.fromkeys(ids)]
    result: list[Variant] = []
    several = len(chosen) > 1
    for each in chosen:
        for variant in each.variants:
            if several and not variant.name:
                variant = replace(variant, name=each.id)
            if any(replace(variant, name=other.name) == other for other in result):
                continue
            if variant.name.casefold() in {other.name.casefold() for other in result}:
                variant = replace(variant, name=f"{each.id}-{variant.name}")
            result.append(variant)
    if len(result) == 1 and len(chosen) > 1:
        result = [replace(result[0], name="")]
    return tuple(result)


def read(file: Path, own: bool = False) -> Template:
    """Read one template file. Raises UsageError that names it and says what is wrong."""
    values = dict(_read_values(file, "template"))
    try:
        title, description = values.pop("title", file.stem), values.pop("description", "")
        if not isinstance(title, str) or not isinstance(description, str):
            raise UsageError("title and description are text.")
        if not values.get("variants"):
            raise UsageError("it needs at least one [[variants]].")
        unknown = sorted(values.keys() - {"variants"})
        if unknown:
            raise UsageError(f"{', '.join(unknown)} is not known. A template has title, description and variants.")
        recipe = _recipe(values)
    except UsageError as error:
        raise UsageError(f"The template {file} has a mistake: {_inner(error)}") from error
    return Template(file.stem, title, description, recipe.variants, file, own)


def load_recipe(file: Path) -> BatchRecipe:
    """The recipe in a TOML or JSON file; what it does not name keeps its default, and the gate is PASS (0 in the file: none).

    Raises UsageError that names the file and says what is wrong: missing, not text, unknown names, values of a wrong kind.
    """
    values = {"gate": PASS, **_read_values(file, "recipe")}
    try:
        recipe = _recipe(values)
    except UsageError as error:
        raise UsageError(f"The recipe {file} has a mistake: {_inner(error)}") from error
    return replace(recipe, gate=recipe.gate or None)


def _files(folder: Path) -> list[Path]:
    try:
        names = sorted(os.listdir(folder))
    except OSError:  # the person has none of their own
        return []
    return [folder / name for name in names if name.endswith(".toml") and not name.startswith(".")]


def _read_values(file: Path, what: str) -> Mapping[str, Any]:
    try:
        with file.open("rb") as stream:
            content = stream.read(_LARGEST + 1)
        if len(content) > _LARGEST:
            raise UsageError(f"The {what} {file} could not be read: it is too large for one. Name a TOML or JSON file.")
        text = content.decode("utf-8-sig")
    except FileNotFoundError:
        raise UsageError(f"There is no {what} {file}. Look whether it was moved or renamed.") from None
    except OSError as error:
        raise UsageError(f"The {what} {file} could not be read: {error.strerror}. Check its permissions and the disk.") from error
    except UnicodeDecodeError:
        raise UsageError(f"The {what} {file} could not be read: it is not text. Name a TOML or JSON file.") from None
    try:
        values = json.loads(text) if file.suffix.lower() == ".json" or text.lstrip().startswith("{") else tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"The {what} {file} has a mistake: {error}.") from error
    if not isinstance(values, dict):
        raise UsageError(f"The {what} {file} has a mistake: it holds no names with values.")
    return values


def _inner(error: UsageError) -> str:
    return str(error).removeprefix("This is no recipe: ")


#: What each value may be; a bool is no number here, and a text is no bool: refine = "no" would mean yes.
_KINDS: Mapping[type, Mapping[str, tuple[type, ...]]] = {
    BatchRecipe: {"model": (str,), "matting": (str,), "device": (str,), "precision": (str,), "gate": (int, float)},
    MatteRecipe: {"refine": (bool,), "decontaminate": (bool,), "strength": (int, float), "spill": (str, tuple)},
    Variant: {"name": (str,), "alpha_only": (bool,), "background": (tuple,), "size": (int,), "margin": (int, float)},
    Fallback: {"model": (str,)},
}


def _recipe(values: Mapping[str, Any]) -> BatchRecipe:
    _check_names("a recipe", values, BatchRecipe)
    for name, kind in (("matte", MatteRecipe), ("variants", Variant), ("fallback", Fallback)):
        inner = values.get(name)
        for each in inner if isinstance(inner, list) else [inner]:
            if isinstance(each, dict):
                _check_names(f"[{name}]", each, kind)
    recipe = BatchRecipe.from_mapping(values)
    _check_types(recipe)
    return recipe


def _check_names(what: str, values: Mapping[str, Any], kind: type) -> None:
    known = [field.name for field in fields(kind)]
    unknown = sorted(values.keys() - set(known))
    if unknown:
        raise UsageError(f"{', '.join(unknown)} is not known in {what}. Known are: {', '.join(known)}.")


def _check_types(value: Any) -> None:
    """Raise UsageError where a value of a recipe is of a wrong kind; None is well where it is the default."""
    kinds = _KINDS.get(type(value), {})
    for field in fields(value):
        given = getattr(value, field.name)
        for part in given if isinstance(given, tuple) else (given,):
            if is_dataclass(part):
                _check_types(part)
        if field.name not in kinds or (given is None and field.default is None):
            continue
        if type(given) not in kinds[field.name]:
            raise UsageError(f"{field.name} cannot be {_plain(given)}.")
        if field.name == "background" and not (len(given) == 3 and all(type(part) is int and 0 <= part <= 255 for part in given)):
            raise UsageError(f"background cannot be {_plain(given)}. Write a colour like #ffffff.")


def _plain(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
