"""Everything a person can do from a menu or a key, as a table."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import Enum

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QActionGroup, QKeySequence
from PySide6.QtWidgets import QMenu, QMenuBar, QWidget

from bgdesk.ui.kit.icons import Icons


class Where(Enum):
    """Which keyboard focus a shortcut needs."""

    WINDOW = "window"
    CANVAS = "canvas"


@dataclass(frozen=True)
class Spec:
    """One action. `id` is its objectName; `menu` the menu it stands in ("" for none); `group` makes it one of an exclusive set.

    hint: what it does, for tool tips, where the text does not say it. short: the text on narrow buttons.
    A leading "-" in `menu` puts a separator before it.
    """

    id: str
    text: str
    menu: str
    shortcuts: tuple[str, ...] = ()
    icon: str = ""
    group: str = ""
    checkable: bool = False
    where: Where = Where.WINDOW
    hint: str = ""
    short: str = ""


ACTIONS: tuple[Spec, ...] = (
    Spec("action.open", "Open…", "File", ("Ctrl+O",), "open", hint="Open photos or a folder of them"),
    Spec("action.queue", "Folder queue…", "File", ("Ctrl+B",), "queue", hint="Cut out whole folders, without anybody at the screen"),
    Spec("action.sample", "Open a sample", "File", (), "sample"),
    Spec("action.export", "Export…", "-File", ("Ctrl+E",), "export", hint="Save the cut-out in the format used last"),
    Spec("action.export.png", "Export as PNG…", "File", (), hint="One picture with straight alpha"),
    Spec("action.export.psd", "Export as PSD…", "File", (), hint="Layers: the untouched photo, and the subject with its mask"),
    Spec(
        "action.put_back",
        "Put back into the queue",
        "File",
        ("Ctrl+Return",),
        hint="This cut-out replaces the queued one of the photo in review",
    ),
    Spec("action.close_photo", "Close photo", "-File", ("Ctrl+W",), "close"),
    Spec("action.quit", "Quit", "-File", ("Ctrl+Q",)),
    Spec("action.undo", "Undo", "Edit", ("Ctrl+Z",), "undo"),
    Spec("action.redo", "Redo", "Edit", ("Ctrl+Shift+Z", "Ctrl+Y"), "redo"),
    Spec("action.paste", "Paste", "-Edit", ("Ctrl+V",), "paste", hint="A picture, or copied files"),
    Spec("action.cut_again", "Cut out again", "-Edit", ("Ctrl+R",), "again", hint="Run the network anew on this photo; one undo step"),
    Spec(
        "action.recipe.default",
        "Make this the default for new photos",
        "-Edit",
        hint="New photos begin with this photo's edge, colours and quality",
    ),
    Spec(
        "action.recipe.all",
        "Apply to all open photos",
        "Edit",
        hint="Every open photo gets this photo's edge, colours and quality; one undo step for each",
    ),
    Spec("action.cancel", "Cancel", "Edit", ("Esc",), "", hint="Drop the stroke being drawn, or stop the work that runs"),
    Spec("action.settings", "Settings…", "-Edit", ("Ctrl+,",), "settings"),
    Spec(
        "tool.foreground", "Foreground brush", "Tools", ("1",), "foreground", "tools", True, hint="Paint what to keep", short="Foreground"
    ),
    Spec(
        "tool.background",
        "Background brush",
        "Tools",
        ("2",),
        "background",
        "tools",
        True,
        hint="Paint what to take away",
        short="Background",
    ),
    Spec(
        "tool.unknown",
        "Unknown brush",
        "Tools",
        ("3",),
        "unknown",
        "tools",
        True,
        hint="Paint hair and soft edges: the machine decides",
        short="Unknown",
    ),
    Spec("tool.pan", "Pan", "Tools", ("H",), "pan", "tools", True, hint="Move the photo; or hold Space"),
    Spec("action.brush", "Back to the brush", "-Tools", ("B",), "brush"),
    Spec("action.swap", "Swap foreground and background", "Tools", ("X",), "swap"),
    Spec("action.brush.smaller", "Smaller brush", "Tools", ("[",)),
    Spec("action.brush.larger", "Larger brush", "Tools", ("]",)),
    Spec("action.brush.finer_smaller", "Slightly smaller brush", "Tools", ("Shift+[",)),
    Spec("action.brush.finer_larger", "Slightly larger brush", "Tools", ("Shift+]",)),
    Spec("view.overlay", "Overlay", "View", (), "view-overlay", "views", True, hint="What is removed is dimmed and tinted"),
    Spec("view.checkerboard", "Checkerboard", "View", (), "view-checkerboard", "views", True),
    Spec("view.black", "Black", "View", (), "view-black", "views", True),
    Spec("view.white", "White", "View", (), "view-white", "views", True),
    Spec("view.alpha", "Alpha", "View", (), "view-alpha", "views", True, hint="Opacity as grey"),
    Spec("view.trimap", "Trimap", "View", (), "view-trimap", "views", True, hint="Foreground, background and unknown over the photo"),
    Spec("view.source", "Source", "View", (), "view-source", "views", True, hint="The photo as it is; or hold \\"),
    Spec("action.view.next", "Next view", "-View", ("F",), "view"),
    Spec("action.zoom.fit", "Fit in window", "-View", ("Ctrl+0",), "fit"),
    Spec("action.zoom.actual", "100 %", "View", ("Ctrl+1",), "actual"),
    Spec("action.zoom.in", "Zoom in", "View", ("Ctrl++", "Ctrl+="), "zoom-in"),
    Spec("action.zoom.out", "Zoom out", "View", ("Ctrl+-",), "zoom-out"),
    Spec("action.inspector", "Inspector", "-View", ("Tab",), "inspector", "", True, Where.CANVAS, "Show or hide the panel on the right"),
    Spec("action.photo.next", "Next photo", "-View", ("PgDown",)),
    Spec("action.photo.previous", "Previous photo", "View", ("PgUp",)),
    Spec("action.models", "Networks…", "Help", (), "network", hint="Install, import, check and remove networks"),
    Spec("action.shortcuts", "Keyboard and mouse", "Help", ("F1",), "keyboard"),
    Spec("action.about", "About bgdesk", "Help", (), "info"),
)


def label(spec: Spec) -> str:
    """The text without the dots that announce a dialog."""
    return spec.text.rstrip("…")


def tool_tip(spec: Spec) -> str:
    keys = QKeySequence(spec.shortcuts[0]).toString(QKeySequence.SequenceFormat.NativeText) if spec.shortcuts else ""
    head = f"{label(spec)} ({keys})" if keys else label(spec)
    return f"{head}\n{spec.hint}" if spec.hint else head


class Actions:
    """The table as QActions on `window`; `handlers` maps ids to what they do. Every action must have one."""

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
            if spec.where is Where.CANVAS:
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
