"""What a running queue shows: a live picture on a terminal, plain lines elsewhere, and JSON records for programs."""

import json
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol, TextIO

from rich.console import Console as Terminal
from rich.console import Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from bgdesk.batch.model import words
from bgdesk.batch.model.values import Item, Planned, State, Summary

#: Photos in hand that are shown; a cluster has more.
_SHOWN = 8
_BAR = 32  # columns


class Display(Protocol):
    """For people, on stderr. Called from one thread."""

    def say(self, text: str, error: bool = False) -> None:
        """Something beside the photos."""

    def working(self, id: int, name: str, stage: str = "", fraction: float = 0.0) -> None:
        """This photo is in hand; stage "": nothing of it is known yet."""

    def gone(self, id: int) -> None:
        """It is no longer."""

    def ended(self, item: Item, summary: Summary) -> None:
        """Something came of a photo."""

    def show(self, summary: Summary) -> None:
        """How far it is."""

    def close(self) -> None:
        """The work is over. `say` may be called afterwards."""


class Lines:
    """One line for every photo that something came of: for log files, pipes, and terminals that can do no more."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr

    def say(self, text: str, error: bool = False) -> None:
        print(text, file=self._stream, flush=True)

    def working(self, id: int, name: str, stage: str = "", fraction: float = 0.0) -> None:
        pass

    def gone(self, id: int) -> None:
        pass

    def ended(self, item: Item, summary: Summary) -> None:
        self.say(line_of(item, f"{summary.finished:,} of {summary.total:,}"))

    def show(self, summary: Summary) -> None:
        pass

    def close(self) -> None:
        pass


class Screen:
    """A bar with rate and time left, the photos in hand under it, and above it what failed; it goes away at the end.

    every: photos that are done have a line above the bar as well. bar: the number of photos is known.
    """

    def __init__(self, stream: TextIO | None = None, *, every: bool = False, bar: bool = True) -> None:
        stream = stream or sys.stderr
        self._every, self._bar = every, bar
        self._terminal = Terminal(file=stream, highlight=False, markup=False, emoji=False, soft_wrap=False)
        self._summary = Summary({})
        self._hands: dict[int, tuple[str, str, float]] = {}
        self._live = Live(
            get_renderable=self._picture,
            console=self._terminal,
            auto_refresh=False,  # drawn when there is something new: no thread of its own
            transient=True,
            redirect_stdout=False,  # stdout is for records
            redirect_stderr=stream is sys.stderr,  # what a library says there goes above the bar
        )
        self._live.start()

    def say(self, text: str, error: bool = False) -> None:
        self._terminal.print(Text(text, style="red" if error else ""), soft_wrap=True)

    def working(self, id: int, name: str, stage: str = "", fraction: float = 0.0) -> None:
        self._hands[id] = (name, stage, fraction)

    def gone(self, id: int) -> None:
        self._hands.pop(id, None)

    def ended(self, item: Item, summary: Summary) -> None:
        self.gone(item.id)
        self._summary = summary
        if self._every or item.state is State.FAILED:
            self.say(line_of(item), item.state is State.FAILED)

    def show(self, summary: Summary) -> None:
        self._summary = summary
        self._live.refresh()

    def close(self) -> None:
        self._live.stop()

    def _picture(self) -> RenderableType:
        parts: list[RenderableType] = [self._head()] if self._summary.total else []  # before that nothing is known
        hands = Table.grid(padding=(0, 2))
        for name, stage, fraction in list(self._hands.values())[:_SHOWN]:
            hands.add_row(
                Text("  " + name, overflow="ellipsis", no_wrap=True), Text(f"{stage} {100 * fraction:3.0f} %" if stage else "waits")
            )
        if self._hands:
            parts.append(hands)
        if len(self._hands) > _SHOWN:
            parts.append(Text(f"  and {len(self._hands) - _SHOWN} more"))
        return Group(*parts)

    def _head(self) -> RenderableType:
        summary = self._summary
        counts = summary.counts
        facts = [f"{summary.finished:,} of {summary.total:,}" if self._bar else words.count(summary.finished, "photo")]
        if summary.rate:
            facts.append(f"{60 * summary.rate:.3g} a minute")
        if self._bar and summary.left is not None and summary.open:
            facts.append(f"about {words.span(summary.left)} left")
        text = Text("  ".join(facts))
        if counts.get(State.FAILED):
            text.append(f"  {counts[State.FAILED]:,} failed", "red")
        if counts.get(State.REVIEW):
            text.append(f"  {words.need_review(counts[State.REVIEW])}", "yellow")
        if not self._bar:
            return text
        head = Table.grid(padding=(0, 2))
        head.add_row(ProgressBar(total=max(1, summary.total), completed=summary.finished, width=_BAR), text)
        return head


class Records:
    """JSON lines on stdout: one a photo that something came of, and one at the end."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self._heard = True

    def problem(self, path: Path, error: str) -> None:
        """Something that was named and is no photo, or none that can be done."""
        self._write({"source": str(path), "state": State.FAILED.value, "outputs": [], "error": error})

    def skipped(self, planned: Planned) -> None:
        """A photo that needs nothing done."""
        outputs = [str(path) for path in planned.outputs]
        self._write({"source": str(planned.source), "state": planned.state.value, "outputs": outputs, "error": planned.reason})

    def photo(self, item: Item) -> None:
        self._write(record_of(item))

    def summary(self, values: Mapping[str, Any]) -> None:
        self._write({"summary": dict(values)})

    def _write(self, values: Mapping[str, Any]) -> None:
        if not self._heard:
            return
        try:
            print(json.dumps(values), file=self._stream, flush=True)
        except BrokenPipeError:  # whoever read them has gone; the photos are done all the same
            self._heard = False
            with suppress(OSError, ValueError):  # Python would complain again when it closes stdout
                os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())


def display_for(json: bool, stream: TextIO | None = None, *, watching: bool = False) -> Display:
    """A Screen where one can be drawn. json: records go to stdout; where that is a terminal too, both would be in each other's way."""
    stream = stream or sys.stderr
    terminal = stream.isatty() and os.environ.get("TERM") != "dumb" and not (json and sys.stdout.isatty())
    return Screen(stream, every=watching, bar=not watching) if terminal else Lines(stream)


def line_of(item: Item, place: str = "") -> str:
    """What came of a photo, in a line. place: where it stands among the others."""
    source = shown(item.source)
    if item.state is State.FAILED:
        return item.error if item.name in item.error else f"{source}: {item.error}"
    if item.state is State.SKIPPED:
        return f"{source} {item.reason}".rstrip()
    outputs = item.present
    first = shown(outputs[0]) if outputs else "nothing"
    others = f" and {len(outputs) - 1} more" if len(outputs) > 1 else ""
    about = [f"{item.seconds:.1f} s"] if item.seconds is not None else []
    about += [place] if place else []
    line = f"{source} -> {first}{others}" + (f" ({', '.join(about)})" if about else "")
    if item.state is State.REVIEW:
        confidence = "" if item.confidence is None else f", confidence {item.confidence:.2f}"
        line += f": needs review{confidence}. {item.reason}".rstrip()
    return line


def record_of(item: Item) -> dict[str, Any]:
    """Plain values for JSON. timings: stage -> seconds."""
    values: dict[str, Any] = {
        "id": item.id,
        "source": str(item.source),
        "state": item.state.value,
        "outputs": [str(path) for path in item.present],
        "confidence": None if item.confidence is None else round(item.confidence, 4),
        "seconds": None if item.seconds is None else round(item.seconds, 3),
    }
    done = item.outcome
    if done is not None:
        values |= {
            "reasons": list(done.reasons),
            "timings": {stage: round(seconds, 4) for stage, seconds in done.timings.items()},
            "width": done.width,
            "height": done.height,
            "device": done.device,
            "precision": done.precision,
            "model": done.model,
            "notes": list(done.notes),
        }
    if item.error:
        values["error"] = item.error
    return values


def shown(path: Path) -> str:
    """A path as a person in this folder would type it."""
    try:
        here = Path.cwd()
    except OSError:  # it was removed
        return str(path)
    return str(path.relative_to(here)) if path.is_relative_to(here) and path != here else str(path)
