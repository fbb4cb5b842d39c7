"""From what a person typed to pairs of source and target."""

import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from bgdesk.core.errors import UsageError
from bgdesk.core.formats import Format


@dataclass(frozen=True)
class Task:
    """One photo to do: read `source`, write `target`."""

    source: Path
    target: Path


@dataclass(frozen=True)
class Inputs:
    """What INPUT… stands for.

    photos: in order, none twice. folders: those that were named. empty: those of them without a photo.
    closed: those that could not be looked into, with the system's reason.
    several: more than one photo was, or could have been, meant.
    """

    photos: tuple[Path, ...]
    folders: tuple[Path, ...]
    empty: tuple[Path, ...]
    closed: tuple[tuple[Path, str], ...]
    several: bool


def find_photos(inputs: Sequence[str], suffixes: Collection[str]) -> Inputs:
    """Replace folders by the photos in them (not in their subfolders), sorted by name; hidden files are left out.

    A file is taken as named, whether it exists or not: loading it gives the reason if it cannot be read.
    """
    photos: dict[str, Path] = {}
    folders, empty, closed = [], [], []
    for name in inputs:
        path = Path(name)
        # os.path rather than pathlib, here and below: a name that is too long or a ring of links is loading's to explain.
        if not os.path.isdir(path):
            photos.setdefault(os.path.realpath(path), path)
            continue
        folders.append(path)
        try:
            found = [p for p in sorted(path.iterdir()) if p.suffix.lower() in suffixes and not p.name.startswith(".") and os.path.isfile(p)]
        except OSError as error:
            closed.append((path, error.strerror or str(error)))
            continue
        if not found:
            empty.append(path)
        for photo in found:
            photos.setdefault(os.path.realpath(photo), photo)
    return Inputs(tuple(photos.values()), tuple(folders), tuple(empty), tuple(closed), len(inputs) > 1 or bool(folders))


def plan(inputs: Inputs, output: str, format: Format | None) -> list[Task]:
    """Give every photo its target. Raises UsageError where `output` does not fit what was asked.

    One photo may go to a file, whose suffix tells the format. Several photos, and folders, go into a folder, each under
    its own name: "photo.jpg" becomes "photo.png". In the photo's own folder it becomes "photo_cutout.png", because a
    "photo.png" there may be somebody's original. Where two photos share a name, the second becomes "photo-2.png".
    """
    out = Path(output)
    ends_as_folder = output.endswith(tuple(filter(None, ("/", os.sep, os.altsep))))
    is_folder = os.path.isdir(out)
    if inputs.several or ends_as_folder or is_folder:
        if inputs.several and not ends_as_folder and not is_folder and (os.path.exists(out) or _format_of(out) is not None):
            raise UsageError(f"several photos need a folder to go to, and {output} is a file: use -o {out.with_suffix('')}{os.sep}")
        if any(os.path.realpath(folder) == os.path.realpath(out) for folder in inputs.folders):
            raise UsageError(f"{output} is the folder that the photos come from: choose another one")
        return _into_folder(inputs.photos, out, (format or Format.PNG).suffix)
    for photo in inputs.photos:
        # Saving would refuse it too, but only after all the work.
        if os.path.exists(out) and os.path.exists(photo) and os.path.samefile(photo, out):
            raise UsageError(f"{output} is the photo itself, which bgdesk never overwrites: choose another name")
    return [Task(photo, _file_target(out, format)) for photo in inputs.photos]


def _file_target(out: Path, format: Format | None) -> Path:
    named = _format_of(out)
    if format is None and named is None:
        suffixes = " or ".join(f.suffix for f in Format)
        raise UsageError(f"the format of {out} is not known: end its name with {suffixes}, or add --format, or end it with / for a folder")
    if format is not None and named is None:
        return out.with_name(out.name + format.suffix)
    if format is not None and named is not format:
        raise UsageError(f"{out} does not go with --format {format.value}: leave one of them out")
    return out


def _format_of(path: Path) -> Format | None:
    return next((format for format in Format if format.suffix == path.suffix.lower()), None)


def _into_folder(photos: Sequence[Path], folder: Path, suffix: str) -> list[Task]:
    # Compared without regard to case: on Windows and macOS "A.png" and "a.png" are one file.
    sources = {_key(photo) for photo in photos}
    taken: set[str] = set()
    tasks = []
    for photo in photos:
        name, number = photo.stem, 1
        if _key(photo.parent) == _key(folder):
            name += "_cutout"
        target = folder / (name + suffix)
        while _key(target) in taken or _key(target) in sources:
            number += 1
            target = folder / f"{name}-{number}{suffix}"
        taken.add(_key(target))
        tasks.append(Task(photo, target))
    return tasks


def _key(path: Path) -> str:
    return os.path.realpath(path).casefold()
