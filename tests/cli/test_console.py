"""What stderr shows on a terminal, and elsewhere."""

import io
import time

import pytest

from bgdesk.cli.console import PREPARING, Console


class Screen(io.StringIO):
    """A stream that is a terminal; `shown` is what a person sees after all carriage returns."""

    def isatty(self) -> bool:
        return True

    @property
    def shown(self) -> list[str]:
        lines = []
        for raw in self.getvalue().split("\n"):
            line = ""
            for part in raw.split("\r"):
                line = part + line[len(part) :]
            lines.append(line.rstrip())
        return lines


def test_no_progress_where_nobody_looks() -> None:
    stream = io.StringIO()
    it = Console(stream)
    it.progress("a.jpg")("network", 0.5)
    it.say("done")
    it.clear()
    assert stream.getvalue() == "done\n"


def test_the_long_preparation_is_said_once_even_where_nobody_looks() -> None:
    stream = io.StringIO()
    progress = Console(stream).progress("a.jpg")
    for share in (0.0, 0.5, 1.0):
        progress("prepare", share)
    progress("network", 0.0)
    assert stream.getvalue() == PREPARING + "\n"


def test_progress_is_replaced_by_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    screen = Screen()
    it = Console(screen)
    progress = it.progress("a very long name.jpg")
    progress("network", 0.421)
    assert screen.shown == ["a very long name.jpg: network  42 %"]
    progress("network", 0.9)  # too soon to be drawn
    assert screen.shown == ["a very long name.jpg: network  42 %"]
    clock[0] = 0.2
    it.progress("b.jpg")("save", 1.0)
    assert screen.shown == ["b.jpg: save 100 %"]
    it.say("done")
    assert screen.shown == ["done", ""]
    it.clear()
    assert screen.shown == ["done", ""]


def test_progress_stays_on_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    screen = Screen()
    Console(screen).progress("x" * 100)("network", 0.5)
    assert screen.shown == ["x" * 29]
