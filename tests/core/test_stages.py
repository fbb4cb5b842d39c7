import re
from pathlib import Path

import pytest

import bgdesk
from bgdesk.core.stages import Stage

#: Stages of work that no queue and no list of words knows.
NAMELESS = {"comparison", "park", "undo"}


def test_every_stage_that_work_reports_is_listed() -> None:
    """Else a queue would not know what a photo is at, and whether it may go on."""
    reported = set()
    for file in Path(bgdesk.__file__).parent.rglob("*.py"):
        reported |= set(re.findall(r'(?:progress|report)\("(\w+)"|stage="(\w+)"|_timed\(timings, "(\w+)"', file.read_text("utf-8")))
    names = {name for match in reported for name in match if name}
    assert len(names) > 10
    assert names - NAMELESS - set(Stage) == set()


def test_a_stage_that_is_not_listed_is_unknown() -> None:
    assert Stage("comparison") is Stage.UNKNOWN


@pytest.mark.parametrize("stage", Stage)
def test_a_queue_goes_on_while_the_network_or_another_program_is_waited_for(stage: Stage) -> None:
    assert stage.queue_may_go_on is (stage in ("download", "wait"))
