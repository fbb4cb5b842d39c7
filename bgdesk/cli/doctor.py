"""bgdesk doctor: what this machine has, and what is wrong with it."""

import argparse
import os
import platform
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from bgdesk import __version__
from bgdesk.app.networks.open_engine import EngineChoice
from bgdesk.app.networks.store import ModelStore, default_store
from bgdesk.app.system import paths
from bgdesk.cli import engine_options, qtlibs
from bgdesk.cli.console import Console
from bgdesk.cli.display import has_display
from bgdesk.cli.models import remedy
from bgdesk.core.arrays import Pixels
from bgdesk.core.errors import BgdeskError
from bgdesk.core.tasks import Progress
from bgdesk.engine.pipeline import Pipeline
from bgdesk.engine.self_test import Comparison, compare_with_cpu, versions
from bgdesk.files.find import has_photo_suffix
from bgdesk.files.load import load

Compare: TypeAlias = Callable[[Pipeline, Pixels, Progress], Comparison]


@dataclass(frozen=True)
class Finding:
    """One line of the report; `good` False makes the whole visit end with status 1."""

    title: str
    text: str
    good: bool = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    engine_options.add_arguments(parser)


def run(
    args: argparse.Namespace,
    open_store: Callable[[], ModelStore] = default_store,
    open_engine: Callable[[EngineChoice], Pipeline] = engine_options.open_checked,
    compare: Compare = compare_with_cpu,
) -> int:
    console = Console()
    choice = EngineChoice(model=args.model, device=args.device, precision=args.precision)
    good = True
    checks: list[Iterator[Finding]] = [
        _program(),
        _window(),
        _networks(open_store()),
        _engine(lambda: open_engine(choice), compare, console),
    ]
    for check in checks:
        for finding in check:
            console.clear()
            print(f"{'ok ' if finding.good else 'BAD'}  {finding.title}: {finding.text}", flush=True)
            good &= finding.good
    return 0 if good else 1


def _program() -> Iterator[Finding]:
    yield Finding("bgdesk", f"{__version__} with Python {platform.python_version()} on {platform.platform()}, {os.cpu_count()} cores")
    yield Finding("versions", ", ".join(f"{name} {version}" for name, version in versions().items()))
    yield Finding("folders", f"{paths.data_folder()} (networks), {paths.settings_folder()} (settings)")


def _window() -> Iterator[Finding]:
    if not qtlibs.needed():
        return
    yield Finding("display", "there is one" if has_display() else "there is none: the window cannot open, the commands work")
    file = qtlibs.plugin()
    if file is None:
        yield Finding("Qt's X11 plugin", "it is not installed. Install bgdesk again", False)
        return
    try:
        libraries = qtlibs.missing(file)
    except OSError as error:
        yield Finding("Qt's X11 plugin", f"its libraries were not checked: {error}")
        return
    if libraries:
        yield Finding("Qt's X11 plugin", f"the window cannot open without {', '.join(libraries)}; {qtlibs.remedy(libraries)}", False)
    else:
        yield Finding("Qt's X11 plugin", "all shared libraries are there")


def _networks(store: ModelStore) -> Iterator[Finding]:
    checked = store.verify()
    if not checked:
        yield Finding("networks", f"none is installed. Install one with: bgdesk models install {store.default_entry.id}", False)
    for status in checked:
        id = status.entry.id
        if status.damaged:
            yield Finding(f"network {id}", f"damaged: {status.problem}. {remedy(status)}", False)
        else:
            yield Finding(f"network {id}", f"good, {status.size / 1e6:.1f} MB, from {status.installed_from}")


def _engine(open_chosen: Callable[[], Pipeline], compare: Compare, console: Console) -> Iterator[Finding]:
    """Load the network on the chosen device and compare its answer on a sample photo with the CPU's."""
    try:
        pipeline = open_chosen()
        status = pipeline.warm(console.progress("engine"))
        yield Finding("device", f"{status.device}, {status.precision}, network {status.model}")
        for note in status.notes:
            yield Finding("device", note)
        sample = _sample(paths.resource("samples"))
        if sample is None:
            yield Finding("comparison", "it was not made: no sample photo came with this bgdesk", False)
            return
        found = compare(pipeline, load(sample).pixels, console.progress("comparison"))
    except BgdeskError as error:
        yield Finding("device", str(error), False)
        return
    differs = f"at most {found.max_difference:.4f}, on average {found.mean_difference:.6f}"
    text = f"the matte of {sample.name} differs from the CPU's in fp32 by {differs}"
    yield Finding("comparison", text if found.ok else f"{text}: too much. Use --device cpu --precision fp32", found.ok)


def _sample(folder: Path) -> Path | None:
    return next((file for file in sorted(folder.glob("*")) if has_photo_suffix(file.name)), None)
