"""What a person is told when something cannot be done.

Every message names the file or thing concerned and says what to do about it. Any other exception that a person gets to
see, tasks.Cancelled apart, is a defect of the program.
"""

import errno
from enum import Enum


class BgdeskError(Exception):
    """Base of every failure the program foresees; `str(error)` is fit to be shown to a person."""


class LoadError(BgdeskError):
    """A file could not be read as a photo (or as a trimap)."""


class Cause(Enum):
    """Why something could not be written, for whoever has to decide what becomes of the other files."""

    DISK_FULL = "disk full"  #: no room, or the person's quota is used up
    READ_ONLY = "read only"  #: the disk takes no files at all
    VANISHED = "vanished"  #: the folder is not there (any more)
    NO_PERMISSION = "no permission"  #: the person may not write there
    EXISTS = "exists"  #: a file of that name is there and was not to be replaced
    OTHER = "other"  #: anything else, such as a file that the format cannot hold

    @classmethod
    def of(cls, error: OSError) -> "Cause":
        """Return the cause of a failure of the disk."""
        return _CAUSES.get(error.errno or 0, cls.OTHER)


_CAUSES = {
    errno.ENOSPC: Cause.DISK_FULL,
    errno.EDQUOT: Cause.DISK_FULL,
    errno.EROFS: Cause.READ_ONLY,
    errno.ENOENT: Cause.VANISHED,
    errno.ENOTDIR: Cause.VANISHED,
    errno.EACCES: Cause.NO_PERMISSION,
    errno.EPERM: Cause.NO_PERMISSION,
}


class SaveError(BgdeskError):
    """A result could not be written; whatever was at the target before is still there.

    Parameters
    ----------
    text
        Names the file and says what to do.
    cause
        Why, for whoever decides about the other files.
    """

    def __init__(self, text: str, cause: Cause = Cause.OTHER) -> None:
        super().__init__(text)
        self.cause = cause


class ModelError(BgdeskError):
    """A network is missing, damaged, unknown, or could not be installed."""


class DeviceError(BgdeskError):
    """The device or precision asked for does not exist on this machine, or failed."""


class MattingError(BgdeskError):
    """Arrays given to the engine do not fit together, or no alpha can be computed from them."""


class UsageError(BgdeskError):
    """A request that cannot be carried out as it was made: a wrong option, a value out of its range, a missing name."""
