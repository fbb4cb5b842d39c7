"""The folders that a person gives a bench, by what they hold."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bgdesk.bench.cases import corpus
from bgdesk.core.errors import UsageError

#: Below so many different values a grey picture is a mask of objects, not captured opacity.
MASK_LEVELS = 8


@dataclass(frozen=True)
class Data:
    """Folders that were given, by what they hold."""

    matting: tuple[Path, ...] = ()  #: photos in image/, and their captured alpha in alpha/
    objects: tuple[Path, ...] = ()  #: photos in image/, and masks of their subjects in alpha/
    photos: tuple[Path, ...] = ()  #: photos alone

    @property
    def backgrounds(self) -> list[Path]:
        """The photos of the folders that hold nothing else."""
        return [photo for folder in self.photos for photo in corpus.pictures(folder)]


#: Nothing was given.
NO_DATA = Data()


def sort_folders(folders: Sequence[Path]) -> Data:
    """Sort folders by what they hold. Raises UsageError for a folder that holds nothing that a bench can use."""
    found: dict[str, list[Path]] = {"matting": [], "objects": [], "photos": []}
    for folder in folders:
        if (folder / "image").is_dir() and (folder / "alpha").is_dir():
            # Captured alpha has nearly every level, whichever photo is chosen; a mask has two or three.
            levels = len(np.unique(np.rint(255 * corpus.read_alpha(corpus.pairs(folder)[0][1]))))
            found["objects" if levels < MASK_LEVELS else "matting"].append(folder)
        elif corpus.pictures(folder):
            found["photos"].append(folder)
        else:
            raise UsageError(f"{folder} holds neither photos nor image/ and alpha/ folders of them.")
    return Data(**{name: tuple(each) for name, each in found.items()})
