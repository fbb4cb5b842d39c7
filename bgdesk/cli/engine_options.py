"""The engine as the commands use it, and the options that choose it."""

import argparse
from collections.abc import Callable
from typing import TypeAlias

from bgdesk.app.networks.open_engine import DEVICES, PRECISIONS, EngineChoice, check_engine, open_engine
from bgdesk.cli.console import Console
from bgdesk.core.engine import EngineProtocol
from bgdesk.engine.pipeline import Pipeline

#: Opens an engine. The second argument says whether a network that finds subjects will be needed.
OpenEngine: TypeAlias = Callable[[EngineChoice, bool], EngineProtocol]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", metavar="ID", help="the network to use (see: bgdesk models list)")
    parser.add_argument("--device", choices=DEVICES, default="auto", help="where to compute; auto takes the fastest there is")
    parser.add_argument("--precision", choices=PRECISIONS, default="auto", help="auto takes what the device does fast and well")


def add_matting(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--matting", metavar="ID", help="work out edges with this matting network, in place of bgdesk's own solver")


def open_checked(choice: EngineChoice, network: bool = True) -> Pipeline:
    """An engine for which nothing is missing; networks that may not be used commercially are named, with their licences.

    Raises ModelError and DeviceError, once and not for each photo: see app.networks.open_engine.check_engine.
    """
    for sentence in check_engine(choice, network=network):
        Console().say(sentence)
    return open_engine(choice)
