"""The photo on the screen: shows a Scene through a Viewport, and turns pointer events into gestures for the tools."""

from PySide6.QtCore import QEvent, QPointF, QRect, QRectF, Qt, QTimer, QVariantAnimation, Signal
from PySide6.QtGui import (
    QColor,
    QCursor,
    QEnterEvent,
    QFocusEvent,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QNativeGestureEvent,
    QPainter,
    QPaintEvent,
    QPointingDevice,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QWidget

from bgdesk.core.geometry import Rect, Size
from bgdesk.core.recipe import EdgeRecipe
from bgdesk.core.trimap import Label
from bgdesk.ui.canvas.brush_outline import Outline
from bgdesk.ui.canvas.frame import Frame
from bgdesk.ui.canvas.render import Layers, Look, Scene, View
from bgdesk.ui.canvas.tools import Brush, BrushTool, PanTool, PointerEvent, PointerTool, SizeTool, Strokes, Tool, swapped
from bgdesk.ui.canvas.viewport import Point, Viewport
from bgdesk.ui.kit import system

#: Longest time anything moves by itself, in milliseconds.
FADE_MS = 150
#: Zoom of one notch of a wheel: four notches double it.
_NOTCH = 2**0.25
#: How long everything rests before a frame that was drawn coarsely is made exact, in milliseconds.
REST_MS = 100


class Canvas(QWidget):
    """Shows one document. Everything inside is in device pixels; Qt's logical pixels end at the event handlers.

    A frame is kept as bytes between paints; only rectangles that changed are composed anew, and the brush outline is drawn over the
    frame, so that following the pointer costs no composition at all.
    """

    zoomed = Signal()
    #: The source is shown while a key is held: the window's view label follows.
    peeked = Signal(bool)
    resting = Signal()

    def __init__(self, strokes: Strokes, brush: Brush, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("canvas")
        self.setAccessibleName("Photo")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setMinimumSize(160, 120)
        self._brush = brush
        self.brush_tool = BrushTool(strokes, brush, self._show_paint, lambda: self._scene is not None)
        self._pan_tool = PanTool(self._pan)
        self._size_tool = SizeTool(brush, lambda: self._viewport.scale if self._viewport else 1.0)
        self._held: PointerTool | None = None
        self._tool = Tool.BRUSH
        self._space = False
        self._alt = False
        self._scene: Scene | None = None
        self._viewport: Viewport | None = None
        self._fits = True
        self._look = Look()
        self._peek = False
        self._surround = QColor("#3c3c3c")
        self._edge = EdgeRecipe()
        self._frame = Frame()
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.timeout.connect(self._sharpen)
        self._idle = QTimer(self)
        self._idle.setSingleShot(True)
        self._idle.timeout.connect(self._warm)
        self._pointer: QPointF | None = None
        self._drawn: QRect | None = None  # where the outline was painted last
        self._lowered = 0  # by how much the upper edge has sunk since the last frame, in logical pixels
        self._fade = QVariantAnimation(self)
        self._fade.setDuration(FADE_MS)
        self._fade.setStartValue(0.0)
        self._fade.setEndValue(1.0)
        self._fade.valueChanged.connect(self._faded)
        brush.changed.connect(self._follow_pointer)

    # What is shown.

    def show_document(self, document: Layers | None) -> None:
        """Show another document, fitted into the window; None shows the empty surround."""
        self.cancel()
        self.brush_tool.forget()
        self._fade.stop()
        self._scene = None if document is None else Scene(document)
        if self._scene is not None:
            self._scene.set_edge(self._edge)
        self._viewport = None
        self._fits = True
        self._rebuild()
        self._set_cursor()
        self.zoomed.emit()

    @property
    def scene(self) -> Scene | None:
        return self._scene

    @property
    def viewport(self) -> Viewport | None:
        return self._viewport

    @property
    def look(self) -> Look:
        return self._look

    @property
    def view(self) -> View:
        """The view that is on the screen now."""
        return View.SOURCE if self._peek else self._look.view

    def set_view(self, view: View) -> None:
        self._set_look(Look(view, self._look.strength, 1.0, self._look.unit))

    def set_strength(self, strength: float) -> None:
        self._set_look(Look(self._look.view, strength, self._look.reveal, self._look.unit))

    def set_edge(self, edge: EdgeRecipe) -> None:
        """Show alpha finished like this from now on, also of the documents that are shown later."""
        if edge == self._edge:
            return
        self._edge = edge
        if self._scene is not None and self._viewport is not None:
            self._frame.set_edge(self._scene, self._viewport, edge)
            self.update()

    def set_surround(self, colour: str) -> None:
        self._surround = QColor(colour)
        self._rebuild()

    def peek(self, on: bool) -> None:
        """Show the source for as long as a key is held."""
        if on != self._peek:
            self._peek = on
            self._redraw_all()
            self.peeked.emit(on)

    def alpha_changed(self, rect: Rect, keep: tuple[Rect, ...], first: bool) -> None:
        """New opacity in `rect`. Paint there comes off, but for `keep`, which still waits for its own."""
        if self._scene is None:
            return
        self._scene.alpha_changed(rect)
        self._frame.moved()
        self._scene.wipe(rect, (*keep, self.brush_tool.touched))
        if first and not system.reduced_motion():
            self._faded(0.0)  # at once, or a frame of the whole matte would flash up before the first step
            self._fade.start()
        self._stain(rect if self._viewport is None else self._frame.seen_from(self._scene, self._viewport, rect))

    def labels_changed(self, rect: Rect) -> None:
        if self._scene is not None:
            self._scene.labels_changed(rect)
            if self.view is View.TRIMAP:
                self._stain(rect)

    def foreground_changed(self, rect: Rect) -> None:
        if self._scene is not None:
            self._scene.foreground_changed(rect)
            if self.view in (View.CHECKERBOARD, View.BLACK, View.WHITE):
                self._stain(rect)

    def settle_paint(self, keep: tuple[Rect, ...]) -> None:
        """Take off all paint outside `keep`, the rectangles whose alpha is still awaited: what was cancelled, undone or failed."""
        if self._scene is not None and not self._scene.painted.empty and not self.brush_tool.active:
            rect = self._scene.painted
            self._scene.wipe(rect, keep)
            self._stain(rect)

    # Zoom and pan.

    def fit(self) -> None:
        self._fits = True
        if self._scene is not None:
            self._go(Viewport.fitted(self._scene.size, self._screen, self.devicePixelRatioF()), fits=True)

    def actual_size(self) -> None:
        if self._viewport is not None:
            self._go(self._viewport.zoomed_to_centre(1.0))

    def show_place(self, place: tuple[float, float], scale: float) -> None:
        """Bring a place of the photo, (x, y), to the middle at this zoom (1 is 100 %)."""
        if self._viewport is not None:
            viewport = self._viewport.zoomed_to_centre(scale)
            x, y = viewport.to_screen(*place)
            self._go(viewport.panned(self._screen.width / 2 - x, self._screen.height / 2 - y))

    def zoom_step(self, direction: int) -> None:
        if self._viewport is not None:
            self._go(self._viewport.stepped(direction))

    @property
    def _screen(self) -> Size:
        ratio = self.devicePixelRatioF()
        return Size(max(1, round(self.width() * ratio)), max(1, round(self.height() * ratio)))

    def _go(self, viewport: Viewport, fits: bool = False) -> None:
        self._fits = fits
        if viewport != self._viewport:
            self._viewport = viewport
            self._frame.moved()
            self._redraw_all()
            self._follow_pointer()
            self.zoomed.emit()

    def _pan(self, dx: float, dy: float) -> None:
        if self._viewport is not None:
            self._go(self._viewport.panned(dx, dy))

    # Tools.

    @property
    def tool(self) -> Tool:
        return self._tool

    def set_tool(self, tool: Tool) -> None:
        self._tool = tool
        self._set_cursor()

    @property
    def held(self) -> bool:
        """Whether the person is painting or dragging; `resting` is emitted when that ends."""
        return self._held is not None

    def cancel(self) -> bool:
        """Drop what is being dragged; False if nothing was."""
        tool, self._held = self._held, None
        if tool is None:
            return False
        active = tool.active
        if active:
            tool.cancel()
            self._set_cursor()
        self.resting.emit()
        return active

    def _show_paint(self, start: Point, end: Point, radius: float, label: Label) -> Rect:
        if self._scene is None:
            return Rect(0, 0, 0, 0)
        rect = self._scene.paint(start, end, radius, label)
        self._stain(rect)
        return rect

    def _gesture(self, position: QPointF, modifiers: Qt.KeyboardModifier) -> PointerEvent:
        ratio = self.devicePixelRatioF()
        screen = Point(position.x() * ratio, position.y() * ratio)
        photo = self._viewport.to_photo(*screen) if self._viewport else screen
        return PointerEvent(
            photo, screen, bool(modifiers & Qt.KeyboardModifier.ShiftModifier), bool(modifiers & Qt.KeyboardModifier.AltModifier)
        )

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if self._scene is None or self._held is not None:
            return
        button = event.button()
        if button is Qt.MouseButton.MiddleButton or (button is Qt.MouseButton.LeftButton and (self._space or self._tool is Tool.PAN)):
            self._held = self._pan_tool
        elif button is Qt.MouseButton.LeftButton:
            self._held = self.brush_tool
        elif button is Qt.MouseButton.RightButton and self._tool is Tool.BRUSH:
            self._held = self._size_tool
        else:
            return
        self._held.press(self._gesture(event.position(), event.modifiers()))
        self._set_cursor()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._held is not None:
            self._held.move(self._gesture(event.position(), event.modifiers()))
        if self._held is not self._size_tool:  # the outline stays where its size is being set
            self._pointer = event.position()
        self._set_alt(event.modifiers())
        self._follow_pointer()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        pressed = {Qt.MouseButton.LeftButton, Qt.MouseButton.MiddleButton, Qt.MouseButton.RightButton}
        if self._held is None or event.button() not in pressed or event.buttons() & ~event.button() & Qt.MouseButton.LeftButton:
            return
        tool, self._held = self._held, None
        tool.release(self._gesture(event.position(), event.modifiers()))
        self._pointer = event.position()
        self._set_cursor()
        self._follow_pointer()
        self.resting.emit()

    def wheelEvent(self, event: QWheelEvent) -> None:
        if self._viewport is None:
            return
        ratio = self.devicePixelRatioF()
        gliding = event.phase() is not Qt.ScrollPhase.NoScrollPhase and event.device().type() is QPointingDevice.DeviceType.TouchPad
        if gliding and not event.modifiers() & Qt.KeyboardModifier.ControlModifier:  # two fingers on a touch pad move the photo
            self._pan(event.pixelDelta().x() * ratio, event.pixelDelta().y() * ratio)
        else:
            turns = (event.angleDelta().y() or event.angleDelta().x()) / 120
            position = event.position() * ratio
            self._go(self._viewport.zoomed(self._viewport.scale * _NOTCH**turns, position.x(), position.y()))
        event.accept()

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QNativeGestureEvent) and event.gestureType() is Qt.NativeGestureType.ZoomNativeGesture:
            if self._viewport is not None:
                position = event.position() * self.devicePixelRatioF()
                self._go(self._viewport.zoomed(self._viewport.scale * (1 + event.value()), position.x(), position.y()))
            return True
        if event.type() is QEvent.Type.DevicePixelRatioChange:
            self._resized()
        return super().event(event)

    # Keys that act while they are held.

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Space:
            if not event.isAutoRepeat():
                self._space = True
                self._set_cursor()
        elif event.key() == Qt.Key.Key_Backslash:
            self.peek(True)
        elif event.key() == Qt.Key.Key_Alt:
            self._set_alt(event.modifiers() | Qt.KeyboardModifier.AltModifier)
        else:
            super().keyPressEvent(event)

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        if event.isAutoRepeat():
            return
        if event.key() == Qt.Key.Key_Space:
            self._space = False
            self._set_cursor()
        elif event.key() == Qt.Key.Key_Backslash:
            self.peek(False)
        elif event.key() == Qt.Key.Key_Alt:
            self._set_alt(Qt.KeyboardModifier.NoModifier)
        else:
            super().keyReleaseEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        # Releases of held keys go to another window from here on.
        self._space = False
        self._set_alt(Qt.KeyboardModifier.NoModifier)
        self.peek(False)
        self._set_cursor()
        super().focusOutEvent(event)
        self.update()

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.update()

    def _set_alt(self, modifiers: Qt.KeyboardModifier) -> None:
        alt = bool(modifiers & Qt.KeyboardModifier.AltModifier)
        if alt != self._alt:
            self._alt = alt
            self._follow_pointer()

    # The pointer.

    def enterEvent(self, event: QEnterEvent) -> None:
        self._pointer = event.position()
        self._follow_pointer()

    def leaveEvent(self, event: QEvent) -> None:
        if self._held is None:
            self._pointer = None
            self._follow_pointer()

    def _outline(self) -> Outline | None:
        if self._pointer is None or self._viewport is None or self._shows_hand():
            return None
        label = swapped(self._brush.label) if self._alt and self._held is None else self._brush.label
        return Outline(self._pointer, self._brush.radius * self._viewport.scale / self.devicePixelRatioF(), label)

    def _follow_pointer(self) -> None:
        """Repaint where the outline was and where it is now."""
        outline = self._outline()
        bounds = outline.bounds if outline is not None else None
        for rect in (self._drawn, bounds):
            if rect is not None:
                self.update(rect)
        self._drawn = bounds

    def _shows_hand(self) -> bool:
        return self._held is self._pan_tool or (self._held is None and (self._tool is Tool.PAN or self._space))

    def _set_cursor(self) -> None:
        if self._scene is None:
            self.unsetCursor()
        elif self._shows_hand():
            closed = self._held is self._pan_tool
            self.setCursor(QCursor(Qt.CursorShape.ClosedHandCursor if closed else Qt.CursorShape.OpenHandCursor))
        else:
            self.setCursor(QCursor(Qt.CursorShape.BlankCursor))
        self._follow_pointer()

    # Painting.

    def place(self, area: QRect) -> None:
        """Take this part of the parent. A photo that is zoomed stays where it is on the screen when the upper edge moves."""
        self._lowered += area.top() - self.y()
        self.setGeometry(area)

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._resized()

    def _resized(self) -> None:
        before = self._viewport
        lowered, self._lowered = self._lowered * self.devicePixelRatioF(), 0
        if before is not None and not self._fits:
            self._viewport = before.resized(self._screen, lowered)
        self._rebuild()
        if self._viewport != before:
            self.zoomed.emit()

    def _rebuild(self) -> None:
        """A frame for the window's present size, all of it to be drawn."""
        screen = self._screen
        self._frame.resize(screen)
        self._look = Look(self._look.view, self._look.strength, self._look.reveal, self.devicePixelRatioF())
        if self._scene is not None and (self._viewport is None or self._fits):
            self._viewport = Viewport.fitted(self._scene.size, screen, self.devicePixelRatioF())
        self._frame.moved()
        self._redraw_all()

    def _redraw_all(self) -> None:
        self._frame.spoil()
        self.update()

    def _stain(self, rect: Rect) -> None:
        """Photo pixels changed: compose their part of the screen again."""
        if self._viewport is None:
            return
        on_screen = self._viewport.screen_rect(rect)
        if on_screen.empty:
            return
        self._frame.spoil(on_screen)
        ratio = self.devicePixelRatioF()
        left, top, right, bottom = (edge / ratio for edge in on_screen)
        self.update(QRectF(left, top, right - left, bottom - top).toAlignedRect())

    def _set_look(self, look: Look) -> None:
        if look != self._look:
            self._look = look
            self._redraw_all()

    def _faded(self, value: float) -> None:
        self._set_look(Look(self._look.view, self._look.strength, float(value), self._look.unit))

    def _warm(self) -> None:
        """Nothing waits in the event queue: go on towards a frame that is less coarse."""
        if self._scene is not None and self._viewport is not None and self._frame.coarse:
            if self._frame.warm(self._scene, self._viewport):
                self._idle.start(0)
            elif self._frame.stale:
                self.update()

    def _sharpen(self) -> None:
        """Everything has rested: make the frame exact, piece by piece, as long as nothing moves."""
        if self._scene is None or self._viewport is None or not self._frame.coarse:
            return
        if self._frame.prepare(self._scene, self._viewport):
            self.update()
        else:
            self._rest.start(0)

    def paintEvent(self, event: QPaintEvent) -> None:
        if self._frame.size != self._screen:
            self._resized()
        colour = self._surround
        look = Look(self.view, self._look.strength, self._look.reveal, self._look.unit)
        self._frame.compose(self._scene, self._viewport, look, (colour.red(), colour.green(), colour.blue()))
        if self._frame.coarse:
            self._idle.start(0)
            self._rest.start(REST_MS)
        pixels = self._frame.pixels
        height, width = pixels.shape[:2]
        image = QImage(pixels.data, width, height, 4 * width, QImage.Format.Format_RGB32)
        image.setDevicePixelRatio(self.devicePixelRatioF())
        painter = QPainter(self)
        painter.setClipRegion(event.region())
        painter.drawImage(QPointF(0, 0), image)
        outline = self._outline()
        if outline is not None:
            outline.draw(painter)
        painter.end()
