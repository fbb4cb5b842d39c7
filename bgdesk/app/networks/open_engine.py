"""The engine with installed networks: opened here and nowhere else.

Opening is cheap. The networks are read at the first photo that needs one, so that matting with a trimap works without any;
`check_engine` tells beforehand what would stand in every photo's way.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from bgdesk.app.networks.store import ModelStore, default_store
from bgdesk.app.system import paths
from bgdesk.app.system.proven_devices import ProvenFile
from bgdesk.app.system.settings import Settings
from bgdesk.core.engine import EngineStatus
from bgdesk.engine.networks.device import DEVICES, PRECISIONS, choose, count, probe
from bgdesk.engine.pipeline import Pipeline
from bgdesk.engine.runtime import kernel_folder

__all__ = ["DEVICES", "PRECISIONS", "EngineChoice", "check_engine", "choice_of", "devices_to_share", "open_engine"]

if TYPE_CHECKING:
    from bgdesk.engine.networks.network import MattingNet, Network


@dataclass(frozen=True, kw_only=True)
class EngineChoice:
    """Which networks compute, and where."""

    model: str | None = None  #: id of an installed network that finds subjects; None for the default one
    matting: str | None = None  #: id of an installed network that works out edges; None for bgdesk's own solver
    device: str = "auto"  #: auto, cpu, cuda, xpu or mps
    precision: str = "auto"  #: auto, fp32, bf16 or fp16


def choice_of(settings: Settings, store: ModelStore) -> EngineChoice:
    """What the settings ask for. A network that is not installed any more gives way to the default one, or to bgdesk's own solver."""
    there: dict[str, str] = {}
    if settings.model or settings.matting:  # asked before every photo: quick where nobody has chosen one
        there = {each.entry.id: each.kind for each in store.statuses() if each.installed}
    return EngineChoice(
        model=settings.model if there.get(settings.model) == "segment" else None,
        matting=settings.matting if there.get(settings.matting) == "matte" else None,
        device=settings.device,
        precision=settings.precision,
    )


def open_engine(
    choice: EngineChoice,
    store: ModelStore | None = None,
    *,
    check: bool = False,
    current: Callable[[], EngineChoice] | None = None,
) -> Pipeline:
    """Open an engine.

    Parameters
    ----------
    choice
        What was asked for.
    store
        Where the networks are; the person's own unless said otherwise.
    current
        Gives the choice that holds now, whenever a network is about to be read; device and precision stay those of `choice`.
    check
        Whether to look now for what `check_engine` finds.

    Returns
    -------
    Pipeline
        With no network read yet.

    Raises
    ------
    ModelError, DeviceError
        With `check`, as `check_engine`.
    """
    store = store or default_store()
    kernel_folder.keep_in(paths.kernels_folder())
    if check:
        check_engine(choice, store)
    kernel_folder.keep_in(paths.kernels_folder())
    now = current or (lambda: choice)

    def matting() -> "Network[MattingNet] | None":
        id = now().matting
        return None if id is None else store.matting(id)

    once = cache(matting) if current is None else matting
    return Pipeline(lambda: store.weights(now().model), choice.device, choice.precision, once, ProvenFile())


def devices_to_share(choice: EngineChoice, status: EngineStatus) -> tuple[str, int]:
    """Find out between how many devices work can be shared.

    Parameters
    ----------
    choice
        What the engine was opened with.
    status
        Of that engine, with its network loaded.

    Returns
    -------
    tuple of str and int
        torch's name for the kind of device that computes, and how many of that kind this machine has; 1 for the CPU.
    """
    if status.instead_of or status.device.startswith("CPU"):
        return "cpu", 1
    kind = choose(probe(), choice.device, choice.precision).kind
    return kind, count(kind)


def check_engine(choice: EngineChoice, store: ModelStore | None = None, *, network: bool = True) -> tuple[str, ...]:
    """Find out what would stand in the way of every photo.

    Parameters
    ----------
    choice, store
        As for `open_engine`.
    network
        Whether a network that finds subjects is needed; with a trimap it is not.

    Returns
    -------
    tuple of str
        Sentences that a person should read: networks that may not be used commercially, or of which nobody knows.

    Raises
    ------
    ModelError
        A network is missing, damaged, or of the wrong kind.
    DeviceError
        This machine lacks the device or the precision.
    """
    store, used = store or default_store(), list[str]()
    if network:
        found = store.weights(choice.model)
        used.append(found.id)
        if (choice.device, choice.precision) != ("auto", "auto"):
            found.devices(choice.device, choice.precision)
    if choice.matting is not None:
        used.append(store.matting(choice.matting).id)
    entries = map(store.entry, used)
    return tuple(f"Network {entry.id}: licence {entry.terms}." for entry in entries if not entry.commercial)
