"""Who gets which job, without any worker: what a dispatcher says to them, and what it tells the queue."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bgdesk.batch.model.values import Outcome, PhotoJob
from bgdesk.batch.workers.dispatcher import JOBS_EACH, Death, Dispatcher, NoWorker, Say
from bgdesk.batch.workers.wire import (
    CancelJobs,
    EndWork,
    EngineLost,
    JobFailed,
    JobReturned,
    JobWritten,
    LaneChanged,
    SetPaused,
    StageProgress,
    TakeJob,
    ToWorker,
    WorkerLane,
    WorkerReady,
)
from bgdesk.core.errors import Cause
from bgdesk.core.stages import Stage
from tests.batch.workers.workers import Listener, job_for

ExpectLog = Callable[[str], None]
OUTCOME = Outcome(written=(), width=1, height=1)


class Staff:
    """Starts workers that are lists of what they were told."""

    def __init__(self) -> None:
        self.told: dict[int, list[ToWorker]] = {}
        self.started: list[int] = []
        self.refused: set[int] = set()

    def start(self, number: int) -> Say:
        if number in self.refused:
            raise NoWorker(f"Worker {number} could not be started.")
        self.started.append(number)
        self.told[number] = []
        return self.told[number].append

    def jobs(self, number: int) -> list[int]:
        return [message.job.id for message in self.told[number] if isinstance(message, TakeJob)]


class Desk:
    """A dispatcher, its workers and its listener."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.staff, self.listener = folder, Staff(), Listener()
        self.dispatcher = Dispatcher(self.listener, self.staff.start)

    def job(self, id: int) -> PhotoJob:
        return job_for(self.folder / f"{id}.png", self.folder, id)

    def submit(self, *ids: int, alone: bool = False) -> None:
        for id in ids:
            self.dispatcher.submit(self.job(id), alone)

    def ready(self, *numbers: int) -> None:
        for number in numbers:
            self.dispatcher.heard(number, WorkerReady("cpu", 1))

    def begin(self, number: int, id: int) -> None:
        self.dispatcher.heard(number, LaneChanged(id, WorkerLane.COMPUTE))

    def written(self, number: int, *ids: int) -> None:
        for id in ids:
            self.dispatcher.heard(number, JobWritten(id, OUTCOME))

    def die(self, number: int, *, innocent: bool = False, uncertain: bool = False) -> None:
        death = Death(
            how="it fell over", report=f"worker {number} died", useless="Workers die at once.", innocent=innocent, uncertain=uncertain
        )
        self.dispatcher.died(number, death)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.dispatcher.close()
    desk.dispatcher.finish()


def test_nobody_gets_a_job_before_it_is_ready(desk: Desk) -> None:
    desk.submit(1)
    assert desk.staff.started == []
    desk.dispatcher.want(2)
    assert desk.staff.started == [0, 1]
    assert (desk.staff.told, desk.dispatcher.capacity) == ({0: [], 1: []}, 2 * JOBS_EACH)
    desk.ready(1)
    assert desk.staff.told == {0: [], 1: [TakeJob(desk.job(1))]}


def test_jobs_go_to_the_worker_that_has_least(desk: Desk) -> None:
    desk.dispatcher.want(2)
    desk.ready(0, 1)
    desk.submit(*range(1, 2 * JOBS_EACH + 3))
    assert (desk.staff.jobs(0), desk.staff.jobs(1)) == ([1, 3, 5, 7], [2, 4, 6, 8])
    desk.written(1, 4)
    assert desk.staff.jobs(1) == [2, 4, 6, 8, 9]
    assert desk.listener.how(4) == ["written"]


def test_alone_means_alone_and_the_others_go_on(desk: Desk) -> None:
    desk.dispatcher.want(2)
    desk.ready(0, 1)
    desk.submit(1, 2, 3)  # 0 has two of them
    desk.submit(4, alone=True)
    desk.submit(5, 6)
    assert (desk.staff.jobs(0), desk.staff.jobs(1)) == ([1, 3, 5, 6], [2])  # 1 has least, and gets no other before it is empty
    desk.written(1, 2)
    assert desk.staff.jobs(1) == [2, 4]
    desk.submit(*range(7, 12))
    assert desk.staff.jobs(1) == [2, 4]
    desk.written(1, 4)
    assert desk.staff.jobs(1)[2:] == [7, 8, 9, 10]


def test_everything_that_comes_of_a_job_is_told(desk: Desk) -> None:
    desk.dispatcher.want(1)
    desk.ready(0)
    desk.submit(1, 2, 3)
    desk.dispatcher.heard(0, StageProgress(1, Stage.ALPHA, 0.5))
    desk.dispatcher.heard(0, JobFailed(1, "1.png could not be saved.", Cause.READ_ONLY))
    desk.dispatcher.heard(0, JobReturned(2))
    desk.written(0, 3)
    assert desk.listener.how(1, 2, 3) == ["failed", "returned", "written"]
    assert desk.listener.stages == [(1, "alpha")]
    assert (desk.listener.said(1), desk.listener.causes) == ("1.png could not be saved.", {1: Cause.READ_ONLY})


def test_what_is_said_of_another_job_is_passed_over(desk: Desk) -> None:
    desk.dispatcher.want(1)
    desk.ready(0)
    desk.submit(1)
    desk.written(0, 7)
    desk.written(0, 1)
    assert desk.listener.how(1) == ["written"]
    assert desk.listener.ended.keys() == {1}


def test_cancelling_gives_back_what_is_pending_and_asks_for_the_rest(desk: Desk) -> None:
    desk.dispatcher.want(1)
    desk.ready(0)
    desk.submit(*range(1, JOBS_EACH + 3))
    desk.dispatcher.cancel([2, JOBS_EACH + 2, 99], begun=False)
    assert desk.listener.how(JOBS_EACH + 2) == ["returned"]
    assert desk.staff.told[0][-1] == CancelJobs((2,), False)


def test_a_pause_reaches_workers_that_come_later(desk: Desk) -> None:
    desk.dispatcher.want(1)
    desk.dispatcher.pause(True)
    desk.dispatcher.want(2)
    assert desk.staff.told == {0: [SetPaused(True)], 1: [SetPaused(True)]}
    desk.dispatcher.pause(False)
    desk.dispatcher.want(3)
    assert desk.staff.told == {0: [SetPaused(True), SetPaused(False)], 1: [SetPaused(True), SetPaused(False)], 2: []}


@pytest.mark.parametrize(
    ("innocent", "uncertain", "ended"),
    [
        (False, False, ["crashed", "returned"]),
        (True, False, ["returned", "returned"]),
        (False, True, ["crashed", "returned"]),
    ],
)
def test_photos_in_a_lane_are_blamed_for_a_death(
    desk: Desk, expect_log: ExpectLog, innocent: bool, uncertain: bool, ended: list[str]
) -> None:
    expect_log("worker . died|Workers die at once")
    desk.dispatcher.want(1)
    desk.ready(0)
    desk.submit(2, 1)
    desk.begin(0, 1)
    desk.die(0, innocent=innocent, uncertain=uncertain)
    assert desk.listener.how(1, 2) == ended
    if ended[0] == "crashed":
        assert desk.listener.said(1) == "it was being cut out when it fell over"


def test_the_first_job_is_blamed_where_the_last_messages_may_be_lost(desk: Desk, expect_log: ExpectLog) -> None:
    expect_log("worker . died|Workers die at once")
    desk.dispatcher.want(1)
    desk.ready(0)
    desk.submit(1, 2)
    desk.die(0, uncertain=True)
    assert desk.listener.how(1, 2) == ["crashed", "returned"]
    assert desk.listener.said(1) == "it was being worked on when it fell over"


def test_a_dead_worker_is_replaced_once_there_is_something_to_do(desk: Desk, expect_log: ExpectLog) -> None:
    expect_log("worker . died|Workers die at once")
    desk.dispatcher.want(1)
    desk.ready(0)
    desk.die(0)  # it had nothing to do: that is not held against it
    assert desk.staff.started == [0]
    desk.submit(1)
    desk.ready(0)
    assert (desk.staff.started, desk.staff.jobs(0)) == ([0, 0], [1])


def test_workers_that_die_before_they_do_anything_are_given_up(desk: Desk, expect_log: ExpectLog) -> None:
    expect_log("worker . died|Workers die at once")
    desk.dispatcher.want(1)
    desk.submit(1)
    desk.die(0)
    assert desk.staff.started == [0, 0]
    assert desk.listener.lost_because == []
    desk.die(0)
    assert desk.listener.how(1) == ["returned"]
    assert desk.listener.lost_because == ["Workers die at once."]
    desk.submit(2)  # a new beginning
    assert desk.staff.started == [0, 0, 0]


def test_the_others_go_on_without_one_that_cannot_work(desk: Desk, expect_log: ExpectLog) -> None:
    expect_log("The card is out of order")
    desk.dispatcher.want(2)
    desk.ready(0)
    desk.dispatcher.heard(1, EngineLost("The card is out of order."))
    assert desk.staff.told[1] == [EndWork()]
    desk.die(1)
    desk.submit(1)
    assert desk.staff.started == [0, 1]
    assert desk.dispatcher.capacity == JOBS_EACH
    desk.written(0, 1)
    assert desk.listener.how(1) == ["written"]
    assert desk.listener.lost_because == []


def test_one_that_cannot_be_started_does_not_keep_the_others_from_it(desk: Desk, expect_log: ExpectLog) -> None:
    expect_log("Worker 1 could not be started")
    desk.dispatcher.want(1)
    desk.ready(0)
    desk.staff.refused = {1}
    desk.dispatcher.want(3)
    assert desk.staff.started == [0, 2]


def test_if_none_can_be_started_all_is_lost(desk: Desk) -> None:
    desk.staff.refused = {0, 1}
    desk.submit(1)
    desk.dispatcher.want(2)
    assert desk.listener.how(1) == ["returned"]
    assert desk.listener.lost_because == ["Worker 0 could not be started."]


def test_closing_gives_everything_back(desk: Desk) -> None:
    desk.dispatcher.want(1)
    desk.ready(0)
    desk.submit(*range(1, JOBS_EACH + 2))
    desk.begin(0, 1)
    desk.dispatcher.close()
    assert desk.staff.told[0][-1] == EndWork()
    desk.die(0)  # nobody is to blame for that, and nobody takes its place
    desk.submit(9)
    assert desk.listener.how(*range(1, JOBS_EACH + 2), 9) == ["returned"] * (JOBS_EACH + 2)
    assert desk.staff.started == [0]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.tuples(st.sampled_from(["submit", "suspect", "write", "cancel", "die"]), st.integers(0, 9)), max_size=40))
def test_whatever_happens_every_job_ends_once(
    steps: list[tuple[str, int]], tmp_path_factory: pytest.TempPathFactory, expect_log: ExpectLog
) -> None:
    """And no worker ever has more than it may, or a suspect beside another job."""
    expect_log("worker . died|Workers die at once")
    desk, last = Desk(tmp_path_factory.getbasetemp()), 0
    desk.dispatcher.want(2)
    desk.ready(0, 1)
    doing: dict[int, dict[int, bool]] = {0: {}, 1: {}}  # worker -> job -> whether it is alone
    suspects: set[int] = set()
    heard = {0: 0, 1: 0}

    def catch_up() -> None:
        for number, told in desk.staff.told.items():
            for message in told[heard[number] :]:
                if isinstance(message, TakeJob):
                    doing[number][message.job.id] = message.job.id in suspects
            heard[number] = len(told)
            assert len(doing[number]) <= (1 if any(doing[number].values()) else JOBS_EACH)

    for step, choice in steps:
        number = choice % 2
        if step in ("submit", "suspect"):
            last += 1
            suspects |= {last} if step == "suspect" else set()
            desk.submit(last, alone=step == "suspect")
        elif step == "cancel":
            desk.dispatcher.cancel(range(max(1, last - choice), last + 1), True)
        elif step == "write" and doing[number]:
            id = sorted(doing[number])[choice % len(doing[number])]
            del doing[number][id]
            desk.written(number, id)
        elif step == "die":
            doing[number].clear()
            heard[number] = 0
            desk.die(number, innocent=True)
            desk.dispatcher.want(2)
            desk.ready(number)
        catch_up()
    desk.dispatcher.close()
    for number in (0, 1):
        desk.die(number)
    desk.dispatcher.finish()
    assert sorted(desk.listener.ended) == list(range(1, last + 1))
    assert not desk.listener.twice
