"""Which photos are meant, and where each of them goes."""

import os
from pathlib import Path

import pytest

from bgdesk.cli.targets import plan
from bgdesk.core.errors import UsageError
from bgdesk.core.formats import Format
from bgdesk.files.find import find


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def make(*names: str) -> None:
    for name in names:
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


def targets(inputs: list[str], output: str, format: Format | None = None) -> list[str]:
    return [task.target.as_posix() for task in plan(inputs, find(map(Path, inputs)), output, format)]


def test_names_that_the_system_refuses_are_left_to_loading(here: Path) -> None:
    make("photo.jpg")
    Path("ring.jpg").symlink_to("ring.jpg")
    long = "a" * 300
    assert targets(["ring.jpg", f"{long}.jpg"], "out") == ["out/ring.png", f"out/{long}.png"]
    assert targets(["photo.jpg"], f"{long}.png") == [f"{long}.png"]


@pytest.mark.parametrize(
    ("output", "format", "target"),
    [
        ("out.png", None, "out.png"),
        ("out.PSD", None, "out.PSD"),
        ("out.psd", Format.PSD, "out.psd"),
        ("new/deep/out.png", None, "new/deep/out.png"),
        ("out", Format.PSD, "out.psd"),
        ("out.v2", Format.PNG, "out.v2.png"),
        ("out/", None, "out/photo.png"),
        ("out/", Format.PSD, "out/photo.psd"),
        ("out.png/", None, "out.png/photo.png"),
        ("there", None, "there/photo.png"),
        (".", None, "photo_cutout.png"),
    ],
)
def test_one_photo(here: Path, output: str, format: Format | None, target: str) -> None:
    make("photo.jpg", "there/something")
    assert targets(["photo.jpg"], output, format) == [target]


@pytest.mark.parametrize(
    ("inputs", "output", "format", "said"),
    [
        (["photo.jpg"], "out", None, "the format of out is not known: end its name with .png or .psd"),
        (["photo.jpg"], "out.tif", None, "the format of out.tif is not known"),
        (["photo.jpg"], "out.png", Format.PSD, "out.png does not go with --format psd"),
        (["photo.jpg", "in"], "out.png", None, f"several photos need a folder to go to, and out.png is a file: use -o out{os.sep}"),
        (["in"], "file", None, f"file is a file: use -o file_cutouts{os.sep}"),
        (["in"], "shoe v1.2", None, f"shoe v1.2 is a file: use -o shoe v1.2_cutouts{os.sep}"),
        (["in"], "in", None, "in is the folder that the photos come from"),
        (["in"], "in/../in/", None, "is the folder that the photos come from"),
        (["in/a.png"], "in/a.png", None, "in/a.png is the photo itself, which bgdesk never overwrites"),
        (["in/a.png"], "in/../in/a.png", None, "is the photo itself"),
    ],
)
def test_refused(here: Path, inputs: list[str], output: str, format: Format | None, said: str) -> None:
    make("photo.jpg", "in/a.jpg", "in/a.png", "file", "shoe v1.2")
    with pytest.raises(UsageError) as caught:
        targets(inputs, output, format)
    assert said in str(caught.value)


def test_links_to_the_photo_are_the_photo(here: Path) -> None:
    make("a.png")
    Path("link.png").symlink_to("a.png")
    with pytest.raises(UsageError, match="is the photo itself"):
        targets(["a.png"], "link.png")


@pytest.mark.parametrize(
    ("inputs", "output", "expected"),
    [
        (["a.jpg", "b.jpg"], "out", ["out/a.png", "out/b.png"]),
        (["a.jpg", "sub/a.jpg", "sub/A.png"], "out", ["out/a.png", "out/a-2.png", "out/A-3.png"]),
        (["a.jpg", "b.jpg", "a.png"], ".", ["a_cutout.png", "b_cutout.png", "a_cutout-2.png"]),
        (["sub/a.jpg", "sub/A.png", "b.jpg"], "sub", ["sub/a_cutout.png", "sub/A_cutout-2.png", "sub/b.png"]),
        (["a.jpg", "sub/A.png"], "sub", ["sub/a-2.png", "sub/A_cutout.png"]),
        (["a.jpg", "./a.jpg"], "out", ["out/a.png"]),
        (["sub"], "out", ["out/a.png", "out/A-2.png"]),
        (["sub"], "out.d", ["out.d/a.png", "out.d/A-2.png"]),
        (["a-2.jpg", "a.jpg", "sub/a.jpg"], "out", ["out/a-2.png", "out/a.png", "out/a-3.png"]),
    ],
)
def test_several_photos(here: Path, inputs: list[str], output: str, expected: list[str]) -> None:
    make("a.jpg", "a.png", "b.jpg", "a-2.jpg", "sub/a.jpg", "sub/A.png")
    found = targets(inputs, output)
    assert found == expected
    assert len({name.casefold() for name in found}) == len(found)
    assert not {Path(name).resolve() for name in found} & {Path(name).resolve() for name in inputs}


def test_names_keep_their_dots(here: Path) -> None:
    make("shoe v1.2.jpg", "shoe v1.3")
    assert targets(["shoe v1.2.jpg", "shoe v1.3"], "out") == ["out/shoe v1.2.png", "out/shoe v1.3.png"]
    assert targets(["shoe v1.2.jpg"], "shoe v1.2", Format.PSD) == ["shoe v1.2.psd"]


def test_existing_files_are_replaced_not_numbered(here: Path) -> None:
    make("a.jpg", "b.jpg", "out/a.png")
    assert targets(["a.jpg", "b.jpg"], "out") == ["out/a.png", "out/b.png"]
