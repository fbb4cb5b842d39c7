"""Targets: never a photo, never one twice, never somebody's file; and what is up to date is left alone."""

import os
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgdesk.batch.model.values import BatchRecipe, Existing, LedgerEntry, SkipReason, State, Variant
from bgdesk.batch.planning.plan import Plan, plan
from bgdesk.batch.planning.scan import PhotoFile, ScanResult, find
from bgdesk.core.errors import UsageError
from bgdesk.core.formats import Format
from bgdesk.core.recipe import MatteRecipe
from bgdesk.core.tasks import Cancelled, CancelToken, cancellable

RECIPE = BatchRecipe()
TWO = BatchRecipe(variants=(Variant(name="web", size=1200), Variant(name="full")))


@dataclass
class Ledger:
    """The journal's, in memory."""

    records: dict[Path, LedgerEntry] = field(default_factory=dict)

    def lookup(self, output: Path) -> LedgerEntry | None:
        return self.records.get(output)

    def carry_out(self, plan: Plan) -> None:
        """Do what a queue does with a plan, without pixels."""
        for item in plan.todo:
            for output in item.outputs:
                output.parent.mkdir(parents=True, exist_ok=True)
                output.write_bytes(f"cutout of {item.source}".encode())
                now = output.stat()
                self.records[output] = LedgerEntry(
                    recipe_key=plan.recipe.key,
                    source=item.source,
                    source_size=item.size,
                    source_mtime=item.mtime,
                    output_size=now.st_size,
                    output_mtime=now.st_mtime_ns,
                )


def make(top: Path, *names: str, content: bytes = b"photo") -> None:
    for name in names:
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def outputs(plan: Plan) -> list[str]:
    return [os.path.relpath(output, plan.output) for item in plan.planned for output in item.outputs]


def touch(path: Path) -> None:
    """Changed since: a second later than it was."""
    now = path.stat().st_mtime_ns + 1_000_000_000
    os.utime(path, ns=(now, now))


def test_every_photo_gets_one_target_a_variant(tmp_path: Path) -> None:
    make(tmp_path, "in/a.jpg", "in/sub/b.jpg")
    found = find([tmp_path / "in"], recursive=True)
    made = plan(found, TWO, tmp_path / "out", "{subfolder}/{name}-{variant}")
    assert outputs(made) == ["a-web.png", "a-full.png", "sub/b-web.png", "sub/b-full.png"]
    assert [item.state for item in made.planned] == [State.QUEUED] * 2
    assert (made.planned[0].source, made.planned[0].size) == (tmp_path / "in" / "a.jpg", 5)
    assert not (tmp_path / "out").exists()


def test_formats_give_their_suffixes(tmp_path: Path) -> None:
    make(tmp_path, "a.jpg")
    recipe = BatchRecipe(variants=(Variant(name="png"), Variant(name="psd", format=Format.PSD)))
    assert outputs(plan(find([tmp_path]), recipe, tmp_path / "out", "{name}")) == ["a.png", "a.psd"]


def test_photos_of_one_name_are_numbered_and_told(tmp_path: Path) -> None:
    make(tmp_path, "a/Shoe.jpg", "b/shoe.jpg", "b/shoe-2.jpg", "c/shoe.png")
    made = plan(find([tmp_path], recursive=True), RECIPE, tmp_path / "out")
    assert outputs(made) == ["Shoe.png", "shoe-2.png", "shoe-2-2.png", "shoe-3.png"]
    assert [(c.source.name, c.other.name, c.wanted.name, c.given.name) for c in made.collisions] == [
        ("shoe.jpg", "Shoe.jpg", "shoe.png", "shoe-2.png"),
        ("shoe-2.jpg", "shoe.jpg", "shoe-2.png", "shoe-2-2.png"),
        ("shoe.png", "Shoe.jpg", "shoe.png", "shoe-3.png"),
    ]


def test_two_spellings_of_one_name_are_one_name(tmp_path: Path) -> None:
    make(tmp_path, "a/caf\u00e9.jpg", "b/cafe\u0301.jpg")
    made = plan(find([tmp_path], recursive=True), RECIPE, tmp_path / "out")
    assert outputs(made)[1].endswith("-2.png")


@pytest.mark.parametrize("existing", list(Existing))
def test_photo_is_never_a_target(existing: Existing, tmp_path: Path) -> None:
    make(tmp_path, "a.jpg", "a.png", "a_cutout.png", "b.jpg")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "b.png").symlink_to(tmp_path / "a.png")
    sources = {photo.path for photo in find([tmp_path]).photos}
    made = plan(find([tmp_path]), RECIPE, tmp_path, existing=existing)
    targets = [output for item in made.planned for output in item.outputs]
    assert not sources.intersection(targets)
    assert outputs(made)[:3] == ["a_cutout-2.png", "a_cutout-3.png", "a_cutout_cutout.png"]
    # Replacing a link leaves the file that it names alone.
    assert outputs(plan(find([tmp_path / "b.jpg"]), RECIPE, tmp_path / "out", existing=Existing.REPLACE)) == ["b.png"]


def test_source_behind_a_link_is_no_target_either(tmp_path: Path) -> None:
    make(tmp_path, "out/a.png")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.jpg").symlink_to(tmp_path / "out" / "a.png")
    assert outputs(plan(find([tmp_path / "in"]), RECIPE, tmp_path / "out", existing=Existing.REPLACE)) == ["a-2.png"]


def test_second_run_finds_everything_up_to_date(tmp_path: Path) -> None:
    make(tmp_path, "in/a/x.jpg", "in/b/x.jpg", "in/y.jpg")
    make(tmp_path, "out/y-web.png", content=b"somebody's own")
    found, ledger = find([tmp_path / "in"], recursive=True), Ledger()
    first = plan(found, TWO, tmp_path / "out", ledger=ledger)
    assert outputs(first) == ["y-web-2.png", "y-full.png", "x-web.png", "x-full.png", "x-web-2.png", "x-full-2.png"]
    assert first.numbered == 1
    ledger.carry_out(first)
    second = plan(found, replace(TWO, gate=0.9), tmp_path / "out", ledger=ledger)
    assert [(item.state, item.skipped) for item in second.planned] == [(State.SKIPPED, SkipReason.UP_TO_DATE)] * 3
    assert outputs(second) == outputs(first)
    assert (second.todo, len(second.skipped), second.numbered, second.replaced) == ((), 3, 0, 0)
    assert (tmp_path / "out" / "y-web.png").read_bytes() == b"somebody's own"


def test_cutout_is_made_anew_in_its_place_when_photo_or_recipe_changed(tmp_path: Path) -> None:
    make(tmp_path, "in/a.jpg", "in/b.jpg")
    ledger = Ledger()
    ledger.carry_out(plan(find([tmp_path / "in"]), RECIPE, tmp_path / "out", ledger=ledger))
    touch(tmp_path / "in" / "a.jpg")
    again = plan(find([tmp_path / "in"]), RECIPE, tmp_path / "out", ledger=ledger)
    assert [(item.state, item.outputs[0].name) for item in again.planned] == [(State.QUEUED, "a.png"), (State.SKIPPED, "b.png")]
    assert again.replaced == 1
    other = plan(find([tmp_path / "in"]), BatchRecipe(matte=MatteRecipe(refine=False)), tmp_path / "out", ledger=ledger)
    assert [(item.state, item.outputs[0].name) for item in other.planned] == [(State.QUEUED, "a.png"), (State.QUEUED, "b.png")]


def test_missing_variant_is_reason_enough_to_do_a_photo_again(tmp_path: Path) -> None:
    make(tmp_path, "in/a.jpg")
    ledger, found = Ledger(), find([tmp_path / "in"])
    ledger.carry_out(plan(found, TWO, tmp_path / "out", ledger=ledger))
    (tmp_path / "out" / "a-full.png").unlink()
    again = plan(found, TWO, tmp_path / "out", ledger=ledger)
    assert outputs(again) == ["a-web.png", "a-full.png"]
    assert again.planned[0].state is State.QUEUED


def test_cutout_that_somebody_worked_on_is_kept(tmp_path: Path) -> None:
    make(tmp_path, "in/a.jpg")
    ledger, found = Ledger(), find([tmp_path / "in"])
    ledger.carry_out(plan(found, RECIPE, tmp_path / "out", ledger=ledger))
    touch(tmp_path / "out" / "a.png")
    again = plan(found, RECIPE, tmp_path / "out", ledger=ledger)
    assert outputs(again) == ["a-2.png"]
    ledger.carry_out(again)
    assert plan(found, RECIPE, tmp_path / "out", ledger=ledger).todo == ()


def test_cutout_of_another_photo_is_kept(tmp_path: Path) -> None:
    make(tmp_path, "one/a.jpg", "two/a.jpg")
    ledger = Ledger()
    ledger.carry_out(plan(find([tmp_path / "one"]), RECIPE, tmp_path / "out", ledger=ledger))
    ledger.carry_out(plan(find([tmp_path / "two"]), RECIPE, tmp_path / "out", ledger=ledger))
    assert {path.name: path.read_text() for path in (tmp_path / "out").iterdir()} == {
        "a.png": f"cutout of {tmp_path / 'one' / 'a.jpg'}",
        "a-2.png": f"cutout of {tmp_path / 'two' / 'a.jpg'}",
    }
    # Whatever the order in which both come the next time.
    both = plan(find([tmp_path / "two", tmp_path / "one"]), RECIPE, tmp_path / "out", ledger=ledger)
    assert both.todo == ()


def test_replace_and_number(tmp_path: Path) -> None:
    make(tmp_path, "in/a.jpg")
    make(tmp_path, "out/a.png", "out/a-2.png")
    (tmp_path / "out" / "folder.png").mkdir()
    found = find([tmp_path / "in"])
    replaced = plan(found, RECIPE, tmp_path / "out", existing=Existing.REPLACE)
    assert (outputs(replaced), replaced.replaced) == (["a.png"], 1)
    numbered = plan(found, RECIPE, tmp_path / "out", existing=Existing.NUMBER)
    assert (outputs(numbered), numbered.numbered) == (["a-3.png"], 1)
    assert outputs(plan(found, RECIPE, tmp_path / "out", "folder", Existing.REPLACE)) == ["folder-2.png"]


def test_without_a_ledger_nothing_is_replaced_unasked(tmp_path: Path) -> None:
    make(tmp_path, "in/a.jpg", "out/A.png")
    assert outputs(plan(find([tmp_path / "in"]), RECIPE, tmp_path / "out")) == ["a-2.png"]


def test_cutouts_beside_their_photos_are_no_photos_the_next_time(tmp_path: Path) -> None:
    make(tmp_path, "a.jpg")
    ledger = Ledger()
    ledger.carry_out(plan(find([tmp_path]), RECIPE, tmp_path, ledger=ledger))
    again = plan(find([tmp_path], output=tmp_path), RECIPE, tmp_path, ledger=ledger)
    assert again.own == (tmp_path / "a_cutout.png",)
    assert [(item.source.name, item.state) for item in again.planned] == [("a.jpg", State.SKIPPED)]
    # Into another folder they are photos like any other, and so is one that is named.
    assert len(plan(find([tmp_path]), RECIPE, tmp_path / "out", ledger=ledger).planned) == 2
    assert len(plan(find([tmp_path / "a_cutout.png"]), RECIPE, tmp_path, ledger=ledger).planned) == 1


def test_photo_that_cannot_be_named_is_a_problem_of_its_own(tmp_path: Path) -> None:
    long = "a" * 220 + ".jpg"
    make(tmp_path, f"in/{long}", "in/b.jpg", "in/sub/c.jpg", "out/sub")
    found = find([tmp_path / "gone.jpg", tmp_path / "in"], recursive=True)
    made = plan(found, RECIPE, tmp_path / "out", "{subfolder}/{name}")
    assert outputs(made) == ["b.png"]
    gone, named, blocked = (sentence for _, sentence in made.problems)
    assert gone.startswith("gone.jpg could not be read")
    assert "longer than 200 bytes" in named
    assert blocked == f"c.jpg: its output would go into {tmp_path}/out/sub, but {tmp_path}/out/sub is a file. Change the pattern."


def test_output_folder_that_is_a_file(tmp_path: Path) -> None:
    make(tmp_path, "a.jpg", "out")
    with pytest.raises(UsageError, match=r"out is a file\. Choose a folder"):
        plan(find([tmp_path / "a.jpg"]), RECIPE, tmp_path / "out")


def test_planning_can_be_cancelled(tmp_path: Path) -> None:
    make(tmp_path, "a.jpg")
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        plan(find([tmp_path]), RECIPE, tmp_path / "out", progress=cancellable(token))


STEMS = st.sampled_from(["a", "A", "a-2", "a-3", "b", "a_cutout", "a.b"])
PLACES = st.tuples(st.sampled_from(["/zz/in", "/zz/in/x", "/zz/out"]), STEMS, st.sampled_from([".jpg", ".png"]))


@given(st.lists(PLACES, max_size=12, unique=True), st.sampled_from(["{name}", "{folder}", "{subfolder}/{name}", "all"]))
def test_no_target_is_given_twice_and_none_is_a_photo(places: list[tuple[str, str, str]], pattern: str) -> None:
    photos = [PhotoFile(Path(folder, stem + suffix), 1, 1, Path("/zz/in")) for folder, stem, suffix in places]
    made = plan(ScanResult(tuple(photos)), RECIPE, Path("/zz/out"), pattern)
    targets = [str(output).casefold() for item in made.planned for output in item.outputs]
    assert len(set(targets)) == len(targets) == len(photos)
    assert not set(targets) & {str(photo.path).casefold() for photo in photos}
