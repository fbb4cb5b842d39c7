"""The engines that a bench measures."""

from typing import Protocol

from bgdesk.app.networks import open_engine as networks
from bgdesk.app.networks.store import default_store
from bgdesk.core.arrays import Alpha, Pixels
from bgdesk.core.engine import EngineProtocol
from bgdesk.core.geometry import Rect
from bgdesk.core.recipe import Quality
from bgdesk.core.tasks import Progress, silent
from bgdesk.engine.pipeline import Pipeline


class MeasuredEngine(EngineProtocol, Protocol):
    """An engine whose second look, which confidence may take, is measured by itself."""

    def mirrored(self, pixels: Pixels, part: Rect) -> Alpha:
        """Return the network's matte of `part` of a photo, computed from its mirror image."""


class OpenEngine(Protocol):
    """Makes an engine for an installed network (None: the default one)."""

    def __call__(self, model: str | None = None, device: str = "auto", precision: str = "auto") -> MeasuredEngine: ...


class OpenGiven(Protocol):
    """Makes an engine whose network answers `matte` whatever the photo is."""

    def __call__(self, matte: Alpha) -> MeasuredEngine: ...


def open_engine(model: str | None = None, device: str = "auto", precision: str = "auto") -> MeasuredEngine:
    """Open the engine with the person's installed networks."""
    return networks.open_engine(networks.EngineChoice(model=model, device=device, precision=precision))


class GivenEngine(Pipeline):
    """An engine whose network always answers the matte that was given: the stages after the network are measured."""

    def __init__(self, matte: Alpha) -> None:
        super().__init__(default_store().weights)
        self._given = matte

    def segment(self, pixels: Pixels, progress: Progress = silent, quality: Quality = Quality.BALANCED) -> Alpha:
        return self._given
