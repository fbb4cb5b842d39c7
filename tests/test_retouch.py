"""The editor without its window gives what the window gives."""

import gc
import weakref
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bgdesk
from bgdesk.core.engine import Reach
from bgdesk.core.finish import finish
from bgdesk.core.geometry import Rect
from bgdesk.core.results import Patch
from tests.app.conftest import Desk, RedEngine

SHAPE = (200, 300)


class Given(bgdesk.Engine):
    """The public engine with a fake behind it."""

    def __init__(self, fake: RedEngine) -> None:
        self.pipeline = fake


def photo(seed: int = 1) -> Any:
    rng = np.random.default_rng(seed)
    pixels = rng.integers(90, 165, (*SHAPE, 3), dtype=np.uint8)
    pixels[:66] //= 8
    pixels[66:132, :150] = pixels[66:132, :150] // 4 + 200
    return pixels


@pytest.fixture
def fake() -> RedEngine:
    return RedEngine()


@pytest.fixture
def hand(fake: RedEngine) -> bgdesk.Retouch:
    return bgdesk.Retouch(photo(), engine=Given(fake))


def test_cutting_gives_the_engines_answer(hand: bgdesk.Retouch, fake: RedEngine) -> None:
    assert (hand.alpha == 1).all()
    cutout = hand.cut()
    assert (hand.alpha == fake.auto(photo()).alpha).all()
    assert (hand.labels == cutout.trimap).all()
    assert hand.undo() is False  # a first answer is where everything begins


def test_a_stroke_tells_where_it_changed_what(hand: bgdesk.Retouch) -> None:
    hand.cut()
    before, labels = hand.alpha, hand.labels
    patch = hand.stroke([(40, 150), (90, 160)], 8, 255)
    assert isinstance(patch, Patch)
    outside = np.ones(SHAPE, bool)
    outside[patch.rect.slices] = False
    assert (hand.alpha[outside] == before[outside]).all()
    assert (hand.labels[outside] == labels[outside]).all()
    assert (hand.alpha[patch.rect.slices] == patch.alpha).all()
    assert (hand.labels[patch.rect.slices] == patch.labels).all()
    assert (hand.alpha[150:156, 50:60] == 1).all()
    assert not (before == hand.alpha).all()


def test_the_window_makes_the_same_of_the_same_gestures(hand: bgdesk.Retouch, tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    path = desk.folder / "a.jpg"
    desk.files.photos[path] = photo()
    desk.open(path)
    hand.cut()
    strokes = [((40.5, 70), (90, 110)), ((180, 120), (240, 130.25))]
    for points, label in zip(strokes, (255, 128), strict=True):
        hand.stroke(points, 10, label)
        desk.stroke(*((x + 0.5, y + 0.5) for x, y in points), label=bgdesk.core.trimap.Label(label))
        desk.settle()
    assert (hand.labels.tobytes(), hand.solved.tobytes()) == desk.state
    hand.undo()
    desk.session.undo()
    desk.settle()
    assert (hand.labels.tobytes(), hand.solved.tobytes()) == desk.state
    desk.session.close()


def test_undo_and_redo_go_through_strokes_and_recipes(hand: bgdesk.Retouch) -> None:
    hand.cut()
    states = [(hand.solved.tobytes(), hand.recipe)]
    hand.stroke([(40, 150)], 8, 255)
    states.append((hand.solved.tobytes(), hand.recipe))
    hand.recipe = replace(hand.recipe, edge=bgdesk.EdgeRecipe(feather=3))
    states.append((hand.solved.tobytes(), hand.recipe))
    for state in states[1::-1]:
        assert hand.undo()
        assert (hand.solved.tobytes(), hand.recipe) == state
    assert not hand.undo()
    for state in states[1:]:
        assert hand.redo()
        assert (hand.solved.tobytes(), hand.recipe) == state
    assert not hand.redo()


def test_alpha_is_the_finished_one(hand: bgdesk.Retouch) -> None:
    hand.cut()
    hand.recipe = replace(hand.recipe, edge=bgdesk.EdgeRecipe(shift=2, feather=3))
    assert (hand.alpha == finish(hand.solved, hand.recipe.edge)).all()
    patch = hand.stroke([(40, 150)], 8, 255)
    assert (hand.alpha[patch.rect.slices] == patch.alpha).all()
    assert (hand.cutout().alpha == hand.alpha).all()


def test_colours_have_caught_up(hand: bgdesk.Retouch, fake: RedEngine) -> None:
    hand.cut()
    hand.stroke([(40, 150)], 8, 255)
    expected = fake.colours_of(photo(), hand.solved)
    assert (hand.cutout().foreground == expected).all()
    assert (hand.foreground == expected).all()


def test_what_comes_back_never_changes(hand: bgdesk.Retouch) -> None:
    hand.cut()
    arrays = {name: getattr(hand, name) for name in ("alpha", "solved", "labels", "foreground")}
    copies = {name: array.copy() for name, array in arrays.items()}
    hand.stroke([(40, 150)], 20, 255)
    for name, array in arrays.items():
        assert not array.flags.writeable
        assert (array == copies[name]).all()


def test_painting_alone_makes_a_cut_out(hand: bgdesk.Retouch) -> None:
    with pytest.raises(bgdesk.MattingError, match="no cut-out yet"):
        hand.cutout()
    patch = hand.stroke([(40, 150)], 8, 255)
    assert patch.rect == Rect(0, 0, 300, 200)
    assert hand.alpha[150, 40] == 1
    assert hand.alpha[10, 10] == 0


def test_a_second_cut_is_an_undo_step(hand: bgdesk.Retouch) -> None:
    hand.cut()
    hand.stroke([(40, 150)], 8, 255)
    painted = hand.alpha
    hand.cut()
    assert not (hand.alpha == painted).all()
    hand.undo()
    assert (hand.alpha == painted).all()


def test_the_reach_of_a_stroke_is_the_engines(hand: bgdesk.Retouch, fake: RedEngine) -> None:
    hand.cut()
    for reach in (None, "exact", Reach.SMART):
        hand.stroke([(40, 150)], 8, 255, reach=reach)
    assert [said for said, _, _ in fake.reaches] == [Reach.SMART, Reach.EXACT, Reach.SMART]


def test_a_stroke_beside_the_photo_changes_nothing(hand: bgdesk.Retouch) -> None:
    hand.cut()
    before = hand.alpha
    assert hand.stroke([(-900, 150)], 8, 255).rect.empty
    assert (hand.alpha == before).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda hand: hand.stroke([], 5, 255), "at least one point"),
        (lambda hand: hand.stroke([(float("nan"), 1)], 5, 255), "finite"),
        (lambda hand: hand.stroke([(1, 1)], 0, 255), "above 0"),
        (lambda hand: hand.stroke([(1, 1)], 5, 7), "0 .background., 128 .unknown. or 255 .foreground., not 7"),
        (lambda hand: hand.stroke([(1, 1)], 5, 255, reach="far"), "smart or exact, not 'far'"),
    ],
)
def test_a_stroke_that_makes_no_sense_is_refused(hand: bgdesk.Retouch, call: Callable[[bgdesk.Retouch], Any], message: str) -> None:
    hand.cut()
    before = hand.alpha
    with pytest.raises(bgdesk.UsageError, match=message):
        call(hand)
    assert (hand.alpha == before).all()


def test_an_engine_that_fails_is_raised_and_the_paint_stays(hand: bgdesk.Retouch, fake: RedEngine) -> None:
    hand.cut()
    fake.failures["rematte"] = bgdesk.MattingError("The edge could not be worked out.")
    with pytest.raises(bgdesk.MattingError, match="could not be worked out"):
        hand.stroke([(40, 150)], 8, 255)
    assert hand.labels[150, 40] == 255
    fake.failures.clear()
    hand.stroke([(200, 150)], 8, 255)
    assert hand.alpha[150, 40] == 1  # what was owed is worked out with the next stroke


@pytest.mark.parametrize("pixels", [np.zeros((5, 5), np.uint8), np.zeros((5, 5, 3), np.float32), np.zeros((0, 5, 3), np.uint8)])
def test_what_is_not_a_photo_is_refused(fake: RedEngine, pixels: Any) -> None:
    with pytest.raises(bgdesk.MattingError, match="Pixels must be"):
        bgdesk.Retouch(pixels, engine=Given(fake))


def test_saving_writes_what_is_there(fake: RedEngine, sample: Path, tmp_path: Path) -> None:
    hand = bgdesk.Retouch(bgdesk.load(sample), engine=Given(fake))
    hand.cut()
    path = hand.save(tmp_path / "out.png")
    assert (bgdesk.load(path).pixels.shape) == bgdesk.load(sample).pixels.shape
    with pytest.raises(bgdesk.SaveError, match="the photo itself"):
        hand.save(sample)


def test_whoever_lets_go_lets_go_of_the_arrays(fake: RedEngine) -> None:
    pixels = photo()
    hand = bgdesk.Retouch(pixels, engine=Given(fake))
    hand.cut()
    hand.stroke([(40, 150)], 8, 255)
    solved = weakref.ref(hand._editor.work.solved)
    del hand
    gc.collect()
    assert solved() is None
