"""One codec for everything that is stored or sent: settings, recipes, rows of journals, messages of workers.

msgspec compares values with types. The text is JSON in ASCII, written and read by the standard library: a file's name may
hold bytes that are not UTF-8, and msgspec's own JSON refuses those.
"""

import json
import re
from collections.abc import Callable, Mapping
from enum import Enum
from functools import cache
from pathlib import PurePath
from typing import Any, TypeAlias, TypeVar, overload

import msgspec
from msgspec import inspect

from bgdesk.core.errors import UsageError

T = TypeVar("T")
#: Raises UsageError for names that are not known and choices that do not exist. (value, path to it)
_Check: TypeAlias = Callable[[Any, str], None]

#: msgspec's names of kinds, in words for a person.
_WORDS: Mapping[str, str] = {
    "array": "a list",
    "bool": "true or false",
    "float": "a number",
    "int": "a whole number",
    "null": "left out",
    "object": "a table of names and values",
    "path": "a path",
    "str": "text",
}
_EXPECTED = re.compile(r"Expected `([^`]+)`(?: of length (\d+))?")
_MISSING = re.compile(r"Object missing required field `([^`]+)`")
_AT = re.compile(r"^(.*?)(?: - at `(?:key in )?\$([^`]*)`)?$", re.DOTALL)
_STEP = re.compile(r"\.([^.\[]+)|\[(\d+)\]")


def encode(value: object) -> bytes:
    """Write a value as JSON.

    Parameters
    ----------
    value
        Plain values, enums, paths, dataclasses and msgspec Structs, in each other.

    Returns
    -------
    bytes
        One line of ASCII, names in alphabetical order: equal values give equal bytes.
    """
    return json.dumps(plain(value), sort_keys=True).encode("ascii")


def plain(value: object) -> Any:
    """Turn a value into dicts, lists, text, numbers, booleans and None, as for a TOML file."""
    return msgspec.to_builtins(value, enc_hook=_from_own, str_keys=True)


@overload
def decode(data: bytes | str, kind: type[T]) -> T: ...
@overload
def decode(data: bytes | str, kind: object) -> Any: ...
def decode(data: bytes | str, kind: object) -> Any:
    """Read what `encode` wrote.

    Parameters
    ----------
    data
        JSON.
    kind
        The type of the value; a union of tagged Structs is one, too.

    Returns
    -------
    kind
        Names that are left out have their defaults.

    Raises
    ------
    UsageError
        For anything else than a `kind`: text that is not JSON, names that are not known, values of a wrong kind or out of
        range. The text begins with the path to what is wrong, as in "variants[0].size must be a whole number".
    """
    try:
        values = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"This is not valid JSON: {error}.") from error
    return convert(values, kind)


@overload
def convert(values: object, kind: type[T]) -> T: ...
@overload
def convert(values: object, kind: object) -> Any: ...
def convert(values: object, kind: object) -> Any:
    """Make a value of the type `kind` out of plain values, as a TOML file holds them. Raises UsageError as `decode` does."""
    check = _check_of(kind)
    if check is not None:
        check(values, "")
    try:
        return msgspec.convert(values, type=kind, dec_hook=_to_own, str_keys=True)
    except msgspec.ValidationError as error:
        raise UsageError(_sentence(str(error), values)) from error


# --- types that msgspec does not know ---


def _from_own(value: Any) -> Any:
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise NotImplementedError(f"{type(value).__name__} cannot be written")


def _to_own(kind: Any, value: Any) -> Any:
    if issubclass(kind, PurePath):
        if isinstance(value, str):
            return kind(value)
        raise ValueError("Expected `path`")
    raise NotImplementedError(f"{kind.__name__} cannot be read")


# --- names that are not known, and choices that do not exist: msgspec passes over the first and does not name the second ---


@cache
def _check_of(kind: object) -> _Check | None:
    return _check_for(inspect.type_info(kind))


def _check_for(info: inspect.Type) -> _Check | None:
    """The check of one type; None where there is nothing that msgspec does not check."""
    match info:
        case inspect.DataclassType() | inspect.StructType():
            return _check_names(info)
        case inspect.EnumType(cls):
            return _check_choice(cls)
        case inspect.UnionType(types):
            return _check_union(types)
        case inspect.TupleType(types):
            return _check_places(tuple(map(_check_for, types)))
        case inspect.VarTupleType(item) | inspect.ListType(item) | inspect.SetType(item) | inspect.FrozenSetType(item):
            return _check_each(_check_for(item))
        case inspect.DictType():
            return _check_values(_check_for(info.value_type))
        case _:
            return None


def _check_names(info: inspect.DataclassType | inspect.StructType) -> _Check:
    checks = {each.encode_name: _check_for(each.type) for each in info.fields}
    tag = info.tag_field if isinstance(info, inspect.StructType) else None

    def check(value: Any, path: str) -> None:
        for name, each in value.items() if isinstance(value, dict) else ():
            place = f"{path}.{name}" if path else str(name)
            if name not in checks:
                if name == tag:
                    continue
                raise UsageError(f"{place} is not known. Known are: {', '.join(checks)}.")
            inner = checks[name]
            if inner is not None:
                inner(each, place)

    return check


def _check_choice(cls: type[Enum]) -> _Check:
    known = [each.value for each in cls]

    def check(value: Any, path: str) -> None:
        if value not in known:
            raise UsageError(f"{path or 'The value'} must be one of {', '.join(map(str, known))}, not {_shown(value)}.")

    return check


def _check_union(types: tuple[inspect.Type, ...]) -> _Check | None:
    """Of several types, the one that the value looks like."""
    checks = [(each, inner) for each in types if (inner := _check_for(each)) is not None]
    if not checks:
        return None
    free = any(isinstance(each, inspect.StrType) for each in types)

    def suits(info: inspect.Type, value: Any) -> bool:
        match info:
            case inspect.StructType() if info.tag_field is not None:
                return isinstance(value, dict) and value.get(info.tag_field) == info.tag
            case inspect.DataclassType() | inspect.StructType() | inspect.DictType():
                return isinstance(value, dict)
            case inspect.EnumType():
                return isinstance(value, str | int) and not free
            case _:
                return isinstance(value, list | tuple)

    def check(value: Any, path: str) -> None:
        for info, inner in checks:
            if suits(info, value):
                inner(value, path)
                return

    return check


def _check_places(checks: tuple[_Check | None, ...]) -> _Check | None:
    if not any(checks):
        return None

    def check(value: Any, path: str) -> None:
        for number, (each, inner) in enumerate(zip(value, checks, strict=False) if isinstance(value, list | tuple) else ()):
            if inner is not None:
                inner(each, f"{path}[{number}]")

    return check


def _check_each(inner: _Check | None) -> _Check | None:
    if inner is None:
        return None

    def check(value: Any, path: str) -> None:
        for number, each in enumerate(value if isinstance(value, list | tuple) else ()):
            inner(each, f"{path}[{number}]")

    return check


def _check_values(inner: _Check | None) -> _Check | None:
    if inner is None:
        return None

    def check(value: Any, path: str) -> None:
        for name, each in value.items() if isinstance(value, dict) else ():
            inner(each, f"{path}.{name}" if path else str(name))

    return check


# --- what a person is told ---


def _sentence(said: str, values: object) -> str:
    """What msgspec found, as a sentence that begins with the path to it."""
    match = _AT.match(said)
    assert match is not None  # it matches anything
    what, path = match[1], match[2] or ""
    place = path.lstrip(".") or "The value"
    missing = _MISSING.match(what)
    if missing is not None:
        return f"{f'{path}.{missing[1]}'.lstrip('.')} is missing."
    expected = _EXPECTED.match(what)
    if expected is None:
        return f"{path.lstrip('.')}: {what}" if path else what
    kinds = [_WORDS.get(kind, kind) for kind in expected[1].split(" | ")]
    length = f" of {expected[2]} values" if expected[2] else ""
    return f"{place} must be {' or '.join(kinds)}{length}, not {_shown(_found(values, path))}."


def _found(values: Any, path: str) -> Any:
    """The value at a path of msgspec; of a place that it does not tell exactly, everything around."""
    end = 0
    for step in _STEP.finditer(path):
        if step.start() != end:
            break
        try:
            values = values[step[1]] if step[1] is not None else values[int(step[2])]
        except (IndexError, KeyError, TypeError):
            break
        end = step.end()
    return values


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else text[:57] + "…"
