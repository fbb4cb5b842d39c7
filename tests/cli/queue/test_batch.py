"""bgdesk batch, from its arguments to what it prints, with a pool that only copies."""

import argparse
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from PIL import Image

from bgdesk import __main__
from bgdesk.batch.model.pool import PoolEvents
from bgdesk.batch.model.values import BatchRecipe, PhotoJob, State
from bgdesk.batch.run.queue import MakePool, Queue, queues
from bgdesk.cli.console import PREPARING
from bgdesk.cli.queue import batch, queue_options
from bgdesk.core.errors import UsageError
from tests.batch.fakes import FakePool, photos

ROOT = Path(__file__).resolve().parents[3]


class Bench:
    """Photos, an output folder, and the pools that were made. endings, confidence: of every pool."""

    def __init__(self, folder: Path, home: Path) -> None:
        self.photos, self.out, self.home = folder / "photos", folder / "out", home
        self.pools: list[FakePool] = []
        self.recipes: list[BatchRecipe] = []
        self.endings: dict[str, object] = {}
        self.capacity = 3
        self.confidence: dict[str, float] = {}

    def make(self, args: argparse.Namespace) -> MakePool:
        def pool(events: PoolEvents, recipe: BatchRecipe) -> FakePool:
            made = FakePool(events, recipe)
            made.capacity = self.capacity
            made.endings.update(self.endings)  # type: ignore[arg-type]
            made.confidence.update(self.confidence)
            self.pools.append(made)
            self.recipes.append(recipe)
            return made

        return pool

    def run(self, *arguments: str) -> int:
        parser = argparse.ArgumentParser()
        batch.add_arguments(parser)
        return batch.run(parser.parse_args(list(arguments)), self.make)

    def start(self, *options: str) -> int:
        return self.run(str(self.photos), "-o", str(self.out), *options)

    def phase(self) -> str:
        """Of the queue that runs now."""
        queue = self.pools[-1].events
        assert isinstance(queue, Queue)
        return queue.phase.value

    def outputs(self) -> list[str]:
        return sorted(str(path.relative_to(self.out)) for path in self.out.rglob("*") if path.is_file())


@pytest.fixture
def bench(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setattr(queue_options, "check_engine", lambda recipe, say: None)
    made = Bench(tmp_path, home)
    photos(made.photos, 4)
    return made


def failing(pool: FakePool, job: PhotoJob, alone: bool) -> None:
    pool.events.failed(job.id, f"{job.source.name} could not be read: the file ends early. Copy it again from the camera.", None)


def test_all_done(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.start("--gate", "0") == 0
    assert bench.outputs() == [f"photo0{n}.png" for n in range(4)]
    said = capsys.readouterr()
    assert said.out == ""
    assert "4 photos cut out into" in said.err
    assert (queues(bench.home)[0].folder / "report.html").is_file()


@pytest.mark.parametrize("first", [True, False])
def test_the_first_use_of_all_is_said_to_take_longer(
    bench: Bench, first: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    if not first:
        (tmp_path / "step.kernel").touch()
    assert bench.start("--gate", "0") == 0
    assert (PREPARING in capsys.readouterr().err) is first


def test_one_fails_and_the_others_are_done(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    bench.endings["photo01.png"] = failing
    assert bench.start() == 1
    assert "photo01.png could not be read: the file ends early." in capsys.readouterr().err
    assert bench.outputs() == ["photo00.png", "photo02.png", "photo03.png"]
    bench.endings.clear()
    assert bench.run("--retry") == 0
    assert len(bench.outputs()) == 4


def test_some_wait_for_a_look(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    bench.confidence["photo02.png"] = 0.3
    assert bench.start() == 3
    assert "review/photo02.png" in bench.outputs()
    said = capsys.readouterr().err
    assert "needs review, confidence 0.30" in said
    assert f"Needs review: {bench.out / 'review'}" in said


def test_a_failure_says_more_than_a_doubt(bench: Bench) -> None:
    bench.confidence["photo02.png"] = 0.3
    bench.endings["photo01.png"] = failing
    assert bench.start() == 1


def test_json(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    bench.confidence["photo02.png"] = 0.3
    assert bench.start("--json") == 3
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    by_name = {Path(record["source"]).name: record for record in records[:-1]}
    assert by_name["photo00.png"]["state"] == "done"
    assert by_name["photo00.png"]["outputs"] == [str(bench.out / "photo00.png")]
    assert by_name["photo02.png"]["state"] == "review"
    assert by_name["photo02.png"]["confidence"] == 0.3
    assert records[-1]["summary"]["counts"] == {"review": 1, "done": 3}


def test_a_second_time_nothing_is_left_to_do(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.start() == 0
    assert bench.start() == 0
    assert len(bench.pools) == 1
    assert "Nothing to do: 4 photos up to date in" in capsys.readouterr().err


def test_whoever_reads_the_records_may_go(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    with os.fdopen(writer, "w") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        os.close(reader)  # as `| head -1` does, a little later
        assert bench.start("--json", "--gate", "0") == 0
        monkeypatch.undo()
    assert len(bench.outputs()) == 4


def test_what_waits_for_a_look_is_not_done_again(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    bench.confidence["photo02.png"] = 0.3
    assert bench.start() == 3
    before = bench.outputs()
    assert bench.start() == 3
    assert len(bench.pools) == 1
    assert "Nothing to do: 4 photos up to date in" in (said := capsys.readouterr().err)
    assert "1 of them in review" in said
    assert bench.start("--gate", "0.5") == 3  # another gate is no other recipe
    assert bench.outputs() == before
    (bench.out / "review" / "photo02.png").rename(bench.out / "photo02.png")  # somebody finds it good, by hand
    assert bench.start() == 0
    assert len(bench.pools) == 1


def test_what_waits_is_done_where_another_photo_or_no_gate_is_given(bench: Bench) -> None:
    bench.confidence["photo02.png"] = 0.3
    assert bench.start() == 3
    assert bench.start("--gate", "0") == 0
    assert "photo02.png" in bench.outputs()
    bench.confidence["photo03.png"] = 0.3
    Image.new("RGB", (9, 7)).save(bench.photos / "photo03.png")
    assert bench.start() == 3
    assert bench.start() == 3
    assert "review/photo03-2.png" not in bench.outputs()  # though the cutout of what the photo was is in its place
    Image.new("RGB", (10, 7)).save(bench.photos / "photo03.png")
    assert bench.start() == 3
    assert {"review/photo03.png", "review/photo03-2.png"} <= set(bench.outputs())  # nobody has judged the first one yet


def test_another_recipe_is_made_anew(bench: Bench) -> None:
    assert bench.start() == 0
    before = (bench.out / "photo00.png").stat().st_mtime_ns
    assert bench.start("--quality", "best") == 0
    assert (bench.out / "photo00.png").stat().st_mtime_ns != before
    assert bench.outputs() == [f"photo0{n}.png" for n in range(4)]


def test_dry_run_writes_nothing(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.start("--dry-run", "--template", "shop-white") == 0
    assert "4 photos would be cut out into" in capsys.readouterr().out
    assert not bench.out.exists()
    assert bench.pools == []
    assert queues(bench.home) == []


def test_dry_run_says_what_will_be_in_the_way(bench: Bench, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(recipe: BatchRecipe, say: object) -> None:
        raise UsageError("There is no network called 'isnt'.")

    monkeypatch.setattr(queue_options, "check_engine", missing)
    assert bench.start("--dry-run") == 1
    said = capsys.readouterr()
    assert "4 photos would be cut out" in said.out
    assert "But not yet: There is no network called 'isnt'." in said.err


def test_dry_run_as_json(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.start("--dry-run", "--json") == 0
    assert json.loads(capsys.readouterr().out)["photos"] == 4


def test_options_make_the_recipe(bench: Bench, tmp_path: Path) -> None:
    file = tmp_path / "recipe.toml"
    file.write_text('gate = 0.6\n[matte]\nquality = "fast"\n[[variants]]\nname = "a"\n[[variants]]\nname = "b"\nalpha_only = true\n')
    assert bench.start("--recipe", str(file), "--fallback", "best", "--pattern", "{name}_{variant}") == 0
    recipe = bench.recipes[0]
    assert (recipe.gate, recipe.matte.quality.value, len(recipe.variants)) == (0.6, "fast", 2)
    assert recipe.fallback is not None
    assert "photo00_a.png" in bench.outputs()
    assert "photo00_b.png" in bench.outputs()


def test_subfolders_and_filters(bench: Bench) -> None:
    photos(bench.photos / "more", 2)
    assert bench.start("--recursive", "--exclude", "photo03*") == 0
    assert bench.outputs() == ["more/photo00.png", "more/photo01.png", "photo00.png", "photo01.png", "photo02.png"]


@pytest.mark.parametrize("signals", [1, 2])
def test_ctrl_c_loses_nothing_and_says_how_to_go_on(bench: Bench, capsys: pytest.CaptureFixture[str], signals: int) -> None:
    """The first finishes what is in hand; the second stops at once. Either way the rest waits."""
    begun = threading.Semaphore(0)
    release = threading.Event()

    def slow(pool: FakePool, job: PhotoJob, alone: bool) -> None:
        begun.release()
        release.wait(20)
        if pool.closed:
            pool.events.returned(job.id)
        else:
            pool.events.written(job.id, pool.outcome(job))

    bench.endings.update({f"photo0{n}.png": slow for n in range(3)})

    def interrupt() -> None:
        for _ in range(3):
            begun.acquire(timeout=20)
        for _ in range(signals):
            os.kill(os.getpid(), signal.SIGINT)
            threading.Event().wait(0.3)
        release.set()

    thread = threading.Thread(target=interrupt)
    thread.start()
    try:
        assert bench.start() == 130
    finally:
        thread.join()
    queue = queues(bench.home)[0]
    said = capsys.readouterr().err
    assert f"bgdesk batch --resume {queue.id}" in said
    assert queue.counts[State.QUEUED] == (1 if signals == 1 else 4)
    bench.endings.clear()
    assert bench.run("--resume") == 0
    assert len(bench.outputs()) == 4


def test_status(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    bench.endings["photo01.png"] = failing
    bench.start()
    capsys.readouterr()
    assert bench.run("--status") == 0
    listed = capsys.readouterr().out
    id = queues(bench.home)[0].id
    assert id in listed
    assert bench.run("--status", id) == 0
    assert "photo01.png could not be read" in capsys.readouterr().out
    assert bench.run("--status", id, "--json") == 0
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert records[-1]["summary"]["counts"] == {"done": 3, "failed": 1}


def test_reports_beside_the_outputs(bench: Bench) -> None:
    assert bench.start("--report") == 0
    assert {"bgdesk-report.csv", "bgdesk-report.html"} <= set(bench.outputs())


def test_nothing_to_resume(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.run("--resume") == 0
    assert "No queue was left unfinished." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "name the photos and, with -o, a folder"),
        (["photo.jpg"], "name the photos and, with -o, a folder"),
        (["--resume", "--gate", "0.5"], "--gate and --resume cannot be combined"),
        (["a.jpg", "-o", "out", "--jobs", "0"], "--jobs is 1 or more"),
        (["a.jpg", "-o", "out", "--address", "x:1"], "add --engine ray"),
        (["a.jpg", "-o", "out", "--gate", "2"], "Gate is a number from 0 to 1, not 2"),
        (["a.jpg", "-o", "out", "--template", "nope"], "There is no template called 'nope'"),
        (["a.jpg", "-o", "out", "--pattern", "{what}"], "unknown {what}"),
        (["--status", "nope"], "no queue called 'nope'"),
    ],
)
def test_wrong_usage(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        __main__.main(["batch", *arguments])
    assert end.value.code == 2
    assert said in capsys.readouterr().err


def test_without_a_network_it_is_said_before_anything_is_begun(tmp_path: Path, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photos(tmp_path / "photos", 1)
    assert __main__.main(["batch", str(tmp_path / "photos"), "-o", str(tmp_path / "out")]) == 1
    assert "No network is installed" in capsys.readouterr().err
    assert queues(home) == []


def test_an_unfinished_queue_of_the_same_is_told_of(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    def no_network(pool: FakePool, job: PhotoJob, alone: bool) -> None:
        pool.events.lost("The network is gone.")
        pool.events.returned(job.id)

    bench.endings.update({f"photo0{n}.png": no_network for n in range(4)})
    assert bench.start() == 1
    assert "The network is gone." in capsys.readouterr().err
    first = queues(bench.home)[0].id
    bench.endings.clear()
    assert bench.start() == 0
    assert f"Queue {first} was left with 4 of these photos to do." in capsys.readouterr().err


# --- failures done again, and ways in which a queue stops ---


def test_retry_does_what_failed_again(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    bench.endings["photo01.png"] = failing
    assert bench.start() == 1
    id = queues(bench.home)[0].id
    assert f"bgdesk batch --retry {id}" in capsys.readouterr().err
    bench.endings.clear()
    assert bench.run("--retry", "--json") == 0
    said = capsys.readouterr()
    *records, last = [json.loads(line) for line in said.out.splitlines()]
    assert [Path(record["source"]).name for record in records] == ["photo01.png"]
    assert last["summary"]["counts"] == {"done": 4}
    assert bench.pools[-1].submitted == {"photo01.png": 1}
    assert bench.run("--retry") == 0
    assert "No photo of any queue has failed." in capsys.readouterr().err


def test_a_queue_that_cannot_go_on_says_why_and_how_to_go_on(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    def no_network(pool: FakePool, job: PhotoJob, alone: bool) -> None:
        pool.events.lost("The network is gone. Install it again.")
        pool.events.returned(job.id)

    bench.endings["photo02.png"] = no_network
    assert bench.start("--json") == 1
    said = capsys.readouterr()
    id = queues(bench.home)[0].id
    assert said.err.count("The network is gone.") == 1
    assert f"To go on: bgdesk batch --resume {id}" in said.err
    summary = json.loads(said.out.splitlines()[-1])["summary"]
    assert summary["resume"] == f"bgdesk batch --resume {id}"
    assert summary["open"] >= 1
    assert summary["status"] == 1
    bench.endings.clear()
    assert bench.run("--resume", id[-4:]) == 0  # the end of its name will do
    assert f"Going on with queue {id}" in capsys.readouterr().err
    assert bench.outputs() == [f"photo0{n}.png" for n in range(4)]


def test_sigterm_ends_it_as_well_as_ctrl_c(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    """One worker's photo ends the queue: what is in hand is finished, what is not waits."""
    before = signal.getsignal(signal.SIGTERM)

    def end(pool: FakePool, job: PhotoJob, alone: bool) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        while bench.phase() != "stopping":
            threading.Event().wait(0.01)
        pool.events.written(job.id, pool.outcome(job))

    bench.endings.update({f"photo0{n}.png": end for n in range(4)})
    bench.capacity = 1
    assert bench.start("--json") == 128 + signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) is before
    *records, _ = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [record["state"] for record in records] == ["done"]
    assert queues(bench.home)[0].counts[State.QUEUED] == 3


def test_what_is_done_while_it_stops_at_once_is_told(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    """A result that comes in between the second Ctrl+C and the end of the workers counts, and has its record."""

    def late(pool: FakePool, job: PhotoJob, alone: bool) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        while bench.phase() != "stopping":
            threading.Event().wait(0.01)
        os.kill(os.getpid(), signal.SIGINT)
        while not pool.closed:
            threading.Event().wait(0.01)
        pool.events.written(job.id, pool.outcome(job))

    bench.endings.update({f"photo0{n}.png": late for n in range(4)})
    bench.capacity = 1
    assert bench.start("--json") == 130
    *records, last = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(records) == 1
    assert last["summary"]["counts"] == {"done": 1, "queued": 3}
    assert bench.outputs() == [Path(records[0]["outputs"][0]).name]


def test_a_queue_that_another_bgdesk_runs_is_left_alone(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    held: list[int] = []

    def other(pool: FakePool, job: PhotoJob, alone: bool) -> None:
        id = queues(bench.home)[0].id
        done = subprocess.run(
            [sys.executable, "-m", "bgdesk", "batch", "--resume", id], capture_output=True, text=True, cwd=ROOT, timeout=60
        )
        held.append(done.returncode)
        errors.append(done.stderr)
        pool.events.written(job.id, pool.outcome(job))

    errors: list[str] = []
    bench.endings["photo00.png"] = other
    assert bench.start() == 0
    assert held == [1]
    assert "This queue is being run by another bgdesk." in errors[0]
    capsys.readouterr()


def test_an_id_that_fits_several_queues_is_refused(bench: Bench) -> None:
    bench.start()
    bench.start("--existing", "number")
    with pytest.raises(UsageError, match="several queues called '2"):
        bench.run("--status", queues(bench.home)[0].id[:2])
