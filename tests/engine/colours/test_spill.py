from pathlib import Path

import cv2
import numpy as np
import pytest

from bgdesk.bench.cases.metrics import delta_e2000, lab
from bgdesk.core.recipe import MatteRecipe
from bgdesk.core.tasks import Cancelled
from bgdesk.engine.colours.spill import backdrop_of, suppress
from bgdesk.engine.networks.weights import Weights
from bgdesk.engine.pipeline import Pipeline
from tests.engine.scenes import BACKDROPS, strands

#: What the subject is made of: skin, grey cloth, something red, something blue.
FRONTS = {"skin": (0.82, 0.62, 0.52), "grey": (0.55, 0.55, 0.55), "wine": (0.5, 0.15, 0.2), "navy": (0.15, 0.2, 0.45)}
GREEN = BACKDROPS["green"]


def lit(front: tuple[float, float, float], backdrop: tuple[float, float, float], model: str) -> tuple[np.ndarray, ...]:
    """(photo with spill, foreground with spill, without, true alpha, depth inside the edge in pixels)."""
    _, alpha, _ = strands(500, 700, backdrop, hairs=40)
    height, width = alpha.shape
    depth = cv2.distanceTransform((alpha > 0.5).astype(np.uint8), cv2.DIST_L2, 5)
    shade = np.linspace(0.8, 1.1, width)[None, :, None] + 0.03 * np.random.default_rng(2).standard_normal((height, width, 1))
    clean = np.clip(np.array(front) * shade, 0, 1)
    amount = (0.25 * np.exp(-depth / 4))[..., None]
    amount[depth > 12] = 0
    light = np.array(backdrop)
    if model == "veil":
        spilled = clean * (1 - amount) + light * amount
    else:  # light that bounces off the backdrop onto a matt surface adds to the white one, in linear light
        spilled = np.clip((clean**2.2 * (1 + 4 * amount * light**2.2)) ** (1 / 2.2), 0, 1)
    photo = alpha[..., None] * spilled + (1 - alpha[..., None]) * light
    eight = [np.rint(part * 255).astype(np.uint8) for part in (photo, spilled, clean)]
    return *eight, alpha, depth


def colour(backdrop: tuple[float, float, float]) -> tuple[int, int, int]:
    r, g, b = (round(part * 255) for part in backdrop)
    return r, g, b


def some_weights() -> Weights:
    return Weights("isnet-general", "isnet", Path("none"), "")


@pytest.mark.parametrize("model", ["veil", "bounce"])
@pytest.mark.parametrize("front", FRONTS.values(), ids=FRONTS)
@pytest.mark.parametrize("backdrop", BACKDROPS.values(), ids=BACKDROPS)
def test_the_rim_comes_closer_to_its_own_colours(
    backdrop: tuple[float, float, float], front: tuple[float, float, float], model: str
) -> None:
    _, spilled, clean, alpha, depth = lit(front, backdrop, model)
    rim = (alpha > 0.5) & (depth < 12)
    found = spilled.copy()
    suppress(found, alpha, colour(backdrop))
    before, after = (float(delta_e2000(lab(part[rim]), lab(clean[rim])).mean()) for part in (spilled, found))
    assert after < before
    if front == FRONTS["grey"]:
        assert after < 0.7 * before


def test_sixteen_bits_are_the_same_as_eight() -> None:
    _, spilled, _, alpha, _ = lit(FRONTS["skin"], GREEN, "veil")
    eight, sixteen = spilled.copy(), spilled.astype(np.uint16) * 257
    suppress(eight, alpha, colour(GREEN))
    suppress(sixteen, alpha, colour(GREEN))
    assert np.abs(sixteen / 257 - eight).max() <= 2


def test_far_from_the_edge_nothing_changes() -> None:
    _, spilled, _, alpha, depth = lit(FRONTS["grey"], GREEN, "veil")
    spilled[:, :, 1] = np.minimum(255, spilled[:, :, 1].astype(int) + 20)  # greenish all over
    found = spilled.copy()
    suppress(found, alpha, colour(GREEN))
    assert np.array_equal(found[depth > 20], spilled[depth > 20])  # 2 % of 700, and a cell
    assert not np.array_equal(found, spilled)


@pytest.mark.parametrize("front", [*FRONTS.values(), (0.25, 0.55, 0.3), (0.55, 0.7, 0.35)])
def test_colours_without_spill_stay(front: tuple[float, float, float]) -> None:
    """Greens among them: the subject's own chroma is told from the backdrop's light by what lies deeper inside."""
    _, _, clean, alpha, depth = lit(front, GREEN, "veil")
    found = clean.copy()
    suppress(found, alpha, colour(GREEN))
    rim = (alpha > 0.5) & (depth < 20)
    assert delta_e2000(lab(found[rim]), lab(clean[rim])).mean() < 1


def test_luma_stays() -> None:
    _, spilled, _, alpha, _ = lit(FRONTS["skin"], GREEN, "veil")
    found = spilled.copy()
    suppress(found, alpha, colour(GREEN))
    assert np.abs((found.astype(float) - spilled) @ [0.2126, 0.7152, 0.0722])[alpha > 0.5].max() < 1.5


@pytest.mark.parametrize("grey", [(0, 0, 0), (128, 128, 128), (255, 255, 250)])
def test_a_grey_backdrop_has_no_spill(grey: tuple[int, int, int]) -> None:
    _, spilled, _, alpha, _ = lit(FRONTS["skin"], GREEN, "veil")
    found = spilled.copy()
    suppress(found, alpha, grey)
    assert np.array_equal(found, spilled)


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (3, 2), (33, 31)])
@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_the_smallest_pictures(shape: tuple[int, int], value: float) -> None:
    pixels = np.full((*shape, 3), (40, 200, 90), np.uint8)
    before = pixels.copy()
    suppress(pixels, np.full(shape, value, np.float32), colour(GREEN))
    if value != 0.5:  # nothing but subject, or none: there is no rim
        assert np.array_equal(pixels, before)


@pytest.mark.parametrize("name", BACKDROPS)
def test_the_backdrop_is_found(name: str) -> None:
    photo, _, _, alpha, _ = lit(FRONTS["skin"], BACKDROPS[name], "veil")
    found = backdrop_of(photo, alpha)
    assert found is not None
    assert np.abs(np.array(found) - colour(BACKDROPS[name])).max() < 8


def test_many_colours_are_no_backdrop() -> None:
    photo, _, _, alpha, _ = lit(FRONTS["skin"], GREEN, "veil")
    patches = cv2.resize(np.random.default_rng(3).integers(0, 256, (6, 8, 3)).astype(np.uint8), (700, 500))
    assert backdrop_of(np.where(alpha[..., None] > 0, photo, patches), alpha) is None
    assert backdrop_of(np.where(alpha[..., None] > 0, photo, np.uint8(200)), alpha) is None
    assert backdrop_of(photo, np.ones_like(alpha)) is None


def test_the_recipe_decides() -> None:
    photo, _, _, alpha, _ = lit(FRONTS["grey"], GREEN, "veil")
    pipeline = Pipeline(some_weights)
    plain, named, found = (
        pipeline.foreground(photo, alpha, recipe=MatteRecipe(spill=spill)).foreground for spill in (None, "#00b040", "auto")
    )
    assert np.array_equal(plain, pipeline.foreground(photo, alpha).foreground)
    assert not np.array_equal(plain, named)
    assert np.abs(named.astype(int) - found).max() < 10
    assert pipeline.status.notes == ()
    alone = pipeline.foreground(photo, alpha, recipe=MatteRecipe(decontaminate=False, spill="#00b040")).foreground
    changed = (alone != photo).any(axis=2)
    assert changed.any()
    assert changed.mean() < 0.5


def test_a_backdrop_that_cannot_be_found_is_said() -> None:
    photo, _, _, alpha, _ = lit(FRONTS["grey"], GREEN, "veil")
    grey = np.repeat(photo[..., :1], 3, axis=2)
    pipeline = Pipeline(some_weights)
    plain = pipeline.foreground(grey, alpha)
    assert plain.notes == ()
    for _ in range(2):
        found = pipeline.foreground(grey, alpha, recipe=MatteRecipe(spill="auto"))
        assert "No spill was found" in found.notes[0]
        assert np.array_equal(found.foreground, plain.foreground)
    assert pipeline.status.notes == ()


def test_can_be_cancelled() -> None:
    def progress(stage: str, fraction: float) -> None:
        assert stage == "foreground"
        if fraction > 0.1:
            raise Cancelled

    _, spilled, _, alpha, _ = lit(FRONTS["skin"], GREEN, "veil")
    with pytest.raises(Cancelled):
        suppress(spilled, alpha, colour(GREEN), progress)
