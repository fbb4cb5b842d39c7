"""What a pool and its workers say to each other: one JSON object a line.

To a worker: start (first of all), job, hold, cancel, memory, end. From it: ready or lost (once), then for every job stage and
progress, and in the end one of written, failed, returned.
"""

import json
from collections.abc import Mapping
from typing import Any

Message = Mapping[str, Any]


def line(message: Message) -> bytes:
    """ASCII, so that neither a console's code page nor a file name that is no UTF-8 can come between."""
    return json.dumps(message).encode("ascii") + b"\n"


def parse(data: bytes) -> Message | None:
    """The message of a line; None for anything that is no message."""
    try:
        message = json.loads(data)
    except ValueError:
        return None
    return message if isinstance(message, dict) else None
