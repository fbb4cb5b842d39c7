"""Reports: complete, escaped, in need of nothing beside them."""

import base64
import csv
import hashlib
import io
import re
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from bgdesk.batch.model.values import Decision, Item, Outcome, State, Summary
from bgdesk.batch.outputs import report
from bgdesk.batch.outputs.report import acceptance, failures, seconds_by_stage, write_csv, write_html
from bgdesk.core.errors import SaveError
from bgdesk.core.stages import Stage

NOW = datetime(2026, 3, 1, 14, 30)
NASTY = "</td><script>alert(1)</script>\"'& <b>.jpg"


def item(id: int, state: State = State.DONE, name: str | None = None, confidence: float | None = 0.9, **more: Any) -> Item:
    name = f"shoe{id}.jpg" if name is None else name
    done = state in (State.DONE, State.REVIEW, State.REJECTED)
    outcome = Outcome(
        written=(),
        width=40,
        height=30,
        timings={Stage.LOAD: 0.1, Stage.NETWORK: 0.5, Stage.SAVE: id / 10},
        confidence=confidence,
        model="isnet-general",
        device="cpu",
    )
    values: dict[str, Any] = {"seconds": 1.0 if done else None, "outcome": outcome if done else None, **more}
    # A path may hold a "/" in no name: what looks like one is a folder.
    return Item(
        id=id,
        position=float(id),
        source=Path("/in") / name,
        size=9,
        mtime=10**18,
        outputs=(Path("/out") / f"{Path(name).stem}.png",),
        state=state,
        **values,
    )


def summary(items: Sequence[Item], rate: float | None = None) -> Summary:
    return Summary(Counter(each.state for each in items), rate, None, Counter(each.decision for each in items if each.decision))


class Page(HTMLParser):
    """What a browser would make of it: tags in order, the table's rows as texts, addresses that are fetched."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.rows: list[list[str]] = []
        self.images: list[str] = []
        self.policy = self.script = self.text = ""
        self._inside: list[str] = []
        self.source = path.read_text("utf-8")
        self.feed(self.source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.tags.append(tag)
        self._inside.append(tag)
        if tag == "tr" and "data-state" in values:
            self.rows.append([])
        if tag == "td" and self.rows:
            self.rows[-1].append("")
        if tag == "img":
            self.images.append(values["src"] or "")
        if tag == "meta" and "http-equiv" in values:
            self.policy = values["content"] or ""

    def handle_endtag(self, tag: str) -> None:
        while self._inside and self._inside.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        self.text += data
        if self.rows and "td" in self._inside:
            self.rows[-1][-1] += data
        if "script" in self._inside:
            self.script += data


def page(items: Sequence[Item], tmp_path: Path, thumbs: Path | None = None, **more: object) -> Page:
    write_html(items, summary(items, 1.5), "Spring", tmp_path / "report.html", thumbs, now=NOW, **more)  # type: ignore[arg-type]
    return Page(tmp_path / "report.html")


def test_csv_has_a_line_an_item(tmp_path: Path) -> None:
    items = [
        item(1, name='ann, "the" shoe\nü.jpg'),
        item(2, State.FAILED, error="shoe2.jpg could not be read: it is empty.", crashes=2),
        item(3, State.REJECTED, "=1+1.jpg", 0.25, decision=Decision.REJECTED, error="hair is missing"),
    ]
    write_csv(items, tmp_path / "report.csv")
    data = (tmp_path / "report.csv").read_bytes()
    assert data.startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline="")))
    assert [row["name"] for row in rows] == ['ann, "the" shoe\nü.jpg', "shoe2.jpg", "'=1+1.jpg"]
    assert [row["state"] for row in rows] == ["done", "failed", "rejected"]
    assert rows[0]["outputs"] == '/out/ann, "the" shoe\nü.png'
    assert (rows[0]["network_seconds"], rows[0]["save_seconds"], rows[0]["width"]) == ("0.500", "0.100", "40")
    assert (rows[1]["reason"], rows[1]["crashes"], rows[1]["network_seconds"]) == ("shoe2.jpg could not be read: it is empty.", "2", "")
    assert (rows[2]["decision"], rows[2]["confidence"], rows[2]["reason"]) == ("rejected", "0.2500", "hair is missing")
    assert list(tmp_path.iterdir()) == [tmp_path / "report.csv"]


def test_page_says_what_became_of_every_photo(tmp_path: Path) -> None:
    items = [
        item(1),
        item(2, State.REVIEW, confidence=0.4),
        item(3, State.FAILED, error="shoe3.jpg could not be read: it is empty."),
        item(4, State.SKIPPED, error="is up to date"),
    ]
    found = page(items, tmp_path)
    assert [row[1:] for row in found.rows] == [
        ["shoe1.jpgshoe1.png", "Done", "0.90", "1.00", "40 × 30", ""],
        ["shoe2.jpg", "Needs review", "0.40", "1.00", "40 × 30", ""],
        ["shoe3.jpg", "Failed", "", "", "", "shoe3.jpg could not be read: it is empty."],
        ["shoe4.jpgshoe4.png", "Skipped", "", "", "", "is up to date"],
    ]
    assert "4 photos of 4 finished. Written 2026-03-01 14:30 by bgdesk." in found.text
    assert "Photos a minute, lately90.0" in found.text
    assert "isnet-general" in found.text


def test_page_needs_nothing_beside_it_and_lets_nothing_in(tmp_path: Path) -> None:
    found = page([item(1)], tmp_path)
    digest = base64.b64encode(hashlib.sha256(found.script.encode()).digest()).decode()
    assert found.policy == f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    assert found.tags.count("script") == 1
    assert not {"link", "iframe", "object"} & set(found.tags)
    assert not re.search(r"https?:|@import|url\(", found.source)
    assert "$" not in found.source


def test_names_and_reasons_are_text_whatever_they_hold(tmp_path: Path) -> None:
    clean = page([item(1), item(2, State.FAILED, error="x")], tmp_path)
    items = [item(1, name=NASTY), item(2, State.FAILED, error=NASTY + " $title")]
    write_html(items, summary(items, 1.5), NASTY, tmp_path / "report.html", now=NOW)
    found = Page(tmp_path / "report.html")
    assert found.tags == clean.tags
    assert found.rows[0][1].startswith(Path(NASTY).name)
    assert found.rows[1][-1] == NASTY + " $title"


@given(st.text(st.characters(blacklist_characters="/\0", blacklist_categories=["Cs"]), min_size=1, max_size=20))
def test_no_name_changes_the_page(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    folder = tmp_path_factory.getbasetemp()
    found = page([item(1, State.FAILED, name, error=f"{name} could not be read.")], folder)
    assert len(found.rows) == 1
    assert len(found.rows[0]) == 7
    assert found.tags == page([item(1, State.FAILED, error="shoe1.jpg could not be read.")], folder).tags


def test_pictures_are_small_and_in_the_page(tmp_path: Path) -> None:
    thumbs = tmp_path / "thumbs"
    thumbs.mkdir()
    Image.new("RGBA", (400, 200), (255, 0, 0, 128)).save(thumbs / "1.png")
    Image.new("RGB", (200, 400), "blue").save(thumbs / "elsewhere.jpg")
    (thumbs / "3.jpg").write_bytes(b"no picture")
    two = Outcome(written=(), width=40, height=30, thumbnail=thumbs / "elsewhere.jpg")
    found = page([item(1), item(2, outcome=two), item(3), item(4)], tmp_path, thumbs)
    pictures = []
    for address in found.images:
        assert address.startswith("data:image/webp;base64,")
        with Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2]))) as image:
            pictures.append((image.size, image.mode))
    assert pictures == [((96, 48), "RGBA"), ((48, 96), "RGB")]


def test_of_very_many_some_have_their_picture_and_the_page_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "PICTURES", 6)
    Image.new("RGB", (10, 10)).save(tmp_path / "all.png")
    seen = Outcome(written=(), width=40, height=30, thumbnail=tmp_path / "all.png")
    states = [State.REVIEW if id in (5, 17) else State.DONE for id in range(1, 21)]
    found = page([item(id, state, outcome=seen) for id, state in enumerate(states, 1)], tmp_path)
    assert len(found.rows) == 20
    assert len(found.images) == 6
    with_picture = {id for id, row in enumerate(re.findall(r"<tr data-state.*?</tr>", found.source), 1) if "<img" in row}
    assert {5, 17} <= with_picture
    assert "6 of 20 photos have their picture here: those in review, those that failed, and a sample of the others." in found.text


def test_more_in_review_than_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "PICTURES", 2)
    Image.new("RGB", (10, 10)).save(tmp_path / "all.png")
    seen = Outcome(written=(), width=40, height=30, thumbnail=tmp_path / "all.png")
    found = page([item(id, State.REVIEW if id > 1 else State.DONE, outcome=seen) for id in range(1, 7)], tmp_path)
    assert len(found.images) == 2


def test_figures() -> None:
    items = [item(id) for id in range(1, 21)] + [
        item(21, State.FAILED, error="shoe21.jpg could not be read: it is empty."),
        item(22, State.FAILED, error="/in/shoe22.jpg could not be read: it is empty."),
        item(23, State.FAILED, error="The disk is full."),
        item(24, State.FAILED),
    ]
    assert failures(items) == [("… could not be read: it is empty.", 2), ("The disk is full.", 1), ("no reason was given", 1)]
    stages = seconds_by_stage(items)
    assert list(stages) == ["load", "network", "save"]
    assert stages[Stage.SAVE] == pytest.approx((1.05, 1.9))
    assert acceptance({}) is None
    assert acceptance({Decision.ACCEPTED: 3, Decision.FIXED: 1, Decision.REJECTED: 2}) == 0.5


def test_review_is_counted_in_the_page(tmp_path: Path) -> None:
    items = [
        item(1, decision=Decision.ACCEPTED),
        item(2, State.REJECTED, decision=Decision.REJECTED, error="hair is missing"),
        item(3, State.REVIEW, outcome=Outcome(written=(), width=4, height=3, confidence=0.2, reasons=("It touches the border.",))),
    ]
    found = page(items, tmp_path, gate=0.7)
    assert "Accepted as they were50 %" in found.text
    assert "Why rejectedhair is missing1" in found.text
    assert "Why photos need reviewIt touches the border.1" in found.text
    assert "gate 0.7" in found.text
    assert found.source.count('<rect class="bar"') == 2


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_histogram_counts_every_result_once(values: list[float]) -> None:
    drawn = report._histogram(values, None)
    assert sum(int(number) for number in re.findall(r": (\d+) photos?</title>", drawn)) == len(values)


def test_empty_queue_has_a_page_too(tmp_path: Path) -> None:
    assert page([], tmp_path).rows == []
    write_csv([], tmp_path / "report.csv")
    assert len((tmp_path / "report.csv").read_text("utf-8-sig").splitlines()) == 1


def test_report_that_cannot_be_written_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page([item(1)], tmp_path)
    before = (tmp_path / "report.html").read_bytes()

    def full(*arguments: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(report, "_row", full)
    with pytest.raises(SaveError, match=r"report\.html could not be saved: the disk is full"):
        page([item(1), item(2)], tmp_path)
    assert (tmp_path / "report.html").read_bytes() == before
    assert list(tmp_path.iterdir()) == [tmp_path / "report.html"]
