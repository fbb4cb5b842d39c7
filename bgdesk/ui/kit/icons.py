"""Icons: SVG files of resources/icons, tinted by the theme."""

from functools import lru_cache

from PySide6.QtCore import QByteArray, QRectF, QSize, Qt
from PySide6.QtGui import QIcon, QIconEngine, QPainter, QPixmap
from PySide6.QtSvg import QSvgRenderer

from bgdesk.app.system.paths import resource
from bgdesk.ui.kit.theme import Tokens

#: Side of an icon, in logical pixels.
SIZE = 20


class Icons:
    """Makes icons in the colours of one theme."""

    def __init__(self, tokens: Tokens) -> None:
        self.tokens = tokens

    def icon(self, name: str, colour: str | None = None) -> QIcon:
        """The icon of that name in `colour`, or in the theme's text colour; paler where a control is disabled."""
        return QIcon(_Engine(_source(name), colour or self.tokens.text, self.tokens.disabled, self.tokens.on_accent))

    def pixmap(self, name: str, size: int, ratio: float, colour: str | None = None) -> QPixmap:
        """`size` logical pixels square, sharp on a screen of `ratio` device pixels each."""
        return self.icon(name, colour).pixmap(QSize(size, size), ratio)


def application_icon() -> QIcon:
    """The program's own icon."""
    return QIcon(str(resource("icons/bgdesk.svg")))


@lru_cache(maxsize=128)
def _source(name: str) -> str:
    return resource(f"icons/{name}.svg").read_text(encoding="utf-8")


class _Engine(QIconEngine):
    """Draws the SVG at the size asked for, so that icons are sharp at every scale."""

    def __init__(self, svg: str, colour: str, disabled: str, selected: str) -> None:
        super().__init__()
        self._svg, self._colours = svg, (colour, disabled, selected)

    def paint(self, painter: QPainter, rect: object, mode: QIcon.Mode, state: QIcon.State) -> None:
        colour, disabled, selected = self._colours
        chosen = {QIcon.Mode.Disabled: disabled, QIcon.Mode.Selected: selected}.get(mode, colour)
        renderer = QSvgRenderer(QByteArray(self._svg.replace("currentColor", chosen).encode()))
        painter.save()
        if mode is QIcon.Mode.Disabled:
            painter.setOpacity(painter.opacity() * 0.7)
        renderer.render(painter, QRectF(rect))  # type: ignore[call-overload]
        painter.restore()

    def scaledPixmap(self, size: QSize, mode: QIcon.Mode, state: QIcon.State, scale: float) -> QPixmap:
        # `size` is in logical pixels (since Qt 6.8): drawn with as many of the screen's own as they are.
        pixmap = self.pixmap(size * scale, mode, state)
        pixmap.setDevicePixelRatio(scale)
        return pixmap

    def pixmap(self, size: QSize, mode: QIcon.Mode, state: QIcon.State) -> QPixmap:
        pixmap = QPixmap(size)
        pixmap.fill(Qt.GlobalColor.transparent)
        painter = QPainter(pixmap)
        self.paint(painter, pixmap.rect(), mode, state)
        painter.end()
        return pixmap

    def clone(self) -> QIconEngine:
        return _Engine(self._svg, *self._colours)
