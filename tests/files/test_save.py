"""Saving is all or nothing, never touches a source, and says in words what went wrong."""

import errno
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, cast

import cv2
import numpy as np
import pytest

from bgdesk.core.cutout import Cutout
from bgdesk.core.errors import Cause, SaveError
from bgdesk.core.formats import Format
from bgdesk.core.recipe import ExportRecipe
from bgdesk.core.tasks import Cancelled, CancelToken, cancellable
from bgdesk.files import atomic, load, save
from tests.files import pictures

CUTOUT = pictures.cutout()
KINDS = ["out.png", "out.psd"]


def names(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


def refusal(path: Path, **options: Any) -> str:
    with pytest.raises(SaveError) as caught:
        save.save(options.pop("cutout", CUTOUT), path, **options)
    start = f"{path.name} could not be saved: "
    assert str(caught.value).startswith(start)
    return str(caught.value).removeprefix(start)


# --- the format ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "recipe", "magic"),
    [
        ("a.png", None, b"\x89PNG"),
        ("a.PNG", ExportRecipe(), b"\x89PNG"),
        ("a.psd", ExportRecipe(), b"8BPS"),
        ("a.png", ExportRecipe(format=Format.PSD), b"8BPS"),
        ("a", ExportRecipe(format=Format.PNG), b"\x89PNG"),
        ("a.png", ExportRecipe(alpha_only=True), b"\x89PNG"),
    ],
)
def test_the_recipe_decides_and_then_the_suffix(tmp_path: Path, name: str, recipe: ExportRecipe | None, magic: bytes) -> None:
    assert save.save(CUTOUT, tmp_path / name, recipe) == tmp_path / name
    assert (tmp_path / name).read_bytes().startswith(magic)
    assert names(tmp_path) == [name]


def test_every_format_has_a_writer() -> None:
    assert set(save._WRITERS) == set(Format)


@pytest.mark.parametrize(("name", "what"), [("a.jpg", "'.jpg' files"), ("a", "files without a suffix"), ("a.png.bak", "'.bak' files")])
def test_unknown_suffix(tmp_path: Path, name: str, what: str) -> None:
    assert refusal(tmp_path / name) == f"bgdesk does not write {what}. Choose a name that ends in .png or .psd."
    assert names(tmp_path) == []


def test_opacity_alone_is_png(tmp_path: Path) -> None:
    assert refusal(tmp_path / "a.psd", recipe=ExportRecipe(alpha_only=True)).startswith("opacity alone is written as PNG only.")


def test_parts_that_do_not_fit(tmp_path: Path) -> None:
    broken = Cutout(source=CUTOUT.source, alpha=CUTOUT.alpha[1:], foreground=CUTOUT.foreground, trimap=CUTOUT.trimap)
    assert refusal(tmp_path / "a.png", cutout=broken).startswith("the parts of the cut-out differ in size or depth.")


# --- all or nothing --------------------------------------------------------------------------------------------------


class FullDisk:
    """A file whose disk takes `room` bytes more."""

    def __init__(self, stream: Any, room: int) -> None:
        self.stream, self.room = stream, room

    def write(self, data: memoryview) -> int:
        self.room -= len(data)
        if self.room < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return int(self.stream.write(data))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("room", [0, 60, 1500])
@pytest.mark.parametrize("before", [None, b"what was there"])
def test_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, room: int, before: bytes | None) -> None:
    path = tmp_path / name
    if before is not None:
        path.write_bytes(before)
    plain = atomic.CheckedFile.__init__
    monkeypatch.setattr(
        atomic.CheckedFile, "__init__", lambda self, stream, *rest: plain(self, cast(BinaryIO, FullDisk(stream, room)), *rest)
    )
    assert refusal(path) == "the disk is full. Make room or choose another disk, and export again."
    assert names(tmp_path) == ([] if before is None else [name])
    assert before is None or path.read_bytes() == before


def test_a_disk_that_is_really_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel's own ENOSPC rather than ours."""
    with open("/dev/full", "r+b", buffering=0) as full:
        monkeypatch.setattr(atomic, "open", lambda *_: full, raising=False)
        assert refusal(tmp_path / "a.png").startswith("the disk is full.")
    assert names(tmp_path) == []


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("function", ["fsync", "replace"])
def test_failures_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, function: str) -> None:
    (tmp_path / name).write_bytes(b"what was there")

    def fail(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, function, fail)
    assert refusal(tmp_path / name).startswith("the disk or the network failed (Input/output error).")
    assert names(tmp_path) == [name]
    assert (tmp_path / name).read_bytes() == b"what was there"


@pytest.mark.parametrize("name", KINDS)
def test_what_is_spoilt_on_the_disk_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """One wrong byte among the pixels is enough."""
    sync = atomic._sync

    def spoil(handle: int) -> None:
        size = os.fstat(handle).st_size
        os.pwrite(handle, bytes([os.pread(handle, 1, size - 200)[0] ^ 0x10]), size - 200)
        sync(handle)

    monkeypatch.setattr(atomic, "_sync", spoil)
    assert refusal(tmp_path / name).startswith("what was read back is not what was written.")
    assert names(tmp_path) == []


@pytest.mark.parametrize("name", KINDS)
def test_cancelled_at_every_step(tmp_path: Path, name: str) -> None:
    """Wherever it is stopped, the old file is there and nothing else."""
    path = tmp_path / name
    path.write_bytes(b"what was there")
    cutout = pictures.cutout(300, 200)
    steps: list[float] = []
    save.save(cutout, tmp_path / f"whole{path.suffix}", progress=lambda _, fraction: steps.append(fraction))
    (tmp_path / f"whole{path.suffix}").unlink()
    assert steps[0] == 0
    assert steps[-1] == 1
    for stop in range(len(steps) - 1):
        left = iter(range(stop))

        def progress(stage: str, fraction: float, left: Any = left) -> None:
            assert stage == "save"
            assert 0 <= fraction <= 1
            if next(left, None) is None:
                raise Cancelled

        with pytest.raises(Cancelled):
            save.save(cutout, path, progress=progress)
        assert path.read_bytes() == b"what was there"
        assert names(tmp_path) == [name]


def test_a_token_stops_it(tmp_path: Path) -> None:
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        save.save(CUTOUT, tmp_path / "a.png", progress=cancellable(token))
    assert names(tmp_path) == []


def test_patience_ends_when_cancelled() -> None:
    """A library call is waited for, but not after a cancel."""
    release, calls = threading.Event(), iter(range(3))

    def progress(_: str, __: float) -> None:
        if next(calls, None) is None:
            raise Cancelled

    with pytest.raises(Cancelled):
        atomic.patiently(lambda: release.wait(20), progress, "save", 0.5)
    release.set()


def test_patience_passes_on_answers_and_errors() -> None:
    assert atomic.patiently(lambda: 42, lambda *_: None, "save", 0.5) == 42
    for error in (OSError(errno.EIO, "broken"), TimeoutError("the network")):

        def fail(error: Exception = error) -> None:
            raise error

        with pytest.raises(type(error), match=re.escape(str(error))):
            atomic.patiently(fail, lambda *_: None, "save", 0.5)


# --- where to --------------------------------------------------------------------------------------------------------


def test_missing_folder(tmp_path: Path) -> None:
    assert refusal(tmp_path / "no" / "a.png") == "its folder does not exist. Make the folder first, or choose another."
    (tmp_path / "file").write_bytes(b"")
    assert refusal(tmp_path / "file" / "a.png").startswith("its folder does not exist.")


def test_target_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "a.png").mkdir()
    assert refusal(tmp_path / "a.png") == "there is a folder of that name. Choose another name."


def test_impossible_names(tmp_path: Path) -> None:
    assert refusal(tmp_path / f"{'a' * 300}.png").startswith("the name is too long.")
    assert refusal(tmp_path / "a\0b.png").startswith("the name has characters")


def test_long_names_that_fit_are_fine(tmp_path: Path) -> None:
    name = f"{'ä' * 120}.png"  # 244 bytes
    save.save(CUTOUT, tmp_path / name)
    assert names(tmp_path) == [name]


def test_no_permission(tmp_path: Path) -> None:
    """As another user where we are the administrator, who may write everywhere."""
    locked = tmp_path / "locked"
    locked.mkdir()
    locked.chmod(0o555)
    for folder in [tmp_path, *tmp_path.parents[:2]]:
        folder.chmod(0o755)
    code = (
        "import os, sys\n"
        "from bgdesk.files.save import save\n"
        "from bgdesk.files.writers import psd\n"
        "import cv2\n"
        "from tests.files import pictures\n"
        "if os.getuid() == 0: os.setgid(65534); os.setuid(65534)\n"
        "try: save(pictures.cutout(), sys.argv[1])\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code, str(locked / "a.png")], capture_output=True, text=True, check=True, cwd=root)
    assert done.stdout == "SaveError a.png could not be saved: you are not allowed to write there. Choose another folder.\n"


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_permissions_are_those_of_any_new_file(tmp_path: Path, umask: int, mode: int) -> None:
    before = os.umask(umask)
    try:
        save.save(CUTOUT, tmp_path / "a.png")
    finally:
        os.umask(before)
    assert (tmp_path / "a.png").stat().st_mode & 0o777 == mode


# --- sources are never overwritten -----------------------------------------------------------------------------------


def direct(source: Path) -> Path:
    return source


def by_symlink(source: Path) -> Path:
    link = source.with_name("link.png")
    link.symlink_to(source)
    return link


def by_hard_link(source: Path) -> Path:
    link = source.with_name("hard.png")
    link.hardlink_to(source)
    return link


def by_detour(source: Path) -> Path:
    (source.parent / "sub").mkdir()
    return source.parent / "sub" / ".." / source.name


def by_linked_folder(source: Path) -> Path:
    (source.parent / "way").symlink_to(source.parent)
    return source.parent / "way" / source.name


@pytest.mark.parametrize("way", [direct, by_symlink, by_hard_link, by_detour, by_linked_folder])
@pytest.mark.parametrize("by_metadata", [False, True])
def test_sources_are_protected(tmp_path: Path, way: Callable[[Path], Path], by_metadata: bool) -> None:
    source = tmp_path / "photo.png"
    save.save(CUTOUT, source)
    data = source.read_bytes()
    path = way(source)
    listing = names(tmp_path)
    options: dict[str, Any] = {"metadata": load.load(source)} if by_metadata else {"protect": [tmp_path / "other.png", source]}
    assert "it is the photo itself, which bgdesk never overwrites. Choose another name." in refusal_any_name(path, **options)
    assert source.read_bytes() == data
    assert names(tmp_path) == listing


def refusal_any_name(path: Path, **options: Any) -> str:
    """A link is followed first, so the message may name the file behind it."""
    with pytest.raises(SaveError) as caught:
        save.save(CUTOUT, path, **options)
    return str(caught.value)


def test_a_link_to_another_file_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real.png").write_bytes(b"old")
    (tmp_path / "link.png").symlink_to(tmp_path / "real.png")
    assert save.save(CUTOUT, tmp_path / "link.png") == tmp_path / "real.png"
    assert (tmp_path / "link.png").is_symlink()
    found = cv2.imread(str(tmp_path / "real.png"), cv2.IMREAD_UNCHANGED)
    assert found is not None
    assert found.shape == (30, 40, 4)


def test_a_ring_of_links_gives_way(tmp_path: Path) -> None:
    """It leads nowhere, so the file takes the link's place."""
    (tmp_path / "a.png").symlink_to(tmp_path / "b.png")
    (tmp_path / "b.png").symlink_to(tmp_path / "a.png")
    assert save.save(CUTOUT, tmp_path / "a.png") == tmp_path / "a.png"
    assert not (tmp_path / "a.png").is_symlink()


def test_a_source_that_appears_meanwhile(tmp_path: Path) -> None:
    """The photo is renamed to the target's name while the cutout is being written."""
    source, path = tmp_path / "photo.png", tmp_path / "out.png"
    source.write_bytes(b"the photo")

    def progress(_: str, fraction: float) -> None:
        if fraction >= 0.7 and not path.exists():
            path.hardlink_to(source)

    assert refusal(path, protect=[source], progress=progress).startswith("it is the photo itself")
    assert path.read_bytes() == b"the photo"


def test_an_older_cutout_is_replaced(tmp_path: Path) -> None:
    for name in KINDS:
        save.save(CUTOUT, tmp_path / name)
        first = (tmp_path / name).read_bytes()
        save.save(pictures.cutout(50, 20), tmp_path / name)
        assert (tmp_path / name).read_bytes() != first
        save.save(CUTOUT, tmp_path / name)
        assert (tmp_path / name).read_bytes() == first  # the same cutout gives the same bytes
    assert names(tmp_path) == sorted(KINDS)


def test_a_free_name_is_taken_without_replacing(tmp_path: Path) -> None:
    assert save.save(CUTOUT, tmp_path / "out.png", replace=False) == tmp_path / "out.png"
    assert names(tmp_path) == ["out.png"]


def test_a_file_that_is_there_is_kept(tmp_path: Path) -> None:
    (tmp_path / "out.png").write_bytes(b"precious")
    with pytest.raises(SaveError, match=r"^out\.png could not be saved: a file of that name is there\. Choose") as caught:
        save.save(CUTOUT, tmp_path / "out.png", replace=False)
    assert caught.value.cause is Cause.EXISTS
    assert (tmp_path / "out.png").read_bytes() == b"precious"
    assert names(tmp_path) == ["out.png"]


@pytest.mark.parametrize("links", [True, False], ids=["hard links", "no hard links"])
def test_a_file_that_appears_while_another_is_written_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool) -> None:
    if not links:
        monkeypatch.setattr(os, "link", no_links)

    def appear(_stage: str, fraction: float) -> None:
        if fraction > 0.5:
            (tmp_path / "out.png").write_bytes(b"precious")

    with pytest.raises(SaveError) as caught:
        save.save(CUTOUT, tmp_path / "out.png", replace=False, progress=appear)
    assert caught.value.cause is Cause.EXISTS
    assert (tmp_path / "out.png").read_bytes() == b"precious"
    assert names(tmp_path) == ["out.png"]


def test_a_disk_without_hard_links_keeps_nothing_half_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "link", no_links)
    save.save(CUTOUT, tmp_path / "out.png", replace=False)
    assert names(tmp_path) == ["out.png"]
    assert (tmp_path / "out.png").read_bytes().startswith(b"\x89PNG")

    def broken(*_: object) -> None:
        raise OSError(errno.EIO, "broken")

    monkeypatch.setattr(os, "replace", broken)
    with pytest.raises(SaveError):
        save.save(CUTOUT, tmp_path / "second.png", replace=False)
    assert names(tmp_path) == ["out.png"]


def no_links(*_: object) -> None:
    raise OSError(errno.EPERM, "Operation not permitted")


def test_memory_runs_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(np, "subtract", fail)
    assert refusal(tmp_path / "a.png").startswith("this computer's memory is full.")
    assert names(tmp_path) == []
