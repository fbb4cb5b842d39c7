import pytest

from bgdesk.core.errors import UsageError
from bgdesk.core.recipe import AUTO, MatteRecipe, Quality, colour_of


@pytest.mark.parametrize("text", ["#00b140", "00B140", " #00b140 "])
def test_a_colour_is_read(text: str) -> None:
    assert colour_of(text) == (0, 177, 64)


def test_a_short_colour() -> None:
    assert colour_of("#0f8") == (0, 255, 136)


@pytest.mark.parametrize("text", ["", "#", "green", "#00b14", "#00b1400", "#00b14g", "+12345"])
def test_what_is_not_a_colour(text: str) -> None:
    with pytest.raises(UsageError, match="is not a colour"):
        MatteRecipe(spill=text)


def test_a_recipe_keeps_the_backdrop_in_one_form() -> None:
    assert MatteRecipe(spill="#00b140") == MatteRecipe(spill=(0, 177, 64))
    assert MatteRecipe(spill=AUTO).spill == AUTO
    assert MatteRecipe().spill is None


@pytest.mark.parametrize("colour", [(0, 0), (0, 0, 256), (-1, 0, 0)])
def test_a_backdrop_out_of_range(colour: tuple[int, int, int]) -> None:
    with pytest.raises(UsageError, match="0 to 255"):
        MatteRecipe(spill=colour)


@pytest.mark.parametrize("strength", [-0.01, 1.01, float("nan")])
def test_a_strength_out_of_range(strength: float) -> None:
    with pytest.raises(UsageError, match="from 0 to 1"):
        MatteRecipe(strength=strength)


def test_when_the_foreground_differs_from_the_source() -> None:
    assert MatteRecipe().recolours
    assert not MatteRecipe(decontaminate=False).recolours
    assert not MatteRecipe(strength=0).recolours
    assert MatteRecipe(decontaminate=False, spill=AUTO).recolours
    assert MatteRecipe(decontaminate=False).amount == 0


def test_quality_is_kept_in_one_form() -> None:
    assert MatteRecipe().quality is Quality.BALANCED
    assert MatteRecipe(quality="best") == MatteRecipe(quality=Quality.BEST)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="fast, balanced, best, not 'worst'"):
        MatteRecipe(quality="worst")  # type: ignore[arg-type]


def test_what_the_colours_depend_on() -> None:
    assert MatteRecipe(quality=Quality.BEST, refine=False).colours == MatteRecipe().colours
    assert MatteRecipe(strength=0.5).colours != MatteRecipe().colours
    assert MatteRecipe(decontaminate=False).colours == MatteRecipe(strength=0.0).colours
    assert MatteRecipe(spill=AUTO).colours != MatteRecipe().colours
