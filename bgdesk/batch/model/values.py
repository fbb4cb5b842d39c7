"""What the queue speaks of: recipes, items and their states, jobs for a worker and what came of them. Frozen values only."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path

from bgdesk.app.system import codec
from bgdesk.core.errors import UsageError
from bgdesk.core.formats import Format
from bgdesk.core.parameters import GATE, MARGIN, SIZE
from bgdesk.core.recipe import Colour, EdgeRecipe, MatteRecipe, Quality
from bgdesk.core.stages import Stage


class State(Enum):
    """Where an item stands."""

    QUEUED = "queued"  #: it waits for a worker
    RUNNING = "running"  #: a worker has it
    WRITTEN = "written"  #: its outputs are complete under their staged names, and only have to take their places
    REVIEW = "review"  #: its outputs are in the review folder until a person decides
    DONE = "done"  #: its outputs are in their places
    REJECTED = "rejected"  #: a person did not want its outputs
    SKIPPED = "skipped"  #: nothing had to be done
    FAILED = "failed"  #: it could not be done; `Item.error` says why and what to do

    @property
    def open(self) -> bool:
        """Whether the queue still has work with it."""
        return self in (State.QUEUED, State.RUNNING, State.WRITTEN)


class Decision(Enum):
    """What a person decided about an item in review."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    FIXED = "fixed"


class Existing(Enum):
    """What to do when an output exists already."""

    #: leave it if it was made from this photo with this recipe; else replace what bgdesk wrote, and number beside what it did not
    SKIP = "skip"
    REPLACE = "replace"  #: put the new one in its place
    NUMBER = "number"  #: write beside it as NAME-2


class SkipReason(Enum):
    """Why nothing has to be done for a photo. The value follows the photo's name in lists."""

    UP_TO_DATE = "is up to date"
    IN_REVIEW = "is in review"


class QueueKind(Enum):
    """Where the photos of a queue come from."""

    BATCH = "batch"  #: a list: the queue ends when all are done, and lets its workers go
    WATCH = "watch"  #: a watched folder: the queue waits for more


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One file of the several that a template makes of a photo. Raises UsageError for choices that cannot be combined."""

    name: str = ""  #: fills {variant} in the name pattern; "" for an only one
    format: Format = Format.PNG  #: of the file
    alpha_only: bool = False  #: write the opacity as a grey picture
    background: Colour | None = None  #: a colour to lay the subject on; None keeps it transparent
    size: int | None = None  #: side in pixels of a square canvas that the subject is fitted into; None keeps the photo's
    margin: float = 0.05  #: of that canvas, in [0, 0.45], kept free around the subject

    def __post_init__(self) -> None:
        facts = self.format.facts
        if self.alpha_only and (not facts.opacity_alone or self.background is not None):
            able = Format.titles_with_opacity_alone()
            raise UsageError(f"The variant {self.name!r} asks for the opacity alone: that is a {able} without a background.")
        if facts.layers and (self.size is not None or self.background is not None):
            raise UsageError(f"The variant {self.name!r} asks for a {facts.title}: it holds the whole photo, without size or background.")
        if self.size is not None:
            SIZE.check(self.size)
        MARGIN.check(self.margin)


@dataclass(frozen=True)
class Fallback:
    """A second attempt at a photo whose confidence is below the gate, before a person sees it."""

    quality: Quality = Quality.BEST
    model: str | None = None  #: id of a network; None keeps the recipe's


@dataclass(frozen=True, kw_only=True)
class BatchRecipe:
    """Everything that turns a photo into its outputs, except where they go."""

    matte: MatteRecipe = MatteRecipe()
    edge: EdgeRecipe = EdgeRecipe()  #: how every photo's edge is finished
    variants: tuple[Variant, ...] = (Variant(),)
    model: str | None = None  #: id of the network that finds the subject; None: the default one
    matting: str | None = None  #: id of a matting network; None: our own solver
    device: str = "auto"  #: as engine.networks.device knows them
    precision: str = "auto"  #: as engine.networks.device knows them
    gate: float | None = None  #: results with less confidence need review, in [0, 1]; None lets all pass
    fallback: Fallback | None = None  #: tried on results below the gate first

    def __post_init__(self) -> None:
        names = [variant.name.casefold() for variant in self.variants]
        if not names or len(set(names)) < len(names):
            raise UsageError("A recipe needs at least one variant, and each of them a name of its own.")
        if self.gate is not None:
            GATE.check(self.gate)

    @property
    def key(self) -> str:
        """The same for recipes that make the same outputs: the gate only decides which of them need review."""
        values = codec.plain(replace(self, gate=None))
        if self.edge.neutral:  # as before there were edges, so that outputs of that time are up to date
            del values["edge"]
        return hashlib.sha256(codec.encode(values)).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Planned:
    """One photo before it is in a queue."""

    source: Path
    size: int  #: bytes
    mtime: int  #: nanoseconds since 1970
    outputs: tuple[Path, ...]  #: one for each variant, in the recipe's order
    skipped: SkipReason | None = None  #: None: it is to be done

    @property
    def state(self) -> State:
        """The state in which it enters a queue."""
        return State.QUEUED if self.skipped is None else State.SKIPPED

    @property
    def reason(self) -> str:
        """Why it is skipped, in words; "" if it is not."""
        return "" if self.skipped is None else self.skipped.value


@dataclass(frozen=True)
class Written:
    """One complete output."""

    staged: Path  #: where it is: a hidden name in its target's folder, or its place in the review folder
    target: Path  #: where it belongs
    sha256: str  #: of its bytes, lower-case hex


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a worker made of a photo: everything that the journal keeps of it except the state."""

    written: tuple[Written, ...]
    width: int  #: pixels of the upright photo
    height: int  #: pixels of the upright photo
    timings: Mapping[Stage, float] = field(default_factory=dict)  #: seconds that each stage took
    confidence: float | None = None  #: in [0, 1]; None where it was not estimated
    reasons: tuple[str, ...] = ()  #: sentences: why the cut-out may be wrong
    notes: tuple[str, ...] = ()  #: sentences of the engine
    device: str = ""  #: that computed it
    precision: str = ""  #: in which it was computed
    model: str = ""  #: id of the network
    model_sha256: str = ""  #: of the network's file, lower-case hex
    source_sha256: str = ""  #: of the photo's file, lower-case hex
    thumbnail: Path | None = None  #: a small picture of the result in the queue's folder


@dataclass(frozen=True, kw_only=True)
class PhotoJob:
    """What a worker is told to do: read `source`, and write `staged[i]` for `targets[i]` as `recipe.variants[i]` says.

    The staged names lie in their targets' folders, so that putting an output in its place is one rename.
    """

    id: int  #: of the item
    source: Path
    targets: tuple[Path, ...]
    staged: tuple[Path, ...]
    recipe: BatchRecipe
    folder: Path  #: of the queue


@dataclass(frozen=True, kw_only=True)
class Item:
    """One photo of a queue, as the journal has it."""

    id: int  #: never used again
    position: float  #: items are claimed in this order
    source: Path
    size: int  #: bytes
    mtime: int  #: nanoseconds since 1970
    outputs: tuple[Path, ...]  #: where they belong, one for each variant
    state: State
    crashes: int = 0  #: how often a worker died while it was at work on this photo
    interrupted: int = 0  #: how often it was running when the whole program died
    seconds: float | None = None  #: that its stages took
    error: str = ""  #: of a failed, skipped or rejected item: why, and what to do
    outcome: Outcome | None = None  #: None until there is a result
    decision: Decision | None = None
    attempts: int = 0  #: how often it was claimed

    @property
    def name(self) -> str:
        return self.source.name

    @property
    def confidence(self) -> float | None:
        return None if self.outcome is None else self.outcome.confidence

    @property
    def reason(self) -> str:
        """Why it failed, was skipped, or needs review; a person's decision has the last word."""
        decided = _DECIDED.get(self.decision) if self.decision is not None else None
        return self.error or decided or ("" if self.outcome is None else " ".join(self.outcome.reasons))

    @property
    def present(self) -> tuple[Path, ...]:
        """Where its outputs are now: in the review folder, while the item is in review. () if the item has no outputs."""
        if self.state is State.REVIEW and self.outcome is not None:
            return tuple(written.staged for written in self.outcome.written)
        done = self.outcome is not None and self.state is State.DONE
        return self.outputs if done or (self.outcome is None and self.state is State.SKIPPED) else ()


_DECIDED: Mapping[Decision, str] = {Decision.ACCEPTED: "Accepted as it was.", Decision.FIXED: "Fixed by hand."}


@dataclass(frozen=True, kw_only=True)
class LedgerEntry:
    """What is known of an output: what it was made from and with, and how the file looked then."""

    recipe_key: str  #: `BatchRecipe.key`
    source: Path
    source_size: int  #: bytes
    source_mtime: int  #: nanoseconds since 1970
    output_size: int  #: bytes
    output_mtime: int  #: nanoseconds since 1970


@dataclass(frozen=True)
class Summary:
    """How far a queue is."""

    counts: Mapping[State, int]  #: number of items in each state
    rate: float | None = None  #: photos a second lately; None before it is known
    left: float | None = None  #: seconds until nothing is queued; None while that cannot be told
    decisions: Mapping[Decision, int] = field(default_factory=dict)  #: number of each

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    @property
    def open(self) -> int:
        return sum(count for state, count in self.counts.items() if state.open)

    @property
    def finished(self) -> int:
        return self.total - self.open
