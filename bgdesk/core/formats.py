"""The file formats that cut-outs are written in: one row for each, and everything that depends on a format reads its row.

A new format takes a member of `Format`, its row in `FORMATS`, and a writer: a module in files/writers and its row in files/save.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import PurePath
from typing import Optional


@dataclass(frozen=True, kw_only=True)
class FormatFacts:
    """What is true of one file format."""

    title: str  #: for buttons and messages: "PNG"
    description: str  #: for file dialogs: "PNG, straight alpha"
    hint: str  #: for menus: what the file holds
    suffixes: tuple[str, ...]  #: lower case, with the dot; new files get the first
    depths: tuple[int, ...]  #: bits a channel
    transparent: bool  #: the file can be clear or half clear
    opacity_alone: bool  #: the file can hold the opacity alone, as a grey picture
    layers: bool  #: the file holds the whole photo under a masked subject, so that it has no other size or background
    metadata: tuple[str, ...]  #: what travels along from the photo
    largest_side: int  #: pixels
    disk: float  #: bytes a pixel of a photo in 8 bits, a little above what shop and camera photos took
    disk_opacity: float  #: the same for the opacity alone
    memory: int  #: bytes a pixel and byte of depth that writing takes beside the cut-out, measured at 6 to 24 MP and rounded up


class Format(Enum):
    """A file format of cut-outs. The value is what a person types and what settings, recipes and queues hold."""

    PNG = "png"
    PSD = "psd"

    @property
    def facts(self) -> FormatFacts:
        """The format's row of `FORMATS`."""
        return FORMATS[self]

    @property
    def suffix(self) -> str:
        """What a new file of this format ends with."""
        return self.facts.suffixes[0]

    @property
    def suffixes(self) -> tuple[str, ...]:
        """All that files of this format end with; lower case."""
        return self.facts.suffixes

    @property
    def filter_text(self) -> str:
        """The line of a file dialog: "PNG, straight alpha (*.png)"."""
        patterns = " ".join(f"*{suffix}" for suffix in self.suffixes)
        return f"{self.facts.description} ({patterns})"

    @classmethod
    def of_path(cls, path: PurePath) -> Optional["Format"]:
        """The format that the name's suffix stands for, case aside; None for every other suffix, or none at all."""
        return next((each for each in cls if path.suffix.lower() in each.suffixes), None)

    @classmethod
    def known(cls, opacity_alone: bool = False) -> str:
        """Return the suffixes that a person may choose from, in words: ".png or .psd".

        Parameters
        ----------
        opacity_alone
            Only suffixes of formats that can hold the opacity alone.
        """
        return _listed([each.suffix for each in cls if each.facts.opacity_alone or not opacity_alone])

    @classmethod
    def titles_with_opacity_alone(cls) -> str:
        """The formats that can hold the opacity alone, in words."""
        return _listed([each.facts.title for each in cls if each.facts.opacity_alone])


FORMATS: Mapping[Format, FormatFacts] = {
    Format.PNG: FormatFacts(
        title="PNG",
        description="PNG, straight alpha",
        hint="One picture with straight alpha",
        suffixes=(".png",),
        depths=(8, 16),
        transparent=True,
        opacity_alone=True,
        layers=False,
        metadata=("EXIF", "XMP", "resolution"),
        largest_side=2**31 - 1,
        disk=1.2,  # 0.6 to 2.1 were measured
        disk_opacity=0.1,  # 0.02 to 0.3
        memory=9,
    ),
    Format.PSD: FormatFacts(
        title="PSD",
        description="Photoshop, layers and mask",
        hint="Layers: the untouched photo, and the subject with its mask",
        suffixes=(".psd",),
        depths=(8, 16),
        transparent=True,
        opacity_alone=False,
        layers=True,
        metadata=("EXIF", "XMP", "resolution"),
        largest_side=30_000,
        disk=6.0,  # 2.3 to 9
        disk_opacity=0.0,
        memory=18,
    ),
}


def _listed(words: list[str]) -> str:
    return " or ".join(filter(None, (", ".join(words[:-1]), words[-1])))
