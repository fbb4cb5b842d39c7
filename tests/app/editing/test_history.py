"""Undo and redo, bit for bit, whatever the order in which alpha arrives."""

from dataclasses import replace
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from bgdesk.app.editing.editor import Editor
from bgdesk.app.editing.history import History, Step
from bgdesk.app.editing.tiles import TILE, SpillFile
from bgdesk.app.editing.work import Work
from bgdesk.app.work.activity import Activity
from bgdesk.app.work.events import AlphaChanged
from bgdesk.app.work.jobs import Job, Jobs, Lane, Priority
from bgdesk.core.geometry import Rect
from bgdesk.core.recipe import EdgeRecipe, Recipe
from bgdesk.core.trimap import Label
from tests.app.editing.works import SIZE, a_work, state

# --- the stack alone -------------------------------------------------------------------------------------------------


@given(
    st.lists(
        st.tuples(st.sampled_from(["stroke", "alpha", "undo", "redo", "pack", "spill", "whole", "recipe", "drag"]), st.integers(0, 2**30)),
        max_size=30,
    )
)
@settings(max_examples=150)
def test_undoing_everything_and_redoing_everything(tmp_path_factory: pytest.TempPathFactory, actions: list[tuple[str, int]]) -> None:
    doc, file, drag = a_work(), SpillFile(tmp_path_factory.getbasetemp()), object()
    history = History(doc, 1 << 40)
    start = state(doc)
    for action, seed in actions:
        rng = np.random.default_rng(seed)
        left, top = int(rng.integers(0, 250)), int(rng.integers(0, 150))
        rect = Rect(left, top, left + int(rng.integers(1, 50)), top + int(rng.integers(1, 50)))
        if action == "stroke":
            step = Step(name="paint")
            history.touch(step, rect)
            doc.labels[rect.slices] = rng.choice([0, 128, 255])
            history.push(step)
            doc.debt = (*doc.debt, rect)
        elif action == "alpha" and history.done:  # alpha is only ever owed after a stroke
            history.touch_solved(rect)
            doc.patch_solved(rect, rng.random((rect.height, rect.width), np.float32))
            doc.debt = doc.debt[1:]
        elif action == "undo":
            now = state(doc)
            if history.undo() is not None:
                assert history.redo() is not None
                assert state(doc) == now
                history.undo()
        elif action == "redo":
            history.redo()
        elif action == "pack":
            for step in history.done + history.undone:
                for saved in step.saved:
                    saved.pack()
        elif action == "spill":
            for step in history.done + history.undone:
                for saved in step.saved:
                    saved.spill(file)
        elif action in ("recipe", "drag"):
            recipe = replace(doc.recipe, edge=EdgeRecipe(shift=seed % 19))
            if recipe != doc.recipe:
                history.change_recipe(recipe, "shift edge", drag if action == "drag" else None)
        elif action == "whole":
            history.push(history.whole("cut out again"))
            doc.replace(rng.choice(np.array([0, 255], np.uint8), doc.labels.shape), rng.random(doc.solved.shape, np.float32), None, {})
    while history.redo() is not None:
        pass
    end = state(doc)
    stops = [end]
    while history.undo() is not None:
        stops.append(state(doc))
    assert state(doc) == start
    for stop in stops[-2::-1]:
        assert history.redo() is not None
        assert state(doc) == stop
    assert state(doc) == end
    assert history.redo() is None


def test_the_oldest_steps_go_when_memory_is_short() -> None:
    doc = a_work()
    history = History(doc, 20_000)
    states = [state(doc)]
    for index in range(10):
        step = Step(name="paint")
        rect = Rect(index, index, index + 5, index + 5)
        history.touch(step, rect)
        doc.labels[rect.slices] = 255
        history.push(step)
        for saved in step.saved:
            saved.pack()
        states.append(state(doc))
    size = history.done[0].nbytes
    assert history.trim()
    assert history.trimmed
    kept = len(history.done)
    assert kept == 20_000 // size
    assert history.nbytes <= 20_000
    for index in range(kept):
        history.undo()
        assert state(doc) == states[9 - index]
    assert history.undo() is None
    for step in history.undone:
        for saved in step.saved:
            saved.pack()
    assert not history.trim()
    history.limit = size
    assert history.trim()
    assert len(history.undone) == 1
    assert history.redo() is not None
    assert state(doc)[0] == states[10 - kept + 1][0]  # the steps farthest ahead went


def test_tiles_that_are_not_packed_yet_do_not_push_others_out() -> None:
    doc = a_work()
    history = History(doc, int(1.5 * TILE * TILE))
    for _ in range(2):
        step = Step(name="paint")
        history.touch(step, Rect(0, 0, 1, 1))
        history.push(step)
    assert history.nbytes == 2 * TILE * TILE
    assert not history.trim()
    history.limit = TILE * TILE // 2
    assert history.trim()
    assert len(history.done) == 1


def test_the_last_step_is_kept_whatever_it_takes() -> None:
    doc = a_work()
    history = History(doc, 1)
    before = state(doc)
    history.push(history.whole("cut out again"))
    doc.replace(np.zeros_like(doc.labels), np.zeros_like(doc.solved), None, {})
    history.trim()
    assert history.undo() is not None
    assert state(doc) == before


def test_a_new_step_forgets_what_was_undone() -> None:
    doc = a_work()
    history = History(doc, 1 << 30)
    history.push(Step(name="paint"))
    history.undo()
    history.push(Step(name="paint"))
    assert history.redo() is None


# --- the editor, with every order of events --------------------------------------------------------------------------


class Puppet(Jobs):
    """Jobs that run when the test says so, on the test's thread: `work` runs the next one, `deliver` hands on one answer."""

    def __init__(self) -> None:
        self.posted: list[Any] = []
        self.waiting: list[tuple[Lane, Priority, Job[Any]]] = []

    def submit(self, lane: Lane, work: Any, **options: Any) -> Any:
        defaults = {"on_done": None, "on_error": None, "on_cancelled": None, "on_progress": None}
        options = {"priority": Priority.NORMAL, "preemptible": False, **defaults, **options}
        job: Job[Any] = Job(work, **options)
        item = (lane, job.priority, job)

        def leave() -> bool:
            found = item in self.waiting
            if found:
                self.waiting.remove(item)
            return found

        job.queued(leave, self.posted.append)
        self.waiting.append(item)
        return job

    def preempt(self, lane: Lane) -> None:
        pass

    def work(self, index: int = 0) -> None:
        if self.waiting:
            self.waiting.pop(index % len(self.waiting))[2].run(self.posted.append)

    def deliver(self) -> None:
        if self.posted:
            self.posted.pop(0)()

    def finish(self) -> None:
        while self.waiting or self.posted:
            self.work()
            while self.posted:
                self.deliver()


def answered(editor: Editor) -> bool:
    """Every pixel that is known in the trimap has that alpha, where strokes have been painted."""
    doc = editor.work
    known = doc.labels != Label.UNKNOWN
    return bool((doc.solved[known] == (doc.labels[known] == Label.FOREGROUND)).all())


Action = st.tuples(
    st.sampled_from(["stroke", "stroke", "press", "release", "give up", "undo", "redo", "work", "work", "deliver", "deliver", "cancel"]),
    st.integers(0, 2**30),
)


@given(st.lists(Action, max_size=40))
@settings(max_examples=120)
def test_any_order_of_strokes_undo_and_late_answers(fake: list[tuple[str, int]]) -> None:
    jobs = Puppet()
    activity = Activity(jobs, lambda event: None)
    engine = make_engine()
    pixels = np.random.default_rng(5).integers(0, 256, (SIZE.height, SIZE.width, 3), np.uint8)
    editor = Editor(Work.awaiting(pixels), engine, activity, lambda event: None, lambda: None, lambda notes: None, 1 << 40)
    editor.adopt(engine.auto(editor.work.source))
    start = state(editor.work)
    for action, seed in fake:
        rng = np.random.default_rng(seed)
        point = (float(rng.integers(-10, 310)), float(rng.integers(-10, 210)))
        label = Label(int(rng.choice([0, 128, 255])))
        if action in ("stroke", "press"):
            editor.stroke_begin(label, float(rng.integers(1, 25)), point)
            editor.stroke_extend((point[0] + float(rng.integers(-40, 40)), point[1] + 7.5))
        if action in ("stroke", "release"):
            editor.stroke_end()
        elif action == "give up":
            editor.stroke_cancel()
        elif action == "undo":
            editor.undo()
        elif action == "redo":
            editor.redo()
        elif action == "work":
            jobs.work(seed)
        elif action == "deliver":
            jobs.deliver()
        elif action == "cancel":
            activity.cancel()
    editor.stroke_end()
    while editor.history.undone:
        editor.redo()
    jobs.finish()
    if not editor.work.debt:
        assert answered(editor)
    end = state(editor.work)
    stops = [end]
    while editor.history.done:
        editor.undo()
        stops.append(state(editor.work))
    assert state(editor.work) == start
    for stop in stops[-2::-1]:
        editor.redo()
        assert state(editor.work) == stop
    jobs.finish()
    assert editor.work.debt == ()
    assert answered(editor)
    editor.stroke_begin(Label.UNKNOWN, 3, (10, 10))
    editor.stroke_end()
    jobs.finish()
    while editor.history.done:
        editor.undo()
        jobs.finish()
    assert state(editor.work) == start


def make_engine() -> Any:
    return ENGINE[0]()


ENGINE: list[Any] = []


@pytest.fixture(autouse=True)
def _engine(fake_engine: Any) -> None:
    """The fake engine's class, for tests that need a new engine for every example."""
    ENGINE[:] = [type(fake_engine)]


def test_an_answer_that_was_overtaken_by_undo_is_dropped() -> None:
    jobs = Puppet()
    events: list[Any] = []
    engine = make_engine()
    editor = Editor(a_work(), engine, Activity(jobs, events.append), events.append, lambda: None, lambda notes: None, 1 << 30)
    editor.stroke_begin(Label.FOREGROUND, 9, (100, 100))
    editor.stroke_end()
    before = editor.work.solved.tobytes()
    for lane, _, job in list(jobs.waiting):
        if lane is Lane.COMPUTE:
            jobs.waiting.remove((lane, job.priority, job))
            job.run(jobs.posted.append)  # computed, and on its way
    editor.undo()
    events.clear()
    while jobs.posted:
        jobs.deliver()
    assert editor.work.solved.tobytes() == before
    assert not [event for event in events if isinstance(event, AlphaChanged)]


# --- recipes ---------------------------------------------------------------------------------------------------------


def shifted(recipe: Recipe, shift: float) -> Recipe:
    return replace(recipe, edge=EdgeRecipe(shift=shift))


def test_changes_of_one_drag_are_one_step() -> None:
    doc = a_work()
    history, before, drag = History(doc, 1 << 30), doc.recipe, object()
    for shift in (1.0, 2.0, 3.0):
        history.change_recipe(shifted(before, shift), "shift edge", drag)
    assert len(history.done) == 1
    names = [history.undo_name]
    history.change_recipe(shifted(before, 4), "shift edge", object())
    assert len(history.done) == 2
    history.undo()
    assert doc.recipe == shifted(before, 3)
    history.undo()
    assert doc.recipe == before
    names += [history.undo_name, history.redo_name]
    assert names == ["shift edge", None, "shift edge"]
    history.redo()
    assert doc.recipe == shifted(before, 3)


def test_a_drag_that_ends_where_it_began_is_no_step() -> None:
    doc = a_work()
    history, before, drag = History(doc, 1 << 30), doc.recipe, object()
    history.change_recipe(shifted(before, 1), "shift edge", drag)
    history.change_recipe(before, "shift edge", drag)
    assert history.done == []
    assert doc.edit_id == 0


def test_a_drag_does_not_join_what_was_undone() -> None:
    doc = a_work()
    history, before, drag = History(doc, 1 << 30), doc.recipe, object()
    history.change_recipe(shifted(before, 1), "shift edge", drag)
    history.undo()
    history.change_recipe(shifted(before, 2), "shift edge", drag)
    history.undo()
    assert doc.recipe == before


def test_alpha_that_comes_late_belongs_to_the_change_of_recipe_on_top() -> None:
    doc = a_work()
    history, rect = History(doc, 1 << 30), Rect(0, 0, 9, 9)
    step = Step(name="paint")
    history.touch(step, rect)
    history.push(step)
    doc.debt = (rect,)
    painted = doc.solved.tobytes()
    history.change_recipe(shifted(doc.recipe, 1), "shift edge")
    history.touch_solved(rect)
    doc.patch_solved(rect, np.full((9, 9), 0.5, np.float32))
    doc.debt = doc.debt[1:]
    history.undo()
    assert doc.solved.tobytes() == painted
    assert list(doc.debt) == [rect]  # the alpha of the stroke is worked out again


def test_the_edit_id_names_the_state() -> None:
    doc = a_work()
    history = History(doc, 1 << 30)
    ids = [doc.edit_id]
    for shift in (1.0, 2.0):
        history.change_recipe(shifted(doc.recipe, shift), "shift edge")
        ids.append(doc.edit_id)
    assert ids[0] == 0
    assert len(set(ids)) == 3
    for expected in ids[1::-1]:
        history.undo()
        assert doc.edit_id == expected
    history.redo()
    assert doc.edit_id == ids[1]
    history.change_recipe(shifted(doc.recipe, 9), "shift edge")
    assert doc.edit_id not in ids


def test_steps_dropped_for_want_of_room_leave_an_edit() -> None:
    doc = a_work()
    history = History(doc, 1)
    for _ in range(2):
        step = Step(name="paint")
        history.touch(step, Rect(0, 0, 5, 5))
        history.push(step)
        for saved in step.saved:
            saved.pack()
    assert history.trim()
    history.undo()
    assert doc.edit_id != 0
