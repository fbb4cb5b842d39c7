"""Every photo has its own recipe, undo knows it, and what is unsaved is the truth."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from bgdesk.app.session.photos import Photo
from bgdesk.app.work.events import RecipeChanged
from bgdesk.core.finish import finish
from bgdesk.core.formats import Format
from bgdesk.core.recipe import EdgeRecipe, ExportRecipe, MatteRecipe, Quality, Recipe

PNG = ExportRecipe(Format.PNG)
SHIFTED = Recipe(edge=EdgeRecipe(shift=3))
GREEN = Recipe(matte=MatteRecipe(spill="#00ff00"))


def photo(desk: Any, index: int = 0) -> Photo:
    found: Photo = desk.session.photos[index]
    return found


def select(desk: Any, index: int) -> None:
    desk.session.select(photo(desk, index).key)
    desk.settle()


def open_two(desk: Any) -> None:
    desk.open(desk.photo("a.jpg"), desk.photo("b.jpg", seed=2))
    select(desk, 1)
    select(desk, 0)


def short_of_memory(desk: Any) -> None:
    """Room for one photo of the tests' size and a half."""
    desk.session.configure(replace(desk.session.settings, memory_bytes=int(300 * 200 * (3 + 1 + 4 + 3) * 1.5)))


# --- one recipe a photo ----------------------------------------------------------------------------------------------


def test_a_change_holds_for_one_photo_alone(desk: Any) -> None:
    open_two(desk)
    desk.session.change_recipe(SHIFTED, "shift edge")
    desk.settle()
    select(desk, 1)
    assert desk.session.recipe == Recipe()
    desk.session.change_recipe(GREEN, "spill")
    desk.settle()
    select(desk, 0)
    assert desk.session.recipe == SHIFTED
    select(desk, 1)
    assert desk.session.recipe == GREEN


def test_new_photos_begin_with_the_default(desk: Any) -> None:
    desk.session.configure(desk.session.settings.with_recipe(SHIFTED))
    desk.open()
    assert desk.session.recipe == SHIFTED
    assert not photo(desk).edited
    desk.session.configure(desk.session.settings.with_recipe(GREEN))
    assert desk.session.recipe == SHIFTED  # what is open stays as it is


def test_a_change_of_recipe_is_one_named_step(desk: Any) -> None:
    desk.open()
    assert (desk.session.undo_name, desk.session.redo_name) == (None, None)
    desk.session.change_recipe(SHIFTED, "shift edge")
    assert desk.session.undo_name == "shift edge"
    desk.session.undo()
    assert desk.session.recipe == Recipe()
    assert desk.session.redo_name == "shift edge"
    desk.session.redo()
    assert desk.session.recipe == SHIFTED
    desk.settle()
    assert len(desk.heard(RecipeChanged)) == 3


def test_strokes_are_named_by_what_they_paint(desk: Any) -> None:
    desk.open()
    desk.stroke((150, 100))
    desk.settle()
    assert desk.session.undo_name == "paint foreground"
    desk.session.cut_again()
    desk.settle()
    assert desk.session.undo_name == "cut out again"


def test_other_colours_are_worked_out_anew_and_undo_brings_the_old_ones_back(desk: Any) -> None:
    desk.open()
    count = desk.engine.count("foreground")
    desk.session.change_recipe(GREEN, "spill")
    desk.settle()
    assert desk.engine.count("foreground") == count + 1
    desk.session.undo()
    desk.settle()
    assert desk.engine.count("foreground") == count + 2


def test_an_edge_asks_the_engine_for_nothing(desk: Any) -> None:
    desk.open()
    desk.engine.calls.clear()
    desk.session.change_recipe(SHIFTED, "shift edge")
    desk.settle()
    assert desk.engine.calls == []


def test_the_network_is_asked_as_the_photos_own_recipe_says(desk: Any) -> None:
    desk.open()
    best = Recipe(matte=MatteRecipe(quality=Quality.BEST))
    desk.session.change_recipe(best, "quality")
    recipes: list[MatteRecipe] = []
    auto = desk.engine.auto

    def noted(pixels: Any, recipe: MatteRecipe, progress: Any) -> Any:
        recipes.append(recipe)
        return auto(pixels, recipe, progress)

    desk.engine.auto = noted
    desk.session.cut_again()
    desk.settle()
    assert recipes == [best.matte]


def test_a_recipe_chosen_before_the_network_answers_stays_and_can_be_undone(desk: Any) -> None:
    desk.engine.hold("auto")
    desk.session.open([desk.photo()])
    desk.pump.until(lambda: desk.engine.entered("auto") and desk.session.work is not None)
    desk.session.change_recipe(SHIFTED, "shift edge")
    desk.engine.release("auto")
    desk.settle()
    assert desk.session.recipe == SHIFTED
    assert desk.session.undo_name == "shift edge"
    assert photo(desk).edited
    desk.session.undo()
    assert desk.session.recipe == Recipe()


def test_all_open_photos_get_the_recipe_and_each_can_undo_it(desk: Any) -> None:
    short_of_memory(desk)
    desk.open(desk.photo("a.jpg"), desk.photo("b.jpg", seed=2), desk.photo("c.jpg", seed=3))
    select(desk, 1)
    select(desk, 0)  # b is parked by now, and c was never read
    desk.session.change_recipe(SHIFTED, "shift edge")
    desk.session.apply_to_all()
    for index in (1, 2):
        select(desk, index)
        assert desk.session.recipe == SHIFTED
    select(desk, 1)
    assert desk.session.undo_name == "apply a recipe to all photos"
    desk.session.undo()
    assert desk.session.recipe == Recipe()


# --- the finished edge -----------------------------------------------------------------------------------------------


def test_an_export_is_finished_and_the_solver_never_sees_that(desk: Any) -> None:
    desk.open()
    solved = desk.session.work.solved.copy()
    feathered = Recipe(edge=EdgeRecipe(feather=4, shift=-1))
    desk.session.change_recipe(feathered, "feather")
    desk.session.export(desk.folder / "out.png", PNG)
    desk.settle()
    cutout, *_ = desk.files.saved[desk.folder / "out.png"]
    assert (cutout.alpha == finish(solved, feathered.edge)).all()
    assert not (cutout.alpha == solved).all()
    assert (desk.session.work.solved == solved).all()


def test_a_stroke_after_a_feather_is_solved_from_the_unfeathered_alpha(desk: Any) -> None:
    strokes = [((40, 70), (90, 110)), ((180, 120), (240, 130))]
    desk.open()
    for stroke in strokes:
        desk.stroke(*stroke)
        desk.settle()
    painted_alone = desk.state
    while desk.session.can_undo:
        desk.session.undo()
    desk.settle()
    desk.stroke(*strokes[0])
    desk.settle()
    desk.session.change_recipe(Recipe(edge=EdgeRecipe(feather=20)), "feather")
    desk.stroke(*strokes[1])
    desk.settle()
    desk.session.change_recipe(Recipe(), "feather")
    desk.settle()
    assert desk.state == painted_alone
    desk.session.export(desk.folder / "out.png", PNG)
    desk.settle()
    assert desk.files.saved[desk.folder / "out.png"][0].alpha.tobytes() == painted_alone[1]


# --- what is unsaved -------------------------------------------------------------------------------------------------


def export(desk: Any) -> None:
    desk.session.export(desk.folder / "out.png", PNG)
    desk.settle()


def test_a_changed_recipe_is_unsaved_until_it_is_exported(desk: Any) -> None:
    desk.open()
    assert not photo(desk).unsaved
    desk.session.change_recipe(SHIFTED, "shift edge")
    assert photo(desk).unsaved
    assert [each.key for each in desk.session.unsaved] == [photo(desk).key]
    export(desk)
    assert not photo(desk).unsaved
    desk.session.undo()
    assert not photo(desk).unsaved  # as the network made it: nothing of the person's is lost
    desk.session.change_recipe(GREEN, "spill")
    assert photo(desk).unsaved


def test_redo_back_to_what_was_exported_is_saved(desk: Any) -> None:
    desk.open()
    desk.stroke((150, 100))
    desk.session.change_recipe(SHIFTED, "shift edge")
    export(desk)
    desk.session.undo()
    assert photo(desk).unsaved
    desk.session.redo()
    assert not photo(desk).unsaved


def test_an_answer_that_comes_after_the_export_flags_nothing(desk: Any) -> None:
    desk.open()
    desk.engine.hold("rematte")
    desk.stroke((150, 100))
    desk.pump.until(lambda: desk.engine.entered("rematte"))
    desk.session.export(desk.folder / "out.png", PNG)
    revision = desk.session.work.revision
    desk.engine.release("rematte")
    desk.settle()
    assert desk.session.work.revision > revision
    assert not photo(desk).unsaved


def test_another_answer_of_the_network_is_nothing_to_save(desk: Any) -> None:
    desk.open()
    desk.session.cut_again()
    desk.settle()
    assert desk.session.undo_name == "cut out again"
    assert not photo(desk).unsaved
    desk.stroke((150, 100))
    desk.settle()
    desk.session.cut_again()
    desk.settle()
    assert photo(desk).unsaved  # the stroke can be brought back, and is in no file


def test_what_is_painted_while_a_file_is_written_is_unsaved(desk: Any) -> None:
    desk.open()
    desk.stroke((150, 100))
    desk.session.export(desk.folder / "out.png", PNG)
    assert desk.session.exporting
    desk.stroke((50, 100))
    desk.settle()
    assert not desk.session.exporting
    assert photo(desk).unsaved


def test_an_export_that_failed_saves_nothing(desk: Any) -> None:
    from bgdesk.core.errors import SaveError

    desk.open()
    desk.stroke((150, 100))
    desk.files.save_failure = SaveError("out.png could not be saved: the disk is full.")
    export(desk)
    assert not desk.session.exporting
    assert photo(desk).unsaved


# --- undo survives leaving memory ------------------------------------------------------------------------------------


def test_undo_survives_leaving_memory(desk: Any) -> None:
    short_of_memory(desk)
    desk.open(*(desk.photo(f"{index}.jpg", seed=index) for index in range(6)))
    states = [desk.state]
    for point in ((40, 70), (180, 120)):
        desk.stroke(point, (point[0] + 40, point[1]))
        desk.settle()
        states.append(desk.state)
    desk.session.change_recipe(SHIFTED, "shift edge")
    for index in range(1, 6):
        select(desk, index)
    select(desk, 0)
    assert desk.files.loads.count(desk.folder / "0.jpg") == 2  # it was out of memory
    assert desk.session.undo_name == "shift edge"
    assert desk.session.recipe == SHIFTED
    assert photo(desk).unsaved
    desk.session.undo()
    assert desk.session.recipe == Recipe()
    for state in states[1::-1]:
        desk.session.undo()
        desk.settle()
        assert desk.state == state
    for _ in range(3):
        desk.session.redo()
        desk.settle()
    assert desk.state == states[2]
    assert desk.session.recipe == SHIFTED


def test_undo_on_disk_is_bounded(desk: Any) -> None:
    short_of_memory(desk)
    desk.session.configure(replace(desk.session.settings, undo_disk_bytes=0))
    desk.open(desk.photo("a.jpg"), desk.photo("b.jpg", seed=2))
    desk.stroke((40, 70), (180, 120))
    desk.settle()
    painted = desk.state
    select(desk, 1)
    select(desk, 0)
    assert desk.state == painted
    assert not desk.session.can_undo
    assert photo(desk).unsaved


def test_a_disk_without_room_keeps_undo_in_memory(desk: Any, tmp_path: Path) -> None:
    desk.session._strip._spill_folder = tmp_path / "a file"
    (tmp_path / "a file").write_bytes(b"")
    short_of_memory(desk)
    desk.open(desk.photo("a.jpg"), desk.photo("b.jpg", seed=2))
    desk.stroke((40, 70), (180, 120))
    desk.settle()
    select(desk, 1)
    select(desk, 0)
    desk.session.undo()
    desk.settle()
    alone = desk.engine.auto(desk.session.work.source)
    assert np.array_equal(desk.session.work.labels, alone.trimap)
