"""The admission of photos: a table, and the law that what was let in fits however the lanes run."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgdesk.batch.model.values import BatchRecipe, Fallback, Variant
from bgdesk.batch.workers.memory import Cost, Station, admits, cost, cost_of, default_memory, need
from bgdesk.core.formats import Format
from bgdesk.core.geometry import Size
from bgdesk.core.recipe import EdgeRecipe
from tests.batch.workers.workers import photo_at

PHOTO = Cost(loading=7, read=3, computing=24, cut=11, saving=20)
LARGE = Cost(loading=700, read=300, computing=2400, cut=1100, saving=2000)
COSTS = st.builds(
    lambda read, more: Cost(
        loading=read + more[0], read=read, computing=read + more[1], cut=read + more[2], saving=read + more[2] + more[3]
    ),
    st.integers(1, 50),
    st.tuples(*[st.integers(0, 50)] * 4),
)


@pytest.mark.parametrize(
    ("flight", "new", "budget", "expected"),
    [
        ([], PHOTO, 100, True),
        ([], LARGE, 100, True),  # alone, whatever its size
        ([], LARGE, 0, True),
        ([(PHOTO, Station.COMPUTING)], PHOTO, 0, False),
        ([(PHOTO, Station.COMPUTING)], LARGE, 100, False),
        ([(LARGE, Station.SAVING)], PHOTO, 100, False),  # nothing slips in beside it
        ([(PHOTO, Station.COMPUTING)], PHOTO, 2 * 11 + 13 + 9, True),  # two waiting, one of them computed, one written
        ([(PHOTO, Station.COMPUTING)], PHOTO, 2 * 11 + 13 + 9 - 1, False),
        ([(PHOTO, Station.SAVING), (PHOTO, Station.COMPUTING)], PHOTO, 3 * 11 + 13 + 9, True),
    ],
)
def test_who_may_come_in(flight: list[tuple[Cost, Station]], new: Cost, budget: int, expected: bool) -> None:
    assert admits(flight, new, budget) is expected


@given(st.lists(COSTS, min_size=1, max_size=5))
def test_however_the_lanes_run_it_fits(costs: list[Cost]) -> None:
    """Whichever photo is in each stage, and the rest waiting on either side, they hold no more than was counted."""
    bound = need([(each, Station.TAKEN) for each in costs])
    for loading in (*costs, None):
        for computing in (*costs, None):
            for saving in (*costs, None):
                busy = [each for each in (loading, computing, saving) if each is not None]
                if len({id(each) for each in busy}) < len(busy):
                    continue
                held = loading.loading if loading else 0
                held += computing.computing if computing else 0
                held += saving.saving if saving else 0
                held += sum(max(each.read, each.cut) for each in costs if not any(each is other for other in busy))
                assert held <= bound


def test_a_photo_s_head_is_enough(tmp_path: Path) -> None:
    recipe = BatchRecipe()
    jpeg, png = photo_at(tmp_path / "a.jpg", 400, 300), photo_at(tmp_path / "a.png", 400, 300)
    assert cost(jpeg, recipe) == cost_of(Size(400, 300), recipe)
    assert cost(png, recipe).computing == 2 * cost(jpeg, recipe).computing  # it may be deep
    assert cost(tmp_path / "gone.jpg", recipe) == cost_of(Size(1, 1), recipe)
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    assert cost(tmp_path / "broken.jpg", recipe) == cost_of(Size(1, 1), recipe)


@pytest.mark.parametrize(
    "dearer",
    [
        BatchRecipe(variants=(Variant(format=Format.PSD),)),
        BatchRecipe(variants=(Variant(background=(255, 255, 255)),)),
        BatchRecipe(variants=(Variant(), Variant(name="large", size=8000))),
        BatchRecipe(gate=0.5, fallback=Fallback()),
        BatchRecipe(edge=EdgeRecipe(feather=2)),
    ],
)
def test_what_takes_more_is_counted_as_more(dearer: BatchRecipe) -> None:
    plain, more = cost_of(Size(4000, 3000), BatchRecipe()), cost_of(Size(4000, 3000), dearer)
    assert more.computing + more.saving > plain.computing + plain.saving


def test_this_machine_has_memory() -> None:
    assert 100e6 < default_memory() < 100e12
