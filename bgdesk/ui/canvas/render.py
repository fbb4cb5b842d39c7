"""Compose what the canvas shows, in bytes, at screen resolution. No Qt here."""

from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from bgdesk.core.arrays import Alpha, Pixels, Trimap
from bgdesk.core.brush import paint as paint_stretch
from bgdesk.core.geometry import Rect, Size
from bgdesk.core.trimap import Label
from bgdesk.ui.canvas.pyramid import Bytes, Grid, Layer
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
        self._alpha = Layer(document.solved, _alpha_bytes)
        self._labels = Layer(document.labels, _label_bytes)
        self._foreground: Layer | None = None
        self._paint: Trimap | None = None
        self._paint_layer: Layer | None = None
        self.painted = Rect(0, 0, 0, 0)
        self._follow()

    # Keeping up with the document, whose arrays may change in place or be replaced by copies at any event.

    def _follow(self) -> None:
        self._alpha.follow(self._document.solved)
        self._labels.follow(self._document.labels)
        foreground = self._document.foreground
        if foreground is None:
            self._foreground = None
        elif self._foreground is None:
            self._foreground = Layer(foreground, _colour_bytes)
        else:
            self._foreground.follow(foreground)

    def alpha_changed(self, rect: Rect) -> None:
        self._follow()
        self._alpha.refresh(rect)

    def labels_changed(self, rect: Rect) -> None:
        self._follow()
        self._labels.refresh(rect)

    def foreground_changed(self, rect: Rect) -> None:
        self._follow()
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

    # Composition.

    def compose(self, viewport: Viewport, rect: Rect, look: Look) -> Bytes:
        """RGB bytes, h×w×3, of the screen pixels in `rect`, which must lie inside `viewport.visible`."""
        self._follow()
        grid = Grid.of(viewport, rect)
        maps = None if grid.nearest else grid.maps()
        frame = self._compose_view(grid, maps, rect, look)
        if self._paint_layer is not None and look.view is not View.SOURCE and rect.overlaps(viewport.screen_rect(self.painted)):
            coverage = self._paint_layer.sample(grid, maps)
            if coverage.any():
                frame = tint(frame, coverage, rect, replace(look, strength=min(0.85, look.strength * _PAINT_GAIN)))
        return frame

    def _compose_view(self, grid: Grid, maps: tuple[NDArray[np.float32], NDArray[np.float32]] | None, rect: Rect, look: Look) -> Bytes:
        view = look.view
        if view is View.SOURCE:
            return self._source.sample(grid, maps)
        if view is View.TRIMAP:
            return tint(self._source.sample(grid, maps), self._labels.sample(grid, maps), rect, look)
        alpha = self._alpha.sample(grid, maps)
        if look.reveal < 1:
            alpha = revealed(alpha, look.reveal)
        if view is View.ALPHA:
            return spread(alpha)
        if view is View.OVERLAY:
            source = self._source.sample(grid, maps)
            # A subject fills much of a frame; the costly part is only needed where something is removed.
            return source if alpha.min(initial=255) == 255 else blend(source, removed(source, rect, look), alpha)
        subject = (self._foreground or self._source).sample(grid, maps)
        return blend(subject, ground(view, rect, look), alpha)


def blend(top: Bytes, bottom: Bytes, alpha: Bytes) -> Bytes:
    """top·alpha + bottom·(1 - alpha) for h×w×3 bytes and h×w alpha, rounded to nearest."""
    opacity = spread(alpha).astype(np.uint16)
    total = top * opacity
    np.subtract(255, opacity, out=opacity)
    opacity *= bottom
    total += opacity
    # v/255 rounded, in integers: (v + 128 + (v + 128)/256)/256. The largest v, 255·255, leaves room in 16 bits.
    total += 128
    total += total >> 8
    total >>= 8
    return total.astype(np.uint8)


def revealed(alpha: Bytes, reveal: float) -> Bytes:
    """Alpha on its way from opaque (reveal 0) to what it is (1)."""
    table = np.rint(255 - (255 - np.arange(256)) * reveal).astype(np.uint8)
    return np.asarray(cv2.LUT(alpha, table), np.uint8)


def removed(source: Bytes, rect: Rect, look: Look) -> Bytes:
    """How the overlay view shows what is taken away: grey, dimmed, tinted in the background's colour, hatched faintly."""
    grey = cv2.cvtColor(source, cv2.COLOR_RGB2GRAY)
    levels = np.arange(256) * _DIM
    strength = look.strength
    table = np.stack([levels * (1 - strength) + colour * _DIM * strength for colour in LABEL_COLOURS[Label.BACKGROUND]], axis=-1)
    lined = np.stack([table, table * 0.86])  # a falling hatch, so that removal does not rest on colour alone
    hatch = falling(rect, look.unit).astype(np.uint8)
    plain, dark = (np.asarray(cv2.LUT(spread(np.asarray(grey, np.uint8)), np.rint(t).astype(np.uint8)[None]), np.uint8) for t in lined)
    return np.where(hatch[..., None], dark, plain)


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
        columns, rows = np.arange(rect.left, rect.right) // cell, np.arange(rect.top, rect.bottom) // cell
        dark = ((columns + rows[:, None]) & 1).astype(bool)
        return spread(np.where(dark, np.uint8(CHECKER_DARK), np.uint8(CHECKER_LIGHT)))
    return np.full((rect.height, rect.width, 3), 255 if view is View.WHITE else 0, np.uint8)


def spread(grey: Bytes) -> Bytes:
    """h×w to h×w×3."""
    return np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB), np.uint8)


def rising(rect: Rect, unit: float) -> NDArray[np.bool_]:
    return _stripes(rect, unit, 1)


def falling(rect: Rect, unit: float) -> NDArray[np.bool_]:
    return _stripes(rect, unit, -1)


def dots(rect: Rect, unit: float) -> NDArray[np.bool_]:
    period, size = max(2, round(8 * unit)), max(1, round(2 * unit))
    columns, rows = np.arange(rect.left, rect.right), np.arange(rect.top, rect.bottom)
    return np.asarray((columns % period < size) & ((rows % period)[:, None] < size))


def _stripes(rect: Rect, unit: float, slope: int) -> NDArray[np.bool_]:
    period, line = max(4, round(10 * unit)), max(1, round(2 * unit))
    columns, rows = np.arange(rect.left, rect.right), np.arange(rect.top, rect.bottom)
    return np.asarray((columns + slope * rows[:, None]) % period < line)


#: Order of the channels of label coverage.
_CHANNELS = (Label.FOREGROUND, Label.UNKNOWN, Label.BACKGROUND)
#: Labels in the paint layer, where 0 is 'no paint'.
_PAINT_CODES = {Label.FOREGROUND: 1, Label.UNKNOWN: 2, Label.BACKGROUND: 3}


def _colour_bytes(crop: NDArray[Any]) -> Bytes:
    return crop if crop.dtype == np.uint8 else np.asarray(cv2.convertScaleAbs(crop, alpha=1 / 257), np.uint8)


def _alpha_bytes(crop: NDArray[Any]) -> Bytes:
    return np.asarray(cv2.convertScaleAbs(np.ascontiguousarray(crop), alpha=255), np.uint8).reshape(crop.shape)


def _planes(crop: NDArray[Any], values: tuple[int, ...]) -> Bytes:
    return np.stack([(crop == value).view(np.uint8) * np.uint8(255) for value in values], axis=-1)


def _label_bytes(crop: NDArray[Any]) -> Bytes:
    return _planes(crop, tuple(int(label) for label in _CHANNELS))


def _paint_bytes(crop: NDArray[Any]) -> Bytes:
    return _planes(crop, (1, 2, 3))
