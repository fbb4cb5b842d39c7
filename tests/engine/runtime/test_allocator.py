"""What the C library does with freed memory: in a process of its own, because it holds for the whole of one."""

import os
import subprocess
import sys

import pytest

from bgdesk.engine.runtime import allocator

glibc = pytest.mark.skipif(
    sys.platform != "linux" or "CS_GNU_LIBC_VERSION" not in os.confstr_names or os.confstr("CS_GNU_LIBC_VERSION") is None,
    reason="the C library is not glibc: its allocator is left alone",
)

#: Pages that are mapped anew while one array of so many bytes is made and dropped ten times.
FAULTS = """
import resource, sys
import numpy as np
from bgdesk.engine.runtime import allocator
if sys.argv[1] == "keep":
    allocator.keep()
def fill():
    np.empty(int(sys.argv[2]), np.uint8).fill(1)
fill()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    fill()
    if sys.argv[3] == "trim":
        allocator.trim()
print((resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) * resource.getpagesize() / int(sys.argv[2]))
"""


def mapped_anew(keep: str, size: int, trim: str = "") -> float:
    """Times the array's own size, of ten."""
    # Without huge pages, which numpy asks for and which count as one fault each.
    environment = {**os.environ, "NUMPY_MADVISE_HUGEPAGE": "0"}
    command = [sys.executable, "-c", FAULTS, keep, str(size), trim]
    return float(subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout)


@glibc
def test_what_a_pass_needs_is_kept_and_what_only_a_large_photo_needs_is_not() -> None:
    activation = 100_000_000
    assert mapped_anew("leave", activation) > 9
    assert mapped_anew("keep", activation) < 1
    assert mapped_anew("keep", allocator.KEPT + 1_000_000) > 9
    assert mapped_anew("keep", activation, "trim") > 9


def test_only_a_large_photo_gives_memory_back(monkeypatch: pytest.MonkeyPatch) -> None:
    trimmed: list[int] = []
    monkeypatch.setattr(allocator, "trim", lambda: trimmed.append(1))
    allocator.settle(2_000_000)
    assert not trimmed
    allocator.settle(24_000_000)
    assert trimmed


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    allocator.keep()
    allocator.trim()
