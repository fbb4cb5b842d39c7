"""Opening photos, and networks that are missing or late or fail."""

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bgdesk.app.session.photos import PhotoState
from bgdesk.app.work.events import (
    AlphaChanged,
    BusyChanged,
    EngineChanged,
    LabelsChanged,
    Offer,
    PhotosChanged,
    PhotoShown,
    Severity,
)
from bgdesk.core.errors import DeviceError, MattingError, ModelError
from bgdesk.core.formats import Format
from bgdesk.core.recipe import ExportRecipe, MatteRecipe, Recipe
from bgdesk.core.trimap import Label

PNG = ExportRecipe(Format.PNG)


# --- opening and cutting out -----------------------------------------------------------------------------------------


def test_nothing_is_open_at_first(desk: Any) -> None:
    session = desk.session
    assert session.photos == ()
    assert session.current is None
    assert session.work is None
    assert session.busy is None
    assert not session.can_undo
    assert not session.can_redo
    assert session.pending_rects == ()
    assert session.timings == {}
    session.stroke_begin(Label.FOREGROUND, 5, (1, 1))
    session.stroke_extend((2, 2))
    session.stroke_end()
    session.undo()
    session.redo()
    session.cut_again()
    session.export(desk.folder / "x.png", PNG)
    session.cancel()
    assert desk.events == []


def test_the_photo_is_shown_before_the_network_answers(desk: Any) -> None:
    desk.engine.hold("auto")
    path = desk.photo()
    desk.session.open([path])
    desk.pump.until(lambda: desk.engine.entered("auto"))
    work = desk.session.work
    assert (work.source == desk.files.photos[path]).all()
    assert not work.source.flags.writeable
    assert (work.labels == Label.UNKNOWN).all()
    assert (work.solved == 1).all()
    assert not work.has_alpha
    assert desk.session.current.state is PhotoState.MATTING
    assert len(desk.heard(PhotoShown)) == 1
    desk.pump.until(lambda: desk.session.busy.fraction is not None)
    assert desk.session.busy.stage == "network"

    desk.engine.release("auto")
    desk.settle()
    assert work is desk.session.work
    assert work.has_alpha
    assert (work.labels == desk.engine.trimap_of(work.source)).all()
    assert (work.solved == desk.engine.alpha_of(work.source, work.labels)).all()
    assert work.foreground is not None
    assert (work.foreground == desk.engine.colours_of(work.source, work.solved)).all()
    assert desk.heard(AlphaChanged) == [AlphaChanged(work.rect, first=True)]
    assert desk.heard(LabelsChanged) == [LabelsChanged(work.rect)]
    assert [each.state for each in desk.session.photos] == [PhotoState.READY]
    assert desk.session.timings == desk.engine.TIMINGS
    assert desk.session.busy is None
    assert not desk.session.can_undo
    assert desk.session.current.thumbnail.shape == (128, 192, 3)
    assert isinstance(desk.events[-1], PhotosChanged | BusyChanged)
    assert desk.engine.threads == {"bgdesk-compute"}
    assert desk.files.threads == {"bgdesk-io"}


def test_engine_changed_comes_when_the_device_is_known(desk: Any) -> None:
    assert desk.session.engine_status.device == ""
    desk.open()
    assert desk.heard(EngineChanged) == [EngineChanged()]
    assert desk.session.engine_status.device == "cpu"


def test_warming_up_tells_the_device(desk: Any) -> None:
    desk.session.warm()
    desk.settle()
    assert desk.session.engine_status.device == "cpu"
    assert desk.heard(EngineChanged) == [EngineChanged()]
    assert desk.heard(BusyChanged) == []


def test_preparing_at_the_first_start_is_shown_though_nobody_asked_for_it(desk: Any) -> None:
    shown: list[Any] = []

    def warm(progress: Any) -> Any:
        progress("prepare", 0.25)
        return desk.engine.status

    desk.engine.warm = warm
    desk.session.subscribe(lambda event: shown.append(desk.session.busy) if isinstance(event, BusyChanged) else None)
    desk.session.warm()
    desk.settle()
    assert [(busy.stage, busy.fraction) for busy in shown if busy] == [("prepare", 0.25)]
    assert desk.session.busy is None
    assert desk.messages == []


def test_warming_up_without_a_network_says_nothing(desk: Any) -> None:
    desk.engine.failures["warm"] = ModelError("No network is installed.")
    desk.session.warm()
    desk.settle()
    assert desk.engine.count("warm") == 1
    assert desk.messages == []


def test_fall_backs_are_told_once(desk: Any) -> None:
    desk.engine.notes = ("The graphics card ran out of memory; the processor took over.",)
    desk.open(desk.photo("a.jpg"), desk.photo("b.jpg"))
    desk.session.select(desk.session.photos[1].key)
    desk.settle()
    assert desk.engine.count("auto") == 2
    assert [(m.severity, m.text) for m in desk.messages] == [(Severity.WARNING, desk.engine.notes[0])]


def test_what_concerns_a_photo_is_told_for_each(desk: Any) -> None:
    desk.engine.photo_notes = ("Large parts are half transparent.",)
    desk.open(desk.photo("a.jpg"), desk.photo("b.jpg"))
    desk.session.select(desk.session.photos[1].key)
    desk.settle()
    assert sorted(m.text for m in desk.messages) == [f"{name}: Large parts are half transparent." for name in ("a.jpg", "b.jpg")]


def test_colours_that_could_not_be_found_are_told_for_each_photo_each_time(desk: Any) -> None:
    desk.engine.colour_notes = ("No spill was found.",)
    desk.open(desk.photo("a.jpg"), desk.photo("b.jpg"))
    for spill in ("#00b140", "auto"):  # the photo's own colours are worked out anew
        desk.session.change_recipe(Recipe(matte=MatteRecipe(spill=spill)), "spill")
        desk.settle()
    assert [m.text for m in desk.messages] == ["a.jpg: No spill was found."] * 2
    assert {m.about for m in desk.messages} == {desk.session.current.key}


def test_a_failed_load_keeps_what_is_shown(desk: Any) -> None:
    desk.open()
    before = desk.session.work
    desk.session.open([desk.folder / "gone.jpg"])
    desk.settle()
    assert desk.session.work is before
    assert desk.session.current.name == "a.jpg"
    assert len(desk.session.photos) == 1  # what was opened alone and cannot be read leaves no trace
    assert [(m.severity, m.text) for m in desk.messages] == [(Severity.ERROR, "gone.jpg could not be read: there is no such file.")]
    assert len(desk.heard(PhotoShown)) == 1


def test_of_many_the_first_readable_one_is_shown(desk: Any) -> None:
    desk.open(desk.folder / "gone.jpg", desk.photo("b.jpg"), desk.photo("c.jpg"))
    assert [(p.name, p.state) for p in desk.session.photos] == [
        ("gone.jpg", PhotoState.FAILED),
        ("b.jpg", PhotoState.READY),
        ("c.jpg", PhotoState.WAITING),
    ]
    assert desk.session.current.name == "b.jpg"
    assert desk.session.photos[0].error == "gone.jpg could not be read: there is no such file."
    assert desk.texts == [desk.session.photos[0].error]
    assert desk.session.photos[2].thumbnail is not None


def test_a_preview_that_fails_is_said_in_the_strip_only(desk: Any) -> None:
    desk.open(desk.photo("a.jpg"), desk.folder / "gone.jpg")
    assert desk.session.photos[1].state is PhotoState.FAILED
    assert desk.session.photos[1].error is not None
    assert desk.texts == []
    desk.session.select(desk.session.photos[1].key)
    desk.settle()
    assert desk.texts == ["gone.jpg could not be read: there is no such file."]
    assert desk.session.current.name == "a.jpg"


def test_a_load_that_breaks_in_an_unforeseen_way_is_told_and_logged(desk: Any, expect_log: Any) -> None:
    expect_log("unforeseen failure while reading a.jpg")
    desk.files.failure = RuntimeError("decoder bug")
    desk.open()
    assert desk.texts == ["Something unforeseen went wrong while reading a.jpg; the log has the details."]
    desk.files.failure = None
    desk.open()
    assert desk.session.current.state is PhotoState.READY


def test_folders_give_their_photos_in_order(desk: Any) -> None:
    folder = desk.folder / "shoot"
    (folder / "deeper").mkdir(parents=True)
    for name in ("b.jpg", "a.PNG", "notes.txt", "._b.jpg", "deeper/c.jpg"):
        (folder / name).touch()
    for name in ("b.jpg", "a.PNG"):
        desk.photo(f"shoot/{name}")
    desk.open(folder)
    assert [photo.name for photo in desk.session.photos] == ["a.PNG", "b.jpg"]
    assert desk.session.current.name == "a.PNG"


def test_a_folder_without_photos_is_said(desk: Any) -> None:
    (desk.folder / "empty").mkdir()
    desk.open(desk.folder / "empty")
    assert desk.texts == [f"{desk.folder / 'empty'} holds no photo that bgdesk can read. Choose another folder."]
    assert desk.session.photos == ()


def test_a_folder_that_cannot_be_opened_does_not_stop_the_others(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (desk.folder / "locked").mkdir()
    scandir = os.scandir

    def refuse(path: Any) -> Any:
        if Path(path).name == "locked":
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    desk.open(desk.folder / "locked", desk.photo())
    assert desk.texts == [f"{desk.folder / 'locked'} could not be opened: Permission denied. Check its permissions and the disk."]
    assert desk.session.current.name == "a.jpg"


def test_opening_a_photo_twice_selects_it(desk: Any) -> None:
    first = desk.photo("a.jpg")
    desk.open(first, desk.photo("b.jpg"))
    desk.session.select(desk.session.photos[1].key)
    desk.settle()
    desk.open(first)
    assert desk.session.current.name == "a.jpg"
    assert len(desk.session.photos) == 2


def test_pasted_pictures_are_cut_out_too(desk: Any) -> None:
    pixels = np.full((40, 900, 3), 200, np.uint8)
    desk.session.open_pixels(pixels, "Pasted picture")
    pixels[:] = 0  # whoever pasted may do with them what they like
    desk.settle()
    assert (desk.session.work.solved == 1).all()
    assert desk.session.current.path is None
    assert desk.session.current.thumbnail.max() == 200
    assert max(desk.session.current.thumbnail.shape) <= 192
    assert desk.session.suggested_name(PNG).name == "Pasted picture_cutout.png"


@pytest.mark.parametrize("shape", [(4, 4), (4, 4, 4), (0, 4, 3)])
def test_what_is_no_picture_is_not_pasted(desk: Any, shape: tuple[int, ...]) -> None:
    with pytest.raises(MattingError, match="Pixels must be"):
        desk.session.open_pixels(np.zeros(shape, np.uint8), "Pasted")
    assert desk.session.photos == ()


# --- no network ------------------------------------------------------------------------------------------------------


def test_without_a_network_painting_by_hand_works(desk: Any) -> None:
    desk.models.installed = None
    desk.open()
    work = desk.session.work
    assert (work.labels == Label.BACKGROUND).all()
    assert (work.solved == 0).all()
    assert work.has_alpha
    assert desk.session.current.state is PhotoState.READY
    (message,) = desk.messages
    assert message.offers == (Offer.INSTALL_MODEL, Offer.IMPORT_MODEL)
    assert "a.jpg" in message.text
    assert desk.engine.calls == []

    desk.stroke((100, 100), (120, 100))
    desk.settle()
    assert work.solved[100, 110] == 1
    assert work.solved[0, 0] == 0
    assert work.foreground is not None
    desk.session.undo()
    desk.settle()
    assert (work.solved == 0).all()


def test_installing_a_network_cuts_the_photo_that_waits_and_keeps_its_strokes(desk: Any) -> None:
    desk.models.installed = None
    desk.open()
    desk.stroke((50, 20), (90, 20))  # over what the network calls background
    desk.settle()
    desk.session.install_model("isnet-general")
    desk.settle()
    work = desk.session.work
    expected = desk.engine.trimap_of(work.source)
    assert (work.labels[100:] == expected[100:]).all()
    assert work.labels[20, 70] == Label.FOREGROUND
    assert work.solved[20, 70] == 1
    assert desk.texts[-1] == "isnet-general is installed."
    assert EngineChanged() in desk.events
    assert desk.session.can_undo
    desk.session.undo()
    desk.settle()
    assert (work.labels == expected).all()
    assert (work.solved == desk.engine.alpha_of(work.source, expected)).all()


def test_installing_can_be_cancelled_and_does_not_hold_up_a_photo(desk: Any) -> None:
    desk.models.installed = None
    desk.models.gate = threading.Event()
    desk.session.install_model("isnet-general")
    desk.pump.until(lambda: desk.session.busy.stage == "download")
    desk.session.open([desk.photo()])
    desk.pump.until(lambda: desk.session.work is not None)  # though the download goes on
    assert desk.session.busy.stage == "download"
    desk.session.cancel()
    desk.settle()
    assert desk.models.installed is None
    assert desk.texts[-1] == "Cancelled. Nothing was installed."


def test_a_failed_import_says_why(desk: Any, tmp_path: Any) -> None:
    desk.models.failure = ModelError("weights.onnx is not IS-Net. Choose another file.")
    desk.session.import_model(tmp_path / "weights.onnx", "isnet-general")
    desk.settle()
    (message,) = desk.messages
    assert message.severity is Severity.ERROR
    assert message.offers == (Offer.INSTALL_MODEL, Offer.IMPORT_MODEL)


def test_a_damaged_network_leaves_painting_by_hand(desk: Any) -> None:
    desk.engine.failures["auto"] = ModelError("The network is damaged. Install it again.")
    desk.open()
    assert desk.texts == ["The network is damaged. Install it again."]
    assert desk.session.work.has_alpha
    assert (desk.session.work.solved == 0).all()


# --- cancelling and failing of the network ---------------------------------------------------------------------------


def test_cancelling_the_network_leaves_the_photo_to_paint(desk: Any) -> None:
    desk.engine.hold("auto")
    desk.session.open([desk.photo()])
    desk.pump.until(lambda: desk.engine.entered("auto"))
    desk.session.cancel()
    assert desk.session.busy is None
    desk.settle()
    work = desk.session.work
    assert not work.has_alpha
    assert (work.solved == 1).all()
    assert desk.messages[-1].severity is Severity.INFO
    assert "a.jpg" in desk.texts[-1]
    assert desk.session.current.state is PhotoState.READY

    desk.stroke((50, 20))
    desk.settle()
    assert work.has_alpha
    assert work.solved[20, 50] == 1
    assert work.solved[100, 100] == 0

    desk.engine.release("auto")
    desk.session.cut_again()
    desk.settle()
    assert work.solved[20, 50] == 1  # the stroke stays over the network's answer
    assert work.solved[80, 20] == 1


def test_painting_background_first_takes_away_from_the_whole_photo(desk: Any) -> None:
    desk.engine.failures["auto"] = DeviceError("The graphics card failed. Choose the processor in the settings.")
    desk.open()
    assert desk.texts == ["The graphics card failed. Choose the processor in the settings."]
    assert desk.session.current.state is PhotoState.FAILED
    desk.stroke((50, 20), label=Label.BACKGROUND)
    desk.settle()
    assert desk.session.work.solved[20, 50] == 0
    assert desk.session.work.solved[100, 100] == 1


def test_strokes_painted_before_the_network_fails_go_on_by_hand(desk: Any, expect_log: Any) -> None:
    expect_log("unforeseen failure while cutting out a.jpg")
    desk.engine.hold("auto")
    desk.engine.failures["auto"] = RuntimeError("bug")
    desk.session.open([desk.photo()])
    desk.pump.until(lambda: desk.engine.entered("auto"))
    desk.stroke((50, 20))
    desk.engine.release("auto")
    desk.settle()
    assert desk.session.work.has_alpha
    assert desk.session.work.solved[20, 50] == 1
    assert desk.session.can_undo
    assert desk.texts == ["Something unforeseen went wrong while cutting out a.jpg; the log has the details."]


def test_strokes_before_a_failure_go_on_by_hand_even_if_the_last_one_is_taken_back(desk: Any) -> None:
    desk.engine.hold("auto")
    desk.engine.failures["auto"] = DeviceError("The graphics card failed.")
    desk.session.open([desk.photo()])
    desk.pump.until(lambda: desk.engine.entered("auto"))
    desk.stroke((50, 20))
    desk.session.stroke_begin(Label.FOREGROUND, 10, (200, 20))
    desk.engine.release("auto")
    desk.settle()
    assert not desk.session.work.has_alpha
    desk.session.stroke_cancel()
    desk.settle()
    assert desk.session.work.solved[20, 50] == 1
    assert desk.session.work.solved[20, 200] == 0


def test_an_answer_that_does_not_fit_is_a_failure_not_a_broken_document(desk: Any, expect_log: Any) -> None:
    expect_log("unforeseen failure while cutting out")
    desk.engine.trimap_of = lambda pixels: np.zeros((3, 3), np.uint8)
    desk.engine.alpha_of = lambda pixels, trimap: np.zeros((3, 3), np.float32)
    desk.engine.colours_of = lambda pixels, alpha: pixels
    desk.open()
    assert desk.session.work.solved.shape == (200, 300)


def test_memory_that_runs_out_is_told_in_words(desk: Any, expect_log: Any) -> None:
    expect_log("out of memory while cutting out a.jpg")
    desk.engine.failures["auto"] = MemoryError()
    desk.open()
    assert desk.texts == ["There was not enough memory for cutting out a.jpg. Close other programs and try again."]


# --- the end ---------------------------------------------------------------------------------------------------------


def test_close_stops_everything_and_is_silent(desk: Any) -> None:
    desk.engine.hold("auto")
    desk.session.open([desk.photo()])
    desk.pump.until(lambda: desk.engine.entered("auto"))
    desk.pump.once()
    count = len(desk.events)
    desk.session.close()
    desk.pump.once()
    assert len(desk.events) == count
    assert desk.engine.called[-1] == "close"
    desk.session.close()


def test_unsubscribing_ends_the_events(desk: Any) -> None:
    heard: list[Any] = []
    stop = desk.session.subscribe(heard.append)
    stop()
    stop()
    desk.open()
    assert heard == []


def test_neither_torch_nor_qt_is_needed() -> None:
    code = "import sys, bgdesk.app.session.session, bgdesk.app.system.settings; print({'torch', 'PySide6'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "set()"
