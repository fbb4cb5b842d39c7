"""bgdesk matte SOURCE TRIMAP -o ALPHA.png: alpha from a trimap, without a network that finds subjects."""

import argparse
from collections.abc import Callable
from pathlib import Path

from bgdesk.cli import engine_options, json_record
from bgdesk.cli.console import Console
from bgdesk.cli.cut import Clock, Cutter, from_trimap
from bgdesk.core.errors import UsageError
from bgdesk.core.formats import Format
from bgdesk.core.recipe import ExportRecipe, MatteRecipe
from bgdesk.files.load import load, load_trimap
from bgdesk.files.save import save


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", metavar="SOURCE", help="the photo")
    parser.add_argument("trimap", metavar="TRIMAP", help="a picture of the same size: black background, white foreground, grey unknown")
    parser.add_argument("-o", "--output", required=True, metavar="ALPHA.png", help="the grey PNG to write; an existing one is replaced")
    engine_options.add_matting(parser)
    parser.add_argument("--json", action="store_true", help="print a JSON record on stdout")


def run(
    args: argparse.Namespace, open_pipeline: Callable[[str | None, str, str, bool, str | None], Cutter] = engine_options.open_pipeline
) -> int:
    source, target = Path(args.source), Path(args.output)
    if target.suffix.lower() != Format.PNG.suffix:
        raise UsageError(f"{args.output} must end with .png")
    console = Console()
    progress = console.progress(source.name)
    clock = Clock()
    progress("load", 0.0)
    photo = load(source)
    trimap = load_trimap(Path(args.trimap), photo.size)
    clock.lap("load")
    pipeline = open_pipeline(None, "auto", "auto", False, args.matting)
    cutout = from_trimap(pipeline, photo.pixels, trimap, MatteRecipe(decontaminate=False), clock, progress, args.matting)
    progress("save", 0.0)
    output = save(cutout, target, ExportRecipe(Format.PNG, True), metadata=photo, protect=[source, Path(args.trimap)], progress=progress)
    clock.lap("save")
    for note in cutout.notes:
        console.say(f"{source.name}: {note}")
    console.say(f"{source} -> {output} ({sum(clock.timings.values()):.1f} s)")
    if args.json:
        print(json_record.done(source, output, cutout, clock.timings))
    return 0
