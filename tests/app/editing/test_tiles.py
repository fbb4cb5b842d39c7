"""What undo keeps of a picture, packed and on disk: every bit of it."""

from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from bgdesk.app.editing.history import History, Step
from bgdesk.app.editing.tiles import TILE, Saved, SpillFile, tiles_over
from bgdesk.core.geometry import Rect
from tests.app.editing.works import SIZE, a_work, state


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
def test_packing_and_spilling_keep_every_bit(array: Any, tmp_path: Path) -> None:
    saved = Saved(array)
    packed, before = [saved.packed], saved.nbytes
    assert saved.load().tobytes() == array.tobytes()
    for _ in range(2):
        saved.pack()
        packed.append(saved.packed)
        assert saved.load().tobytes() == array.tobytes()
    saved.spill(SpillFile(tmp_path))
    packed.append(saved.packed)
    assert packed == [False, True, True, True]
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


def test_steps_on_disk_take_no_memory_and_the_file_goes_with_them(tmp_path: Path) -> None:
    doc = a_work()
    history, before = History(doc, 1 << 30), state(doc)
    step = Step(name="paint")
    history.touch(step, doc.rect)
    doc.labels[:] = 255
    history.push(step)
    file = SpillFile(tmp_path)
    for saved in step.saved:
        saved.spill(file)
    assert history.nbytes == 0
    assert history.spilled > 0
    assert file.nbytes == history.spilled
    assert list(tmp_path.iterdir()) == []  # it has no name: whatever becomes of the program, nothing is left
    history.undo()
    assert state(doc) == before


def test_a_disk_that_cannot_be_read_leaves_everything_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    doc = a_work()
    history = History(doc, 1 << 30)
    step = Step(name="paint")
    history.touch(step, Rect(0, 0, 5, 5))
    doc.labels[:5, :5] = 255
    history.push(step)
    file, after = SpillFile(tmp_path), state(doc)
    for saved in step.saved:
        saved.spill(file)

    def broken(*_: object) -> bytes:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(SpillFile, "read", broken)
        with pytest.raises(OSError, match="Input/output error"):
            history.undo()
    assert state(doc) == after
    assert history.undo() is step


def test_of_what_lies_on_disk_the_oldest_goes(tmp_path: Path) -> None:
    doc = a_work()
    history, file = History(doc, 1 << 30), SpillFile(tmp_path)
    for index in range(4):
        step = Step(name="paint")
        history.touch(step, Rect(0, 0, 100, 100))
        doc.labels[:5, :5] = index
        history.push(step)
        for saved in step.saved:
            saved.spill(file)
    steps = list(history.done)
    assert not history.trim_to_disk(history.spilled)
    assert history.trim_to_disk(sum(step.spilled for step in steps[2:]))
    assert history.done == steps[2:]
    assert history.trim_to_disk(0)
    assert history.done == []
