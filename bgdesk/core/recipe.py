"""Recipes: every choice that turns a source into a cutout, frozen, so that a job is a pure function of them."""

from dataclasses import dataclass
from enum import Enum


class Format(Enum):
    """File format of a cutout. The value is the suffix, without the dot."""

    PNG = "png"
    PSD = "psd"

    @property
    def suffix(self) -> str:
        return "." + self.value


@dataclass(frozen=True)
class MatteRecipe:
    """How alpha is made from a source.

    refine: solve the band with the matting Laplacian; off, alpha is the network's matte as it came.
    decontaminate: estimate the subject's own colours under partial opacity; off, foreground is the source.
    """

    refine: bool = True
    decontaminate: bool = True


@dataclass(frozen=True)
class ExportRecipe:
    """How a cutout is written.

    format: None takes it from the target's suffix.
    alpha_only: write the opacity as a grey PNG instead of the cut-out colours.
    """

    format: Format | None = None
    alpha_only: bool = False
