"""What becomes of an item when a worker is done with it: it takes its place, fails, or waits again."""

from collections.abc import Callable
from dataclasses import replace

from bgdesk.batch.journal.journal import Journal
from bgdesk.batch.model.events import ItemsChanged, QueueEvent
from bgdesk.batch.model.values import Item, Outcome, State
from bgdesk.batch.outputs import placing
from bgdesk.batch.run.finisher import QueueFinisher
from bgdesk.core.errors import Cause

#: A photo that took so many workers down is set aside.
_CRASHES = 2


class Results:
    """Writes down what a worker says of an item. What would go wrong for every photo pauses the queue, and fails none."""

    def __init__(self, journal: Journal, finisher: QueueFinisher, tell: Callable[[QueueEvent], None], pause: Callable[[str], None]) -> None:
        """pause: called with a sentence that says why the queue has to."""
        self._journal, self._finisher, self._tell, self._pause = journal, finisher, tell, pause

    def written(self, item: Item, outcome: Outcome, seconds: float) -> None:
        """seconds: that the item was with the worker."""
        # What the photo took, not how long it waited with the worker.
        spent = sum(outcome.timings.values()) or seconds
        item = replace(item, state=State.WRITTEN, outcome=outcome, seconds=spent)
        self._journal.update(item)
        self.finish(item)

    def finish(self, item: Item) -> bool:
        """Put the outputs of a WRITTEN item in their places, or in review. False where the queue must pause for that."""
        try:
            self._finisher.finish(item)
        except OSError as error:
            trouble = placing.trouble(item.outputs[0].parent, Cause.of(error))
            if trouble:
                self._pause(trouble)
                return False
            self._finisher.give_up(item, error)
        self._tell(ItemsChanged((item.id,)))
        return True

    def failed(self, item: Item, error: str, cause: Cause | None) -> None:
        """cause: see `PoolEvents.failed`."""
        trouble = self._finisher.trouble(item, cause)
        self._finisher.sweep(item)
        self.end(item, error, trouble)

    def end(self, item: Item, error: str, trouble: str) -> None:
        """The item failed, unless there is trouble that would fail all others too: then it waits until that is over."""
        self._set(replace(item, state=State.QUEUED) if trouble else replace(item, state=State.FAILED, error=error))
        if trouble:
            self._pause(trouble)

    def crashed(self, item: Item, error: str) -> None:
        """error: see `PoolEvents.crashed`."""
        self._finisher.sweep(item)
        crashes = item.crashes + 1
        if crashes < _CRASHES:
            self._set(replace(item, state=State.QUEUED, crashes=crashes))
        else:
            why = f"{item.name} brought the worker down twice: {error}. Close other programs and try again, or leave it out."
            self._set(replace(item, state=State.FAILED, crashes=crashes, error=why))

    def returned(self, item: Item) -> None:
        """The item waits for a worker again."""
        self._finisher.sweep(item)
        self._set(replace(item, state=State.QUEUED))

    def _set(self, item: Item) -> None:
        self._journal.update(item)
        self._tell(ItemsChanged((item.id,)))
