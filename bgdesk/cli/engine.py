"""The engine as the commands use it, and the options that choose it."""

import argparse

from bgdesk.app.models import default_store
from bgdesk.engine.device import DEVICES, PRECISIONS, choose, probe
from bgdesk.engine.pipeline import Pipeline


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", metavar="ID", help="the network to use (see: bgdesk models list)")
    parser.add_argument("--device", choices=DEVICES, default="auto", help="where to compute; auto takes the fastest there is")
    parser.add_argument("--precision", choices=PRECISIONS, default="auto", help="auto takes what the device does fast and well")


def open_pipeline(model: str | None = None, device: str = "auto", precision: str = "auto", network: bool = True) -> Pipeline:
    """An engine that takes its network from the person's store.

    network: the network will be needed, so what stands in its way is told now and not once per photo: ModelError for a
    missing or damaged network, DeviceError for a device or precision that this machine lacks.
    """
    store = default_store()
    if network:
        store.weights(model)
        if (device, precision) != ("auto", "auto"):
            choose(probe(), device, precision)
    return Pipeline(lambda: store.weights(model), device, precision)
