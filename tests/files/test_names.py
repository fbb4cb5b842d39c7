"""Names of files: they keep their dots, get the right suffix, and are free."""

from itertools import islice
from pathlib import Path

import pytest

from bgdesk.core.formats import Format
from bgdesk.files.names import free_name, named, numbered, stem


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("photo.jpg", "photo"),
        ("PHOTO.JPG", "PHOTO"),
        ("shoe v1.2.jpg", "shoe v1.2"),
        ("shoe v1.2", "shoe v1.2"),
        ("shoe.v1", "shoe.v1"),
        (".jpg", ".jpg"),
        ("...jpg", ".."),
        ("folder.d/photo", "photo"),
        ("Pasted picture", "Pasted picture"),
        ("a.psd", "a"),
    ],
)
def test_only_a_photo_s_suffix_goes(name: str, expected: str) -> None:
    assert stem(name) == stem(Path(name)) == expected


@pytest.mark.parametrize(
    ("name", "format", "expected"),
    [
        ("shoe v1.2", Format.PNG, "shoe v1.2.png"),
        ("shoe v1.2", Format.PSD, "shoe v1.2.psd"),
        ("shoe v1.2.png", Format.PSD, "shoe v1.2.psd"),
        ("shoe.PNG", Format.PNG, "shoe.PNG"),
        ("shoe.jpg", Format.PNG, "shoe.jpg.png"),
        ("shoe", Format.PNG, "shoe.png"),
    ],
)
def test_a_name_gets_the_suffix_of_its_format(name: str, format: Format, expected: str) -> None:
    assert named(Path("in/v1.0") / name, format) == Path("in/v1.0") / expected


def test_names_are_numbered_from_two(tmp_path: Path) -> None:
    assert [path.name for path in islice(numbered(tmp_path, "shoe v1.2", ".png"), 3)] == [
        "shoe v1.2.png",
        "shoe v1.2-2.png",
        "shoe v1.2-3.png",
    ]


def test_the_first_free_name_is_given(tmp_path: Path) -> None:
    assert free_name(tmp_path, "a", ".png") == tmp_path / "a.png"
    (tmp_path / "a.png").touch()
    (tmp_path / "a-3.png").touch()
    assert free_name(tmp_path, "a", ".png") == tmp_path / "a-2.png"


def test_a_link_that_leads_nowhere_takes_its_name(tmp_path: Path) -> None:
    (tmp_path / "a.png").symlink_to(tmp_path / "gone.png")
    assert free_name(tmp_path, "a", ".png").name == "a-2.png"


def test_who_asks_says_what_is_taken(tmp_path: Path) -> None:
    taken = {tmp_path / "a.png", tmp_path / "a-2.png"}
    assert free_name(tmp_path, "a", ".png", taken.__contains__) == tmp_path / "a-3.png"
