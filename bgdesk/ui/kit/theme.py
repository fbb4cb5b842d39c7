"""Every colour of the window, in three themes, and the style sheet made of them."""

from dataclasses import dataclass
from string import Template

from PySide6.QtGui import QColor, QPalette

#: Sizes in logical pixels; an 8 px grid.
CONTROL_HEIGHT = 28
TOOL_STRIP_WIDTH = 48
INSPECTOR_WIDTH = 280
FILM_STRIP_HEIGHT = 96
STATUS_HEIGHT = 24
#: Windows can be used from this size on: a 1366 × 768 screen at 150 % has 910 × 512.
SMALLEST_WINDOW = (800, 460)


@dataclass(frozen=True)
class Tokens:
    """Colours as #rrggbb. `surround` lies beside the photo and is a true grey in every theme."""

    name: str
    dark: bool
    surround: str
    panel: str
    raised: str
    hover: str
    pressed: str
    field: str
    line: str
    edge: str
    text: str
    hint: str
    disabled: str
    accent: str
    accent_hover: str
    on_accent: str
    selected: str
    info: str
    warning: str
    error: str


DARK = Tokens(
    name="dark",
    dark=True,
    surround="#3c3c3c",
    panel="#2b2b2b",
    raised="#3a3a3a",
    hover="#454545",
    pressed="#505050",
    field="#222222",
    line="#1f1f1f",
    edge="#4a4a4a",
    text="#e8e8e8",
    hint="#a0a0a0",
    disabled="#6e6e6e",
    accent="#4c9aff",
    accent_hover="#6cacff",
    on_accent="#0b1a2e",
    selected="#34475f",
    info="#6cacff",
    warning="#f0b429",
    error="#ff7b72",
)
LIGHT = Tokens(
    name="light",
    dark=False,
    surround="#b8b8b8",
    panel="#f3f3f3",
    raised="#ffffff",
    hover="#e6e6e6",
    pressed="#d8d8d8",
    field="#ffffff",
    line="#d0d0d0",
    edge="#b4b4b4",
    text="#1c1c1c",
    hint="#5c5c5c",
    disabled="#9a9a9a",
    accent="#0b63ce",
    accent_hover="#0955b2",
    on_accent="#ffffff",
    selected="#cfe2fb",
    info="#0b63ce",
    warning="#8a5a00",
    error="#b3261e",
)
HIGH_CONTRAST = Tokens(
    name="high contrast",
    dark=True,
    surround="#202020",
    panel="#000000",
    raised="#000000",
    hover="#303030",
    pressed="#404040",
    field="#000000",
    line="#ffffff",
    edge="#ffffff",
    text="#ffffff",
    hint="#f0f0f0",
    disabled="#8c8c8c",
    accent="#ffd800",
    accent_hover="#ffe54d",
    on_accent="#000000",
    selected="#4a4000",
    info="#7fd0ff",
    warning="#ffd800",
    error="#ff9b94",
)


def choose(wish: str, *, system_dark: bool, system_contrast: bool) -> Tokens:
    """The theme for a setting ("system", "dark" or "light"). High contrast, if the system asks for it, comes before the setting."""
    if system_contrast:
        return HIGH_CONTRAST
    if wish == "dark" or (wish != "light" and system_dark):
        return DARK
    return LIGHT


def luminance(colour: str) -> float:
    """WCAG 2 relative luminance of #rrggbb, in [0, 1]."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """WCAG 2 contrast ratio, 1 to 21."""
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def palette(tokens: Tokens) -> QPalette:
    """The palette for what the style sheet does not reach, such as selections and placeholders."""
    result = QPalette()
    roles = {
        QPalette.ColorRole.Window: tokens.panel,
        QPalette.ColorRole.WindowText: tokens.text,
        QPalette.ColorRole.Base: tokens.field,
        QPalette.ColorRole.AlternateBase: tokens.raised,
        QPalette.ColorRole.Text: tokens.text,
        QPalette.ColorRole.Button: tokens.raised,
        QPalette.ColorRole.ButtonText: tokens.text,
        QPalette.ColorRole.BrightText: tokens.error,
        QPalette.ColorRole.Highlight: tokens.accent,
        QPalette.ColorRole.HighlightedText: tokens.on_accent,
        QPalette.ColorRole.ToolTipBase: tokens.raised,
        QPalette.ColorRole.ToolTipText: tokens.text,
        QPalette.ColorRole.PlaceholderText: tokens.hint,
        QPalette.ColorRole.Link: tokens.accent,
        QPalette.ColorRole.Accent: tokens.accent,
        QPalette.ColorRole.Light: tokens.edge,
        QPalette.ColorRole.Mid: tokens.edge,
        QPalette.ColorRole.Dark: tokens.line,
        QPalette.ColorRole.Shadow: tokens.line,
    }
    for role, colour in roles.items():
        result.setColor(role, QColor(colour))
    for role in (QPalette.ColorRole.WindowText, QPalette.ColorRole.Text, QPalette.ColorRole.ButtonText):
        result.setColor(QPalette.ColorGroup.Disabled, role, QColor(tokens.disabled))
    return result


def style_sheet(tokens: Tokens) -> str:
    return _SHEET.substitute({name: getattr(tokens, name) for name in Tokens.__dataclass_fields__}, control=CONTROL_HEIGHT)


_SHEET = Template("""
* { outline: none; }
QMainWindow, QDialog, QMessageBox { background: $panel; color: $text; }
QToolTip { background: $raised; color: $text; border: 1px solid $edge; padding: 4px 6px; }
QLabel { color: $text; background: transparent; }
QLabel:disabled { color: $disabled; }
QLabel[role="hint"] { color: $hint; }
QLabel[role="title"] { font-weight: 600; }
QLabel[role="badge"] { border: 1px solid $warning; border-radius: 4px; padding: 0 6px; }

QMenuBar { background: $panel; color: $text; border-bottom: 1px solid $line; padding: 1px 4px; }
QMenuBar::item { padding: 4px 8px; border-radius: 4px; background: transparent; }
QMenuBar::item:selected { background: $hover; }
QMenu { background: $panel; color: $text; border: 1px solid $edge; padding: 4px; }
QMenu::item { padding: 5px 24px 5px 8px; border-radius: 3px; }
QMenu::icon { padding-left: 6px; }
QMenu::item:selected { background: $accent; color: $on_accent; }
QMenu::item:disabled { color: $disabled; background: transparent; }
QMenu::separator { height: 1px; background: $edge; margin: 4px 6px; }

QPushButton, QToolButton[role="button"] {
  background: $raised; color: $text; border: 1px solid $edge; border-radius: 4px;
  min-height: 26px; max-height: 26px; padding: 0 12px; }
QPushButton:hover, QToolButton[role="button"]:hover { background: $hover; }
QPushButton:pressed, QToolButton[role="button"]:pressed { background: $pressed; }
QPushButton:disabled, QToolButton[role="button"]:disabled { color: $disabled; background: $panel; }
QPushButton:focus, QToolButton[role="button"]:focus { border: 1px solid $accent; }
QPushButton[role="main"], QToolButton[role="main"] {
  background: $accent; color: $on_accent; border: 1px solid $accent; border-radius: 4px; font-weight: 600;
  min-height: 30px; max-height: 30px; padding: 0 16px; }
QPushButton[role="main"]:hover, QToolButton[role="main"]:hover { background: $accent_hover; }
QPushButton[role="main"]:focus, QToolButton[role="main"]:focus { border: 2px solid $text; }
QPushButton[role="main"]:disabled, QToolButton[role="main"]:disabled { background: $raised; color: $disabled; border-color: $edge; }
QPushButton[role="accent"] { background: $accent; color: $on_accent; border: 1px solid $accent; font-weight: 600; }
QPushButton[role="accent"]:hover { background: $accent_hover; }
QPushButton[role="accent"]:focus { border: 2px solid $text; }
QPushButton[role="accent"]:disabled { background: $raised; color: $disabled; border-color: $edge; }
*[joined="left"] { border-top-right-radius: 0; border-bottom-right-radius: 0; }
*[joined="right"] { border-top-left-radius: 0; border-bottom-left-radius: 0; padding: 0 4px; }

QToolButton { background: transparent; color: $text; border: 1px solid transparent; border-radius: 4px; padding: 3px; }
QToolButton:hover { background: $hover; }
QToolButton:pressed { background: $pressed; }
QToolButton:checked { background: $selected; border: 1px solid $accent; }
QToolButton:focus { border: 1px solid $accent; }
QToolButton:disabled { color: $disabled; }
QToolButton::menu-indicator { image: none; }
QToolButton[role="chip"] { background: $panel; border: 1px solid $edge; padding: 2px 8px; min-height: 20px; }
QToolButton[role="chip"]:hover { background: $hover; }
QToolButton[role="chip"]:focus { border: 1px solid $accent; }
QToolButton[role="section"] { font-weight: 600; text-align: left; padding: 4px 4px; border-radius: 4px; }
QToolButton[role="segment"] { background: $raised; border: 1px solid $edge; border-radius: 4px; min-height: 26px; padding: 0 4px; }
QToolButton[role="segment"]:hover { background: $hover; }
QToolButton[role="segment"]:checked { background: $selected; border: 1px solid $accent; }
QToolButton[role="segment"]:focus { border: 1px solid $accent; }

QAbstractSpinBox, QLineEdit, QComboBox {
  background: $field; color: $text; border: 1px solid $edge; border-radius: 4px; min-height: 26px; max-height: 26px; padding: 0 6px;
  selection-background-color: $accent; selection-color: $on_accent; }
QAbstractSpinBox:focus, QLineEdit:focus, QComboBox:focus { border: 1px solid $accent; }
QAbstractSpinBox:disabled, QComboBox:disabled { color: $disabled; }
QAbstractSpinBox QLineEdit { border: none; padding: 0 8px; min-height: 0; background: transparent; }
QAbstractSpinBox { padding-right: 10px; }
QAbstractSpinBox::up-button, QAbstractSpinBox::down-button { width: 0; height: 0; border: none; }
QComboBox::drop-down { border: none; width: 24px; }
QComboBox QAbstractItemView { background: $panel; color: $text; border: 1px solid $edge; selection-background-color: $accent;
  selection-color: $on_accent; }

QSlider { min-height: 20px; }
QSlider::groove:horizontal { height: 4px; border-radius: 2px; background: $edge; }
QSlider::sub-page:horizontal { height: 4px; border-radius: 2px; background: $accent; }
QSlider::handle:horizontal { width: 14px; height: 14px; margin: -6px 0; border-radius: 7px; background: $text; border: 1px solid $line; }
QSlider::handle:horizontal:focus { border: 2px solid $accent; }
QSlider::sub-page:horizontal:disabled { background: $edge; }
QSlider::handle:horizontal:disabled { background: $disabled; }

QScrollArea { border: none; background: transparent; }
QScrollBar:vertical { width: 10px; background: transparent; }
QScrollBar:horizontal { height: 10px; background: transparent; }
QScrollBar::handle { background: $edge; border-radius: 4px; min-height: 24px; min-width: 24px; margin: 1px; }
QScrollBar::handle:hover { background: $hint; }
QScrollBar::add-line, QScrollBar::sub-line { width: 0; height: 0; }
QScrollBar::add-page, QScrollBar::sub-page { background: transparent; }

QCheckBox, QRadioButton { color: $text; spacing: 8px; }
QListView, QListWidget { background: $panel; color: $text; border: none; }
QTableWidget { background: $field; color: $text; border: 1px solid $edge; gridline-color: $line; }
QTableView#queue_table { background: $field; color: $text; border: none; border-top: 1px solid $line; border-bottom: 1px solid $line; }
QHeaderView { background: $panel; border: none; }
QHeaderView::section { background: $panel; color: $hint; border: none; border-bottom: 1px solid $line; padding: 4px 8px; }
QDialogButtonBox, QMessageBox { dialogbuttonbox-buttons-have-icons: 0; }

#tool_strip, #inspector, #film_strip { background: $panel; }
#inspector_body { background: $panel; }
#tool_strip { border-right: 1px solid $line; }
#inspector { border-left: 1px solid $line; }
#film_strip { border-top: 1px solid $line; }
QFrame[role="rule"] { background: $line; border: none; max-height: 1px; min-height: 1px; }
QSplitter::handle { background: $line; }

#status_bar { background: $panel; border-top: 1px solid $line; }
#status_bar QLabel { color: $hint; }

QFrame[objectName="message.bar"] { background: $raised; border: none; border-bottom: 1px solid $line; }
#stage { background: $surround; }
#status_bar QLabel[objectName="progress.stage"] { color: $text; }
#status_bar QToolButton { color: $text; border: 1px solid $edge; padding: 0 8px; }
#stage QProgressBar { background: transparent; border-radius: 0; max-height: 3px; min-height: 3px; }
#stage QProgressBar::chunk { border-radius: 0; }

#empty { background: $surround; }
#empty_target { background: $panel; border: 2px dashed $edge; border-radius: 8px; }
#empty_target[lit="true"] { border: 2px dashed $accent; background: $selected; }
#empty_title { font-size: 18px; font-weight: 600; }

QWidget[role="window"], QWidget[role="page"] { background: $panel; color: $text; }
QFrame[role="header"] { background: $panel; border-bottom: 1px solid $line; }
QFrame[role="footer"] { background: $panel; border-top: 1px solid $line; }
QFrame[role="target"] { background: $field; border: 1px solid $edge; border-radius: 4px; }
QFrame[role="target"][lit="true"] { border: 1px solid $accent; background: $selected; }
QFrame[role="target"] QListWidget { background: transparent; }
QListWidget::item { padding: 0 8px; border: none; color: $text; }
QListWidget::item:selected { background: $selected; color: $text; }
QLabel[role="heading"] { font-size: 18px; font-weight: 600; }
QLabel[role="error"] { color: $error; }
QFrame[objectName="fix.bar"] { background: $selected; border: none; border-bottom: 1px solid $accent; }

QProgressBar { background: $edge; border: none; border-radius: 2px; max-height: 4px; min-height: 4px; }
QProgressBar::chunk { background: $accent; border-radius: 2px; }
QFrame[role="card"] { background: $raised; border: 1px solid $edge; border-radius: 6px; }
""")
