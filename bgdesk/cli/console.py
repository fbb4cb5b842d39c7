"""What people see on stderr while a command works. stdout is kept for results."""

import shutil
import sys
import time
from typing import TextIO

from bgdesk.core.stages import Stage
from bgdesk.core.tasks import Progress

PREPARING = "Preparing bgdesk for its first use; this takes about 20 seconds, once."


class Console:
    """Messages, and on a terminal one line of progress that the next message replaces."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._line = ""
        self._drawn = -1.0
        self._prepared = False

    def say(self, text: str) -> None:
        self.clear()
        print(text, file=self._stream, flush=True)

    def progress(self, subject: str) -> Progress:
        """A Progress that shows `subject: stage 42 %`, at most ten times a second, and nothing where stderr is no terminal.

        The long preparation at the first use is said in any case.
        """

        def draw(stage: str, fraction: float) -> None:
            if stage == Stage.PREPARE and not self._prepared:
                self._prepared = True
                self.say(PREPARING)
            now = time.monotonic()
            if not self._stream.isatty() or (self._line and now - self._drawn < 0.1):
                return
            self._drawn = now
            self._replace(f"{subject}: {stage} {100 * fraction:3.0f} %")

        return draw

    def clear(self) -> None:
        """Take the progress line away."""
        if self._line:
            self._replace("")
            self._stream.write("\r")
            self._stream.flush()

    def _replace(self, line: str) -> None:
        line = line[: max(10, shutil.get_terminal_size().columns - 1)]
        # Blanks instead of an escape sequence: every console understands them.
        self._stream.write("\r" + line.ljust(len(self._line)))
        self._stream.flush()
        self._line = line
