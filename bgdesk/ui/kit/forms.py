"""Forms (captions on the left, controls on the right) and areas that scroll."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFormLayout, QFrame, QLabel, QScrollArea, QWidget

from bgdesk.ui.kit.theme import CONTROL_HEIGHT


def form() -> QFormLayout:
    """An empty form; fill it with `addRow(caption(…), control)`."""
    layout = QFormLayout()
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setHorizontalSpacing(12)
    layout.setVerticalSpacing(8)
    layout.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    layout.setLabelAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
    return layout


def caption(text: str, width: int | None = None, height: int = CONTROL_HEIGHT) -> QLabel:
    """The caption of a control, in the middle of the control's height. An empty one takes no height. width: fixed, if there is one."""
    label = QLabel(text)
    if width is not None:
        label.setFixedWidth(width)
    label.setFixedHeight(height if text else 1)
    label.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
    return label


def scrolling(body: QWidget, name: str) -> QScrollArea:
    """A frameless area that shows `body` and scrolls it up and down where it is too high."""
    area = QScrollArea()
    area.setObjectName(name)
    area.setWidgetResizable(True)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    area.setWidget(body)
    return area
