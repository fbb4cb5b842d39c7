"""The numbers that a person sets: one table for what is valid, what a slider shows and what an option says."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from bgdesk.core.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """One number of a recipe or a setting.

    Examples
    --------
    >>> SHIFT.check(30)
    Traceback (most recent call last):
    bgdesk.core.errors.UsageError: Shift edge is a number from -20 to 20 px, not 30.
    """

    name: str  #: the field of the recipe or of the settings, and the name in files
    option: str = ""  #: of the command line; empty where there is none
    label: str  #: beside the slider; sentence case
    lowest: float  #: in `unit`; the range includes both ends
    highest: float  #: the same unit as `lowest`
    standard: float  #: changes nothing, or is the usual value
    unit: str  #: "px", "%" or ""
    decimals: int  #: that a number field shows
    help: str  #: one sentence for a tool tip and `--help`

    def check(self, value: object) -> float:
        """Return `value` as a number of this parameter.

        Raises
        ------
        UsageError
            When `value` is not a finite number in the range.
        """
        number = value if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
        if not self.lowest <= number <= self.highest:
            unit = f" {self.unit}" if self.unit else ""
            shown = f"{number:g}" if math.isfinite(number) else repr(value)
            raise UsageError(f"{self.label} is a number from {self.lowest:g} to {self.highest:g}{unit}, not {shown}.")
        return float(number)

    @property
    def span(self) -> str:
        """The range in words: "-20..20"."""
        return f"{self.lowest:g}..{self.highest:g}"


SHIFT = Parameter(
    name="shift",
    option="--shift",
    label="Shift edge",
    lowest=-20,
    highest=20,
    standard=0,
    unit="px",
    decimals=2,
    help="Moves the edge outwards, or inwards where the number is negative",
)
SMOOTH = Parameter(
    name="smooth",
    option="--smooth",
    label="Smooth",
    lowest=0,
    highest=20,
    standard=0,
    unit="px",
    decimals=1,
    help="Rounds off corners and jags smaller than this, and keeps the edge as sharp as it was",
)
FEATHER = Parameter(
    name="feather",
    option="--feather",
    label="Feather",
    lowest=0,
    highest=50,
    standard=0,
    unit="px",
    decimals=1,
    help="Makes the edge soft over this distance to each side",
)
CONTRAST = Parameter(
    name="contrast",
    option="--contrast",
    label="Contrast",
    lowest=0,
    highest=100,
    standard=0,
    unit="%",
    decimals=0,
    help="Makes soft edges harder; 100 % leaves only opaque and clear",
)
#: What finishing an edge takes, in the order in which it is applied.
EDGE: Mapping[str, Parameter] = {each.name: each for each in (SHIFT, SMOOTH, FEATHER, CONTRAST)}

STRENGTH = Parameter(
    name="strength",
    option="--decontaminate-strength",
    label="Strength of decontamination",
    lowest=0,
    highest=1,
    standard=1,
    unit="",
    decimals=2,
    help="How much of the backdrop's colour is taken out of soft edges: 1 all of it, 0 none",
)
GATE = Parameter(
    name="gate",
    option="--gate",
    label="Gate",
    lowest=0,
    highest=1,
    standard=0,
    unit="",
    decimals=2,
    help="Results whose confidence is below this need review; 0 lets all pass",
)
SIZE = Parameter(
    name="size",
    label="Size",
    lowest=16,
    highest=16384,
    standard=2000,
    unit="px",
    decimals=0,
    help="Side of the square canvas that the subject is fitted into",
)
MARGIN = Parameter(
    name="margin",
    label="Margin",
    lowest=0,
    highest=0.45,
    standard=0.05,
    unit="",
    decimals=2,
    help="Share of the canvas's side that is kept free on each side of the subject",
)
