"""How far strokes reach: labels that flow, what they leave alone, and looking again."""

from dataclasses import replace
from typing import Any

from bgdesk.app.editing.render_export import prepare
from bgdesk.app.work.events import Severity
from bgdesk.core.engine import Reach
from bgdesk.core.formats import Format
from bgdesk.core.recipe import ExportRecipe
from bgdesk.core.trimap import Label

PNG = ExportRecipe(Format.PNG)


def test_labels_that_have_flown_belong_to_the_stroke(desk: Any) -> None:
    desk.open()
    desk.engine.flows = True
    start = desk.state
    desk.stroke((150, 20), radius=5)
    desk.settle()
    work = desk.session.work
    assert work.labels[20, 165] == Label.FOREGROUND  # not painted: flown to
    assert work.solved[20, 165] == 1
    assert desk.engine.reaches[0][0] is Reach.SMART
    after = desk.state
    desk.session.undo()
    desk.settle()
    assert desk.state == start
    desk.session.redo()
    desk.settle()
    assert desk.state == after


def test_exact_strokes_flow_nowhere(desk: Any) -> None:
    desk.session.configure(replace(desk.session.settings, reach="exact"))
    desk.open()
    desk.engine.flows = True
    desk.stroke((150, 20), radius=5)
    desk.settle()
    assert desk.session.work.labels[20, 165] == Label.BACKGROUND
    desk.session.configure(replace(desk.session.settings, reach="smart"))  # from the next stroke on
    desk.stroke((150, 60), radius=5)
    desk.settle()
    assert [reach for reach, *_ in desk.engine.reaches] == [Reach.EXACT, Reach.SMART]


def test_a_flow_leaves_the_core_of_earlier_strokes_alone(desk: Any) -> None:
    desk.open()
    desk.engine.flows = True
    desk.stroke((165, 20), label=Label.BACKGROUND, radius=4)
    desk.settle()
    desk.stroke((150, 20), radius=5)
    desk.settle()
    trimap = desk.session.work.labels
    assert (trimap[19:22, 164:167] == Label.BACKGROUND).all()
    assert trimap[20, 140] == Label.FOREGROUND
    assert [again for _, _, again in desk.engine.reaches] == [False, False]
    desk.stroke((40, 150), label=Label.UNKNOWN)
    desk.settle()
    assert desk.engine.reaches[-1][2] is True


def test_a_flow_under_the_next_stroke_is_worked_out_with_it(desk: Any) -> None:
    desk.open()
    desk.engine.flows = True
    start = desk.state
    desk.engine.hold("rematte")
    desk.stroke((150, 20), radius=5)
    desk.pump.until(lambda: desk.engine.entered("rematte") == 1)
    desk.session.stroke_begin(Label.FOREGROUND, 5, (100, 20))  # in the same tile, beside what runs
    desk.engine.release("rematte")
    desk.settle()
    assert desk.session.work.labels[20, 165] != Label.FOREGROUND
    assert len(desk.session.pending_rects) == 2
    desk.session.stroke_end()
    desk.settle()
    assert desk.session.pending_rects == ()
    assert desk.session.work.labels[20, 165] == Label.FOREGROUND
    assert desk.session.work.labels[20, 115] == Label.FOREGROUND
    desk.session.undo()
    desk.settle()
    desk.session.undo()
    desk.settle()
    assert desk.state == start


def test_an_export_before_the_answer_holds_what_the_answer_brings(desk: Any) -> None:
    desk.open()
    desk.engine.flows = True
    desk.engine.hold("rematte")
    desk.stroke((150, 20), radius=5)
    work = desk.session.work
    snapshot = work.freeze(Reach.SMART, desk.session._editor.history.standing)
    desk.engine.release("rematte")
    cutout = prepare(snapshot, ExportRecipe(), desk.engine)
    work.release(snapshot)
    desk.settle()
    assert (cutout.alpha == work.solved).all()
    assert (cutout.trimap == work.labels).all()


def test_a_flow_does_not_take_what_was_painted_meanwhile(desk: Any) -> None:
    desk.open()
    desk.engine.flows = True
    desk.engine.hold("rematte")
    desk.stroke((150, 20), radius=5)
    desk.pump.until(lambda: desk.engine.entered("rematte") == 1)
    desk.stroke((165, 20), label=Label.BACKGROUND, radius=2)  # finished, beside what runs, where its label flows to
    desk.engine.release("rematte")
    desk.settle()
    work = desk.session.work
    assert (work.labels[20, 164:167] == Label.BACKGROUND).all()
    assert (work.solved[20, 164:167] == 0).all()


def test_a_flow_does_not_take_the_core_of_what_was_painted_unknown(desk: Any) -> None:
    desk.open()
    desk.stroke((165, 20), label=Label.UNKNOWN, radius=4)
    desk.settle()
    desk.engine.flows = True
    desk.stroke((150, 20), radius=5)
    desk.settle()
    trimap = desk.session.work.labels
    assert (trimap[20, 163:167] == Label.UNKNOWN).all()
    assert trimap[20, 158] == Label.FOREGROUND  # up to there it flows


def test_an_answer_dropped_under_a_stroke_is_asked_for_again_when_that_is_given_up(desk: Any) -> None:
    desk.open()
    desk.engine.flows = True
    desk.engine.hold("rematte")
    desk.stroke((150, 20), radius=5)
    desk.pump.until(lambda: desk.engine.entered("rematte") == 1)
    desk.session.stroke_begin(Label.FOREGROUND, 5, (100, 20))
    desk.engine.release("rematte")
    desk.settle()
    desk.session.stroke_cancel()
    desk.settle()
    assert desk.session.pending_rects == ()
    assert desk.session.work.solved[20, 150] == 1


def test_strokes_that_another_cut_took_away_fix_nothing(desk: Any) -> None:
    desk.open()
    desk.engine.flows = True
    desk.stroke((165, 20), label=Label.BACKGROUND, radius=4)
    desk.settle()
    desk.session.cut_again()
    desk.settle()
    desk.stroke((150, 20), radius=5)
    desk.settle()
    assert desk.session.work.labels[20, 165] == Label.FOREGROUND
    desk.session.undo()
    desk.settle()
    desk.session.undo()  # the first paint stands again
    desk.settle()
    desk.stroke((150, 20), radius=5)
    desk.settle()
    assert desk.session.work.labels[20, 165] == Label.BACKGROUND


def test_looking_again_is_for_the_strokes_that_ask(desk: Any) -> None:
    desk.open()
    desk.stroke((40, 150), label=Label.UNKNOWN)
    desk.settle()
    desk.stroke((44, 152))  # over it, with an answer of its own
    desk.settle()
    assert [again for *_, again in desk.engine.reaches] == [True, False]
    desk.engine.hold("rematte")
    desk.stroke((200, 150), label=Label.UNKNOWN)
    desk.session.undo()
    desk.session.redo()  # not worked out yet: it asks still
    desk.engine.release("rematte")
    desk.settle()
    assert desk.engine.reaches[-1][2] is True


def test_an_edge_that_was_not_refined_is_told_each_time(desk: Any) -> None:
    desk.open()
    desk.engine.stroke_notes = ("The edge of a stroke is less precise.",)
    for y in (20, 60):
        desk.stroke((150, y), radius=5)
        desk.settle()
    said = [(m.severity, m.text, m.about) for m in desk.messages]
    assert said == [(Severity.WARNING, "a.jpg: The edge of a stroke is less precise.", desk.session.current.key)] * 2


def test_what_an_export_finds_out_is_told(desk: Any) -> None:
    desk.open()
    desk.engine.hold("rematte")
    desk.stroke((150, 20), radius=5)
    desk.engine.stroke_notes = ("The edge of a stroke is less precise.",)
    desk.session.export(desk.folder / "out.png", PNG)
    desk.session.cancel()  # the stroke's own re-matting: the export makes its own
    desk.engine.release("rematte")
    desk.settle()
    assert "a.jpg: The edge of a stroke is less precise." in desk.texts
    assert desk.folder / "out.png" in desk.files.saved
