"""One holder at a time, and none after its death."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from bgdesk.app.system.locks import locked
from bgdesk.core.tasks import Cancelled


def nobody_waits() -> None:
    raise AssertionError("the lock was free")


def test_second_holder_waits(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    waiting, order = threading.Event(), []

    def second() -> None:
        with locked(path, waiting.set):
            order.append("second")

    with locked(path, nobody_waits):
        thread = threading.Thread(target=second)
        thread.start()
        assert waiting.wait(10)
        order.append("first")
    thread.join(10)
    assert order == ["first", "second"]
    with locked(path, nobody_waits):
        order.append("third")
    assert order[-1] == "third"


def test_waiting_can_be_cancelled(tmp_path: Path) -> None:
    def stop() -> None:
        raise Cancelled

    with locked(tmp_path / "lock", nobody_waits), pytest.raises(Cancelled), locked(tmp_path / "lock", stop):
        pytest.fail("two held the lock")
    with locked(tmp_path / "lock", nobody_waits):
        assert (tmp_path / "lock").exists()


def test_a_killed_process_frees_it(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    code = (
        "import sys, time, pathlib\nfrom bgdesk.app.system.locks import locked\n"
        "with locked(pathlib.Path(sys.argv[1]), lambda: None):\n    print('held', flush=True)\n    time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        waited = threading.Event()

        def stop() -> None:
            waited.set()
            raise Cancelled

        with pytest.raises(Cancelled), locked(path, stop):
            pytest.fail("two held the lock")
        assert waited.is_set()
        process.kill()
        process.wait(10)
    with locked(path, nobody_waits):
        assert path.exists()


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), locked(tmp_path / "missing" / "lock", nobody_waits):
        pytest.fail("the lock has no file")
