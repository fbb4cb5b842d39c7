"""Which photos are meant: each once, in a person's order, and nothing of bgdesk's own."""

import os
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgdesk.batch.planning.scan import Filters, Order, ScanResult, find, moment
from bgdesk.core.errors import UsageError
from bgdesk.core.tasks import Cancelled, CancelToken, cancellable
from bgdesk.files.find import natural


def make(top: Path, *names: str, content: bytes = b"") -> None:
    for name in names:
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def names(found: ScanResult, top: Path) -> list[str]:
    return [photo.path.relative_to(top).as_posix() for photo in found.photos]


def said(found: ScanResult) -> list[str]:
    return [sentence for _, sentence in found.problems]


def test_folder_stands_for_its_photos_in_natural_order(tmp_path: Path) -> None:
    make(tmp_path, "photo10.jpg", "photo2.JPG", "Photo1.png", "notes.txt", ".hidden.jpg", "deeper/c.jpg", "folder.jpg/x.txt")
    found = find([tmp_path])
    assert names(found, tmp_path) == ["Photo1.png", "photo2.JPG", "photo10.jpg"]
    assert found.folders == (tmp_path,)
    assert found.problems == ()
    assert found.photos[0].root == tmp_path


def test_subfolders_come_after_their_folders_own_photos(tmp_path: Path) -> None:
    make(tmp_path, "z.jpg", "s10/a.jpg", "s2/b.jpg", "s2/deep/c.jpg", ".git/d.jpg")
    assert names(find([tmp_path], recursive=True), tmp_path) == ["z.jpg", "s2/b.jpg", "s2/deep/c.jpg", "s10/a.jpg"]


def test_named_file_is_taken_whatever_its_suffix(tmp_path: Path) -> None:
    make(tmp_path, "scan.dat", ".hidden.png", content=b"12345")
    found = find([tmp_path / "scan.dat", tmp_path / ".hidden.png"], order=Order.GIVEN)
    assert names(found, tmp_path) == ["scan.dat", ".hidden.png"]
    photo = found.photos[0]
    assert (photo.size, photo.mtime, photo.root) == (5, (tmp_path / "scan.dat").stat().st_mtime_ns, None)


def test_relative_names_become_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, "in/a.jpg", "b.jpg")
    monkeypatch.chdir(tmp_path / "in")
    assert [photo.path for photo in find([Path("."), Path("../b.jpg")]).photos] == [tmp_path / "b.jpg", tmp_path / "in" / "a.jpg"]


def test_each_file_is_taken_once_and_rings_of_links_end(tmp_path: Path) -> None:
    make(tmp_path, "in/a.jpg", "in/sub/b.jpg", "elsewhere/c.jpg")
    (tmp_path / "in" / "again.jpg").symlink_to("a.jpg")
    (tmp_path / "in" / "sub" / "up").symlink_to("..", target_is_directory=True)
    (tmp_path / "in" / "linked").symlink_to("../elsewhere", target_is_directory=True)
    (tmp_path / "in" / "ring.jpg").symlink_to("ring.jpg")
    (tmp_path / "in" / "nowhere.jpg").symlink_to("gone.jpg")
    top = tmp_path / "in"
    found = find([top, top / "a.jpg", top, top / "sub"], recursive=True)
    assert sorted(os.path.realpath(photo.path) for photo in found.photos) == sorted(
        str(tmp_path / name) for name in ("in/a.jpg", "in/sub/b.jpg", "elsewhere/c.jpg")
    )
    assert found.problems == ()


def test_output_folder_inside_a_source_does_not_feed_itself(tmp_path: Path) -> None:
    make(tmp_path, "a.jpg", "out/a.png", "out/review/b.png", "sub/.a.k3f9-17.bgdesk.png", "review/mine.jpg")
    assert names(find([tmp_path], recursive=True, output=tmp_path / "out"), tmp_path) == ["a.jpg", "review/mine.jpg"]


def test_output_folder_that_is_the_source_keeps_what_waits_in_it_to_itself(tmp_path: Path) -> None:
    make(tmp_path, "a.jpg", "review/b.png", "failed/c.jpg", "sub/d.jpg", "sub/review/e.png")
    assert names(find([tmp_path], recursive=True, output=tmp_path / "sub" / ".."), tmp_path) == ["a.jpg", "sub/d.jpg"]


def test_filters(tmp_path: Path) -> None:
    make(tmp_path, "shoe-1.jpg", "shoe-2.PNG", "hat.jpg", content=b"1234567890")
    make(tmp_path, "small.jpg", content=b"1")
    os.utime(tmp_path / "hat.jpg", (1_000_000_000, 1_000_000_000))

    def kept(filters: Filters) -> list[str]:
        return names(find([tmp_path], filters=filters), tmp_path)

    assert kept(Filters(include=("SHOE-?.*",))) == ["shoe-1.jpg", "shoe-2.PNG"]
    assert kept(Filters(include=("*.jpg",), exclude=("shoe*", "small*"))) == ["hat.jpg"]
    assert kept(Filters(smallest=10, newer=moment("2001-09-10"))) == ["shoe-1.jpg", "shoe-2.PNG"]
    assert names(find([tmp_path / "hat.jpg"], filters=Filters(exclude=("hat.*",))), tmp_path) == []


def test_filters_that_take_nothing_are_no_fault_of_the_folder(tmp_path: Path) -> None:
    make(tmp_path, "a.jpg")
    assert find([tmp_path], filters=Filters(include=("*.png",))) == ScanResult((), (), (tmp_path,))


@pytest.mark.parametrize("text", ["2026-13-01", "yesterday", ""])
def test_what_is_no_date_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"is not a date\. Write it like 2026-03-01"):
        moment(text)


def test_date_with_a_time() -> None:
    assert moment(" 2026-03-01 14:30 ") == datetime(2026, 3, 1, 14, 30)


def test_orders(tmp_path: Path) -> None:
    for name, size, age in (("a.jpg", 3, 20), ("b.jpg", 1, 30), ("c.jpg", 2, 10)):
        make(tmp_path, name, content=b"x" * size)
        os.utime(tmp_path / name, (1_700_000_000 - age, 1_700_000_000 - age))
    make(tmp_path, "sub/0.jpg", content=b"x" * 9)

    def order(order: Order) -> list[str]:
        sources = [tmp_path / "c.jpg", tmp_path / "sub", tmp_path]
        return names(find(sources, order=order), tmp_path)

    assert order(Order.NAME) == ["a.jpg", "b.jpg", "c.jpg", "sub/0.jpg"]
    assert order(Order.DATE) == ["b.jpg", "a.jpg", "c.jpg", "sub/0.jpg"]
    assert order(Order.SIZE) == ["b.jpg", "c.jpg", "a.jpg", "sub/0.jpg"]
    assert order(Order.GIVEN) == ["c.jpg", "sub/0.jpg", "a.jpg", "b.jpg"]


def test_what_cannot_be_taken_is_said_and_keeps_nothing_else_back(tmp_path: Path) -> None:
    make(tmp_path, "a.jpg", "bare/notes.txt", "outer/inner/b.jpg")
    os.mkfifo(tmp_path / "pipe.jpg")
    sources = [tmp_path / name for name in ("gone.jpg", "pipe.jpg", "bare", "outer", "a" * 300 + ".jpg", "a.jpg")]
    found = find(sources)
    assert names(found, tmp_path) == ["a.jpg"]
    assert [path.name[:9] for path, _ in found.problems] == ["gone.jpg", "pipe.jpg", "bare", "outer", "a" * 9]
    missing, pipe, bare, outer, long = said(found)
    assert missing == "gone.jpg could not be read: there is no such file. Look whether it was moved or renamed."
    assert pipe == "pipe.jpg could not be read: it is a device or a pipe, not a file. Choose a photo."
    assert bare.startswith(f"{tmp_path / 'bare'} holds no photo that bgdesk can read. Choose another folder.")
    assert "Take its subfolders in as well" in outer
    assert "there is no such file" in long


def test_folder_that_is_closed_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, "in/a.jpg", "in/locked/b.jpg")
    look = os.scandir

    def scandir(folder: str) -> Iterable[os.DirEntry[str]]:
        if str(folder).endswith("locked"):
            raise PermissionError(13, "Permission denied")
        return look(folder)

    monkeypatch.setattr(os, "scandir", scandir)
    found = find([tmp_path / "in"], recursive=True)
    assert names(found, tmp_path) == ["in/a.jpg"]
    assert found.problems == (
        (
            tmp_path / "in" / "locked",
            f"{tmp_path / 'in' / 'locked'} could not be opened: Permission denied. Check its permissions and the disk.",
        ),
    )


def test_name_that_is_no_text_is_said(tmp_path: Path) -> None:
    with open(os.fsencode(tmp_path) + b"/caf\xe9.jpg", "wb"):
        pass
    make(tmp_path, "café.jpg")
    found = find([tmp_path])
    assert names(found, tmp_path) == ["café.jpg"]
    assert said(found) == ["caf\ufffd.jpg could not be read: its name or its folder's is not valid text. Rename it."]


def test_search_can_be_cancelled(tmp_path: Path) -> None:
    make(tmp_path, "a.jpg")
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        find([tmp_path], progress=cancellable(token))


@given(st.lists(st.integers(0, 10**6), min_size=2, max_size=6), st.sampled_from(["photo", "IMG_", "", "é "]))
def test_names_that_differ_in_a_number_sort_by_it(numbers: list[int], stem: str) -> None:
    spelt = sorted((f"{stem}{number}.jpg" for number in numbers), key=natural)
    assert [int(name.removeprefix(stem).removesuffix(".jpg")) for name in spelt] == sorted(numbers)


@given(st.lists(st.text(max_size=8), max_size=8))
def test_natural_order_takes_any_names(texts: list[str]) -> None:
    assert [natural(text) for text in sorted(texts, key=natural)] == sorted(map(natural, texts))
