"""bgdesk cut INPUT… -o OUT: photos in, cutouts out."""

import argparse
import logging
import time
from collections.abc import Sequence
from pathlib import Path

from bgdesk.app import one_photo
from bgdesk.app.networks.open_engine import EngineChoice
from bgdesk.cli import engine_options, json_record, recipe_options
from bgdesk.cli.console import Console
from bgdesk.cli.engine_options import OpenEngine
from bgdesk.cli.targets import Task, plan
from bgdesk.core.errors import BgdeskError, SaveError, UsageError
from bgdesk.core.formats import Format
from bgdesk.core.parameters import STRENGTH
from bgdesk.core.recipe import ExportRecipe, MatteRecipe, Quality, Recipe
from bgdesk.core.tasks import Cancelled
from bgdesk.files.find import find

log = logging.getLogger(__name__)


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
    recipe_options.add_number(parser, STRENGTH, unless_said="1")
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
    recipe_options.add_edge(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON record a photo on stdout")


def run(args: argparse.Namespace, open_engine: OpenEngine = engine_options.open_checked) -> int:
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
    recipe, export = recipe_of(args), ExportRecipe(format, args.alpha_only)
    trimap = Path(args.trimap) if args.trimap else None
    choice = EngineChoice(model=args.model, matting=args.matting, device=args.device, precision=args.precision)
    engine = open_engine(choice, trimap is None)
    sources = tuple(task.source for task in tasks)
    for number, task in enumerate(tasks, 1):
        request = one_photo.Request(source=task.source, target=task.target, recipe=recipe, export=export, trimap=trimap, protect=sources)
        name = task.source.name if len(tasks) == 1 else f"{task.source.name} ({number} of {len(tasks)})"
        begun = time.perf_counter()
        try:
            done = one_photo.through(request, engine, console.progress(name))
        except (Cancelled, BrokenPipeError):
            raise
        except Exception as error:  # whatever it is, it must not cost the other photos
            if not isinstance(error, BgdeskError | MemoryError):
                log.error("an unforeseen failure", exc_info=error)
            fail(task.source, one_photo.failure(task.source, error))
            continue
        for note in done.cutout.notes:
            console.say(f"{task.source.name}: {note}")
        console.say(f"{task.source} -> {done.output} ({time.perf_counter() - begun:.1f} s)")
        if args.json:
            print(json_record.done(request, done), flush=True)
    return 1 if failures else 0


def _check_combinations(args: argparse.Namespace, tasks: Sequence[Task]) -> None:
    """Raise UsageError for options that cannot be combined."""
    if args.trimap and len(tasks) != 1:
        raise UsageError("--trimap belongs to one photo: give one INPUT")
    without_network = "with a trimap, no network finds the subject"
    for one, other, given, why in (
        ("--trimap", "--no-refine", args.trimap and args.no_refine, "from a trimap, alpha is always solved"),
        ("--trimap", "--model", args.trimap and args.model, without_network),
        ("--trimap", "--quality", args.trimap and args.quality, without_network),
        ("--matting", "--no-refine", args.matting and args.no_refine, "refining is what a matting network does"),
    ):
        if given:
            raise UsageError(f"{one} and {other} cannot be combined: {why}")
    if args.alpha_only and not all(_holds_opacity(task.target) for task in tasks):
        raise UsageError(f"--alpha-only writes {Format.titles_with_opacity_alone()}: end OUT with {Format.known(opacity_alone=True)}")


def _holds_opacity(target: Path) -> bool:
    format = Format.of_path(target)
    return format is not None and format.facts.opacity_alone


def recipe_of(args: argparse.Namespace) -> Recipe:
    """What the options say about alpha, colours and edges. Raises UsageError."""
    matte = MatteRecipe(
        refine=not args.no_refine,
        decontaminate=not args.no_decontaminate,
        strength=STRENGTH.standard if args.strength is None else args.strength,
        spill=args.spill,
        quality=Quality(args.quality or Quality.BALANCED),
    )
    return Recipe(matte=matte, edge=recipe_options.edge_of(args))


def _make_folders(tasks: Sequence[Task]) -> None:
    for folder in {task.target.parent for task in tasks}:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SaveError(f"The folder {folder} could not be made: {error.strerror}. Choose another place with -o.") from error
