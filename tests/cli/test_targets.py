"""Which photos are meant, and where each of them goes."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from bgdesk.cli.targets import find_photos, plan
from bgdesk.core.errors import UsageError
from bgdesk.core.formats import Format

SUFFIXES = (".jpg", ".png")


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
    return [task.target.as_posix() for task in plan(find_photos(inputs, SUFFIXES), output, format)]


def test_folder_stands_for_its_photos(here: Path) -> None:
    make("in/b.jpg", "in/A.PNG", "in/notes.txt", "in/.hidden.jpg", "in/deeper/c.jpg", "in/folder.jpg/x")
    Path("empty").mkdir()
    found = find_photos(["in", "in/b.jpg", "missing.jpg", "empty"], SUFFIXES)
    assert [p.as_posix() for p in found.photos] == ["in/A.PNG", "in/b.jpg", "missing.jpg"]
    assert found.folders == (Path("in"), Path("empty"))
    assert found.empty == (Path("empty"),)


def test_names_that_the_system_refuses_are_left_to_loading(here: Path) -> None:
    make("photo.jpg")
    Path("ring.jpg").symlink_to("ring.jpg")
    long = "a" * 300
    assert targets(["ring.jpg", f"{long}.jpg"], "out") == ["out/ring.png", f"out/{long}.png"]
    assert targets(["photo.jpg"], f"{long}.png") == [f"{long}.png"]


def test_folders_that_cannot_be_opened(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make("in/a.jpg", "locked/b.jpg")
    look = Path.iterdir

    def iterdir(folder: Path) -> Iterator[Path]:
        if folder.name == "locked":
            raise PermissionError(errno.EACCES, "Permission denied")
        return look(folder)

    monkeypatch.setattr(Path, "iterdir", iterdir)
    found = find_photos(["locked", "in"], SUFFIXES)
    assert found.photos == (Path("in/a.jpg"),)
    assert found.closed == ((Path("locked"), "Permission denied"),)
    assert found.empty == ()


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
        (["in"], "file", None, "file is a file"),
        (["in"], "in", None, "in is the folder that the photos come from"),
        (["in"], "in/../in/", None, "is the folder that the photos come from"),
        (["in/a.png"], "in/a.png", None, "in/a.png is the photo itself, which bgdesk never overwrites"),
        (["in/a.png"], "in/../in/a.png", None, "is the photo itself"),
    ],
)
def test_refused(here: Path, inputs: list[str], output: str, format: Format | None, said: str) -> None:
    make("photo.jpg", "in/a.jpg", "in/a.png", "file")
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
        (["sub"], "out", ["out/A.png", "out/a-2.png"]),
        (["sub"], "out.d", ["out.d/A.png", "out.d/a-2.png"]),
        (["a-2.jpg", "a.jpg", "sub/a.jpg"], "out", ["out/a-2.png", "out/a.png", "out/a-3.png"]),
    ],
)
def test_several_photos(here: Path, inputs: list[str], output: str, expected: list[str]) -> None:
    make("a.jpg", "a.png", "b.jpg", "a-2.jpg", "sub/a.jpg", "sub/A.png")
    found = targets(inputs, output)
    assert found == expected
    assert len({name.casefold() for name in found}) == len(found)
    assert not {Path(name).resolve() for name in found} & {Path(name).resolve() for name in inputs}


def test_existing_files_are_replaced_not_numbered(here: Path) -> None:
    make("a.jpg", "b.jpg", "out/a.png")
    assert targets(["a.jpg", "b.jpg"], "out") == ["out/a.png", "out/b.png"]
