"""Recipes: every choice that turns a source into a cut-out, frozen, so that a job is a pure function of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from enum import Enum
from typing import TypeAlias

from bgdesk.core.errors import UsageError
from bgdesk.core.formats import Format
from bgdesk.core.parameters import EDGE, STRENGTH

#: Red, green, blue, each 0 to 255, sRGB.
Colour: TypeAlias = tuple[int, int, int]

#: In place of a backdrop's colour: the engine finds the colour out.
AUTO = "auto"


def colour_of(text: str) -> Colour:
    """Return the colour that is written as #rgb or #rrggbb, with or without the #. Raises UsageError for other text."""
    digits = text.strip().removeprefix("#")
    if len(digits) == 3:
        digits = "".join(digit * 2 for digit in digits)
    if len(digits) != 6 or not all(digit in "0123456789abcdefABCDEF" for digit in digits):
        raise UsageError(f"{text!r} is not a colour. Write it like #00b140.")
    return int(digits[:2], 16), int(digits[2:4], 16), int(digits[4:], 16)


class Quality(Enum):
    """How much time the network takes for a photo."""

    FAST = "fast"  #: one pass over the photo at a smaller size
    BALANCED = "balanced"  #: one pass at the network's own size
    BEST = "best"  #: two passes: the photo and its mirror image


def _in_range(parts: Sequence[int]) -> bool:
    return len(parts) == 3 and all(0 <= part <= 255 for part in parts)


@dataclass(frozen=True, kw_only=True)
class MatteRecipe:
    """How alpha and the subject's colours are made from a source.

    Raises
    ------
    UsageError
        When a value is out of its range, or not a colour or a quality.

    Examples
    --------
    >>> MatteRecipe(spill="#00b140", quality="best").spill
    (0, 177, 64)
    """

    refine: bool = True  #: solve the band with the matting Laplacian; if False, alpha is the network's matte as it came
    decontaminate: bool = True  #: estimate the subject's own colours under partial opacity; if False, foreground is the source
    strength: float = 1.0  #: share of the estimated colours in the foreground, in [0, 1]; the rest is the source's colour
    spill: Colour | str | None = None  #: the backdrop whose light is taken off the rim: a colour (also as text), AUTO or None
    quality: Quality = Quality.BALANCED  #: how much time the network takes; a Quality, or its value as text

    def __post_init__(self) -> None:
        try:
            object.__setattr__(self, "quality", Quality(self.quality))
        except ValueError:
            values = ", ".join(quality.value for quality in Quality)
            raise UsageError(f"The quality is one of {values}, not {self.quality!r}.") from None
        STRENGTH.check(self.strength)
        if isinstance(self.spill, str) and self.spill != AUTO:
            object.__setattr__(self, "spill", colour_of(self.spill))
        elif isinstance(self.spill, tuple) and not _in_range(self.spill):
            raise UsageError(f"A backdrop's colour is red, green and blue, each 0 to 255, not {self.spill}.")

    @property
    def amount(self) -> float:
        """How much of the estimated colours is used: 0 where decontamination is off."""
        return self.strength if self.decontaminate else 0.0

    @property
    def colours(self) -> tuple[float, Colour | str | None]:
        """What the foreground depends on: equal for recipes that differ in alpha only."""
        return self.amount, self.spill

    @property
    def without_colours(self) -> "MatteRecipe":
        """The recipe for an export without colours: the foreground is the source."""
        return replace(self, decontaminate=False, spill=None)

    @property
    def recolours(self) -> bool:
        """Whether the foreground differs from the source."""
        return self.amount > 0.0 or self.spill is not None


@dataclass(frozen=True, kw_only=True)
class EdgeRecipe:
    """How a solved alpha is finished (see core.finish); lengths in pixels of the photo, ranges in core.parameters.EDGE.

    Raises UsageError when a value is outside its range.
    """

    shift: float = 0.0  #: the edge moves outwards by this, inwards where it is negative
    smooth: float = 0.0  #: corners and jags smaller than this are rounded off
    feather: float = 0.0  #: the edge becomes soft over this distance to each side
    contrast: float = 0.0  #: in percent: soft edges become harder

    def __post_init__(self) -> None:
        for each in fields(self):
            object.__setattr__(self, each.name, EDGE[each.name].check(getattr(self, each.name)))

    @property
    def neutral(self) -> bool:
        """Whether alpha stays as it was solved, bit for bit."""
        return self == EdgeRecipe()

    def scaled(self, factor: float) -> "EdgeRecipe":
        """Return the recipe for a picture `factor` times as large: lengths are multiplied, and clipped to their ranges."""

        def clipped(name: str) -> float:
            value: float = getattr(self, name) * factor
            return min(max(value, EDGE[name].lowest), EDGE[name].highest)

        return replace(self, shift=clipped("shift"), smooth=clipped("smooth"), feather=clipped("feather"))


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """All choices of one photo that turn its source into a cut-out."""

    matte: MatteRecipe = field(default_factory=MatteRecipe)  #: how alpha and the subject's colours are made
    edge: EdgeRecipe = field(default_factory=EdgeRecipe)  #: how alpha is finished


@dataclass(frozen=True)
class ExportRecipe:
    """How a cut-out is written."""

    format: Format | None = None  #: None: as the target's suffix says
    alpha_only: bool = False  #: write the opacity alone, as a grey picture
