"""The lanes of a worker in this process, with an engine that answers at once; then the process itself."""

import errno
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from bgdesk.app.system.locks import locked
from bgdesk.batch.model.values import BatchRecipe
from bgdesk.batch.workers import photo_job
from bgdesk.batch.workers import worker as worker_module
from bgdesk.batch.workers.memory import BASE
from bgdesk.batch.workers.photo_job import QueueEngine
from bgdesk.batch.workers.wire import (
    EndWork,
    EngineLost,
    FromWorker,
    JobFailed,
    JobReturned,
    JobWritten,
    LaneChanged,
    StageProgress,
    StartWork,
    TakeJob,
    WorkerReady,
    heard,
    line,
)
from bgdesk.batch.workers.worker import PhotoWorker
from bgdesk.core.errors import Cause
from bgdesk.core.tasks import Progress
from tests.batch.workers.workers import PATIENCE, FakeEngine, Listener, engines_of, job_for, photo_at

AMPLE = BASE + 1_000_000_000
T = TypeVar("T")
ROOT = Path(__file__).resolve().parents[3]


class Pool(Listener):
    """The other end of a worker's wire."""

    def hear(self, message: FromWorker) -> None:
        match message:
            case JobWritten(id, outcome):
                self.written(id, outcome)
            case JobFailed(id, error, cause):
                self.failed(id, error, cause)
            case JobReturned(id):
                self.returned(id)
            case LaneChanged(id, lane):
                self.note(id, f"[{'' if lane is None else lane.value}]")
            case StageProgress(id, stage, fraction):
                self.progressed(id, stage, fraction)


class Gate:
    """What an engine waits at, until a test lets it pass."""

    def __init__(self) -> None:
        self.entered = threading.Semaphore(0)
        self.passes = threading.Semaphore(0)

    def __call__(self, progress: Progress) -> None:
        self.entered.release()
        assert self.passes.acquire(timeout=PATIENCE)
        progress("network", 0.5)

    def wait(self) -> None:
        assert self.entered.acquire(timeout=PATIENCE)


@pytest.fixture
def pool() -> Pool:
    return Pool()


@pytest.fixture
def start(pool: Pool) -> Iterator[Callable[..., PhotoWorker]]:
    """start(engine, memory) gives a running worker."""
    workers = []

    def begin(engine: FakeEngine, memory: int = AMPLE) -> PhotoWorker:
        worker = PhotoWorker(engines_of(engine), pool.hear, memory)
        worker.start()
        workers.append(worker)
        return worker

    yield begin
    for worker in workers:
        worker.end(say=False)


Start = Callable[..., PhotoWorker]


def photos(folder: Path, *widths: int) -> list[Path]:
    return [photo_at(folder / f"{number}.png", width) for number, width in enumerate(widths, 1)]


def test_photos_are_done_in_order(start: Start, pool: Pool, tmp_path: Path) -> None:
    worker = start(FakeEngine())
    for id, source in enumerate(photos(tmp_path, *[20] * 6), 1):
        worker.take(job_for(source, tmp_path, id))
    assert pool.how(*range(1, 7)) == ["written"] * 6
    assert all(pool.outcome(id).written[0].staged.exists() for id in range(1, 7))
    assert [id for id, stage in pool.stages if stage == "[compute]"] == [1, 2, 3, 4, 5, 6]
    assert [stage for id, stage in pool.stages if id == 1] == (
        ["[load]", "load", "[]", "[compute]", "network", "confidence", "[]", "[save]", "save"]
    )


def test_one_photo_is_read_ahead_while_another_is_computed(start: Start, pool: Pool, tmp_path: Path) -> None:
    gate = Gate()
    worker = start(FakeEngine(before=gate))
    for id, source in enumerate(photos(tmp_path, 20, 20, 20), 1):
        worker.take(job_for(source, tmp_path, id))
    gate.wait()
    pool.until(lambda: (2, "[]") in pool.stages)
    assert not any(id == 3 for id, _ in pool.stages)  # one ahead is enough
    gate.passes.release()
    gate.wait()
    pool.until(lambda: (3, "[]") in pool.stages)  # while the second is computed, and nothing else happens
    gate.passes.release(2)
    assert pool.how(1, 2, 3) == ["written"] * 3


def test_failures_cost_only_their_own_photo(start: Start, pool: Pool, tmp_path: Path, expect_log: Callable[[str], None]) -> None:
    expect_log(r"3\.png: an unforeseen failure")
    worker = start(FakeEngine())
    for id, source in enumerate([*photos(tmp_path, 20, 13, 17, 19), tmp_path / "gone.png"], 1):
        worker.take(job_for(source, tmp_path, id))
    assert pool.how(1, 2, 3, 4, 5) == ["written", "failed", "failed", "failed", "failed"]
    assert pool.said(2) == "13 pixels bring bad luck. Crop the photo."
    assert pool.said(3).startswith("3.png could not be cut out, something unforeseen went wrong: tensors do not fit.")
    assert pool.said(4).startswith("4.png does not fit into this computer's memory.")
    assert "gone.png could not be read" in pool.said(5)
    assert set(pool.causes.values()) == {None}  # the photos are to blame


def test_why_an_output_could_not_be_saved_is_told(start: Start, pool: Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "replace", full)
    start(FakeEngine()).take(job_for(photo_at(tmp_path / "1.png"), tmp_path))
    assert pool.how(1) == ["failed"]
    assert pool.causes == {1: Cause.DISK_FULL}


def test_a_pause_stops_what_runs_and_begins_nothing(start: Start, pool: Pool, tmp_path: Path) -> None:
    gate = Gate()
    worker = start(FakeEngine(before=gate))
    first, second = photos(tmp_path, 20, 20)
    worker.take(job_for(first, tmp_path, 1))
    gate.wait()
    worker.pause(True)
    worker.take(job_for(second, tmp_path, 2))
    gate.passes.release()  # the engine goes on to its next report, and stays there
    pool.until(lambda: (1, "network") in pool.stages)
    told = len(pool.stages)
    worker.cancel([2])  # heard while paused, and an answer says that everything before it was
    assert pool.how(2) == ["returned"]
    assert len(pool.stages) == told
    assert not pool.ended.keys() - {2}
    worker.pause(False)
    assert pool.how(1) == ["written"]


def test_cancelling(start: Start, pool: Pool, tmp_path: Path) -> None:
    gate = Gate()
    worker = start(FakeEngine(before=gate))
    for id, source in enumerate(photos(tmp_path, 20, 20, 20), 1):
        worker.take(job_for(source, tmp_path, id))
    gate.wait()
    pool.until(lambda: (2, "[]") in pool.stages)
    worker.cancel([1, 2, 99])
    assert pool.how(2) == ["returned"]
    assert 1 not in pool.ended
    gate.passes.release(2)
    assert pool.how(1, 3) == ["returned", "written"]


def test_giving_back_what_was_not_begun(start: Start, pool: Pool, tmp_path: Path) -> None:
    gate = Gate()
    worker = start(FakeEngine(before=gate))
    for id, source in enumerate(photos(tmp_path, 20, 20, 20), 1):
        worker.take(job_for(source, tmp_path, id))
    gate.wait()
    pool.until(lambda: (2, "[]") in pool.stages)
    worker.cancel([1, 2, 3], begun=False)
    assert pool.how(2, 3) == ["returned", "returned"]
    gate.passes.release(2)
    assert pool.how(1) == ["written"]


@pytest.mark.parametrize("paused", [False, True])
def test_the_end_gives_everything_back(start: Start, pool: Pool, tmp_path: Path, paused: bool) -> None:
    gate = Gate()
    worker = start(FakeEngine(before=gate))
    jobs = [job_for(source, tmp_path, id) for id, source in enumerate(photos(tmp_path, 20, 20), 1)]
    for job in jobs:
        worker.take(job)
    gate.wait()
    worker.pause(paused)
    jobs[0].staged[0].parent.mkdir()
    jobs[0].staged[0].write_text("half")
    worker.end(say=True)
    assert pool.how(1, 2) == ["returned", "returned"]
    assert not jobs[0].staged[0].exists()
    gate.passes.release()


def test_a_photo_without_room_waits_until_it_is_alone(start: Start, pool: Pool, tmp_path: Path) -> None:
    gate = Gate()
    worker = start(FakeEngine(before=gate), memory=0)
    first, second = photos(tmp_path, 20, 20)
    worker.take(job_for(first, tmp_path, 1))
    worker.take(job_for(second, tmp_path, 2))
    gate.wait()
    gate.passes.release(2)
    assert pool.how(1, 2) == ["written", "written"]
    stages = [(id, stage) for id, stage in pool.stages if stage.startswith("[")]
    assert stages.index((2, "[load]")) > stages.index((1, "[save]"))


def test_more_memory_lets_it_in(start: Start, pool: Pool, tmp_path: Path) -> None:
    gate = Gate()
    worker = start(FakeEngine(before=gate), memory=0)
    first, second = photos(tmp_path, 20, 20)
    worker.take(job_for(first, tmp_path, 1))
    gate.wait()
    worker.take(job_for(second, tmp_path, 2))
    worker.allow(AMPLE)
    pool.until(lambda: (2, "[]") in pool.stages)
    gate.passes.release(2)
    assert pool.how(1, 2) == ["written", "written"]


# --- the process ---

CHILD = """
import os, sys, threading
from bgdesk.batch.workers import worker
from bgdesk.batch.workers.worker import ReadyEngines
from tests.batch.workers.workers import FakeEngine, engines_of
from tests.batch.workers.test_worker import held_forever

def before(progress):
    print("a library's chatter", flush=True)
    os.write(1, b"and a driver's\\n")
    if os.path.exists(sys.argv[1] + "/hang"):
        held_forever(sys.argv[1])

worker.main(lambda recipe: ReadyEngines(engines_of(FakeEngine(before=before)), "cpu", 1))
"""


def held_forever(folder: str) -> None:
    """Hold a lock until this process dies: how a test sees that it did."""
    with locked(Path(folder) / "alive", lambda: None):
        (Path(folder) / "hanging").touch()
        threading.Event().wait()


def child(folder: Path) -> list[str]:
    return [sys.executable, "-c", CHILD, str(folder)]


def start_child(folder: Path) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        child(folder),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert process.stdin is not None
    process.stdin.write(line(StartWork(BatchRecipe(), AMPLE)))
    process.stdin.flush()
    return process


def hear(process: subprocess.Popen[bytes], until: type[T]) -> T:
    """The first message of that kind; every line has to be a message."""
    assert process.stdout is not None
    for data in process.stdout:
        message = heard(data)
        assert message is not None, data
        if isinstance(message, until):
            return message
    pytest.fail(f"the worker ended before {until}")


def test_the_process_speaks_on_a_wire_of_its_own(tmp_path: Path) -> None:
    with start_child(tmp_path) as process:
        assert process.stdin is not None
        assert hear(process, WorkerReady) == WorkerReady("cpu", 1)
        job = job_for(photo_at(tmp_path / "héé\udce9.png"), tmp_path)
        process.stdin.write(line(TakeJob(job)) + line(TakeJob(job))[:5] + b"\n")
        process.stdin.flush()
        assert hear(process, JobWritten).id == 1
        process.stdin.write(line(EndWork()))
        process.stdin.flush()
        _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert b"a library's chatter" in errors
    assert b"and a driver's" in errors


def test_the_process_is_nicer_and_dies_with_its_parent(tmp_path: Path) -> None:
    """In the middle of a photo, at the end of its stdin: at once, and without a half-written file."""
    (tmp_path / "hang").touch()
    with start_child(tmp_path) as process:
        assert process.stdin is not None
        hear(process, WorkerReady)
        if hasattr(os, "getpriority"):
            assert os.getpriority(os.PRIO_PROCESS, process.pid) > os.getpriority(os.PRIO_PROCESS, 0)
        job = job_for(photo_at(tmp_path / "a.png"), tmp_path)
        job.staged[0].parent.mkdir()
        job.staged[0].write_text("half")
        process.stdin.write(line(TakeJob(job)))
        process.stdin.flush()
        hear(process, StageProgress)
        process.stdin.close()
        assert process.wait(PATIENCE) == 0
    assert not job.staged[0].exists()


def test_a_parent_that_is_killed_takes_its_worker_along(tmp_path: Path) -> None:
    (tmp_path / "hang").touch()
    photo = photo_at(tmp_path / "a.png")
    parent = f"""
import sys
from pathlib import Path
from bgdesk.batch.workers.local_pool import LocalPool
from bgdesk.batch.model.values import BatchRecipe
from tests.batch.workers.test_worker import child
from tests.batch.workers.workers import Listener, job_for
listener, folder = Listener(), Path({str(tmp_path)!r})
pool = LocalPool(listener, BatchRecipe(), command=child(folder))
pool.submit(job_for(Path({str(photo)!r}), folder))
listener.until(lambda: (folder / "hanging").exists())
print("begun", flush=True)
sys.stdin.read()
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, "-c", parent], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, env=environment
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"begun\n"
        process.kill()
    looks = 0

    def waiting() -> None:
        nonlocal looks
        looks += 1
        assert looks < PATIENCE * 10, "the worker lives on"

    with locked(tmp_path / "alive", waiting):
        pass


def test_an_engine_that_cannot_be_opened_is_said(home: Path) -> None:
    """The real thing, without any network installed."""
    command = [sys.executable, "-P", "-m", "bgdesk", "_worker"]
    start = line(StartWork(BatchRecipe(), AMPLE))
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)}
    ) as process:
        assert process.stdin is not None
        process.stdin.write(start)
        process.stdin.flush()
        said = hear(process, EngineLost)
        process.communicate(timeout=PATIENCE)
    assert said.error.startswith("No network is installed. Install one with: bgdesk models install")


def test_the_door_is_hidden(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from bgdesk import __main__

    with pytest.raises(SystemExit):
        __main__.main(["--help"])
    assert "_worker" not in capsys.readouterr().out
    monkeypatch.setattr(worker_module, "main", lambda: 42)
    assert __main__.main(["_worker"]) == 42


@pytest.mark.parametrize(
    ("found", "instead_of", "kind", "devices"),
    [
        ("CPU", "", "cpu", 1),
        ("CPU", "Card", "cpu", 1),  # the card failed its proof
        ("Card", "", "cuda", 3),
    ],
)
def test_the_devices_are_counted(monkeypatch: pytest.MonkeyPatch, found: str, instead_of: str, kind: str, devices: int) -> None:
    import torch

    from bgdesk.app.networks import open_engine
    from bgdesk.core.engine import EngineStatus
    from bgdesk.engine.networks import device
    from bgdesk.engine.pipeline import Pipeline

    engine = Pipeline(lambda: pytest.fail("no network is needed here"))
    monkeypatch.setattr(engine, "warm", lambda: EngineStatus(device=found, precision="fp16", model="isnet-general", instead_of=instead_of))
    monkeypatch.setattr(photo_job, "open_engines", lambda recipe: lambda model: QueueEngine(engine))
    monkeypatch.setattr(open_engine, "probe", lambda: device.Machine(cuda="Card", mps=False, bf16=True))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    ready = worker_module.open_engine(BatchRecipe())
    assert (ready.kind, ready.devices) == (kind, devices)
