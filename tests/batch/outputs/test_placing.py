import errno
import hashlib
import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgdesk.batch.model.values import Existing, Written
from bgdesk.batch.outputs import placing


def staged(folder: Path, content: bytes = b"cutout", name: str = "shoe.png") -> Written:
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / name
    path = placing.staged_name(target, "q", 1)
    path.write_bytes(content)
    return Written(path, target, hashlib.sha256(content).hexdigest())


def never(path: Path) -> bool:
    return False


@given(st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=120))
def test_a_staged_name_fits_on_the_disk_and_is_hidden(stem: str) -> None:
    name = placing.staged_name(Path("/out") / f"{stem}.png", "261126-ab12", 12345)
    assert name.parent == (Path("/out") / f"{stem}.png").parent
    assert name.name.startswith(".")
    assert name.name.endswith(".261126-ab12-12345.bgdesk.png")
    assert len(os.fsencode(name.name)) <= 240


def test_a_free_place_is_taken_and_nothing_is_left_behind(tmp_path: Path) -> None:
    assert placing.place(staged(tmp_path), tmp_path / "shoe.png", never) == tmp_path / "shoe.png"
    assert [path.name for path in tmp_path.iterdir()] == ["shoe.png"]


def test_what_must_not_be_replaced_stays_and_the_output_gets_a_number(tmp_path: Path) -> None:
    (tmp_path / "shoe.png").write_bytes(b"somebody's")
    (tmp_path / "shoe-2.png").mkdir()
    assert placing.place(staged(tmp_path), tmp_path / "shoe.png", never).name == "shoe-3.png"
    assert (tmp_path / "shoe.png").read_bytes() == b"somebody's"


def test_what_may_be_replaced_is(tmp_path: Path) -> None:
    (tmp_path / "shoe.png").write_bytes(b"old")
    assert placing.place(staged(tmp_path), tmp_path / "shoe.png", lambda path: True).name == "shoe.png"
    assert (tmp_path / "shoe.png").read_bytes() == b"cutout"


@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOTSUP])
def test_disks_without_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def no_links(source: object, target: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "link", no_links)
    (tmp_path / "shoe.png").write_bytes(b"somebody's")
    assert placing.place(staged(tmp_path), tmp_path / "shoe.png", never).name == "shoe-2.png"
    assert (tmp_path / "shoe-2.png").read_bytes() == b"cutout"


def test_a_name_that_was_reserved_on_a_disk_without_links_is_known_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(source: object, target: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    def killed(source: object, target: object) -> None:
        raise Killed

    one, other = staged(tmp_path), staged(tmp_path / "other")
    monkeypatch.setattr(os, "link", no_links)
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", killed)
        with pytest.raises(Killed):
            placing.place(one, one.target, never)
    # Another queue's output of that name finds it taken.
    assert placing.place(replace(other, staged=other.staged.rename(tmp_path / ".x.q-2.bgdesk.png")), one.target, never).name == "shoe-2.png"
    assert placing.place(one, one.target, never) == one.target
    assert {path.name: path.read_bytes() for path in tmp_path.glob("*.png")} == {"shoe.png": b"cutout", "shoe-2.png": b"cutout"}


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("existing", [None, b"somebody's"])
@pytest.mark.parametrize("replace", [False, True])
def test_killed_before_and_after_every_step_and_done_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, existing: bytes | None, replace: bool
) -> None:
    """Whatever steps had happened, doing it again leaves the output exactly once."""
    real = {name: getattr(os, name) for name in ("link", "replace", "unlink")}
    for number in range(12):
        folder = tmp_path / str(number)
        one = staged(folder)
        if existing is not None:
            (folder / "shoe.png").write_bytes(existing)
        left = [number]

        def wrapped(name: str, left: list[int] = left) -> object:
            def call(*arguments: object, **options: object) -> object:
                left[0] -= 1
                if left[0] == -1:
                    raise Killed
                done = real[name](*arguments, **options)
                left[0] -= 1
                if left[0] == -1:
                    raise Killed
                return done

            return call

        for name in real:
            monkeypatch.setattr(os, name, wrapped(name))
        try:
            placing.place(one, one.target, lambda path: replace)
            ended = True
        except Killed:
            ended = False
        for name, function in real.items():
            monkeypatch.setattr(os, name, function)
        if not ended:
            placing.place(one, one.target, lambda path: replace and path.read_bytes() != b"cutout")
        contents = sorted(path.read_bytes() for path in folder.iterdir())
        assert contents == sorted([b"cutout"] + ([existing] if existing is not None and not replace else [])), number


def test_a_staged_file_that_is_nowhere_is_said(tmp_path: Path) -> None:
    one = staged(tmp_path)
    one.staged.unlink()
    with pytest.raises(FileNotFoundError):
        placing.place(one, one.target, never)


def test_leftovers_of_a_worker_are_swept_and_nothing_else(tmp_path: Path) -> None:
    one = staged(tmp_path, name="a shoe[1] with a name that is longer than what is kept of it.png")
    part = tmp_path / f".{one.staged.name[-40:]}.0badcafe.part"
    part.write_bytes(b"half")
    others = [tmp_path / ".other.q-2.bgdesk.png", tmp_path / "shoe.png", tmp_path / ".something.part"]
    for other in others:
        other.write_bytes(b"")
    placing.sweep([one.staged, tmp_path / "nowhere" / "x.png", tmp_path / "shoe.png"])
    assert sorted(tmp_path.iterdir()) == sorted(others)


def test_outputs_in_review_are_discarded_unless_somebody_worked_on_them(tmp_path: Path) -> None:
    reviewed = placing.put_in_review([staged(tmp_path), staged(tmp_path, b"other", "sock.png")])
    assert [one.staged for one in reviewed] == [tmp_path / "review" / "shoe.png", tmp_path / "review" / "sock.png"]
    reviewed[1].staged.write_bytes(b"retouched")
    placing.discard(reviewed)
    assert [path.name for path in (tmp_path / "review").iterdir()] == ["sock.png"]


@pytest.mark.parametrize(
    ("existing", "ours", "may"),
    [
        (Existing.SKIP, True, True),
        (Existing.SKIP, False, False),
        (Existing.REPLACE, False, True),
        (Existing.NUMBER, True, False),
    ],
)
def test_what_may_be_replaced_by_choice(tmp_path: Path, existing: Existing, ours: bool, may: bool) -> None:
    photo, output = tmp_path / "photo.jpg", tmp_path / "photo.png"
    photo.write_bytes(b"photo")
    output.write_bytes(b"output")
    choice = placing.replacing(existing, photo, lambda path, source: ours)
    assert choice(output) is may
    assert choice(photo) is False
