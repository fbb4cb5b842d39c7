"""From what is chosen on the set-up page to a recipe and a plan."""

from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from bgdesk.app.system.settings import Settings
from bgdesk.batch.model.values import Existing, Fallback, State, Variant
from bgdesk.batch.planning.scan import Order
from bgdesk.batch.planning.templates import variants_of
from bgdesk.core.errors import UsageError
from bgdesk.core.formats import Format
from bgdesk.core.recipe import Quality
from bgdesk.ui.queue.setup.choices import BEST, SetupChoices, pattern_of, plan_of, recipe_of, remembered, suggested
from bgdesk.ui.queue.setup.options import made
from bgdesk.ui.queue.setup.setup_page import brief


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three photos, one of them in a subfolder, and a text."""
    photos = tmp_path / "shoes"
    (photos / "old").mkdir(parents=True)
    for name in ("b.png", "a_front.png", "old/c.png"):
        Image.new("RGB", (8, 6)).save(photos / name)
    (photos / "notes.txt").write_text("no photo")
    return photos


@pytest.mark.parametrize(
    ("choices", "gate", "fallback"),
    [
        (SetupChoices(gate=0.8), 0.8, None),
        (SetupChoices(gate=None), None, None),
        (SetupChoices(gate=0.5, fallback=BEST), 0.5, Fallback(Quality.BEST)),
        (SetupChoices(gate=0.5, fallback="other", quality=Quality.FAST), 0.5, Fallback(Quality.FAST, "other")),
        (SetupChoices(gate=None, fallback=BEST), None, None),  # without a gate nothing is tried twice
    ],
)
def test_the_gate_and_the_second_try(choices: SetupChoices, gate: float | None, fallback: Fallback | None) -> None:
    recipe = recipe_of(choices, (Variant(),), Settings())
    assert (recipe.gate, recipe.fallback) == (gate, fallback)


def test_the_recipe_holds_what_was_chosen_and_the_rest_as_in_the_editor() -> None:
    settings = Settings(spill="auto", decontaminate=0.5, device="cpu", precision="fp32", quality="best")
    choices = SetupChoices(quality=Quality.FAST, model="other", matting="")
    recipe = recipe_of(choices, variants_of(["shop-white"]), settings)
    assert (recipe.matte.quality, recipe.matte.spill, recipe.matte.strength) == (Quality.FAST, "auto", 0.5)
    assert (recipe.model, recipe.matting, recipe.device, recipe.precision) == ("other", None, "cpu", "fp32")
    assert [variant.name for variant in recipe.variants] == ["white", "cutout"]


def test_the_plan(folder: Path, tmp_path: Path) -> None:
    choices = SetupChoices(sources=(folder,), output=tmp_path / "out", recursive=True)
    recipe = recipe_of(choices, variants_of(["png"]), Settings())
    plan = plan_of(choices, recipe)
    assert [item.source.name for item in plan.planned] == ["a_front.png", "b.png", "c.png"]
    assert plan.planned[2].outputs == (tmp_path / "out" / "old" / "c.png",)  # the subfolders are kept
    assert {item.state for item in plan.planned} == {State.QUEUED}
    assert plan_of(replace(choices, recursive=False, include="front, *.tif"), recipe).planned[0].source.name == "a_front.png"
    assert [item.source.name for item in plan_of(replace(choices, exclude="*front*", order=Order.GIVEN), recipe).planned] == [
        "b.png",
        "c.png",
    ]
    assert brief(plan) == ["3 photos to do."]


def test_the_plan_says_what_collides(folder: Path, tmp_path: Path) -> None:
    Image.new("RGB", (8, 6)).save(folder / "b.jpg")
    choices = SetupChoices(sources=(folder,), output=tmp_path / "out")
    lines = brief(plan_of(choices, recipe_of(choices, (Variant(),), Settings())))
    assert lines == ["3 photos to do.", "b.png is saved as b-2.png, because b.png is taken by b.jpg."]


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        (SetupChoices(), "There are no photos yet"),
        (SetupChoices(sources=(Path("/p"),), newer="yesterday"), "is not a date"),
        (SetupChoices(sources=(Path("/p"),), pattern="{nam}"), "unknown {nam}"),
        (SetupChoices(sources=(Path("/p"),), pattern="../{name}"), "leave it out"),
    ],
)
def test_what_cannot_be_planned(choices: SetupChoices, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        plan_of(choices, recipe_of(choices, (Variant(),), Settings()))


def test_patterns() -> None:
    one, two = recipe_of(SetupChoices(), (Variant(),), Settings()), recipe_of(SetupChoices(), variants_of(["shop-white"]), Settings())
    assert pattern_of(SetupChoices(), one) == "{name}"
    assert pattern_of(SetupChoices(recursive=True), two) == "{subfolder}/{name}-{variant}"
    assert pattern_of(SetupChoices(pattern=" shop/{name} "), one) == "shop/{name}"


def test_where_cutouts_go_if_nobody_says(folder: Path) -> None:
    assert suggested(folder) == folder.with_name("shoes cutouts")
    assert suggested(folder / "b.png") == folder / "cutouts"
    assert SetupChoices().folder is None
    assert SetupChoices(sources=(folder,)).folder == folder.with_name("shoes cutouts")


def test_a_folder_by_its_name_alone_lies_beside_the_photos(folder: Path, tmp_path: Path) -> None:
    assert SetupChoices(sources=(folder,), output=Path("web")).folder == folder.parent / "web"
    assert SetupChoices(sources=(folder,), output=tmp_path / "web").folder == tmp_path / "web"


def test_titles() -> None:
    assert SetupChoices(sources=(Path("/photos/shoes"),)).title == "shoes"
    assert SetupChoices(sources=(Path("/photos/shoes"), Path("/a"), Path("/b"))).title == "shoes and 2 more"


def test_choices_are_remembered_but_not_the_photos() -> None:
    choices = SetupChoices(
        (Path("/photos"),), True, "a", "b", "2026-01-01", 5, ("web", "psd"), Quality.BEST, "other", "edges", Path("/out"),
        "{number}", Existing.NUMBER, Order.DATE, 0.65, BEST,
    )  # fmt: skip
    again = remembered(choices.to_json(), SetupChoices())
    plain = SetupChoices()
    assert again == replace(choices, sources=(), include="", exclude="", newer="", smallest=0, output=plain.output)
    assert remembered(replace(choices, gate=None).to_json(), SetupChoices(gate=0.8)).gate is None


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"recursive": true}', '{"quality": 7}', "no json"])
def test_what_was_not_remembered_by_us_is_left_alone(text: str) -> None:
    assert remembered(text, SetupChoices(gate=0.8)) == SetupChoices(gate=0.8)


@pytest.mark.parametrize(
    ("variant", "words"),
    [
        (Variant(), "PNG, transparent, as large as the photo"),
        (Variant(name="white", background=(255, 255, 255), size=2000), "white: PNG, on #ffffff, 2000 × 2000 pixels"),
        (Variant(format=Format.PSD), "PSD, the photo and the masked subject, as large as the photo"),
        (Variant(name="mask", alpha_only=True), "mask: the opacity as grey PNG, as large as the photo"),
    ],
)
def test_variants_in_words(variant: Variant, words: str) -> None:
    assert made(variant) == words
