"""Documents, snapshots, patches, and what an export makes of them."""

from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from bgdesk.app.editing.render_export import free_name, needs_engine, prepare
from bgdesk.app.editing.requests import ForegroundRequest, RematteRequest, join
from bgdesk.app.editing.work import Work
from bgdesk.core.cutout import Cutout
from bgdesk.core.errors import LoadError, SaveError
from bgdesk.core.formats import Format
from bgdesk.core.geometry import Rect
from bgdesk.core.recipe import ExportRecipe, MatteRecipe, Quality, Recipe
from bgdesk.core.results import Patch
from bgdesk.core.tasks import Cancelled, CancelToken, cancellable, silent
from bgdesk.core.trimap import Label

rects = st.builds(
    lambda x, y, w, h: Rect(x, y, x + w, y + h), st.integers(0, 400), st.integers(0, 400), st.integers(1, 60), st.integers(1, 60)
)


def pixels(width: int = 400, height: int = 300, dtype: Any = np.uint8) -> Any:
    return np.random.default_rng(2).integers(0, np.iinfo(dtype).max, (height, width, 3), dtype)


@pytest.fixture
def cut(fake_engine: Any) -> Work:
    work = Work.awaiting(pixels(), Path("a.jpg"))
    work.adopt(fake_engine.auto(work.source))
    return work


# --- joining rectangles ----------------------------------------------------------------------------------------------


@given(st.lists(rects, max_size=12))
def test_joined_rectangles_cover_everything_and_are_apart(given_rects: list[Rect]) -> None:
    joined: tuple[Rect, ...] = ()
    for rect in given_rects:
        joined = join(joined, rect)
    assert all(any(whole.contains(rect) for whole in joined) for rect in given_rects)
    assert not any(a.overlaps(b) for index, a in enumerate(joined) for b in joined[:index])


def test_strokes_far_apart_stay_apart_and_near_ones_join() -> None:
    corner, other = Rect(0, 0, 10, 10), Rect(390, 390, 400, 400)
    assert join((corner,), other) == (corner, other)
    assert join((corner, other), Rect(12, 0, 22, 10)) == (other, Rect(0, 0, 22, 10))
    assert join((corner, other), Rect(5, 5, 395, 395)) == (Rect(0, 0, 400, 400),)
    assert join((corner,), Rect(0, 0, 0, 0)) == (corner,)


# --- documents -------------------------------------------------------------------------------------------------------


def test_a_photo_just_loaded_is_shown_as_it_is() -> None:
    source = pixels()
    work = Work.awaiting(source)
    assert source.flags.writeable  # the caller's own view stays its own
    assert not work.source.flags.writeable
    assert work.size == (400, 300)
    assert work.rect == Rect(0, 0, 400, 300)
    assert (work.labels == Label.UNKNOWN).all()
    assert (work.solved == 1).all()
    assert work.solved.dtype == np.float32
    assert work.foreground is None
    assert not work.has_alpha


def test_snapshots_do_not_change_and_cost_nothing_until_then(cut: Work) -> None:
    snapshot = cut.freeze()
    assert snapshot.solved is cut.solved
    before = snapshot.solved.copy(), snapshot.labels.copy(), snapshot.foreground.copy()  # type: ignore[union-attr]
    rect = Rect(10, 10, 50, 50)
    cut.patch_solved(rect, np.full((40, 40), 0.5, np.float32))
    cut.patch_foreground(rect, np.zeros((40, 40, 3), np.uint8))
    cut.own("labels")
    cut.labels[rect.slices] = Label.UNKNOWN
    assert (snapshot.solved == before[0]).all()
    assert (snapshot.labels == before[1]).all()
    assert np.array_equal(snapshot.foreground, before[2])  # type: ignore[arg-type]
    alpha = cut.solved
    cut.patch_solved(rect, np.zeros((40, 40), np.float32))
    assert cut.solved is alpha  # copied once


def test_a_released_snapshot_costs_no_copy(cut: Work) -> None:
    first, second = cut.freeze(), cut.freeze()
    alpha = cut.solved
    cut.release(first)
    cut.release(first)
    cut.release(second)
    cut.patch_solved(Rect(0, 0, 1, 1), np.zeros((1, 1), np.float32))
    assert cut.solved is alpha


def test_revisions_grow(cut: Work) -> None:
    revision, lineage = cut.revision, cut.lineage
    cut.patch_solved(Rect(0, 0, 1, 1), np.zeros((1, 1), np.float32))
    assert cut.revision > revision
    assert cut.lineage == lineage
    cut.start_by_hand(Label.BACKGROUND)
    assert cut.lineage > lineage
    assert (cut.solved == 0).all()
    cut.start_by_hand(Label.FOREGROUND)
    assert (cut.solved == 1).all()


def test_the_source_stands_in_for_colours_that_were_never_computed() -> None:
    work = Work.awaiting(pixels())
    work.patch_foreground(Rect(0, 0, 2, 2), np.zeros((2, 2, 3), np.uint8))
    assert work.foreground is not None
    assert (work.foreground[:2, :2] == 0).all()
    assert (work.foreground[2:] == work.source[2:]).all()


def test_read_only_answers_can_be_painted_over() -> None:
    work = Work.awaiting(pixels())
    work.replace(np.zeros((300, 400), np.uint8), np.zeros((300, 400), np.float32), work.source, {})
    work.solved.flags.writeable = False
    work.patch_solved(Rect(0, 0, 1, 1), np.ones((1, 1), np.float32))
    work.patch_foreground(Rect(0, 0, 1, 1), np.zeros((1, 1, 3), np.uint8))
    assert work.solved[0, 0] == 1
    assert work.source[0, 0].tolist() == pixels()[0, 0].tolist()


# --- requests --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("roi", [Rect(0, 0, 5, 5), Rect(380, 280, 400, 300), Rect(100, 100, 150, 120), Rect(0, 0, 400, 300)])
def test_a_request_on_crops_gives_what_the_whole_photo_gives(cut: Work, fake_engine: Any, roi: Rect) -> None:
    request = RematteRequest.of(cut.source, cut.labels, cut.solved, roi, fake_engine.MARGIN)
    assert request.pixels.base is not None  # a slice, not a copy
    patch = request.compute(fake_engine, silent)
    expected = fake_engine.rematte(cut.source, cut.labels, cut.solved, roi)
    assert patch.rect == expected.rect
    assert (patch.alpha == expected.alpha).all()
    assert (patch.labels == cut.labels[expected.rect.slices]).all()
    colours = ForegroundRequest.of(cut.source, cut.solved, roi, MatteRecipe()).compute(fake_engine, silent)
    assert (colours.foreground == fake_engine.foreground(cut.source, cut.solved).foreground[roi.slices]).all()


def test_a_request_is_not_changed_by_later_paint(cut: Work, fake_engine: Any) -> None:
    request = RematteRequest.of(cut.source, cut.labels, cut.solved, Rect(0, 0, 20, 20), fake_engine.MARGIN)
    labels, solved = request.labels.copy(), request.solved.copy()
    cut.labels[:] = 7
    cut.solved[:] = 7
    assert (request.labels == labels).all()
    assert (request.solved == solved).all()


def test_a_patch_that_does_not_fit_is_refused(cut: Work, fake_engine: Any) -> None:
    request = RematteRequest.of(cut.source, cut.labels, cut.solved, Rect(0, 0, 20, 20), fake_engine.MARGIN)
    nine, three = (9, 9), (3, 3)
    for rect, alpha, labels in ((Rect(0, 0, 9, 9), three, nine), (Rect(0, 0, 9, 9), nine, three), (Rect(0, 0, 900, 9), (9, 900), (9, 900))):
        patch = Patch(rect=rect, alpha=np.zeros(alpha, np.float32), labels=np.zeros(labels, np.uint8))
        fake_engine.rematte = lambda *rest, patch=patch, **named: patch
        with pytest.raises(ValueError, match="does not fit"):
            request.compute(fake_engine, silent)


# --- export ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_what_is_up_to_date_needs_no_engine(fake_engine: Any, dtype: Any) -> None:
    work = Work.awaiting(pixels(dtype=dtype))
    work.adopt(fake_engine.auto(work.source))
    snapshot = work.freeze()
    assert not needs_engine(snapshot, ExportRecipe())
    cutout = prepare(snapshot, ExportRecipe(), None)
    assert cutout.alpha is snapshot.solved
    assert cutout.foreground is snapshot.foreground
    assert cutout.source is work.source


def test_colours_being_worked_out_count_as_stale(cut: Work) -> None:
    """An export that begins while a rectangle's colours are under way must not write the old ones."""
    cut.colouring = Rect(10, 10, 50, 50)
    assert cut.freeze().stale == (Rect(10, 10, 50, 50),)
    assert needs_engine(cut.freeze(), ExportRecipe())


def test_owed_alpha_and_stale_colours_are_computed_on_the_snapshot(cut: Work, fake_engine: Any) -> None:
    roi = Rect(100, 100, 140, 130)
    cut.labels[roi.slices] = Label.FOREGROUND
    cut.debt = (roi,)
    cut.stale = (Rect(300, 200, 310, 210),)
    assert cut.foreground is not None
    cut.foreground[200:210, 300:310] = 1
    snapshot = cut.freeze()
    before = cut.solved.copy(), cut.foreground.copy()
    assert needs_engine(snapshot, ExportRecipe())
    with pytest.raises(ValueError, match="engine"):
        prepare(snapshot, ExportRecipe(), None)
    cutout = prepare(snapshot, ExportRecipe(), fake_engine)
    assert (cutout.alpha[roi.slices] == 1).all()
    assert (cutout.foreground == fake_engine.colours_of(cut.source, cutout.alpha)).all()
    assert (cut.solved == before[0]).all()
    assert (cut.foreground == before[1]).all()


def test_spill_is_taken_off_the_whole_photo(cut: Work, fake_engine: Any) -> None:
    cut.recipe = Recipe(matte=MatteRecipe(spill="auto"))
    cut.stale = (Rect(30, 20, 40, 30),)
    fake_engine.calls.clear()
    prepare(cut.freeze(), ExportRecipe(), fake_engine)
    assert fake_engine.calls == [("foreground", cut.source.shape)]


def test_a_cutout_of_another_quality_leaves_its_colours_as_they_are(cut: Work) -> None:
    cut.adopt(
        Cutout(source=cut.source, alpha=cut.solved, foreground=cut.source, trimap=cut.labels, recipe=MatteRecipe(quality=Quality.BEST))
    )
    assert cut.stale == ()


def test_a_cutout_made_with_another_recipe_leaves_its_colours_stale(cut: Work) -> None:
    cutout = Cutout(source=cut.source, alpha=cut.solved, foreground=cut.source, trimap=cut.labels, recipe=MatteRecipe(strength=0.5))
    cut.adopt(cutout)
    assert list(cut.stale) == [cut.rect]
    cut.recipe = Recipe(matte=MatteRecipe(strength=0.5))
    cut.adopt(cutout)
    assert cut.stale == ()


def test_opacity_alone_needs_no_colours(cut: Work, fake_engine: Any) -> None:
    cut.foreground = None
    cut.stale = (cut.rect,)
    snapshot = cut.freeze()
    assert not needs_engine(snapshot, ExportRecipe(alpha_only=True))
    fake_engine.calls.clear()
    prepare(snapshot, ExportRecipe(alpha_only=True), fake_engine)
    assert fake_engine.calls == []
    cutout = prepare(snapshot, ExportRecipe(), fake_engine)
    assert (cutout.foreground == fake_engine.colours_of(cut.source, cut.solved)).all()


def test_preparing_can_be_cancelled(cut: Work, fake_engine: Any) -> None:
    cut.debt = (Rect(0, 0, 9, 9),)
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        prepare(cut.freeze(), ExportRecipe(), fake_engine, cancellable(token))


def test_free_names_do_not_look_twice(tmp_path: Path) -> None:
    taken = {tmp_path / "a_cutout.psd", tmp_path / "a_cutout-2.psd"}
    assert free_name(tmp_path, "a", ExportRecipe(Format.PSD), taken.__contains__) == tmp_path / "a_cutout-3.psd"


# --- the real files --------------------------------------------------------------------------------------------------


def test_the_real_files_are_reached(sample: Path, tmp_path: Path, fake_engine: Any) -> None:
    from bgdesk.app.work.ports import DiskFiles

    files = DiskFiles()
    image = files.load(sample)
    work = Work.awaiting(image.pixels, sample)
    work.adopt(fake_engine.auto(work.source))
    assert max(files.preview(sample, 100).shape) == 100
    recipe = ExportRecipe(Format.PNG)
    cutout = prepare(work.freeze(), recipe, None)
    assert files.save(cutout, tmp_path / "out.png", recipe, image, (), silent, False).is_file()
    with pytest.raises(SaveError):
        files.save(cutout, sample, recipe, image, (), silent, True)
    with pytest.raises(LoadError, match=r"gone\.png"):
        files.load(tmp_path / "gone.png")
