"""Asking the network about a photo, and what to do when the network answers, cannot answer, or is not installed."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from bgdesk.app.editing.editor import Editor
from bgdesk.app.session.strip import StripEntry, tell
from bgdesk.app.work.activity import Activity
from bgdesk.app.work.events import EngineChanged, Event, Message, Offer, Severity
from bgdesk.app.work.jobs import Lane, Priority
from bgdesk.app.work.ports import ModelsLike
from bgdesk.core.arrays import Pixels
from bgdesk.core.cutout import Cutout
from bgdesk.core.engine import EngineProtocol
from bgdesk.core.errors import ModelError
from bgdesk.core.tasks import Progress

MODEL_OFFERS = (Offer.INSTALL_MODEL, Offer.IMPORT_MODEL)


class Cutter:
    """Has the network cut photos out, and puts its answers into their works.

    Parameters
    ----------
    engine
        Cuts out.
    models
        Knows whether a network is installed.
    activity
        Takes the jobs.
    emit
        Takes messages, and EngineChanged.
    changed
        Called when something that `Photo` shows may have changed.
    """

    def __init__(
        self, engine: EngineProtocol, models: ModelsLike, activity: Activity, emit: Callable[[Event], None], changed: Callable[[], None]
    ) -> None:
        self._engine = engine
        self._models = models
        self._activity = activity
        self._emit = emit
        self._changed = changed
        self._told: set[str] = set()  # the engine's notes that have been shown
        self._status = engine.status
        self._shown: StripEntry | None = None

    def shown(self, entry: StripEntry) -> None:
        """Note that `entry` is current: cut its photo out if that has not been done, or say why that is impossible."""
        self._shown = entry
        if entry.cutting is not None and not entry.cutting.cancelled:
            entry.cutting.promote()
        elif self._wants_cut(entry):
            if self._models.default_id() is not None:
                self.cut(entry)
            elif entry.editor is not None:
                self._go_by_hand(entry, entry.editor)
                text = f"No network is installed, so {entry.name} is not cut out yet. Install one, or paint the subject by hand."
                self._emit(Message(Severity.WARNING, text, offers=MODEL_OFFERS))

    def _wants_cut(self, entry: StripEntry) -> bool:
        """Whether the network is still to be asked, and nobody has painted by hand instead."""
        editor = entry.editor
        if editor is None or entry.cutting is not None or entry.declined:
            return False
        return not editor.work.has_alpha or (editor.by_hand and not editor.painted and self._models.default_id() is not None)

    def _go_by_hand(self, entry: StripEntry, editor: Editor) -> None:
        editor.awaiting = False
        if not editor.work.has_alpha:
            editor.start_by_hand()
        entry.error = None
        self._changed()

    def cut_again(self, entry: StripEntry) -> None:
        """See Session.cut_again."""
        if entry.cutting is not None:
            entry.again = entry.cutting.cancelled
        elif entry.editor is not None:
            if self._models.default_id() is None:
                self._emit(Message(Severity.WARNING, "No network is installed. Install one first.", offers=MODEL_OFFERS))
            else:
                self.cut(entry)

    def cut(self, entry: StripEntry, ahead: bool = False) -> None:
        """Ask the network on the compute lane. A second answer replaces the first as one undo step.

        ahead: nobody waits for the answer yet, so that urgent work may interrupt the job.
        """
        editor = entry.editor
        if editor is None or entry.cutting is not None:
            return
        source, recipe = editor.work.source, editor.work.recipe.matte
        since = editor.history.count
        editor.awaiting = True
        entry.declined = False
        entry.error = None

        def work(progress: Progress) -> Cutout:
            return _checked(self._engine.auto(source, recipe, progress), source)

        entry.cutting = self._activity.submit(
            Lane.COMPUTE,
            work,
            doing=f"cutting out {entry.name}",
            stage="network",
            on_done=partial(self._done, entry, editor, since),
            on_error=partial(self._failed, entry, editor),
            on_cancelled=partial(self._stopped, entry, editor),
            priority=Priority.BACKGROUND if ahead else Priority.INTERACTIVE,
            visible=not ahead,
            preemptible=ahead,
            quiet=True,
        )
        self._changed()

    def _done(self, entry: StripEntry, editor: Editor, since: int, cutout: Cutout) -> None:
        entry.cutting = None
        # After a start by hand the answer is the first one, and all strokes are painted over it again, if all are known.
        known = editor.by_hand and not editor.history.trimmed
        if not editor.work.has_alpha or known:
            editor.adopt(cutout)
        else:
            editor.replace(cutout, since)
        self.listen()
        engines = self._engine.status.notes  # said once, by `listen`
        tell(entry, (note for note in cutout.notes if note not in engines), self._emit)
        self._changed()

    def _failed(self, entry: StripEntry, editor: Editor, error: Exception) -> None:
        entry.cutting = None
        entry.declined = True
        entry.error = str(error)
        if isinstance(error, ModelError):
            self._go_by_hand(entry, editor)
        editor.give_up_waiting()
        self.listen()
        self._changed()

    def _stopped(self, entry: StripEntry, editor: Editor, by_person: bool) -> None:
        entry.cutting = None
        if entry.editor is not editor:  # the photo has left the strip or memory
            return
        if entry.again:
            entry.again = False
            self.cut(entry)
            return
        if by_person:
            entry.declined = True
            self._emit(Message(Severity.INFO, f"Cancelled. Cut again starts anew on {entry.name}; painting by hand works too."))
        if entry is self._shown and self._wants_cut(entry):  # the job made room for something urgent, and the photo has been shown since
            self.cut(entry)
        else:
            editor.give_up_waiting()
        self._changed()

    def listen(self) -> None:
        """Tell what is new about the engine: each fall-back once, and whether its status has changed."""
        status = self._engine.status
        for note in dict.fromkeys(status.notes):
            if note not in self._told:
                self._told.add(note)
                self._emit(Message(Severity.WARNING, note))
        if status != self._status:
            self._status = status
            self._emit(EngineChanged())


def _checked(cutout: Cutout, source: Pixels) -> Cutout:
    """Return `cutout`. Raises ValueError unless its arrays fit `source`: arrays of one work must fit each other."""
    shape = source.shape[:2]
    if cutout.alpha.shape != shape or cutout.trimap.shape != shape or cutout.foreground.shape != source.shape:
        raise ValueError(f"a cut-out of {cutout.alpha.shape} does not fit a source of {shape}")
    return cutout
