"""The network's seconds beside ONNX Runtime's on the same weights, and how much a lower precision changes the matte."""

import statistics
from collections.abc import Callable, Iterator
from functools import partial

import cv2
import numpy as np

from bgdesk.bench.bench_report import Figure, at_most, not_measured, ratio_at_most
from bgdesk.bench.setup import Setup, missing, timed
from bgdesk.core.arrays import Alpha
from bgdesk.engine.networks import onnx_baseline
from bgdesk.engine.networks.nets.architectures import NETS
from bgdesk.engine.networks.segment import segment

#: Times faster than ONNX Runtime: where the CPU computes in bf16 itself, and elsewhere.
_FASTER_BF16, _FASTER_FP32 = 3.5, 1.1
_MEAN_DIFFERENCE = 5e-4


def run(setup: Setup, id: str = "isnet-general", architecture: str = "isnet") -> Iterator[Figure]:
    """Measure interleaved rounds, and give medians. Both sides get the same pixels, at the network's own size.

    `id` names the installed network and its published file; `architecture` is its key in NETS.
    """
    name, photo = setup.photo()
    side = 256 if setup.quick else NETS[architecture].side
    pixels = np.asarray(cv2.resize(photo, (side, side), interpolation=cv2.INTER_AREA), np.uint8)
    rounds = 1 if setup.quick else 7
    ours = {"fp32": setup.engine(id, "cpu", "fp32"), "auto": setup.engine(id)}
    work: dict[str, Callable[[], Alpha]] = {key: partial(engine.segment, pixels) for key, engine in ours.items()}
    why = missing("onnxruntime")
    file = setup.onnx / f"{id}.onnx"
    if not why and not file.is_file():
        why = f"the published file {file.name} is not there; name its folder with --onnx"
    if not why:
        work["peer"] = partial(segment, pixels, NETS[architecture], onnx_baseline.plain_run(file))
    mattes = {key: call() for key, call in work.items()}  # warm
    seconds: dict[str, list[float]] = {key: [] for key in work}
    for number in range(rounds):
        setup.say(f"network: round {number + 1} of {rounds}")
        for key, call in work.items():
            seconds[key].append(timed(call)[0])
    median = {key: statistics.median(each) for key, each in seconds.items()}
    status = ours["auto"].status
    note = f"{name}, {side}×{side}, {onnx_baseline.threads()} threads, {rounds} rounds"
    if why:
        yield not_measured("network.onnxruntime", why)
    beside_name, beside = ("onnxruntime, fp32", median["peer"]) if "peer" in median else ("", None)
    reduced = status.precision != "fp32"
    yield Figure(
        "network.fp32",
        median["fp32"],
        unit="s",
        peer=beside_name,
        peer_value=beside,
        bar=None if reduced else ratio_at_most(1 / _FASTER_FP32),
        note=note,
    )
    if reduced:
        bar = ratio_at_most(1 / _FASTER_BF16)
        yield Figure(
            f"network.{status.precision} on {status.device}",
            median["auto"],
            unit="s",
            peer=beside_name,
            peer_value=beside,
            bar=bar,
            note=note,
        )
    difference = np.abs(mattes["auto"] - mattes["fp32"])
    yield Figure("network.mean difference from fp32", float(difference.mean()), unit="", bar=at_most(_MEAN_DIFFERENCE), note=note)
    yield Figure("network.largest difference from fp32", float(difference.max()), note=note)
    if "peer" in mattes:
        difference = np.abs(mattes["fp32"] - mattes["peer"])
        yield Figure("network.fp32's mean difference from onnxruntime", float(difference.mean()), note=note)
