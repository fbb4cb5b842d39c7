"""Fixtures of the queue's tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.batch.rooms import Room


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    room = Room(tmp_path)
    yield room
    for queue in room.open_queues:
        queue.close()
