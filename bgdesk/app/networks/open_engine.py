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
from bgdesk.engine.pipeline import Pipeline
from bgdesk.engine.runtime import kernel_folder

if TYPE_CHECKING:
    from bgdesk.engine.networks.network import MattingNet, Network


@dataclass(frozen=True, kw_only=True)
class EngineChoice:
    """Which networks compute, and where."""

    model: str | None = None  #: id of an installed network that finds subjects; None for the default one
    matting: str | None = None  #: id of an installed network that works out edges; None for bgdesk's own solver
    device: str = "auto"  #: auto, cpu, cuda, xpu or mps
    precision: str = "auto"  #: auto, fp32, bf16 or fp16


class InstalledEngine(Pipeline):
    """`Pipeline` with the networks of a store.

    Parameters
    ----------
    choice
        What was asked for.
    store
        Where the networks are; the person's own unless said otherwise.
    current
        Gives the choice that holds now, whenever a network is about to be read; device and precision stay those of `choice`.
    """

    def __init__(self, choice: EngineChoice, store: ModelStore | None = None, current: Callable[[], EngineChoice] | None = None) -> None:
        store = store or default_store()
        kernel_folder.keep_in(paths.kernels_folder())

        def matting() -> "Network[MattingNet] | None":
            id = (choice if current is None else current()).matting
            return None if id is None else store.matting(id)

        super().__init__(
            lambda: store.weights((choice if current is None else current()).model),
            choice.device,
            choice.precision,
            cache(matting) if current is None else matting,
            ProvenFile(),
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
    choice, store, current
        As for `InstalledEngine`.
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
    if check:
        check_engine(choice, store)
    return InstalledEngine(choice, store, current)


def check_engine(choice: EngineChoice, store: ModelStore | None = None, *, network: bool = True) -> tuple[str, ...]:
    """Find out what would stand in the way of every photo.

    Parameters
    ----------
    choice, store
        As for `InstalledEngine`.
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
    from bgdesk.engine.networks.weights import Weights

    store, used = store or default_store(), list[str]()
    if network:
        found = store.weights(choice.model)
        used.append(found.id)
        if isinstance(found, Weights) and (choice.device, choice.precision) != ("auto", "auto"):
            from bgdesk.engine.networks.device import choose, probe

            choose(probe(), choice.device, choice.precision)
    if choice.matting is not None:
        used.append(store.matting(choice.matting).id)
    entries = map(store.entry, used)
    return tuple(f"Network {entry.id}: licence {entry.terms}." for entry in entries if not entry.commercial)
