"""Name patterns: what they make, and what they refuse before a photo is touched."""

import os
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bgdesk.batch.model.values import BatchRecipe, Variant
from bgdesk.batch.planning.naming import LONGEST, beside, default, example, parse
from bgdesk.batch.planning.scan import PhotoFile
from bgdesk.core.errors import UsageError
from bgdesk.core.formats import Format

ONE = BatchRecipe()
TWO = BatchRecipe(variants=(Variant(name="web", size=1200), Variant(name="full", format=Format.PSD)))
# 1 March 2026, noon in UTC: the same day from UTC-12 to UTC+11.
PHOTO = PhotoFile(Path("/shop/spring/red/shoe 7.final.jpg"), 10, 1_772_366_400_000_000_000, Path("/shop"))


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("{name}", "shoe 7.final"),
        ("{subfolder}/{name}", "spring/red/shoe 7.final"),
        ("{folder}/{date}_{number:04}", "red/2026-03-01_0012"),
        ("{number}-{number:3}", "12- 12"),
        ("flat/{variant}/{name}-{variant}", "flat/web/shoe 7.final-web"),
        (" {variant} ", "web"),
        ("a//{name}", "a/shoe 7.final"),
    ],
)
def test_tokens(pattern: str, name: str) -> None:
    assert parse(pattern, BatchRecipe(variants=TWO.variants[:1])).fill(PHOTO, TWO.variants[0], 12) == name


def test_variant_without_a_name_takes_its_separator_along() -> None:
    pattern = parse("{name}-{variant}", ONE)
    assert pattern.fill(PHOTO, Variant()) == "shoe 7.final"
    assert pattern.fill(PHOTO, Variant(name="web")) == "shoe 7.final-web"
    assert parse("{variant}/{name}", ONE).fill(PHOTO, Variant()) == "shoe 7.final"


def test_named_file_has_no_subfolder() -> None:
    assert parse("{subfolder}/{name}", ONE).fill(PHOTO._replace(root=None), Variant()) == "shoe 7.final"


def test_default_pattern() -> None:
    assert default(ONE) == "{name}"
    assert default(TWO) == "{name}-{variant}"
    assert default(TWO, subfolders=True) == "{subfolder}/{name}-{variant}"


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("{nmae}", r"unknown \{nmae\}\. Known are: \{name\}, \{variant\}, \{folder\}, \{subfolder\}, \{number\}, \{date\}\.$"),
        ("{}", r"unknown \{\}"),
        ("{name:04}", r"Only \{number\} takes a width"),
        ("{number:012}", "takes a width, of one digit"),
        ("{number:x}", "takes a width"),
        ("{name", "a brace without its partner"),
        ("na}me", "a brace without its partner"),
        ("{{name}}", "a brace without its partner"),
        ("", "does not name a file"),
        ("   ", "does not name a file"),
        ("{name}/", "does not name a file"),
        ("{variant}", "names a variant only"),
        ("a\\{name}", r"has a \\\. Write / between folders"),
        ("{name}?", r"has '\?', which not every disk takes"),
        ("c:{name}", "has ':'"),
        ("{name}\n{name}", r"has '\\n'"),
        ("{name}\x7f", r"has '\\x7f'"),
        ("../{name}", "below the output folder only"),
        ("a/../../{name}", "below the output folder only"),
        ("/etc/{name}", "below the output folder only"),
        ("~/{name}", "below the output folder only"),
        (".{name}", "hidden"),
        ("a /{name}", "a blank or dot at an end"),
        ("a./{name}", "a blank or dot at an end"),
        ("{name}.", "a blank or dot at an end"),
        ("con/{name}", "Windows keeps for itself"),
        ("COM1.old/{name}", "Windows keeps for itself"),
        ("x" * 101 + "{name}", "more than 100 bytes"),
    ],
)
def test_senseless_patterns_are_refused_in_words(pattern: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        parse(pattern, ONE)


def test_variants_must_not_share_a_name() -> None:
    png = BatchRecipe(variants=(Variant(name="web"), Variant(name="full")))
    with pytest.raises(UsageError, match=r"several variants \(web, full\) one name\. Put \{variant\} into it"):
        parse("{name}", png)
    assert parse("{name}", TWO).fill(PHOTO, TWO.variants[1]) == "shoe 7.final"


@pytest.mark.parametrize("name", ["a/b", "a:b", "a.", " a", "a\\b", "x" * 60])
def test_variant_whose_name_is_no_file_name(name: str) -> None:
    with pytest.raises(UsageError, match="The variant's name"):
        parse("{name}-{variant}", BatchRecipe(variants=(Variant(name=name),)))


def test_photo_whose_own_name_is_too_long_or_strange() -> None:
    long = PHOTO._replace(path=Path("/shop") / ("é" * 101 + ".jpg"))
    with pytest.raises(UsageError, match="its output's name would be longer than 200 bytes"):
        parse("{name}", ONE).fill(long, Variant())
    dots = PHOTO._replace(path=Path("/shop/...jpg"))
    assert parse("{name}/x", ONE).fill(dots, Variant()) == "__/x"


def test_example_follows_the_typing() -> None:
    assert example("{subfolder}/{name}-{variant}", PHOTO, TWO) == "spring/red/shoe 7.final-web.png"
    assert example("{name}", Path("somewhere/a.jpg"), BatchRecipe(variants=(Variant(format=Format.PSD),))) == "a.psd"
    assert example("{name}", PHOTO, ONE, Path("/shop/spring/red")) == "shoe 7.final_cutout.png"
    with pytest.raises(UsageError):
        example("{oops}", PHOTO, ONE)


def test_output_beside_its_photo_gets_another_name() -> None:
    assert beside(PHOTO, Path("/shop/spring/red"), "SHOE 7.final") == "SHOE 7.final_cutout"
    assert beside(PHOTO, Path("/shop"), "spring/red/shoe 7.final") == "spring/red/shoe 7.final_cutout"
    assert beside(PHOTO, Path("/shop/spring/red"), "shoe 7.final-web") == "shoe 7.final-web"
    assert beside(PHOTO, Path("/out"), "shoe 7.final") == "shoe 7.final"


PIECES = st.sampled_from(
    ["{name}", "{variant}", "{folder}", "{subfolder}", "{number}", "{date}", "/", ".", "..", "-", " ", "a", "con", "~", ":"]
)


@given(
    st.lists(PIECES, max_size=6).map("".join), st.text(st.characters(blacklist_characters="/\0", codec="utf-8"), min_size=1, max_size=70)
)
def test_whatever_passes_stays_below_the_output_folder(pattern: str, name: str) -> None:
    assume(name not in (".", ".."))
    photo = PHOTO._replace(path=Path("/shop/spring") / name)
    try:
        filled = parse(pattern, TWO).fill(photo, TWO.variants[0], 3)
    except UsageError:
        return
    target = os.path.normpath(os.path.join("/out", filled + ".png"))
    assert target.startswith("/out/")
    assert target == f"/out/{filled}.png"
    assert all(len(os.fsencode(part)) <= LONGEST for part in filled.split("/"))
