"""bgdesk watch IN OUT: whatever photos appear in a folder are cut out, for as long as it runs."""

import argparse
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bgdesk.app.system import paths
from bgdesk.batch.journal.folder import journal_file, ledger, queues
from bgdesk.batch.journal.journal import Journal, JournalError
from bgdesk.batch.model.values import BatchRecipe, Existing, QueueKind
from bgdesk.batch.planning.scan import absolute
from bgdesk.batch.run.queue import MakePool, Queue
from bgdesk.batch.run.watch import EVERY, Watcher
from bgdesk.cli.console import Console
from bgdesk.cli.queue import queue_options
from bgdesk.cli.queue.queue_display import Records, display_for, shown
from bgdesk.cli.queue.queue_run import Run, finish
from bgdesk.core.errors import UsageError
from bgdesk.core.tasks import Cancelled, CancelToken, cancellable

#: Seconds after which a queue that stopped by itself (the disk is full) is tried again: nobody may be there to do it.
PATIENCE = 60.0

_EPILOG = """\
Photos are taken once they have stopped growing, and never moved or changed. Those that fail are copied to OUT/failed, with the
reason beside them. Ctrl+C ends it; the same command goes on where it was.
exit status: 0 ended by Ctrl+C or SIGTERM, 1 it could not go on, 2 wrong usage, 130 stopped at once by a second Ctrl+C.
"""

MakePools = Callable[[argparse.Namespace], MakePool]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EPILOG
    parser.add_argument("folder", metavar="IN", help="the folder to watch")
    parser.add_argument("output", metavar="OUT", help="the folder for the cutouts (made if need be)")
    queue_options.add_photos(parser)
    queue_options.add_recipe(parser)
    queue_options.add_workers(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON record a photo on stdout, and one at the end")


def run(args: argparse.Namespace, pools: MakePools = queue_options.make_pools, every: float = EVERY) -> int:
    queue_options.check_workers(args)
    folder, output = absolute(Path(args.folder)), absolute(Path(args.output))
    if not folder.is_dir():
        raise UsageError(f"there is no folder {args.folder} to watch: make it, or name another one")
    if output.exists() and not output.is_dir():
        raise UsageError(f"{args.output} is a file: name a folder for the cutouts")
    recipe, existing = queue_options.recipe_of(args), queue_options.existing_of(args)
    pattern = queue_options.pattern_of(args, recipe)
    make_pool = pools(args)
    if args.engine == "local":
        queue_options.check_engine(recipe, Console().say)
    earlier = _earlier(folder, output, recipe, existing)
    records, display = Records() if args.json else None, display_for(args.json, watching=True)
    run = Run(display, records, patience=PATIENCE)
    known, token = ledger(paths.data_folder()), CancelToken()

    def made() -> Queue:
        if earlier is not None:
            return Queue.open(earlier, make_pool, post=run.post)
        home, title = paths.data_folder(), str(folder)
        return Queue.create(home, recipe, [], make_pool, title=title, output=output, existing=existing, kind=QueueKind.WATCH, post=run.post)

    try:
        with run.listening():
            queue = made()
            try:
                watcher = Watcher(
                    folder,
                    queue,
                    run.say,
                    pattern=pattern,
                    recursive=args.recursive,
                    filters=queue_options.filters_of(args),
                    ledger=known,
                    progress=cancellable(token),
                )
                display.say(f"Watching {shown(folder)}; cutouts go to {shown(output)}. Ctrl+C ends it.")
                left = run.go(queue, _beside(watcher, token, every))
            finally:
                queue.close()
    finally:
        display.close()
        known.close()
    finish(left, display, records, seconds=run.seconds, done=run.done)
    return 128 + run.signals[0] if len(run.signals) > 1 else 0


@contextmanager
def _beside(watcher: Watcher, token: CancelToken, every: float) -> Iterator[None]:
    """Look again and again, on a thread: a folder on a slow disk must not keep anybody from stopping."""
    stop = threading.Event()

    def look() -> None:
        with suppress(Cancelled):
            watcher.run(stop, every)

    thread = threading.Thread(target=look, name="watch", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        token.cancel()
        thread.join()


def _earlier(folder: Path, output: Path, recipe: BatchRecipe, existing: Existing) -> Path | None:
    """The queue of an earlier run that watched the same with the same wishes: it knows what was taken."""
    for info in queues(paths.data_folder()):
        if (info.kind, info.title, info.output, info.damaged) != (QueueKind.WATCH, str(folder), output, ""):
            continue
        journal = Journal(journal_file(info.folder))
        try:
            about = journal.about()
        except JournalError:
            continue
        finally:
            journal.close()
        if (about.recipe, about.existing) == (recipe, existing):
            return info.folder
    return None
