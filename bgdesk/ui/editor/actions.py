"""Every command of the menus and the keyboard, as one table."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import Enum

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QActionGroup, QKeySequence
from PySide6.QtWidgets import QMenu, QMenuBar, QWidget

from bgdesk.core.formats import Format
from bgdesk.ui.kit.icons import Icons


class ShortcutScope(Enum):
    """Where the keyboard focus must be for a shortcut."""

    WINDOW = "window"
    CANVAS = "canvas"


@dataclass(frozen=True)
class ActionSpec:
    """One command."""

    id: str  #: its objectName
    text: str  #: in menus; dots at the end announce a dialog
    menu: str  #: the menu's title; with "-" in front, a separator comes first
    shortcuts: tuple[str, ...] = ()
    icon: str = ""  #: a file of resources/icons, without its suffix
    group: str = ""  #: of the commands of one group exactly one is checked
    checkable: bool = False
    scope: ShortcutScope = ShortcutScope.WINDOW
    hint: str = ""  #: for the tool tip, where the text does not say enough
    short: str = ""  #: text for narrow buttons


def export_id(format: Format) -> str:
    """The id of the command that exports in this format."""
    return f"action.export.{format.value}"


ACTIONS: tuple[ActionSpec, ...] = (
    ActionSpec("action.open", "Open…", "File", ("Ctrl+O",), "open", hint="Open photos or a folder of them"),
    ActionSpec("action.queue", "Folder queue…", "File", ("Ctrl+B",), "queue", hint="Cut out whole folders while you do something else"),
    ActionSpec("action.sample", "Open a sample", "File", (), "sample"),
    ActionSpec("action.export", "Export…", "-File", ("Ctrl+E",), "export", hint="Save the cut-out in the format used last"),
    *(ActionSpec(export_id(format), f"Export as {format.facts.title}…", "File", (), hint=format.facts.hint) for format in Format),
    ActionSpec(
        "action.put_back",
        "Put back into the queue",
        "File",
        ("Ctrl+Return",),
        hint="Use this cut-out in place of the queued one",
    ),
    ActionSpec("action.close_photo", "Close photo", "-File", ("Ctrl+W",), "close"),
    ActionSpec("action.quit", "Quit", "-File", ("Ctrl+Q",)),
    ActionSpec("action.undo", "Undo", "Edit", ("Ctrl+Z",), "undo"),
    ActionSpec("action.redo", "Redo", "Edit", ("Ctrl+Shift+Z", "Ctrl+Y"), "redo"),
    ActionSpec("action.paste", "Paste", "-Edit", ("Ctrl+V",), "paste", hint="A picture, or copied files"),
    ActionSpec(
        "action.cut_again", "Cut out again", "-Edit", ("Ctrl+R",), "again", hint="Run the network again on this photo; one undo step"
    ),
    ActionSpec(
        "action.recipe.default",
        "Make this the default for new photos",
        "-Edit",
        hint="New photos begin with this photo's edge, colours and quality",
        short="Default for new photos",
    ),
    ActionSpec(
        "action.recipe.all",
        "Apply to all open photos",
        "Edit",
        hint="Every open photo gets this photo's edge, colours and quality; one undo step for each",
        short="Apply to all photos",
    ),
    ActionSpec("action.cancel", "Cancel", "Edit", ("Esc",), "", hint="Drop the present stroke, or stop the work under way"),
    ActionSpec("action.settings", "Settings…", "-Edit", ("Ctrl+,",), "settings"),
    ActionSpec(
        "tool.foreground", "Foreground brush", "Tools", ("1",), "foreground", "tools", True, hint="Paint what to keep", short="Foreground"
    ),
    ActionSpec(
        "tool.background",
        "Background brush",
        "Tools",
        ("2",),
        "background",
        "tools",
        True,
        hint="Paint what to remove",
        short="Background",
    ),
    ActionSpec(
        "tool.unknown",
        "Unknown brush",
        "Tools",
        ("3",),
        "unknown",
        "tools",
        True,
        hint="Paint hair and soft edges: bgdesk finds the edge there",
        short="Unknown",
    ),
    ActionSpec("tool.pan", "Pan", "Tools", ("H",), "pan", "tools", True, hint="Move the photo; or hold Space"),
    ActionSpec("action.brush", "Back to the brush", "-Tools", ("B",), "brush"),
    ActionSpec("action.swap", "Swap foreground and background", "Tools", ("X",), "swap"),
    ActionSpec("action.brush.smaller", "Smaller brush", "Tools", ("[",)),
    ActionSpec("action.brush.larger", "Larger brush", "Tools", ("]",)),
    ActionSpec("action.brush.finer_smaller", "Slightly smaller brush", "Tools", ("Shift+[",)),
    ActionSpec("action.brush.finer_larger", "Slightly larger brush", "Tools", ("Shift+]",)),
    ActionSpec("view.overlay", "Overlay", "View", (), "view-overlay", "views", True, hint="What is removed is dimmed and tinted"),
    ActionSpec("view.checkerboard", "Checkerboard", "View", (), "view-checkerboard", "views", True),
    ActionSpec("view.black", "Black", "View", (), "view-black", "views", True),
    ActionSpec("view.white", "White", "View", (), "view-white", "views", True),
    ActionSpec("view.alpha", "Alpha", "View", (), "view-alpha", "views", True, hint="Opacity as grey"),
    ActionSpec("view.trimap", "Trimap", "View", (), "view-trimap", "views", True, hint="Foreground, background and unknown over the photo"),
    ActionSpec("view.source", "Source", "View", (), "view-source", "views", True, hint="The photo as it is; or hold \\"),
    ActionSpec("action.view.next", "Next view", "-View", ("F",), "view"),
    ActionSpec("action.zoom.fit", "Fit in window", "-View", ("Ctrl+0",), "fit"),
    ActionSpec("action.zoom.actual", "100 %", "View", ("Ctrl+1",), "actual"),
    ActionSpec("action.zoom.in", "Zoom in", "View", ("Ctrl++", "Ctrl+="), "zoom-in"),
    ActionSpec("action.zoom.out", "Zoom out", "View", ("Ctrl+-",), "zoom-out"),
    ActionSpec(
        "action.inspector",
        "Inspector",
        "-View",
        ("Tab",),
        "inspector",
        "",
        True,
        ShortcutScope.CANVAS,
        "Show or hide the panel on the right",
    ),
    ActionSpec("action.photo.next", "Next photo", "-View", ("PgDown",)),
    ActionSpec("action.photo.previous", "Previous photo", "View", ("PgUp",)),
    ActionSpec("action.models", "Networks…", "Help", (), "network", hint="Install, import, check and remove networks"),
    ActionSpec("action.shortcuts", "Keyboard and mouse", "Help", ("F1",), "keyboard"),
    ActionSpec("action.about", "About bgdesk", "Help", (), "info"),
)


def label(spec: ActionSpec) -> str:
    """The text without dots at the end."""
    return spec.text.rstrip("…")


def tool_tip(spec: ActionSpec) -> str:
    """The text, the shortcut and the hint."""
    keys = QKeySequence(spec.shortcuts[0]).toString(QKeySequence.SequenceFormat.NativeText) if spec.shortcuts else ""
    head = f"{label(spec)} ({keys})" if keys else label(spec)
    return f"{head}\n{spec.hint}" if spec.hint else head


class Actions:
    """The table as QActions of `window`. handlers: a function for each id."""

    def __init__(self, window: QWidget, canvas: QWidget, handlers: Mapping[str, Callable[[], None]]) -> None:
        self._actions: dict[str, QAction] = {}
        self._groups: dict[str, QActionGroup] = {}
        for spec in ACTIONS:
            action = QAction(spec.text, window)
            action.setObjectName(spec.id)
            action.setShortcuts([QKeySequence(keys) for keys in spec.shortcuts])
            action.setToolTip(tool_tip(spec))
            if spec.short:
                action.setIconText(spec.short)
            action.setCheckable(spec.checkable)
            if spec.scope is ShortcutScope.CANVAS:
                action.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
                canvas.addAction(action)
            else:
                window.addAction(action)
            if spec.group:
                group = self._groups.setdefault(spec.group, QActionGroup(window))
                group.addAction(action)
            handler = handlers[spec.id]
            action.triggered.connect(lambda _checked=False, handler=handler: handler())
            self._actions[spec.id] = action

    def __getitem__(self, id: str) -> QAction:
        return self._actions[id]

    def say(self, id: str, text: str) -> None:
        """Show another text for an action, such as what Undo would take back."""
        action = self._actions[id]
        if action.text() != text:
            action.setText(text)
            spec = next(spec for spec in ACTIONS if spec.id == id)
            action.setToolTip(tool_tip(replace(spec, text=text)))

    def tint(self, icons: Icons) -> None:
        """Give every action its icon in the colours of a theme."""
        for spec in ACTIONS:
            if spec.icon:
                self._actions[spec.id].setIcon(icons.icon(spec.icon))

    def fill(self, bar: QMenuBar) -> None:
        """Build the menus."""
        menus: dict[str, QMenu] = {}
        for spec in ACTIONS:
            title = spec.menu.lstrip("-")
            if title not in menus:
                menus[title] = bar.addMenu("&" + title)
                menus[title].setObjectName("menu." + title.lower())
                menus[title].setToolTipsVisible(False)
            if spec.menu.startswith("-"):
                menus[title].addSeparator()
            menus[title].addAction(self._actions[spec.id])
