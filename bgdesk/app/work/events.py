"""What the session tells whoever shows it. Events are values; views read the session's state when one arrives."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TypeAlias

from bgdesk.core.geometry import Rect
from bgdesk.core.recipe import ExportRecipe


class Severity(Enum):
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Offer(Enum):
    """What a message offers to do about itself; the window turns each into a button."""

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
    """Labels inside `rect` of the current photo changed."""

    rect: Rect


@dataclass(frozen=True)
class AlphaChanged:
    """The solved alpha inside `rect` of the current photo changed. `first`: this is the network's answer arriving."""

    rect: Rect
    first: bool = False


@dataclass(frozen=True)
class ForegroundChanged:
    """Decontaminated colours inside `rect` of the current photo changed."""

    rect: Rect


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
    """Device, precision, model or the installed networks changed; see Session.engine_status."""


@dataclass(frozen=True)
class Message:
    """Something to say in the message bar. about: key of the photo that it concerns alone, until a hand has been at that."""

    severity: Severity
    text: str
    offers: tuple[Offer, ...] = ()
    path: Path | None = None
    about: int | None = None


@dataclass(frozen=True)
class NameTaken:
    """Nothing was written: a file of that name is there, and nobody has agreed to replace it. photo: key of the one exported."""

    path: Path
    recipe: ExportRecipe
    photo: int


@dataclass(frozen=True)
class Exported:
    """A cutout was written and checked."""

    path: Path


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
