"""Which photos are meant by files and folders that somebody named."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from bgdesk.core.tasks import Cancelled
from bgdesk.files.find import SUFFIXES, find, natural_key, printable


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def make(*names: str) -> None:
    for name in names:
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


def found(*names: str) -> list[str]:
    return [path.as_posix() for path in find(map(Path, names)).photos]


def test_a_folder_stands_for_its_photos(here: Path) -> None:
    make("in/b.jpg", "in/A.PNG", "in/notes.txt", "in/.hidden.jpg", "in/deeper/c.jpg", "in/folder.jpg/x")
    assert found("in") == ["in/A.PNG", "in/b.jpg"]
    assert find([Path("in")]).folders == (Path("in"),)


def test_a_file_is_taken_as_named_whether_it_is_there_or_not(here: Path) -> None:
    make("notes.txt")
    assert found("missing.jpg", "notes.txt", ".") == ["missing.jpg", "notes.txt"]


def test_no_photo_is_found_twice(here: Path) -> None:
    make("in/a.jpg", "in/b.jpg")
    Path("link.jpg").symlink_to("in/b.jpg")
    assert found("in/b.jpg", "in", "in", "./in/a.jpg", "link.jpg") == ["in/b.jpg", "in/a.jpg"]


def test_links_are_followed_and_those_that_lead_nowhere_left_out(here: Path) -> None:
    make("real/a.jpg", "in/b.jpg")
    Path("in/a.jpg").symlink_to(here / "real" / "a.jpg")
    Path("in/gone.jpg").symlink_to(here / "gone.jpg")
    Path("in/ring.jpg").symlink_to(here / "in" / "ring.jpg")
    Path("in/folder.jpg").symlink_to(here / "real")
    assert found("in") == ["in/a.jpg", "in/b.jpg"]


def test_photos_are_in_the_order_in_which_people_count(here: Path) -> None:
    make("in/photo10.jpg", "in/photo2.jpg", "in/Photo1.jpg", "in/shoe-2.jpg", "in/shoe.jpg")
    assert found("in") == ["in/Photo1.jpg", "in/photo2.jpg", "in/photo10.jpg", "in/shoe.jpg", "in/shoe-2.jpg"]


def test_equal_names_have_an_order() -> None:
    assert sorted(["a.png", "A.jpg", "a.jpg"], key=natural_key) == ["A.jpg", "a.jpg", "a.png"]


def test_a_folder_without_photos_is_said(here: Path) -> None:
    make("in/notes.txt")
    ((path, sentence),) = find([Path("in")]).problems
    assert path == Path("in")
    assert sentence == "in holds no photo that bgdesk can read. Choose another folder."


def test_a_folder_that_cannot_be_opened_is_said_and_takes_no_other_away(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make("in/a.jpg", "locked/b.jpg")
    look = os.scandir

    def scandir(folder: Any) -> Any:
        if Path(folder).name == "locked":
            raise PermissionError(errno.EACCES, "Permission denied")
        return look(folder)

    monkeypatch.setattr(os, "scandir", scandir)
    result = find([Path("locked"), Path("in")])
    assert result.photos == (Path("in/a.jpg"),)
    sentence = "locked could not be opened: Permission denied. Check its permissions and the disk."
    assert result.problems == ((Path("locked"), sentence),)
    assert result.folders == (Path("locked"), Path("in"))


def test_names_that_the_system_refuses_are_left_to_loading(here: Path) -> None:
    Path("ring.jpg").symlink_to("ring.jpg")
    long = "a" * 300 + ".jpg"
    assert found("ring.jpg", long) == ["ring.jpg", long]


def test_a_search_can_be_stopped(here: Path) -> None:
    make("in/a.jpg")

    def stop() -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        find([Path("in")], stop)


def test_suffixes_are_lower_case_and_unique() -> None:
    assert len(set(SUFFIXES)) == len(SUFFIXES)
    assert all(suffix == suffix.lower() and suffix.startswith(".") for suffix in SUFFIXES)


def test_any_name_can_be_printed() -> None:
    assert printable(os.fsdecode(b"a\xff.jpg")).encode().startswith(b"a")
