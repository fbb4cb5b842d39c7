"""Templates (named sets of variants) and recipe files: what a person keeps of how photos are to be cut out.

A template is a TOML file; its name without .toml is the template's id. Shipped ones lie in resources/templates, the person's
own in the settings folder's `templates`, where one of the same id wins.
"""

import json
import logging
import os
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from bgdesk.app.system import codec, paths
from bgdesk.batch.model.values import BatchRecipe, Fallback, Variant
from bgdesk.core.errors import UsageError
from bgdesk.core.recipe import EdgeRecipe, MatteRecipe, colour_of
from bgdesk.engine.confidence import PASS

log = logging.getLogger(__name__)

#: The template used where none is named.
DEFAULT = "png"

_LARGEST = 1_000_000  # bytes; anything larger is some other file


@dataclass(frozen=True, kw_only=True)
class Template:
    """A named set of variants."""

    id: str  #: what a person types
    title: str  #: for a list
    description: str  #: for a list: one sentence
    variants: tuple[Variant, ...]
    edge: EdgeRecipe | None = None  #: how edges are finished; None where the file does not say
    file: Path
    own: bool = False  #: the person's, not shipped


@dataclass(frozen=True, kw_only=True)
class _TemplateFile:
    """What a template file may hold."""

    variants: tuple[Variant, ...]
    edge: EdgeRecipe | None = None
    title: str = ""
    description: str = ""


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


def edge_of(ids: Sequence[str]) -> EdgeRecipe | None:
    """How edges are finished with these templates together; None where none of them says. Raises UsageError as `template`, and
    where they disagree."""
    said = {each.id: each.edge for each in map(template, dict.fromkeys(ids)) if each.edge is not None}
    if len(set(said.values())) > 1:
        raise UsageError(f"The templates {' and '.join(said)} finish edges differently. Use one of them, or say it with options.")
    return next(iter(said.values()), None)


def read(file: Path, own: bool = False) -> Template:
    """Read one template file. Raises UsageError that names it and says what is wrong."""
    values = _read_values(file, "template")
    try:
        if not values.get("variants"):
            raise UsageError("it needs at least one [[variants]].")
        found = codec.convert(_with_colours(values), _TemplateFile)
        BatchRecipe(variants=found.variants)  # each has a name of its own
    except UsageError as error:
        raise UsageError(f"The template {file} has a mistake: {error}") from error
    title = found.title or file.stem
    return Template(id=file.stem, title=title, description=found.description, variants=found.variants, edge=found.edge, file=file, own=own)


def load_recipe(file: Path) -> BatchRecipe:
    """The recipe in a TOML or JSON file; what it does not name keeps its default, and the gate is PASS (0 in the file: none).

    Raises UsageError that names the file and says what is wrong: missing, not text, unknown names, values of a wrong kind.
    """
    values = {"gate": PASS, **_read_values(file, "recipe")}
    try:
        recipe = _recipe(values)
    except UsageError as error:
        raise UsageError(f"The recipe {file} has a mistake: {error}") from error
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


#: Tables of a recipe file, and what may stand in them.
_TABLES: Mapping[str, type] = {"[matte]": MatteRecipe, "[edge]": EdgeRecipe, "[[variants]]": Variant, "[fallback]": Fallback}


def _recipe(values: Mapping[str, Any]) -> BatchRecipe:
    """Raises UsageError whose text names what is wrong, and says what is allowed there."""
    for name in sorted(values.keys() - {each.name for each in fields(BatchRecipe)}):
        table = next((table for table, kind in _TABLES.items() if name in {each.name for each in fields(kind)}), "")
        if table:
            raise UsageError(f"{name} is not known in a recipe: it belongs into {table}.")
    return codec.convert(_with_colours(values), BatchRecipe)


def _with_colours(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values with backgrounds as numbers: a file may name them as text. Anything but the table of a variant is left as it is."""
    variants = values.get("variants")
    if not isinstance(variants, list):
        return dict(values)
    found = [
        {**each, "background": _background(each["background"], f"variants[{number}].background")}
        if isinstance(each, dict) and "background" in each
        else each
        for number, each in enumerate(variants)
    ]
    return {**values, "variants": found}


def _background(value: object, place: str) -> object:
    if isinstance(value, str):
        return colour_of(value)
    numbers = isinstance(value, list) and len(value) == 3 and all(type(part) is int and 0 <= part <= 255 for part in value)
    if not numbers and value is not None:
        raise UsageError(f'{place} must be a colour like "#ffffff", not {json.dumps(value, default=str)}.')
    return value
