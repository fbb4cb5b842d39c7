"""Peak memory is this process's own, and the most it ever held."""

import subprocess
import sys

import numpy as np
import pytest

from bgdesk.cli import json_record


def measured(code: str) -> list[float]:
    """Numbers that a fresh Python prints."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return [float(number) for number in done.stdout.split()]


def test_peak_memory_stays_when_memory_is_freed() -> None:
    code = "from bgdesk.cli.json_record import peak_memory_mb as peak\nprint(peak())\nblock = b'x' * 200_000_000\ndel block\nprint(peak())"
    before, after = measured(code)
    assert before + 190 < after < before + 230


def test_peak_memory_is_not_the_parents() -> None:
    block = np.ones(300_000_000, np.uint8)
    (own,) = measured("from bgdesk.cli import json_record; print(json_record.peak_memory_mb())")
    assert block[0] == 1
    assert 5 < own < 250


def test_a_system_that_does_not_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> int:
        raise OSError("not told")

    monkeypatch.setattr(json_record, "_peak_bytes", fail)
    assert json_record.peak_memory_mb() is None
