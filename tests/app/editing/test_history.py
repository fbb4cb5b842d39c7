"""Undo and redo, bit for bit, whatever the order in which alpha arrives."""

from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from bgdesk.app.editing.document import Document
from bgdesk.app.editing.editor import Editor
from bgdesk.app.editing.history import TILE, History, Saved, Step, tiles_over
from bgdesk.app.work.activity import Activity
from bgdesk.app.work.events import AlphaChanged
from bgdesk.app.work.jobs import Job, Jobs, Lane, Priority
from bgdesk.core.geometry import Rect, Size
from bgdesk.core.trimap import Label

SIZE = Size(300, 200)


def document(seed: int = 1) -> Document:
    rng = np.random.default_rng(seed)
    result = Document.awaiting(rng.integers(0, 256, (SIZE.height, SIZE.width, 3), np.uint8), Path("a.jpg"))
    trimap = rng.choice(np.array([0, 128, 255], np.uint8), (SIZE.height, SIZE.width))
    result.replace(trimap, rng.random(trimap.shape, np.float32), result.source.copy(), {})
    return result


def state(document: Document) -> tuple[bytes, bytes, tuple[Rect, ...]]:
    return document.trimap.tobytes(), document.alpha.tobytes(), document.debt


# --- tiles -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "array",
    [
        np.arange(12, dtype=np.uint8).reshape(3, 4),
        np.full((128, 128), 255, np.uint8),
        np.full((5, 7), np.float32(1 / 3)),
        np.linspace(0, 1, 128 * 100, dtype=np.float32).reshape(128, 100),
        np.array([[0.0, -0.0], [np.nan, np.inf]], np.float32),
        np.array([[0.0, -0.0]], np.float32),
        np.arange(64, dtype=np.float32).reshape(8, 8)[2:5, 1:4],
    ],
)
def test_packing_keeps_every_bit(array: Any) -> None:
    saved = Saved(array)
    assert not saved.packed
    before = saved.nbytes
    assert saved.load().tobytes() == array.tobytes()
    saved.pack()
    saved.pack()
    assert saved.packed
    assert saved.load().dtype == array.dtype
    assert saved.load().shape == array.shape
    assert saved.load().tobytes() == array.tobytes()
    assert before == array.nbytes


def test_uniform_tiles_take_next_to_nothing() -> None:
    saved = Saved(np.ones((TILE, TILE), np.float32))
    saved.pack()
    assert saved.nbytes == 4


@given(
    st.builds(Rect, st.integers(-50, 320), st.integers(-50, 220), st.integers(-50, 320), st.integers(-50, 220)),
)
def test_tiles_cover_the_rectangle_and_are_always_the_same_ones(rect: Rect) -> None:
    tiles = list(tiles_over(rect, SIZE))
    grid = set(Rect.full(SIZE).tiles(TILE))
    assert set(tiles) <= grid
    assert len(tiles) == len(set(tiles))
    assert set(tiles) == {tile for tile in grid if tile.overlaps(rect)}


# --- the stack alone -------------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.sampled_from(["stroke", "alpha", "undo", "redo", "pack", "whole"]), st.integers(0, 2**30)), max_size=30))
@settings(max_examples=150)
def test_undoing_everything_and_redoing_everything(actions: list[tuple[str, int]]) -> None:
    doc = document()
    history = History(doc, 1 << 40)
    start = state(doc)
    for action, seed in actions:
        rng = np.random.default_rng(seed)
        left, top = int(rng.integers(0, 250)), int(rng.integers(0, 150))
        rect = Rect(left, top, left + int(rng.integers(1, 50)), top + int(rng.integers(1, 50)))
        if action == "stroke":
            step = Step()
            history.touch(step, rect)
            doc.trimap[rect.slices] = rng.choice([0, 128, 255])
            history.push(step)
            doc.debt = (*doc.debt, rect)
        elif action == "alpha" and history.done:  # alpha is only ever owed after a stroke
            history.touch_alpha(rect)
            doc.patch_alpha(rect, rng.random((rect.height, rect.width), np.float32))
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
        elif action == "whole":
            history.push(history.whole())
            doc.replace(rng.choice(np.array([0, 255], np.uint8), doc.trimap.shape), rng.random(doc.alpha.shape, np.float32), None, {})
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
    doc = document()
    history = History(doc, 20_000)
    states = [state(doc)]
    for index in range(10):
        step = Step()
        rect = Rect(index, index, index + 5, index + 5)
        history.touch(step, rect)
        doc.trimap[rect.slices] = 255
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
    doc = document()
    history = History(doc, int(1.5 * TILE * TILE))
    for _ in range(2):
        step = Step()
        history.touch(step, Rect(0, 0, 1, 1))
        history.push(step)
    assert history.nbytes == 2 * TILE * TILE
    assert not history.trim()
    history.limit = TILE * TILE // 2
    assert history.trim()
    assert len(history.done) == 1


def test_the_last_step_is_kept_whatever_it_takes() -> None:
    doc = document()
    history = History(doc, 1)
    before = state(doc)
    history.push(history.whole())
    doc.replace(np.zeros_like(doc.trimap), np.zeros_like(doc.alpha), None, {})
    history.trim()
    assert history.undo() is not None
    assert state(doc) == before


def test_a_new_step_forgets_what_was_undone() -> None:
    doc = document()
    history = History(doc, 1 << 30)
    history.push(Step())
    history.undo()
    history.push(Step())
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
    doc = editor.document
    known = doc.trimap != Label.UNKNOWN
    return bool((doc.alpha[known] == (doc.trimap[known] == Label.FOREGROUND)).all())


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
    editor = Editor(Document.awaiting(pixels), engine, activity, lambda event: None, lambda: None, 1 << 40)
    editor.adopt(engine.auto(editor.document.source))
    start = state(editor.document)
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
    if not editor.document.debt:
        assert answered(editor)
    end = state(editor.document)
    stops = [end]
    while editor.history.done:
        editor.undo()
        stops.append(state(editor.document))
    assert state(editor.document) == start
    for stop in stops[-2::-1]:
        editor.redo()
        assert state(editor.document) == stop
    jobs.finish()
    assert editor.document.debt == ()
    assert answered(editor)
    editor.stroke_begin(Label.UNKNOWN, 3, (10, 10))
    editor.stroke_end()
    jobs.finish()
    while editor.history.done:
        editor.undo()
        jobs.finish()
    assert state(editor.document) == start


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
    editor = Editor(document(), engine, Activity(jobs, events.append), events.append, lambda: None, 1 << 30)
    editor.stroke_begin(Label.FOREGROUND, 9, (100, 100))
    editor.stroke_end()
    before = editor.document.alpha.tobytes()
    for lane, _, job in list(jobs.waiting):
        if lane is Lane.COMPUTE:
            jobs.waiting.remove((lane, job.priority, job))
            job.run(jobs.posted.append)  # computed, and on its way
    editor.undo()
    events.clear()
    while jobs.posted:
        jobs.deliver()
    assert editor.document.alpha.tobytes() == before
    assert not [event for event in events if isinstance(event, AlphaChanged)]
