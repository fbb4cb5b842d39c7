"""The watched folder: what is taken and when, what is set aside, and that nothing which happens to it ends the watching."""

import errno
import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from bgdesk.batch.model.values import BatchRecipe, Existing, Item, Planned, State
from bgdesk.batch.planning.scan import Filters
from bgdesk.batch.run import watch
from bgdesk.batch.run.watch import Watcher
from bgdesk.core.errors import BgdeskError, UsageError
from bgdesk.core.tasks import Cancelled, CancelToken, cancellable


@dataclass(frozen=True)
class ItemsChanged:
    """As batch.run.queue tells it."""

    ids: tuple[int, ...]


@dataclass(frozen=True)
class Progressed:
    id: int


@dataclass
class Queue:
    """batch.queue.Queue without workers: what is in it stays as the test sets it."""

    output: Path
    recipe: BatchRecipe = field(default_factory=BatchRecipe)
    existing: Existing = Existing.SKIP
    kept: list[Item] = field(default_factory=list)
    listeners: list[Callable[[Any], None]] = field(default_factory=list)

    def items(self) -> list[Item]:
        return list(self.kept)

    def item(self, id: int) -> Item | None:
        return next((item for item in self.kept if item.id == id), None)

    def add(self, planned: Sequence[Planned]) -> None:
        for each in planned:
            id = len(self.kept) + 1
            self.kept.append(
                Item(
                    id=id, position=float(id), source=each.source, size=each.size, mtime=each.mtime, outputs=each.outputs, state=each.state
                )
            )

    def subscribe(self, listener: Callable[[Any], None]) -> Callable[[], None]:
        self.listeners.append(listener)
        return lambda: self.listeners.remove(listener)

    def becomes(self, id: int, state: State, error: str = "") -> None:
        self.kept[id - 1] = replace(self.kept[id - 1], state=state, error=error)
        for listener in self.listeners:
            listener(ItemsChanged((id,)))
            listener(Progressed(id))


class Scene:
    """A watched folder, a queue, and a clock that goes on when told to."""

    def __init__(self, folder: Path, output: Path) -> None:
        self.folder, self.queue, self.now = folder, Queue(output), 100.0
        self.said: list[tuple[str, bool]] = []
        self.watcher = self.start()

    def start(self, **more: Any) -> Watcher:
        self.watcher = Watcher(self.folder, self.queue, lambda text, error: self.said.append((text, error)), clock=lambda: self.now, **more)
        return self.watcher

    def put(self, name: str, content: bytes = b"photo") -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def look(self, times: int = 1, seconds: float = 2.0) -> list[str]:
        """Look so often; the names that were taken."""
        taken: list[str] = []
        for _ in range(times):
            taken += [path.relative_to(self.folder).as_posix() for path in self.watcher.look()]
            self.now += seconds
        return taken


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    (tmp_path / "in").mkdir()
    return Scene(tmp_path / "in", tmp_path / "out")


def test_photo_is_taken_once_it_is_at_rest(scene: Scene) -> None:
    photo = scene.put("a.jpg")
    assert scene.look(2) == []
    assert scene.look() == ["a.jpg"]
    (item,) = scene.queue.kept
    assert (item.source, item.size, item.outputs) == (photo, 5, (scene.queue.output / "a.png",))
    assert scene.look(5) == []


def test_growing_file_is_waited_for(scene: Scene) -> None:
    for length in range(1, 6):
        scene.put("a.jpg", b"x" * length)
        assert scene.look() == []
    assert scene.look(1) == []
    assert scene.look(1) == ["a.jpg"]
    assert scene.queue.kept[0].size == 5


def test_quick_looks_do_not_shorten_the_rest(scene: Scene) -> None:
    scene.put("a.jpg")
    assert scene.look(19, seconds=0.1) == []
    assert scene.look(3, seconds=0.1) == ["a.jpg"]


def test_file_written_anew_with_its_old_size_is_waited_for(scene: Scene) -> None:
    photo = scene.put("a.jpg")
    scene.look(2)
    os.utime(photo, ns=(1, 1))
    assert scene.look(2) == []
    assert scene.look() == ["a.jpg"]


def test_unfinished_and_hidden_files_are_left_alone(scene: Scene) -> None:
    for name in ("a.jpg.part", "b.jpg.crdownload", "c.tmp", ".d.jpg", "notes.txt", "firefox.jpg", "firefox.jpg.part"):
        scene.put(name)
    assert scene.look(5) == []
    (scene.folder / "firefox.jpg.part").replace(scene.folder / "firefox.jpg")
    assert scene.look(4) == ["firefox.jpg"]


def test_empty_file_gets_longer(scene: Scene) -> None:
    scene.put("a.jpg", b"")
    assert scene.look(30) == []
    assert scene.look(1) == ["a.jpg"]


def test_file_that_cannot_be_opened_yet_is_tried_again(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    scene.put("a.jpg")
    opened = Path.open

    def locked(path: Path, *rest: Any) -> Any:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "open", locked)
    assert scene.look(6) == []
    assert scene.said == [(f"{scene.folder / 'a.jpg'} cannot be opened yet: Permission denied. bgdesk goes on trying.", True)]
    monkeypatch.setattr(Path, "open", opened)
    assert scene.look() == ["a.jpg"]


def test_restart_takes_nothing_twice_and_what_changed_again(scene: Scene) -> None:
    photo = scene.put("a.jpg")
    scene.put("b.jpg")
    assert scene.look(3) == ["a.jpg", "b.jpg"]
    scene.start()
    assert scene.look(5) == []
    photo.write_bytes(b"another photo")
    assert scene.look(4) == ["a.jpg"]
    assert [item.source.name for item in scene.queue.kept] == ["a.jpg", "b.jpg", "a.jpg"]
    # It is the same photo's cutout: the queue will put the new one in its place.
    assert scene.queue.kept[2].outputs == scene.queue.kept[0].outputs


def test_photos_of_one_name_at_different_times_do_not_share_a_cutout(scene: Scene) -> None:
    scene.start(recursive=True)
    scene.put("x/a.jpg")
    assert scene.look(3) == ["x/a.jpg"]
    scene.put("y/a.png")
    assert scene.look(3) == ["y/a.png"]
    assert [item.outputs[0].name for item in scene.queue.kept] == ["a.png", "a-2.png"]


def test_pattern_numbers_go_on_and_filters_hold(scene: Scene) -> None:
    scene.start(pattern="{number:03}", filters=Filters(exclude=("*.png",)))
    scene.put("a.jpg")
    scene.look(3)
    scene.put("b.jpg")
    scene.put("c.png")
    assert scene.look(3) == ["b.jpg"]
    assert [item.outputs[0].name for item in scene.queue.kept] == ["001.png", "002.png"]


def test_output_inside_the_watched_folder_does_not_feed_itself(tmp_path: Path) -> None:
    scene = Scene(tmp_path, tmp_path / "out")
    scene.start(recursive=True)
    scene.put("a.jpg")
    scene.put("out/old.png")
    scene.put("out/review/b.png")
    assert scene.look(4) == ["a.jpg"]


def test_watched_folder_that_is_the_output_folder_does_not_feed_itself(tmp_path: Path) -> None:
    scene = Scene(tmp_path, tmp_path)
    scene.start(recursive=True)
    scene.put("a.jpg")
    assert scene.look(3) == ["a.jpg"]
    (output,) = scene.queue.kept[0].outputs
    assert output == tmp_path / "a_cutout.png"
    output.write_bytes(b"cutout")
    scene.put("review/a_cutout.png")
    assert scene.look(5) == []
    # As the queue found the name taken at the last moment.
    scene.queue.kept[0] = replace(scene.queue.kept[0], outputs=(tmp_path / "a_cutout-2.png",))
    scene.queue.becomes(1, State.DONE)
    (tmp_path / "a_cutout-2.png").write_bytes(b"cutout")
    assert scene.look(5) == []


def test_failed_photo_is_copied_aside_with_the_reason(scene: Scene) -> None:
    photo = scene.put("a.jpg", b"broken")
    scene.look(3)
    scene.queue.becomes(1, State.FAILED, "a.jpg could not be read: it is damaged.")
    scene.look()
    failed = scene.queue.output / "failed"
    assert {path.name: path.read_bytes() for path in failed.iterdir()} == {
        "a.jpg": b"broken",
        "a.jpg.txt": f"{photo}\na.jpg could not be read: it is damaged.\n".encode(),
    }
    assert photo.read_bytes() == b"broken"
    # Neither another look nor another start makes another copy.
    scene.queue.becomes(1, State.FAILED, "a.jpg could not be read: it is damaged.")
    scene.look()
    scene.start()
    scene.look()
    assert len(list(failed.iterdir())) == 2
    # Another photo of the same name does.
    photo.write_bytes(b"broken otherwise")
    scene.look(3)
    scene.queue.becomes(2, State.FAILED, "a.jpg could not be read: it is cut short.")
    scene.look()
    assert sorted(path.name for path in failed.iterdir()) == ["a-2.jpg", "a-2.jpg.txt", "a.jpg", "a.jpg.txt"]


def test_failed_while_nobody_watched_is_set_aside_at_the_next_start(scene: Scene) -> None:
    scene.put("a.jpg")
    scene.look(3)
    scene.watcher.close()
    scene.queue.becomes(1, State.FAILED, "It brought the worker down twice.")
    scene.start()
    scene.look()
    assert (scene.queue.output / "failed" / "a.jpg").read_bytes() == b"photo"


def test_a_better_photo_under_the_name_of_one_that_failed_is_not_set_aside(scene: Scene) -> None:
    photo = scene.put("a.jpg", b"half")
    scene.look(3)
    scene.queue.becomes(1, State.FAILED, "the file ends early")
    scene.look()
    aside = scene.queue.output / "failed"
    assert sorted(path.name for path in aside.iterdir()) == ["a.jpg", "a.jpg.txt"]
    scene.put("a.jpg", b"all of it")
    scene.watcher.close()
    scene.start()
    assert scene.look(3) == ["a.jpg"]
    assert sorted(path.name for path in aside.iterdir()) == ["a.jpg", "a.jpg.txt"]
    assert (aside / "a.jpg").read_bytes() == b"half"
    assert photo.read_bytes() == b"all of it"


def test_failed_because_it_vanished_leaves_the_reason_alone(scene: Scene) -> None:
    photo = scene.put("a.jpg")
    scene.look(3)
    photo.unlink()
    scene.queue.becomes(1, State.FAILED, "a.jpg is gone.")
    scene.look(2)
    assert [path.name for path in (scene.queue.output / "failed").iterdir()] == ["a.jpg.txt"]


def test_copy_that_cannot_be_made_is_said(scene: Scene) -> None:
    photo = scene.put("a.jpg")
    scene.look(3)
    scene.queue.output.mkdir()
    (scene.queue.output / "failed").write_bytes(b"")
    scene.queue.becomes(1, State.FAILED, "a.jpg is damaged.")
    scene.look()
    ((text, error),) = scene.said
    assert text.startswith(f"a.jpg failed, and could not be copied to {scene.queue.output / 'failed'}: ")
    assert text.endswith(f"It is still at {photo}.")
    assert error


def test_half_a_copy_never_stays(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    scene.put("a.jpg")
    scene.look(3)

    def full(source: Path, target: Path) -> None:
        target.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("shutil.copy2", full)
    scene.queue.becomes(1, State.FAILED, "a.jpg is damaged.")
    scene.look()
    assert list((scene.queue.output / "failed").iterdir()) == []
    assert "No space left on device" in scene.said[0][0]


def test_photo_that_cannot_be_planned_is_set_aside(scene: Scene) -> None:
    scene.put("é" * 125 + ".jpg")
    scene.put("b.jpg")
    assert scene.look(3) == ["b.jpg"]
    assert {path.name for path in (scene.queue.output / "failed").iterdir()} == {"é" * 125 + ".jpg", "é" * 125 + ".txt"}
    assert [error for _, error in scene.said] == [True]
    assert scene.look(4) == []


def test_folder_that_vanishes_is_waited_for(scene: Scene) -> None:
    scene.put("a.jpg")
    scene.look(3)
    scene.folder.rename(scene.folder.with_name("unplugged"))
    assert scene.look(3) == []
    scene.folder.with_name("unplugged").rename(scene.folder)
    scene.put("b.jpg")
    assert scene.look(3) == ["b.jpg"]
    assert scene.said == [
        (f"{scene.folder} cannot be opened: No such file or directory. bgdesk waits until it is there.", True),
        (f"{scene.folder} is back.", False),
    ]


def test_folder_that_is_not_there_yet_is_waited_for(tmp_path: Path) -> None:
    scene = Scene(tmp_path / "later", tmp_path / "out")
    assert scene.look(2) == []
    scene.put("a.jpg")
    assert scene.look(3) == ["a.jpg"]
    assert [error for _, error in scene.said] == [True, False]


def test_queue_that_takes_nothing_is_asked_again(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    scene.put("a.jpg")
    add = scene.queue.add

    def full(planned: Sequence[Planned]) -> None:
        raise BgdeskError("The journal could not be written: the disk is full.")

    monkeypatch.setattr(scene.queue, "add", full)
    assert scene.look(5) == []
    assert scene.said == [("The journal could not be written: the disk is full.", True)]
    monkeypatch.setattr(scene.queue, "add", add)
    assert scene.look() == ["a.jpg"]


def test_senseless_wishes_are_refused_at_once(scene: Scene, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="unknown"):
        scene.start(pattern="{nmae}")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UsageError, match=r"file is a file\. Choose a folder to watch"):
        Watcher(tmp_path / "file", scene.queue, lambda text, error: None)


def test_look_can_be_cancelled(scene: Scene) -> None:
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        scene.start(progress=cancellable(token)).look()


def test_watching_goes_on_until_it_is_stopped(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "QUIET", 0.02)
    scene.watcher = Watcher(scene.folder, scene.queue, lambda text, error: scene.said.append((text, error)))
    stop = threading.Event()
    thread = threading.Thread(target=scene.watcher.run, args=(stop, 0.01))
    listening = len(scene.queue.listeners)
    thread.start()
    try:
        for name in ("a.jpg", "b.jpg"):
            scene.put(name)
            deadline = time.monotonic() + 30
            while name not in [item.source.name for item in scene.queue.items()]:
                assert time.monotonic() < deadline
                stop.wait(0.005)
    finally:
        stop.set()
        thread.join(30)
    assert not thread.is_alive()
    assert len(scene.queue.listeners) == listening - 1
    assert scene.said == []
