"""Makes every object of the program and passes it to those that need it. There are no global objects."""

import logging
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication, QMessageBox

import bgdesk
from bgdesk.app.networks.open_engine import choice_of, open_engine
from bgdesk.app.networks.store import ModelStore, default_store
from bgdesk.app.session.session import Session
from bgdesk.app.system import settings as settings_file
from bgdesk.app.work.events import Message, Severity
from bgdesk.app.work.jobs import Jobs, Lane
from bgdesk.core.errors import BgdeskError
from bgdesk.ui.editor.main_window import MainWindow
from bgdesk.ui.kit.bridge import Bridge
from bgdesk.ui.kit.file_dialogs import Ask
from bgdesk.ui.kit.icons import application_icon
from bgdesk.ui.services import Services

if TYPE_CHECKING:
    from bgdesk.batch.run.queue import MakePool

log = logging.getLogger(__name__)


def build(store: ModelStore, bridge: Bridge, ask: Ask) -> MainWindow:
    """Make the main window and everything behind it. torch is not imported here, but by the engine, on its thread, at its first use."""
    settings = settings_file.load()
    # Called whenever a network is loaded, so that the engine follows the choice in the window.
    pipeline = open_engine(choice_of(settings, store), store, current=lambda: choice_of(session.settings, store))
    jobs = Jobs(bridge.post)
    jobs.submit(Lane.IO, lambda _progress: _import_decoders())
    session = Session(pipeline, store, settings, jobs, bridge.post)
    services = Services(
        session=session,
        store=store,
        jobs=jobs,
        ask=ask,
        renew_engine=pipeline.close,
        remember=settings_file.save,
        post=bridge.post,
        pools=_pools,
    )
    return MainWindow(services)


def _pools() -> "MakePool":
    """Import the worker processes of the queue, when they are first needed."""
    from bgdesk.batch.workers.local_pool import LocalPool

    return LocalPool


def _import_decoders() -> None:
    """Import the decoders early, so that the first photo does not wait for them."""
    import bgdesk.files.load  # noqa: F401


def application(arguments: Sequence[str]) -> QApplication:
    """Make Qt's application object, with the program's name, icon and style."""
    qt = QApplication(list(arguments))
    qt.setApplicationName("bgdesk")
    qt.setApplicationDisplayName("bgdesk")
    qt.setApplicationVersion(bgdesk.__version__)
    qt.setDesktopFileName("bgdesk")
    qt.setWindowIcon(application_icon())
    qt.setStyle("Fusion")  # one look on every system; the theme's style sheet does the rest
    return qt


def run(paths: Sequence[Path] = ()) -> int:
    """Open the window with these photos; returns the exit status when it is closed."""
    qt = application(sys.argv[:1])
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C in the terminal ends the program at once
    bridge = Bridge()
    try:
        window = build(default_store(), bridge, Ask())
    except BgdeskError as error:
        QMessageBox.critical(None, "bgdesk", str(error))
        return 1
    sys.excepthook = _Reporter(window)
    window.show()

    def begin() -> None:
        if paths:
            window.commands.open_paths(paths)
        window.commands.warm()
        window.commands.offer_unfinished()

    QTimer.singleShot(0, begin)  # once the window is on the screen
    status = qt.exec()
    if window.commands.queue_controller is not None:
        window.commands.queue_controller.open_queue.join()
    bridge.close()
    return status


class _Reporter:
    """Handles unexpected exceptions: shows a message, writes the log, and keeps the window open."""

    def __init__(self, window: MainWindow) -> None:
        self._window = window

    def __call__(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        log.critical("unexpected", exc_info=(kind, error, trace))
        text = f"bgdesk made an error ({kind.__name__}: {error}). Export your work, then restart the program."
        self._window.tell(Message(Severity.ERROR, text))
