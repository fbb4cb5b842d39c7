"""bgdesk watch: photos that appear are cut out; Ctrl+C ends it well."""

import argparse
import os
import signal
import threading
import time
from pathlib import Path

import pytest

from bgdesk import __main__
from bgdesk.batch.model.pool import PoolEvents
from bgdesk.batch.model.values import BatchRecipe, PhotoJob
from bgdesk.batch.run.queue import queues
from bgdesk.cli.queue import queue_options, watch_folder
from tests.batch.fakes import FakePool, photos


def failing(pool: FakePool, job: PhotoJob, alone: bool) -> None:
    pool.events.failed(job.id, f"{job.source.name} could not be read: the file ends early. Copy it again from the camera.", None)


def test_what_appears_is_cut_out_once_and_failures_are_set_aside(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(queue_options, "check_engine", lambda recipe, say: None)
    pools: list[FakePool] = []

    def make(args: argparse.Namespace) -> object:
        def pool(events: PoolEvents, recipe: BatchRecipe) -> FakePool:
            made = FakePool(events, recipe)
            made.endings["photo02.png"] = failing
            pools.append(made)
            return made

        return pool

    folder, out = tmp_path / "in", tmp_path / "out"
    photos(folder, 3)
    parser = argparse.ArgumentParser()
    watch_folder.add_arguments(parser)
    args = parser.parse_args([str(folder), str(out)])

    def interrupt(wanted: Path) -> None:
        deadline = time.monotonic() + 40
        while not wanted.exists() and time.monotonic() < deadline:
            threading.Event().wait(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    def run(wanted: Path) -> int:
        thread = threading.Thread(target=interrupt, args=(wanted,))
        thread.start()
        try:
            return watch_folder.run(args, make, every=0.1)  # type: ignore[arg-type]
        finally:
            thread.join()

    assert run(out / "failed" / "photo02.png") == 0
    assert (out / "photo00.png").is_file()
    assert (out / "photo01.png").is_file()
    assert "ends early" in next((out / "failed").glob("*.txt")).read_text("utf-8")
    assert len(list(folder.iterdir())) == 3
    before = (out / "photo00.png").stat().st_mtime_ns
    photos(folder / "later", 1)[0].rename(folder / "new.png")
    assert run(out / "new.png") == 0
    assert (out / "photo00.png").stat().st_mtime_ns == before  # taken once, over two runs
    assert len(queues(home)) == 1
    assert "Watching" in capsys.readouterr().err


def test_a_folder_that_is_none_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        __main__.main(["watch", str(tmp_path / "nowhere"), str(tmp_path / "out")])
    assert end.value.code == 2
    assert "there is no folder" in capsys.readouterr().err
