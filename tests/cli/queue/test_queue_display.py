"""What a running queue shows: the live picture, plain lines, and records."""

import io
import json
import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from bgdesk.batch.model.values import Item, Outcome, Planned, SkipReason, State, Summary, Written
from bgdesk.cli.queue.queue_display import Lines, Records, Screen, display_for, line_of, record_of, shown
from bgdesk.core.stages import Stage


class Terminal(io.StringIO):
    """A stream that says it is one. seen: its text without colours and the signs that move the cursor."""

    def isatty(self) -> bool:
        return True

    def seen(self) -> str:
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.getvalue())


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    return tmp_path


def item(folder: Path, state: State, **more: object) -> Item:
    target = folder / "out" / "shoe.png"
    staged = folder / "out" / "review" / "shoe.png" if state is State.REVIEW else target
    outcome = Outcome(
        written=(Written(staged, target, ""),),
        width=30,
        height=20,
        timings={Stage.LOAD: 0.01234567, Stage.NETWORK: 0.5},
        confidence=0.41,
        reasons=("It is blurred.",),
        notes=("A note.",),
    )
    made = Item(
        id=7,
        position=7.0,
        source=folder / "in" / "shoe.jpg",
        size=100,
        mtime=1,
        outputs=(target,),
        state=state,
        seconds=1.234,
        outcome=outcome,
    )
    return replace(made, **more)  # type: ignore[arg-type]


def failed(folder: Path) -> Item:
    return item(folder, State.FAILED, outcome=None, error="shoe.jpg could not be read: the file ends early. Copy it again.")


def counted(**counts: int) -> Summary:
    return Summary({State(state): number for state, number in counts.items()})


# --- sentences and records ---


def test_what_came_of_a_photo_in_a_line(here: Path) -> None:
    assert line_of(item(here, State.DONE), "3 of 9") == f"{Path('in/shoe.jpg')} -> {Path('out/shoe.png')} (1.2 s, 3 of 9)"
    review = f"{Path('in/shoe.jpg')} -> {Path('out/review/shoe.png')} (1.2 s): needs review, confidence 0.41. It is blurred."
    assert line_of(item(here, State.REVIEW)) == review
    assert line_of(failed(here)) == "shoe.jpg could not be read: the file ends early. Copy it again."
    assert line_of(replace(failed(here), error="The disk is full.")) == f"{Path('in/shoe.jpg')}: The disk is full."
    two = item(here, State.DONE, outputs=(here / "a.png", here / "b.png"), seconds=None)
    assert line_of(two) == f"{Path('in/shoe.jpg')} -> a.png and 1 more"


def test_paths_as_a_person_in_this_folder_would_type_them(here: Path) -> None:
    assert shown(here / "a" / "b.png") == str(Path("a/b.png"))
    assert shown(here) == str(here)
    assert shown(here.parent / "elsewhere") == str(here.parent / "elsewhere")


@pytest.mark.skipif(sys.platform == "win32", reason="a folder that somebody is in cannot be removed there")
def test_paths_where_the_folder_is_gone(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = here / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    try:
        assert shown(here / "a.png") == str(here / "a.png")
    finally:
        monkeypatch.chdir(here)


def test_where_the_outputs_are_now(here: Path) -> None:
    assert item(here, State.DONE).present == (here / "out" / "shoe.png",)
    assert item(here, State.REVIEW).present == (here / "out" / "review" / "shoe.png",)
    assert failed(here).present == ()
    assert item(here, State.REJECTED).present == ()


def test_records(here: Path) -> None:
    stream = io.StringIO()
    records = Records(stream)
    records.photo(item(here, State.REVIEW))
    records.photo(failed(here))
    records.skipped(Planned(source=here / "a.jpg", size=1, mtime=1, outputs=(here / "a.png",), skipped=SkipReason.UP_TO_DATE))
    records.problem(here / "b.jpg", "b.jpg could not be read.")
    records.summary({"status": 1})
    review, wrong, skipped, problem, last = map(json.loads, stream.getvalue().splitlines())
    assert review == record_of(item(here, State.REVIEW))
    assert (review["state"], review["confidence"], review["reasons"]) == ("review", 0.41, ["It is blurred."])
    assert review["outputs"] == [str(here / "out" / "review" / "shoe.png")]
    assert (review["timings"], review["seconds"]) == ({"load": 0.0123, "network": 0.5}, 1.234)
    assert (wrong["state"], wrong["outputs"], wrong["error"]) == ("failed", [], failed(here).error)
    assert (skipped["state"], skipped["error"]) == ("skipped", "is up to date")
    assert (problem["state"], problem["error"]) == ("failed", "b.jpg could not be read.")
    assert last == {"summary": {"status": 1}}


# --- plain lines ---


def test_plain_lines(here: Path) -> None:
    stream = io.StringIO()
    display = Lines(stream)
    display.working(7, "shoe.jpg", "network", 0.5)
    display.show(counted(queued=2))
    display.ended(item(here, State.DONE), counted(done=1, queued=2))
    display.gone(7)
    display.close()
    display.say("All over.")
    assert stream.getvalue() == f"{line_of(item(here, State.DONE), '1 of 3')}\nAll over.\n"


# --- the live picture ---


def test_the_picture_on_a_terminal(here: Path) -> None:
    stream = Terminal()
    display = Screen(stream)
    display.working(7, "shoe.jpg")
    display.working(8, "boot[red].jpg", "network", 0.42)
    display.show(replace(counted(done=3, queued=6, failed=1, review=2), rate=0.5, left=120.0))
    seen = stream.getvalue() and stream.seen()
    for text in ("6 of 12", "30 a minute", "about 2 minutes left", "1 failed", "2 need review", "shoe.jpg", "waits", "network  42 %"):
        assert text in seen, text
    assert "boot[red].jpg" in seen  # a name is no instruction
    display.close()


def test_only_failures_stay_above_the_bar(here: Path) -> None:
    stream = Terminal()
    display = Screen(stream)
    display.ended(item(here, State.DONE), counted(done=1, queued=1))
    display.ended(failed(here), counted(done=1, failed=1))
    display.close()
    assert "the file ends early" in stream.seen()
    assert "->" not in stream.seen()


def test_a_photo_that_is_over_is_not_shown_any_more(here: Path) -> None:
    stream = Terminal()
    display = Screen(stream)
    display.working(7, "shoe.jpg", "save", 0.9)
    display.working(8, "boot.jpg", "save", 0.9)
    display.ended(item(here, State.DONE), counted(done=1, queued=1))
    display.gone(8)
    stream.truncate(0)
    display.show(counted(done=1, queued=1))
    assert "1 of 2" in stream.seen()
    assert "shoe.jpg" not in stream.seen()
    assert "boot.jpg" not in stream.seen()
    display.close()


def test_more_photos_in_hand_than_are_shown(here: Path) -> None:
    stream = Terminal()
    display = Screen(stream)
    for id in range(20):
        display.working(id, f"photo{id:02}.jpg")
    display.show(counted(running=20))
    assert "photo07.jpg" in stream.seen()
    assert "photo08.jpg" not in stream.seen()
    assert "and 12 more" in stream.seen()
    display.close()


def test_a_watched_folder_has_no_end_and_says_every_photo(here: Path) -> None:
    stream = Terminal()
    display = Screen(stream, every=True, bar=False)
    display.ended(item(here, State.DONE), counted(done=1))
    display.show(replace(counted(done=1, queued=3), rate=1.0, left=3.0))
    assert line_of(item(here, State.DONE)) in stream.seen()
    assert "1 photo" in stream.seen()
    assert "left" not in stream.seen()
    display.close()


@pytest.mark.parametrize(
    ("stream", "term", "json", "out", "kind"),
    [
        (Terminal(), "xterm", False, Terminal(), Screen),
        (Terminal(), "xterm", True, io.StringIO(), Screen),
        (Terminal(), "xterm", True, Terminal(), Lines),  # records and the picture would be in each other's way
        (Terminal(), "dumb", False, Terminal(), Lines),
        (io.StringIO(), "xterm", False, Terminal(), Lines),
    ],
)
def test_which_display(
    here: Path, monkeypatch: pytest.MonkeyPatch, stream: io.StringIO, term: str, json: bool, out: io.StringIO, kind: type
) -> None:
    monkeypatch.setenv("TERM", term)
    monkeypatch.setattr(sys, "stdout", out)
    display = display_for(json, stream)
    display.close()
    assert type(display) is kind
