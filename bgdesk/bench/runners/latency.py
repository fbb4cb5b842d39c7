"""How long a person waits after a stroke, for photos of several sizes in one run."""

import statistics
from collections.abc import Iterator

import cv2
import numpy as np

from bgdesk.bench.bench_report import Figure, at_most
from bgdesk.bench.cases.corpus import random_of
from bgdesk.bench.setup import Setup, enlarged, timed
from bgdesk.core.arrays import Pixels
from bgdesk.core.engine import EngineProtocol
from bgdesk.core.pixels.brush import paint
from bgdesk.core.trimap import Label

#: Milliseconds that 95 of 100 strokes may take, and how much the sizes may differ.
_P95, _SPREAD = 100, 1.2
_RADIUS = 30.0


def run(setup: Setup) -> Iterator[Figure]:
    """Measure unknown strokes across the subject's edge, 60 px wide and about 120 px long each way, one after the other."""
    name, photo = setup.photo()
    engine = setup.engine()
    sizes = (0.1, 0.2) if setup.quick else (2, 24, 100)
    strokes = 5 if setup.quick else 40
    p95 = []
    for megapixels in sizes:
        setup.say(f"strokes: {megapixels:g} MP")
        large = enlarged(photo, megapixels)
        times = sorted(stroke_times(engine, large, strokes))
        p95.append(1000 * times[int(len(times) * 0.95) - 1])
        note = f"{name}, {strokes} strokes"
        yield Figure(f"strokes.p50 at {megapixels:g} MP", 1000 * statistics.median(times), unit="ms", note=note)
        yield Figure(f"strokes.p95 at {megapixels:g} MP", p95[-1], unit="ms", bar=at_most(_P95), note=note)
    yield Figure("strokes.slowest size to fastest, p95", max(p95) / min(p95), unit="×", bar=at_most(_SPREAD), note=name)


def stroke_times(engine: EngineProtocol, pixels: Pixels, strokes: int) -> list[float]:
    """Return the seconds of each of so many strokes, after a first one that is not counted."""
    random = random_of("strokes")
    cutout = engine.auto(pixels)
    alpha, trimap = cutout.alpha.copy(), cutout.trimap.copy()
    if cutout.matte is None:
        raise ValueError("an automatic cut-out has a matte")
    edge = np.argwhere(np.abs(cutout.matte - 0.5) < 0.2)
    if not len(edge):  # without a subject, strokes anywhere will do
        edge = np.argwhere(cv2.resize(np.ones((2, 2), np.uint8), pixels.shape[1::-1]) > 0)
    times = []
    for _ in range(strokes + 1):
        y, x = edge[random.integers(len(edge))]
        start, end = (float(x), float(y)), (float(x + random.normal(0, 120)), float(y + random.normal(0, 120)))
        painted = paint(trimap, start, end, _RADIUS, Label.UNKNOWN)
        seconds, patch = timed(engine.rematte, pixels, trimap, alpha, painted)
        alpha[patch.rect.slices], trimap[patch.rect.slices] = patch.alpha, patch.labels
        times.append(seconds)
    return times[1:]
