"""What the options of batch and watch make of a recipe: templates, a recipe file, and what is said beside them."""

import argparse
from pathlib import Path

import pytest

from bgdesk.batch.model.values import BatchRecipe
from bgdesk.batch.planning.templates import own_folder
from bgdesk.cli.queue import queue_options
from bgdesk.core.errors import UsageError
from bgdesk.core.recipe import EdgeRecipe


def recipe_of(*arguments: str) -> BatchRecipe:
    parser = argparse.ArgumentParser()
    queue_options.add_recipe(parser)
    return queue_options.recipe_of(parser.parse_args(arguments))


@pytest.fixture
def recipe_file(tmp_path: Path) -> str:
    file = tmp_path / "mine.toml"
    file.write_text("[edge]\nshift = -1\nsmooth = 3\n", "utf-8")
    return str(file)


@pytest.fixture
def soft() -> str:
    own_folder().mkdir(parents=True)
    (own_folder() / "soft.toml").write_text("[[variants]]\n[edge]\nfeather = 2\n", "utf-8")
    return "soft"


def test_edges_stay_as_solved_unless_somebody_says() -> None:
    assert recipe_of().edge == EdgeRecipe()


def test_options_say_how_edges_are_finished() -> None:
    assert recipe_of("--shift", "-1.25", "--smooth=2", "--feather", "3", "--contrast", "40").edge == EdgeRecipe(
        shift=-1.25, smooth=2, feather=3, contrast=40
    )


def test_a_template_comes_before_the_recipe_file_and_an_option_before_both(recipe_file: str, soft: str) -> None:
    assert recipe_of("--recipe", recipe_file).edge == EdgeRecipe(shift=-1, smooth=3)
    assert recipe_of("--recipe", recipe_file, "--template", "png").edge == EdgeRecipe(shift=-1, smooth=3)
    assert recipe_of("--recipe", recipe_file, "--template", soft).edge == EdgeRecipe(feather=2)
    assert recipe_of("--recipe", recipe_file, "--template", soft, "--feather", "0.5").edge == EdgeRecipe(feather=0.5)
    assert recipe_of("--recipe", recipe_file, "--shift", "0").edge == EdgeRecipe(smooth=3)


@pytest.mark.parametrize(
    ("option", "said"),
    [("--shift=21", "Shift edge is a number from -20 to 20 px, not 21"), ("--contrast=nan", "Contrast is a number from 0 to 100 %")],
)
def test_a_number_out_of_range_is_refused(option: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        recipe_of(option)
