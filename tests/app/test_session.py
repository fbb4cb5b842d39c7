"""A photo's way through the session: open, cut out, paint, undo, export."""

import threading
from typing import Any

import numpy as np
import pytest

from bgdesk.app.events import (
    AlphaChanged,
    BusyChanged,
    DocumentReplaced,
    EngineChanged,
    Exported,
    ForegroundChanged,
    HistoryChanged,
    Offer,
    PhotosChanged,
    Severity,
    TrimapChanged,
)
from bgdesk.app.photos import PhotoState
from bgdesk.core.errors import DeviceError, MattingError, ModelError, SaveError
from bgdesk.core.geometry import Rect
from bgdesk.core.recipe import ExportRecipe, Format
from bgdesk.core.trimap import Label

PNG = ExportRecipe(Format.PNG)


# --- opening and cutting out -----------------------------------------------------------------------------------------


def test_nothing_is_open_at_first(desk: Any) -> None:
    session = desk.session
    assert session.photos == ()
    assert session.current is None
    assert session.document is None
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
    document = desk.session.document
    assert (document.source == desk.files.photos[path]).all()
    assert not document.source.flags.writeable
    assert (document.trimap == Label.UNKNOWN).all()
    assert (document.alpha == 1).all()
    assert not document.has_alpha
    assert desk.session.current.state is PhotoState.MATTING
    assert len(desk.heard(DocumentReplaced)) == 1
    desk.pump.until(lambda: desk.session.busy.fraction is not None)
    assert desk.session.busy.stage == "network"

    desk.engine.release("auto")
    desk.settle()
    assert document is desk.session.document
    assert document.has_alpha
    assert (document.trimap == desk.engine.trimap_of(document.source)).all()
    assert (document.alpha == desk.engine.alpha_of(document.source, document.trimap)).all()
    assert document.foreground is not None
    assert (document.foreground == desk.engine.colours_of(document.source, document.alpha)).all()
    assert desk.heard(AlphaChanged) == [AlphaChanged(document.rect, first=True)]
    assert desk.heard(TrimapChanged) == [TrimapChanged(document.rect)]
    assert desk.session.current.state is PhotoState.READY
    assert desk.session.timings == {"network": 0.5, "alpha": 0.25}
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


def test_a_failed_load_keeps_what_is_shown(desk: Any) -> None:
    desk.open()
    before = desk.session.document
    desk.session.open([desk.folder / "gone.jpg"])
    desk.settle()
    assert desk.session.document is before
    assert desk.session.current.name == "a.jpg"
    assert len(desk.session.photos) == 1  # what was opened alone and cannot be read leaves no trace
    assert [(m.severity, m.text) for m in desk.messages] == [(Severity.ERROR, "gone.jpg could not be read: there is no such file.")]
    assert len(desk.heard(DocumentReplaced)) == 1


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
    for name in ("b.jpg", "a.PNG", "notes.txt", "deeper/c.jpg"):
        (folder / name).touch()
    for name in ("b.jpg", "a.PNG"):
        desk.photo(f"shoot/{name}")
    desk.open(folder)
    assert [photo.name for photo in desk.session.photos] == ["a.PNG", "b.jpg"]
    assert desk.session.current.name == "a.PNG"


def test_a_folder_without_photos_is_said(desk: Any) -> None:
    (desk.folder / "empty").mkdir()
    desk.open(desk.folder / "empty")
    assert desk.texts == ["There is no photo in empty."]
    assert desk.session.photos == ()


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
    assert (desk.session.document.alpha == 1).all()
    assert desk.session.current.path is None
    assert desk.session.current.thumbnail.max() == 200
    assert max(desk.session.current.thumbnail.shape) <= 192
    assert desk.session.suggested_name(PNG).name == "Pasted picture_cutout.png"


@pytest.mark.parametrize("shape", [(4, 4), (4, 4, 4), (0, 4, 3)])
def test_what_is_no_picture_is_not_pasted(desk: Any, shape: tuple[int, ...]) -> None:
    with pytest.raises(MattingError, match="no picture"):
        desk.session.open_pixels(np.zeros(shape, np.uint8), "Pasted")
    assert desk.session.photos == ()


# --- no network ------------------------------------------------------------------------------------------------------


def test_without_a_network_painting_by_hand_works(desk: Any) -> None:
    desk.models.installed = None
    desk.open()
    document = desk.session.document
    assert (document.trimap == Label.BACKGROUND).all()
    assert (document.alpha == 0).all()
    assert document.has_alpha
    assert desk.session.current.state is PhotoState.READY
    (message,) = desk.messages
    assert message.offers == (Offer.INSTALL_MODEL, Offer.IMPORT_MODEL)
    assert "a.jpg" in message.text
    assert desk.engine.calls == []

    desk.stroke((100, 100), (120, 100))
    desk.settle()
    assert document.alpha[100, 110] == 1
    assert document.alpha[0, 0] == 0
    assert document.foreground is not None
    desk.session.undo()
    desk.settle()
    assert (document.alpha == 0).all()


def test_installing_a_network_cuts_the_photo_that_waits_and_keeps_its_strokes(desk: Any) -> None:
    desk.models.installed = None
    desk.open()
    desk.stroke((50, 20), (90, 20))  # over what the network calls background
    desk.settle()
    desk.session.install_model("isnet-general")
    desk.settle()
    document = desk.session.document
    expected = desk.engine.trimap_of(document.source)
    assert (document.trimap[100:] == expected[100:]).all()
    assert document.trimap[20, 70] == Label.FOREGROUND
    assert document.alpha[20, 70] == 1
    assert desk.texts[-1] == "isnet-general is installed."
    assert EngineChanged() in desk.events
    assert desk.session.can_undo
    desk.session.undo()
    desk.settle()
    assert (document.trimap == expected).all()
    assert (document.alpha == desk.engine.alpha_of(document.source, expected)).all()


def test_installing_can_be_cancelled_and_does_not_hold_up_a_photo(desk: Any) -> None:
    desk.models.installed = None
    desk.models.gate = threading.Event()
    desk.session.install_model("isnet-general")
    desk.pump.until(lambda: desk.session.busy.stage == "download")
    desk.session.open([desk.photo()])
    desk.pump.until(lambda: desk.session.document is not None)  # though the download goes on
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
    assert desk.session.document.has_alpha
    assert (desk.session.document.alpha == 0).all()


# --- strokes ---------------------------------------------------------------------------------------------------------


def test_a_stroke_changes_its_region_alone(desk: Any) -> None:
    desk.open()
    document = desk.session.document
    trimap, alpha = document.trimap.copy(), document.alpha.copy()
    desk.events.clear()
    desk.session.stroke_begin(Label.FOREGROUND, 8, (60, 20))
    assert desk.session.painting
    assert document.trimap[20, 60] == Label.FOREGROUND
    assert (document.alpha == alpha).all()
    desk.session.stroke_extend((80, 24))
    assert desk.session.pending_rects == (Rect(52, 12, 89, 33),)
    assert [event.rect for event in desk.heard(TrimapChanged)] == [Rect(52, 12, 69, 29), Rect(52, 12, 89, 33)]
    desk.session.stroke_end()
    assert desk.session.pending_rects == (Rect(52, 12, 89, 33),)
    assert desk.session.can_undo
    desk.settle()

    roi = Rect(52, 12, 89, 33)
    assert desk.session.pending_rects == ()
    assert desk.heard(AlphaChanged) == [AlphaChanged(roi.grow(5))]
    assert document.alpha[20, 60] == 1
    changed = np.zeros(alpha.shape, bool)
    changed[roi.slices] = True
    assert (document.alpha[~changed] == alpha[~changed]).all()
    assert (document.trimap[~changed] == trimap[~changed]).all()
    assert desk.engine.count("auto") == 1  # the network never runs for a stroke
    assert desk.engine.count("rematte") == 1
    assert desk.heard(ForegroundChanged) == [ForegroundChanged(roi.grow(5))]
    assert (document.foreground == desk.engine.colours_of(document.source, document.alpha)).all()
    assert 0 < desk.session.timings["rematte"] < 10
    assert desk.session.current.edited


def test_the_engine_is_given_crops(desk: Any) -> None:
    desk.open(desk.photo("large.jpg", 2000, 1500))
    desk.stroke((1000, 700), radius=10)
    desk.settle()
    (roi,) = [what for name, what in desk.engine.calls if name == "rematte"]
    assert roi == Rect(16, 16, 37, 37)
    (shape,) = [what for name, what in desk.engine.calls if name == "foreground"]
    assert shape == (21 + 2 * 5 + 2 * 64, 21 + 2 * 5 + 2 * 64, 3)


def test_a_stroke_beside_the_photo_is_no_step(desk: Any) -> None:
    desk.open()
    before = desk.state
    desk.stroke((-50, -50), (-20, -20), radius=5)
    desk.settle()
    assert desk.state == before
    assert not desk.session.can_undo
    assert desk.engine.count("rematte") == 0


def test_cancelling_a_stroke_restores_the_trimap(desk: Any) -> None:
    desk.open()
    before = desk.state
    desk.session.stroke_begin(Label.FOREGROUND, 30, (60, 20))
    desk.session.stroke_extend((200, 150))
    assert desk.state != before
    desk.events.clear()
    desk.session.stroke_cancel()
    assert desk.state == before
    assert not desk.session.can_undo
    assert desk.session.pending_rects == ()
    (event,) = desk.heard(TrimapChanged)
    assert event.rect.contains(Rect(30, 0, 230, 180))
    desk.settle()
    assert desk.engine.count("rematte") == 0


def test_undo_during_a_stroke_does_nothing(desk: Any) -> None:
    desk.open()
    desk.stroke((50, 20))
    desk.settle()
    desk.session.stroke_begin(Label.FOREGROUND, 5, (100, 20))
    now = desk.state
    desk.session.undo()
    assert desk.state == now
    desk.session.stroke_end()
    desk.settle()
    desk.session.undo()
    desk.session.undo()
    assert not desk.session.can_undo


def test_undo_and_redo_restore_trimap_and_alpha_bit_for_bit(desk: Any) -> None:
    desk.open()
    states = [desk.state]
    for y in (20, 90, 180):
        desk.stroke((50, y), (200, y))
        desk.settle()
        states.append(desk.state)
    assert len(set(states)) == 4
    for state in states[-2::-1]:
        desk.events.clear()
        desk.session.undo()
        assert desk.heard(TrimapChanged)
        assert desk.heard(AlphaChanged)
        assert desk.heard(HistoryChanged)
        assert desk.state == state
        desk.settle()
        assert desk.state == state
    assert not desk.session.can_undo
    assert not desk.session.current.edited
    for state in states[1:]:
        desk.session.redo()
        assert desk.state == state
    assert not desk.session.can_redo
    desk.settle()
    assert desk.state == states[-1]
    document = desk.session.document
    assert (document.foreground == desk.engine.colours_of(document.source, document.alpha)).all()


def test_pending_strokes_in_one_place_are_solved_together(desk: Any) -> None:
    desk.open()
    desk.engine.hold("rematte")
    desk.stroke((50, 100), (60, 100))
    desk.pump.until(lambda: desk.engine.entered("rematte") == 1)
    desk.stroke((58, 100), (70, 100))  # overlaps what runs: that one stops and joins
    desk.engine.release("rematte")
    desk.settle()
    rois = [what for name, what in desk.engine.calls if name == "rematte"]
    assert [roi.width for roi in rois] == [31, 41]
    assert desk.session.document.alpha[100, 50] == 1
    assert desk.session.document.alpha[100, 70] == 1
    assert desk.session.pending_rects == ()
    assert not desk.messages


def test_a_running_re_matting_elsewhere_goes_on(desk: Any) -> None:
    desk.open(desk.photo("large.jpg", 1500, 1000))
    desk.engine.hold("rematte")
    desk.stroke((50, 50))
    desk.pump.until(lambda: desk.engine.entered("rematte") == 1)
    desk.stroke((1400, 900))
    desk.stroke((1420, 900))
    assert len(desk.session.pending_rects) == 2
    desk.engine.release("rematte")
    desk.settle()
    assert [what.size for name, what in desk.engine.calls if name == "rematte"] == [(21, 21), (41, 21)]


def test_undo_while_a_re_matting_runs_drops_its_answer(desk: Any) -> None:
    desk.open()
    before = desk.state
    desk.engine.hold("rematte")
    desk.engine.deaf = True  # it cannot be stopped any more: its answer comes too late
    desk.stroke((50, 100))
    desk.pump.until(lambda: desk.engine.entered("rematte") == 1)
    desk.session.undo()
    assert desk.state == before
    desk.engine.release("rematte")
    desk.settle()
    assert desk.state == before
    assert desk.session.pending_rects == ()
    desk.session.redo()
    assert desk.session.pending_rects != ()
    desk.settle()
    assert desk.session.document.alpha[100, 50] == 1


def test_undoing_the_second_of_two_waiting_strokes_brings_the_first_ones_alpha(desk: Any) -> None:
    desk.open()
    start = desk.state
    desk.engine.hold("rematte")
    desk.stroke((50, 20))
    desk.stroke((70, 20))
    desk.session.undo()
    assert len(desk.session.pending_rects) == 1
    desk.engine.release("rematte")
    desk.settle()
    document = desk.session.document
    assert document.alpha[20, 50] == 1
    assert document.alpha[20, 75] == 0
    desk.session.undo()
    desk.settle()
    assert desk.state == start


def test_an_answer_during_the_next_stroke_belongs_to_the_step_before(desk: Any) -> None:
    desk.open()
    start = desk.state
    desk.engine.hold("rematte")
    desk.stroke((50, 20))
    desk.pump.until(lambda: desk.engine.entered("rematte") == 1)
    desk.session.stroke_begin(Label.FOREGROUND, 5, (200, 20))
    desk.engine.release("rematte")
    desk.settle()
    assert desk.session.document.alpha[20, 50] == 1
    first = desk.session.document.alpha.copy()
    desk.session.stroke_end()
    desk.settle()
    desk.session.undo()
    assert (desk.session.document.alpha == first).all()
    desk.session.undo()
    desk.settle()
    assert desk.state == start


def test_a_failed_re_matting_is_told_and_tried_again_with_the_next_stroke(desk: Any) -> None:
    desk.open()
    desk.engine.failures["rematte"] = MattingError("The edge could not be worked out. Paint it anew.")
    desk.stroke((50, 20))
    desk.settle()
    assert desk.texts == ["The edge could not be worked out. Paint it anew."]
    assert len(desk.session.pending_rects) == 1
    desk.engine.failures.clear()
    desk.stroke((200, 20))
    desk.settle()
    assert desk.session.pending_rects == ()
    assert desk.session.document.alpha[20, 50] == 1


def test_a_re_matting_can_be_cancelled(desk: Any) -> None:
    desk.open()
    desk.engine.hold("rematte")
    desk.stroke((50, 20))
    desk.pump.until(lambda: desk.engine.entered("rematte") == 1)
    desk.pump.until(lambda: desk.session.busy.fraction is not None)
    assert desk.session.busy.stage == "alpha"
    desk.session.cancel()
    assert desk.session.busy is None
    desk.settle()
    assert desk.messages[-1].severity is Severity.INFO
    assert desk.texts[-1].startswith("Cancelled.")
    assert len(desk.session.pending_rects) == 1
    desk.engine.release("rematte")
    desk.session.undo()
    desk.settle()
    assert desk.session.pending_rects == ()


def test_colours_that_fail_do_not_lose_the_alpha(desk: Any, expect_log: Any) -> None:
    expect_log("working out the colours")
    desk.open()
    desk.engine.failures["foreground"] = RuntimeError("solver bug")
    desk.stroke((50, 20))
    desk.settle()
    assert desk.session.document.alpha[20, 50] == 1
    desk.engine.failures.clear()
    desk.session.export(desk.folder / "out.png", PNG)
    desk.settle()
    cutout = desk.files.saved[desk.folder / "out.png"][0]
    assert (cutout.foreground == desk.engine.colours_of(cutout.source, cutout.alpha)).all()


# --- painting before there is an answer ------------------------------------------------------------------------------


def test_strokes_painted_early_are_kept_over_the_networks_answer(desk: Any) -> None:
    desk.engine.hold("auto")
    desk.session.open([desk.photo()])
    desk.pump.until(lambda: desk.engine.entered("auto"))
    desk.stroke((50, 20), (90, 20))
    desk.stroke((60, 100), label=Label.BACKGROUND)
    desk.stroke((250, 180))
    desk.session.undo()
    assert desk.engine.count("rematte") == 0
    assert len(desk.session.pending_rects) == 2
    desk.engine.release("auto")
    desk.settle()
    document = desk.session.document
    expected = desk.engine.trimap_of(document.source)
    assert document.trimap[20, 70] == Label.FOREGROUND
    assert document.trimap[100, 60] == Label.BACKGROUND
    assert (document.trimap[150:] == expected[150:]).all()
    assert document.alpha[20, 70] == 1
    assert document.alpha[100, 60] == 0
    assert desk.session.pending_rects == ()
    desk.session.undo()
    desk.session.undo()
    assert not desk.session.can_undo
    assert (document.trimap == expected).all()
    assert (document.alpha == desk.engine.alpha_of(document.source, expected)).all()


def test_an_answer_during_a_stroke_waits_for_its_end(desk: Any) -> None:
    desk.engine.hold("auto")
    desk.session.open([desk.photo()])
    desk.pump.until(lambda: desk.engine.entered("auto"))
    desk.session.stroke_begin(Label.FOREGROUND, 10, (50, 20))
    desk.engine.release("auto")
    desk.settle()
    assert not desk.session.document.has_alpha
    desk.session.stroke_extend((60, 20))
    desk.session.stroke_end()
    desk.settle()
    assert desk.session.document.has_alpha
    assert desk.session.document.alpha[20, 55] == 1
    assert desk.session.can_undo


def test_an_answer_during_a_stroke_that_is_cancelled_comes_then(desk: Any) -> None:
    desk.engine.hold("auto")
    desk.session.open([desk.photo()])
    desk.pump.until(lambda: desk.engine.entered("auto"))
    desk.session.stroke_begin(Label.FOREGROUND, 10, (50, 20))
    desk.engine.release("auto")
    desk.settle()
    desk.session.stroke_cancel()
    desk.settle()
    document = desk.session.document
    assert (document.trimap == desk.engine.trimap_of(document.source)).all()
    assert not desk.session.can_undo


# --- cancelling and failing of the network ---------------------------------------------------------------------------


def test_cancelling_the_network_leaves_the_photo_to_paint(desk: Any) -> None:
    desk.engine.hold("auto")
    desk.session.open([desk.photo()])
    desk.pump.until(lambda: desk.engine.entered("auto"))
    desk.session.cancel()
    assert desk.session.busy is None
    desk.settle()
    document = desk.session.document
    assert not document.has_alpha
    assert (document.alpha == 1).all()
    assert desk.messages[-1].severity is Severity.INFO
    assert "a.jpg" in desk.texts[-1]
    assert desk.session.current.state is PhotoState.READY

    desk.stroke((50, 20))
    desk.settle()
    assert document.has_alpha
    assert document.alpha[20, 50] == 1
    assert document.alpha[100, 100] == 0

    desk.engine.release("auto")
    desk.session.cut_again()
    desk.settle()
    assert document.alpha[20, 50] == 1  # the stroke stays over the network's answer
    assert document.alpha[80, 20] == 1


def test_painting_background_first_takes_away_from_the_whole_photo(desk: Any) -> None:
    desk.engine.failures["auto"] = DeviceError("The graphics card failed. Choose the processor in the settings.")
    desk.open()
    assert desk.texts == ["The graphics card failed. Choose the processor in the settings."]
    assert desk.session.current.state is PhotoState.FAILED
    desk.stroke((50, 20), label=Label.BACKGROUND)
    desk.settle()
    assert desk.session.document.alpha[20, 50] == 0
    assert desk.session.document.alpha[100, 100] == 1


def test_strokes_painted_before_the_network_fails_go_on_by_hand(desk: Any, expect_log: Any) -> None:
    expect_log("unforeseen failure while cutting out a.jpg")
    desk.engine.hold("auto")
    desk.engine.failures["auto"] = RuntimeError("bug")
    desk.session.open([desk.photo()])
    desk.pump.until(lambda: desk.engine.entered("auto"))
    desk.stroke((50, 20))
    desk.engine.release("auto")
    desk.settle()
    assert desk.session.document.has_alpha
    assert desk.session.document.alpha[20, 50] == 1
    assert desk.session.can_undo
    assert desk.texts == ["Something unforeseen went wrong while cutting out a.jpg; the log has the details."]


def test_an_answer_that_does_not_fit_is_a_failure_not_a_broken_document(desk: Any, expect_log: Any) -> None:
    expect_log("unforeseen failure while cutting out")
    desk.engine.trimap_of = lambda pixels: np.zeros((3, 3), np.uint8)
    desk.engine.alpha_of = lambda pixels, trimap: np.zeros((3, 3), np.float32)
    desk.engine.colours_of = lambda pixels, alpha: pixels
    desk.open()
    assert desk.session.document.alpha.shape == (200, 300)


def test_memory_that_runs_out_is_told_in_words(desk: Any, expect_log: Any) -> None:
    expect_log("out of memory while cutting out a.jpg")
    desk.engine.failures["auto"] = MemoryError()
    desk.open()
    assert desk.texts == ["There was not enough memory for cutting out a.jpg. Close other programs and try again."]


# --- cut again -------------------------------------------------------------------------------------------------------


def test_cut_again_is_one_undo_step(desk: Any) -> None:
    desk.open()
    fresh = desk.state
    desk.stroke((50, 20), (250, 180))
    desk.settle()
    painted = desk.state
    desk.session.cut_again()
    assert desk.session.current.state is PhotoState.MATTING
    desk.settle()
    assert desk.state == fresh
    desk.session.undo()
    desk.settle()
    assert desk.state == painted
    desk.session.undo()
    desk.settle()
    assert desk.state == fresh
    desk.session.redo()
    desk.session.redo()
    desk.settle()
    assert desk.state == fresh
    assert not desk.session.can_redo


def test_strokes_painted_while_it_is_cut_again_stay(desk: Any) -> None:
    desk.open()
    desk.stroke((50, 20))
    desk.settle()
    desk.engine.hold("auto")
    desk.session.cut_again()
    desk.pump.until(lambda: desk.engine.entered("auto") == 2)
    desk.stroke((200, 20))
    desk.engine.release("auto")
    desk.settle()
    document = desk.session.document
    assert document.alpha[20, 50] == 0
    assert document.alpha[20, 200] == 1
    desk.session.undo()
    assert (document.trimap == desk.engine.trimap_of(document.source)).all()


def test_cut_again_without_a_network_offers_one(desk: Any) -> None:
    desk.open()
    desk.models.installed = None
    desk.session.cut_again()
    assert desk.messages[-1].offers == (Offer.INSTALL_MODEL, Offer.IMPORT_MODEL)


# --- export ----------------------------------------------------------------------------------------------------------


def test_export_writes_what_is_shown(desk: Any) -> None:
    desk.open()
    desk.stroke((50, 20))
    desk.settle()
    document = desk.session.document
    target = desk.session.suggested_name(PNG)
    assert target == desk.folder / "a_cutout.png"
    desk.session.export(target, PNG)
    desk.settle()
    cutout, recipe, metadata, protect = desk.files.saved[target]
    assert (cutout.alpha == document.alpha).all()
    assert (cutout.foreground == document.foreground).all()
    assert cutout.source is document.source
    assert recipe == PNG
    assert metadata.path == desk.folder / "a.jpg"
    assert protect == (desk.folder / "a.jpg",)
    assert desk.heard(Exported) == [Exported(target)]
    assert desk.messages[-1].offers == (Offer.SHOW_IN_FOLDER,)
    assert desk.messages[-1].path == target
    assert desk.session.busy is None


def test_an_export_does_not_see_what_is_painted_later(desk: Any) -> None:
    desk.open()
    document = desk.session.document
    alpha, foreground = document.alpha.copy(), document.foreground.copy()
    desk.files.save_gate = threading.Event()
    desk.session.export(desk.folder / "out.png", PNG)
    desk.pump.until(lambda: desk.session.busy.stage == "save")
    desk.stroke((50, 20), (250, 150))
    desk.pump.until(lambda: desk.heard(ForegroundChanged)[1:])
    assert (document.alpha != alpha).any()
    desk.files.save_gate.set()
    desk.settle()
    cutout = desk.files.saved[desk.folder / "out.png"][0]
    assert (cutout.alpha == alpha).all()
    assert (cutout.foreground == foreground).all()


def test_an_export_computes_what_is_still_owed(desk: Any) -> None:
    desk.open()
    desk.engine.hold("rematte")
    desk.session.stroke_begin(Label.FOREGROUND, 10, (50, 20))
    desk.session.export(desk.folder / "out.png", PNG)  # ends the stroke
    assert not desk.session.painting
    desk.engine.release("rematte")
    desk.settle()
    cutout = desk.files.saved[desk.folder / "out.png"][0]
    assert cutout.alpha[20, 50] == 1
    assert (cutout.foreground == desk.engine.colours_of(cutout.source, cutout.alpha)).all()
    assert (cutout.alpha == desk.session.document.alpha).all()


def test_export_before_the_cut_out_is_refused(desk: Any) -> None:
    desk.engine.hold("auto")
    desk.session.open([desk.photo()])
    desk.pump.until(lambda: desk.engine.entered("auto"))
    desk.session.export(desk.folder / "out.png", PNG)
    assert desk.texts == ["a.jpg is not cut out yet. Wait for the network, or paint the subject by hand."]


def test_a_failed_save_says_why_and_the_source_is_protected(desk: Any) -> None:
    desk.open()
    desk.session.export(desk.folder / "a.jpg", PNG)
    desk.settle()
    assert desk.texts == ["a.jpg is the source. Choose another name."]
    desk.files.save_failure = SaveError("out.png could not be written: the disk is full.")
    desk.session.export(desk.folder / "out.png", PNG)
    desk.settle()
    assert desk.texts[-1] == "out.png could not be written: the disk is full."
    assert desk.heard(Exported) == []


def test_an_export_can_be_cancelled(desk: Any) -> None:
    desk.open()
    desk.files.save_gate = threading.Event()
    desk.session.export(desk.folder / "out.png", PNG)
    desk.pump.until(lambda: desk.session.busy.stage == "save")
    desk.session.cancel()
    desk.settle()
    assert desk.texts == ["Cancelled. out.png was not written."]
    assert desk.files.saved == {}


def test_suggested_names_are_free(desk: Any) -> None:
    desk.open()
    assert desk.session.suggested_name(ExportRecipe(Format.PSD)).name == "a_cutout.psd"
    (desk.folder / "a_cutout.png").touch()
    (desk.folder / "a_cutout-2.png").touch()
    assert desk.session.suggested_name(ExportRecipe()).name == "a_cutout-3.png"
    assert desk.session.suggested_name(ExportRecipe(alpha_only=True)).name == "a_alpha.png"


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
    assert desk.engine.closed
    desk.session.close()


def test_unsubscribing_ends_the_events(desk: Any) -> None:
    heard: list[Any] = []
    stop = desk.session.subscribe(heard.append)
    stop()
    stop()
    desk.open()
    assert heard == []
