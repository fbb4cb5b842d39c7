"""Queues on disk: one folder each, which one process at a time may run."""

import contextlib
import logging
import os
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bgdesk.app.system.locks import locked
from bgdesk.batch.journal.journal import Journal, JournalError, Ledger
from bgdesk.batch.model.values import QueueKind, State
from bgdesk.core.errors import BgdeskError

log = logging.getLogger(__name__)

_JOURNAL, _LOCK, _THUMBS = "journal.sqlite", "lock", "thumbs"


class QueueError(BgdeskError):
    """A queue cannot be opened or used; the text says why and what to do."""


@dataclass(frozen=True, kw_only=True)
class QueueInfo:
    """One queue of a list."""

    id: str
    folder: Path
    title: str
    output: Path
    kind: QueueKind
    counts: Mapping[State, int]  #: number of items in each state
    locked: bool  #: some process runs it
    made: float  #: seconds since 1970
    damaged: str = ""  #: why it cannot be opened; "" if it can


class _AlreadyLocked(Exception):
    pass


class QueueLock:
    """A queue is locked from `QueueLock(folder)` until `free`; the system frees the lock when the process dies."""

    def __init__(self, folder: Path, patience: float = 0.5) -> None:
        """patience: seconds to wait for another; who lists queues locks each for a moment. Raises QueueError where another has it."""
        deadline = time.monotonic() + patience

        def busy() -> None:
            if time.monotonic() >= deadline:
                raise _AlreadyLocked

        self._stack = contextlib.ExitStack()
        try:
            self._stack.enter_context(locked(folder / _LOCK, busy))
        except _AlreadyLocked:
            raise QueueError("This queue is being run by another bgdesk. Go on with it there, or close it there first.") from None
        except OSError as error:
            raise QueueError(
                f"The queue in {folder} could not be opened: {error.strerror}. Check the permissions of its folder."
            ) from error

    def free(self) -> None:
        self._stack.close()


def home_of(home: Path) -> Path:
    """Where all queues lie. home: the person's data folder."""
    return home / "queues"


def new_folder(home: Path) -> Path:
    """An empty folder for a new queue; its name is the queue's id. Raises QueueError."""
    try:
        while True:
            folder = home_of(home) / f"{time.strftime('%y%m%d')}-{secrets.token_hex(2)}"
            try:
                (folder / _THUMBS).mkdir(parents=True)
            except FileExistsError:
                continue
            return folder
    except OSError as error:
        raise QueueError(f"The queue could not be made in {home}: {error.strerror}. Check the disk and the permissions.") from error


def journal_file(folder: Path) -> Path:
    return folder / _JOURNAL


def ledger(home: Path) -> Ledger:
    """What is known of the outputs of all queues. Raises JournalError."""
    return Ledger.of(home)


def queues(home: Path) -> list[QueueInfo]:
    """All queues, newest first; a damaged one says so in its info. Those that were killed while they were made are left out."""
    found = []
    with contextlib.suppress(OSError):
        for folder in home_of(home).iterdir():
            with contextlib.suppress(OSError):
                if journal_file(folder).stat().st_size:
                    found.append(_info(folder))
    return sorted(found, key=lambda info: (info.made, info.id), reverse=True)


def _info(folder: Path) -> QueueInfo:
    locked = _is_locked(folder)
    try:
        journal = Journal(journal_file(folder))
        try:
            about, counts = journal.about(), journal.counts()
        finally:
            journal.close()
    except JournalError as error:
        made = 0.0
        with contextlib.suppress(OSError):
            made = journal_file(folder).stat().st_mtime
        return QueueInfo(
            id=folder.name,
            folder=folder,
            title=folder.name,
            output=folder,
            kind=QueueKind.BATCH,
            counts={},
            locked=locked,
            made=made,
            damaged=str(error),
        )
    return QueueInfo(
        id=folder.name,
        folder=folder,
        title=about.title,
        output=about.output,
        kind=about.kind,
        counts=counts,
        locked=locked,
        made=about.made,
    )


def _is_locked(folder: Path) -> bool:
    if not os.path.exists(folder / _LOCK):
        return False
    try:
        QueueLock(folder, patience=0.0).free()
    except QueueError:
        return True
    return False
