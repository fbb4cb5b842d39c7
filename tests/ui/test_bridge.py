"""From workers to the window's thread."""

import threading
from functools import partial

from pytestqt.qtbot import QtBot

from bgdesk.ui.kit.bridge import Bridge


def test_posts_run_in_order_on_the_windows_thread(qtbot: QtBot) -> None:
    bridge = Bridge()
    ran: list[tuple[int, str]] = []

    def note(number: int) -> None:
        ran.append((number, threading.current_thread().name))

    def post() -> None:
        for number in range(50):
            bridge.post(partial(note, number))

    thread = threading.Thread(target=post)
    thread.start()
    thread.join()
    assert ran == []  # never inside the caller
    qtbot.waitUntil(lambda: len(ran) == 50)
    assert ran == [(n, threading.main_thread().name) for n in range(50)]


def test_nothing_runs_after_the_end(qtbot: QtBot) -> None:
    bridge = Bridge()
    ran: list[str] = []
    bridge.post(lambda: ran.append("too late"))
    bridge.close()
    bridge.post(lambda: ran.append("even later"))
    qtbot.wait(20)
    assert ran == []
