"""The lanes: order, cancelling, progress, closing."""

import threading
import time
from typing import Any

import pytest

from bgdesk.app.work.jobs import Jobs, Lane, Priority
from bgdesk.core.errors import BgdeskError
from bgdesk.core.tasks import Cancelled, Progress


@pytest.fixture
def jobs(pump: Any) -> Any:
    jobs = Jobs(pump.post)
    yield jobs
    assert jobs.close()


def watch(log: list[Any], name: str = "") -> dict[str, Any]:
    return {
        "on_done": lambda result: log.append((name, "done", result)),
        "on_error": lambda error: log.append((name, "error", str(error))),
        "on_cancelled": lambda: log.append((name, "cancelled", None)),
    }


class Gate:
    """Work that waits, and listens to cancelling meanwhile."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.open = threading.Event()

    def __call__(self, progress: Progress) -> str:
        self.entered.set()
        while not self.open.wait(0.002):
            progress("wait", 0.5)
        return "through"


def test_results_come_on_the_owners_thread(jobs: Any, pump: Any) -> None:
    names: list[str] = []
    log: list[Any] = []
    jobs.submit(
        Lane.COMPUTE,
        lambda progress: names.append(threading.current_thread().name),
        on_done=lambda _: log.append(threading.current_thread()),
    )
    pump.until(lambda: log)
    assert names == ["bgdesk-compute"]
    assert log == [threading.current_thread()]


def test_threads_start_with_their_first_job_and_are_daemons(pump: Any) -> None:
    def ours() -> set[threading.Thread]:
        return {thread for thread in threading.enumerate() if thread.name.startswith("bgdesk-")}

    before = ours()
    jobs = Jobs(pump.post)
    assert ours() == before
    done: list[Any] = []
    jobs.submit(Lane.IO, lambda progress: 1, on_done=done.append)
    pump.until(lambda: done)
    (thread,) = ours() - before
    assert thread.daemon
    assert jobs.close()
    assert ours() == before


def test_lanes_do_not_wait_for_each_other(jobs: Any, pump: Any) -> None:
    gate = Gate()
    log: list[Any] = []
    jobs.submit(Lane.DOWNLOAD, gate, **watch(log, "download"))
    jobs.submit(Lane.COMPUTE, gate, **watch(log, "compute"))
    jobs.submit(Lane.IO, lambda progress: 1, **watch(log, "io"))
    pump.until(lambda: log)
    assert log == [("io", "done", 1)]
    gate.open.set()
    pump.until(lambda: len(log) == 3)


def test_urgent_jobs_go_first_and_equals_in_order(jobs: Any, pump: Any) -> None:
    gate = Gate()
    log: list[Any] = []
    jobs.submit(Lane.COMPUTE, gate)
    for name, priority in [("a", 2), ("b", 1), ("c", 0), ("d", 2), ("e", 0), ("f", 1)]:
        jobs.submit(Lane.COMPUTE, lambda progress, name=name: name, priority=Priority(priority), on_done=log.append)
    gate.open.set()
    pump.until(lambda: len(log) == 6)
    assert log == list("cebfad")


def test_a_promoted_job_goes_first(jobs: Any, pump: Any) -> None:
    gate = Gate()
    log: list[Any] = []
    jobs.submit(Lane.COMPUTE, gate)
    jobs.submit(Lane.COMPUTE, lambda progress: "a", priority=Priority.NORMAL, on_done=log.append)
    job = jobs.submit(Lane.COMPUTE, lambda progress: "b", priority=Priority.BACKGROUND, on_done=log.append)
    jobs.promote(Lane.COMPUTE, job)
    gate.open.set()
    pump.until(lambda: len(log) == 2)
    assert log == ["b", "a"]


@pytest.mark.parametrize("error", [BgdeskError("words"), RuntimeError("bug"), MemoryError("none left")])
def test_a_failure_is_delivered_and_the_lane_lives_on(jobs: Any, pump: Any, error: Exception) -> None:
    def fail(progress: Progress) -> None:
        raise error

    log: list[Any] = []
    job = jobs.submit(Lane.IO, fail, **watch(log))
    jobs.submit(Lane.IO, lambda progress: 2, **watch(log))
    pump.until(lambda: len(log) == 2)
    assert log == [("", "error", str(error)), ("", "done", 2)]
    assert job.finished


def test_a_failure_nobody_takes_is_logged(jobs: Any, pump: Any, expect_log: Any) -> None:
    expect_log("a job failed")
    job = jobs.submit(Lane.IO, lambda progress: 1 / 0)
    pump.until(lambda: job.finished)


def test_cancelling_a_running_job(jobs: Any, pump: Any) -> None:
    gate = Gate()
    log: list[Any] = []
    job = jobs.submit(Lane.COMPUTE, gate, **watch(log))
    assert gate.entered.wait(5)
    job.cancel()
    pump.until(lambda: log)
    assert log == [("", "cancelled", None)]
    job.cancel()
    pump.once()
    assert len(log) == 1


def test_a_waiting_job_leaves_the_queue_at_once(jobs: Any, pump: Any) -> None:
    gate = Gate()
    log: list[Any] = []
    jobs.submit(Lane.COMPUTE, gate)
    assert gate.entered.wait(5)
    job = jobs.submit(Lane.COMPUTE, lambda progress: log.append("ran"), **watch(log))
    job.cancel()
    pump.once()  # though the lane is still at the first one
    assert log == [("", "cancelled", None)]
    gate.open.set()


def test_an_answer_after_cancelling_is_dropped(jobs: Any, pump: Any) -> None:
    entered, leave = threading.Event(), threading.Event()

    def deaf(progress: Progress) -> int:
        entered.set()
        assert leave.wait(5)
        return 1

    log: list[Any] = []
    job = jobs.submit(Lane.COMPUTE, deaf, **watch(log))
    assert entered.wait(5)
    job.cancel()
    leave.set()
    pump.until(lambda: log)
    assert log == [("", "cancelled", None)]


def test_an_answer_on_its_way_is_dropped_too(jobs: Any, pump: Any) -> None:
    log: list[Any] = []
    finished = threading.Event()
    job = jobs.submit(Lane.COMPUTE, lambda progress: 1, **watch(log))
    jobs.submit(Lane.COMPUTE, lambda progress: finished.set())
    assert finished.wait(5)  # the first answer has been posted, not delivered
    job.cancel()
    pump.until(lambda: log)
    assert log == [("", "cancelled", None)]


def test_an_error_after_cancelling_is_no_error(jobs: Any, pump: Any) -> None:
    entered, leave = threading.Event(), threading.Event()

    def deaf(progress: Progress) -> None:
        entered.set()
        assert leave.wait(5)
        raise RuntimeError("half-way")

    log: list[Any] = []
    job = jobs.submit(Lane.COMPUTE, deaf, **watch(log))
    assert entered.wait(5)
    job.cancel()
    leave.set()
    pump.until(lambda: log)
    assert log == [("", "cancelled", None)]


def test_work_may_give_up_by_itself(jobs: Any, pump: Any) -> None:
    def give_up(progress: Progress) -> None:
        raise Cancelled

    log: list[Any] = []
    jobs.submit(Lane.COMPUTE, give_up, **watch(log))
    pump.until(lambda: log)
    assert log == [("", "cancelled", None)]


def test_a_chatty_job_does_not_flood_the_owner(jobs: Any, pump: Any) -> None:
    seen: list[tuple[str, float]] = []
    done: list[Any] = []

    def chat(progress: Progress) -> float:
        start = time.monotonic()
        for index in range(20000):
            progress(("network", "alpha", "network", "alpha")[index % 4], index / 20000)
        return time.monotonic() - start

    jobs.submit(Lane.COMPUTE, chat, on_done=done.append, on_progress=lambda *report: seen.append(report))
    pump.until(lambda: done)
    assert {stage for stage, _ in seen} <= {"network", "alpha"}
    assert 1 <= len(seen) <= 3 + 40 * done[0]
    assert pump.posts <= 4 + 40 * done[0]


def test_a_quiet_job_that_names_its_stages_is_seen(jobs: Any, pump: Any) -> None:
    seen: list[tuple[str, float]] = []
    step = threading.Semaphore(0)

    def quiet(progress: Progress) -> None:
        for stage in ("load", "network", "alpha"):
            progress(stage, 0.0)
            assert step.acquire(timeout=5)

    jobs.submit(Lane.COMPUTE, quiet, on_progress=lambda *report: seen.append(report))
    for stage in ("load", "network", "alpha"):
        pump.until(lambda stage=stage: seen and seen[-1] == (stage, 0.0))
        step.release()


def test_a_preemptible_job_makes_room_for_an_urgent_one(jobs: Any, pump: Any) -> None:
    gate = Gate()
    log: list[Any] = []
    jobs.submit(Lane.COMPUTE, gate, priority=Priority.BACKGROUND, preemptible=True, **watch(log, "ahead"))
    assert gate.entered.wait(5)
    jobs.submit(Lane.COMPUTE, lambda progress: 1, priority=Priority.BACKGROUND, **watch(log, "equal"))
    jobs.submit(Lane.COMPUTE, lambda progress: 2, priority=Priority.INTERACTIVE, **watch(log, "urgent"))
    pump.until(lambda: len(log) == 3)
    assert [entry[:2] for entry in log] == [("ahead", "cancelled"), ("urgent", "done"), ("equal", "done")]


def test_other_background_jobs_are_not_interrupted(jobs: Any, pump: Any) -> None:
    gate = Gate()
    log: list[Any] = []
    jobs.submit(Lane.COMPUTE, gate, priority=Priority.BACKGROUND, **watch(log, "batch"))
    assert gate.entered.wait(5)
    jobs.preempt(Lane.COMPUTE)
    jobs.submit(Lane.COMPUTE, lambda progress: 2, priority=Priority.INTERACTIVE, **watch(log, "urgent"))
    gate.open.set()
    pump.until(lambda: len(log) == 2)
    assert [entry[:2] for entry in log] == [("batch", "done"), ("urgent", "done")]


def test_a_promoted_job_is_not_interrupted(jobs: Any, pump: Any) -> None:
    gate = Gate()
    log: list[Any] = []
    job = jobs.submit(Lane.COMPUTE, gate, priority=Priority.BACKGROUND, preemptible=True, **watch(log))
    assert gate.entered.wait(5)
    jobs.promote(Lane.COMPUTE, job)
    jobs.preempt(Lane.COMPUTE)
    gate.open.set()
    pump.until(lambda: log)
    assert log == [("", "done", "through")]


def test_closing_cancels_and_says_nothing_more(pump: Any) -> None:
    jobs = Jobs(pump.post)
    gate = Gate()
    log: list[Any] = []
    jobs.submit(Lane.COMPUTE, gate, **watch(log))
    jobs.submit(Lane.COMPUTE, lambda progress: 1, **watch(log))
    assert gate.entered.wait(5)
    assert jobs.close()
    late = jobs.submit(Lane.COMPUTE, lambda progress: 1, **watch(log))
    pump.once()
    assert log == []
    assert late.token.cancelled


def test_closing_does_not_wait_for_ever(pump: Any) -> None:
    jobs = Jobs(pump.post)
    entered, leave = threading.Event(), threading.Event()

    def deaf(progress: Progress) -> None:
        entered.set()
        leave.wait(5)

    jobs.submit(Lane.COMPUTE, deaf)
    assert entered.wait(5)
    start = time.monotonic()
    assert not jobs.close(timeout=0.05)
    assert time.monotonic() - start < 2
    leave.set()
    assert jobs.close()
