"""From what a person typed to pairs of source and target."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bgdesk.core.errors import UsageError
from bgdesk.core.formats import Format
from bgdesk.files.find import Found
from bgdesk.files.names import free_name, named, stem


@dataclass(frozen=True)
class Task:
    """One photo to do: read `source`, write `target`."""

    source: Path
    target: Path


def plan(inputs: Sequence[str], found: Found, output: str, format: Format | None) -> list[Task]:
    """Give every photo its target. Raises UsageError where `output` does not fit what was asked.

    inputs: as they were typed. found: what they stand for. One photo may go to a file, whose suffix tells the format. Several
    photos, and folders, go into a folder, each under its own name: "photo.jpg" becomes "photo.png". In the photo's own folder
    it becomes "photo_cutout.png", because a "photo.png" there may be somebody's original. Where two photos share a name, the
    second becomes "photo-2.png".
    """
    out = Path(output)
    several = len(inputs) > 1 or bool(found.folders)
    ends_as_folder = output.endswith(tuple(filter(None, ("/", os.sep, os.altsep))))
    is_folder = os.path.isdir(out)
    if several or ends_as_folder or is_folder:
        if several and not ends_as_folder and not is_folder and (os.path.exists(out) or Format.of_path(out) is not None):
            folder = out.with_name(stem(out) if stem(out) != out.name else f"{out.name}_cutouts")
            raise UsageError(f"several photos need a folder to go to, and {output} is a file: use -o {folder}{os.sep}")
        if any(os.path.realpath(folder) == os.path.realpath(out) for folder in found.folders):
            raise UsageError(f"{output} is the folder that the photos come from: choose another one")
        return _into_folder(found.photos, out, (format or Format.PNG).suffix)
    for photo in found.photos:
        # Saving would refuse it too, but only after all the work.
        if os.path.exists(out) and os.path.exists(photo) and os.path.samefile(photo, out):
            raise UsageError(f"{output} is the photo itself, which bgdesk never overwrites: choose another name")
    return [Task(photo, _file_target(out, format)) for photo in found.photos]


def _file_target(out: Path, format: Format | None) -> Path:
    there = Format.of_path(out)
    if format is None and there is None:
        known = Format.known()
        raise UsageError(f"the format of {out} is not known: end its name with {known}, or add --format, or end it with / for a folder")
    if format is not None and there not in (None, format):
        raise UsageError(f"{out} does not go with --format {format.value}: leave one of them out")
    return out if format is None else named(out, format)


def _into_folder(photos: Sequence[Path], folder: Path, suffix: str) -> list[Task]:
    # Compared without regard to case: on Windows and macOS "A.png" and "a.png" are one file.
    taken = {_key(photo) for photo in photos}
    tasks = []
    for photo in photos:
        name = stem(photo) + ("_cutout" if _key(photo.parent) == _key(folder) else "")
        target = free_name(folder, name, suffix, lambda path: _key(path) in taken)
        taken.add(_key(target))
        tasks.append(Task(photo, target))
    return tasks


def _key(path: Path) -> str:
    return os.path.realpath(path).casefold()
