"""The messages between a pool and its workers: each comes through as it was, and nothing else passes for one."""

import os
from pathlib import Path

import pytest

from bgdesk.batch.model.values import BatchRecipe, Fallback, Outcome, PhotoJob, Variant, Written
from bgdesk.batch.workers import wire
from bgdesk.core.errors import Cause
from bgdesk.core.formats import Format
from bgdesk.core.recipe import MatteRecipe
from bgdesk.core.stages import Stage

ODD = Path(os.fsdecode(b"/photos/caf\xe9\n.jpg"))
RECIPE = BatchRecipe(
    matte=MatteRecipe(spill=(0, 177, 64)),
    variants=(Variant(name="white", background=(255, 255, 255), size=800), Variant(name="psd", format=Format.PSD)),
    gate=0.8,
    fallback=Fallback(model="other"),
)
JOB = PhotoJob(id=7, source=ODD, targets=(ODD, Path("/b")), staged=(ODD, Path("/c")), recipe=RECIPE, folder=Path("/queue"))
OUTCOME = Outcome(
    written=(Written(ODD, Path("/o"), "ab"),),
    width=8,
    height=6,
    timings={Stage.LOAD: 0.1},
    confidence=0.4,
    reasons=("Its edge is unsure.",),
    notes=("A second attempt was used.",),
    thumbnail=ODD,
)


@pytest.mark.parametrize(
    "message",
    [
        wire.StartWork(RECIPE, 4_000_000_000),
        wire.TakeJob(JOB),
        wire.SetPaused(True),
        wire.CancelJobs((1, 2), False),
        wire.SetMemory(1),
        wire.EndWork(),
    ],
)
def test_what_a_pool_says_comes_through(message: wire.ToWorker) -> None:
    line = wire.line(message)
    assert line.isascii()
    assert line.count(b"\n") == 1
    assert wire.told(line) == message
    assert wire.heard(line) is None


@pytest.mark.parametrize(
    "message",
    [
        wire.WorkerReady("cuda", 2),
        wire.EngineLost(f"No network: {ODD}"),
        wire.LaneChanged(7, wire.WorkerLane.COMPUTE),
        wire.LaneChanged(7, None),
        wire.StageProgress(7, Stage.ALPHA, 0.5),
        wire.JobWritten(7, OUTCOME),
        wire.JobFailed(7, "The disk is full.", Cause.DISK_FULL),
        wire.JobFailed(7, "The file ends early.", None),
        wire.JobReturned(7),
    ],
)
def test_what_a_worker_says_comes_through(message: wire.FromWorker) -> None:
    line = wire.line(message)
    assert line.isascii()
    assert wire.heard(line) == message
    assert wire.told(line) is None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\x00",
        b"[1, 2]",
        b"{}",
        b'{"said": "dance"}',
        b'{"said": "returned"}',
        b'{"said": "returned", "id": "7"}',
        b'{"said": "returned", "id": 7, "more": 1}',
        b'{"said": "failed", "id": 7, "error": "", "cause": "bad luck"}',
        b'{"said": "written", "id": 7, "outcome": {"written": []}}',
    ],
)
def test_anything_else_is_not_a_message(data: bytes) -> None:
    assert wire.heard(data) is None
