"""Words for what a person reads of a queue: in its window, in plans, on the terminal and in reports."""

import os
from collections.abc import Mapping
from pathlib import Path

from bgdesk.batch.model.values import Decision, State
from bgdesk.core.stages import Stage

_STATES: Mapping[State, str] = {
    State.QUEUED: "Waiting",
    State.RUNNING: "Running",
    State.WRITTEN: "Saving",
    State.REVIEW: "Needs review",
    State.DONE: "Done",
    State.REJECTED: "Rejected",
    State.SKIPPED: "Skipped",
    State.FAILED: "Failed",
}
_DECISIONS: Mapping[Decision, str] = {
    Decision.ACCEPTED: "Accepted",
    Decision.REJECTED: "Rejected",
    Decision.FIXED: "Fixed by hand",
}
_STAGES: Mapping[Stage, str] = {
    Stage.LOAD: "Reading",
    Stage.PREPARE: "Preparing",
    Stage.NETWORK: "Subject",
    Stage.TRIMAP: "Edges",
    Stage.ALPHA: "Edges",
    Stage.FOREGROUND: "Colours",
    Stage.CONFIDENCE: "Checking",
    Stage.SAVE: "Writing",
}


def state(value: State) -> str:
    """Where a photo stands."""
    return _STATES[value]


def decision(value: Decision) -> str:
    """What a person decided about a photo."""
    return _DECISIONS[value]


def stage(value: Stage) -> str:
    """What a worker is at with a photo, in a word."""
    return _STAGES.get(value, "Working")


def need_review(number: int) -> str:
    """`1 needs review`, `1,204 need review`."""
    return f"{number:,} {'needs' if number == 1 else 'need'} review"


def count(number: int, thing: str, things: str | None = None) -> str:
    """`1 photo`, `1,204 photos`. things: the plural, if it is not thing + "s"."""
    return f"{number:,} {thing if number == 1 else things or thing + 's'}"


def bytes_(size: float) -> str:
    """`640 kB`, `2.1 GB`, `80 GB`."""
    for unit, worth in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if size >= 0.9995 * worth:
            number = size / worth
            return f"{number:.1f} {unit}" if number < 9.95 else f"{number:.0f} {unit}"
    return f"{max(0.0, size) / 1e3:.0f} kB"


def span(seconds: float) -> str:
    """A length of time, rounded as one speaks: `a few seconds`, `25 minutes`, `3 hours`, `2 days`."""
    if seconds < 10:
        return "a few seconds"
    if seconds < 57.5:
        return f"{round(seconds / 5) * 5} seconds"
    if seconds < 57.5 * 60:
        minutes = seconds / 60
        return count(max(1, round(minutes) if minutes < 12 else round(minutes / 5) * 5), "minute")
    hours = seconds / 3600
    if hours < 9.75:
        halves = round(hours * 2)
        return "1 hour" if halves == 2 else f"{halves / 2:g} hours"
    return count(round(hours), "hour") if hours < 47.5 else count(round(hours / 24), "day")


def place(path: Path) -> str:
    """A path with the person's own folder as ~."""
    home = Path.home()
    return os.path.join("~", path.relative_to(home)) if path.is_relative_to(home) and path != home else str(path)
