"""The line at the window's foot: device, precision, network, times, size of the photo, zoom."""

from collections.abc import Mapping, Sequence

from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QWidget

from bgdesk.core.geometry import Size
from bgdesk.ui.kit import words
from bgdesk.ui.kit.controls import named
from bgdesk.ui.kit.theme import STATUS_HEIGHT

_FIELDS: tuple[tuple[str, str], ...] = (
    ("device", "Device"),
    ("precision", "Precision"),
    ("model", "Network"),
    ("timings", "Times of the last stages"),
    ("size", "Photo size"),
    ("zoom", "Zoom"),
)


class StatusBar(QFrame):
    """Shows facts about the engine on the left and the photo on the right. progress: the widget between them."""

    def __init__(self, progress: QWidget) -> None:
        super().__init__()
        self.setObjectName("status_bar")
        self.setFixedHeight(STATUS_HEIGHT)
        self._labels: dict[str, QLabel] = {}
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 0, 12, 0)
        row.setSpacing(0)
        for name, accessible in _FIELDS:
            label = QLabel()
            named(label, "status." + name, accessible)
            self._labels[name] = label
            if name == "size":
                row.addStretch(1)
                row.addWidget(progress)
            row.addWidget(label)

    def text(self, name: str) -> str:
        return self._labels[name].text().strip(" ·")

    def _set(self, name: str, text: str) -> None:
        """Show a field, with a dot before it unless it is the first of its side. An empty text hides both."""
        first = name in ("device", "size")
        self._labels[name].setText(("" if first else "  ·  ") + text if text else "")

    def show_engine(self, device: str, precision: str, model: str, notes: Sequence[str], instead_of: str = "") -> None:
        """Show the engine. device, precision: empty until it has started. notes: fall-backs of the device, for the tool tip.

        instead_of: the device that the settings ask for and that cannot be used; the notes say why.
        """
        shown = words.device(device) if device else "The engine starts with the first cut"
        self._set("device", f"{shown} in place of {words.device(instead_of)}" if instead_of else shown)
        self._set("precision", precision)
        self._set("model", model or "no network")
        self._labels["device"].setToolTip("\n".join(notes))

    def show_timings(self, timings: Mapping[str, float]) -> None:
        self._set("timings", words.timings(timings))

    def show_photo(self, size: Size | None) -> None:
        self._set("size", words.size(size) if size else "")

    def show_zoom(self, scale: float | None) -> None:
        self._set("zoom", words.percent(scale) if scale else "")
