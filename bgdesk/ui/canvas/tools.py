"""What the pointer does on the canvas: the brush, and the hand."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from PySide6.QtCore import QObject, Signal

from bgdesk.core.geometry import Rect
from bgdesk.core.trimap import Label
from bgdesk.ui.canvas.viewport import Point

SMALLEST, LARGEST, STANDARD = 1, 1000, 40


class Tool(Enum):
    """What the left button does. What the brush paints is another choice: its Label."""

    BRUSH = "brush"
    PAN = "pan"


@dataclass(frozen=True)
class PointerEvent:
    """One pointer event. photo: where, in photo coordinates; screen: where, in device pixels; shift, alt: keys held."""

    photo: Point
    screen: Point
    shift: bool = False
    alt: bool = False


class PointerTool(Protocol):
    """What carries a tool out while a button is held: it gets press, then any number of moves, then release or cancel."""

    @property
    def active(self) -> bool:
        """Between press and release."""
        ...

    def press(self, gesture: PointerEvent) -> None: ...
    def move(self, gesture: PointerEvent) -> None: ...
    def release(self, gesture: PointerEvent) -> None: ...
    def cancel(self) -> None: ...


class Strokes(Protocol):
    """The part of app.session.session.Session that a brush speaks to."""

    def stroke_begin(self, label: Label, radius: float, point: tuple[float, float]) -> None: ...
    def stroke_extend(self, point: tuple[float, float]) -> None: ...
    def stroke_end(self) -> None: ...
    def stroke_cancel(self) -> None: ...


class Brush(QObject):
    """Label and diameter of the brush, shared by the canvas, the panel and the shortcuts."""

    changed = Signal()

    def __init__(self, diameter: int = STANDARD, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._label = Label.FOREGROUND
        self._diameter = min(LARGEST, max(SMALLEST, diameter))

    @property
    def label(self) -> Label:
        return self._label

    @property
    def diameter(self) -> int:
        """In photo pixels."""
        return self._diameter

    @property
    def radius(self) -> float:
        return self._diameter / 2

    def set_label(self, label: Label) -> None:
        if label is not self._label:
            self._label = label
            self.changed.emit()

    def set_diameter(self, diameter: float) -> None:
        whole = min(LARGEST, max(SMALLEST, round(diameter)))
        if whole != self._diameter:
            self._diameter = whole
            self.changed.emit()

    def step(self, direction: int, fine: bool = False) -> None:
        """A quarter larger or smaller; fine: about a twentieth. Always at least one pixel."""
        share = 0.05 if fine else 0.25
        self.set_diameter(self._diameter + direction * max(1, round(self._diameter * share)))

    def swap(self) -> None:
        self.set_label(swapped(self._label))


def swapped(label: Label) -> Label:
    """Foreground for background and the other way round; unknown becomes foreground."""
    return Label.BACKGROUND if label is Label.FOREGROUND else Label.FOREGROUND


class BrushTool:
    """Draws strokes: a press begins one, a release ends it; Shift begins it where the last one ended, as a straight line.

    paint(start, end, radius, label) shows a stretch at once, before the session has answered it.
    """

    def __init__(
        self,
        strokes: Strokes,
        brush: Brush,
        paint: Callable[[Point, Point, float, Label], Rect],
        ready: Callable[[], bool],
    ) -> None:
        self._strokes, self._brush, self._paint, self._ready = strokes, brush, paint, ready
        self._label = Label.FOREGROUND
        self._radius = 0.0
        self._active = False
        self._last: Point | None = None
        self._touched = Rect(0, 0, 0, 0)

    @property
    def active(self) -> bool:
        return self._active

    @property
    def touched(self) -> Rect:
        """What the stroke under way has covered; empty between strokes."""
        return self._touched if self._active else Rect(0, 0, 0, 0)

    def forget(self) -> None:
        """Another photo: a straight line must not begin where the last one ended."""
        self._last = None

    def press(self, gesture: PointerEvent) -> None:
        if not self._ready():
            return
        self._label = swapped(self._brush.label) if gesture.alt else self._brush.label
        self._radius = self._brush.radius
        start = self._last if gesture.shift and self._last is not None else gesture.photo
        self._active = True
        self._strokes.stroke_begin(self._label, self._radius, start)
        self._touched = self._paint(start, start, self._radius, self._label)
        self._last = start
        if start != gesture.photo:
            self.move(gesture)

    def move(self, gesture: PointerEvent) -> None:
        if self._active and self._last is not None and gesture.photo != self._last:
            start, self._last = self._last, gesture.photo
            self._strokes.stroke_extend(gesture.photo)
            self._touched = self._touched.union(self._paint(start, gesture.photo, self._radius, self._label))

    def release(self, gesture: PointerEvent) -> None:
        if self._active:
            self.move(gesture)
            self._active = False
            self._strokes.stroke_end()

    def cancel(self) -> None:
        if self._active:
            self._active = False
            self._last = None
            self._strokes.stroke_cancel()


class PanTool:
    """Drags the photo. pan(dx, dy) in device pixels."""

    def __init__(self, pan: Callable[[float, float], None]) -> None:
        self._pan = pan
        self._from: Point | None = None

    @property
    def active(self) -> bool:
        return self._from is not None

    def press(self, gesture: PointerEvent) -> None:
        self._from = gesture.screen

    def move(self, gesture: PointerEvent) -> None:
        if self._from is not None:
            before, self._from = self._from, gesture.screen
            self._pan(gesture.screen.x - before.x, gesture.screen.y - before.y)

    def release(self, gesture: PointerEvent) -> None:
        self.move(gesture)
        self._from = None

    def cancel(self) -> None:
        self._from = None


class SizeTool:
    """A right drag sets the brush's diameter: sideways, one photo pixel for each device pixel at the present zoom."""

    def __init__(self, brush: Brush, scale: Callable[[], float]) -> None:
        self._brush, self._scale = brush, scale
        self._origin: tuple[float, int] | None = None

    @property
    def active(self) -> bool:
        return self._origin is not None

    def press(self, gesture: PointerEvent) -> None:
        self._origin = gesture.screen.x, self._brush.diameter

    def move(self, gesture: PointerEvent) -> None:
        if self._origin is not None:
            self._brush.set_diameter(self._origin[1] + (gesture.screen.x - self._origin[0]) / self._scale())

    def release(self, gesture: PointerEvent) -> None:
        self.move(gesture)
        self._origin = None

    def cancel(self) -> None:
        self._origin = None
