"""The tests of the Ray pool, in a process of their own: a cluster's threads outlive its end, and have no place beside other tests."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.timeout(280)
def test_on_a_cluster_of_this_machine() -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/batch/workers/ray_cluster.py"]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=270, env={**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    )
    assert re.search(r"^9 passed", done.stdout, re.MULTILINE), done.stdout[-3000:] + done.stderr[-1000:]
