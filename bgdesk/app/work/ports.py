"""What the session needs from other rooms, as protocols. Tests pass fakes."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from bgdesk.app import one_photo
from bgdesk.core.cutout import Cutout
from bgdesk.core.recipe import ExportRecipe
from bgdesk.core.tasks import Progress, silent

if TYPE_CHECKING:
    from bgdesk.app.networks.imported import Imported
    from bgdesk.app.networks.onnx_presets import Description
    from bgdesk.files.load import LoadedImage


class ModelsLike(Protocol):
    """app.networks.store.ModelStore, as far as the session uses it."""

    def default_id(self) -> str | None:
        """Return the id of the network that cuts photos out; None if none is installed."""

    def install(self, id: str, progress: Progress = silent) -> object:
        """Download a network of the catalogue."""

    def import_file(self, path: Path, id: str, progress: Progress = silent) -> object:
        """Import a network of the catalogue from a file."""

    def import_own(self, path: Path, id: str, description: Description, progress: Progress = silent) -> Imported:
        """Import a network that is not in the catalogue from a file, after a trial."""


class FilesLike(Protocol):
    """Reading and writing photos; called on the IO lane only."""

    def load(self, path: Path) -> LoadedImage: ...
    def preview(self, path: Path, longest: int) -> NDArray[np.uint8]: ...
    def save(
        self,
        cutout: Cutout,
        path: Path,
        recipe: ExportRecipe,
        metadata: LoadedImage | None,
        protect: Collection[Path],
        progress: Progress,
        replace: bool,
    ) -> Path: ...


class DiskFiles:
    """FilesLike over bgdesk.files. Decoders are imported when the first photo needs them."""

    def load(self, path: Path) -> LoadedImage:
        return one_photo.load(path).photo

    def preview(self, path: Path, longest: int) -> NDArray[np.uint8]:
        from bgdesk.files.load import preview

        return preview(path, longest)

    def save(
        self,
        cutout: Cutout,
        path: Path,
        recipe: ExportRecipe,
        metadata: LoadedImage | None,
        protect: Collection[Path],
        progress: Progress,
        replace: bool,
    ) -> Path:
        return one_photo.write(cutout, path, recipe, metadata, protect, progress, replace)
