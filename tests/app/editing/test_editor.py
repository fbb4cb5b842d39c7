"""Strokes, their re-matting, undo, and strokes painted before there is an answer."""

from typing import Any

import numpy as np

from bgdesk.app.session.photos import PhotoState
from bgdesk.app.work.events import AlphaChanged, ForegroundChanged, HistoryChanged, LabelsChanged, Offer, Severity
from bgdesk.core.errors import MattingError
from bgdesk.core.formats import Format
from bgdesk.core.geometry import Rect
from bgdesk.core.pixels.brush import RIM
from bgdesk.core.recipe import ExportRecipe
from bgdesk.core.trimap import Label

PNG = ExportRecipe(Format.PNG)


# --- strokes ---------------------------------------------------------------------------------------------------------


def test_a_stroke_changes_its_region_alone(desk: Any) -> None:
    desk.open()
    work = desk.session.work
    trimap, alpha = work.labels.copy(), work.solved.copy()
    desk.events.clear()
    desk.session.stroke_begin(Label.FOREGROUND, 8, (60, 20))
    assert desk.session.painting
    assert work.labels[20, 60] == Label.FOREGROUND
    assert (work.solved == alpha).all()
    desk.session.stroke_extend((80, 24))
    assert desk.session.pending_rects == (Rect(52, 12, 89, 33).grow(RIM),)
    assert [event.rect for event in desk.heard(LabelsChanged)] == [Rect(52, 12, 69, 29).grow(RIM), Rect(52, 12, 89, 33).grow(RIM)]
    desk.session.stroke_end()
    assert desk.session.pending_rects == (Rect(52, 12, 89, 33).grow(RIM),)
    assert desk.session.can_undo
    desk.settle()

    roi = Rect(52, 12, 89, 33).grow(RIM)
    assert desk.session.pending_rects == ()
    assert desk.heard(AlphaChanged) == [AlphaChanged(roi.grow(5))]
    assert work.solved[20, 60] == 1
    changed = np.zeros(alpha.shape, bool)
    changed[roi.slices] = True
    assert (work.solved[~changed] == alpha[~changed]).all()
    assert (work.labels[~changed] == trimap[~changed]).all()
    assert desk.engine.count("auto") == 1  # the network never runs for a stroke
    assert desk.engine.count("rematte") == 1
    assert desk.heard(ForegroundChanged) == [ForegroundChanged(roi.grow(5))]
    assert (work.foreground == desk.engine.colours_of(work.source, work.solved)).all()
    assert 0 < desk.session.timings["rematte"] < 10
    assert desk.session.current.edited


def test_the_engine_is_given_crops(desk: Any) -> None:
    desk.open(desk.photo("large.jpg", 2000, 1500))
    desk.stroke((1000, 700), radius=10)
    desk.settle()
    (roi,) = [what for name, what in desk.engine.calls if name == "rematte"]
    assert roi == Rect(0, 0, 21 + 2 * RIM, 21 + 2 * RIM).shift(24, 24)
    (shape,) = [what for name, what in desk.engine.calls if name == "foreground"]
    assert shape == (21 + 2 * (RIM + 5 + 64), 21 + 2 * (RIM + 5 + 64), 3)


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
    (event,) = desk.heard(LabelsChanged)
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
        assert desk.heard(LabelsChanged)
        assert desk.heard(AlphaChanged)
        assert desk.heard(HistoryChanged)
        assert desk.state == state
        desk.settle()
        assert desk.state == state
        work = desk.session.work
        assert (work.foreground == desk.engine.colours_of(work.source, work.solved)).all()
    assert not desk.session.can_undo
    assert not desk.session.current.edited
    for state in states[1:]:
        desk.session.redo()
        assert desk.state == state
    assert not desk.session.can_redo
    desk.settle()
    assert desk.state == states[-1]
    work = desk.session.work
    assert (work.foreground == desk.engine.colours_of(work.source, work.solved)).all()


def test_pending_strokes_in_one_place_are_solved_together(desk: Any) -> None:
    desk.open()
    desk.engine.hold("rematte")
    desk.stroke((50, 100), (60, 100))
    desk.pump.until(lambda: desk.engine.entered("rematte") == 1)
    desk.stroke((58, 100), (70, 100))  # overlaps what runs: that one stops and joins
    desk.engine.release("rematte")
    desk.settle()
    rois = [what for name, what in desk.engine.calls if name == "rematte"]
    assert [roi.width for roi in rois] == [31 + 2 * RIM, 41 + 2 * RIM]
    assert desk.session.work.solved[100, 50] == 1
    assert desk.session.work.solved[100, 70] == 1
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
    assert [what.size for name, what in desk.engine.calls if name == "rematte"] == [
        (21 + 2 * RIM, 21 + 2 * RIM),
        (41 + 2 * RIM, 21 + 2 * RIM),
    ]


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
    assert desk.session.work.solved[100, 50] == 1


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
    work = desk.session.work
    assert work.solved[20, 50] == 1
    assert work.solved[20, 75] == 0
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
    assert desk.session.work.solved[20, 50] == 1
    first = desk.session.work.solved.copy()
    desk.session.stroke_end()
    desk.settle()
    desk.session.undo()
    assert (desk.session.work.solved == first).all()
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
    assert desk.session.work.solved[20, 50] == 1


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
    assert desk.session.work.solved[20, 50] == 1
    desk.engine.failures.clear()
    desk.session.export(desk.folder / "out.png", PNG)
    desk.settle()
    cutout = desk.files.saved[desk.folder / "out.png"][0]
    assert (cutout.foreground == desk.engine.colours_of(cutout.source, cutout.alpha)).all()


def test_colours_make_room_for_a_stroke_and_are_worked_out_afterwards(desk: Any) -> None:
    desk.open()
    desk.engine.hold("foreground")
    desk.stroke((50, 20))
    desk.pump.until(lambda: desk.engine.entered("foreground") == 1)
    assert desk.session.busy is None
    desk.session.stroke_begin(Label.FOREGROUND, 10, (200, 20))
    desk.pump.until(lambda: desk.engine.entered("foreground") == 2)
    desk.engine.release("foreground")
    desk.session.stroke_cancel()
    desk.settle()
    work = desk.session.work
    assert (work.foreground == desk.engine.colours_of(work.source, work.solved)).all()
    assert work.solved[20, 50] == 1


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
    work = desk.session.work
    expected = desk.engine.trimap_of(work.source)
    assert work.labels[20, 70] == Label.FOREGROUND
    assert work.labels[100, 60] == Label.BACKGROUND
    assert (work.labels[150:] == expected[150:]).all()
    assert work.solved[20, 70] == 1
    assert work.solved[100, 60] == 0
    assert desk.session.pending_rects == ()
    desk.session.undo()
    desk.session.undo()
    assert not desk.session.can_undo
    assert (work.labels == expected).all()
    assert (work.solved == desk.engine.alpha_of(work.source, expected)).all()


def test_an_answer_during_a_stroke_waits_for_its_end(desk: Any) -> None:
    desk.engine.hold("auto")
    desk.session.open([desk.photo()])
    desk.pump.until(lambda: desk.engine.entered("auto"))
    desk.session.stroke_begin(Label.FOREGROUND, 10, (50, 20))
    desk.engine.release("auto")
    desk.settle()
    assert not desk.session.work.has_alpha
    desk.session.stroke_extend((60, 20))
    desk.session.stroke_end()
    desk.settle()
    assert desk.session.work.has_alpha
    assert desk.session.work.solved[20, 55] == 1
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
    work = desk.session.work
    assert (work.labels == desk.engine.trimap_of(work.source)).all()
    assert not desk.session.can_undo


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
    work = desk.session.work
    assert work.solved[20, 50] == 0
    assert work.solved[20, 200] == 1
    desk.session.undo()
    assert (work.labels == desk.engine.trimap_of(work.source)).all()


def test_cut_again_without_a_network_offers_one(desk: Any) -> None:
    desk.open()
    desk.models.installed = None
    desk.session.cut_again()
    assert desk.messages[-1].offers == (Offer.INSTALL_MODEL, Offer.IMPORT_MODEL)
