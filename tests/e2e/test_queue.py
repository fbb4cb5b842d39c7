"""The folder queue in the real window: over the real journal, with workers that take no time."""

import csv
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import Qt, QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton

from bgdesk.app.work.events import Offer
from bgdesk.batch.model.values import Decision
from bgdesk.batch.run.queue import Phase
from bgdesk.ui.editor import commands
from tests.e2e.queues import CTRL, Queue, set_up
from tests.ui.fakes import Brake


def test_drop_run_pause_quit_start_resume_review_report(
    start: Callable[..., Queue], folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    out, brake = tmp_path / "out", Brake(3)
    first = start(brake)
    set_up(first, folder, out)

    # Run: three are done, and two wait in the workers' hands.
    first.desk.until(lambda: first.room.summary.finished == 3)
    first.desk.until(lambda: first.control("queue.done").text() == "3 of 8 photos")
    first.click("queue.go")
    first.desk.until(lambda: first.room.phase is Phase.PAUSED)
    first.desk.until(lambda: first.control("queue.go").text() == "Resume")

    # Quit. A paused queue needs no word.
    assert first.desk.window.close()
    assert first.desk.ask.asked == ["Where the cutouts go"]
    assert not first.window.isVisible()
    first.room.join()
    assert not list(out.glob(".*"))  # nothing half-written

    # Start: the queue that was left is offered.
    brake.set(None)
    again = start(brake, first.desk.remembered[-1])
    again.desk.window.commands.offer_unfinished()
    again.desk.until(lambda: again.desk.window.messages.message is not None)
    message = again.desk.window.messages.message
    assert message.text == "A queue of 8 photos is not finished: 3 are done."
    assert message.offers == (Offer.RESUME_QUEUE, Offer.LATER)
    again.desk.control("message.resume_queue").click()
    again.desk.until(again.finished)
    assert again.desk.window.messages.message is None
    assert sorted(brake.done) == sorted(before)  # each once, and none twice
    assert again.counts() == {"done": 4, "review": 3, "failed": 1}
    assert sorted(path.name for path in out.glob("*.png")) == ["1.png", "3.png", "6.png", "8.png"]

    # Review by keys: accept, reject, take back, accept, accept.
    again.desk.until(lambda: again.control("queue.review").isVisible())
    again.click("queue.review")
    review = again.window.review
    again.desk.until(lambda: review.canvas.picture is not None)
    assert again.control("review.name").text() == "2-doubt.png"
    for key in (Qt.Key.Key_A, Qt.Key.Key_R, Qt.Key.Key_U, Qt.Key.Key_A, Qt.Key.Key_R):
        again.key(key)
    again.window.show_progress()
    again.desk.until(lambda: again.counts() == {"done": 6, "rejected": 1, "failed": 1})
    assert Counter(again.room.summary.decisions) == Counter({Decision.ACCEPTED: 2, Decision.REJECTED: 1})
    assert sorted(path.name for path in out.glob("*.png")) == ["1.png", "2-doubt.png", "3.png", "4-doubt.png", "6.png", "8.png"]
    assert not (out / "review").exists()

    # Report.
    opened: list[str] = []

    def open_url(url: QUrl) -> bool:
        opened.append(url.toLocalFile())
        return True

    monkeypatch.setattr(QDesktopServices, "openUrl", open_url)
    again.click("queue.report")
    again.desk.until(lambda: len(opened) == 1)
    assert "2-doubt.png" in Path(opened[0]).read_text("utf-8")
    with Path(opened[0]).with_name("report.csv").open(encoding="utf-8-sig", newline="") as stream:
        assert len(list(csv.reader(stream))) == 9
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: False)
    again.click("queue.report")
    again.desk.until(lambda: again.window.messages.message is not None)
    assert str(again.queue.folder / "report.html") in again.message  # where it is, if nothing shows it
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_fix_in_the_editor_replaces_the_queued_one(start: Callable[..., Queue], folder: Path, tmp_path: Path) -> None:
    queue = start()
    set_up(queue, folder, tmp_path / "out")
    queue.desk.until(queue.finished)
    queue.window.show_review()
    queue.desk.until(lambda: queue.window.review.canvas.picture is not None)
    assert not queue.desk.window.actions_["action.put_back"].isEnabled()
    queue.key(Qt.Key.Key_F)
    queue.desk.until(lambda: queue.desk.session.work is not None and queue.desk.work.has_alpha)
    assert queue.desk.work.path == folder / "2-doubt.png"
    assert queue.desk.control("fix.text").text().startswith("2-doubt.png is in review")
    queue.desk.settle()
    queue.desk.stroke((5, 5), (5, 6))  # foreground in a corner
    queue.desk.settle()
    assert queue.desk.control("fix.put_back").isEnabled()
    queue.desk.key(Qt.Key.Key_Return, CTRL)
    queue.desk.until(lambda: queue.counts().get("review") == 2)
    assert queue.desk.control("fix.bar").isHidden()
    fixed = np.asarray(Image.open(tmp_path / "out" / "2-doubt.png"))
    assert fixed[5, 5, 3] == 255  # what was painted
    assert fixed[48, 48, 3] == 255  # where the worker's had a hole
    assert fixed[48, 2, 3] == 0
    assert not list((tmp_path / "out").glob(".*"))
    assert [path.name for path in (tmp_path / "out" / "review").iterdir()] == ["4-doubt.png", "7-doubt.png"]
    # The review goes on with the next one; the photo leaves the film strip, and nothing asks to be exported.
    queue.desk.until(lambda: queue.control("review.name").text() == "4-doubt.png")
    queue.desk.until(lambda: not queue.desk.session.photos)
    assert Counter(queue.room.summary.decisions) == Counter({Decision.FIXED: 1})
    item = queue.room.item(2)
    assert item is not None
    assert item.reason == "Fixed by hand."
    with Image.open(queue.queue.folder / "thumbs" / f"{item.id}.jpg") as thumbnail:  # of what it is now
        assert thumbnail.size == (96, 96)
    assert queue.desk.window.close()
    assert not [asked for asked in queue.desk.ask.asked if asked.startswith("closing")]


def test_a_fix_that_is_left_stays_in_review(start: Callable[..., Queue], folder: Path, tmp_path: Path) -> None:
    queue = start()
    set_up(queue, folder, tmp_path / "out")
    queue.desk.until(queue.finished)
    queue.window.show_review()
    queue.key(Qt.Key.Key_F)
    queue.desk.until(lambda: queue.desk.session.work is not None and queue.desk.work.has_alpha)
    queue.desk.control("fix.leave").click()
    assert queue.desk.control("fix.bar").isHidden()
    assert queue.counts()["review"] == 3
    assert queue.control("review.name").text() == "2-doubt.png"


def test_strokes_hold_the_workers(start: Callable[..., Queue], folder: Path, tmp_path: Path, photo: Path) -> None:
    brake = Brake(1)
    queue = start(brake)
    set_up(queue, folder, tmp_path / "out")
    queue.desk.until(lambda: queue.room.summary.finished == 1)
    queue.desk.open(photo)
    queue.desk.until(lambda: brake.pauses[-1:] == [False])  # the photo is cut out, and the queue goes on
    brake.pauses.clear()
    queue.desk.press(30, 30)
    queue.desk.move(40, 30)
    queue.desk.until(lambda: brake.pauses == [True])
    queue.desk.release(50, 30)
    queue.desk.settle()
    queue.desk.until(lambda: brake.pauses == [True, False])


def test_quitting_says_once_that_a_running_queue_goes_on(start: Callable[..., Queue], folder: Path, tmp_path: Path) -> None:
    brake = Brake(2)
    queue = start(brake)
    set_up(queue, folder, tmp_path / "out")
    queue.desk.until(lambda: queue.room.summary.finished == 2)
    queue.window.close()  # the queue's window alone: it goes on
    assert not queue.window.isVisible()
    assert queue.room.phase is Phase.RUNNING
    assert queue.desk.window.messages.message.text == "The queue continues. Ctrl+B shows it."
    queue.desk.ask.leave = False
    assert not queue.desk.window.close()
    assert queue.desk.ask.asked[-1] == "leave shoes, 6 left"
    queue.desk.ask.leave = True
    assert queue.desk.window.close()
    queue.room.join()
    settings = queue.desk.remembered[-1]
    assert settings.queue_told
    # The next time it is known.
    again = start(brake, settings)
    again.call()
    again.desk.until(lambda: again.window.isVisible() and again.shows(again.window.list))
    id = next(iter(again.window.list.findChildren(QAbstractButton))).objectName()
    assert id == "queues.new"
    resume = next(b for b in again.window.list.findChildren(QAbstractButton) if b.objectName().endswith(".resume"))
    resume.click()
    again.desk.until(lambda: again.room.phase is Phase.RUNNING)
    assert again.desk.window.close()
    assert again.desk.ask.asked == []


def test_what_happens_while_the_queues_window_is_closed_is_said_in_the_main_window(
    start: Callable[..., Queue], folder: Path, tmp_path: Path
) -> None:
    brake = Brake(2)
    queue = start(brake)
    set_up(queue, folder, tmp_path / "out")
    queue.desk.until(lambda: queue.room.summary.finished == 2)
    queue.window.close()
    brake.set(None)
    messages = queue.desk.window.messages
    queue.desk.until(lambda: messages.message.text.startswith("The queue shoes is finished"))
    assert messages.message.text == "The queue shoes is finished: 8 of 8 photos, 3 need review, 1 failed. Ctrl+B shows it."


def test_the_list_shows_forgets_and_makes_queues(start: Callable[..., Queue], folder: Path, tmp_path: Path) -> None:
    queue = start()
    set_up(queue, folder, tmp_path / "out")
    queue.desk.until(queue.finished)
    made = queue.room.queue
    assert made is not None
    queue.click("queue_window.queues")
    queue.desk.until(lambda: queue.shows(queue.window.list))
    assert queue.control(f"queues.{made.id}.state").text() == "8 of 8 photos · 3 need review · 1 failed · open here"
    queue.room.leave()
    queue.desk.until(lambda: queue.room.queue is None)
    queue.window.show_list()
    queue.desk.until(lambda: queue.sees(f"queues.{made.id}.forget"))
    queue.click(f"queues.{made.id}.review")
    queue.desk.until(lambda: queue.shows(queue.window.review) and queue.window.review.canvas.picture is not None)
    queue.room.leave()
    queue.window.show_list()
    queue.desk.until(lambda: queue.sees(f"queues.{made.id}.forget"))
    queue.click(f"queues.{made.id}.forget")
    assert queue.desk.ask.asked[-1] == "forget shoes"
    queue.desk.until(lambda: not made.folder.exists())
    assert (tmp_path / "out" / "1.png").exists()
    queue.desk.until(lambda: not queue.sees(f"queues.{made.id}.forget"))
    queue.click("queues.new")
    assert queue.shows(queue.window.setup)
    assert queue.window.setup.sources.paths == ()


def test_rows_are_retried_moved_removed_and_opened(start: Callable[..., Queue], folder: Path, tmp_path: Path) -> None:
    brake = Brake(0)
    queue = start(brake)
    set_up(queue, folder, tmp_path / "out")
    table, model = queue.window.progress.table, queue.window.progress.model
    queue.desk.until(lambda: queue.counts().get("running") == 2)
    last = max(queue.room.items)
    table.select(last)
    queue.click("queue.top")
    queue.desk.until(lambda: model.row_of(last) == 2)  # after the two that are in hand
    assert table.selected == [last]
    QTest.keyClick(table, Qt.Key.Key_Delete)
    queue.desk.until(lambda: queue.room.summary.total == 7)
    brake.set(None)
    queue.desk.until(queue.finished)
    queue.control("queue.chip.failed").click()
    assert [model.item_at(row).name for row in range(model.rowCount())] == ["5-bad.png"]
    queue.click("queue.retry")
    queue.desk.until(lambda: brake.done.count("5-bad.png") == 2)
    queue.desk.until(queue.finished)
    queue.control("queue.chip.all").click()
    queue.control("queue.filter").setText("3.")
    assert [model.item_at(row).name for row in range(model.rowCount())] == ["3.png"]
    table.selectRow(0)
    QTest.keyClick(table, Qt.Key.Key_Return)
    queue.desk.until(lambda: queue.desk.session.work is not None and queue.desk.work.path == folder / "3.png")
    assert not (tmp_path / "out" / "8.png").exists()


def test_the_dry_run_and_the_collision_check(start: Callable[..., Queue], folder: Path, tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(folder / "1.jpg")
    queue = start()
    queue.call()
    assert not queue.control("setup.start").isEnabled()
    queue.drop(folder)
    said = queue.control("setup.said")
    queue.desk.until(lambda: "1.png is saved as 1-2.png, because 1.png is taken by 1.jpg" in said.text())
    assert queue.control("setup.example").text() == "1.jpg becomes 1.png"
    queue.control("setup.pattern").setText("{nam}")
    assert "unknown {nam}" in queue.control("setup.example").text()
    assert not queue.control("setup.start").isEnabled()
    queue.control("setup.pattern").setText("web/{number:03}")
    assert queue.control("setup.example").text() == "1.jpg becomes web/001.png"
    queue.click("setup.check")
    queue.desk.until(lambda: "9 photos would be cut out" in said.text())
    assert "free" in said.text()
    assert not folder.with_name("shoes cutouts").exists()  # nothing was written
    queue.control("setup.include").setText("none")
    queue.desk.until(lambda: "0 photos to do" in said.text())
    queue.click("setup.start")
    queue.desk.until(lambda: "There is nothing to do." in said.text())
    assert queue.room.queue is None


def test_a_folder_that_is_typed_and_not_there_yet(start: Callable[..., Queue], folder: Path) -> None:
    queue = start()
    queue.call()
    queue.drop(folder)
    field = queue.control("setup.output")
    QTest.keyClicks(field, "for the shop")
    queue.desk.until(lambda: queue.control("setup.count").text() == "8 photos")
    queue.click("setup.start")
    queue.desk.until(queue.finished)
    assert (folder.with_name("for the shop") / "1.png").is_file()


def test_done_photos_are_skipped_the_next_time_and_choices_remembered(start: Callable[..., Queue], folder: Path, tmp_path: Path) -> None:
    queue = start()
    queue.call()
    queue.control("setup.gate").setValue(0)
    assert "There is no review" in queue.control("setup.gate_note").text()
    assert not queue.control("setup.fallback").isEnabled()
    set_up(queue, folder, tmp_path / "out")
    queue.desk.until(queue.finished)
    assert queue.counts() == {"done": 7, "failed": 1}
    queue.window.show_setup()
    assert queue.window.setup.choices.gate is None
    queue.drop(folder)
    queue.click("setup.choose_output")
    queue.desk.until(lambda: queue.control("setup.said").text() == "1 photo to do, 7 up to date.")


def test_a_folder_of_many_photos_is_offered_to_the_queue(desk: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "MANY", 5)
    queue = Queue(desk)
    desk.drop(folder)
    desk.until(lambda: len(desk.session.photos) == 8)  # they are opened all the same
    desk.until(lambda: desk.window.messages.message is not None)
    assert "shoes holds many photos" in desk.window.messages.message.text
    desk.control("message.make_queue").click()
    desk.until(queue.window.isVisible)
    assert queue.window.setup.sources.paths == (folder,)


def test_a_second_queue_waits_until_the_first_is_done(start: Callable[..., Queue], folder: Path, tmp_path: Path) -> None:
    queue = start(Brake(1))
    set_up(queue, folder, tmp_path / "out")
    first = queue.room.queue
    queue.window.show_setup()
    queue.drop(folder)
    queue.click("setup.start")
    queue.desk.until(lambda: queue.window.messages.message is not None)
    assert "shoes is running. Pause or stop it first" in queue.message
    assert queue.room.queue is first
    queue.window.show_progress()
    queue.click("queue.stop")
    queue.desk.until(lambda: queue.room.phase is Phase.STOPPING)
    queue.desk.until(lambda: not queue.control("queue.stop").isEnabled())
