"""What a planned queue would take: how many photos, how much disk, how long. Only the headers of files are read."""

import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bgdesk.batch.model import words
from bgdesk.batch.model.values import BatchRecipe, Item, Variant
from bgdesk.batch.planning.plan import Plan
from bgdesk.core.errors import LoadError
from bgdesk.core.geometry import Size
from bgdesk.core.recipe import Quality
from bgdesk.core.stages import Stage
from bgdesk.core.tasks import Progress, silent
from bgdesk.files.load import measure

#: Photos whose headers are read at most; of more, evenly spread ones stand for all.
SAMPLE = 400

# What the queue itself writes about a photo: journal, thumbnail, report.
_BESIDE = 20_000
# Kept free: a disk that is filled to the last byte makes every program fail.
_SPARE = 200e6

# Stages whose time does not depend on the photo's size: the network looks at it in a size of its own.
_FIXED = (Stage.NETWORK, Stage.CONFIDENCE)
# Stages that go on while another photo is computed.
_ASIDE = (Stage.LOAD, Stage.SAVE)


@dataclass(frozen=True)
class Pace:
    """How long photos are computed."""

    photo: float  #: seconds for each
    megapixel: float  #: seconds more for each million of its pixels
    measured: bool = True  #: by earlier queues; else it is assumed

    @classmethod
    def of(cls, items: Iterable[Item]) -> "Pace | None":
        """What finished items took; None if fewer than five of them were timed."""
        fixed = rest = pixels = 0.0
        number = 0
        for item in items:
            if item.outcome is None or not item.outcome.timings:
                continue
            number += 1
            pixels += item.outcome.width * item.outcome.height / 1e6
            for stage, seconds in item.outcome.timings.items():
                if stage in _FIXED:
                    fixed += seconds
                elif stage not in _ASIDE:
                    rest += seconds
        return cls(fixed / number, rest / pixels) if number >= 5 and pixels > 0 else None

    @classmethod
    def assumed(cls, recipe: BatchRecipe) -> "Pace":
        """A guess for a computer that has not done any yet: two processor cores, the default network."""
        return cls(4.0 if recipe.matte.quality is Quality.BEST else 2.0, 0.4, measured=False)


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What a plan would take."""

    plan: Plan
    megapixels: float  #: of the photos to be done, together
    sampled: bool  #: only some of them were measured
    needed: int  #: bytes of disk
    free: int | None  #: bytes that are free where the outputs go; None where the system does not tell
    seconds: float  #: of work
    pace: Pace  #: that `seconds` was reckoned with
    unreadable: tuple[tuple[Path, str], ...] = ()  #: of the measured photos, those that cannot be read, with a sentence

    @property
    def short(self) -> bool:
        """Whether the disk would probably be too small."""
        return self.free is not None and self.needed + _SPARE > self.free

    def lines(self) -> tuple[str, ...]:
        """Sentences for a person: what would be done, with how much disk and time, and what they should know before."""
        plan = self.plan
        todo, skipped = len(plan.todo), len(plan.skipped)
        first = f"{words.count(todo, 'photo')} would be cut out into {words.place(plan.output)}"
        first += f", {skipped:,} {'is' if skipped == 1 else 'are'} up to date" if skipped else ""
        lines = [first + "."]
        if todo:
            free = "" if self.free is None else f" ({words.bytes_(self.free)} are free)"
            lines.append(f"Roughly {words.bytes_(self.needed)} of disk{free}, and {words.span(self.seconds)}{self._basis()}.")
        if self.short:
            lines.append("The disk may become full. Make room, or choose a folder on another disk.")
        if plan.collisions:
            first_one = plan.collisions[0]
            lines.append(
                f"{words.count(len(plan.collisions), 'output')} would have the name of another photo's output and get a number, the first: "
                f"{first_one.source} as {first_one.given.name}, because of {first_one.other}."
            )
        if plan.numbered:
            what = "output gets a number because something else has its name"
            lines.append(
                f"1 {what}." if plan.numbered == 1 else f"{plan.numbered:,} outputs get a number because something else has their name."
            )
        if plan.replaced:
            lines.append(f"{words.count(plan.replaced, 'file')} would be replaced.")
        if plan.own:
            lines.append(f"{words.count(len(plan.own), 'cutout')} of earlier queues in the source folder would be left out.")
        if self.unreadable:
            some = "those measured" if self.sampled else "them"
            lines.append(f"{len(self.unreadable):,} of {some} cannot be read, and would fail: {self.unreadable[0][1]}")
        lines += [sentence for _, sentence in plan.problems]
        return tuple(lines)

    def as_values(self) -> dict[str, Any]:
        """Plain values for JSON."""
        plan = self.plan
        return {
            "photos": len(plan.todo),
            "skipped": len(plan.skipped),
            "output": str(plan.output),
            "collisions": [{"source": str(c.source), "wanted": str(c.wanted), "given": str(c.given)} for c in plan.collisions],
            "replaced": plan.replaced,
            "numbered": plan.numbered,
            "own": len(plan.own),
            "problems": [{"path": str(path), "error": sentence} for path, sentence in (*plan.problems, *self.unreadable)],
            "megapixels": round(self.megapixels, 1),
            "sampled": self.sampled,
            "bytes_needed": self.needed,
            "bytes_free": self.free,
            "disk_short": self.short,
            "seconds": round(self.seconds, 1),
            "pace_measured": self.pace.measured,
        }

    def _basis(self) -> str:
        if self.pace.measured:
            return ", at the pace of earlier queues"
        return f", if a photo takes {self.pace.photo:g} s and {self.pace.megapixel:g} s more a megapixel"


def estimate(
    plan: Plan,
    pace: Pace | None = None,
    workers: int = 1,
    progress: Progress = silent,
    free: Callable[[Path], int | None] | None = None,
) -> Estimate:
    """Look at the photos of a plan (at most `SAMPLE` of them) and at the disk; nothing is written.

    pace: as earlier queues measured it (`Pace.of`), None to assume one. workers: how many compute at once. free: bytes free
    where a folder is, or would be made. progress hears "measure" and may raise Cancelled.
    """
    todo = plan.todo
    step = max(1, -(-len(todo) // SAMPLE))
    sample = todo[::step]
    sizes: list[Size] = []
    unreadable: list[tuple[Path, str]] = []
    for number, item in enumerate(sample):
        progress(Stage.MEASURE, number / len(sample))
        try:
            sizes.append(measure(item.source))
        except LoadError as error:
            unreadable.append((item.source, str(error)))
    scale = len(todo) / len(sample) if sample else 1.0
    pixels = scale * sum(size.area for size in sizes)
    needed = scale * sum(_output_bytes(size, plan.recipe.variants) + _BESIDE for size in sizes)
    pace = pace or Pace.assumed(plan.recipe)
    seconds = (scale * len(sizes) * pace.photo + pixels / 1e6 * pace.megapixel) / max(1, workers)
    room = (free or free_bytes)(plan.output)
    return Estimate(
        plan=plan,
        megapixels=pixels / 1e6,
        sampled=step > 1,
        needed=round(needed),
        free=room,
        seconds=seconds,
        pace=pace,
        unreadable=tuple(unreadable),
    )


def free_bytes(folder: Path) -> int | None:
    """Bytes free to the person on the disk where `folder` is, or would be made; None where the system does not say."""
    for place in (folder, *folder.parents):
        if os.path.isdir(place):
            try:
                return shutil.disk_usage(place).free
            except OSError:
                return None
    return None


def _output_bytes(photo: Size, variants: Sequence[Variant]) -> float:
    total = 0.0
    for variant in variants:
        pixels = photo.area if variant.size is None else variant.size**2
        facts = variant.format.facts
        total += pixels * (facts.disk_opacity if variant.alpha_only else facts.disk)
    return total
