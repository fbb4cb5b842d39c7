"""Words for a person: stages of work, sizes, durations, devices."""

import html
import math
from collections.abc import Mapping

from bgdesk.core.geometry import Size
from bgdesk.core.recipe import Quality
from bgdesk.core.stages import Stage

_STAGES: Mapping[Stage, str] = {
    Stage.LOAD: "Reading the photo",
    Stage.ENGINE: "Starting the engine",
    Stage.PREPARE: "Preparing for first use",
    Stage.NETWORK: "Finding the subject",
    Stage.TRIMAP: "Finding the edges",
    Stage.ALPHA: "Refining the edges",
    Stage.REMATTE: "Refining the stroke",
    Stage.FOREGROUND: "Cleaning the edge colours",
    Stage.SAVE: "Writing the file",
    Stage.DOWNLOAD: "Downloading the network",
    Stage.UNPACK: "Unpacking the network",
    Stage.VERIFY: "Checking the network",
    Stage.CONVERT: "Converting the network",
    Stage.TRY: "Trying the network on a sample",
    Stage.WAIT: "Waiting for another bgdesk",
}

#: How carefully a photo is cut out, as choices.
QUALITIES: tuple[tuple[str, Quality], ...] = (
    ("Fast: a smaller photo", Quality.FAST),
    ("Balanced", Quality.BALANCED),
    ("Best: twice the time", Quality.BEST),
)

#: Timings worth a place in the status bar, in this order.
_SHOWN: tuple[tuple[str, str], ...] = (("network", "network"), ("alpha", "alpha"), ("foreground", "colours"), ("rematte", "stroke"))


def stage(name: str) -> str:
    """A stage of work as the beginning of a sentence; an unknown stage is shown by its name."""
    return _STAGES.get(Stage(name), name[:1].upper() + name[1:])


def share(value: float) -> str:
    """A number in [0, 1] as `83 %`, rounded down: a confidence under a gate of 80 % never reads as 80 %."""
    return f"{math.floor(value * 100 + 1e-9)} %"


def rate(per_second: float) -> str:
    """`2.1 photos a second`, `14 photos a minute`, `40 photos an hour`."""
    for value, unit in ((per_second, "a second"), (per_second * 60, "a minute")):
        if value >= 1:
            return f"{value:.1f} photos {unit}" if value < 10 else f"{value:.0f} photos {unit}"
    return f"{per_second * 3600:.0f} photos an hour"


def duration(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 0.0995 else f"{seconds:.2f} s" if seconds < 9.95 else f"{seconds:.0f} s"


def timings(values: Mapping[str, float]) -> str:
    """`network 0.52 s · alpha 0.31 s · stroke 40 ms`; empty if nothing was timed."""
    return " · ".join(f"{word} {duration(values[name])}" for name, word in _SHOWN if name in values)


def size(photo: Size) -> str:
    return f"{photo.width} × {photo.height}"


def percent(scale: float) -> str:
    value = scale * 100
    return f"{value:.1f} %" if value < 9.95 else f"{value:.0f} %"


def device(name: str) -> str:
    """`cpu` -> `CPU`, `cuda:0 NVIDIA H100` -> `NVIDIA H100`, `mps` -> `Apple GPU`."""
    if name.startswith("cpu"):
        return ("CPU " + name[3:].strip(" :")).strip()
    if name.startswith("cuda"):
        return name.partition(" ")[2] or "NVIDIA GPU"
    return "Apple GPU" if name.startswith("mps") else name


def marked(title: str, commercial: bool | None) -> str:
    """A network's title, marked where commercial use is not allowed or not known."""
    return title if commercial else f"{title} (non-commercial)" if commercial is False else f"{title} (licence not known)"


def licence_line(licence: str, url: str, commercial: bool | None) -> str:
    """The licence and what it allows, as rich text, with what it forbids in bold."""
    name = html.escape(licence) or "licence not stated"
    linked = f'<a href="{html.escape(url, quote=True)}">{name}</a>' if url else name
    use = {True: "commercial use allowed", False: "<b>not for commercial use</b>", None: "<b>commercial use not known</b>"}
    return f"{linked}, {use[commercial]}"


def megabytes(size: int) -> str:
    return f"{size / 1e6:.0f} MB" if size >= 10e6 else f"{size / 1e6:.1f} MB"
