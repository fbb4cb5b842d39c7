"""A whole photo through `bgdesk cut`, in a process of its own, so that its memory can be measured."""

import json
import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2

from bgdesk.bench.bench_report import Bar, Figure, at_most, not_measured
from bgdesk.bench.setup import Setup, enlarged
from bgdesk.core.errors import BgdeskError

#: Megapixels -> most seconds for the engine's stages, most memory of the whole process in GB.
_BARS = {24.0: (4.0, 2.0), 100.0: (20.0, 5.0)}
_STAGES = ("network", "trimap", "alpha", "foreground")


def run(setup: Setup) -> Iterator[Figure]:
    """Measure the same photo several times in one process: the first cut also loads the network, the later ones do not."""
    name, photo = setup.photo()
    for megapixels in (0.2,) if setup.quick else tuple(_BARS):
        setup.say(f"whole: {megapixels:g} MP")
        with tempfile.TemporaryDirectory() as folder:
            files = [Path(folder) / f"{turn}.jpg" for turn in ("first", "second", "third")]
            encoded = cv2.imencode(".jpg", cv2.cvtColor(enlarged(photo, megapixels), cv2.COLOR_RGB2BGR))[1].tobytes()
            for file in files:
                file.write_bytes(encoded)
            try:
                said = setup.run_program(["cut", *map(str, files), "-o", str(Path(folder) / "cut"), "--format", "png", "--json"])
            except BgdeskError as error:
                yield not_measured(f"whole.{megapixels:g} MP", str(error))
                continue
        records = [json.loads(line) for line in said.splitlines()]
        yield from _figures(megapixels, name, records)


def _figures(megapixels: float, name: str, records: list[dict[str, Any]]) -> Iterator[Figure]:
    stages: list[dict[str, float]] = [dict(record["timings"]) for record in records]
    later = stages[1:] or stages
    note = f"{name}, {records[-1]['device']} {records[-1]['precision']}"
    most_seconds, most_memory = _BARS.get(megapixels, (None, None))
    cut = statistics.median(sum(each.get(stage, 0.0) for stage in _STAGES) for each in later)
    yield Figure(f"whole.cut at {megapixels:g} MP", cut, unit="s", bar=_bar(most_seconds), note=note)
    for stage in later[0]:
        seconds = statistics.median(each[stage] for each in later)
        yield Figure(f"whole.cut at {megapixels:g} MP, {stage}", seconds, unit="s", note=note)
    yield Figure(f"whole.first cut at {megapixels:g} MP", sum(stages[0].get(stage, 0.0) for stage in _STAGES), unit="s", note=note)
    peak = records[-1]["peak_memory_mb"]
    if isinstance(peak, int | float):
        yield Figure(f"whole.memory at {megapixels:g} MP", peak / 1000, unit="GB", bar=_bar(most_memory), note=note)
    else:
        yield not_measured(f"whole.memory at {megapixels:g} MP", "the system does not tell")


def _bar(limit: float | None) -> Bar | None:
    return None if limit is None else at_most(limit)
