"""All runners of `bgdesk bench engine`, by name, and the run of any."""

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import replace

from bgdesk import __version__
from bgdesk.app.networks import open_engine as networks
from bgdesk.app.networks.store import default_store
from bgdesk.bench import fit_gate
from bgdesk.bench.bench_report import Figure, Report, not_measured
from bgdesk.bench.runners import colours, hand, latency, matting, network, objects, refinement, whole
from bgdesk.bench.setup import MeasuredEngine, Runner, Setup, versions
from bgdesk.core.arrays import Alpha, Pixels
from bgdesk.core.errors import BgdeskError
from bgdesk.core.recipe import Quality
from bgdesk.core.tasks import Progress, silent
from bgdesk.engine.networks import onnx_baseline
from bgdesk.engine.pipeline import Pipeline

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


def open_engine(model: str | None = None, device: str = "auto", precision: str = "auto") -> MeasuredEngine:
    """The engine with the person's installed networks."""
    return networks.open_engine(networks.EngineChoice(model=model, device=device, precision=precision))


class GivenEngine(Pipeline):
    """An engine whose network says a given matte: the stages after it are what is measured."""

    def __init__(self, matte: Alpha) -> None:
        super().__init__(default_store().weights)
        self._given = matte

    def segment(self, pixels: Pixels, progress: Progress = silent, quality: Quality = Quality.BALANCED) -> Alpha:
        return self._given


def run(setup: Setup, only: Sequence[str] = (), runners: Mapping[str, Runner] | None = None) -> Report:
    """Run the runners (RUNNERS; all, or those named) and collect their figures.

    A runner that the person's machine cannot serve (no network installed, for one) says so in place of its figures.
    """
    figures: list[Figure] = []
    for name, runner in (RUNNERS if runners is None else runners).items():
        if only and name not in only:
            continue
        try:
            for figure in runner(setup):
                # A quick run is too small to be held against anything.
                figures.append(replace(figure, bar=None) if setup.quick else figure)
        except BgdeskError as error:
            figures.append(not_measured(name, str(error)))
    return Report(machine(setup), tuple(figures))


def machine(setup: Setup) -> Mapping[str, str]:
    """What the figures were measured on, as words."""
    packages = versions("torch", "numpy", *_PEERS)
    return {
        "bgdesk": __version__ + (" (quick: the figures are no measurement)" if setup.quick else ""),
        "machine": f"{platform.platform()}, {processor()}, {os.cpu_count()} cores, {onnx_baseline.threads()} threads",
        "packages": ", ".join(f"{name} {each}" for name, each in packages.items()),
    }


def processor() -> str:
    """The processor's name, as far as the system tells."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as lines:
            return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.processor())
    except OSError:
        return platform.processor() or "unknown processor"
