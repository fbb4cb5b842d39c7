"""The engine as the commands use it, and the options that choose it."""

import argparse

from bgdesk.app.models import default_store
from bgdesk.engine.device import DEVICES, PRECISIONS
from bgdesk.engine.pipeline import Pipeline


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", metavar="ID", help="the network to use (see: bgdesk models list)")
    parser.add_argument("--device", choices=DEVICES, default="auto", help="where to compute; auto takes the fastest there is")
    parser.add_argument("--precision", choices=PRECISIONS, default="auto", help="auto takes what the device does fast and well")


def open_pipeline(model: str | None = None, device: str = "auto", precision: str = "auto", network: bool = True) -> Pipeline:
    """An engine that takes its network from the person's store.

    network: the network will be needed, so a missing or damaged one is told now (ModelError) and not once per photo.
    """
    store = default_store()
    if network:
        store.weights(model)
    return Pipeline(lambda: store.weights(model), device, precision)
