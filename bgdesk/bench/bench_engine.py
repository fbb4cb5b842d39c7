"""All runners of `bgdesk bench engine`, by name, and the run of any."""

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import replace

from bgdesk import __version__
from bgdesk.bench import fit_gate
from bgdesk.bench.bench_report import Figure, Report, not_measured
from bgdesk.bench.runners import colours, hand, latency, matting, network, objects, refinement, whole
from bgdesk.bench.setup import Runner, Setup, versions
from bgdesk.core.errors import BgdeskError
from bgdesk.engine.networks import onnx_baseline

RUNNERS: Mapping[str, Runner] = {
    "network": network.run,
    "strokes": latency.run,
    "whole": whole.run,
    "foreground": colours.run,
    "matting": matting.run,
    "refinement": refinement.run,
    "presets": objects.presets,
    "hand": hand.run,
    "gate": fit_gate.run,
    "rembg": objects.rembg,
}

_PEERS = ("onnxruntime", "pymatting", "rembg")


def run(setup: Setup, only: Sequence[str] = (), runners: Mapping[str, Runner] | None = None) -> Report:
    """Run the runners and collect their figures.

    A runner that cannot run on the person's machine, because no network is installed for example, gives a figure that says so.

    Parameters
    ----------
    setup
        What the runners work with.
    only
        Names of runners; empty: all.
    runners
        By name; None: RUNNERS.
    """
    figures: list[Figure] = []
    for name, runner in (RUNNERS if runners is None else runners).items():
        if only and name not in only:
            continue
        try:
            for figure in runner(setup):
                # A quick run is too small for its figures to be compared with a bar.
                figures.append(replace(figure, bar=None) if setup.quick else figure)
        except BgdeskError as error:
            figures.append(not_measured(name, str(error)))
    return Report(machine(setup), tuple(figures))


def machine(setup: Setup) -> Mapping[str, str]:
    """Return what the figures were measured on, in words."""
    packages = versions("torch", "numpy", *_PEERS)
    return {
        "bgdesk": __version__ + (" (quick: the figures are not measurements)" if setup.quick else ""),
        "machine": f"{platform.platform()}, {processor()}, {os.cpu_count()} cores, {onnx_baseline.threads()} threads",
        "packages": ", ".join(f"{name} {each}" for name, each in packages.items()),
    }


def processor() -> str:
    """Return the processor's name as the system reports it."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as lines:
            return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.processor())
    except OSError:
        return platform.processor() or "unknown processor"
