"""Editing one photo's work: gestures, recipes, whole cut-outs, undo; and what has to be computed after them.

Works the same whether its photo is shown or not: a job's answer belongs to its own work.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from bgdesk.app.editing.foreground_job import ForegroundJob
from bgdesk.app.editing.gestures import BrushStroke, Gesture, Point
from bgdesk.app.editing.history import History, Step, union
from bgdesk.app.editing.rematting import Listeners, Rematting
from bgdesk.app.editing.requests import join
from bgdesk.app.editing.work import Snapshot, Work
from bgdesk.app.work.activity import Activity
from bgdesk.app.work.events import (
    AlphaChanged,
    Event,
    ForegroundChanged,
    HistoryChanged,
    LabelsChanged,
    Message,
    RecipeChanged,
    Severity,
)
from bgdesk.app.work.jobs import Lane, Priority
from bgdesk.core.cutout import Cutout
from bgdesk.core.engine import EngineProtocol, Reach
from bgdesk.core.geometry import Rect
from bgdesk.core.pixels.brush import paint, stretch_rect
from bgdesk.core.recipe import Recipe
from bgdesk.core.tasks import Progress
from bgdesk.core.trimap import Label

#: Bytes of undo tiles that stay as they are; more are compressed.
_LOOSE = 32 << 20


class _Painting:
    """The stroke under way. Its step is pushed when the stroke ends; answers that arrive meanwhile belong to the step before."""

    def __init__(self, label: Label, radius: float, point: Point) -> None:
        self.label, self.radius, self.points = label, radius, [point]
        self.step = Step(name="")
        self.dirty = Rect(0, 0, 0, 0)

    @property
    def gesture(self) -> BrushStroke:
        return BrushStroke(self.label, self.radius, tuple(self.points))


class Editor:
    """Edits one photo. Owner's thread only."""

    def __init__(
        self,
        work: Work,
        engine: EngineProtocol,
        activity: Activity,
        emit: Callable[[Event], None],
        changed: Callable[[], None],
        tell: Callable[[tuple[str, ...]], None],
        undo_bytes: int,
        history: History | None = None,
    ) -> None:
        """
        Parameters
        ----------
        work
            What is edited.
        engine
            Works out alpha and colours, on the compute lane only.
        activity
            Takes the jobs.
        emit
            Takes the events of this photo; whoever made the editor drops them while another photo is shown.
        changed
            Called when what can be undone, `edited` or the memory in use may have changed.
        tell
            Takes the notes of an engine's answer: what a person must see about this photo.
        undo_bytes
            Most memory for undo steps, in bytes.
        history
            The steps that led to `work`, of a photo that was edited before.
        """
        self.work = work
        self.history = History(work, undo_bytes) if history is None else history
        self.history.move_to(work)
        self.history.limit = undo_bytes
        self.awaiting = False  # the network's first answer is on its way: strokes wait for it
        self.by_hand = False  # the cut-out was begun without a network
        self._activity = activity
        self._emit = emit
        self._changed = changed
        self._tell = tell
        self._painting: _Painting | None = None
        self._deferred: Callable[[], None] | None = None  # a whole cut-out that came while a stroke was under way
        self._foreground = ForegroundJob(work, engine, activity, emit, changed, tell)
        listeners = Listeners(
            emit=emit,
            tell=tell,
            pack=self._pack,
            changed=changed,
            painting=lambda: None if self._painting is None else self._painting.step,
            caught_up=self._foreground.pump,
        )
        self._rematting = Rematting(work, self.history, engine, activity, listeners)

    # -- state ---------------------------------------------------------------------------------------------------

    @property
    def reach(self) -> Reach:
        """How far strokes reach."""
        return self._rematting.reach

    @reach.setter
    def reach(self, reach: Reach) -> None:
        self._rematting.reach = reach

    @property
    def edited(self) -> bool:
        """Whether a person changed something that is not undone."""
        return self.work.edit_id != 0

    @property
    def painted(self) -> bool:
        """Whether a person has painted."""
        return self.history.trimmed or bool(self.history.gestures())

    @property
    def painting(self) -> bool:
        """Whether a stroke is under way."""
        return self._painting is not None

    @property
    def idle(self) -> bool:
        """Whether no stroke is under way and no answer is awaited."""
        return not (self._painting or self._rematting.busy or self._foreground.busy or self.awaiting or self._deferred)

    @property
    def nbytes(self) -> int:
        """Memory that the work and its undo steps take, in bytes."""
        return self.work.nbytes + self.history.nbytes

    @property
    def pending_rects(self) -> tuple[Rect, ...]:
        """Where alpha has not caught up with the labels, the stroke under way included."""
        if self._painting is None or self._painting.dirty.empty:
            return self.work.debt
        return (*self.work.debt, self._painting.dirty)

    def freeze(self) -> Snapshot:
        """Return the work as it is now, to be read on any thread. See Work.freeze."""
        return self.work.freeze(self.reach, self.history.standing)

    # -- a whole cut-out -----------------------------------------------------------------------------------------

    def adopt(self, cutout: Cutout) -> None:
        """Take over the network's first answer. What a person did before is done again over the answer, step by step."""
        self._when_not_painting(partial(self._start, partial(self.work.adopt, cutout), by_hand=False, first=True))

    def start_by_hand(self, label: Label = Label.BACKGROUND) -> None:
        """Begin a cut-out without a network: everything is `label`, and what a person did before is done again over that."""
        self._when_not_painting(partial(self._start, partial(self.work.start_by_hand, label), by_hand=True, first=False))

    def replace(self, cutout: Cutout, since: int) -> None:
        """Take over another answer of the network, as one undo step.

        Gestures of steps with a number greater than `since`, which the person made meanwhile, are painted again over the answer.
        """
        self._when_not_painting(partial(self._replace, cutout, since))

    def give_up_waiting(self) -> None:
        """Note that the network will not answer. If there are strokes, a cut-out by hand begins with them."""
        self.awaiting = False
        if not self.work.has_alpha and self._painting is None:
            gestures = self.history.gestures()
            if gestures:
                self.start_by_hand(_ground(gestures[0]))

    def resume(self) -> None:
        """Start working out what the work owes, after somebody else has put its state in place."""
        self._rematting.pump()

    def _when_not_painting(self, change: Callable[[], None]) -> None:
        if self._painting is None:
            change()
        else:
            self._deferred = change

    def _start(self, begin: Callable[[], None], by_hand: bool, first: bool) -> None:
        steps = list(self.history.done)
        self._rematting.drop()
        self._foreground.drop()
        begin()
        self.awaiting, self.by_hand = False, by_hand
        self.history.clear()
        self._announce_whole(steps, first)

    def _replace(self, cutout: Cutout, since: int) -> None:
        steps = [step for step in self.history.done if step.gesture is not None and step.number > since]
        self._rematting.drop()
        self._foreground.drop()
        step = self.history.whole("cut out again")
        self.history.push(step)
        self.work.adopt(cutout)
        self._pack()
        self.awaiting = self.by_hand = False
        self._announce_whole(steps, first=False)

    def _announce_whole(self, steps: Sequence[Step], first: bool) -> None:
        for step in steps:
            if step.gesture is not None:
                self._paint_again(step.gesture)
            elif step.recipe is not None:  # its pixels went with the old cut-out; the choice stays undoable
                self.history.push(Step(name=step.name, recipe=step.recipe))
        rect = self.work.rect
        self._emit(LabelsChanged(rect))
        self._emit(AlphaChanged(rect, first))
        if self.work.foreground is not None:
            self._emit(ForegroundChanged(rect))
        self._history_changed()
        self._rematting.unlock()
        self._rematting.pump()

    def _paint_again(self, gesture: Gesture) -> bool:
        """Paint a whole gesture as a step of its own; False if it lies beside the photo."""
        step = Step(name=gesture.name)
        self.work.own("labels")
        for rect in gesture.parts(self.work.size):
            self.history.touch(step, rect)
        rect = gesture.paint(self.work.labels)
        if rect.empty:
            return False
        self.work.revision += 1
        self._finish(gesture, step, rect)
        return True

    # -- the recipe ----------------------------------------------------------------------------------------------

    def change_recipe(self, recipe: Recipe, name: str, drag: object = None) -> None:
        """Use other choices for this photo, as one undo step.

        The old foreground is shown until the new one has been worked out. What the recipe says about the network holds from
        the next time the network is asked.

        Parameters
        ----------
        recipe
            The choices; nothing happens if they are those of the work.
        name
            Words for Edit › Undo, in lower case.
        drag
            Names one drag of a slider: changes with the same `drag` (not None) become one step.
        """
        before = self.work.recipe
        if recipe == before:
            return
        self.stroke_end()
        self.history.change_recipe(recipe, name, drag)
        self._recipe_changed(before)
        self._history_changed()
        self._rematting.pump()

    def _recipe_changed(self, before: Recipe) -> None:
        if self.work.recipe.matte.colours != before.matte.colours:
            self._foreground.drop()
            self.work.stale = (self.work.rect,) if self.work.has_alpha else ()
        self._emit(RecipeChanged())

    # -- gestures ------------------------------------------------------------------------------------------------

    def apply(self, gesture: Gesture) -> None:
        """Do a whole gesture at once: the labels are painted, it is one undo step, and its surroundings are re-matted.

        Before there is a cut-out, the first gesture begins one by hand, unless the network's answer is on its way. Beside the
        photo nothing happens.
        """
        self.stroke_end()
        self._activity.preempt()
        if not self._paint_again(gesture):
            return
        self._emit_labels(gesture.rect.clip(self.work.size))
        self._gesture_done()

    def _gesture_done(self) -> None:
        if not self.work.has_alpha and not self.awaiting:
            self.start_by_hand(_ground(self.history.gestures()[0]))
            return
        self._history_changed()
        self._rematting.unlock()
        self._rematting.pump()

    # -- strokes -------------------------------------------------------------------------------------------------

    def stroke_begin(self, label: Label, radius: float, point: Point) -> None:
        """Press the brush at `point`, (x, y) in pixels of the photo like `radius`, and paint the first dab."""
        if self._painting is not None:
            self.stroke_end()
        self._activity.preempt()
        self._painting = _Painting(label, radius, point)
        self._emit_labels(self._stretch(self._painting, point, point))

    def stroke_extend(self, point: Point) -> None:
        """Drag the brush on to `point`, and paint the stretch up to there."""
        if self._painting is not None:
            last = self._painting.points[-1]
            self._painting.points.append(point)
            self._emit_labels(self._stretch(self._painting, last, point))

    def stroke_end(self) -> None:
        """Release the brush: the stroke becomes an undo step, and alpha is worked out around it."""
        painting, self._painting = self._painting, None
        if painting is None:
            return
        if not painting.dirty.empty:
            self._finish(painting.gesture, painting.step, painting.dirty)
        if self._deferred is not None:
            self._run_deferred()
            return
        if not painting.dirty.empty:  # else it was beside the photo
            self._gesture_done()

    def stroke_cancel(self) -> None:
        """Take back the stroke under way, as if the brush had not been pressed."""
        painting, self._painting = self._painting, None
        if painting is None:
            return
        rect = self.history.restore(painting.step)
        if not rect.empty:
            self.work.revision += 1
            self._emit(LabelsChanged(rect))
        self._run_deferred()
        if not self.awaiting:
            self.give_up_waiting()
        self._rematting.pump()

    def _run_deferred(self) -> None:
        deferred, self._deferred = self._deferred, None
        if deferred is not None:
            deferred()

    def _stretch(self, painting: _Painting, start: Point, end: Point) -> Rect:
        work = self.work
        work.own("labels")
        self.history.touch(painting.step, stretch_rect(start, end, max(0.5, painting.radius), work.size))
        rect = paint(work.labels, start, end, painting.radius, painting.label)
        work.revision += 1
        painting.dirty = painting.dirty.union(rect)
        return rect

    def _finish(self, gesture: Gesture, step: Step, rect: Rect) -> None:
        """The labels hold the whole gesture: make its step the last one."""
        step.gesture, step.name = gesture, gesture.name
        self.history.push(step)
        self._pack()
        if gesture.label == Label.UNKNOWN:
            self.work.asked = (*self.work.asked, rect)
        self._rematting.owe(rect)

    def _emit_labels(self, rect: Rect) -> None:
        if not rect.empty:
            self._emit(LabelsChanged(rect))

    def _history_changed(self) -> None:
        self._emit(HistoryChanged())
        self._changed()

    def _pack(self) -> None:
        """Compress tiles where that costs no frame, once there are many; then see whether all still fits.

        A stroke's few tiles wait: compressing them at once would take the processor from the stroke's own re-matting.
        """
        tiles = [saved for step in (*self.history.done, *self.history.undone) for saved in step.saved if not saved.packed]
        if sum(saved.nbytes for saved in tiles) <= min(_LOOSE, self.history.limit // 4):
            return

        def work(progress: Progress) -> None:
            for index, saved in enumerate(tiles):
                progress("undo", index / len(tiles))
                saved.pack()

        def done(_: None) -> None:
            if self.history.trim():
                self._emit(HistoryChanged())
            self._changed()

        self._activity.submit(Lane.IO, work, doing="packing undo steps", on_done=done, priority=Priority.NORMAL, visible=False)

    # -- undo ----------------------------------------------------------------------------------------------------

    def undo(self) -> None:
        """Take back the last step. See Session.undo."""
        self._go(self.history.undo)

    def redo(self) -> None:
        """Bring back the step that was taken back last. See Session.redo."""
        self._go(self.history.redo)

    def _go(self, move: Callable[[], Step | None]) -> None:
        if self._painting is not None:
            return
        self._rematting.drop()  # its answer would belong to a state that is about to go
        recipe = self.work.recipe
        try:
            step = move()
        except OSError as error:
            reason = error.strerror or str(error)
            text = f"This step could not be read back from the disk: {reason}. The photo stays as it is; export it before you go on."
            self._emit(Message(Severity.ERROR, text))
            step = None
        if step is not None:
            self._pack()
            if step.labels:
                self._emit(LabelsChanged(union(step.labels)))
            if step.solved:
                rect = union(step.solved)
                self.work.stale = join(self.work.stale, rect)
                self._emit(AlphaChanged(rect))
            if self.work.recipe != recipe:
                self._recipe_changed(recipe)
            self._history_changed()
            self._rematting.unlock()
        self._rematting.pump()

    def close(self) -> None:
        """Cancel what runs for the work: nobody edits it any more."""
        self._rematting.close()
        self._foreground.close()


def _ground(gesture: Gesture) -> Label:
    """What a cut-out by hand begins with: a person who paints background first wants to remove, any other wants to add."""
    return Label.FOREGROUND if gesture.label == Label.BACKGROUND else Label.BACKGROUND
