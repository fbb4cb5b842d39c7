"""A queue on the command line: run until it is done or a signal comes, and say what became of it."""

import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from types import FrameType
from typing import Any

from bgdesk.app.system import paths
from bgdesk.batch.journal.folder import journal_file
from bgdesk.batch.journal.journal import About, Journal
from bgdesk.batch.model import words
from bgdesk.batch.model.values import Item, QueueKind, State, Summary
from bgdesk.batch.outputs.report import write_csv, write_html
from bgdesk.batch.planning.scan import Problem
from bgdesk.batch.run.queue import ItemsChanged, Notice, Phase, Progressed, Queue, QueueEvent
from bgdesk.cli.console import PREPARING
from bgdesk.cli.queue.queue_display import Display, Records, shown
from bgdesk.core.errors import SaveError
from bgdesk.engine import prepare
from bgdesk.engine.runtime import kernel_folder

#: Exit status where nothing failed and some results need review; the others are those of every command.
EXIT_FAILED, EXIT_REVIEW = 1, 3

_STILL = 0.2  # seconds without an event until the picture is drawn anew
_DRAWN = 0.1  # seconds between two pictures
_COUNTED = 0.5  # seconds between two looks at the totals

_REPORTS = "bgdesk-report"


@dataclass(frozen=True)
class Left:
    """A queue that nobody runs now, as its journal has it. seconds: of the run that ended."""

    folder: Path
    about: About
    items: Sequence[Item]
    summary: Summary

    @classmethod
    def read(cls, folder: Path) -> "Left":
        """Raises JournalError."""
        journal = Journal(journal_file(folder))
        try:
            return cls(folder, journal.about(), journal.items(), Summary(journal.counts(), decisions=journal.decisions()))
        finally:
            journal.close()

    @property
    def id(self) -> str:
        return self.folder.name

    def count(self, state: State) -> int:
        return self.summary.counts.get(state, 0)

    def review_folders(self) -> tuple[Path, ...]:
        """The folders in which results are in review."""
        found = (path.parent for item in self.items if item.state is State.REVIEW for path in item.present)
        return tuple(dict.fromkeys(found))

    def report(self, beside: bool) -> Path:
        """Write the report into the queue's folder, and beside the outputs too if asked to. The page's path. Raises SaveError."""
        page = self._report(self.folder, "report")
        return self._report(self.about.output, _REPORTS) if beside else page

    def _report(self, folder: Path, name: str) -> Path:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SaveError(f"The folder {folder} could not be made: {error.strerror}. Check the disk and the permissions.") from error
        page = folder / f"{name}.html"
        write_csv(self.items, folder / f"{name}.csv")
        write_html(self.items, self.summary, self.about.title, page, self.folder / "thumbs", gate=self.about.recipe.gate)
        return page


class Run:
    """One queue from its start to its end. Everything of it happens on the thread that calls `go`; `post` is for the queue.

    patience: seconds after which a queue that has paused by itself goes on; None: that is its end.
    """

    def __init__(self, display: Display, records: Records | None = None, *, patience: float | None = None) -> None:
        self._display, self._records, self._patience = display, records, patience
        self._inbox: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._queue: Queue | None = None
        self._told: set[int] = set()
        self._said: set[str] = set()
        self._paused = 0.0
        self._drawn = self._counted = 0.0
        self._summary = Summary({})
        #: Signals that came, the first one first; how long it ran, and how many photos something came of.
        self.signals: list[int] = []
        self.seconds, self.done = 0.0, 0

    def post(self, call: Callable[[], None]) -> None:
        """Run `call` on the thread of `go`."""
        self._inbox.put(call)

    def say(self, text: str, error: bool = False) -> None:
        """On any thread. Each failure is said once until something is done again."""
        self.post(lambda: self._say(text, error))

    @contextmanager
    def listening(self) -> Iterator[None]:
        """SIGINT and SIGTERM end the queue well: the first after what is in hand, the second at once."""

        def heard(number: int, frame: FrameType | None) -> None:
            self._inbox.put(lambda: self._interrupted(number))  # a SimpleQueue may be interrupted by itself

        before = {number: signal.signal(number, heard) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def go(self, queue: Queue, beside: AbstractContextManager[None] | None = None) -> Left:
        """Run it until it rests, close it, and give what is left of it. beside: entered meanwhile. Raises JournalError."""
        self._queue = queue
        kernel_folder.keep_in(paths.kernels_folder())
        if prepare.is_first_use():  # by the workers, which nobody hears
            self._display.say(PREPARING)
        leave = queue.subscribe(self._heard)
        try:
            before = {item.id for item in queue.items() if not item.state.open}
            begun = time.monotonic()
            with beside or nullcontext():
                self._turn(0.0)  # what came before there was a queue
                if not self.signals:
                    queue.start()
                while len(self.signals) < 2 and not self._over(queue):
                    self._turn(_STILL)
            if len(self.signals) >= 2:
                # Whoever asks a third time shall not have to wait for the workers' end.
                signal.signal(signal.SIGINT, signal.default_int_handler)
        finally:
            leave()
            self._turn(0.0)
            self._queue = None
            queue.close()
        left = Left.read(queue.folder)
        done = [item for item in left.items if not item.state.open and item.id not in before]
        for item in done:  # some came to their end while the queue was closed
            self._tell(item, left.summary)
        self._display.close()
        self.seconds, self.done = time.monotonic() - begun, len(done)
        return left

    def _over(self, queue: Queue) -> bool:
        if not queue.wait(0.0):
            return False
        if queue.phase is not Phase.PAUSED or self._patience is None or self.signals:
            return True
        now = time.monotonic()
        self._paused = self._paused or now
        if now - self._paused >= self._patience:
            self._paused = 0.0
            queue.resume()
        return False

    def _turn(self, wait: float) -> None:
        """Everything that was posted, and the picture."""
        call: Callable[[], None] | None = None
        try:
            call = self._inbox.get(timeout=wait) if wait else self._inbox.get_nowait()
            while True:
                call()
                call = self._inbox.get_nowait()
        except Empty:
            pass
        self._show()

    def _show(self, fresh: bool = False) -> None:
        now = time.monotonic()
        if self._queue is not None and now - self._counted >= _COUNTED:
            self._summary, self._counted = self._queue.summary(), now
        if now - self._drawn >= _DRAWN:
            self._drawn = now
            self._display.show(self._summary)

    def _interrupted(self, number: int) -> None:
        self.signals.append(number)
        if len(self.signals) > 1:
            self._display.say("Stopping at once.")
            return
        if self._queue is not None and self._queue.phase is not Phase.IDLE:
            self._display.say("Stopping when what is in hand is done. Once more to stop at once.")
            self._queue.stop()

    def _heard(self, event: QueueEvent) -> None:
        match event:
            case ItemsChanged(ids):
                for id in ids:
                    self._changed(id)
            case Progressed(id, stage, fraction):
                item = self._queue.item(id) if self._queue is not None else None
                if item is not None and item.state is State.RUNNING:
                    self._display.working(id, item.name, stage, fraction)
            case Notice(text, error):
                self._say(text, error)
        if time.monotonic() - self._drawn >= _DRAWN:  # while many events come one after the other
            self._show()

    def _changed(self, id: int) -> None:
        item = self._queue.item(id) if self._queue is not None else None
        if item is None or self._queue is None:
            self._display.gone(id)
        elif item.state is State.RUNNING:
            self._display.working(id, item.name)
        elif item.state.open:
            self._display.gone(id)
        else:
            self._summary, self._counted = self._queue.summary(), time.monotonic()
            self._tell(item, self._summary)

    def _tell(self, item: Item, summary: Summary) -> None:
        """What came of a photo, once."""
        if item.id in self._told:
            return
        self._told.add(item.id)
        self._said.clear()
        self._display.ended(item, summary)
        if self._records is not None:
            self._records.photo(item)

    def _say(self, text: str, error: bool) -> None:
        if not error or text not in self._said:
            self._display.say(text, error)
        if error:
            self._said.add(text)


def finish(
    left: Left,
    display: Display,
    records: Records | None,
    *,
    seconds: float | None = None,
    done: int = 0,
    report: bool = False,
    problems: Sequence[Problem] = (),
    stopped: int | None = None,
    again: str = "",
) -> int:
    """Say what became of a queue, write its report, and give the exit status.

    seconds: that this run took, in which `done` photos were done. stopped: the signal that ended it. again: the command that
    goes on with it.
    """
    display.say(closing(left, seconds, done))
    folders = left.review_folders()
    if folders:
        more = f" and {words.count(len(folders) - 1, 'other folder')}" if len(folders) > 1 else ""
        display.say(f"Needs review: {shown(folders[0])}{more}. Review them in the window: bgdesk, then Ctrl+B.")
    page = None
    try:
        page = left.report(report)
        display.say(f"Report: {shown(page)}")
    except SaveError as error:
        display.say(str(error), error=True)
    if left.summary.open and again:
        display.say(f"To go on: {again}")
    elif left.count(State.FAILED) and left.about.kind is QueueKind.BATCH:
        display.say(f"To try again what failed: bgdesk batch --retry {left.id}")
    status = status_of(left, problems, stopped)
    if records is not None:
        rate = done / seconds if seconds and done else None
        records.summary(
            values_of(left)
            | {
                "problems": len(problems),
                "seconds": None if seconds is None else round(seconds, 3),
                "photos_per_minute": None if rate is None else round(60 * rate, 3),
                "report": None if page is None else str(page),
                "resume": again if left.summary.open and again else None,
                "status": status,
            }
        )
    return status


def status_of(left: Left, problems: Sequence[Problem] = (), stopped: int | None = None) -> int:
    """0 all done, 1 some failed or could not be begun, 3 some need review, 128 and the signal's number if that left some."""
    if left.summary.open and stopped is not None:
        return 128 + stopped
    if left.count(State.FAILED) or left.summary.open or problems:
        return EXIT_FAILED
    return EXIT_REVIEW if left.count(State.REVIEW) else 0


def closing(left: Left, seconds: float | None = None, done: int = 0) -> str:
    """One line: what became of all photos of a queue, and how long that took."""
    parts = [f"{words.count(left.count(State.DONE), 'photo')} cut out into {shown(left.about.output)}"]
    if left.count(State.SKIPPED):
        parts.append(f"{left.count(State.SKIPPED):,} up to date")
    if left.count(State.REVIEW):
        parts.append(words.need_review(left.count(State.REVIEW)))
    parts += [f"{left.count(state):,} {state.value}" for state in (State.REJECTED, State.FAILED) if left.count(state)]
    if left.summary.open:
        parts.append(f"{left.summary.open:,} left")
    line = ", ".join(parts) + "."
    if seconds is not None and done:
        line += f" It took {words.span(seconds)}" + (f", {60 * done / seconds:.3g} a minute." if done > 1 else ".")
    return line


def values_of(left: Left) -> dict[str, Any]:
    """Plain values for JSON."""
    return {
        "queue": left.id,
        "title": left.about.title,
        "output": str(left.about.output),
        "edge": asdict(left.about.recipe.edge),
        "counts": {state.value: count for state, count in left.summary.counts.items() if count},
        "total": left.summary.total,
        "open": left.summary.open,
        "review": [str(folder) for folder in left.review_folders()],
    }
