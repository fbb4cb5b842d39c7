"""The editor without its window, for scripts, tests and plug-ins."""

import itertools
import math
import weakref
from collections.abc import Callable, Sequence
from os import PathLike
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from bgdesk.api import Engine, save
from bgdesk.app.editing.editor import Editor
from bgdesk.app.editing.gestures import BrushStroke
from bgdesk.app.editing.history import union
from bgdesk.app.editing.render_export import prepare
from bgdesk.app.editing.work import Work
from bgdesk.app.system.settings import Settings
from bgdesk.app.work.activity import Activity
from bgdesk.app.work.events import Event
from bgdesk.app.work.inline_jobs import InlineJobs
from bgdesk.app.work.jobs import Priority
from bgdesk.core import finish as finishing
from bgdesk.core.arrays import Alpha, Pixels, Trimap, check_pixels
from bgdesk.core.cutout import Cutout
from bgdesk.core.engine import Reach
from bgdesk.core.errors import MattingError, UsageError
from bgdesk.core.geometry import Rect
from bgdesk.core.recipe import ExportRecipe, Recipe
from bgdesk.core.results import Patch
from bgdesk.core.trimap import Label
from bgdesk.files.metadata import LoadedImage

Array = TypeVar("Array", bound=NDArray[np.float32] | NDArray[np.uint8] | NDArray[np.uint16])


class Retouch:
    """The editor without its window: cut, paint, undo, change the recipe and export exactly as the window does.

    Everything is synchronous: when a call returns, its answer is in the arrays. The arrays that are returned are read-only, and
    later gestures never change them. Only one thread at a time may use a Retouch.

    Parameters
    ----------
    pixels
        H×W×3 sRGB, uint8 or uint16; or a photo from `load`, whose metadata then travels into what is saved.
    engine
        Computes; None: `Engine()`, which uses the default network.

    Raises
    ------
    MattingError
        When `pixels` is not such an array.

    Examples
    --------
    >>> hand = bgdesk.Retouch(bgdesk.load("portrait.jpg"))
    >>> cutout = hand.cut()
    >>> patch = hand.stroke([(410, 300), (430, 360)], 12, 255)
    >>> hand.recipe = dataclasses.replace(hand.recipe, edge=bgdesk.EdgeRecipe(shift=-0.5))
    >>> hand.save("portrait.png")
    """

    def __init__(self, pixels: Pixels | LoadedImage, *, engine: Engine | None = None) -> None:
        self._photo = pixels if isinstance(pixels, LoadedImage) else None
        source = pixels.pixels if isinstance(pixels, LoadedImage) else pixels
        check_pixels(source)
        self._engine = (engine or Engine()).pipeline
        self._jobs = InlineJobs()
        weakref.finalize(self, self._jobs.close, 1.0)
        # The editor must not refer to `self`: then the arrays of a Retouch are freed as soon as nobody uses it.
        self._notes: list[str] = []
        self._editor = Editor(
            Work.awaiting(source, None if self._photo is None else self._photo.path),
            self._engine,
            Activity(self._jobs, _unheard),
            _unheard,
            lambda: None,
            self._notes.extend,
            Settings().undo_bytes,
        )

    # -- gestures -------------------------------------------------------------------------------------------------

    def cut(self) -> Cutout:
        """Ask the network for a cut-out, as the recipe says. A second cut-out is an undo step.

        Returns
        -------
        Cutout
            The engine's answer, notes included; its alpha is solved and not finished.

        Raises
        ------
        ModelError, DeviceError, MattingError
        """
        editor, work = self._editor, self._editor.work
        cutout = self._engine.auto(work.source, work.recipe.matte)
        if not work.has_alpha or (editor.by_hand and not editor.history.trimmed):
            editor.adopt(cutout)
        else:
            editor.replace(cutout, editor.history.count)
        self._jobs.run(Priority.INTERACTIVE)
        return cutout

    def stroke(self, points: Sequence[tuple[float, float]], radius: float, label: int, *, reach: Reach | str | None = None) -> Patch:
        """Press the brush at the first point, drag it through the others, release it, and re-matte.

        Before `cut`, the first stroke begins a cut-out by hand.

        Parameters
        ----------
        points
            (x, y), at least one: column and row of the photo. (10, 20) is the middle of the pixel in column 10 of row 20.
        radius
            Of the brush, in pixels of the photo, above 0.
        label
            0 background, 128 unknown, 255 foreground.
        reach
            `Reach.SMART` or "smart", `Reach.EXACT` or "exact"; None: SMART.

        Returns
        -------
        Patch
            The rectangle outside which nothing changed, its finished alpha (float32), its labels (uint8), and notes.

        Raises
        ------
        UsageError
            For a stroke without points, an unknown label or reach, or a radius that is not above 0.
        MattingError
            When the engine cannot work out the edge; the paint stays.
        """
        given = [(x + 0.5, y + 0.5) for x, y in points]  # the editor counts from the photo's corner
        if not given or not all(map(math.isfinite, itertools.chain(*given))):
            raise UsageError("A stroke needs at least one point, and its points are finite numbers (x, y).")
        if not (math.isfinite(radius) and radius > 0):
            raise UsageError(f"The radius of a stroke is a number above 0, not {radius}.")
        if label not in tuple(Label):
            raise UsageError(f"A label is 0 (background), 128 (unknown) or 255 (foreground), not {label}.")
        try:
            self._editor.reach = Reach(Reach.SMART if reach is None else reach)
        except ValueError:
            raise UsageError(f"A reach is smart or exact, not {reach!r}.") from None
        self._notes.clear()
        before, begun = self._editor.history.count, self._editor.work.has_alpha
        self._editor.apply(BrushStroke(Label(label), float(radius), tuple(given)))
        self._jobs.run(Priority.INTERACTIVE)
        steps = [step for step in self._editor.history.done if step.number > before]
        changed = union(rect for step in steps for rect in (*step.labels, *step.solved))
        return self._patch(changed if begun else self._editor.work.rect)

    def _patch(self, changed: Rect) -> Patch:
        work = self._editor.work
        edge = work.recipe.edge
        rect = changed.grow(finishing.reach(edge)).clip(work.size)
        alpha = work.solved[rect.slices].copy() if edge.neutral else finishing.finish(work.solved, edge, rect)
        return Patch(rect=rect, alpha=alpha, labels=work.labels[rect.slices].copy(), notes=tuple(self._notes))

    def undo(self) -> bool:
        """Take back the last stroke, cut or change of the recipe; return False if there is nothing to take back."""
        return self._go(self._editor.history.done, self._editor.undo)

    def redo(self) -> bool:
        """Bring back what `undo` took back last; return False if there is nothing to bring back."""
        return self._go(self._editor.history.undone, self._editor.redo)

    def _go(self, steps: Sequence[object], move: Callable[[], None]) -> bool:
        possible = bool(steps)
        move()
        self._jobs.run(Priority.INTERACTIVE)
        return possible

    # -- the recipe -----------------------------------------------------------------------------------------------

    @property
    def recipe(self) -> Recipe:
        """This photo's choices. Setting them is one undo step; choices of the network hold from the next `cut` on."""
        return self._editor.work.recipe

    @recipe.setter
    def recipe(self, recipe: Recipe) -> None:
        self._editor.change_recipe(recipe, "change the recipe")
        self._jobs.run(Priority.INTERACTIVE)

    # -- arrays ---------------------------------------------------------------------------------------------------

    @property
    def alpha(self) -> Alpha:
        """The finished alpha, float32 H×W in [0, 1]; all 1 before there is a cut-out."""
        work = self._editor.work
        return self.solved if work.recipe.edge.neutral else _read_only(finishing.finish(work.solved, work.recipe.edge))

    @property
    def solved(self) -> Alpha:
        """The solver's alpha, not finished, float32 H×W in [0, 1]; all 1 before there is a cut-out."""
        return _read_only(self._editor.work.solved.copy())

    @property
    def labels(self) -> Trimap:
        """The trimap, uint8 H×W: 0 background, 128 unknown, 255 foreground."""
        return _read_only(self._editor.work.labels.copy())

    @property
    def foreground(self) -> Pixels:
        """The subject's own colours, H×W×3 of the source's type."""
        self._jobs.run(Priority.NORMAL)
        work = self._editor.work
        return _read_only((work.source if work.foreground is None else work.foreground).copy())

    def cutout(self) -> Cutout:
        """The cut-out as it would be exported now: finished alpha, and colours that have caught up.

        Raises
        ------
        MattingError
            When there is no cut-out yet.
        """
        if not self._editor.work.has_alpha:
            raise MattingError("There is no cut-out yet. Call cut(), or paint the subject by hand.")
        snapshot = self._editor.freeze()
        try:
            return prepare(snapshot, ExportRecipe(), self._engine)
        finally:
            self._editor.work.release(snapshot)

    def save(self, path: str | PathLike[str], recipe: ExportRecipe | None = None) -> Path:
        """Write the cut-out as the suffix (or `recipe`) says, and return its path. See bgdesk.save.

        Raises
        ------
        SaveError, MattingError
        """
        return save(self.cutout(), path, recipe, self._photo)


def _unheard(_event: Event) -> None:
    """Drop an event: errors are raised, and notes are in the answers."""


def _read_only(array: Array) -> Array:
    array.flags.writeable = False
    return array
