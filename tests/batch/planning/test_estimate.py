"""What a queue would take, in numbers and in words."""

from pathlib import Path

import pytest
from PIL import Image

from bgdesk.batch.model import words
from bgdesk.batch.model.values import BatchRecipe, Existing, Item, Outcome, Planned, SkipReason, State, Variant
from bgdesk.batch.planning.estimate import SAMPLE, Pace, estimate, free_bytes
from bgdesk.batch.planning.plan import Collision, Plan, plan
from bgdesk.batch.planning.scan import find
from bgdesk.core.formats import Format
from bgdesk.core.recipe import MatteRecipe, Quality
from bgdesk.core.stages import Stage
from bgdesk.core.tasks import Cancelled, CancelToken, cancellable


def photos(folder: Path, number: int, size: tuple[int, int] = (1000, 500)) -> None:
    folder.mkdir(exist_ok=True)
    for index in range(number):
        Image.new("RGB", size).save(folder / f"{index}.png")


def item(seconds: dict[Stage, float], size: tuple[int, int] = (2000, 1000)) -> Item:
    return Item(
        id=1,
        position=1.0,
        source=Path("a.jpg"),
        size=1,
        mtime=1,
        outputs=(),
        state=State.DONE,
        outcome=Outcome(written=(), width=size[0], height=size[1], timings=seconds),
    )


def test_disk_time_and_words(tmp_path: Path) -> None:
    photos(tmp_path / "in", 4)
    (tmp_path / "in" / "broken.jpg").write_bytes(b"words")
    made = plan(find([tmp_path / "in", tmp_path / "gone.jpg"]), BatchRecipe(), tmp_path / "out")
    found = estimate(made, Pace(1.0, 2.0), free=lambda folder: 80_000_000_000)
    assert (found.megapixels, found.sampled, found.short) == (2.0, False, False)
    assert found.seconds == 4 * 1.0 + 2.0 * 2.0
    assert 4 * 500_000 < found.needed < 4 * 1_000_000
    assert found.lines() == (
        f"5 photos would be cut out into {tmp_path / 'out'}.",
        "Roughly 2.5 MB of disk (80 GB are free), and a few seconds, at the pace of earlier queues.",
        "1 of them cannot be read, and would fail: broken.jpg could not be read: it is a text file. "
        "Choose a photo instead: PNG, JPEG, TIFF, WebP, HEIC, AVIF or PSD.",
        "gone.jpg could not be read: there is no such file. Look whether it was moved or renamed.",
    )
    values = found.as_values()
    assert (values["photos"], values["bytes_free"], values["pace_measured"], len(values["problems"])) == (5, 80_000_000_000, True, 2)


def test_guess_says_what_it_rests_on(tmp_path: Path) -> None:
    photos(tmp_path / "in", 1)
    found = estimate(plan(find([tmp_path / "in"]), BatchRecipe(matte=MatteRecipe(quality=Quality.BEST)), tmp_path / "out"))
    assert found.lines()[1].endswith("and a few seconds, if a photo takes 4 s and 0.4 s more a megapixel.")
    assert found.free == free_bytes(tmp_path)


def test_more_workers_take_less_time(tmp_path: Path) -> None:
    photos(tmp_path / "in", 2)
    made = plan(find([tmp_path / "in"]), BatchRecipe(), tmp_path / "out")
    assert estimate(made, workers=2).seconds == pytest.approx(estimate(made).seconds / 2)


def test_full_disk_is_foreseen(tmp_path: Path) -> None:
    photos(tmp_path / "in", 1)
    found = estimate(plan(find([tmp_path / "in"]), BatchRecipe(), tmp_path / "out"), free=lambda folder: 1_000_000)
    assert found.short
    assert "The disk may become full. Make room, or choose a folder on another disk." in found.lines()
    unknown = estimate(found.plan, free=lambda folder: None)
    assert not unknown.short
    assert unknown.lines()[1].startswith("Roughly 620 kB of disk, and")


def test_variants_are_counted_by_their_kind_and_size(tmp_path: Path) -> None:
    photos(tmp_path / "in", 1)

    def needed(*variants: Variant) -> int:
        return estimate(plan(find([tmp_path / "in"]), BatchRecipe(variants=variants), tmp_path / "out", "{name}-{variant}")).needed

    png, psd, mask = Variant(name="a"), Variant(name="b", format=Format.PSD), Variant(name="c", alpha_only=True)
    assert needed(mask) < needed(png) < needed(psd)
    assert needed(Variant(name="a", size=100)) < needed(png) < needed(Variant(name="a", size=2000))
    assert needed(png, psd) > needed(psd)


def test_of_thousands_some_stand_for_all(tmp_path: Path) -> None:
    photos(tmp_path / "in", 1)
    one = tmp_path / "in" / "0.png"
    planned = tuple(Planned(source=one, size=1, mtime=1, outputs=(tmp_path / f"{index}.png",)) for index in range(10 * SAMPLE))
    looks: list[float] = []
    found = estimate(
        Plan(planned=planned, output=tmp_path, recipe=BatchRecipe(), existing=Existing.SKIP),
        progress=lambda stage, fraction: looks.append(fraction),
    )
    assert len(looks) == SAMPLE
    assert found.sampled
    assert found.megapixels == pytest.approx(10 * SAMPLE * 0.5)


def test_nothing_to_do_is_said_shortly(tmp_path: Path) -> None:
    skipped = Planned(source=tmp_path / "a.jpg", size=1, mtime=1, outputs=(tmp_path / "a.png",), skipped=SkipReason.UP_TO_DATE)
    found = estimate(Plan(planned=(skipped,), output=tmp_path, recipe=BatchRecipe(), existing=Existing.SKIP))
    assert (found.needed, found.seconds) == (0, 0.0)
    assert found.lines() == (f"0 photos would be cut out into {tmp_path}, 1 is up to date.",)


def test_everything_that_a_person_should_know_before_is_said(tmp_path: Path) -> None:
    collision = Collision(Path("/b/a.jpg"), Path("/a/a.jpg"), tmp_path / "a.png", tmp_path / "a-2.png")
    made = Plan(
        planned=(),
        output=tmp_path,
        recipe=BatchRecipe(),
        existing=Existing.SKIP,
        collisions=(collision,),
        own=(tmp_path / "x.png",),
        replaced=2,
        numbered=3,
    )
    assert estimate(made).lines()[1:] == (
        "1 output would have the name of another photo's output and get a number, the first: /b/a.jpg as a-2.png, because of /a/a.jpg.",
        "3 outputs get a number because something else has their name.",
        "2 files would be replaced.",
        "1 cutout of earlier queues in the source folder would be left out.",
    )


def test_pace_is_learnt_from_what_was_done() -> None:
    seconds = {Stage.LOAD: 9.0, Stage.NETWORK: 1.0, Stage.CONFIDENCE: 0.5, Stage.ALPHA: 0.6, Stage.FOREGROUND: 0.2, Stage.SAVE: 9.0}
    assert Pace.of([item(seconds)] * 4) is None
    pace = Pace.of([*[item(seconds)] * 5, item({})])
    assert pace is not None
    assert (pace.photo, pace.megapixel) == pytest.approx((1.5, 0.4))
    assert pace.measured


def test_estimate_can_be_cancelled(tmp_path: Path) -> None:
    photos(tmp_path / "in", 1)
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        estimate(plan(find([tmp_path / "in"]), BatchRecipe(), tmp_path / "out"), progress=cancellable(token))


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 kB"), (640_000, "640 kB"), (999_600, "1.0 MB"), (2_140_000_000, "2.1 GB"), (80_400_000_000, "80 GB"), (1.5e12, "1.5 TB")],
)
def test_sizes_in_words(size: float, text: str) -> None:
    assert words.bytes_(size) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (3, "a few seconds"),
        (42, "40 seconds"),
        (58, "1 minute"),
        (400, "7 minutes"),
        (1510, "25 minutes"),
        (3590, "1 hour"),
        (5400, "1.5 hours"),
        (12 * 3600, "12 hours"),
        (60 * 3600, "2 days"),
    ],
)
def test_times_in_words(seconds: float, text: str) -> None:
    assert words.span(seconds) == text


def test_counts_and_places_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (words.count(1, "photo"), words.count(1204, "photo"), words.count(2, "copy", "copies")) == (
        "1 photo",
        "1,204 photos",
        "2 copies",
    )
    monkeypatch.setattr(Path, "home", lambda: Path("/home/ann"))
    assert (words.place(Path("/home/ann/out")), words.place(Path("/home/anna"))) == ("~/out", "/home/anna")
