"""Where every photo's outputs go, and which exist already. Nothing is written: a plan can be read and dropped."""

import os
import unicodedata
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from bgdesk.batch.model.values import BatchRecipe, Existing, LedgerEntry, Planned, SkipReason
from bgdesk.batch.outputs.placing import in_review
from bgdesk.batch.planning import naming
from bgdesk.batch.planning.scan import PhotoFile, Problem, ScanResult, absolute
from bgdesk.core.errors import UsageError
from bgdesk.core.stages import Stage
from bgdesk.core.tasks import Progress, silent

_EVERY = 200  # photos between two looks at the cancel token


class LedgerLike(Protocol):
    """journal.Ledger, as far as planning needs it."""

    def lookup(self, output: Path) -> LedgerEntry | None:
        """What is known of the output last written to this absolute path."""


@dataclass(frozen=True)
class Collision:
    """Two photos whose outputs would have the same name."""

    source: Path
    other: Path  #: comes first, and gets the name
    wanted: Path  #: by both
    given: Path  #: to `source` instead


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a queue would do. Every photo that was found is in `planned`, `problems` or `own`."""

    planned: tuple[Planned, ...]  #: in order
    output: Path  #: the folder
    recipe: BatchRecipe
    existing: Existing
    collisions: tuple[Collision, ...] = ()  #: between photos of this plan, already resolved by numbers
    problems: tuple[Problem, ...] = ()  #: photos and folders that cannot be done, each with a sentence
    own: tuple[Path, ...] = ()  #: files left out because an earlier queue made them (the output folder is a source too)
    replaced: int = 0  #: outputs that would take the place of existing ones
    numbered: int = 0  #: outputs that get a number because something else has their name

    @property
    def todo(self) -> tuple[Planned, ...]:
        return tuple(item for item in self.planned if item.skipped is None)

    @property
    def skipped(self) -> tuple[Planned, ...]:
        return tuple(item for item in self.planned if item.skipped is not None)


def plan(
    found: ScanResult,
    recipe: BatchRecipe,
    output: Path,
    pattern: str | None = None,
    existing: Existing = Existing.SKIP,
    ledger: LedgerLike | None = None,
    progress: Progress = silent,
    *,
    promised: Mapping[Path, Path] | None = None,
    begin: int = 1,
) -> Plan:
    """Give each photo a target for every variant.

    A photo is never a target, and no two outputs have one target, letter case aside.

    Parameters
    ----------
    found
        The photos.
    recipe
        Its variants name the outputs of each photo.
    output
        The folder for the outputs. It may not exist.
    pattern
        See `naming`; None for the default one.
    existing
        What happens where something is there already.
    ledger
        Without it, nothing is known of outputs that exist, and they are never replaced unless `existing` says so.
    progress
        Hears Stage.PLAN, and may raise Cancelled.
    promised
        Targets -> their photos, in a queue that this plan adds to; no other photo gets them.
    begin
        The first {number}.

    Raises
    ------
    UsageError
        For a pattern that cannot be used, and for an output folder that is a file.
    """
    output = absolute(output)
    if os.path.lexists(output) and not os.path.isdir(output):
        raise UsageError(f"{output} is a file. Choose a folder for the cutouts.")
    names = naming.parse(naming.default(recipe) if pattern is None else pattern, recipe)
    planner = _Planner(found, recipe, output, names, existing, ledger)
    planner.promise(promised or {})
    return planner.run(progress, begin)


class _Planner:
    """One plan in the making."""

    def __init__(
        self, found: ScanResult, recipe: BatchRecipe, output: Path, pattern: naming.Pattern, existing: Existing, ledger: LedgerLike | None
    ) -> None:
        self._found, self._recipe, self._output, self._pattern = found, recipe, output, pattern
        self._existing, self._ledger, self._key = existing, ledger, recipe.key
        self._folders = _Folders()
        self._sources: set[str] = set()
        self._promised: dict[str, Path] = {}
        self._taken: dict[str, Path] = {}  # target -> its photo
        self._full: Counter[str] = Counter()  # target without number -> how many of its numbers are taken, without a gap
        self._collisions: list[Collision] = []
        self._replaced = self._numbered = 0

    def promise(self, promised: Mapping[Path, Path]) -> None:
        self._promised = {self._folders.key(target): source for target, source in promised.items()}

    def run(self, progress: Progress, begin: int) -> Plan:
        planned: list[Planned] = []
        problems = list(self._found.problems)
        own = {photo.path: None for photo in self._found.photos if self._made(photo)}
        photos = [photo for photo in self._found.photos if photo.path not in own]
        self._sources = {self._folders.key(photo.path) for photo in photos}
        self._sources |= {self._folders.key(Path(os.path.realpath(photo.path))) for photo in photos if os.path.islink(photo.path)}
        for number, photo in enumerate(photos):
            if number % _EVERY == 0:
                progress(Stage.PLAN, number / len(photos))
            try:
                planned.append(self._photo(photo, len(planned) + begin))
            except UsageError as error:
                problems.append((photo.path, str(error)))
        progress(Stage.PLAN, 1.0)
        return Plan(
            planned=tuple(planned),
            output=self._output,
            recipe=self._recipe,
            existing=self._existing,
            collisions=tuple(self._collisions),
            problems=tuple(problems),
            own=tuple(own),
            replaced=self._replaced,
            numbered=self._numbered,
        )

    def _made(self, photo: PhotoFile) -> bool:
        """Whether it is a cutout that was found because the output folder is a source as well."""
        if self._ledger is None or photo.root is None or not self._folders.within(photo.path.parent, self._output):
            return False
        entry = self._ledger.lookup(photo.path)
        return entry is not None and (entry.output_size, entry.output_mtime) == (photo.size, photo.mtime)

    def _photo(self, photo: PhotoFile, number: int) -> Planned:
        wanted = []
        for variant in self._recipe.variants:
            name = self._pattern.fill(photo, variant, number)
            folder = self._output / os.path.dirname(name)
            blocked = self._folders.blocked(folder, self._output)
            if blocked is not None:
                raise UsageError(f"{photo.path.name}: its output would go into {folder}, but {blocked} is a file. Change the pattern.")
            wanted.append((naming.beside(photo, self._output, name, self._folders.real), variant.format.suffix))
        choices = [self._choose(photo, name, suffix) for name, suffix in wanted]
        outputs = tuple(choice.target for choice in choices)
        current = all(choice.current for choice in choices)
        if not current:
            self._replaced += sum(choice.there for choice in choices)
            self._numbered += sum(choice.beside for choice in choices)
        reason = SkipReason.IN_REVIEW if any(choice.in_review for choice in choices) else SkipReason.UP_TO_DATE
        return Planned(source=photo.path, size=photo.size, mtime=photo.mtime, outputs=outputs, skipped=reason if current else None)

    def _choose(self, photo: PhotoFile, name: str, suffix: str) -> "_Candidate":
        """The first of NAME, NAME-2, NAME-3 … that this photo's output may have; the name is taken from now on."""
        base = self._folders.key(self._output / (name + suffix))
        number, other, beside = self._full[base], self._taken.get(base), False
        while True:
            number += 1
            target = self._output / (name + suffix if number == 1 else f"{name}-{number}{suffix}")
            key = self._folders.key(target)
            if key in self._taken:
                self._full[base] += number == self._full[base] + 1
                continue
            choice = self._judge(photo, target, key)
            if choice is not None:
                break
            beside = True
        self._taken[key] = photo.path
        if other is not None:
            self._collisions.append(Collision(photo.path, other, self._output / (name + suffix), target))
        return replace(choice, beside=beside)

    def _judge(self, photo: PhotoFile, target: Path, key: str) -> "_Candidate | None":
        """The target as a candidate; None if something is there that this photo's output must not replace."""
        if key in self._sources or not _same_file(self._promised.get(key, photo.path), photo.path):
            return None
        review = in_review(target)
        may_be = self._existing is Existing.SKIP and self._recipe.gate is not None  # without a gate nothing is in review
        if may_be and self._folders.holds(review) and self._is_current(photo, review, review):
            return _Candidate(target, current=True, in_review=True)
        if not self._folders.holds(target):
            return _Candidate(target)
        if os.path.isdir(target) or self._existing is Existing.NUMBER:
            return None
        if self._existing is Existing.REPLACE:
            return _Candidate(target, there=True)
        entry = self._ledger.lookup(target) if self._ledger is not None else None
        if entry is None or not _unchanged(target, entry) or not _same_file(entry.source, photo.path):
            # Somebody's own file, a cutout that was worked on since, the cutout of another photo; or one that was in review,
            # and that somebody has taken out of the review folder.
            return _Candidate(target, there=True, current=True) if self._is_current(photo, target, review) else None
        return _Candidate(target, there=True, current=self._fits(photo, entry))

    def _is_current(self, photo: PhotoFile, file: Path, known_as: Path) -> bool:
        """Whether the file is what the ledger knows by that name, and what would be made of this photo."""
        entry = self._ledger.lookup(known_as) if self._ledger is not None else None
        return entry is not None and _unchanged(file, entry) and _same_file(entry.source, photo.path) and self._fits(photo, entry)

    def _fits(self, photo: PhotoFile, entry: LedgerEntry) -> bool:
        """Whether it was made from this version of the photo with this recipe: that tells more than which file is newer."""
        return (entry.source_size, entry.source_mtime, entry.recipe_key) == (photo.size, photo.mtime, self._key)


@dataclass(frozen=True)
class _Candidate:
    """A name that an output may have."""

    target: Path
    there: bool = False  #: something of that name exists
    current: bool = False  #: what is there, or in review, is what would be made
    beside: bool = False  #: the name has a number, because something else has the one without
    in_review: bool = False  #: an output of that name is in the review folder


class _Folders:
    """Reads each folder once, however many outputs go there."""

    def __init__(self) -> None:
        self._real: dict[Path, str] = {}
        self._names: dict[Path, frozenset[str]] = {}
        self._blocked: dict[Path, Path | None] = {}

    def key(self, path: Path) -> str:
        """The same for paths of one file. Letter case aside: on Windows and macOS "A.png" and "a.png" are one file."""
        return os.path.join(self.real(path.parent), _folded(path.name))

    def real(self, folder: Path) -> str:
        if folder not in self._real:
            self._real[folder] = _folded(os.path.realpath(folder))
        return self._real[folder]

    def within(self, folder: Path, top: Path) -> bool:
        return (self.real(folder) + os.sep).startswith(self.real(top).rstrip(os.sep) + os.sep)

    def holds(self, path: Path) -> bool:
        """Whether something of that name is there, letter case aside."""
        if path.parent not in self._names:
            try:
                self._names[path.parent] = frozenset(map(_folded, os.listdir(path.parent)))
            except OSError:  # not made yet; or closed to us, which writing will say
                self._names[path.parent] = frozenset()
        return _folded(path.name) in self._names[path.parent]

    def blocked(self, folder: Path, top: Path) -> Path | None:
        """The file that is in the way of making `folder`, at or below `top`; None if nothing is."""
        if folder not in self._blocked:
            chain = [folder, *folder.parents][: len(folder.parts) - len(top.parts)]
            self._blocked[folder] = next((each for each in chain if os.path.lexists(each) and not os.path.isdir(each)), None)
        return self._blocked[folder]


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _unchanged(target: Path, entry: LedgerEntry) -> bool:
    try:
        status = os.stat(target)
    except OSError:
        return False
    return (status.st_size, status.st_mtime_ns) == (entry.output_size, entry.output_mtime)


def _same_file(one: Path, other: Path) -> bool:
    return one == other or os.path.realpath(one) == os.path.realpath(other)
