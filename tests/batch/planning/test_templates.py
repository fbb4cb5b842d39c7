"""Templates and recipe files: what is shipped, what a person brings, and mistakes that are named."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgdesk.batch.model.values import BatchRecipe, Fallback, Variant
from bgdesk.batch.planning.templates import load_recipe, own_folder, template, templates, variants_of
from bgdesk.core.errors import UsageError
from bgdesk.core.formats import Format
from bgdesk.core.recipe import MatteRecipe, Quality
from bgdesk.engine.confidence import PASS


def own(name: str, text: str) -> Path:
    file = own_folder() / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, "utf-8")
    return file


def test_shipped_templates() -> None:
    assert {each.id: each.variants for each in templates()} == {
        "mask": (Variant(alpha_only=True),),
        "png": (Variant(),),
        "psd": (Variant(format=Format.PSD),),
        "shop-white": (Variant("white", size=2000, background=(255, 255, 255)), Variant("cutout")),
        "web": (Variant(size=1200),),
    }
    assert all(each.title and each.description and not each.own for each in templates())


def test_persons_own_templates_come_last_and_win() -> None:
    file = own("web.toml", "title = 'Ours'\n[[variants]]\nsize = 800\nmargin = 0\n")
    own("banner.toml", "\ufeff[[variants]]\nname = 'wide'\nbackground = '#333'\n")
    own(".hidden.toml", "broken =")
    own("notes.txt", "broken =")
    assert [(each.id, each.title, each.own) for each in templates()][-2:] == [("banner", "banner", True), ("web", "Ours", True)]
    assert len(templates()) == 6
    assert template("web").variants == (Variant(size=800, margin=0),)
    assert template("web").file == file
    assert template("banner").variants == (Variant("wide", background=(0x33, 0x33, 0x33)),)


def test_unknown_template_is_said_with_those_there_are() -> None:
    with pytest.raises(UsageError, match=r"^There is no template called 'wbe'\. The templates are: mask, png, psd, shop-white, web\.$"):
        template("wbe")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[variants]", "mistake: "),
        ("", r"it needs at least one \[\[variants\]\]"),
        ("variants = 3", "mistake: "),
        ("[[variants]]\nsiez = 3", r"siez is not known in \[\[variants\]\]\. Known are: name, format"),
        ("[[variants]]\nsize = '3'", "mistake: "),
        ("[[variants]]\nsize = true", "size"),
        ("[[variants]]\nsize = 4", "16 to 16384 pixels"),
        ("[[variants]]\nformat = 'jpg'", "it is one of png, psd"),
        ("[[variants]]\nbackground = 'white'", "'white' is no colour"),
        ("[[variants]]\nbackground = [1, 2, 300]", r"background cannot be \[1, 2, 300\]: it is a colour like"),
        ("[[variants]]\nalpha_only = 'no'", 'alpha_only cannot be "no"'),
        ("[[variants]]\n[[variants]]", "each of them a name of its own"),
        ("gate = 0.5\n[[variants]]", "gate is not known"),
        ("title = 3\n[[variants]]", "title and description are text"),
    ],
)
def test_broken_template_is_named_and_takes_no_other_away(text: str, said: str, expect_log: Callable[[str], None]) -> None:
    file = own("web.toml", text)
    with pytest.raises(UsageError, match=said) as caught:
        template("web")
    assert str(caught.value).startswith(f"The template {file} ")
    expect_log(r"^bgdesk\.batch\.planning\.templates: The template .*web\.toml has a mistake")
    assert {each.id: each.own for each in templates()}["web"] is False
    heard: list[str] = []
    templates(lambda error: heard.append(str(error)))
    assert heard == [str(caught.value)]


def test_template_that_is_no_text_or_no_file() -> None:
    file = own("bad.toml", "")
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="is not text"):
        template("bad")
    file.write_bytes(b"#" * 1_000_001)
    with pytest.raises(UsageError, match="too large"):
        template("bad")
    file.unlink()
    file.mkdir()
    with pytest.raises(UsageError, match=r"could not be read: Is a directory\. Check its permissions"):
        template("bad")


def test_several_templates_together_share_no_name() -> None:
    own("web.toml", "[[variants]]\nname = 'white'\nsize = 1200\n")
    assert [variant.name for variant in variants_of(["png", "shop-white", "web", "psd", "png"])] == ["png", "white", "web-white", "psd"]
    assert variants_of(["psd"]) == (Variant(format=Format.PSD),)
    own("again.toml", "[[variants]]\n")
    assert variants_of(["png", "again"]) == (Variant(),)


TEXTS = st.text(st.characters(codec="utf-8"), max_size=12)
VARIANTS = st.builds(
    Variant,
    name=TEXTS,
    background=st.none() | st.tuples(*[st.integers(0, 255)] * 3),
    size=st.none() | st.integers(16, 16384),
    margin=st.floats(0, 0.45),
)
RECIPES = st.builds(
    BatchRecipe,
    matte=st.builds(MatteRecipe, refine=st.booleans(), strength=st.floats(0, 1), spill=st.sampled_from([None, "auto", (1, 2, 3)])),
    variants=st.lists(VARIANTS, min_size=1, max_size=3, unique_by=lambda variant: variant.name.casefold()).map(tuple),
    model=st.none() | TEXTS,
    gate=st.none() | st.floats(0, 1),
    fallback=st.none() | st.builds(Fallback, quality=st.sampled_from(Quality), model=st.none() | TEXTS),
)


@given(RECIPES)
def test_any_recipe_comes_from_a_file(tmp_path_factory: pytest.TempPathFactory, recipe: BatchRecipe) -> None:
    file = tmp_path_factory.getbasetemp() / "any.json"
    file.write_text(recipe.to_json(), "utf-8")
    assert load_recipe(file) == replace(recipe, gate=recipe.gate or None)


@pytest.mark.parametrize(("text", "gate"), [("", PASS), ("gate = 0.0", None), ("gate = 0", None), ("gate = 0.5", 0.5)])
def test_a_recipe_that_says_nothing_of_the_gate_has_the_usual_one(text: str, gate: float | None, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(text, "utf-8")
    assert load_recipe(file) == BatchRecipe(gate=gate)


def test_recipe_in_toml_as_a_person_writes_it(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(
        """
        gate = 0.8
        [matte]
        quality = "best"
        spill = "#0b4"
        [fallback]
        model = "u2netp"
        [[variants]]
        name = "shop"
        size = 2000
        background = "#fff"
        """,
        "utf-8",
    )
    assert load_recipe(file) == BatchRecipe(
        MatteRecipe(spill=(0, 0xBB, 0x44), quality=Quality.BEST),
        (Variant("shop", size=2000, background=(255, 255, 255)),),
        gate=0.8,
        fallback=Fallback(model="u2netp"),
    )


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"gaet": 1}, "gaet is not known in a recipe. Known are: matte, variants"),
        ({"matte": {"refin": True}}, "refin is not known in [matte]"),
        ({"matte": {"refine": "no"}}, 'refine cannot be "no"'),
        ({"matte": 3}, "has a mistake"),
        ({"gate": True}, "gate cannot be true"),
        ({"gate": 2}, "The gate is a number from 0 to 1, not 2."),
        ({"gate": "high"}, "has a mistake"),
        ({"model": 3}, "model cannot be 3"),
        ({"device": None}, "device cannot be null"),
        ({"fallback": {"quality": "worst"}}, 'quality cannot be "worst": it is one of fast, balanced, best.'),
        ({"fallback": "best"}, 'fallback cannot be "best": it is a table, [fallback].'),
        ({"matte": "best"}, 'matte cannot be "best": it is a table, [matte].'),
        ({"variants": "grey"}, 'variants cannot be "grey": it is tables, [[variants]].'),
        ({"variants": {"size": 800}}, "it is tables, [[variants]]."),
        ({"variants": ["grey"]}, '[[variants]] cannot be "grey": it is a table'),
        ({"variants": [{"background": 808080}]}, 'background cannot be 808080: it is a colour like "#ffffff".'),
        ({"variants": [{"background": [1, 2]}]}, 'background cannot be [1, 2]: it is a colour like "#ffffff".'),
        ({"variants": [{"size": "2000"}]}, 'size cannot be "2000": it is a whole number.'),
        ({"variants": [{"format": "jpg"}]}, 'format cannot be "jpg": it is one of png, psd.'),
        ({"gate": "0.5"}, 'gate cannot be "0.5": it is a number.'),
        ({"quality": "best"}, "quality is not known in a recipe. quality belongs into [matte]."),
        ([1], "it holds no names with values"),
    ],
)
def test_mistake_in_a_recipe_is_named(values: object, said: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.json"
    file.write_text(json.dumps(values), "utf-8")
    with pytest.raises(UsageError) as caught:
        load_recipe(file)
    assert str(caught.value).startswith(f"The recipe {file} has a mistake: ")
    assert said in str(caught.value)


def test_recipe_file_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"There is no recipe .*gone\.toml\. Look whether"):
        load_recipe(tmp_path / "gone.toml")
