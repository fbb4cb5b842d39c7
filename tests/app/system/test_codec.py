"""The codec: what is written comes back, and what is wrong is named with the path to it."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from types import MappingProxyType

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgdesk.app.system.codec import convert, decode, encode, plain
from bgdesk.core.errors import UsageError


class Way(Enum):
    FAST = "fast"
    BEST = "best"


@dataclass(frozen=True)
class Inner:
    name: str
    size: int | None = None


@dataclass(frozen=True, kw_only=True)
class Outer:
    file: Path
    way: Way = Way.FAST
    colour: tuple[int, int, int] | str | None = None
    inner: tuple[Inner, ...] = ()
    one: Inner | None = None
    beside: Path | None = None
    timings: Mapping[str, float] = field(default_factory=dict)
    places: Mapping[str, Inner] = field(default_factory=dict)
    share: float = 0.0
    on: bool = True
    either: Way | None = None

    def __post_init__(self) -> None:
        if self.share > 1:
            raise UsageError("share is a number from 0 to 1.")


class Go(msgspec.Struct, frozen=True, tag="go", tag_field="do", forbid_unknown_fields=True):
    outer: Outer


class Stop(msgspec.Struct, frozen=True, tag="stop", tag_field="do", forbid_unknown_fields=True):
    ids: tuple[int, ...]


names = st.text().map(lambda text: text.replace("\0", "")) | st.binary(max_size=20).map(lambda data: os.fsdecode(data.replace(b"\0", b"")))
inners = st.builds(Inner, names, st.none() | st.integers(-(2**62), 2**62))
outers = st.builds(
    Outer,
    file=names.map(Path),
    way=st.sampled_from(Way),
    colour=st.none() | names | st.tuples(*[st.integers(0, 255)] * 3),
    inner=st.lists(inners, max_size=3).map(tuple),
    one=st.none() | inners,
    beside=st.none() | names.map(Path),
    timings=st.dictionaries(names, st.floats(allow_nan=False), max_size=3),
    places=st.dictionaries(names, inners, max_size=3),
    share=st.floats(0, 1),
    on=st.booleans(),
    either=st.none() | st.sampled_from(Way),
)


@given(outers)
def test_what_is_written_comes_back(value: Outer) -> None:
    assert decode(encode(value), Outer) == value
    assert convert(plain(value), Outer) == value
    assert decode(encode(Go(value)), Go | Stop) == Go(value)


def test_what_is_written_is_one_line_of_ascii_in_alphabetical_order() -> None:
    value = Outer(file=Path(os.fsdecode(b"/caf\xe9\n")), timings=MappingProxyType({"b": 1.0, "a": 2.0}), way=Way.BEST)
    assert encode(value) == (
        rb'{"beside": null, "colour": null, "either": null, "file": "/caf\udce9\n", "inner": [], "on": true, "one": null, '
        rb'"places": {}, "share": 0.0, "timings": {"a": 2.0, "b": 1.0}, "way": "best"}'
    )


def test_tagged_messages_are_told_apart() -> None:
    assert decode('{"do": "stop", "ids": [1, 2]}', Go | Stop) == Stop((1, 2))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "This is not valid JSON: "),
        ("[" * 100_000, "This is not valid JSON: "),
        ("[1]", "The value must be a table of names and values, not [1]."),
        ("{}", "file is missing."),
        ('{"file": 1}', "file must be a path, not 1."),
        ('{"file": "a", "beside": 1}', "beside must be a path, not 1."),
        ('{"file": "a", "fiel": 1}', "fiel is not known. Known are: file, way, colour, inner, one, "),
        ('{"file": "a", "way": "slow"}', 'way must be one of fast, best, not "slow".'),
        ('{"file": "a", "either": "slow"}', 'either must be one of fast, best, not "slow".'),
        ('{"file": "a", "way": [1]}', "way must be one of fast, best, not [1]."),
        ('{"file": "a", "colour": [1, 2]}', "colour must be a list of 3 values, not [1, 2]."),
        (
            '{"file": "a", "inner": [{"name": "x"}, {"name": "y", "size": "z"}]}',
            'inner[1].size must be a whole number or left out, not "z".',
        ),
        ('{"file": "a", "inner": [{"size": 1}]}', "inner[0].name is missing."),
        ('{"file": "a", "inner": [{"name": "x", "sise": 1}]}', "inner[0].sise is not known. Known are: name, size."),
        ('{"file": "a", "one": {"name": "x", "sise": 1}}', "one.sise is not known. Known are: name, size."),
        ('{"file": "a", "one": 5}', "one must be a table of names and values or left out, not 5."),
        ('{"file": "a", "places": {"p": {"nam": "x"}}}', "places.p.nam is not known. Known are: name, size."),
        ('{"file": "a", "timings": {"x": "y"}}', 'timings[...] must be a number, not {"x": "y"}.'),
        ('{"file": "a", "on": 1}', "on must be true or false, not 1."),
        ('{"file": "a", "share": true}', "share must be a number, not true."),
        ('{"file": "a", "share": 2}', "share is a number from 0 to 1."),
    ],
)
def test_what_is_wrong_is_named_with_its_path(text: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        decode(text, Outer)
    assert str(caught.value).startswith(said)


def test_names_inside_a_message_are_looked_at_too() -> None:
    with pytest.raises(UsageError, match=r"^outer\.fiel is not known"):
        decode('{"do": "go", "outer": {"file": "a", "fiel": 1}}', Go | Stop)
    with pytest.raises(UsageError, match="do"):
        decode('{"do": "wait"}', Go | Stop)


def test_what_nobody_can_read_again_is_not_written() -> None:
    with pytest.raises(NotImplementedError, match="object cannot be written"):
        encode(object())
