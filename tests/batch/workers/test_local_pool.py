"""The pool on this machine, with workers that speak the wire and compute nothing; and once with the real one."""

import argparse
import os
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bgdesk.batch.model.values import BatchRecipe, PhotoJob, Variant
from bgdesk.batch.workers.dispatcher import JOBS_EACH
from bgdesk.batch.workers.local_pool import LocalPool, own_command, words_for
from bgdesk.cli import cut
from bgdesk.core.errors import Cause
from bgdesk.core.stages import Stage
from tests.batch.workers.workers import Listener, job_for

FAKE = [sys.executable, str(Path(__file__).with_name("fake_worker.py"))]
Start = Callable[..., LocalPool]
ExpectLog = Callable[[str], None]


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture
def start(listener: Listener) -> Iterator[Start]:
    """start(environment…, jobs=…) gives a pool of fake workers."""
    pools = []

    def begin(jobs: int | None = None, command: list[str] | None = None, **environment: str) -> LocalPool:
        pool = LocalPool(listener, BatchRecipe(), jobs=jobs, command=command or FAKE, environment=environment)
        pools.append(pool)
        return pool

    yield begin
    for pool in pools:
        pool.close()


@pytest.fixture
def job(tmp_path: Path) -> Callable[[int, str], PhotoJob]:
    """job(id, name): the name says what the fake worker does."""
    return lambda id, name: job_for(tmp_path / f"{name}.png", tmp_path, id)


MakeJob = Callable[[int, str], PhotoJob]


def test_jobs_are_done(start: Start, listener: Listener, job: MakeJob) -> None:
    pool = start()
    assert pool.capacity == JOBS_EACH
    for id in range(1, 8):
        pool.submit(job(id, "good"))
    assert listener.how(*range(1, 8)) == ["written"] * 7
    assert (1, "network") in listener.stages
    assert len({listener.outcome(id).model for id in range(1, 8)}) == 1  # one worker did them all
    assert listener.outcome(1).source_sha256 == "2"


def test_a_failure_is_told(start: Start, listener: Listener, job: MakeJob) -> None:
    pool = start()
    pool.submit(job(1, "fail"))
    pool.submit(job(2, "good"))
    assert listener.how(1, 2) == ["failed", "written"]
    assert listener.said(1) == "fail.png is damaged."
    assert listener.causes == {1: None}


def test_why_an_output_could_not_be_saved_is_told(start: Start, listener: Listener, job: MakeJob) -> None:
    start().submit(job(1, "full"))
    assert listener.how(1) == ["failed"]
    assert listener.causes == {1: Cause.DISK_FULL}


@pytest.mark.parametrize(
    ("name", "how"),
    [("signal", "was killed (SIGKILL), as systems do when memory runs short"), ("status", "ended with status 3")],
)
def test_a_crash_costs_what_was_in_a_stage(
    start: Start, listener: Listener, job: MakeJob, expect_log: ExpectLog, name: str, how: str
) -> None:
    expect_log("A worker (was killed|ended)")
    pool = start()
    pool.submit(job(1, "rest"))
    pool.submit(job(2, "wait"))
    listener.until(lambda: (2, "network") in listener.stages)
    bad = job(3, name)
    bad.staged[0].parent.mkdir(parents=True)
    bad.staged[0].write_text("half")
    (bad.staged[0].parent / f".{bad.staged[0].name}.0123abcd.part").write_text("half")
    pool.submit(bad)
    assert listener.how(1, 2, 3) == ["returned", "crashed", "crashed"]
    assert listener.said(3) == f"it was being cut out when the worker {how}"
    assert list(bad.staged[0].parent.iterdir()) == []
    pool.submit(job(4, "good"), alone=True)
    pool.submit(job(5, "good"))
    assert listener.how(4, 5) == ["written", "written"]
    assert not listener.lost_because


def test_a_worker_that_is_ended_politely_blames_nobody(start: Start, listener: Listener, job: MakeJob, expect_log: ExpectLog) -> None:
    expect_log("A worker was killed .SIGTERM")
    pool = start()
    pool.submit(job(1, "polite"))
    assert listener.how(1) == ["returned"]
    pool.submit(job(2, "good"))
    assert listener.how(2) == ["written"]
    assert not listener.lost_because


def test_a_listener_may_call_the_pool_while_it_holds_a_lock_of_its_own(job: MakeJob) -> None:
    lock = threading.Lock()

    class Locked(Listener):
        def _end(self, id: int, how: str, said: object) -> None:
            with lock:
                super()._end(id, how, said)

    listener = Locked()
    with lock:
        pool = LocalPool(listener, BatchRecipe(), command=["/nothing"])
        pool.submit(job(1, "good"))
        pool.cancel([1])
    assert listener.how(1) == ["returned"]
    pool.close()


def test_a_worker_that_dies_before_it_begins_anything(start: Start, listener: Listener, job: MakeJob, expect_log: ExpectLog) -> None:
    expect_log("A worker ended with status 5")
    pool = start(FAKE_IDLE_DEATH="1")
    pool.submit(job(1, "good"))
    assert listener.how(1) == ["returned"]
    assert not listener.lost_because
    pool.submit(job(2, "good"))
    assert listener.how(2) == ["returned"]
    assert len(listener.lost_because) == 1


def test_workers_that_die_at_once_lose_the_pool(start: Start, listener: Listener, job: MakeJob, expect_log: ExpectLog) -> None:
    expect_log("A worker ended with status 7")
    pool = start(FAKE_DIE="1")
    pool.submit(job(1, "good"))
    assert listener.how(1) == ["returned"]
    [said] = listener.lost_because
    assert said == "The worker ended with status 7 before it could do anything (a driver is missing). To see what is wrong: bgdesk doctor"
    pool.submit(job(2, "good"))  # somebody tries again
    assert listener.how(2) == ["returned"]
    assert len(listener.lost_because) == 2


def test_what_a_worker_says_of_its_engine_loses_the_pool(start: Start, listener: Listener, job: MakeJob) -> None:
    pool = start(FAKE_LOST="No network is installed.")
    pool.submit(job(1, "good"))
    pool.submit(job(2, "good"))
    assert listener.how(1, 2) == ["returned", "returned"]
    assert listener.lost_because == ["No network is installed."]


def test_a_worker_that_cannot_be_started(start: Start, listener: Listener, job: MakeJob, tmp_path: Path) -> None:
    pool = start(command=[str(tmp_path / "nothing")])
    listener.until(lambda: bool(listener.lost_because))
    assert listener.lost_because == ["A worker could not be started: No such file or directory. Check the memory, and try again."]
    pool.submit(job(1, "good"))
    assert listener.how(1) == ["returned"]


def test_what_is_not_a_message_is_passed_over(start: Start, listener: Listener, job: MakeJob) -> None:
    start().submit(job(1, "garbage"))
    assert listener.how(1) == ["written"]


def test_alone_means_alone(start: Start, listener: Listener, job: MakeJob) -> None:
    pool = start()
    for id in (1, 2):
        pool.submit(job(id, "wait"))
    listener.until(lambda: {(1, "network"), (2, "network")} <= set(listener.stages))
    pool.submit(job(3, "good"), alone=True)
    pool.submit(job(4, "good"))
    pool.cancel([1])
    assert listener.how(1) == ["returned"]
    assert 3 not in listener.ended
    assert 4 not in listener.ended  # or the suspect would wait for ever
    pool.cancel([2])
    assert listener.how(2, 3, 4) == ["returned", "written", "written"]
    assert listener.outcome(3).width == 1


def test_cancelling_what_waits(start: Start, listener: Listener, job: MakeJob) -> None:
    pool = start()
    for id in range(1, JOBS_EACH + 1):
        pool.submit(job(id, "wait"))
    pool.submit(job(9, "good"))
    pool.cancel([9, 77])
    assert listener.how(9) == ["returned"]
    pool.cancel([1])
    assert listener.how(1) == ["returned"]


def test_a_pause_reaches_the_workers_there_are_and_those_to_come(
    start: Start, listener: Listener, job: MakeJob, expect_log: ExpectLog
) -> None:
    expect_log("A worker ended with status 3")
    pool = start()
    pool.submit(job(1, "good"))
    assert listener.how(1) == ["written"]
    assert listener.outcome(1).height == 0
    pool.pause(True)
    pool.submit(job(2, "good"))
    pool.submit(job(3, "status"))
    assert listener.how(2, 3) == ["written", "crashed"]
    pool.submit(job(4, "good"))
    assert listener.how(4) == ["written"]
    assert listener.outcome(2).height == listener.outcome(4).height == 1
    pool.pause(False)
    pool.submit(job(5, "good"))
    assert listener.how(5) == ["written"]
    assert listener.outcome(5).height == 0


@pytest.mark.parametrize("wait", [10.0, 0.0])
def test_closing_gives_everything_back(start: Start, listener: Listener, job: MakeJob, wait: float) -> None:
    pool = start()
    for id in range(1, 9):
        pool.submit(job(id, "wait"))
    listener.until(lambda: (1, "network") in listener.stages)
    pool.close(wait)
    assert listener.how(*range(1, 9)) == ["returned"] * 8
    pool.submit(job(9, "good"))
    assert listener.how(9) == ["returned"]
    pool.close()


def test_a_worker_that_does_not_end_is_killed(start: Start, listener: Listener, job: MakeJob) -> None:
    pool = start()
    pool.submit(job(1, "stubborn"))
    listener.until(lambda: (1, "network") in listener.stages)
    pool.close(wait=0.2)
    assert listener.how(1) == ["returned"]


@pytest.mark.parametrize(
    ("devices", "visible", "jobs", "expected"),
    [
        ("3", None, None, {"all", "1", "2"}),
        ("2", "5,7", None, {"5,7", "7"}),
        ("2", None, 3, {"all", "1", "0"}),
        ("1", None, None, {"all"}),
    ],
)
def test_every_gpu_has_a_worker(
    start: Start,
    listener: Listener,
    job: MakeJob,
    monkeypatch: pytest.MonkeyPatch,
    devices: str,
    visible: str | None,
    jobs: int | None,
    expected: set[str],
    tmp_path: Path,
) -> None:
    """The first worker finds out how many there are, and uses the first of them; the others see one each."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    pool = start(jobs, FAKE_DEVICES=devices, **({} if visible is None else {"CUDA_VISIBLE_DEVICES": visible}))
    workers = jobs or int(devices)
    for id in range(1, JOBS_EACH * workers + 1):
        pool.submit(job(id, "where"))
    listener.until(lambda: {file.name for file in tmp_path.glob("queue/GPU *")} == {f"GPU {each}" for each in expected})
    assert pool.capacity == JOBS_EACH * workers


def test_several_workers_share_the_processor(start: Start, listener: Listener, job: MakeJob, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    pool = start(2)
    for id in range(1, 2 * JOBS_EACH + 1):
        pool.submit(job(id, "good"))
    listener.how(*range(1, 2 * JOBS_EACH + 1))
    assert listener.outcome(1).precision == str(max(1, (os.cpu_count() or 1) // 2))


def test_ctrl_c_in_a_terminal_does_not_reach_the_workers(start: Start, listener: Listener, job: MakeJob) -> None:
    start().submit(job(1, "good"))
    assert listener.how(1) == ["written"]
    if hasattr(os, "getsid"):
        assert listener.outcome(1).model_sha256 == listener.outcome(1).model  # the leader of a session of its own


def test_a_listener_s_mistake_costs_nothing(listener: Listener, job: MakeJob, expect_log: ExpectLog) -> None:
    expect_log("a listener of the pool failed")

    class Clumsy(Listener):
        def progressed(self, id: int, stage: Stage, fraction: float) -> None:
            raise ZeroDivisionError

    clumsy = Clumsy()
    pool = LocalPool(clumsy, BatchRecipe(), command=FAKE)
    pool.submit(job(1, "good"))
    assert clumsy.how(1) == ["written"]
    pool.close()


@pytest.mark.parametrize(
    ("frozen", "command"), [(False, [sys.executable, "-P", "-m", "bgdesk", "_worker"]), (True, [sys.executable, "_worker"])]
)
def test_a_worker_is_this_program(monkeypatch: pytest.MonkeyPatch, frozen: bool, command: list[str]) -> None:
    monkeypatch.setattr(sys, "frozen", frozen, raising=False)
    assert own_command() == command


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (0, "ended with status 0"),
        (-11, "was killed (SIGSEGV)"),
        (-9, "was killed (SIGKILL), as systems do when memory runs short"),
        (-99, "was killed (signal 99)"),
    ],
)
def test_how_a_process_ended(status: int, said: str) -> None:
    assert words_for(status) == said


def test_the_real_worker_writes_what_cut_writes(models_home: Path, listener: Listener, tmp_path: Path, sample: Path) -> None:
    recipe = BatchRecipe(model="u2netp", variants=(Variant(), Variant(name="square", size=128, background=(255, 255, 255))))
    pool = LocalPool(listener, recipe)
    pool.submit(job_for(sample, tmp_path, 1, recipe))
    parser = argparse.ArgumentParser()
    cut.add_arguments(parser)
    assert cut.run(parser.parse_args([str(sample), "-o", str(tmp_path / "cut.png"), "--model", "u2netp"])) == 0
    assert listener.how(1) == ["written"]
    outcome = listener.outcome(1)
    assert outcome.written[0].staged.read_bytes() == (tmp_path / "cut.png").read_bytes()
    assert outcome.model == "u2netp"
    assert len(outcome.model_sha256) == 64
    assert {"load", "network", "trimap", "alpha", "foreground", "confidence", "save"} == set(outcome.timings)
    assert {stage for _, stage in listener.stages} == set(outcome.timings)
    pool.close()
