"""The brush's outline under the pointer: visible on any ground, quiet enough to judge an edge through it."""

from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen

from bgdesk.core.trimap import Label
from bgdesk.ui.canvas.render import LABEL_COLOURS

#: From this diameter on a cross marks the middle, in logical pixels.
CROSS_FROM = 20
_SMALLEST = 3.0
_DOT = 4.0


@dataclass(frozen=True)
class Outline:
    """centre, radius: in the canvas's logical pixels."""

    centre: QPointF
    radius: float
    label: Label

    @property
    def bounds(self) -> QRect:
        """Every pixel that `draw` may touch."""
        reach = max(self.radius, _SMALLEST) + 2 * _DOT + 4
        return QRectF(self.centre.x() - reach, self.centre.y() - reach, 2 * reach, 2 * reach).toAlignedRect()

    def draw(self, painter: QPainter) -> None:
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        radius = max(self.radius, _SMALLEST)
        # Dark outside, light inside: one of the two shows on any ground.
        for colour, width, at in ((QColor(0, 0, 0, 170), 1.5, radius + 0.75), (QColor(255, 255, 255, 235), 1.25, radius - 0.4)):
            painter.setPen(QPen(colour, width))
            painter.drawEllipse(self.centre, at, at)
        if 2 * radius >= CROSS_FROM:
            for colour, width in ((QColor(0, 0, 0, 150), 2.5), (QColor(255, 255, 255, 235), 1.0)):
                painter.setPen(QPen(colour, width, Qt.PenStyle.SolidLine, Qt.PenCapStyle.FlatCap))
                arm = 4 if width < 2 else 4.75
                painter.drawLine(self.centre - QPointF(arm, 0), self.centre + QPointF(arm, 0))
                painter.drawLine(self.centre - QPointF(0, arm), self.centre + QPointF(0, arm))
        offset = (radius + _DOT) * 0.7071 + 1
        painter.setPen(QPen(QColor(255, 255, 255), 1.25))
        painter.setBrush(QColor(*LABEL_COLOURS[self.label]))
        painter.drawEllipse(self.centre + QPointF(offset, offset), _DOT, _DOT)
        painter.restore()
