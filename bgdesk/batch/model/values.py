"""What the queue speaks of: recipes, items and their states, jobs for a worker and what came of them. Frozen values only."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import Enum
from pathlib import Path
from typing import Any

from bgdesk.core.errors import UsageError
from bgdesk.core.formats import Format
from bgdesk.core.recipe import Colour, EdgeRecipe, MatteRecipe, Quality, colour_of


class State(Enum):
    """Where an item stands.

    QUEUED: waits. RUNNING: a worker has it. WRITTEN: its outputs are complete under their staged names, and only have to
    take their places. DONE: they have. REVIEW: they wait for a person's look. REJECTED: a person wanted none of it.
    SKIPPED: nothing had to be done. FAILED: it could not be done; `Item.error` says why and what to do.
    """

    QUEUED = "queued"
    RUNNING = "running"
    WRITTEN = "written"
    REVIEW = "review"
    DONE = "done"
    REJECTED = "rejected"
    SKIPPED = "skipped"
    FAILED = "failed"

    @property
    def open(self) -> bool:
        """The queue still has work with it."""
        return self in (State.QUEUED, State.RUNNING, State.WRITTEN)


class Decision(Enum):
    """What a person said of an item in review."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    FIXED = "fixed"


class Existing(Enum):
    """What to do when an output is there already.

    SKIP: leave it if it is newer than its photo and was made with the same recipe, else replace what bgdesk wrote itself and
    number what it did not. REPLACE: put the new one in its place. NUMBER: write beside it as NAME-2.
    """

    SKIP = "skip"
    REPLACE = "replace"
    NUMBER = "number"


@dataclass(frozen=True)
class Variant:
    """One file of the several that a template makes of a photo.

    name: fills {variant} in the name pattern; "" for an only one. format: of the file. alpha_only: the opacity as grey PNG.
    background: a colour to lay the subject on, None to keep it transparent. size: side in pixels of a square canvas that the
    subject is fitted into, None to keep the photo's size and place. margin: of that canvas, in [0, 0.45], kept free around
    the subject. Raises UsageError for what cannot be had together.
    """

    name: str = ""
    format: Format = Format.PNG
    alpha_only: bool = False
    background: Colour | None = None
    size: int | None = None
    margin: float = 0.05

    def __post_init__(self) -> None:
        facts = self.format.facts
        if self.alpha_only and (not facts.opacity_alone or self.background is not None):
            able = " or ".join(each.facts.title for each in Format if each.facts.opacity_alone)
            raise UsageError(f"The variant {self.name!r} asks for the opacity alone: that is a {able} without a background.")
        if facts.layers and (self.size is not None or self.background is not None):
            raise UsageError(f"The variant {self.name!r} asks for a {facts.title}: it holds the whole photo, without size or background.")
        if self.size is not None and not 16 <= self.size <= 16384:
            raise UsageError(f"The size of a variant is 16 to 16384 pixels, not {self.size}.")
        if not 0.0 <= self.margin <= 0.45:
            raise UsageError(f"The margin of a variant is 0 to 0.45, not {self.margin:g}.")


@dataclass(frozen=True)
class Fallback:
    """Another try for a photo under the gate, before a person sees it. model: None keeps the recipe's."""

    quality: Quality = Quality.BEST
    model: str | None = None


@dataclass(frozen=True)
class BatchRecipe:
    """Everything that turns a photo into its outputs, but for where they go.

    model, matting: ids of networks (None: the default one, our own solver). device, precision: as engine.device knows them.
    gate: results whose confidence is below it wait for a person; None lets all pass. fallback: tried first, then.
    """

    matte: MatteRecipe = MatteRecipe()
    variants: tuple[Variant, ...] = (Variant(),)
    model: str | None = None
    matting: str | None = None
    device: str = "auto"
    precision: str = "auto"
    gate: float | None = None
    fallback: Fallback | None = None
    edge: EdgeRecipe = EdgeRecipe()

    def __post_init__(self) -> None:
        names = [variant.name.casefold() for variant in self.variants]
        if not names or len(set(names)) < len(names):
            raise UsageError("A recipe needs at least one variant, and each of them a name of its own.")
        if self.gate is not None and not 0.0 <= self.gate <= 1.0:
            raise UsageError(f"The gate is a number from 0 to 1, not {self.gate:g}.")

    def to_json(self) -> str:
        """Canonical: equal recipes give equal text. An edge that changes nothing is left out, as before there were any."""
        values = asdict(self)
        if self.edge.neutral:
            del values["edge"]
        return json.dumps(values, sort_keys=True, default=lambda value: value.value)

    @classmethod
    def from_json(cls, text: str) -> "BatchRecipe":
        """The recipe that `to_json` wrote. Raises UsageError for anything else; names it does not know are refused."""
        try:
            return cls.from_mapping(json.loads(text))
        except ValueError as error:
            raise UsageError(f"This is no recipe: {error}.") from error

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> "BatchRecipe":
        """A recipe from nested plain values, such as a TOML or JSON file holds; what is not named keeps its default."""
        try:
            given = dict(values)
            if "matte" in given:
                matte = dict(given["matte"])
                if isinstance(matte.get("spill"), list):
                    matte["spill"] = tuple(matte["spill"])
                given["matte"] = MatteRecipe(**matte)
            if "edge" in given:
                given["edge"] = EdgeRecipe(**given["edge"])
            if "variants" in given:
                given["variants"] = tuple(variant_of(each) for each in given["variants"])
            if given.get("fallback") is not None:
                fallback = dict(given["fallback"])
                if "quality" in fallback:
                    fallback["quality"] = Quality(fallback["quality"])
                given["fallback"] = Fallback(**fallback)
            return cls(**given)
        except (AttributeError, TypeError, ValueError) as error:
            raise UsageError(f"This is no recipe: {error}.") from error

    @property
    def key(self) -> str:
        """The same for recipes that make the same outputs; the gate only decides who looks at them."""
        return hashlib.sha256(replace(self, gate=None).to_json().encode()).hexdigest()


def variant_of(values: Mapping[str, Any]) -> Variant:
    """A variant from plain values. Raises UsageError, TypeError or ValueError."""
    given = dict(values)
    if "format" in given:
        given["format"] = Format(given["format"])
    background = given.get("background")
    if isinstance(background, str):
        given["background"] = colour_of(background)
    elif background is not None:
        given["background"] = tuple(background)
    return Variant(**given)


@dataclass(frozen=True)
class Planned:
    """One photo before it is in a queue. size: bytes. mtime: nanoseconds. outputs: one a variant, in the recipe's order."""

    source: Path
    size: int
    mtime: int
    outputs: tuple[Path, ...]
    state: State = State.QUEUED
    reason: str = ""


@dataclass(frozen=True)
class Written:
    """One complete output under its staged name, in its target's folder. sha256: of its bytes."""

    staged: Path
    target: Path
    sha256: str


@dataclass(frozen=True)
class Outcome:
    """What a worker made of a photo. Everything that the journal keeps of it but the state.

    width, height: of the upright photo. timings: stage -> seconds. confidence: in [0, 1], None where it was not looked at.
    reasons: sentences, why it may be wrong. notes: sentences of the engine. model_sha256, source_sha256: of the files used.
    thumbnail: a small picture of the result in the queue's folder, or None.
    """

    written: tuple[Written, ...]
    width: int
    height: int
    timings: Mapping[str, float] = field(default_factory=dict)
    confidence: float | None = None
    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    device: str = ""
    precision: str = ""
    model: str = ""
    model_sha256: str = ""
    source_sha256: str = ""
    thumbnail: Path | None = None

    def to_json(self) -> str:
        values = asdict(self)
        return json.dumps(values, default=str)

    @classmethod
    def from_json(cls, text: str) -> "Outcome":
        values = json.loads(text)
        written = tuple(Written(Path(w["staged"]), Path(w["target"]), w["sha256"]) for w in values.pop("written"))
        thumbnail = values.pop("thumbnail")
        reasons, notes = tuple(values.pop("reasons")), tuple(values.pop("notes"))
        return cls(written=written, reasons=reasons, notes=notes, thumbnail=Path(thumbnail) if thumbnail else None, **values)


@dataclass(frozen=True)
class Job:
    """What a worker is told to do: read source, write `staged[i]` for `targets[i]` as recipe.variants[i] says.

    The staged names lie in their targets' folders, so that putting them in place is one rename. folder: the queue's own.
    """

    id: int
    source: Path
    targets: tuple[Path, ...]
    staged: tuple[Path, ...]
    recipe: BatchRecipe
    folder: Path

    def to_json(self) -> str:
        values = {
            "id": self.id,
            "source": str(self.source),
            "targets": [str(path) for path in self.targets],
            "staged": [str(path) for path in self.staged],
            "recipe": self.recipe.to_json(),
            "folder": str(self.folder),
        }
        return json.dumps(values)

    @classmethod
    def from_json(cls, text: str) -> "Job":
        values = json.loads(text)
        return cls(
            values["id"],
            Path(values["source"]),
            tuple(map(Path, values["targets"])),
            tuple(map(Path, values["staged"])),
            BatchRecipe.from_json(values["recipe"]),
            Path(values["folder"]),
        )


@dataclass(frozen=True)
class Item:
    """One photo of a queue, as the journal has it.

    id: never used again. position: the order in which items are claimed. crashes: how often it took a worker down with it.
    interrupted: how often it was running when the whole program died. seconds: that its stages took. outcome: None until there
    is a result. error: of a failed or skipped item. attempts: how often it was claimed.
    """

    id: int
    position: float
    source: Path
    size: int
    mtime: int
    outputs: tuple[Path, ...]
    state: State
    crashes: int = 0
    interrupted: int = 0
    seconds: float | None = None
    error: str = ""
    outcome: Outcome | None = None
    decision: Decision | None = None
    attempts: int = 0

    @property
    def name(self) -> str:
        return self.source.name

    @property
    def confidence(self) -> float | None:
        return None if self.outcome is None else self.outcome.confidence

    @property
    def reason(self) -> str:
        """Why it failed, was skipped, or should be looked at; what a person said of it has the last word."""
        said = _SAID.get(self.decision) if self.decision is not None else None
        return self.error or said or ("" if self.outcome is None else " ".join(self.outcome.reasons))

    @property
    def present(self) -> tuple[Path, ...]:
        """Where its outputs are now: while it waits for a look, not yet where they belong. () where there are none."""
        if self.state is State.REVIEW and self.outcome is not None:
            return tuple(written.staged for written in self.outcome.written)
        done = self.outcome is not None and self.state is State.DONE
        return self.outputs if done or (self.outcome is None and self.state is State.SKIPPED) else ()


_SAID: Mapping[Decision, str] = {Decision.ACCEPTED: "Accepted as it was.", Decision.FIXED: "Fixed by hand."}


@dataclass(frozen=True)
class Summary:
    """counts: state -> number of items, all states. rate: photos a second lately, None before there is one.

    left: seconds until nothing is queued, None while that cannot be told. decisions: decision -> number.
    """

    counts: Mapping[State, int]
    rate: float | None = None
    left: float | None = None
    decisions: Mapping[Decision, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    @property
    def open(self) -> int:
        return sum(count for state, count in self.counts.items() if state.open)

    @property
    def finished(self) -> int:
        return self.total - self.open
