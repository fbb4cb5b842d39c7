"""A program that is killed: opens the queue in the folder that it is told, runs it with a quick pool, and says when it is done.

Run by test_queue_trouble.py, with the folder as its argument.
"""

import os
import random
import sys
import time
from pathlib import Path

from bgdesk.batch.model.values import PhotoJob
from bgdesk.batch.run.queue import Queue
from tests.batch.fakes import FakePool


class SlowPool(FakePool):
    """Each photo takes a moment, so that a kill meets photos in every stage."""

    def _work(self, job: PhotoJob, alone: bool) -> None:
        time.sleep(0.01 + 0.04 * random.random())
        super()._work(job, alone)


def main() -> None:
    os.write(1, b"begun\n")  # before it is opened: putting right what the last kill left may be cut short as well
    queue = Queue.open(Path(sys.argv[1]), SlowPool)
    queue.start()
    queue.wait()
    queue.close()
    os.write(1, b"done\n")


if __name__ == "__main__":
    main()
