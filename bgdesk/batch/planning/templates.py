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
from enum import Enum
from pathlib import Path
from typing import Any

from bgdesk.app.system import codec, paths
from bgdesk.batch.model.values import BatchRecipe, Fallback, Variant
from bgdesk.core.errors import UsageError
from bgdesk.core.formats import Format
from bgdesk.core.recipe import MatteRecipe, Quality, colour_of
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
        raise UsageError(f"The template {file} has a mistake: {error}") from error
    return Template(file.stem, title, description, recipe.variants, file, own)


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


_TEXT, _NUMBER, _WHOLE = ((str,), "text in quotes"), ((int, float), "a number"), ((int,), "a whole number")
_SWITCH = ((bool,), "true or false")
_COLOUR, _CHOICE = ((str, list), 'a colour like "#ffffff"'), ((str,), "one of")
#: What each value may be, and that in words; a bool is no number here, and a text is no bool: refine = "no" would mean yes.
_KINDS: Mapping[type, Mapping[str, tuple[tuple[type, ...], str]]] = {
    BatchRecipe: {
        "matte": ((dict,), "a table, [matte]"), "variants": ((list,), "tables, [[variants]]"), "model": _TEXT, "matting": _TEXT,
        "device": _TEXT, "precision": _TEXT, "gate": _NUMBER, "fallback": ((dict,), "a table, [fallback]"),
    },
    MatteRecipe: {"refine": _SWITCH, "decontaminate": _SWITCH, "strength": _NUMBER, "spill": _COLOUR, "quality": _CHOICE},
    Variant: {
        "name": _TEXT, "format": _CHOICE, "alpha_only": _SWITCH, "background": _COLOUR, "size": _WHOLE, "margin": _NUMBER,
    },
    Fallback: {"quality": _CHOICE, "model": _TEXT},
}  # fmt: skip
_TABLES: Mapping[str, type] = {"[matte]": MatteRecipe, "[[variants]]": Variant, "[fallback]": Fallback}
_CHOICES: Mapping[str, type[Enum]] = {"quality": Quality, "format": Format}


def _recipe(values: Mapping[str, Any]) -> BatchRecipe:
    _check("a recipe", values, BatchRecipe)
    for name, kind in (("matte", MatteRecipe), ("variants", Variant), ("fallback", Fallback)):
        inner = values.get(name)
        for each in inner if isinstance(inner, list) else [inner]:
            if each is not None:
                _check(f"[[{name}]]" if isinstance(inner, list) else f"[{name}]", each, kind)
    return codec.convert(_with_colours(values), BatchRecipe)


def _with_colours(values: Mapping[str, Any]) -> dict[str, Any]:
    """A file names the colours of backgrounds as text."""
    variants = values.get("variants", ())

    def of(variant: Mapping[str, Any]) -> dict[str, Any]:
        background = variant.get("background")
        return {**variant, "background": colour_of(background)} if isinstance(background, str) else dict(variant)

    return {**values, "variants": list(map(of, variants))} if variants else dict(values)


def _check(what: str, values: Any, kind: type) -> None:
    """Raise UsageError for a name that is not known there, and for a value of a wrong kind; None is well where it is the default."""
    if not isinstance(values, Mapping):
        raise UsageError(f"{what} cannot be {_plain(values)}: it is a table of names and values.")
    kinds, defaults = _KINDS[kind], {field.name: field.default for field in fields(kind)}
    unknown = sorted(values.keys() - kinds.keys())
    if unknown:
        there = next((table for table, known in _TABLES.items() if unknown[0] in _KINDS[known] and known is not kind), "")
        hint = f" {unknown[0]} belongs into {there}." if there else ""
        raise UsageError(
            f"{', '.join(unknown)} {'is' if len(unknown) == 1 else 'are'} not known in {what}.{hint} Known are: {', '.join(kinds)}."
        )
    for name, value in values.items():
        types, words = kinds[name]
        if value is None and defaults[name] is None:
            continue
        known = [each.value for each in _CHOICES.get(name, ())]
        numbers = types is _COLOUR[0] and isinstance(value, list)
        if numbers and not (len(value) == 3 and all(type(part) is int and 0 <= part <= 255 for part in value)):
            raise UsageError(f"{name} cannot be {_plain(value)}: it is {words}.")
        if type(value) not in types or (known and value not in known):
            raise UsageError(f"{name} cannot be {_plain(value)}: it is {words}{' ' if known else ''}{', '.join(known)}.")


def _plain(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
