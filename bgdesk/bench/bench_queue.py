"""The folder queue as a whole: its rate beside the engine's own, its memory at ten times the photos, and rembg's rate.

The queue is run as a person runs it, `bgdesk batch` in a process of its own, and watched from outside.
"""

import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from bgdesk.bench.bench_report import Figure, at_least, at_most, not_measured
from bgdesk.bench.cases import corpus
from bgdesk.bench.runners.objects import FILE, cut_out, missing_for_rembg, rembg_session
from bgdesk.bench.setup import Setup, timed
from bgdesk.core.arrays import Pixels, to_uint8
from bgdesk.core.errors import BgdeskError
from bgdesk.files.load import load

#: How many photos, in the long run and in the short one that its memory is compared with.
_MANY, _FEW = 200, 20
#: Least share of the engine's own rate; most memory of the long run to the short one's.
_RATE, _MEMORY = 0.9, 1.1
#: Least photos a minute to rembg's, where the CPU computes in bf16 itself and elsewhere.
_FASTER_BF16, _FASTER = 3.0, 1.0
#: Recipes: the network's matte as it is, and with edges solved and colours decontaminated. Neither has a gate, as rembg has none.
_PLAIN, _REFINED = "gate = 0\n[matte]\nrefine = false\ndecontaminate = false\n", "gate = 0\n"
#: The rate is measured from this finished photo on, because the start of the program takes time too.
_BEGUN = 3


@dataclass(frozen=True)
class QueueFigures:
    """What was seen of a queue."""

    rate: float  #: photos a second, once the queue runs
    done: int  #: photos that were finished
    memory: int | None  #: most bytes of all its processes together; None where the system does not tell


def rate(setup: Setup) -> Iterator[Figure]:
    """Measure 200 photos through the queue: its rate beside the engine's own, and its memory beside that of 20 photos."""
    photos = _photos(setup)
    if not photos:
        yield not_measured("rate", "no --data folder with photos was given")
        return
    engine = setup.engine()
    arrays = [load(photo).pixels for photo in photos]
    engine.confidence(arrays[0], engine.auto(arrays[0]))

    def cut_and_judge(pixels: Pixels) -> None:
        engine.confidence(pixels, engine.auto(pixels))

    def alone() -> float:
        """Seconds a photo for the engine's part of the queue's work, without reading and writing."""
        return statistics.fmean(timed(cut_and_judge, pixels)[0] for pixels in arrays)

    many, few = (len(photos), 2) if setup.quick else (_MANY, _FEW)
    setup.say("rate: the engine alone")
    before = alone()
    try:
        long = _queue(setup, photos, many)
        short = _queue(setup, photos, few)
    except BgdeskError as error:
        yield not_measured("rate", str(error))
        return
    setup.say("rate: the engine alone, again")
    own = 1 / statistics.fmean((before, alone()))  # before and after: the machine's speed drifts
    note = f"{many} photos, {len(photos)} of them different"
    yield Figure("rate.photos done", long.done, unit="", bar=at_least(many), note=note)
    yield Figure("rate.photos a minute", 60 * long.rate, unit="", peer="the engine alone", peer_value=60 * own, bar=None, note=note)
    yield Figure("rate.share of the engine's own rate", long.rate / own, unit="×", bar=at_least(_RATE), note=note)
    if long.memory is None or short.memory is None:
        yield not_measured("rate.memory", "the system does not tell")
    else:
        yield Figure("rate.memory", long.memory / 1e9, unit="GB", peer=f"{few} photos", peer_value=short.memory / 1e9, bar=None, note=note)
        yield Figure("rate.memory to that of few photos", long.memory / short.memory, unit="×", bar=at_most(_MEMORY), note=note)


def rembg(setup: Setup) -> Iterator[Figure]:
    """Measure the queue beside rembg, file to file, with the same weights: with the network's matte, and with solved edges."""
    why, photos = missing_for_rembg(setup), _photos(setup)
    if why or not photos:
        yield not_measured("rembg", why or "no --data folder with photos was given")
        return
    bar = at_least(_FASTER_BF16 if _precision(setup) == "bf16" else _FASTER)
    for name, recipe, refined in (("without refinement", _PLAIN, False), ("with refinement", _REFINED, True)):
        count = 2 if setup.quick else 2 * len(photos)
        try:
            ours = _queue(setup, photos, count, recipe)
        except BgdeskError as error:
            yield not_measured(f"rembg.{name}", str(error))
            continue
        setup.say(f"rembg: {name}")
        theirs = _rembg_rate(setup, photos[: 2 if setup.quick else None], refined)
        note = f"{len(photos)} photos, file to file"
        yield Figure(f"rembg.photos a minute, {name}", 60 * ours.rate, unit="", peer="rembg", peer_value=60 * theirs, bar=None, note=note)
        yield Figure(f"rembg.times as fast, {name}", ours.rate / theirs, unit="×", bar=None if refined else bar, note=note)


def _precision(setup: Setup) -> str:
    engine = setup.engine()
    engine.segment(setup.photo()[1])
    return engine.status.precision


def _photos(setup: Setup) -> list[Path]:
    folders = [folder / "image" for folder in setup.data.objects] + list(setup.data.photos)
    photos = [photo for folder in folders for photo in corpus.pictures(folder)]
    return photos[:2] if setup.quick else photos


def _rembg_rate(setup: Setup, photos: Sequence[Path], refined: bool) -> float:
    """Photos a second of rembg, from file to PNG file."""
    import cv2

    session = rembg_session(setup.onnx / FILE)

    def one(photo: Path, target: Path) -> None:
        picture = cut_out(to_uint8(load(photo).pixels), session, refined)
        cv2.imwrite(str(target), cv2.cvtColor(picture, cv2.COLOR_RGBA2BGRA), [cv2.IMWRITE_PNG_COMPRESSION, 1])

    with tempfile.TemporaryDirectory() as folder:
        one(photos[0], Path(folder) / "warm.png")
        seconds = [timed(one, photo, Path(folder) / f"{number}.png")[0] for number, photo in enumerate(photos)]
    return len(seconds) / sum(seconds)


def _queue(setup: Setup, photos: Sequence[Path], count: int, recipe: str = "") -> QueueFigures:
    """Run `count` photos through `bgdesk batch`, with a recipe (TOML). Raises BgdeskError with the program's own message."""
    with tempfile.TemporaryDirectory() as name:
        folder, out = Path(name) / "photos", Path(name) / "out"
        folder.mkdir()
        for number in range(count):
            photo = photos[number % len(photos)]
            shutil.copy(photo, folder / f"{number:04}-{photo.name}")
        setup.say(f"queue: {count} photos")
        (Path(name) / "recipe.toml").write_text(recipe)
        command = [sys.executable, "-m", "bgdesk", "batch", str(folder), "-o", str(out), "--json", "--recipe", f"{name}/recipe.toml"]
        with (Path(name) / "said").open("w+") as said, subprocess.Popen(command, stdout=subprocess.PIPE, stderr=said, text=True) as process:
            watch = _MemoryWatch(process.pid)
            finished = [(time.monotonic(), json.loads(line)) for line in process.stdout or ()]
            memory = watch.end()
            status = process.wait()
            said.seek(0)
            complaint = said.read().strip()[-500:]
    states = [(at, record["state"]) for at, record in finished if "state" in record and "source" in record]
    done = [at for at, state in states if state in ("done", "review")]
    if status not in (0, 1, 3) or (len(done) <= _BEGUN and not setup.quick):
        raise BgdeskError(f"bgdesk batch ended with status {status}: {complaint}")
    begun = 0 if setup.quick else _BEGUN
    return QueueFigures((len(done) - 1 - begun) / max(done[-1] - done[begun], 1e-9), len(done), memory)


class _MemoryWatch:
    """The most memory that a process and its children take together, measured ten times a second."""

    def __init__(self, process: int) -> None:
        self._peak = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, args=(process,), daemon=True)
        self._thread.start()

    def end(self) -> int | None:
        """Stop measuring; return the bytes, or None where the system does not tell."""
        self._ended.set()
        self._thread.join()
        return self._peak or None

    def _watch(self, process: int) -> None:
        while not self._ended.wait(0.1):
            with suppress(psutil.Error):  # it has just ended
                parent = psutil.Process(process)
                self._peak = max(self._peak, sum(map(_resident, [parent, *parent.children(recursive=True)])))


def _resident(process: psutil.Process) -> int:
    try:
        return process.memory_info().rss
    except psutil.Error:
        return 0


#: name -> runner, as bench.bench_engine.RUNNERS.
RUNNERS: dict[str, Callable[[Setup], Iterator[Figure]]] = {"rate": rate, "rembg": rembg}
