"""`bgdesk bench interactive`: how long a frame of the canvas takes while a person works, measured on the real canvas, offscreen."""

import argparse
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QApplication

from bgdesk.bench.bench_report import Figure, Report, at_most, to_json, to_markdown, to_text
from bgdesk.bench.cases.corpus import SubjectKind, random_of, size_of
from bgdesk.bench.cases.scenes import saturated
from bgdesk.core.arrays import Alpha, Pixels, Trimap
from bgdesk.core.geometry import Rect
from bgdesk.core.pixels.resample import cubic
from bgdesk.core.recipe import EdgeRecipe
from bgdesk.core.trimap import Label, from_matte
from bgdesk.ui.canvas.canvas import Canvas
from bgdesk.ui.canvas.tools import Brush

#: Of the canvas, in logical pixels: a window on a usual screen.
_WIDTH, _HEIGHT = 1920, 1080
_FRAMES = 40
#: Seconds from one change of a slider to the next: events come in between, as they do under a hand.
_BEAT = 1 / 60
_SLIDERS = {"shift": 5.0, "smooth": 8.0, "feather": 12.0, "contrast": 80.0}
_ZOOMS: dict[str, float | None] = {"fit": None, "50 %": 0.5, "100 %": 1.0, "200 %": 2.0}


@dataclass(eq=False)
class _Photo:
    """A drawn portrait with hair, as the canvas reads a work."""

    source: Pixels
    labels: Trimap
    solved: Alpha
    foreground: Pixels | None


class _Nowhere:
    """Takes the strokes of the brush and does nothing with them: what is measured is the canvas."""

    def stroke_begin(self, label: Label, radius: float, point: tuple[float, float]) -> None: ...
    def stroke_extend(self, point: tuple[float, float]) -> None: ...
    def stroke_end(self) -> None: ...
    def stroke_cancel(self) -> None: ...


def _photo(megapixels: float) -> _Photo:
    # Drawn at 2 MP and enlarged, with the grain of a photo: hair of 24 MP takes minutes to draw.
    case = saturated(SubjectKind.HAIR, 0.6).make()
    size = size_of(case.alpha.shape, megapixels)
    alpha = np.clip(cubic(case.alpha, size), 0, 1)
    grain = random_of("grain").integers(0, 5, (size.height, size.width, 1), np.uint8)
    source = np.clip(cubic(case.composite, size), 0, 250) + grain
    return _Photo(source.astype(np.uint8), from_matte(alpha), alpha, source.astype(np.uint8))


def _timed(act: Callable[[], None], canvas: Canvas) -> float:
    """Milliseconds from a change to its frame; then the events that a window would have had meanwhile."""
    begun = time.perf_counter()
    act()
    canvas.repaint()
    took = time.perf_counter() - begun
    while True:
        QApplication.processEvents()
        if time.perf_counter() - begun >= _BEAT:
            return 1000 * took


def _slides(canvas: Canvas, slider: str, count: int) -> list[float]:
    def set_to(value: float) -> Callable[[], None]:
        change: dict[str, float] = {slider: value}
        return lambda: canvas.set_edge(EdgeRecipe(**change))

    found = [_timed(set_to(_SLIDERS[slider] * (step + 1) / count), canvas) for step in range(count)]
    canvas.set_edge(EdgeRecipe())
    return found


def _figure(name: str, milliseconds: Sequence[float], bar: float | None, note: str) -> Figure:
    p50, p95 = np.percentile(milliseconds, (50, 95))
    return Figure(name, float(p95), unit="ms", bar=None if bar is None else at_most(bar), note=f"p95; p50 {p50:.1f} ms; {note}")


def _drag(canvas: Canvas, count: int) -> Iterator[float]:
    """Frames of a brush stroke by real events."""
    middle = QPointF(canvas.width() / 2, canvas.height() / 2)

    def send(kind: QEvent.Type, place: QPointF, buttons: Qt.MouseButton) -> None:
        button = Qt.MouseButton.NoButton if kind is QEvent.Type.MouseMove else Qt.MouseButton.LeftButton
        event = QMouseEvent(kind, place, canvas.mapToGlobal(place), button, buttons, Qt.KeyboardModifier.NoModifier)
        QApplication.sendEvent(canvas, event)

    send(QEvent.Type.MouseButtonPress, middle, Qt.MouseButton.LeftButton)
    for step in range(count):
        place = middle + QPointF(6 * step, 40 * np.sin(step / 4))
        yield _timed(partial(send, QEvent.Type.MouseMove, place, Qt.MouseButton.LeftButton), canvas)
    send(QEvent.Type.MouseButtonRelease, middle, Qt.MouseButton.NoButton)
    canvas.settle_paint(())


def measure(megapixels: Sequence[float], frames: int = _FRAMES, say: Callable[[str], None] = lambda _: None) -> Iterator[Figure]:
    """Measure frames of edge sliders, zooming and the brush.

    Parameters
    ----------
    megapixels
        Sizes of the photo.
    frames
        How many of each kind.
    say
        Hears what is measured now.
    """
    for size in megapixels:
        photo = _photo(size)
        height, width = photo.solved.shape
        canvas = Canvas(_Nowhere(), Brush(40))
        canvas.resize(_WIDTH, _HEIGHT)
        canvas.show()
        canvas.show_document(photo)
        note = f"{width}×{height} px in {_WIDTH}×{_HEIGHT}"
        for words, scale in _ZOOMS.items():
            canvas.fit()
            if scale is not None and canvas.viewport is not None:
                # To where the most edge is: the most that a slider's frame can have to do.
                soft = Rect.bounding((photo.solved > 0.2) & (photo.solved < 0.8))
                canvas.show_place(((soft.left + soft.right) / 2, soft.top + 0.1 * soft.height), scale)
            canvas.repaint()
            for slider in _SLIDERS:
                say(f"{size:g} MP, {words}, {slider}")
                yield _figure(f"edge.{slider}, {size:g} MP, {words}", _slides(canvas, slider, frames), 33, note)
        say(f"{size:g} MP, zoom and brush")
        steps = [_timed(partial(canvas.zoom_step, 1 if turn % 12 < 6 else -1), canvas) for turn in range(frames)]
        yield _figure(f"zoom.{size:g} MP", steps, None, note)
        canvas.fit()
        yield _figure(f"brush.{size:g} MP", list(_drag(canvas, frames)), None, note)
        canvas.close()


def main(arguments: Sequence[str]) -> int:
    """Run `bgdesk bench interactive` with these arguments; returns the exit status."""
    parser = argparse.ArgumentParser(prog="bgdesk bench interactive", description=__doc__)
    shape = parser.add_mutually_exclusive_group()
    shape.add_argument("--json", action="store_true", help="print the report as JSON")
    shape.add_argument("--markdown", action="store_true", help="print the figures as a Markdown table")
    parser.add_argument("--quick", action="store_true", help="a tiny photo and few frames, to see that everything runs; no measurement")
    args = parser.parse_args(list(arguments))
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    application = QApplication.instance() or QApplication(["bgdesk"])
    sizes, frames = ((0.1,), 3) if args.quick else ((2.0, 24.0), _FRAMES)
    machine = {"machine": f"{os.cpu_count()} cores, Qt {application.platformName() if isinstance(application, QApplication) else ''}"}
    report = Report(machine, tuple(measure(sizes, frames)))
    print(to_json(report) if args.json else to_markdown(report) if args.markdown else to_text(report))  # noqa: T201
    return 0
