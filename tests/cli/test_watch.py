"""The tests of `bgdesk watch`, in a process of their own, as it is run: they end it by signals, which other tests' libraries catch too."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_watching() -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/cli/watching.py"]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=200, env={**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    )
    assert re.search(r"^2 passed", done.stdout, re.MULTILINE), done.stdout[-3000:] + done.stderr[-1000:]
