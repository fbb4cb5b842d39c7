"""Small widgets that the panels are made of."""

import math
import time
from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, QPoint, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QAction, QMouseEvent, QPainter, QPaintEvent, QPalette, QPen
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QSlider,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from bgdesk.ui.kit.icons import SIZE, Icons

#: Steps of a logarithmic slider.
_FINE = 1000
#: Changes of a number that follow each other within so many seconds are one undo step.
_TOGETHER = 1.0


def named(widget: QWidget, name: str, accessible: str, hint: str = "") -> None:
    """Give a control the names that assistive programs, tests and scripts find it by."""
    widget.setObjectName(name)
    widget.setAccessibleName(accessible)
    if hint:
        widget.setToolTip(hint)


def role(widget: QWidget, value: str) -> None:
    """The style sheet's role of a widget: "main", "hint", "segment", …"""
    widget.setProperty("role", value)


def hint_label(text: str = "") -> QLabel:
    label = QLabel(text)
    role(label, "hint")
    label.setWordWrap(True)
    return label


def rule() -> QFrame:
    line = QFrame()
    role(line, "rule")
    return line


def action_button(action: QAction, look: str = "segment", text: bool = False, tab: bool = True) -> QToolButton:
    """A button with the text, icon, state and effect of `action`; `look` is its role in the style sheet."""
    button = QToolButton()
    button.setDefaultAction(action)
    button.setIconSize(QSize(SIZE, SIZE))
    style = Qt.ToolButtonStyle.ToolButtonTextBesideIcon if text else Qt.ToolButtonStyle.ToolButtonIconOnly
    button.setToolButtonStyle(style)
    button.setAccessibleName(action.text().rstrip("…"))
    # A click must not take the keyboard from the canvas; the Tab key still reaches the button.
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus if tab else Qt.FocusPolicy.NoFocus)
    role(button, look)
    return button


class _WheelScrolls(QObject):
    """Lets the wheel scroll the panel: it turns a control's value only where the control has the keyboard."""

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() is QEvent.Type.Wheel and isinstance(watched, QWidget) and not watched.hasFocus():
            event.ignore()  # on to the panel below
            return True
        return False


def wheel_scrolls(control: QWidget) -> None:
    """Keep the wheel from changing `control` on the way through a panel."""
    control.installEventFilter(_WheelScrolls(control))


class Combo(QComboBox):
    """A combo box whose arrow looks like the other icons."""

    def __init__(self) -> None:
        super().__init__()
        wheel_scrolls(self)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        group = QPalette.ColorGroup.Active if self.isEnabled() else QPalette.ColorGroup.Disabled
        painter.setPen(QPen(self.palette().color(group, QPalette.ColorRole.Text), 1.5))
        x, y = self.width() - 15.5, self.height() / 2 - 2
        painter.drawPolyline([QPointF(x, y), QPointF(x + 4, y + 4), QPointF(x + 8, y)])
        painter.end()


class Check(QCheckBox):
    """A check box in the theme's colours: the style's own has no outline on a dark panel."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.setMinimumHeight(24)

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        group = QPalette.ColorGroup.Active if self.isEnabled() else QPalette.ColorGroup.Disabled
        palette, ticked = self.palette(), self.isChecked()
        accent = palette.color(group, QPalette.ColorRole.Highlight if self.isEnabled() else QPalette.ColorRole.Mid)
        edge = accent if ticked or self.hasFocus() else palette.color(group, QPalette.ColorRole.Mid)
        painter.setPen(QPen(edge, 1.5 if self.hasFocus() else 1))
        painter.setBrush(accent if ticked else palette.color(group, QPalette.ColorRole.Base))
        box = QRectF(0.75, self.height() / 2 - 7.5, 15, 15)
        painter.drawRoundedRect(box, 3, 3)
        if ticked:
            painter.setPen(QPen(palette.color(group, QPalette.ColorRole.HighlightedText), 2))
            painter.drawPolyline([box.topLeft() + QPointF(x, y) for x, y in ((3.5, 7.8), (6.4, 10.7), (11.8, 4.8))])
        painter.setPen(palette.color(group, QPalette.ColorRole.WindowText))
        painter.drawText(self.rect().adjusted(24, 0, 0, 0), Qt.AlignmentFlag.AlignVCenter | Qt.TextFlag.TextShowMnemonic, self.text())
        painter.end()

    def sizeHint(self) -> QSize:
        return QSize(28 + self.fontMetrics().horizontalAdvance(self.text()), 24)

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def hitButton(self, pos: QPoint) -> bool:
        return self.rect().contains(pos)


class ResetLabel(QLabel):
    """A control's caption. `reset`: the person double-clicked it, to get the control's default back."""

    reset = Signal()

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.setToolTip("Double click to reset")

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.reset.emit()
        event.accept()


class NumberSlider(QWidget):
    """Shows a number as a slider and a number field under a caption. `changed(number)`: the person changed it.

    name: of the field; the slider is called `name`.slider. curved: the slider is logarithmic, which suits sizes.
    """

    changed = Signal(float)

    def __init__(
        self,
        name: str,
        caption: str,
        lowest: float,
        highest: float,
        standard: float,
        unit: str,
        *,
        curved: bool = False,
        decimals: int = 0,
        hint: str = "",
    ) -> None:
        super().__init__()
        self._lowest, self._highest, self._standard, self._curved = lowest, highest, standard, curved
        self._steps = _FINE if curved else round((highest - lowest) * (10 if decimals else 1))
        self._drag, self._dragged = object(), -math.inf
        self.caption = ResetLabel(caption)
        self.caption.setObjectName(name + ".label")
        self.slider = QSlider(Qt.Orientation.Horizontal)
        named(self.slider, name + ".slider", caption, hint)
        self.slider.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        wheel_scrolls(self.slider)
        self.slider.setRange(0, self._steps)
        self.slider.setPageStep(max(1, self._steps // (20 if curved else 10)))
        self.field = QDoubleSpinBox()
        named(self.field, name, caption, hint)
        self.field.setDecimals(decimals)
        self.field.setRange(lowest, highest)
        self.field.setSingleStep(0.1 if decimals else 1)
        self.field.setSuffix(" " + unit)
        self.field.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.field.setFixedWidth(76)
        self.field.setKeyboardTracking(False)
        self.field.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        wheel_scrolls(self.field)
        self.caption.setBuddy(self.field)
        row = QHBoxLayout()
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        row.addWidget(self.slider, 1)
        row.addWidget(self.field)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self.caption)
        layout.addLayout(row)
        self.set_value(standard)
        self.slider.valueChanged.connect(self._slid)
        self.field.valueChanged.connect(self._typed)
        self.caption.reset.connect(self.reset)

    @property
    def value(self) -> float:
        return self.field.value()

    @property
    def drag(self) -> object:
        """The same for changes that belong together: those of one drag, and those that follow each other within a second."""
        now = time.monotonic()
        if not self.slider.isSliderDown() and now - self._dragged > _TOGETHER:
            self._drag = object()
        self._dragged = now
        return self._drag

    def set_value(self, value: float) -> None:
        """Show a value without emitting `changed`."""
        if self.field.value() != value:
            blocked = self.field.blockSignals(True)
            self.field.setValue(value)
            self.field.blockSignals(blocked)
        position = self._to_slider(value)
        if self.slider.value() != position:
            blocked = self.slider.blockSignals(True)
            self.slider.setValue(position)
            self.slider.blockSignals(blocked)

    def reset(self) -> None:
        if self.value != self._standard:
            self.set_value(self._standard)
            self.changed.emit(self._standard)

    def _slid(self, position: int) -> None:
        blocked = self.field.blockSignals(True)
        self.field.setValue(self._from_slider(position))
        self.field.blockSignals(blocked)
        self.changed.emit(self.field.value())

    def _typed(self, value: float) -> None:
        self.set_value(value)
        self.changed.emit(value)

    def _to_slider(self, value: float) -> int:
        if self._curved:
            return round(_FINE * math.log(value / self._lowest) / math.log(self._highest / self._lowest))
        return round(self._steps * (value - self._lowest) / (self._highest - self._lowest))

    def _from_slider(self, position: int) -> float:
        if self._curved:
            ratio: float = self._highest / self._lowest
            return self._lowest * math.exp(math.log(ratio) * position / _FINE)
        return self._lowest + (self._highest - self._lowest) * position / self._steps


class Section(QWidget):
    """A part of a panel under a heading that folds it. `folded(state)`: the person folded or unfolded it.

    name: such as "panel.brush". on_reset: called by the reset button; without it there is none.
    """

    folded = Signal(bool)

    def __init__(self, name: str, title: str, on_reset: Callable[[], None] | None = None) -> None:
        super().__init__()
        self.name = name
        self._folded = False
        self._icons: Icons | None = None
        self.setObjectName(name)
        self._head = QToolButton()
        named(self._head, name + ".fold", f"{title} section")
        role(self._head, "section")
        self._head.setText(title)
        self._head.setCheckable(False)
        self._head.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self._head.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._head.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._head.setIconSize(QSize(14, 14))
        self._head.clicked.connect(lambda: self.set_folded(not self._folded, tell=True))
        head = QHBoxLayout()
        head.setContentsMargins(8, 0, 8, 0)
        head.addWidget(self._head, 1)
        self._reset: QToolButton | None = None
        if on_reset is not None:
            self._reset = QToolButton()
            named(self._reset, name + ".reset", f"Reset {title.lower()}", "Reset this section")
            self._reset.setIconSize(QSize(14, 14))
            self._reset.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            self._reset.clicked.connect(on_reset)
            head.addWidget(self._reset)
        self._body = QWidget()
        self.body = QVBoxLayout(self._body)
        self.body.setContentsMargins(16, 4, 16, 12)
        self.body.setSpacing(12)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 6, 0, 0)
        layout.setSpacing(2)
        layout.addLayout(head)
        layout.addWidget(self._body)
        layout.addWidget(rule())

    @property
    def is_folded(self) -> bool:
        return self._folded

    def set_folded(self, folded: bool, tell: bool = False) -> None:
        self._folded = folded
        self._body.setVisible(not folded)
        self._draw()
        if tell:
            self.folded.emit(folded)

    def tint(self, icons: Icons) -> None:
        self._icons = icons
        self._draw()
        if self._reset is not None:
            self._reset.setIcon(icons.icon("undo", icons.tokens.hint))

    def _draw(self) -> None:
        if self._icons is not None:
            self._head.setIcon(self._icons.icon("chevron-right" if self._folded else "chevron-down", self._icons.tokens.hint))


class GiveBackFocus(QObject):
    """Return and Esc in a number field give the keyboard back to the canvas, so that single keys are shortcuts again."""

    def __init__(self, target: QWidget) -> None:
        super().__init__(target)
        self._target = target

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        # The field handles the key first, so that it takes the number that was typed.
        if event.type() is QEvent.Type.KeyPress and event.key() in (  # type: ignore[attr-defined]
            Qt.Key.Key_Return,
            Qt.Key.Key_Enter,
            Qt.Key.Key_Escape,
        ):
            handled = watched.event(event)
            self._target.setFocus(Qt.FocusReason.OtherFocusReason)
            return handled
        return False
