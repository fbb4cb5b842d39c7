"""What the person chose on the set-up page, and the recipe and the plan that follow from it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bgdesk.app.system.settings import Settings
from bgdesk.batch.model.values import BatchRecipe, Existing, Fallback, Variant
from bgdesk.batch.planning import naming, scan
from bgdesk.batch.planning.plan import LedgerLike, Plan, plan
from bgdesk.batch.planning.templates import DEFAULT, edge_of
from bgdesk.core.errors import UsageError
from bgdesk.core.recipe import Quality
from bgdesk.core.tasks import Progress, silent

#: A value of `SetupChoices.fallback`: the same network again, with the best quality.
BEST = "best"


@dataclass(frozen=True)
class SetupChoices:
    """Everything on the set-up page.

    include, exclude: patterns for names, commas between them. newer: a date as text. smallest: kB.
    templates: ids, at least one. model, matting: ids, "" for the default network and our own solver.
    output: None until there is one. pattern: "" for the default. gate: None for no review. fallback: "", BEST, or a network's id.
    """

    sources: tuple[Path, ...] = ()
    recursive: bool = False
    include: str = ""
    exclude: str = ""
    newer: str = ""
    smallest: int = 0
    templates: tuple[str, ...] = (DEFAULT,)
    quality: Quality = Quality.BALANCED
    model: str = ""
    matting: str = ""
    output: Path | None = None
    pattern: str = ""
    existing: Existing = Existing.SKIP
    order: scan.Order = scan.Order.NAME
    gate: float | None = None
    fallback: str = ""

    @property
    def filters(self) -> scan.Filters:
        """Raises UsageError if `newer` is not a date."""
        newer = scan.moment(self.newer) if self.newer.strip() else None
        return scan.Filters(_patterns(self.include), _patterns(self.exclude), newer, self.smallest * 1000)

    @property
    def folder(self) -> Path | None:
        """Where the cutouts go: the chosen folder (a relative one is beside the first source), else one with a suggested name."""
        if not self.sources:
            return self.output
        return suggested(self.sources[0]) if self.output is None else self.sources[0].parent / self.output

    @property
    def title(self) -> str:
        """The queue's name in lists."""
        if not self.sources:
            return "Photos"
        first = self.sources[0].name or str(self.sources[0])
        return first if len(self.sources) == 1 else f"{first} and {len(self.sources) - 1:,} more"

    def to_json(self) -> str:
        """What the next queue begins with: all but the photos, their filters and the output folder."""
        values = {
            "recursive": self.recursive,
            "templates": list(self.templates),
            "quality": self.quality.value,
            "model": self.model,
            "matting": self.matting,
            "pattern": self.pattern,
            "existing": self.existing.value,
            "order": self.order.value,
            "gate": self.gate,
            "fallback": self.fallback,
        }
        return json.dumps(values)


def remembered(text: str, otherwise: SetupChoices) -> SetupChoices:
    """The choices that `to_json` wrote; `otherwise` if `text` is something else."""
    try:
        values = json.loads(text)
        gate = values["gate"]
        return replace(
            otherwise,
            recursive=bool(values["recursive"]),
            templates=tuple(str(id) for id in values["templates"]) or otherwise.templates,
            quality=Quality(values["quality"]),
            model=str(values["model"]),
            matting=str(values["matting"]),
            pattern=str(values["pattern"]),
            existing=Existing(values["existing"]),
            order=scan.Order(values["order"]),
            gate=None if gate is None else min(1.0, max(0.0, float(gate))),
            fallback=str(values["fallback"]),
        )
    except (ValueError, TypeError, KeyError):
        return otherwise


def suggested(source: Path) -> Path:
    """The default output folder: beside the source, never among the photos."""
    return source.parent / "cutouts" if source.suffix and not source.is_dir() else source.with_name(f"{source.name or 'photos'} cutouts")


def recipe_of(choices: SetupChoices, variants: Sequence[Variant], settings: Settings) -> BatchRecipe:
    """The recipe. What the page does not ask is as in the editor's settings. Raises UsageError for choices that cannot be combined."""
    fallback = None
    if choices.fallback == BEST:
        fallback = Fallback(Quality.BEST)
    elif choices.fallback:
        fallback = Fallback(choices.quality, choices.fallback)
    return BatchRecipe(
        matte=replace(settings.recipe.matte, quality=choices.quality),
        edge=edge_of(choices.templates) or settings.recipe.edge,
        variants=tuple(variants),
        model=choices.model or None,
        matting=choices.matting or None,
        device=settings.device,
        precision=settings.precision,
        gate=choices.gate,
        fallback=fallback if choices.gate is not None else None,
    )


def pattern_of(choices: SetupChoices, recipe: BatchRecipe) -> str:
    """The typed pattern for names, else the default."""
    return choices.pattern.strip() or naming.default(recipe, choices.recursive)


def plan_of(choices: SetupChoices, recipe: BatchRecipe, ledger: LedgerLike | None = None, progress: Progress = silent) -> Plan:
    """Find the photos and plan where each cutout goes. Raises UsageError, and Cancelled through `progress`."""
    output = choices.folder
    if not choices.sources or output is None:
        raise UsageError("There are no photos yet. Drop a folder here, or add one.")
    found = scan.find(
        choices.sources, recursive=choices.recursive, filters=choices.filters, output=output, order=choices.order, progress=progress
    )
    return plan(found, recipe, output, pattern_of(choices, recipe), choices.existing, ledger, progress)


def _patterns(text: str) -> tuple[str, ...]:
    """Patterns between commas; a word without wildcards matches names that contain it."""
    parts = [part.strip() for part in text.replace(";", ",").split(",")]
    return tuple(part if any(sign in part for sign in "*?[") else f"*{part}*" for part in parts if part)
