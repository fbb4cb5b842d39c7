"""The one controller: gestures come in, events go out, the documents hold the truth.

Every method is called on the owner's thread (the window's), and every event is delivered there. None of them waits:
reading, computing and writing happen on the lanes of `Jobs`, whose answers come back through `post`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from bgdesk.app.document import Document
from bgdesk.app.events import Listener
from bgdesk.app.jobs import Jobs
from bgdesk.app.photos import Busy, Photo
from bgdesk.app.ports import EngineLike, EngineStatusLike, FilesLike, ModelsLike
from bgdesk.app.settings import Settings
from bgdesk.core.arrays import Pixels
from bgdesk.core.geometry import Rect
from bgdesk.core.recipe import ExportRecipe
from bgdesk.core.trimap import Label

#: post(f) runs f later on the owner's thread; may be called from any thread.
Post: TypeAlias = Callable[[Callable[[], None]], None]


class Session:
    """See the module. `jobs` is made with the same `post`: `Session(engine, store, settings, Jobs(post), post)`."""

    def __init__(
        self, engine: EngineLike, models: ModelsLike, settings: Settings, jobs: Jobs, post: Post, files: FilesLike | None = None
    ) -> None:
        raise NotImplementedError

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Deliver every event to `listener` from now on; call what comes back to stop."""
        raise NotImplementedError

    @property
    def settings(self) -> Settings:
        raise NotImplementedError

    def configure(self, settings: Settings) -> None:
        """Use other settings from now on (limits at once; device and precision belong to the engine)."""
        raise NotImplementedError

    # -- photos --------------------------------------------------------------------------------------------------

    @property
    def photos(self) -> Sequence[Photo]:
        """The film strip, in order."""
        raise NotImplementedError

    @property
    def current(self) -> Photo | None:
        """The photo whose document is shown."""
        raise NotImplementedError

    @property
    def document(self) -> Document | None:
        """The current photo's arrays; None while there is no photo. Read only."""
        raise NotImplementedError

    def open(self, paths: Sequence[Path]) -> None:
        """Add files, and the photos in folders (not in their subfolders); the first of them becomes current.

        One that is in the film strip already is selected instead. A failed load keeps what is shown, with a Message.
        """
        raise NotImplementedError

    def open_pixels(self, pixels: Pixels, name: str) -> None:
        """Add a pasted picture, H×W×3 uint8 or uint16 sRGB, and make it current."""
        raise NotImplementedError

    def select(self, key: int) -> None:
        """Make a photo current: at once if it is in memory, else when it has been read."""
        raise NotImplementedError

    def remove(self, key: int) -> None:
        """Take a photo out of the film strip, with its strokes; the file stays. A neighbour becomes current."""
        raise NotImplementedError

    # -- work ----------------------------------------------------------------------------------------------------

    @property
    def busy(self) -> Busy | None:
        """The work the person is waiting for, or None. Background work (previews, cutting ahead) does not count."""
        raise NotImplementedError

    def cancel(self) -> None:
        """Stop what `busy` shows. A cancelled re-matting keeps its paint and is taken up again by the next stroke."""
        raise NotImplementedError

    @property
    def engine_status(self) -> EngineStatusLike:
        """device, precision, model, notes; device and precision are "" until torch has been loaded."""
        raise NotImplementedError

    @property
    def timings(self) -> Mapping[str, float]:
        """Stage -> seconds for the current document; "rematte" is the last stroke's."""
        raise NotImplementedError

    def warm(self) -> None:
        """Load torch and the network on the compute lane, so that the first photo waits less. Call once the window is up."""
        raise NotImplementedError

    def cut_again(self) -> None:
        """Network and alpha anew for the current photo; one undo step that also takes back its strokes."""
        raise NotImplementedError

    def install_model(self, id: str) -> None:
        """Download a network of the catalogue, then cut out the current photo if it waits for one."""
        raise NotImplementedError

    def import_model(self, path: Path, id: str) -> None:
        """Take a network from a file, then cut out the current photo if it waits for one."""
        raise NotImplementedError

    # -- strokes -------------------------------------------------------------------------------------------------

    def stroke_begin(self, label: Label, radius: float, point: tuple[float, float]) -> None:
        """Press the brush: (x, y) and `radius` in image pixels. Does nothing without a document."""
        raise NotImplementedError

    def stroke_extend(self, point: tuple[float, float]) -> None:
        """Drag it on to `point`: one TrimapChanged for the stretch."""
        raise NotImplementedError

    def stroke_end(self) -> None:
        """Release: one undo step, and the region is re-matted."""
        raise NotImplementedError

    def stroke_cancel(self) -> None:
        """Take the stroke under way back, as if it had not begun."""
        raise NotImplementedError

    @property
    def painting(self) -> bool:
        """A stroke is under way."""
        raise NotImplementedError

    @property
    def pending_rects(self) -> tuple[Rect, ...]:
        """Where the current document's alpha has not caught up with its trimap: keep showing the paint there."""
        raise NotImplementedError

    @property
    def can_undo(self) -> bool:
        raise NotImplementedError

    @property
    def can_redo(self) -> bool:
        raise NotImplementedError

    def undo(self) -> None:
        """Take back the last stroke (or cut_again) with its re-matting. Nothing to take back, or a stroke under way: nothing."""
        raise NotImplementedError

    def redo(self) -> None:
        """The opposite of undo."""
        raise NotImplementedError

    # -- export --------------------------------------------------------------------------------------------------

    def export(self, path: Path, recipe: ExportRecipe) -> None:
        """Write the current cut-out as it is now, in the background: Exported and a Message, or a Message why not."""
        raise NotImplementedError

    def suggested_name(self, recipe: ExportRecipe) -> Path:
        """A free name for the current photo's export: photo_cutout.png, photo_cutout-2.png, … ; never the source itself."""
        raise NotImplementedError

    def close(self) -> None:
        """Cancel everything, stop the lanes, free the network. No event comes afterwards."""
        raise NotImplementedError
