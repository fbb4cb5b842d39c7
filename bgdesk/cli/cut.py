"""bgdesk cut INPUT… -o OUT: photos in, cutouts out."""

import argparse
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from bgdesk.cli import engine_options, json_record
from bgdesk.cli.console import Console
from bgdesk.cli.targets import Task, plan
from bgdesk.core.arrays import Alpha, Pixels, Trimap
from bgdesk.core.cutout import Cutout
from bgdesk.core.engine import EngineStatus
from bgdesk.core.errors import BgdeskError, SaveError, UsageError
from bgdesk.core.formats import Format
from bgdesk.core.recipe import ExportRecipe, MatteRecipe, Quality
from bgdesk.core.results import Coloured, Refined
from bgdesk.core.tasks import Cancelled, Progress, silent
from bgdesk.files.find import find
from bgdesk.files.load import load, load_trimap
from bgdesk.files.save import save

log = logging.getLogger(__name__)


class Cutter(Protocol):
    """engine.pipeline.Pipeline, as far as these commands use it."""

    @property
    def status(self) -> EngineStatus: ...
    def auto(self, pixels: Pixels, recipe: MatteRecipe = ..., progress: Progress = silent) -> Cutout: ...
    def matte(self, pixels: Pixels, trimap: Trimap, prior: Alpha | None = None, progress: Progress = silent) -> Refined: ...
    def foreground(self, pixels: Pixels, alpha: Alpha, progress: Progress = silent, recipe: MatteRecipe = ...) -> Coloured: ...


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("inputs", nargs="+", metavar="INPUT", help="a photo, or a folder: the photos in it")
    parser.add_argument(
        "-o",
        "--output",
        required=True,
        metavar="OUT",
        help="the file to write, or the folder for several photos (made if need be); files of the same name are replaced, sources never",
    )
    engine_options.add_arguments(parser)
    engine_options.add_matting(parser)
    parser.add_argument("--format", choices=[f.value for f in Format], help="the format to write; taken from OUT's suffix if left out")
    parser.add_argument("--trimap", metavar="FILE", help="use this trimap (black, grey, white) instead of a network; one photo only")
    parser.add_argument("--alpha-only", action="store_true", help="write the opacity as a grey picture, not the cut-out photo")
    parser.add_argument("--no-refine", action="store_true", help="take the network's matte as it is, without solving the edges")
    parser.add_argument("--no-decontaminate", action="store_true", help="keep the photo's colours at the edges, background and all")
    parser.add_argument(
        "--decontaminate-strength",
        type=float,
        default=1.0,
        metavar="0..1",
        help="how much of the backdrop's colour is taken out of soft edges: 1 all of it (the default), 0 none",
    )
    parser.add_argument(
        "--spill",
        metavar="COLOUR|auto",
        help="take the light of a coloured backdrop off the subject's rim: its colour, as #00b140, or auto to find out which it is",
    )
    parser.add_argument(
        "--quality",
        choices=[quality.value for quality in Quality],
        help="how much time the network takes: fast looks at a smaller photo, best (almost twice the time) at its mirror image too",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON record a photo on stdout")


def run(
    args: argparse.Namespace, open_pipeline: Callable[[str | None, str, str, bool, str | None], Cutter] = engine_options.open_pipeline
) -> int:
    format = Format(args.format) if args.format else None
    found = find(map(Path, args.inputs))
    tasks = plan(args.inputs, found, args.output, format)
    _check_combinations(args, tasks)
    console = Console()
    failures = 0

    def fail(source: Path, error: str) -> None:
        nonlocal failures
        failures += 1
        console.say(error)
        if args.json:
            print(json_record.failed(source, error), flush=True)

    for folder, error in found.problems:
        fail(folder, error)
    if not tasks:
        return 1
    _make_folders(tasks)
    matte_recipe = recipe_of(args)
    pipeline = open_pipeline(args.model, args.device, args.precision, args.trimap is None, args.matting)
    recipe = ExportRecipe(format, args.alpha_only)
    protect = [task.source for task in tasks] + ([Path(args.trimap)] if args.trimap else [])
    for number, task in enumerate(tasks, 1):
        name = task.source.name if len(tasks) == 1 else f"{task.source.name} ({number} of {len(tasks)})"
        progress = console.progress(name)
        begun = time.perf_counter()
        try:
            output, cutout, timings = _cut_one(task, args, pipeline, matte_recipe, recipe, protect, progress)
        except BgdeskError as error:
            fail(task.source, str(error))
            continue
        except (Cancelled, BrokenPipeError):
            raise
        except MemoryError:
            fail(task.source, f"{task.source.name} does not fit into this computer's memory. Close other programs, or make it smaller.")
            continue
        except Exception as error:  # whatever it is, it must not cost the other photos
            log.error("an unforeseen failure", exc_info=error)
            said = next(iter(str(error).splitlines()), "") or type(error).__name__
            advice = "If memory is short, close other programs or make it smaller; else leave this photo out."
            fail(task.source, f"{task.source.name} could not be cut out, something unforeseen went wrong: {said.rstrip('.')}. {advice}")
            continue
        for note in cutout.notes:
            console.say(f"{task.source.name}: {note}")
        console.say(f"{task.source} -> {output} ({time.perf_counter() - begun:.1f} s)")
        if args.json:
            print(json_record.done(task.source, output, cutout, timings), flush=True)
    return 1 if failures else 0


def _check_combinations(args: argparse.Namespace, tasks: Sequence[Task]) -> None:
    """Raise UsageError for options that cannot be had together."""
    if args.trimap and len(tasks) != 1:
        raise UsageError("--trimap belongs to one photo: give one INPUT")
    if args.trimap and args.no_refine:
        raise UsageError("--trimap and --no-refine cannot be had together: from a trimap, alpha is always solved")
    if args.matting and args.no_refine:
        raise UsageError("--matting and --no-refine cannot be had together: refining is what a matting network does")
    if args.trimap and args.model:
        raise UsageError("--trimap and --model cannot be had together: with a trimap no network is used")
    if args.trimap and args.quality:
        raise UsageError("--trimap and --quality cannot be had together: with a trimap no network is used")
    if args.alpha_only and any(task.target.suffix.lower() != Format.PNG.suffix for task in tasks):
        raise UsageError("--alpha-only writes PNG: end OUT with .png")


def recipe_of(args: argparse.Namespace) -> MatteRecipe:
    """What the options say about alpha and colours. Raises UsageError."""
    recipe = MatteRecipe(
        not args.no_refine, not args.no_decontaminate, args.decontaminate_strength, args.spill, Quality(args.quality or Quality.BALANCED)
    )
    # Nobody sees the foreground of an alpha-only export.
    return replace(recipe, decontaminate=False, spill=None) if args.alpha_only else recipe


def _make_folders(tasks: Sequence[Task]) -> None:
    for folder in {task.target.parent for task in tasks}:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SaveError(f"The folder {folder} could not be made: {error.strerror}. Choose another place with -o.") from error


def _cut_one(
    task: Task,
    args: argparse.Namespace,
    pipeline: Cutter,
    matte_recipe: MatteRecipe,
    recipe: ExportRecipe,
    protect: Sequence[Path],
    progress: Progress,
) -> tuple[Path, Cutout, dict[str, float]]:
    """Load, cut, save one photo: the file written, the cutout, seconds by stage."""
    clock = Clock()
    progress("load", 0.0)
    photo = load(task.source)
    clock.lap("load")
    if args.trimap:
        trimap = load_trimap(Path(args.trimap), photo.size)
        clock.lap("load")
        cutout = from_trimap(pipeline, photo.pixels, trimap, matte_recipe, clock, progress, args.matting)
    else:
        cutout = pipeline.auto(photo.pixels, matte_recipe, progress)
        clock.add(cutout.timings)
    progress("save", 0.0)
    output = save(cutout, task.target, recipe, metadata=photo, protect=protect, progress=progress)
    clock.lap("save")
    return output, cutout, clock.timings


class Clock:
    """Seconds by stage, in the order the stages ran."""

    def __init__(self) -> None:
        self.timings: dict[str, float] = {}
        self._since = time.perf_counter()

    def lap(self, stage: str) -> None:
        """The time since the last lap went into `stage`."""
        now = time.perf_counter()
        self.timings[stage] = self.timings.get(stage, 0.0) + now - self._since
        self._since = now

    def add(self, timings: Mapping[str, float]) -> None:
        """Take over stages that somebody else has timed, up to now."""
        self.timings.update(timings)
        self._since = time.perf_counter()


def from_trimap(
    pipeline: Cutter,
    pixels: Pixels,
    trimap: Trimap,
    recipe: MatteRecipe,
    clock: Clock,
    progress: Progress = silent,
    matting: str | None = None,
) -> Cutout:
    """A cutout whose alpha comes from a trimap alone; at most a matting network is used. recipe: for the colours."""
    refined = pipeline.matte(pixels, trimap, progress=progress)
    clock.lap("alpha")
    foreground, notes = pixels, refined.notes
    if recipe.recolours:
        coloured = pipeline.foreground(pixels, refined.alpha, progress, recipe)
        foreground, notes = coloured.foreground, notes + coloured.notes
        clock.lap("foreground")
    # Without a network no device was chosen: these stages always run on the CPU.
    status = pipeline.status
    used = (status.device, status.precision, status.model) if matting else ("CPU", "fp32", None)
    return Cutout(pixels, refined.alpha, foreground, trimap, None, dict(clock.timings), *used, status.notes + notes)
