"""What several widgets paint with: the checkerboard, and figures of one width."""

from functools import lru_cache

from PySide6.QtGui import QBrush, QFont, QImage

#: The two greys of the checkerboard behind what is transparent, here and in the canvas.
CHECKER_LIGHT, CHECKER_DARK = 0xFF, 0xD0


def tabular(font: QFont) -> QFont:
    """The same with figures of one width, so that numbers stand under each other and do not shake while they count."""
    result = QFont(font)
    result.setFeature(QFont.Tag("tnum"), 1)
    return result


def checker(side: int) -> QBrush:
    """The checkerboard behind what is transparent; `side` of a square in logical pixels."""
    return QBrush(_tile(side))


@lru_cache(maxsize=4)
def _tile(side: int) -> QImage:
    grey = [[CHECKER_LIGHT if (x < side) is (y < side) else CHECKER_DARK for x in range(2 * side)] for y in range(2 * side)]
    return QImage(bytes(value for row in grey for value in row), 2 * side, 2 * side, 2 * side, QImage.Format.Format_Grayscale8).copy()
