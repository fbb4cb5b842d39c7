"""The stages of long work."""

from enum import StrEnum


class Stage(StrEnum):
    """A stage of work, as `tasks.Progress` hears it; journals and JSON records hold its value.

    A stage that is not listed here is UNKNOWN.
    """

    UNKNOWN = ""

    LOAD = "load"
    ENGINE = "engine"
    PREPARE = "prepare"
    NETWORK = "network"
    TRIMAP = "trimap"
    ALPHA = "alpha"
    REMATTE = "rematte"
    FOREGROUND = "foreground"
    CONFIDENCE = "confidence"
    FINISH = "finish"
    SAVE = "save"

    DOWNLOAD = "download"
    UNPACK = "unpack"
    VERIFY = "verify"
    CONVERT = "convert"
    TRY = "try"
    WAIT = "wait"

    SCAN = "scan"
    PLAN = "plan"
    MEASURE = "measure"

    @classmethod
    def _missing_(cls, value: object) -> "Stage":
        return cls.UNKNOWN

    @property
    def queue_may_go_on(self) -> bool:
        """Whether a queue may go on while a person waits for this stage in the editor: it needs neither processor nor GPU."""
        return self in (Stage.DOWNLOAD, Stage.WAIT)
