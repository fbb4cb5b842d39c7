"""Networks that the person downloads or imports while photos are open."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from bgdesk.app.networks.onnx_presets import Description
from bgdesk.app.session.cutting import MODEL_OFFERS
from bgdesk.app.work.activity import Activity
from bgdesk.app.work.events import EngineChanged, Event, Message, Severity
from bgdesk.app.work.jobs import Lane
from bgdesk.app.work.ports import ModelsLike
from bgdesk.core.tasks import Progress


class NetworkInstaller:
    """Downloads and imports networks on the download lane.

    Parameters
    ----------
    models
        Keeps the networks.
    activity
        Takes the jobs.
    emit
        Takes messages, and EngineChanged.
    installed
        Called when another network has been installed.
    """

    def __init__(self, models: ModelsLike, activity: Activity, emit: Callable[[Event], None], installed: Callable[[], None]) -> None:
        self._models = models
        self._activity = activity
        self._emit = emit
        self._installed = installed

    def install(self, id: str) -> None:
        """Download a network of the catalogue."""
        self._get(id, f"installing {id}", lambda progress: self._models.install(id, progress))

    def import_file(self, path: Path, id: str) -> None:
        """Import a network of the catalogue from a file."""
        self._get(id, f"importing {path.name}", lambda progress: self._models.import_file(path, id, progress))

    def import_own(self, path: Path, id: str, description: Description) -> None:
        """Import a network that is not in the catalogue from a file; a message tells what its trial found."""
        self._get(id, f"importing {path.name}", lambda progress: self._models.import_own(path, id, description, progress).notes)

    def _get(self, id: str, doing: str, work: Callable[[Progress], object]) -> None:
        def done(found: object) -> None:
            self._emit(EngineChanged())
            notes = found if isinstance(found, tuple) else ()
            self._emit(Message(Severity.INFO, " ".join([f"{id} is installed.", *notes])))
            self._installed()

        def stopped(by_person: bool) -> None:
            if by_person:
                self._emit(Message(Severity.INFO, "Cancelled. Nothing was installed.", offers=MODEL_OFFERS))

        self._activity.submit(Lane.DOWNLOAD, work, doing=doing, stage="download", on_done=done, on_cancelled=stopped)
