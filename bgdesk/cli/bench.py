"""bgdesk bench: how fast and how good the engine, and the folder queue, are on this machine, beside their peers."""

import argparse
import contextlib
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from bgdesk.bench import bench_engine, bench_queue, bench_report, engines
from bgdesk.bench.cases.folders import sort_folders
from bgdesk.bench.setup import Runner, Setup
from bgdesk.cli.console import Console
from bgdesk.core.errors import UsageError

#: What can be measured -> its runners by name.
SUBJECTS: Mapping[str, Mapping[str, Runner]] = {"engine": bench_engine.RUNNERS, "queue": bench_queue.RUNNERS}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    names = "; ".join(f"{subject}: {', '.join(runners)}" for subject, runners in SUBJECTS.items())
    every = list(dict.fromkeys(name for runners in SUBJECTS.values() for name in runners))
    parser.add_argument("subject", choices=list(SUBJECTS), metavar="SUBJECT", help=f"what to measure: {' or '.join(SUBJECTS)}")
    shape = parser.add_mutually_exclusive_group()
    shape.add_argument("--json", action="store_true", help="print the report as JSON")
    shape.add_argument("--markdown", action="store_true", help="print the figures as a Markdown table")
    parser.add_argument("--only", nargs="+", choices=every, default=[], metavar="NAME", help=names)
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


def run(
    args: argparse.Namespace, run_bench: Callable[[Setup, Sequence[str], Mapping[str, Runner]], bench_report.Report] = bench_engine.run
) -> int:
    """Status 0 whether or not bars are met: a bench measures. What was left out stands in the report."""
    runners = SUBJECTS[args.subject]
    strange = [name for name in args.only if name not in runners]
    if strange:
        raise UsageError(f"--only {strange[0]} does not belong to {args.subject}: choose from {', '.join(runners)}")
    console = Console()
    where = {"onnx": args.onnx} if args.onnx else {}
    setup = Setup(
        engine=engines.open_engine, given=engines.GivenEngine, data=sort_folders(args.data), quick=args.quick, say=console.say, **where
    )
    with contextlib.redirect_stdout(sys.stderr):  # peers print warnings; stdout is the report's alone
        found = run_bench(setup, args.only, runners)
    print(bench_report.to_json(found) if args.json else bench_report.to_markdown(found) if args.markdown else bench_report.to_text(found))
    return 0
