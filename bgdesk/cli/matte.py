"""bgdesk matte SOURCE TRIMAP -o ALPHA.png: alpha from a trimap, without a network that finds subjects."""

import argparse
from pathlib import Path

from bgdesk.app import one_photo
from bgdesk.app.networks.open_engine import EngineChoice
from bgdesk.cli import engine_options, json_record, recipe_options
from bgdesk.cli.console import Console
from bgdesk.cli.engine_options import OpenEngine
from bgdesk.core.errors import UsageError
from bgdesk.core.formats import Format
from bgdesk.core.recipe import ExportRecipe, Recipe


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", metavar="SOURCE", help="the photo")
    parser.add_argument("trimap", metavar="TRIMAP", help="a picture of the same size: black background, white foreground, grey unknown")
    parser.add_argument("-o", "--output", required=True, metavar="ALPHA.png", help="the grey PNG to write; an existing one is replaced")
    engine_options.add_matting(parser)
    recipe_options.add_edge(parser)
    parser.add_argument("--json", action="store_true", help="print a JSON record on stdout")


def run(args: argparse.Namespace, open_engine: OpenEngine = engine_options.open_checked) -> int:
    source, target = Path(args.source), Path(args.output)
    format = Format.of_path(target)
    if format is None or not format.facts.opacity_alone:
        raise UsageError(f"{args.output} must end with {Format.known(opacity_alone=True)}")
    request = one_photo.Request(
        source=source,
        target=target,
        recipe=Recipe(edge=recipe_options.edge_of(args)),
        export=ExportRecipe(format, alpha_only=True),
        trimap=Path(args.trimap),
    )
    console = Console()
    done = one_photo.through(request, open_engine(EngineChoice(matting=args.matting), False), console.progress(source.name))
    for note in done.cutout.notes:
        console.say(f"{source.name}: {note}")
    console.say(f"{source} -> {done.output} ({sum(done.timings.values()):.1f} s)")
    if args.json:
        print(json_record.done(request, done))
    return 0
