"""The engine as the commands use it, and the options that choose it."""

import argparse

from bgdesk.app.networks.store import default_store
from bgdesk.app.system.proven_devices import ProvenFile
from bgdesk.cli.console import Console
from bgdesk.engine.networks.device import DEVICES, PRECISIONS
from bgdesk.engine.pipeline import Pipeline


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", metavar="ID", help="the network to use (see: bgdesk models list)")
    parser.add_argument("--device", choices=DEVICES, default="auto", help="where to compute; auto takes the fastest there is")
    parser.add_argument("--precision", choices=PRECISIONS, default="auto", help="auto takes what the device does fast and well")


def add_matting(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--matting", metavar="ID", help="work out edges with this matting network, in place of bgdesk's own solver")


def open_pipeline(
    model: str | None = None, device: str = "auto", precision: str = "auto", network: bool = True, matting: str | None = None
) -> Pipeline:
    """An engine that takes its network from the person's store.

    matting: a network to work out whole bands with. A network that may not be used commercially is named, with its licence.
    network: the network will be needed, so what stands in its way is told now and not once per photo: ModelError for a
    missing or damaged network, DeviceError for a device or precision that this machine lacks.
    """
    store, used = default_store(), list[str]()
    if network:
        weights = store.weights(model)
        used.append(weights.id)
        if (device, precision) != ("auto", "auto"):
            weights.devices(device, precision)
    edges = None if matting is None else store.matting(matting)
    if edges is not None:
        used.append(edges.id)
    for entry in map(store.entry, used):
        if not entry.commercial:
            Console().say(f"Network {entry.id}: licence {entry.terms}.")
    return Pipeline(lambda: store.weights(model), device, precision, lambda: edges, ProvenFile())
