"""Compose what the canvas shows, in bytes, at screen resolution. No Qt here."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from enum import Enum
from functools import lru_cache
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from bgdesk.core.arrays import Alpha, Pixels, Trimap
from bgdesk.core.geometry import Rect, Size
from bgdesk.core.pixels.brush import paint as paint_stretch
from bgdesk.core.recipe import EdgeRecipe
from bgdesk.core.trimap import Label
from bgdesk.ui.canvas.blending import alpha_bytes, blend, dots, falling, rising, spread
from bgdesk.ui.canvas.finished import FinishedAlpha
from bgdesk.ui.canvas.pyramid import Bytes, Grid, Layer, level_of
from bgdesk.ui.canvas.viewport import Viewport
from bgdesk.ui.kit.paint import CHECKER_DARK, CHECKER_LIGHT

Rgb = tuple[int, int, int]

#: Colours of the three labels; the same in every theme, since they lie on photos and not on the window.
LABEL_COLOURS: dict[Label, Rgb] = {
    Label.FOREGROUND: (0x2E, 0xCC, 0x71),
    Label.BACKGROUND: (0xE7, 0x4C, 0x3C),
    Label.UNKNOWN: (0x34, 0x98, 0xDB),
}
#: How much light what is removed keeps in the overlay view, before it is tinted.
_DIM = 0.5
#: Rows of the screen that one thread composes at a time.
_STRIP = 128
#: How strongly paint covers the photo until the new alpha replaces it, against the tint of labels (`Look.strength`).
_PAINT_GAIN = 1.3


class View(Enum):
    """How the photo is shown; the value is part of object names."""

    OVERLAY = "overlay"
    CHECKERBOARD = "checkerboard"
    BLACK = "black"
    WHITE = "white"
    ALPHA = "alpha"
    TRIMAP = "trimap"
    SOURCE = "source"

    @property
    def shows_alpha(self) -> bool:
        return self not in (View.TRIMAP, View.SOURCE)


@dataclass(frozen=True)
class Look:
    """What a frame looks like beside its pixels.

    strength: of label tints, in [0, 1]. reveal: 0 shows alpha as 1 everywhere, 1 shows it as it is (for the matte's fade-in).
    unit: device pixels of one of Qt's logical pixels, so that patterns keep their size on dense screens.
    """

    view: View = View.OVERLAY
    strength: float = 0.45
    reveal: float = 1.0
    unit: float = 1.0


class Layers(Protocol):
    """The part of app.editing.document.Document that is drawn."""

    @property
    def source(self) -> Pixels: ...
    @property
    def labels(self) -> Trimap: ...
    @property
    def solved(self) -> Alpha: ...
    @property
    def foreground(self) -> Pixels | None: ...


class Scene:
    """The layers of one document, with their pyramids. Holds no pixels of its own but the paint of unanswered strokes."""

    def __init__(self, document: Layers) -> None:
        self._document = document
        height, width = document.source.shape[:2]
        self.size = Size(width, height)
        self._source = Layer(document.source, _colour_bytes)
        self._alpha = Layer(document.solved, alpha_bytes)
        self._labels = Layer(document.labels, _label_bytes)
        self._finished = FinishedAlpha(self._alpha, document.solved)
        self._foreground: Layer | None = None
        self._paint: Trimap | None = None
        self._paint_layer: Layer | None = None
        self.painted = Rect(0, 0, 0, 0)
        # What lies under and over alpha on the screen, strip by strip, for one place and look.
        self._kind: tuple[Viewport, Look] | None = None
        self._keeping = False
        self._kept: dict[tuple[str, int], Bytes] = {}
        self._follow()

    # Keeping up with the document, whose arrays may change in place or be replaced by copies at any event.

    def _follow(self) -> None:
        self._alpha.follow(self._document.solved)
        self._finished.follow(self._document.solved)
        self._labels.follow(self._document.labels)
        foreground = self._document.foreground
        if (foreground is None) is not (self._foreground is None):
            self._kept.clear()
        if foreground is None:
            self._foreground = None
        elif self._foreground is None:
            self._foreground = Layer(foreground, _colour_bytes)
        else:
            self._foreground.follow(foreground)

    def alpha_changed(self, rect: Rect) -> None:
        self._follow()
        self._alpha.refresh(rect)
        self._finished.changed(rect)

    def labels_changed(self, rect: Rect) -> None:
        self._follow()
        self._labels.refresh(rect)

    def foreground_changed(self, rect: Rect) -> None:
        self._follow()
        self._kept.clear()
        if self._foreground is not None:
            self._foreground.refresh(rect)

    # Paint: what a stroke has covered, shown until the alpha computed from it arrives.

    def paint(self, start: tuple[float, float], end: tuple[float, float], radius: float, label: Label) -> Rect:
        """Show one stretch of a stroke; returns the photo pixels it may have covered."""
        if self._paint is None or self._paint_layer is None:
            self._paint = np.zeros((self.size.height, self.size.width), np.uint8)
            self._paint_layer = Layer(self._paint, _paint_bytes, blank=True)
        rect = paint_stretch(self._paint, start, end, radius, _PAINT_CODES[label])
        self._paint_layer.refresh(rect)
        self.painted = self.painted.union(rect)
        return rect

    def wipe(self, rect: Rect, keep: tuple[Rect, ...] = ()) -> None:
        """Take the paint off in `rect`, except inside the rectangles of `keep`, whose alpha is still to come."""
        rect = rect.intersect(self.painted)
        if rect.empty or self._paint is None or self._paint_layer is None:
            return
        held = [(part, self._paint[part.slices].copy()) for part in (rect.intersect(other) for other in keep) if not part.empty]
        self._paint[rect.slices] = 0
        for part, pixels in held:
            self._paint[part.slices] = pixels
        self._paint_layer.refresh(rect)
        if rect == self.painted:
            self.painted = Rect(0, 0, 0, 0)
            for part, _ in held:
                self.painted = self.painted.union(part)

    # The edge recipe, with which alpha is shown.

    @property
    def edge(self) -> EdgeRecipe:
        return self._finished.edge

    def set_edge(self, edge: EdgeRecipe) -> None:
        self._finished.set_edge(edge)

    def seen_from(self, viewport: Viewport, rect: Rect, coarser: int = 0) -> Rect:
        """The photo pixels that may look different after alpha changed in `rect`."""
        return rect.grow(self._finished.reach(level_of(viewport) + coarser))

    def effort(self, viewport: Viewport, coarser: int = 0, *, measured: bool = False) -> float:
        """What finishing alpha for a frame would take now, or if all edges had been measured (see core.finish.Finisher.effort)."""
        grid = Grid.of(viewport, viewport.visible, coarser)
        return self._finished.effort(grid.level, grid.crop, measured=measured)

    def uneven(self, viewport: Viewport, coarser: int = 0) -> list[Rect]:
        """The visible screen pixels that the edge recipe may change."""
        grid = Grid.of(viewport, viewport.visible, coarser)
        factor = 1 << grid.level
        parts = [Rect(*(factor * side for side in part)) for part in self._finished.uneven(grid.level, grid.crop)]
        return [viewport.screen_rect(part, margin=2 * factor) for part in parts]

    def finish(self, viewport: Viewport, rect: Rect, coarser: int = 0) -> None:
        """Finish alpha for the screen pixels in `rect` at once, before parts of them are composed."""
        self._follow()
        grid = Grid.of(viewport, rect, coarser)
        self._finished.finish(grid.level, grid.crop)

    def preparing(self, viewport: Viewport, coarser: int = 0, least: float = 0.0) -> Iterator[None]:
        """Finish alpha for a frame, a little between two steps; only what takes more than `least`."""
        self._follow()
        grid = Grid.of(viewport, viewport.visible, coarser)
        return self._finished.preparing(grid.level, grid.crop, least)

    # Composition.

    def compose(self, viewport: Viewport, rect: Rect, look: Look, coarser: int = 0) -> Bytes:
        """RGB bytes, h×w×3, of the screen pixels in `rect`, which must lie inside `viewport.visible`.

        coarser: read finished alpha from a level of the pyramid that is so much coarser than the screen.
        """
        frame = np.empty((rect.height, rect.width, 3), np.uint8)

        def keep(part: Rect, pixels: Bytes) -> None:
            frame[part.shift(-rect.left, -rect.top).slices] = pixels

        self.draw(viewport, rect, look, coarser, keep)
        return frame

    def draw(self, viewport: Viewport, rect: Rect, look: Look, coarser: int, put: Callable[[Rect, Bytes], None]) -> None:
        """As `compose`, but hand over each part to `put` when it is done, from any thread."""
        self._follow()
        # A frame of another place or look keeps nothing: it may be one of many. From the second of the same on, parts are kept.
        kind = viewport, replace(look, reveal=1.0)
        self._keeping = kind == self._kind
        if not self._keeping:
            self._kind = kind
            self._kept.clear()
        if look.view.shows_alpha:
            self.finish(viewport, rect, coarser)
        first = rect.top // _STRIP * _STRIP
        strips = [Rect(rect.left, top, rect.right, top + _STRIP).intersect(rect) for top in range(first, rect.bottom, _STRIP)]

        def strip(part: Rect) -> None:
            put(part, self._compose_strip(viewport, part, look, coarser))

        if len(strips) == 1:
            strip(rect)
        else:
            list(_pool().map(strip, strips))

    def _compose_strip(self, viewport: Viewport, rect: Rect, look: Look, coarser: int) -> Bytes:
        grid = Grid.of(viewport, rect)
        if look.view.shows_alpha:
            alpha = revealed(self._finished.sample(Grid.of(viewport, rect, coarser) if coarser else grid), look.reveal)
            frame = spread(alpha) if look.view is View.ALPHA else self._blended(viewport, rect, look, alpha)
        else:
            frame = self._source.sample(grid)
            if look.view is View.TRIMAP:
                frame = tint(frame, self._labels.sample(grid), rect, look)
        if self._paint_layer is not None and look.view is not View.SOURCE and rect.overlaps(viewport.screen_rect(self.painted)):
            coverage = self._paint_layer.sample(grid)
            if coverage.any():
                frame = tint(frame, coverage, rect, replace(look, strength=min(0.85, look.strength * _PAINT_GAIN)))
        return frame

    def _blended(self, viewport: Viewport, rect: Rect, look: Look, alpha: Bytes) -> Bytes:
        """The subject over what lies behind it."""
        # A subject fills much of a frame, and so does what is around it; the costly part is only needed where both are seen.
        lowest, highest, _, _ = cv2.minMaxLoc(alpha)
        subject = self._part(self._subject, viewport, rect, look) if highest > 0 else None
        if lowest == 255 and subject is not None:
            return subject
        behind = self._part(self._behind, viewport, rect, look)
        return behind if subject is None else blend(subject, behind, alpha)

    def _part(self, draw: Callable[[Viewport, Rect, Look], Bytes], viewport: Viewport, rect: Rect, look: Look) -> Bytes:
        """What `draw` gives for a rectangle of one strip; kept for the whole strip while the same is shown again and again."""
        if not self._keeping:
            return draw(viewport, rect, look)
        top = rect.top // _STRIP * _STRIP
        whole = Rect(viewport.visible.left, top, viewport.visible.right, top + _STRIP).intersect(viewport.visible)
        key = draw.__name__, top
        if key not in self._kept:
            self._kept[key] = draw(viewport, whole, look)
        return self._kept[key][rect.shift(-whole.left, -whole.top).slices]

    def _subject(self, viewport: Viewport, rect: Rect, look: Look) -> Bytes:
        layer = self._source if look.view is View.OVERLAY else self._foreground or self._source
        return layer.sample(Grid.of(viewport, rect))

    def _behind(self, viewport: Viewport, rect: Rect, look: Look) -> Bytes:
        if look.view is View.OVERLAY:
            return removed(self._source.sample(Grid.of(viewport, rect)), rect, look)
        return ground(look.view, rect, look)


@lru_cache(maxsize=1)
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(min(4, os.cpu_count() or 1), thread_name_prefix="compose")


def revealed(alpha: Bytes, reveal: float) -> Bytes:
    """Alpha on its way from opaque (reveal 0) to what it is (1)."""
    if reveal == 1:
        return alpha
    table = np.rint(255 - (255 - np.arange(256)) * reveal).astype(np.uint8)
    return np.asarray(cv2.LUT(alpha, table), np.uint8)


def removed(source: Bytes, rect: Rect, look: Look) -> Bytes:
    """How the overlay view shows what is taken away: grey, dimmed, tinted in the background's colour, hatched faintly."""
    places = cv2.cvtColor(source, cv2.COLOR_RGB2GRAY).astype(np.uint16)
    # A falling hatch, so that removal does not rest on colour alone: the second half of the table.
    places += falling(rect, look.unit) * np.uint16(256)
    # Four bytes at a time: NumPy takes whole words much faster than three bytes each.
    colours = np.asarray(np.take(_removed_colours(look.strength), places).view(np.uint8)).reshape(rect.height, rect.width, 4)
    return np.asarray(cv2.cvtColor(colours, cv2.COLOR_BGRA2BGR), np.uint8)


@lru_cache(maxsize=4)
def _removed_colours(strength: float) -> NDArray[np.uint32]:
    levels = np.arange(256) * _DIM
    plain = np.stack([levels * (1 - strength) + colour * _DIM * strength for colour in LABEL_COLOURS[Label.BACKGROUND]], axis=-1)
    table = np.zeros((512, 4), np.uint8)
    table[:256, :3], table[256:, :3] = np.rint(plain), np.rint(plain * 0.86)
    return table.view(np.uint32).ravel()


def tint(source: Bytes, coverage: Bytes, rect: Rect, look: Look) -> Bytes:
    """Labels over the photo. coverage: h×w×3 bytes, how much of a pixel is foreground, unknown, background."""
    colours = np.array([LABEL_COLOURS[label] for label in _CHANNELS], np.float32)
    patterns = np.stack([rising(rect, look.unit), dots(rect, look.unit), falling(rect, look.unit)], axis=-1)
    # Lines and dots are a little stronger than the ground between them: the labels differ in more than their colour.
    weight = coverage.astype(np.float32) * (np.where(patterns, np.float32(1.25), np.float32(0.9)) * np.float32(look.strength / 255))
    np.minimum(weight, 1, out=weight)
    rest = 1 - np.minimum(weight.sum(axis=-1, keepdims=True), 1)
    return np.asarray(np.rint(np.minimum(source * rest + weight @ colours, 255)), np.uint8)


def ground(view: View, rect: Rect, look: Look) -> Bytes:
    """What lies behind the cut-out in the views that show one."""
    if view is View.CHECKERBOARD:
        cell = max(1, round(8 * look.unit))
        dark = np.arange(rect.left, rect.right) // cell & 1 > 0
        row = np.where(dark, np.uint8(CHECKER_DARK), np.uint8(CHECKER_LIGHT))
        other = np.where(dark, np.uint8(CHECKER_LIGHT), np.uint8(CHECKER_DARK))
        return spread(np.stack([row, other])[np.arange(rect.top, rect.bottom) // cell & 1])
    return np.full((rect.height, rect.width, 3), 255 if view is View.WHITE else 0, np.uint8)


#: Order of the channels of label coverage.
_CHANNELS = (Label.FOREGROUND, Label.UNKNOWN, Label.BACKGROUND)
#: Labels in the paint layer, where 0 is 'no paint'.
_PAINT_CODES = {Label.FOREGROUND: 1, Label.UNKNOWN: 2, Label.BACKGROUND: 3}


def _colour_bytes(crop: NDArray[Any]) -> Bytes:
    return crop if crop.dtype == np.uint8 else np.asarray(cv2.convertScaleAbs(crop, alpha=1 / 257), np.uint8)


def _planes(crop: NDArray[Any], values: tuple[int, ...]) -> Bytes:
    return np.stack([(crop == value).view(np.uint8) * np.uint8(255) for value in values], axis=-1)


def _label_bytes(crop: NDArray[Any]) -> Bytes:
    return _planes(crop, tuple(int(label) for label in _CHANNELS))


def _paint_bytes(crop: NDArray[Any]) -> Bytes:
    return _planes(crop, (1, 2, 3))
