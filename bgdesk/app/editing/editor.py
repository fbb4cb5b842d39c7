"""Painting on one document: strokes, their re-matting, undo, and the foreground that follows.

Works the same whether its photo is shown or not: a job's answer belongs to its own document.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from bgdesk.app.editing.document import Document
from bgdesk.app.editing.foreground_job import Colours
from bgdesk.app.editing.history import History, Step, union
from bgdesk.app.editing.requests import AlphaPatch, AlphaRequest, join
from bgdesk.app.editing.strokes import Stroke
from bgdesk.app.work.activity import Activity, Work
from bgdesk.app.work.events import AlphaChanged, Event, ForegroundChanged, HistoryChanged, Message, Severity, TrimapChanged
from bgdesk.app.work.jobs import Lane, Priority
from bgdesk.core.brush import paint, stretch_rect
from bgdesk.core.cutout import Cutout
from bgdesk.core.engine import EngineProtocol, Reach
from bgdesk.core.geometry import Rect
from bgdesk.core.recipe import MatteRecipe
from bgdesk.core.tasks import Progress
from bgdesk.core.trimap import Label


class _Painting:
    """The stroke under way. Its step is pushed when it ends: what else arrives meanwhile belongs to the step before."""

    def __init__(self, label: Label, radius: float, point: tuple[float, float]) -> None:
        self.label, self.radius, self.points = label, radius, [point]
        self.step = Step()
        self.dirty = Rect(0, 0, 0, 0)


@dataclass(frozen=True, eq=False)
class _Solving:
    """The re-matting under way. begun: perf_counter seconds. since: the number of the newest step that it knows of."""

    work: Work
    request: AlphaRequest
    begun: float
    since: int


class Editor:
    """One document being edited. Owner's thread only.

    emit: takes the events of this document; whoever made the editor drops them while another photo is shown.
    changed: called when can_undo, `edited` or the memory in use may have changed.
    """

    def __init__(
        self,
        document: Document,
        engine: EngineProtocol,
        activity: Activity,
        emit: Callable[[Event], None],
        changed: Callable[[], None],
        undo_bytes: int,
    ) -> None:
        self.document = document
        self.history = History(document, undo_bytes)
        self.awaiting = False  # the network's first answer is on its way: strokes wait for it
        self.by_hand = False  # the cut-out was begun without a network
        self.reach = Reach.SMART  # how far strokes reach
        self.restored = False  # it was edited before it was parked: `history` does not know its strokes
        self._engine = engine
        self._activity = activity
        self._emit = emit
        self._changed = changed
        self._painting: _Painting | None = None
        self._deferred: Callable[[], None] | None = None  # a whole cut-out that came while a stroke was under way
        self._solving: _Solving | None = None
        self._held = False  # the person cancelled a re-matting: wait for the next stroke
        self._colours = Colours(document, engine, activity, emit, changed)
        self._closed = False

    # -- state ---------------------------------------------------------------------------------------------------

    @property
    def edited(self) -> bool:
        return self.restored or self.history.trimmed or any(step.stroke is not None for step in self.history.done)

    @property
    def painting(self) -> bool:
        return self._painting is not None

    @property
    def idle(self) -> bool:
        """No stroke is under way and no answer is awaited."""
        return not (self._painting or self._solving or self._colours.busy or self.awaiting or self._deferred)

    @property
    def nbytes(self) -> int:
        return self.document.nbytes + self.history.nbytes

    @property
    def pending_rects(self) -> tuple[Rect, ...]:
        """Where alpha has not caught up with the trimap, the stroke under way included."""
        if self._painting is None or self._painting.dirty.empty:
            return self.document.debt
        return (*self.document.debt, self._painting.dirty)

    # -- a whole cut-out -----------------------------------------------------------------------------------------

    def adopt(self, cutout: Cutout) -> None:
        """The network's first answer. What has been painted before it came is painted again over it, stroke by stroke."""
        self._when_not_painting(partial(self._start, partial(self.document.adopt, cutout), by_hand=False, first=True))

    def start_by_hand(self, label: Label = Label.BACKGROUND) -> None:
        """There will be no network's answer: begin with everything `label`, and the strokes painted so far over it."""
        self._when_not_painting(partial(self._start, partial(self.document.start_by_hand, label), by_hand=True, first=False))

    def replace(self, cutout: Cutout, since: int) -> None:
        """Another answer of the network, as one undo step; strokes numbered above `since` are painted again over it."""
        self._when_not_painting(partial(self._replace, cutout, since))

    def recolour(self, recipe: MatteRecipe) -> None:
        """Make the foreground as `recipe` says from now on; the one there is shown until the new one has been worked out.

        What it says about alpha holds from the next time the network is asked.
        """
        changed = recipe.colours != self.document.recipe.colours
        self.document.recipe = recipe
        if changed:
            self._colours.drop()
            self.document.stale = (self.document.rect,) if self.document.has_alpha else ()
            self._pump()

    def give_up_waiting(self) -> None:
        """The network's answer will not come. Strokes that wait for it go on by hand; without any the photo stays as it is."""
        self.awaiting = False
        if not self.document.has_alpha and self._painting is None:
            strokes = self.history.strokes()
            if strokes:
                self.start_by_hand(_ground(strokes[0]))

    def resume(self) -> None:
        """Start what the document owes, after its state has been put in place from outside."""
        self._pump()

    def _when_not_painting(self, change: Callable[[], None]) -> None:
        if self._painting is None:
            change()
        else:
            self._deferred = change

    def _start(self, begin: Callable[[], None], by_hand: bool, first: bool) -> None:
        strokes = self.history.strokes()
        self._drop_solving()
        self._colours.drop()
        begin()
        self.awaiting, self.by_hand = False, by_hand
        self.history.clear()
        self._announce_whole(strokes, first)

    def _replace(self, cutout: Cutout, since: int) -> None:
        strokes = self.history.strokes(since)
        self._drop_solving()
        self._colours.drop()
        step = self.history.whole()
        self.history.push(step)
        self.document.adopt(cutout)
        self._pack(step)
        self.awaiting = self.by_hand = False
        self._announce_whole(strokes, first=False)

    def _announce_whole(self, strokes: list[Stroke], first: bool) -> None:
        for stroke in strokes:
            self._paint_again(stroke)
        rect = self.document.rect
        self._emit(TrimapChanged(rect))
        self._emit(AlphaChanged(rect, first))
        if self.document.foreground is not None:
            self._emit(ForegroundChanged(rect))
        self._history_changed()
        self._held = False
        self._pump()

    def _paint_again(self, stroke: Stroke) -> None:
        painting = self._painting = _Painting(stroke.label, stroke.radius, stroke.points[0])
        for start, end in zip((stroke.points[0], *stroke.points), stroke.points, strict=False):
            self._stretch(painting, start, end)
        self._finish(painting)

    # -- strokes -------------------------------------------------------------------------------------------------

    def stroke_begin(self, label: Label, radius: float, point: tuple[float, float]) -> None:
        """Press: paints the first dab."""
        if self._painting is not None:
            self.stroke_end()
        self._activity.preempt()
        self._painting = _Painting(label, radius, point)
        self._emit_trimap(self._stretch(self._painting, point, point))

    def stroke_extend(self, point: tuple[float, float]) -> None:
        """Drag: paints the stretch from the last point."""
        if self._painting is not None:
            last = self._painting.points[-1]
            self._painting.points.append(point)
            self._emit_trimap(self._stretch(self._painting, last, point))

    def stroke_end(self) -> None:
        """Release: the stroke becomes a step, its rectangle owes alpha."""
        painting = self._painting
        if painting is None:
            return
        self._finish(painting)
        if self._deferred is not None:
            self._run_deferred()
            return
        if painting.dirty.empty:  # beside the photo
            return
        if not self.document.has_alpha and not self.awaiting:
            self.start_by_hand(_ground(self.history.strokes()[0]))
            return
        self._history_changed()
        self._held = False
        self._pump()

    def stroke_cancel(self) -> None:
        """Back to before the press."""
        painting, self._painting = self._painting, None
        if painting is None:
            return
        rect = self.history.restore(painting.step)
        if not rect.empty:
            self.document.revision += 1
            self._emit(TrimapChanged(rect))
        self._run_deferred()
        if not self.awaiting:
            self.give_up_waiting()
        self._pump()

    def _run_deferred(self) -> None:
        deferred, self._deferred = self._deferred, None
        if deferred is not None:
            deferred()

    def _stretch(self, painting: _Painting, start: tuple[float, float], end: tuple[float, float]) -> Rect:
        document = self.document
        document.own("trimap")
        self.history.touch(painting.step, stretch_rect(start, end, max(0.5, painting.radius), document.size))
        rect = paint(document.trimap, start, end, painting.radius, painting.label)
        document.revision += 1
        painting.dirty = painting.dirty.union(rect)
        return rect

    def _finish(self, painting: _Painting) -> None:
        self._painting = None
        if painting.dirty.empty:
            return
        painting.step.stroke = Stroke(painting.label, painting.radius, tuple(painting.points))
        self.history.push(painting.step)
        self._pack(painting.step)
        if painting.label == Label.UNKNOWN:
            self.document.asked = (*self.document.asked, painting.dirty)
        self._owe(painting.dirty)

    def _emit_trimap(self, rect: Rect) -> None:
        if not rect.empty:
            self._emit(TrimapChanged(rect))

    def _history_changed(self) -> None:
        self._emit(HistoryChanged())
        self._changed()

    def _pack(self, step: Step) -> None:
        """Compress the step's tiles where it costs no frame, then see whether all still fits."""
        tiles = [saved for saved in step.saved if not saved.packed]
        if not tiles:
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
        """See Session.undo."""
        if self.history.done:
            self._go(self.history.undo)

    def redo(self) -> None:
        """See Session.redo."""
        if self.history.undone:
            self._go(self.history.redo)

    def _go(self, move: Callable[[], Step | None]) -> None:
        if self._painting is not None:
            return
        self._drop_solving()  # what it computes belongs to a state that is about to go
        step = move()
        if step is None:
            return
        self._pack(step)
        if step.trimap:
            self._emit(TrimapChanged(union(step.trimap)))
        if step.alpha:
            rect = union(step.alpha)
            self.document.stale = join(self.document.stale, rect)
            self._emit(AlphaChanged(rect))
        self._history_changed()
        self._held = False
        self._pump()

    # -- re-matting ----------------------------------------------------------------------------------------------

    def _owe(self, rect: Rect) -> None:
        """Add to the debt. A re-matting that has not begun, or that runs in the same place, joins in; any other goes on."""
        if self._solving is not None:
            work, request = self._solving.work, self._solving.request
            if request.roi.overlaps(rect) or not work.started:
                self._drop_solving()
        document = self.document
        if self._solving is None:
            document.debt = join(document.debt, rect)
        else:
            running = self._solving.request.roi
            document.debt = (running, *join(tuple(other for other in document.debt if other != running), rect))

    def _drop_solving(self) -> None:
        """Cancel the re-matting under way; its rectangle is in the debt still."""
        if self._solving is not None:
            self._solving.work.cancel()
            self._solving = None

    def _pump(self) -> None:
        """Start what is owed: alpha first, then colours."""
        document = self.document
        if self._closed or self._solving is not None or not document.has_alpha:
            return
        if document.debt and not self._held:
            roi = document.debt[0]
            request = AlphaRequest.of(
                document.source,
                document.trimap,
                document.alpha,
                roi,
                self._engine.MARGIN,
                lineage=document.lineage,
                reach=self.reach,
                strokes=self.history.standing,
                asked=document.asked,
            )
            # Bound to this request: an answer is known by what it answers.
            work = self._activity.submit(
                Lane.COMPUTE,
                partial(request.compute, self._engine),
                doing="working out the edge",
                stage="alpha",
                on_done=partial(self._solved, request),
                on_error=lambda _: self._failed(request),
                on_cancelled=lambda by_person: self._stopped(request, by_person),
            )
            self._solving = _Solving(work, request, time.perf_counter(), self.history.count)
        else:
            self._colours.pump()

    def _solved(self, request: AlphaRequest, answer: AlphaPatch) -> None:
        solving = self._solving
        # The one place where stale answers are dropped: another request took over, or the state has jumped since.
        if solving is None or solving.request is not request or request.lineage != self.document.lineage:
            return
        self._solving = None
        rect, document = answer.rect, self.document
        flown = answer.trimap != request.trimap[rect.shift(-request.window.left, -request.window.top).slices]
        if flown.any():
            if self._painting is not None and self._painting.step.overlaps(rect):
                return  # the stroke under way remembers these labels as they were: both are worked out when it ends
            if any(stroke.rect.overlaps(rect) for stroke in self.history.strokes(solving.since)):
                self._pump()  # a hand has been there since: anew, with what it painted
                return
        step = self.history.touch_alpha(rect)
        document.patch_alpha(rect, answer.alpha)
        if flown.any():
            if step is not None:
                self.history.touch(step, rect)
            document.patch_trimap(rect, np.where(flown, answer.trimap, document.trimap[rect.slices]))
            self._emit(TrimapChanged(rect))
        document.debt = tuple(other for other in document.debt if not request.roi.contains(other))
        document.asked = tuple(other for other in document.asked if not request.roi.contains(other))
        document.stale = join(document.stale, rect)
        document.timings["rematte"] = time.perf_counter() - solving.begun
        if step is not None:
            self._pack(step)
        self._emit(AlphaChanged(rect))
        for note in answer.notes:
            self._emit(Message(Severity.WARNING, note))
        self._changed()
        self._pump()

    def _stopped(self, request: AlphaRequest, by_person: bool) -> None:
        if by_person and self._hold(request):
            self._emit(Message(Severity.INFO, "Cancelled. The paint stays; its edge is worked out with the next stroke."))

    def _failed(self, request: AlphaRequest) -> None:
        self._hold(request)

    def _hold(self, request: AlphaRequest) -> bool:
        if self._solving is None or self._solving.request is not request:
            return False
        self._solving = None
        self._held = True
        self._pump()
        return True

    def close(self) -> None:
        """The document is let go of: cancel what runs for it."""
        self._closed = True
        self._drop_solving()
        self._colours.close()


def _ground(stroke: Stroke) -> Label:
    """What a cut-out by hand begins with: who paints background first wants to take away, anybody else to put in."""
    return Label.FOREGROUND if stroke.label == Label.BACKGROUND else Label.BACKGROUND
