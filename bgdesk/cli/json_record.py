"""One JSON line a photo: what --json prints."""

import json
import sys
from dataclasses import asdict
from pathlib import Path

from bgdesk.app.one_photo import Done, Request


def done(request: Request, done: Done) -> str:
    """The record of a photo that was saved."""
    cutout = done.cutout
    height, width = cutout.alpha.shape
    return json.dumps(
        {
            "source": str(request.source),
            "output": str(done.output),
            "width": width,
            "height": height,
            "edge": asdict(request.recipe.edge),
            "timings": {stage: round(seconds, 4) for stage, seconds in done.timings.items()},
            "device": cutout.device,
            "precision": cutout.precision,
            "model": cutout.model,
            "peak_memory_mb": peak_memory_mb(),
            "notes": list(cutout.notes),
        }
    )


def failed(source: Path, error: str) -> str:
    """The record of a photo that could not be done."""
    return json.dumps({"source": str(source), "error": error})


if sys.platform == "win32":
    import ctypes
    from ctypes import wintypes

    class _MemoryCounters(ctypes.Structure):
        _fields_ = (
            ("cb", wintypes.DWORD),
            ("page_fault_count", wintypes.DWORD),
            ("peak_working_set_size", ctypes.c_size_t),
            ("working_set_size", ctypes.c_size_t),
            ("quota_peak_paged_pool_usage", ctypes.c_size_t),
            ("quota_paged_pool_usage", ctypes.c_size_t),
            ("quota_peak_non_paged_pool_usage", ctypes.c_size_t),
            ("quota_non_paged_pool_usage", ctypes.c_size_t),
            ("pagefile_usage", ctypes.c_size_t),
            ("peak_pagefile_usage", ctypes.c_size_t),
        )

    def _peak_bytes() -> int:
        counters = _MemoryCounters(cb=ctypes.sizeof(_MemoryCounters))
        kernel = ctypes.WinDLL("kernel32", use_last_error=True)
        kernel.GetCurrentProcess.restype = wintypes.HANDLE
        kernel.K32GetProcessMemoryInfo.argtypes = (wintypes.HANDLE, ctypes.POINTER(_MemoryCounters), wintypes.DWORD)
        if not kernel.K32GetProcessMemoryInfo(kernel.GetCurrentProcess(), ctypes.byref(counters), counters.cb):
            raise ctypes.WinError(ctypes.get_last_error())
        return int(counters.peak_working_set_size)

elif sys.platform == "linux":

    def _peak_bytes() -> int:
        # getrusage would count what the parent process had in memory when it started this one.
        for line in Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
        raise OSError("the kernel does not tell the peak memory of a process")

else:

    def _peak_bytes() -> int:
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024


def peak_memory_mb() -> float | None:
    """The most memory that this process has held so far, in units of 10^6 bytes; None where the system does not tell."""
    try:
        return round(_peak_bytes() / 1e6, 1)
    except OSError:
        return None
