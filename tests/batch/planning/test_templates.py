"""Templates and recipe files: what is shipped, what a person brings, and mistakes that are named."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgdesk.app.system import codec
from bgdesk.batch.model.values import BatchRecipe, Fallback, Variant
from bgdesk.batch.planning.templates import edge_of, load_recipe, own_folder, template, templates, variants_of
from bgdesk.core.errors import UsageError
from bgdesk.core.formats import Format
from bgdesk.core.recipe import EdgeRecipe, MatteRecipe, Quality
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
        "shop-white": (Variant(name="white", size=2000, background=(255, 255, 255)), Variant(name="cutout")),
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
    assert template("banner").variants == (Variant(name="wide", background=(0x33, 0x33, 0x33)),)


def test_unknown_template_is_said_with_those_there_are() -> None:
    with pytest.raises(UsageError, match=r"^There is no template called 'wbe'\. The templates are: mask, png, psd, shop-white, web\.$"):
        template("wbe")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[variants]", "mistake: "),
        ("", r"it needs at least one \[\[variants\]\]"),
        ("variants = 3", "mistake: "),
        ("[[variants]]\nsiez = 3", r"variants\[0\]\.siez is not known\. Known are: name, format"),
        ("[[variants]]\nsize = '3'", "mistake: "),
        ("[[variants]]\nsize = true", "size"),
        ("[[variants]]\nsize = 4", "Size is a number from 16 to 16384 px, not 4"),
        ("[[variants]]\nformat = 'jpg'", r"variants\[0\]\.format must be one of png, psd, not \"jpg\""),
        ("[[variants]]\nbackground = 'white'", "'white' is not a colour"),
        ("[[variants]]\nbackground = [1, 2, 300]", r"variants\[0\]\.background must be a colour like .#ffffff., not \[1, 2, 300\]"),
        ("[[variants]]\nalpha_only = 'no'", r'variants\[0\]\.alpha_only must be true or false, not "no"'),
        ("[[variants]]\n[[variants]]", "each of them a name of its own"),
        ("gate = 0.5\n[[variants]]", "gate is not known. Known are: variants, edge, title, description"),
        ("[edge]\nshift = 30\n[[variants]]", "Shift edge is a number from -20 to 20 px, not 30"),
        ("[edge]\nshfit = 3\n[[variants]]", r"edge\.shfit is not known\. Known are: shift, smooth, feather, contrast"),
        ("title = 3\n[[variants]]", "title must be text, not 3"),
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


def test_a_template_may_say_how_edges_are_finished() -> None:
    own("soft.toml", "[[variants]]\nname = 'soft'\n[edge]\nfeather = 2\n")
    own("same.toml", "[[variants]]\nname = 'same'\n[edge]\nfeather = 2.0\n")
    own("hard.toml", "[[variants]]\nname = 'hard'\n[edge]\ncontrast = 50\n")
    own("plain.toml", "[[variants]]\nname = 'plain'\n[edge]\n")
    assert template("soft").edge == EdgeRecipe(feather=2)
    assert template("png").edge is None
    assert edge_of(["png", "psd"]) is None
    assert edge_of(["png", "soft", "same"]) == EdgeRecipe(feather=2)
    assert edge_of(["plain"]) == EdgeRecipe()
    with pytest.raises(UsageError, match="The templates soft and hard finish edges differently"):
        edge_of(["soft", "png", "hard"])


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
    edge=st.builds(EdgeRecipe, shift=st.floats(-20, 20), smooth=st.floats(0, 20), feather=st.floats(0, 50), contrast=st.floats(0, 100)),
    variants=st.lists(VARIANTS, min_size=1, max_size=3, unique_by=lambda variant: variant.name.casefold()).map(tuple),
    model=st.none() | TEXTS,
    gate=st.none() | st.floats(0, 1),
    fallback=st.none() | st.builds(Fallback, quality=st.sampled_from(Quality), model=st.none() | TEXTS),
)


@given(RECIPES)
def test_any_recipe_comes_from_a_file(tmp_path_factory: pytest.TempPathFactory, recipe: BatchRecipe) -> None:
    file = tmp_path_factory.getbasetemp() / "any.json"
    file.write_bytes(codec.encode(recipe))
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
        [edge]
        shift = -1.5
        feather = 2
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
        matte=MatteRecipe(spill=(0, 0xBB, 0x44), quality=Quality.BEST),
        edge=EdgeRecipe(shift=-1.5, feather=2),
        variants=(Variant(name="shop", size=2000, background=(255, 255, 255)),),
        gate=0.8,
        fallback=Fallback(model="u2netp"),
    )


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"gaet": 1}, "gaet is not known. Known are: matte, edge, variants"),
        ({"matte": {"refin": True}}, "matte.refin is not known. Known are: refine, decontaminate"),
        ({"matte": {"refine": "no"}}, 'matte.refine must be true or false, not "no".'),
        ({"matte": {"strength": 2}}, "Strength of decontamination is a number from 0 to 1, not 2."),
        ({"matte": {"spill": 3}}, "matte.spill must be"),
        ({"matte": 3}, "matte must be a table of names and values, not 3."),
        ({"edge": {"shift": -21}}, "Shift edge is a number from -20 to 20 px, not -21."),
        ({"edge": {"shift": "2"}}, 'edge.shift must be a number, not "2".'),
        ({"edge": {"shape": 2}}, "edge.shape is not known. Known are: shift, smooth, feather, contrast."),
        ({"shift": 2}, "shift is not known in a recipe: it belongs into [edge]."),
        ({"gate": True}, "gate must be a number or left out, not true."),
        ({"gate": 2}, "Gate is a number from 0 to 1, not 2."),
        ({"gate": "high"}, 'gate must be a number or left out, not "high".'),
        ({"model": 3}, "model must be text or left out, not 3."),
        ({"device": None}, "device must be text, not null."),
        ({"fallback": {"quality": "worst"}}, 'fallback.quality must be one of fast, balanced, best, not "worst".'),
        ({"fallback": "best"}, 'fallback must be a table of names and values or left out, not "best".'),
        ({"variants": "grey"}, 'variants must be a list, not "grey".'),
        ({"variants": {"size": 800}}, "variants must be a list, not"),
        ({"variants": ["grey"]}, 'variants[0] must be a table of names and values, not "grey".'),
        ({"variants": [{"background": 808080}]}, 'variants[0].background must be a colour like "#ffffff", not 808080.'),
        ({"variants": [{}, {"background": [1, 2]}]}, 'variants[1].background must be a colour like "#ffffff", not [1, 2].'),
        ({"variants": [{"size": "2000"}]}, 'variants[0].size must be a whole number or left out, not "2000".'),
        ({"variants": [{"format": "jpg"}]}, 'variants[0].format must be one of png, psd, not "jpg".'),
        ({"quality": "best"}, "quality is not known in a recipe: it belongs into [matte]."),
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


def test_outputs_of_before_there_were_edges_are_up_to_date() -> None:
    before = (
        b'{"device": "auto", "fallback": null, "gate": null, "matte": {"decontaminate": true, "quality": "balanced", "refine": true, '
        b'"spill": null, "strength": 1.0}, "matting": null, "model": null, "precision": "auto", "variants": [{"alpha_only": false, '
        b'"background": null, "format": "png", "margin": 0.05, "name": "", "size": null}]}'
    )
    assert BatchRecipe().key == hashlib.sha256(before).hexdigest()
    assert BatchRecipe(gate=0.5).key == BatchRecipe().key
    assert BatchRecipe(edge=EdgeRecipe(shift=1)).key != BatchRecipe().key
    assert codec.decode(before, BatchRecipe) == BatchRecipe()


def test_the_recipe_in_the_readme_is_one(tmp_path: Path) -> None:
    text = (Path(__file__).resolve().parents[3] / "README.md").read_text("utf-8")
    file = tmp_path / "readme.toml"
    file.write_text(text.split("```toml\n")[1].split("```")[0], "utf-8")
    assert load_recipe(file).edge == EdgeRecipe(shift=-0.5)
