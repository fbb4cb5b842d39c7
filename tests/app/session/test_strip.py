"""Many photos: switching, memory, cutting out ahead of time."""

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bgdesk.app.editing.parking import Parked, shrink
from bgdesk.app.session.photos import PhotoState
from bgdesk.app.work.events import PhotosChanged, PhotoShown
from bgdesk.app.work.jobs import Lane, Priority
from bgdesk.core.errors import MattingError
from bgdesk.core.recipe import ExportRecipe
from bgdesk.core.tasks import Progress
from bgdesk.core.trimap import Label

STROKE = (50, 20)


def open_many(desk: Any, count: int = 3) -> None:
    desk.open(*[desk.photo(f"{index}.jpg", seed=index) for index in range(count)])


def select(desk: Any, index: int, wait: bool = True) -> None:
    desk.session.select(desk.session.photos[index].key)
    if wait:
        desk.settle()


def states(desk: Any) -> list[PhotoState]:
    return [photo.state for photo in desk.session.photos]


# --- switching -------------------------------------------------------------------------------------------------------


def test_a_photo_is_read_and_cut_out_when_it_is_selected(desk: Any) -> None:
    open_many(desk)
    assert states(desk) == [PhotoState.READY, PhotoState.WAITING, PhotoState.WAITING]
    assert len(desk.files.loads) == 1
    assert all(photo.thumbnail is not None for photo in desk.session.photos)
    first = desk.session.work
    desk.files.gate = threading.Event()
    select(desk, 1, wait=False)
    desk.pump.until(lambda: len(desk.files.loads) == 2)
    assert desk.session.work is first  # until the other one is there
    assert states(desk)[1] is PhotoState.LOADING
    desk.files.gate.set()
    desk.settle()
    assert desk.session.current.name == "1.jpg"
    assert states(desk)[1] is PhotoState.READY
    select(desk, 0)
    assert desk.session.work is first
    assert len(desk.files.loads) == 2
    assert desk.engine.count("auto") == 2


def test_changing_ones_mind_while_a_photo_is_read(desk: Any) -> None:
    open_many(desk)
    desk.files.gate = threading.Event()
    select(desk, 1, wait=False)
    desk.pump.until(lambda: len(desk.files.loads) == 2)
    select(desk, 2, wait=False)
    desk.files.gate.set()
    desk.settle()
    assert desk.session.current.name == "2.jpg"
    assert states(desk) == [PhotoState.READY, PhotoState.WAITING, PhotoState.READY]
    assert desk.session._strip.entries[1].editor is None
    assert desk.heard(PhotoShown) == [PhotoShown()] * 2


def test_going_back_while_another_photo_is_read(desk: Any) -> None:
    open_many(desk)
    desk.files.gate = threading.Event()
    select(desk, 1, wait=False)
    desk.pump.until(lambda: len(desk.files.loads) == 2)
    select(desk, 0, wait=False)
    desk.files.gate.set()
    desk.settle()
    assert desk.session.current.name == "0.jpg"
    assert states(desk)[1] is PhotoState.WAITING


def test_there_and_back_while_the_first_photo_is_still_read(desk: Any) -> None:
    open_many(desk)
    desk.files.gate = threading.Event()
    select(desk, 1, wait=False)
    desk.pump.until(lambda: len(desk.files.loads) == 2)
    select(desk, 2, wait=False)
    select(desk, 1, wait=False)  # the first reading of it is only stopping
    desk.files.gate.set()
    desk.settle()
    assert desk.session.current.name == "1.jpg"
    assert states(desk) == [PhotoState.READY, PhotoState.READY, PhotoState.WAITING]


def test_cancelling_a_load_keeps_what_is_shown(desk: Any) -> None:
    open_many(desk)
    desk.files.gate = threading.Event()
    select(desk, 1, wait=False)
    desk.pump.until(lambda: desk.session.busy is not None and desk.session.busy.stage == "load")
    desk.session.cancel()
    desk.files.gate.set()
    desk.settle()
    assert desk.session.current.name == "0.jpg"
    assert states(desk)[1] is PhotoState.WAITING
    select(desk, 1)
    assert desk.session.current.name == "1.jpg"


def test_an_answer_goes_to_its_own_photo(desk: Any) -> None:
    open_many(desk)
    first = desk.session.work
    untouched = first.solved.copy()
    desk.engine.hold("rematte")
    desk.stroke(STROKE)
    desk.pump.until(lambda: desk.engine.entered("rematte") == 1)
    select(desk, 1, wait=False)
    desk.pump.until(lambda: desk.session.work is not first)
    desk.events.clear()
    desk.engine.release("rematte")
    desk.settle()
    assert first.solved[20, 50] == 1
    assert (first.solved != untouched).any()
    assert desk.session.work.solved[20, 50] == 0
    assert all(event.rect == desk.session.work.rect for event in desk.events if hasattr(event, "rect"))
    select(desk, 0)
    assert desk.session.can_undo


def test_switching_ends_the_stroke_under_way(desk: Any) -> None:
    open_many(desk)
    first = desk.session.work
    desk.session.stroke_begin(Label.FOREGROUND, 10, STROKE)
    select(desk, 1)
    assert not desk.session.painting
    assert first.solved[20, 50] == 1


def test_undo_is_each_photos_own(desk: Any) -> None:
    open_many(desk)
    desk.stroke(STROKE)
    desk.settle()
    select(desk, 1)
    assert not desk.session.can_undo
    desk.session.undo()
    select(desk, 0)
    assert desk.session.can_undo
    assert desk.session.work.solved[20, 50] == 1


# --- removing --------------------------------------------------------------------------------------------------------


def test_removing_the_current_photo_shows_its_neighbour(desk: Any) -> None:
    open_many(desk)
    select(desk, 1)
    desk.session.remove(desk.session.photos[1].key)
    desk.settle()
    assert [photo.name for photo in desk.session.photos] == ["0.jpg", "2.jpg"]
    assert desk.session.current.name == "2.jpg"
    desk.session.remove(desk.session.photos[1].key)
    desk.settle()
    assert desk.session.current.name == "0.jpg"
    desk.session.remove(desk.session.photos[0].key)
    desk.session.remove(12345)
    desk.settle()
    assert desk.session.current is None
    assert desk.session.work is None
    assert desk.session.photos == ()


def test_removing_a_photo_while_it_is_cut_out(desk: Any) -> None:
    desk.engine.hold("auto")
    desk.session.open([desk.photo()])
    desk.pump.until(lambda: desk.engine.entered("auto"))
    desk.session.remove(desk.session.photos[0].key)
    desk.settle()
    assert desk.session.work is None
    assert desk.session.busy is None
    assert desk.texts == []


def test_cancelling_and_removing_says_nothing_about_a_photo_that_is_gone(desk: Any) -> None:
    desk.engine.hold("auto")
    desk.session.open([desk.photo()])
    desk.pump.until(lambda: desk.engine.entered("auto"))
    desk.session.cancel()
    desk.session.remove(desk.session.photos[0].key)
    desk.settle()
    assert desk.texts == []


def test_many_changes_are_one_event(desk: Any) -> None:
    desk.session.open([desk.photo(f"{index}.jpg") for index in range(200)])
    desk.pump.until(lambda: len(desk.session.photos) == 200)
    desk.pump.once()
    assert len(desk.heard(PhotosChanged)) <= 2


# --- memory ----------------------------------------------------------------------------------------------------------


def limit_to(desk: Any, photos: float) -> None:
    """So much memory as this many documents of the tests' size take."""
    one = 300 * 200 * (3 + 1 + 4 + 3)
    desk.session.configure(replace(desk.session.settings, memory_bytes=int(one * photos)))


def test_edits_survive_leaving_memory(desk: Any) -> None:
    limit_to(desk, 1.5)
    open_many(desk)
    desk.stroke(STROKE, (200, 150))
    desk.settle()
    painted = desk.state
    first = desk.session.photos[0]
    assert first.edited
    select(desk, 1)
    assert desk.session.photos[0].edited
    select(desk, 2)
    loads = len(desk.files.loads)
    select(desk, 0)
    assert len(desk.files.loads) == loads + 1  # it was out of memory
    assert desk.state == painted
    assert desk.session.photos[0].edited
    assert desk.engine.count("auto") == 3
    work = desk.session.work
    assert (work.foreground == desk.engine.colours_of(work.source, work.solved)).all()


def test_a_photo_shown_again_while_it_leaves_memory_stays_there(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    gates = [threading.Event(), threading.Event()]
    packing: list[Parked] = []
    pack = Parked.pack

    def held(parked: Parked, folder: Path, progress: Progress) -> None:
        packing.append(parked)
        assert len(packing) > len(gates) or gates[len(packing) - 1].wait(10)
        pack(parked, folder, progress)

    open_many(desk, 2)
    select(desk, 1)
    monkeypatch.setattr(Parked, "pack", held)
    limit_to(desk, 1.5)
    desk.pump.until(lambda: len(packing) == 1)  # the first photo is on its way out of memory
    select(desk, 0, wait=False)
    select(desk, 1, wait=False)
    desk.pump.once()  # and again, before the first attempt has come to a stop
    gates[0].set()
    desk.pump.until(lambda: len(packing) == 2)
    select(desk, 0, wait=False)
    desk.stroke(STROKE)
    gates[1].set()
    desk.settle()
    assert desk.session.work is not None
    assert desk.session.can_undo


def test_untouched_photos_leave_memory_and_come_back(desk: Any) -> None:
    limit_to(desk, 1.01)
    open_many(desk)
    alpha = desk.session.work.solved.copy()
    select(desk, 1)
    select(desk, 2)
    assert sum(entry.nbytes for entry in desk.session._strip.entries) <= desk.session.settings.memory_bytes
    select(desk, 0)
    assert (desk.session.work.solved == alpha).all()
    assert states(desk)[0] is PhotoState.READY


def test_pasted_pictures_survive_leaving_memory(desk: Any) -> None:
    limit_to(desk, 0.5)
    pixels = np.random.default_rng(3).integers(0, 256, (200, 300, 3), np.uint8)
    desk.session.open_pixels(pixels, "Pasted")
    desk.settle()
    desk.stroke(STROKE)
    desk.settle()
    painted = desk.state
    desk.open(desk.photo())
    assert desk.session.current.name == "a.jpg"
    assert desk.session._strip.entries[0].editor is None
    select(desk, 0)
    assert (desk.session.work.source == pixels).all()
    assert desk.state == painted


def test_a_parked_photo_whose_file_is_gone_keeps_its_strokes(desk: Any) -> None:
    limit_to(desk, 1.2)
    open_many(desk, 2)
    desk.stroke(STROKE)
    desk.settle()
    painted = desk.state
    path = desk.session.current.path
    select(desk, 1)
    kept = desk.files.photos.pop(path)
    select(desk, 0)
    assert desk.session.current.name == "1.jpg"
    assert states(desk)[0] is PhotoState.FAILED
    assert desk.session.photos[0].edited
    desk.files.photos[path] = kept[:100]
    select(desk, 0)
    assert "another size" in desk.texts[-1]
    desk.files.photos[path] = kept
    select(desk, 0)
    assert desk.state == painted


def test_a_photo_with_a_job_under_way_stays_in_memory(desk: Any) -> None:
    limit_to(desk, 1.2)
    open_many(desk, 2)
    desk.engine.hold("rematte")
    desk.stroke(STROKE)
    desk.pump.until(lambda: desk.engine.entered("rematte") == 1)
    select(desk, 1, wait=False)
    desk.pump.until(lambda: desk.session.current.name == "1.jpg")
    idle: list[Any] = []
    desk.jobs.submit(Lane.IO, lambda progress: None, priority=Priority.BACKGROUND, on_done=idle.append)
    desk.pump.until(lambda: idle)  # whatever would have been put away has been
    assert desk.session._strip.entries[0].editor is not None
    desk.engine.release("rematte")
    desk.settle()
    assert desk.session._strip.entries[0].editor is None
    select(desk, 0)
    assert desk.session.work.solved[20, 50] == 1


# --- ahead of time ---------------------------------------------------------------------------------------------------


def ahead(desk: Any) -> None:
    desk.session.configure(replace(desk.session.settings, precut=True))


def test_the_next_photos_are_cut_out_ahead(desk: Any) -> None:
    ahead(desk)
    open_many(desk, 5)
    assert states(desk) == [PhotoState.READY] * 3 + [PhotoState.WAITING] * 2
    loads = len(desk.files.loads)
    desk.events.clear()
    desk.session.select(desk.session.photos[1].key)
    assert desk.session.work.has_alpha  # at once
    assert desk.heard(PhotoShown) == [PhotoShown()]
    desk.settle()
    assert len(desk.files.loads) == loads + 1
    assert states(desk)[3] is PhotoState.READY


def test_nothing_is_cut_ahead_beyond_the_memory(desk: Any) -> None:
    ahead(desk)
    limit_to(desk, 2.2)
    open_many(desk, 5)
    assert states(desk) == [PhotoState.READY] * 2 + [PhotoState.WAITING] * 3
    limit_to(desk, 1.5)
    desk.settle()
    assert len(desk.files.loads) < 6


def test_painting_stops_what_is_cut_ahead(desk: Any) -> None:
    open_many(desk, 3)
    desk.engine.hold("auto")
    ahead(desk)
    desk.pump.until(lambda: desk.engine.entered("auto") == 2)
    assert desk.session.busy is None
    desk.session.stroke_begin(Label.FOREGROUND, 10, STROKE)
    desk.pump.until(lambda: states(desk)[1] is PhotoState.WAITING)
    desk.session.stroke_end()
    desk.settle()
    assert desk.session.work.solved[20, 50] == 1
    assert states(desk)[1] is PhotoState.WAITING  # and it is not begun again while somebody paints
    desk.engine.release("auto")
    select(desk, 1)
    assert desk.session.work.has_alpha


def test_selecting_what_is_being_cut_ahead_waits_for_that(desk: Any) -> None:
    open_many(desk, 3)
    desk.engine.hold("auto")
    ahead(desk)
    desk.pump.until(lambda: desk.engine.entered("auto") == 2)
    select(desk, 1, wait=False)
    assert desk.session.busy.stage == "network"
    desk.engine.release("auto")
    desk.pump.until(lambda: desk.session.work.has_alpha)
    desk.settle()
    assert desk.engine.count("auto") == 3  # the first, this one, and the third ahead of time


def test_a_failure_ahead_of_time_is_said_in_the_strip_only(desk: Any) -> None:
    open_many(desk, 2)
    desk.engine.failures["auto"] = MattingError("No edge could be found. Paint it by hand.")
    ahead(desk)
    desk.settle()
    assert states(desk)[1] is PhotoState.FAILED
    assert desk.texts == []


def test_cut_ahead_by_hand_is_not(desk: Any) -> None:
    desk.models.installed = None
    ahead(desk)
    open_many(desk, 2)
    assert states(desk) == [PhotoState.READY, PhotoState.WAITING]


# --- small things ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((100, 50), (100, 50)), ((4000, 6000), (128, 192)), ((1, 5000), (1, 192)), ((193, 193), (192, 192)), ((10, 4000), (1, 192))],
)
def test_shrink(shape: tuple[int, int], expected: tuple[int, int]) -> None:
    small = shrink(np.full((*shape, 3), 40000, np.uint16), 192)
    assert small.dtype == np.uint8
    assert small.shape == (*expected, 3)
    assert (small == 156).all()


def test_shrink_keeps_the_picture() -> None:
    ramp = np.broadcast_to(np.linspace(0, 255, 3000)[None, :, None], (900, 3000, 3)).astype(np.uint8)
    small = shrink(ramp, 150)
    assert np.abs(small[20, :, 1] - np.linspace(0, 255, 150)).max() < 3


def test_suggestions_for_a_pasted_picture_use_the_last_folder(desk: Any) -> None:
    folder = desk.folder / "exports"
    folder.mkdir()
    desk.session.configure(replace(desk.session.settings, export_folder=str(folder)))
    desk.session.open_pixels(np.zeros((9, 9, 3), np.uint8), "Pasted")
    desk.settle()
    assert desk.session.suggested_name(ExportRecipe()) == folder / "Pasted_cutout.png"


def test_smaller_undo_memory_takes_effect_at_once(desk: Any) -> None:
    desk.open()
    for x in range(40, 240, 20):
        desk.stroke((x, 100), radius=15)
        desk.settle()
    desk.session.configure(replace(desk.session.settings, undo_bytes=1))
    assert len(desk.session._editor.history.done) == 1
    assert desk.session.current.edited
    desk.session.undo()
    assert not desk.session.can_undo
