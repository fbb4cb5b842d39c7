"""What the session tells whoever shows it. Events are values; views read the session's state when one arrives."""

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from enum import Enum
from pathlib import Path
from typing import TypeAlias

from bgdesk.core.geometry import Rect
from bgdesk.core.recipe import ExportRecipe


class Severity(Enum):
    """How a message is shown."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Offer(Enum):
    """What a message offers to do; the window shows each as a button."""

    INSTALL_MODEL = "install_model"
    IMPORT_MODEL = "import_model"
    SHOW_IN_FOLDER = "show_in_folder"
    MAKE_QUEUE = "make_queue"
    RESUME_QUEUE = "resume_queue"
    LATER = "later"


@dataclass(frozen=True)
class PhotosChanged:
    """A photo was added, removed, or changed its state (see Session.photos)."""


@dataclass(frozen=True)
class PhotoShown:
    """Another photo is current (or none): repaint everything."""


@dataclass(frozen=True)
class LabelsChanged:
    """Labels of the current photo changed."""

    rect: Rect  #: outside this rectangle nothing changed


@dataclass(frozen=True)
class AlphaChanged:
    """The solved alpha of the current photo changed."""

    rect: Rect  #: outside this rectangle nothing changed
    first: bool = False  #: this is the network's first answer


@dataclass(frozen=True)
class ForegroundChanged:
    """The foreground of the current photo changed."""

    rect: Rect  #: outside this rectangle nothing changed


@dataclass(frozen=True)
class RecipeChanged:
    """The current photo's recipe changed (see Session.recipe)."""


@dataclass(frozen=True)
class HistoryChanged:
    """What undo and redo would do changed."""


@dataclass(frozen=True)
class BusyChanged:
    """Work began, moved on or ended; see Session.busy."""


@dataclass(frozen=True)
class EngineChanged:
    """The engine's status, or the installed networks, changed; see Session.engine_status."""


@dataclass(frozen=True)
class Message:
    """A message for the message bar."""

    severity: Severity  #: how the message is shown
    text: str  #: whole sentences
    _: KW_ONLY
    offers: tuple[Offer, ...] = ()  #: what a person can do about the message
    path: Path | None = None  #: the file that SHOW_IN_FOLDER shows
    about: int | None = None  #: key of the one photo concerned: the message is dropped when that photo is edited


@dataclass(frozen=True)
class NameTaken:
    """Nothing was exported: there is a file of that name, and nobody has agreed to replace it."""

    path: Path  #: where the export was to go
    recipe: ExportRecipe  #: how it was to be written
    photo: int  #: key of the photo that was exported


@dataclass(frozen=True)
class Exported:
    """A cut-out was written and checked."""

    path: Path  #: the file


Event: TypeAlias = (
    PhotosChanged
    | PhotoShown
    | LabelsChanged
    | AlphaChanged
    | ForegroundChanged
    | RecipeChanged
    | HistoryChanged
    | BusyChanged
    | EngineChanged
    | Message
    | Exported
    | NameTaken
)
Listener: TypeAlias = Callable[[Event], None]
