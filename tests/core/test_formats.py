"""The table of formats: that it is whole, and what is read from it."""

from pathlib import Path

import pytest

from bgdesk.core.formats import FORMATS, Format

README = Path(__file__).resolve().parents[2] / "README.md"


def test_every_format_has_its_row() -> None:
    assert list(FORMATS) == list(Format)


def test_a_suffix_belongs_to_one_format_only() -> None:
    suffixes = [suffix for each in Format for suffix in each.suffixes]
    assert len(set(suffixes)) == len(suffixes)
    assert all(suffix == suffix.lower() and suffix.startswith(".") for suffix in suffixes)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.png", Format.PNG),
        ("A.PNG", Format.PNG),
        ("shoe v1.2.psd", Format.PSD),
        ("shoe v1.2", None),
        ("a.png.bak", None),
        ("png", None),
        ("folder.png/a", None),
    ],
)
def test_the_format_of_a_name(name: str, expected: Format | None) -> None:
    assert Format.of_path(Path(name)) is expected


def test_the_line_of_a_file_dialog() -> None:
    assert [each.filter_text for each in Format] == ["PNG, straight alpha (*.png)", "Photoshop, layers and mask (*.psd)"]


def test_the_suffixes_in_words() -> None:
    assert Format.known() == ".png or .psd"


@pytest.mark.parametrize("format", Format)
def test_the_readme_says_what_is_written(format: Format) -> None:
    row = next(line for line in README.read_text("utf-8").splitlines() if line.startswith("| writes |"))
    text = next(part for part in row.split("), ") if format.facts.title in part)
    assert " or ".join(map(str, format.facts.depths)) + " bits" in text
    assert ("layers" in text) == format.facts.layers
    assert ("alpha alone" in text) == format.facts.opacity_alone
