"""The settings: theme, device, precision, and the strength of the tint."""

from collections.abc import Callable
from dataclasses import replace

from PySide6.QtWidgets import QDialog, QDialogButtonBox, QVBoxLayout, QWidget

from bgdesk.app.system.settings import SETTINGS, Settings
from bgdesk.ui.editor.inspector import STANDARD_STRENGTH
from bgdesk.ui.kit.controls import Combo, NumberSlider, hint_label, named
from bgdesk.ui.kit.forms import caption, form


class SettingsDialog(QDialog):
    """Shows the settings. Every choice takes effect at once: `changed` gets all settings anew."""

    def __init__(self, parent: QWidget, settings: Settings, changed: Callable[[Settings], None]) -> None:
        super().__init__(parent)
        named(self, "dialog.settings", "Settings")
        self.setWindowTitle("Settings")
        self._settings, self._changed = settings, changed
        rows = form()
        for name in ("theme", "device", "precision"):
            rows.addRow(caption(SETTINGS[name].label), self._combo(name))
        rows.addRow(caption(""), hint_label("Device and precision change at the next start."))
        self._strength = NumberSlider("settings.overlay", SETTINGS["overlay"].label, 0, 100, STANDARD_STRENGTH, "%")
        self._strength.set_value(round(settings.overlay * 100))
        self._strength.changed.connect(lambda value: self._take("overlay", value / 100))
        rows.addRow(self._strength)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(24, 24, 24, 16)
        layout.setSpacing(24)
        layout.addLayout(rows)
        layout.addWidget(buttons)
        self.setMinimumWidth(420)

    def _combo(self, name: str) -> Combo:
        combo = Combo()
        named(combo, f"settings.{name}", SETTINGS[name].label)
        for value, text in SETTINGS[name].choices.items():
            combo.addItem(text, value)
        combo.setCurrentIndex(max(0, combo.findData(getattr(self._settings, name))))
        combo.activated.connect(lambda index: self._take(name, combo.itemData(index)))
        return combo

    def _take(self, field: str, value: object) -> None:
        self._settings = replace(self._settings, **{field: value})  # type: ignore[arg-type]
        self._changed(self._settings)
