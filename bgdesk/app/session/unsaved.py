"""Which photos have been painted on since they were last exported: what the window must not lose without asking."""

from collections.abc import Sequence
from pathlib import Path

from bgdesk.app.editing.document import Document
from bgdesk.app.session.photos import Photo


class Unsaved:
    """Compares revisions: the one that a photo shows now, and the one that was written last."""

    def __init__(self) -> None:
        self._revisions: dict[int, int] = {}
        self._exporting: dict[Path, tuple[int, int]] = {}
        self._exported: dict[int, int] = {}

    def seen(self, photo: Photo | None, document: Document | None) -> None:
        """The current photo is at this revision. Others cannot change while they are not current."""
        if photo is not None and document is not None:
            self._revisions[photo.key] = document.revision

    def exporting(self, path: Path, photo: Photo | None, document: Document | None) -> None:
        if photo is not None and document is not None:
            self._exporting[path] = photo.key, document.revision

    def exported(self, path: Path) -> None:
        if path in self._exporting:
            key, revision = self._exporting.pop(path)
            self._exported[key] = revision

    @property
    def writing(self) -> bool:
        """An export was begun, and nothing has said yet that it was written."""
        return bool(self._exporting)

    def give_up_exports(self) -> None:
        """No work runs any more: what was being written was not."""
        self._exporting.clear()

    def among(self, photos: Sequence[Photo]) -> list[Photo]:
        """Those with strokes that no file holds."""
        return [photo for photo in photos if self.holds(photo)]

    def holds(self, photo: Photo) -> bool:
        return photo.edited and (photo.key not in self._exported or self._exported[photo.key] != self._revisions.get(photo.key))
