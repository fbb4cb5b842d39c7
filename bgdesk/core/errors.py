"""What a person is told when something cannot be done.

Every message names the file or thing concerned and says what to do about it. Anything that is not a
BgdeskError (or tasks.Cancelled) reaching a person is a defect of the program.
"""


class BgdeskError(Exception):
    """Base of every failure the program foresees; `str(error)` is fit to be shown to a person."""


class LoadError(BgdeskError):
    """A file could not be read as a photo (or as a trimap)."""


class SaveError(BgdeskError):
    """A result could not be written; whatever was at the target before is still there."""


class ModelError(BgdeskError):
    """A network is missing, damaged, unknown, or could not be installed."""


class DeviceError(BgdeskError):
    """The device or precision asked for does not exist on this machine, or failed."""


class MattingError(BgdeskError):
    """Arrays given to the engine do not fit together, or no alpha can be computed from them."""


class UsageError(BgdeskError):
    """A request that makes no sense as asked (wrong option, missing name)."""
