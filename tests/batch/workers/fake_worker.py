"""A worker that computes nothing and speaks the wire: what it does with a photo stands in the photo's name.

Run as a script, by tests of the pool; it imports nothing of bgdesk, so that it starts at once. Environment: FAKE_DEVICES,
FAKE_LOST (said at the start), FAKE_DIE (dies at the start), FAKE_IDLE_DEATH (dies with the first job, before it begins it).
"""

import json
import os
import signal
import sys
import time
from typing import Any


def say(**message: object) -> None:
    write(json.dumps(message))


def write(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def outcome(present: int, paused: bool) -> dict[str, Any]:
    """What a test wants to know of this worker, where an outcome has words."""
    nothing: dict[str, Any] = dict.fromkeys(("confidence", "thumbnail"))
    facts = {
        "device": "",
        "precision": os.environ.get("OMP_NUM_THREADS", ""),
        "model": str(os.getpid()),
        "model_sha256": str(os.getsid(0)) if hasattr(os, "getsid") else "",
        "source_sha256": os.environ.get("MALLOC_ARENA_MAX", ""),
        "width": present,
        "height": int(paused),
    }
    return {**nothing, **facts, "written": [], "reasons": [], "notes": [], "timings": {}}


def main() -> None:
    if "FAKE_DIE" in os.environ:
        sys.stderr.write("a driver is missing\n")
        sys.exit(7)
    paused, jobs = False, dict[int, str]()
    for text in sys.stdin:
        message = json.loads(text)
        match message["do"]:
            case "start" if "FAKE_LOST" in os.environ:
                say(said="lost", error=os.environ["FAKE_LOST"])
            case "start":
                say(said="ready", kind="cuda", devices=int(os.environ.get("FAKE_DEVICES", "1")))
            case "pause":
                paused = message["paused"]
            case "cancel":
                for id in message["ids"]:
                    del jobs[id]
                    say(said="returned", id=id)
            case "job":
                job = message["job"]
                jobs[job["id"]] = job["source"]
                begin(job, jobs, paused)
            case "end":
                if any("stubborn" in source for source in jobs.values()):
                    continue
                for id in jobs:
                    say(said="returned", id=id)
                return
    while any("stubborn" in source for source in jobs.values()):
        time.sleep(60)  # until it is killed


def begin(job: dict[str, Any], jobs: dict[int, str], paused: bool) -> None:
    id, name = job["id"], os.path.basename(job["source"])
    if "FAKE_IDLE_DEATH" in os.environ:
        sys.exit(5)
    if name.startswith("rest"):  # read ahead, in no stage
        say(said="lane", id=id, lane="load")
        say(said="lane", id=id, lane=None)
        return
    say(said="lane", id=id, lane="compute")
    say(said="progress", id=id, stage="network", fraction=0.5)
    if name.startswith("where"):
        os.makedirs(job["folder"], exist_ok=True)
        with open(os.path.join(job["folder"], f"GPU {os.environ.get('CUDA_VISIBLE_DEVICES', 'all')}"), "w", encoding="ascii"):
            return
    if name.startswith(("wait", "stubborn")):
        return
    if name.startswith("signal"):
        sys.stderr.write("about to die\n")
        os.kill(os.getpid(), signal.SIGKILL)
        signal.pause()
    if name.startswith("polite"):
        os.kill(os.getpid(), signal.SIGTERM)
        signal.pause()
    if name.startswith("status"):
        sys.exit(3)
    if name.startswith("garbage"):
        write("\x00\xff this is no message\n[1, 2]\n{}")
        say(said="written", id=12345, outcome=outcome(1, paused))
        say(said="written", id=id, outcome="")
        say(said="lane", id=id)
    present = len(jobs)
    del jobs[id]
    if name.startswith("fail"):
        say(said="failed", id=id, error=f"{name} is damaged.", cause=None)
    elif name.startswith("full"):
        say(said="failed", id=id, error=f"{name} could not be saved.", cause="disk full")
    else:
        say(said="written", id=id, outcome=outcome(present, paused))


if __name__ == "__main__":
    main()
