"""One JSON line a photo: what --json prints."""

import json
import sys
from dataclasses import asdict
from pathlib import Path

import psutil

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


def _peak_bytes() -> int:
    if sys.platform == "win32":
        return psutil.Process().memory_info().peak_wset
    elif sys.platform == "linux":
        # psutil does not tell the peak there, and getrusage would count what the parent process had in memory when it started us.
        for line in Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
        raise OSError("the kernel does not tell the peak memory of a process")
    else:
        import resource  # not on Windows

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024


def peak_memory_mb() -> float | None:
    """The most memory that this process has held so far, in units of 10^6 bytes; None where the system does not tell."""
    try:
        return round(_peak_bytes() / 1e6, 1)
    except OSError:
        return None
