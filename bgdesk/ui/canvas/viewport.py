"""Where the photo lies on the screen: pure arithmetic of zoom and pan.

Everything here is in device pixels (the screen's own), never in Qt's logical ones, so that 100 % shows one photo pixel on one
screen pixel on every display. The origin is rounded to whole device pixels: panning then moves the picture without resampling it.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

from bgdesk.core.geometry import Rect, Size

#: Zoom stops of the keyboard and the zoom menu, as device pixels per photo pixel.
STOPS: tuple[float, ...] = (
    *(0.01, 0.02, 0.03, 0.05, 0.0625, 0.0833, 0.125, 0.1667, 0.25, 0.3333, 0.5, 0.6667, 1.0),
    *(1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0, 32.0),
)
#: The largest zoom; the smallest follows the photo (see `Viewport.lowest`).
HIGHEST = 32.0
#: Device pixels that may open between the photo's edge and the window's, so that a brush reaches the very edge.
SLACK = 96.0
#: Device pixels kept free around a photo that is fitted into the window, and below it, where small controls lie.
MARGIN, BELOW = 24, 52


class Point(NamedTuple):
    """A place in photo or in screen coordinates; pixel (column, row) covers [column, column + 1) × [row, row + 1)."""

    x: float
    y: float


@dataclass(frozen=True)
class Viewport:
    """A photo of size `photo` shown in a window of size `screen` (device pixels).

    scale: device pixels per photo pixel. x, y: where the photo's top left corner lies on the screen, before rounding.
    """

    photo: Size
    screen: Size
    scale: float
    x: float
    y: float

    @classmethod
    def fitted(cls, photo: Size, screen: Size, unit: float = 1.0) -> "Viewport":
        """The whole photo, never above 100 %: centred, or a little higher where it would else reach under what lies at the foot.

        unit: device pixels of one logical pixel; the margins grow with it.
        """
        margin, below = MARGIN * unit, BELOW * unit
        width, height = max(1.0, screen.width - 2 * margin), max(1.0, screen.height - margin - below)
        scale = min(1.0, width / photo.width, height / photo.height)
        y = (screen.height - photo.height * scale) / 2
        lowest = screen.height - below - photo.height * scale
        return cls(photo, screen, scale, (screen.width - photo.width * scale) / 2, max(min(y, lowest), 0.0))

    @property
    def left(self) -> int:
        return round(self.x)

    @property
    def top(self) -> int:
        return round(self.y)

    @property
    def lowest(self) -> float:
        """The smallest zoom: a little under what fits, and never so small that the photo vanishes."""
        return min(Viewport.fitted(self.photo, self.screen).scale, max(16 / max(self.photo), 0.01))

    @property
    def frame(self) -> Rect:
        """The device pixels that the photo covers, unclipped; at least one in each direction."""
        width = max(1, round(self.photo.width * self.scale))
        height = max(1, round(self.photo.height * self.scale))
        return Rect(self.left, self.top, self.left + width, self.top + height)

    @cached_property
    def visible(self) -> Rect:
        """The device pixels of the photo that are inside the window."""
        return self.frame.clip(self.screen)

    def to_screen(self, x: float, y: float) -> Point:
        """Photo coordinates to device pixels."""
        return Point(self.left + x * self.scale, self.top + y * self.scale)

    def to_photo(self, x: float, y: float) -> Point:
        """Device pixels to photo coordinates; may lie outside the photo."""
        return Point((x - self.left) / self.scale, (y - self.top) / self.scale)

    def screen_rect(self, rect: Rect, margin: int = 2) -> Rect:
        """The visible device pixels that change when the photo pixels in `rect` do; `margin` covers the filter's reach.

        A zoomed-out view reads a pyramid level whose pixels are up to 1/scale photo pixels wide, so the margin in device
        pixels holds at every zoom.
        """
        if rect.empty:
            return rect
        left, top = self.to_screen(rect.left, rect.top)
        right, bottom = self.to_screen(rect.right, rect.bottom)
        reach = margin + max(1.0, self.scale)
        grown = Rect(int(left - reach), int(top - reach), int(right + reach) + 1, int(bottom + reach) + 1)
        return grown.intersect(self.visible)

    def zoomed(self, scale: float, x: float, y: float) -> "Viewport":
        """Zoom to `scale`, with the photo's point under device pixel (x, y) staying where it is."""
        fitted = Viewport.fitted(self.photo, self.screen)
        if scale <= fitted.scale < self.scale:  # on the way out, the photo comes to rest where it fits
            return fitted
        scale = min(HIGHEST, max(self.lowest, scale))
        ratio = scale / self.scale
        return replace(self, scale=scale, x=x - (x - self.x) * ratio, y=y - (y - self.y) * ratio).clamped()

    def zoomed_to_centre(self, scale: float) -> "Viewport":
        return self.zoomed(scale, self.screen.width / 2, self.screen.height / 2)

    def stepped(self, direction: int) -> "Viewport":
        """The next zoom stop up (+1) or down (-1), about the window's centre."""
        if direction > 0:
            scale = next((stop for stop in STOPS if stop > self.scale * 1.001), HIGHEST)
        else:
            scale = next((stop for stop in reversed(STOPS) if stop < self.scale * 0.999), self.lowest)
        return self.zoomed_to_centre(scale)

    def panned(self, dx: float, dy: float) -> "Viewport":
        """Move the photo by (dx, dy) device pixels, as far as the edges allow."""
        return replace(self, x=self.x + dx, y=self.y + dy).clamped()

    def resized(self, screen: Size, lowered: float = 0.0) -> "Viewport":
        """The same zoom in a window of another size; the photo's point in the middle stays in the middle.

        lowered: device pixels that the window lost at its upper edge; the photo does not move on the screen for them.
        """
        moved = replace(
            self,
            screen=screen,
            x=self.x + (screen.width - self.screen.width) / 2,
            y=self.y - lowered + (screen.height + lowered - self.screen.height) / 2,
        )
        return moved.clamped()

    def clamped(self) -> "Viewport":
        """Moved back so far that the photo's edges are no more than SLACK inside, or outside, the window's."""
        x = _clamp(self.x, self.photo.width * self.scale, self.screen.width)
        y = _clamp(self.y, self.photo.height * self.scale, self.screen.height)
        return self if (x, y) == (self.x, self.y) else replace(self, x=x, y=y)


def _clamp(origin: float, length: float, room: int) -> float:
    spare = room - length
    return min(max(spare, 0) + SLACK, max(min(spare, 0) - SLACK, origin))
