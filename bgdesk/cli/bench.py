"""bgdesk bench engine: how fast and how good the engine is on this machine, beside its peers."""

import argparse
import contextlib
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from bgdesk.bench import engine, report
from bgdesk.bench.setup import Setup, sort_folders
from bgdesk.cli.console import Console


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("subject", choices=["engine"], metavar="SUBJECT", help="what to measure: engine")
    shape = parser.add_mutually_exclusive_group()
    shape.add_argument("--json", action="store_true", help="print the report as JSON")
    shape.add_argument("--markdown", action="store_true", help="print the figures as a Markdown table")
    parser.add_argument("--only", nargs="+", choices=list(engine.RUNNERS), default=[], metavar="NAME", help=", ".join(engine.RUNNERS))
    parser.add_argument(
        "--data",
        action="append",
        default=[],
        type=Path,
        metavar="FOLDER",
        help="photos with captured alpha (image/, alpha/, trimap*/) or with masks (image/, alpha/), or photos alone; may be repeated",
    )
    parser.add_argument("--onnx", type=Path, metavar="FOLDER", help="the published ONNX files, ID.onnx, for the peers that run them")
    parser.add_argument("--quick", action="store_true", help="tiny and few, to see that everything runs; no measurement")


def run(args: argparse.Namespace, run_bench: Callable[[Setup, Sequence[str]], report.Report] = engine.run) -> int:
    """Status 0 whether or not bars are met: a bench measures. What was left out stands in the report."""
    console = Console()
    where = {"onnx": args.onnx} if args.onnx else {}
    setup = Setup(engine.open_engine, engine.Given, sort_folders(args.data), quick=args.quick, say=console.say, **where)
    with contextlib.redirect_stdout(sys.stderr):  # peers print warnings; stdout is the report's alone
        found = run_bench(setup, args.only)
    print(report.to_json(found) if args.json else report.to_markdown(found) if args.markdown else report.to_text(found))
    return 0
