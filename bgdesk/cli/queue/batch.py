"""bgdesk batch SOURCE… -o OUT: folders of photos, unattended; and the state of such queues, and going on with them."""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bgdesk.app.system import paths
from bgdesk.batch.journal.folder import QueueInfo, ledger, queues
from bgdesk.batch.journal.journal import JournalError
from bgdesk.batch.model import words
from bgdesk.batch.model.values import BatchRecipe, QueueKind, SkipReason, State
from bgdesk.batch.planning.estimate import Pace, estimate
from bgdesk.batch.planning.plan import Plan, plan
from bgdesk.batch.planning.scan import Order, Problem, find
from bgdesk.batch.run.queue import MakePool, Queue, QueueError
from bgdesk.cli.console import Console
from bgdesk.cli.queue import queue_options
from bgdesk.cli.queue.queue_display import Records, display_for, line_of, record_of, shown
from bgdesk.cli.queue.queue_run import EXIT_FAILED, EXIT_REVIEW, Left, Run, closing, finish, values_of
from bgdesk.core.errors import BgdeskError, UsageError
from bgdesk.core.parameters import EDGE

#: --resume, --status and --retry without an ID.
_LATEST = ""

_EPILOG = """\
exit status: 0 all done, 1 some failed, 2 wrong usage, 3 none failed and some need review, 130 stopped with Ctrl+C.
Ctrl+C finishes the photos in hand and says how to go on; a second one stops at once. Nothing is lost either way.
"""

#: Of no use to a queue that exists: it has all this from when it was made.
_MADE_WITH = (
    "output", "recipe", "template", "gate", "fallback", "quality", "model", "matting", "device", "precision", "recursive", "include",
    "exclude", "pattern", "existing", "order", "dry_run", *EDGE,
)  # fmt: skip

MakePools = Callable[[argparse.Namespace], MakePool]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EPILOG
    parser.add_argument("sources", nargs="*", metavar="SOURCE", help="a photo, or a folder: the photos in it")
    parser.add_argument("-o", "--output", metavar="OUT", help="the folder for the cutouts (made if need be)")
    other = parser.add_mutually_exclusive_group()
    other.add_argument("--resume", nargs="?", const=_LATEST, metavar="ID", help="go on with a queue: the latest that is not done")
    other.add_argument("--status", nargs="?", const=_LATEST, metavar="ID", help="list the queues, or say how one of them stands")
    other.add_argument("--retry", nargs="?", const=_LATEST, metavar="ID", help="do again what failed: of the latest queue in which any did")
    queue_options.add_photos(parser)
    orders = [order.value for order in Order]
    parser.add_argument("--order", choices=orders, help="in which order: by name (unless said), oldest or smallest first, or as given")
    queue_options.add_recipe(parser)
    queue_options.add_workers(parser)
    parser.add_argument("--dry-run", action="store_true", help="say what would be done, how much disk and how long; nothing is written")
    parser.add_argument("--report", action="store_true", help="write bgdesk-report.html and .csv into OUT too")
    parser.add_argument("--json", action="store_true", help="print one JSON record a photo on stdout, and one at the end")


def run(args: argparse.Namespace, pools: MakePools = queue_options.make_pools) -> int:
    if args.status is not None:
        _refuse(args, "--status", ("jobs", "memory", "address"))
        return _status(args)
    queue_options.check_workers(args)
    if args.resume is not None:
        _refuse(args, "--resume")
        return _resume(args, pools(args))
    if args.retry is not None:
        _refuse(args, "--retry")
        return _retry(args, pools(args))
    return _begin(args, pools)


def _refuse(args: argparse.Namespace, what: str, also: Sequence[str] = ()) -> None:
    """Raise UsageError for options that `what` has no use for."""
    if args.sources:
        raise UsageError(f"{what} takes at most the ID of a queue, and no photos: leave {args.sources[0]} out")
    for name in (*_MADE_WITH, *also):
        if getattr(args, name) not in (None, False):
            raise UsageError(f"--{name.replace('_', '-')} and {what} cannot be combined: leave one of them out")


# --- a new one ---


def _begin(args: argparse.Namespace, pools: MakePools) -> int:
    if not args.sources or not args.output:
        raise UsageError("name the photos and, with -o, a folder for the cutouts; or --resume, --status or --retry")
    recipe = queue_options.recipe_of(args)
    make_pool = pools(args)
    console, records = Console(), Records() if args.json else None
    made = _plan(args, recipe, console)
    if args.dry_run:
        return _dry_run(args, made, console, _obstacle(recipe, console) if args.engine == "local" and made.todo else "")
    for path, sentence in made.problems:
        console.say(sentence)
        if records is not None:
            records.problem(path, sentence)
    if made.own:
        console.say(f"{words.count(len(made.own), 'cutout')} of earlier queues among the photos left out.")
    if records is not None:
        for planned in made.skipped:
            records.skipped(planned)
    if not made.todo:
        return _nothing(made, console, records)
    if args.engine == "local":
        queue_options.check_engine(recipe, console.say)
    _tell_unfinished(made, console)
    console.clear()

    def create(run: Run) -> Queue:
        title, home = _title([planned.source for planned in made.planned], args.sources), paths.data_folder()
        return Queue.create(home, recipe, made.planned, make_pool, title=title, output=made.output, existing=made.existing, post=run.post)

    return _go(args, create, made.problems)


def _plan(args: argparse.Namespace, recipe: BatchRecipe, console: Console) -> Plan:
    """Raises UsageError, JournalError."""
    sources, output = [Path(source) for source in args.sources], Path(args.output)
    progress = console.progress("Looking for photos")
    pattern = queue_options.pattern_of(args, recipe)
    found = find(
        sources,
        recursive=args.recursive,
        filters=queue_options.filters_of(args),
        output=output,
        order=Order(args.order or Order.NAME),
        progress=progress,
    )
    known = ledger(paths.data_folder())
    try:
        made = plan(found, recipe, output, pattern, queue_options.existing_of(args), known, progress)
    finally:
        known.close()
        console.clear()
    return made


def _obstacle(recipe: BatchRecipe, console: Console) -> str:
    """Why no photo could be cut out at all, as a sentence; "" if it could."""
    try:
        queue_options.check_engine(recipe, console.say)
    except BgdeskError as error:
        return str(error)
    return ""


def _dry_run(args: argparse.Namespace, made: Plan, console: Console, obstacle: str) -> int:
    expected = estimate(made, _pace(made.recipe), args.jobs or 1, console.progress("Looking at photos"))
    console.clear()
    if args.json:
        print(json.dumps(expected.as_values() | {"obstacle": obstacle or None}))
    else:
        print("\n".join(expected.lines()))
    if obstacle:
        console.say(f"But not yet: {obstacle}")
    return EXIT_FAILED if made.problems or obstacle else 0


def _pace(recipe: BatchRecipe) -> Pace | None:
    """As the latest queue went that was computed alike."""
    for info in queues(paths.data_folder()):
        try:
            left = Left.read(info.folder)
        except JournalError:
            continue
        other = left.about.recipe
        if (other.model, other.device, other.precision, other.matte.quality) == (
            recipe.model, recipe.device, recipe.precision, recipe.matte.quality,
        ):  # fmt: skip
            pace = Pace.of(left.items)
            if pace is not None:
                return pace
    return None


def _nothing(made: Plan, console: Console, records: Records | None) -> int:
    """There is no photo to be done."""
    waiting = sum(item.skipped is SkipReason.IN_REVIEW for item in made.skipped)
    if made.skipped:
        more = f", {waiting:,} of them in review" if waiting else ""
        console.say(f"Nothing to do: {words.count(len(made.skipped), 'photo')} up to date in {shown(made.output)}{more}.")
    elif not made.problems:
        console.say("Nothing to do: no photo is left by --include, --exclude and what earlier queues have made.")
    status = EXIT_FAILED if made.problems else EXIT_REVIEW if waiting else 0
    if records is not None:
        counts = {State.SKIPPED.value: len(made.skipped)} if made.skipped else {}
        records.summary({"queue": None, "output": str(made.output), "counts": counts, "problems": len(made.problems), "status": status})
    return status


def _tell_unfinished(made: Plan, console: Console) -> None:
    """Somebody may have started the same again, where going on was meant."""
    sources = {planned.source for planned in made.todo}
    for info in _unfinished():
        if info.output != made.output:
            continue
        try:
            left = Left.read(info.folder)
        except JournalError:
            continue
        same = sum(item.state.open and item.source in sources for item in left.items)
        if left.about.recipe.key != made.recipe.key or not same:
            continue
        these = f"{words.count(same, 'of these photos', 'of these photos')}"
        if info.locked:
            console.say(f"Queue {info.id}, which another bgdesk runs, has {these} to do as well.")
        else:
            console.say(f"Queue {info.id} was left with {these} to do. This is a new one; to go on with that: {_again(info.id)}")


def _title(found: Sequence[Path], sources: Sequence[str]) -> str:
    """What the queue is called in lists."""
    first = Path(sources[0]).resolve().name or str(found[0].parent)
    return first if len(sources) == 1 else f"{first} and {len(sources) - 1:,} more"


# --- one that was left ---


def _resume(args: argparse.Namespace, make_pool: MakePool) -> int:
    info = _chosen(args.resume, _unfinished, "No queue was left unfinished.")
    if info is None:
        return 0
    return _go(args, lambda run: Queue.open(info.folder, make_pool, post=run.post))


def _retry(args: argparse.Namespace, make_pool: MakePool) -> int:
    info = _chosen(args.retry, lambda: [each for each in _known() if each.counts.get(State.FAILED)], "No photo of any queue has failed.")
    if info is None:
        return 0

    def reopen(run: Run) -> Queue:
        queue = Queue.open(info.folder, make_pool, post=run.post)
        try:
            queue.retry()
        except BaseException:
            queue.close()
            raise
        return queue

    return _go(args, reopen)


def _known() -> list[QueueInfo]:
    """The queues of this command and of the window, newest first; a watched folder's is none that could be gone on with here."""
    return [info for info in queues(paths.data_folder()) if info.kind is QueueKind.BATCH and not info.damaged]


def _unfinished() -> list[QueueInfo]:
    return [info for info in _known() if any(state.open and count for state, count in info.counts.items())]


def _chosen(id: str, among: Callable[[], list[QueueInfo]], none: str) -> QueueInfo | None:
    """The queue of that id; without one the latest of `among` that nobody runs, or None, which is said. Raises UsageError, QueueError."""
    console = Console()
    if id == _LATEST:
        found = among()
        free = [info for info in found if not info.locked]
        if not free:
            console.say(f"Queue {found[0].id} is being run by another bgdesk." if found else none)
            return None
        if len(free) > 1:
            console.say(f"{words.count(len(free), 'queue')} could be meant: taking the latest, {free[0].id} (see: bgdesk batch --status).")
        return free[0]
    info = _named(id)
    if info.kind is QueueKind.WATCH:
        raise QueueError(f"Queue {info.id} is that of a watched folder. To go on with it, watch the folder again: {info.title}")
    return info


def _named(id: str) -> QueueInfo:
    """The queue of that id, or the only one whose id begins or ends like that. Raises UsageError; QueueError for a damaged one."""
    known = queues(paths.data_folder())
    found = [info for info in known if info.id == id] or [info for info in known if info.id.startswith(id) or info.id.endswith(id)]
    if len(found) != 1:
        what = "several queues" if found else "no queue"
        raise UsageError(f"there {'are' if found else 'is'} {what} called {id!r}. To see them all: bgdesk batch --status")
    if found[0].damaged:
        raise QueueError(found[0].damaged)
    return found[0]


# --- in common ---


def _again(id: str) -> str:
    return f"bgdesk batch --resume {id}"


def _go(args: argparse.Namespace, make: Callable[[Run], Queue], problems: Sequence[Problem] = ()) -> int:
    """Run a queue to its end, and say what became of it."""
    records, display = Records() if args.json else None, display_for(args.json)
    run = Run(display, records)
    try:
        with run.listening():
            queue = make(run)
            finished = [item for item in queue.items() if not item.state.open and item.state is not State.SKIPPED]
            if finished:
                total = queue.summary().total
                display.say(f"Going on with queue {queue.id} ({queue.title}): {len(finished):,} of {total:,} photos are finished.")
            left = run.go(queue)
    finally:
        display.close()
    stopped = run.signals[0] if run.signals else None
    return finish(
        left, display, records,
        seconds=run.seconds, done=run.done, report=args.report, problems=problems, stopped=stopped, again=_again(left.id),
    )  # fmt: skip


def _status(args: argparse.Namespace) -> int:
    if args.status == _LATEST:
        if args.report:
            raise UsageError("--report is of one queue: name it after --status")
        for info in queues(paths.data_folder()):
            print(json.dumps(_values_of(info)) if args.json else _line_of(info))
        return 0
    info = _named(args.status)
    left = Left.read(info.folder)
    if args.json:
        for item in left.items:
            print(json.dumps(record_of(item)))
        print(json.dumps({"summary": values_of(left) | {"running": info.locked}}))
    else:
        print(closing(left))
        for folder in left.review_folders():
            print(f"Needs review: {shown(folder)}")
        for item in left.items:
            if item.state is State.FAILED:
                print(line_of(item))
        if info.locked:
            print("It is being run now.")
        elif left.summary.open and info.kind is QueueKind.BATCH:
            print(f"To go on: {_again(info.id)}")
    if args.report:
        Console().say(f"Report: {shown(left.report(beside=True))}")
    return 0


def _line_of(info: QueueInfo) -> str:
    made = time.strftime("%Y-%m-%d %H:%M", time.localtime(info.made))
    if info.damaged:
        return f"{info.id}  {made}  {info.damaged}"
    finished = sum(count for state, count in info.counts.items() if not state.open)
    total = sum(info.counts.values())
    facts = ["running" if info.locked else "done" if finished == total else "left", f"{finished:,} of {total:,}"]
    facts += [f"{info.counts[State.FAILED]:,} failed"] if info.counts.get(State.FAILED) else []
    facts += [words.need_review(info.counts[State.REVIEW])] if info.counts.get(State.REVIEW) else []
    return f"{info.id}  {made}  {', '.join(facts)}  {info.title} -> {shown(info.output)}"


def _values_of(info: QueueInfo) -> dict[str, Any]:
    return {
        "queue": info.id,
        "kind": info.kind.value,
        "title": info.title,
        "output": str(info.output),
        "made": round(info.made, 3),
        "counts": {state.value: count for state, count in info.counts.items() if count},
        "running": info.locked,
        "damaged": info.damaged,
    }
