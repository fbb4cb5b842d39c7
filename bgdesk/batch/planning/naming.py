"""Names of outputs: patterns such as "{subfolder}/{name}-{variant}"."""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from bgdesk.batch.model.values import BatchRecipe, Variant
from bgdesk.batch.planning.scan import PhotoFile, absolute, photo_at
from bgdesk.core.errors import UsageError
from bgdesk.files.names import stem

#: What may stand in braces, and what each means; in the order in which a dialog offers them.
TOKENS: Mapping[str, str] = {
    "name": "the photo's name without its suffix",
    "variant": "the variant's name",
    "folder": "the name of the folder that the photo is in",
    "subfolder": "the folders between the source folder and the photo",
    "number": "1, 2, 3 …; {number:04} gives 0001",
    "date": "the day on which the photo was last changed, as 2026-03-01",
}

#: Longest name in bytes. File systems take 255; the rest is for a number, and for what a name carries while it is being written.
LONGEST = 200

_SOME_DAY = 1_767_268_800_000_000_000  # the noon that 2026 began with
_TOKEN = re.compile(r"\{([^{}:]*)(?::([^{}]*))?\}")
_WIDTH = re.compile(r"0?[1-9]")
_FORBIDDEN = '<>:"\\|?*'
_RESERVED = frozenset({"con", "prn", "aux", "nul", *(f"{port}{digit}" for port in ("com", "lpt") for digit in "123456789¹²³")})


@dataclass(frozen=True)
class Pattern:
    """A checked pattern; `parse` makes it."""

    text: str

    def fill(self, photo: PhotoFile, variant: Variant, number: int = 1) -> str:
        """The output's path below the output folder, "/" between its parts, without the format's suffix.

        number: the photo's place in the queue, from 1. Raises UsageError where this photo's own name makes one that is empty
        or too long.
        """
        path = absolute(photo.path)
        values = {
            "name": stem(path),
            "variant": variant.name,
            "folder": path.parent.name,
            "subfolder": _below(photo.root, path.parent),
            "date": f"{datetime.fromtimestamp(photo.mtime / 1e9):%Y-%m-%d}",
        }

        def value(match: "re.Match[str]") -> str:
            return f"{number:{match[2] or ''}}" if match[1] == "number" else values[match[1]]

        text = self.text if variant.name else _without_variant(self.text)
        # A photo's own folder cannot lead out of the output folder, but a file may be called "...jpg".
        parts = [part if part.strip(".") else part.replace(".", "_") for part in _TOKEN.sub(value, text).split("/") if part]
        if not parts or text.endswith("/"):
            raise UsageError(f"{path.name}: the pattern {self.text} gives it an empty name. Put {{name}} or {{number}} into it.")
        if any(len(os.fsencode(part)) > LONGEST for part in parts):
            raise UsageError(f"{path.name}: its output's name would be longer than {LONGEST} bytes. Rename it, or shorten the pattern.")
        return "/".join(parts)


def default(recipe: BatchRecipe, subfolders: bool = False) -> str:
    """The pattern if none is given. subfolders: the photos in the source's subfolders are taken too, and theirs are kept."""
    name = "{name}" if len(recipe.variants) == 1 else "{name}-{variant}"
    return "{subfolder}/" + name if subfolders else name


def parse(text: str, recipe: BatchRecipe) -> Pattern:
    """A pattern that was typed. Raises UsageError, whose text says what is wrong with it and what to do.

    Refused: unknown tokens, characters and names that some file system does not take, ways out of the output folder, and
    patterns that give two of the recipe's variants one name.
    """
    text = text.strip()
    for name, width in _TOKEN.findall(text):
        if name not in TOKENS:
            raise UsageError(f"The pattern has an unknown {{{name}}}. Known are: {', '.join(f'{{{token}}}' for token in TOKENS)}.")
        if width and (name != "number" or not _WIDTH.fullmatch(width)):
            raise UsageError(f"The pattern has {{{name}:{width}}}. Only {{number}} takes a width, of one digit: {{number:04}}.")
    bare = _TOKEN.sub("", text)
    if "{" in bare or "}" in bare:
        raise UsageError("The pattern has a brace without its partner. Write tokens like {name}.")
    _check_characters("The pattern", bare)
    if text.startswith(("/", "~")):
        raise UsageError("The pattern begins with / or ~. It names places below the output folder only: begin with a name.")
    if not text or text.endswith("/"):
        raise UsageError("The pattern does not name a file. Put {name} or {number} at its end.")
    for part in text.split("/"):
        _check_part(part)
    for variant in recipe.variants:
        _check_variant(text, variant)
    suffixes = [variant.format for variant in recipe.variants]
    if "{variant}" not in text and len(set(suffixes)) < len(suffixes):
        names = ", ".join(variant.name or "(no name)" for variant in recipe.variants)
        raise UsageError(f"The pattern gives several variants ({names}) one name. Put {{variant}} into it.")
    return Pattern(text)


def example(pattern: str, photo: PhotoFile | Path, recipe: BatchRecipe, output: Path | None = None) -> str:
    """What the pattern makes of a photo's first variant, as "shop/shoe-web.png", for showing while somebody types.

    photo: need not exist. output: the output folder, if it is chosen. Raises UsageError as `parse` and `Pattern.fill` do.
    """
    if not isinstance(photo, PhotoFile):
        photo = photo_at(photo) or PhotoFile(photo, 0, _SOME_DAY)
    variant = recipe.variants[0]
    name = parse(pattern, recipe).fill(photo, variant)
    return (beside(photo, output, name) if output is not None else name) + variant.format.suffix


def beside(photo: PhotoFile, output: Path, name: str, real: Callable[[Path], str] = os.path.realpath) -> str:
    """`name` below `output`, unless it is the photo's own place: "photo.png" there may be somebody's original, so "photo_cutout".

    real: the real path of a folder, for callers that keep those they know.
    """
    target, own = absolute(output / name), absolute(photo.path)
    same = target.name.casefold() == stem(own).casefold() and real(target.parent) == real(own.parent)
    return name + "_cutout" if same else name


def _below(root: Path | None, folder: Path) -> str:
    """The folders from the source to the photo's, "/" between them; "" for a file that was named itself."""
    if root is None or not folder.is_relative_to(root):
        return ""
    return "/".join(folder.relative_to(root).parts)


def _without_variant(text: str) -> str:
    """The pattern for a variant without a name: the token goes, and the separator that led to it."""
    return re.sub(r"[-_. ]?\{variant\}", "", text)


def _check_characters(what: str, text: str) -> None:
    wrong = sorted({character for character in text if character in _FORBIDDEN or ord(character) < 32 or ord(character) == 127})
    if "\\" in wrong:
        raise UsageError(f"{what} has a \\. Write / between folders.")
    if wrong:
        raise UsageError(f"{what} has {' '.join(map(repr, wrong))}, which not every disk takes in a name. Leave it out.")


def _check_part(part: str) -> None:
    """One name of a pattern, between two slashes."""
    if part in (".", ".."):
        raise UsageError(f"The pattern has {part} as a folder. It names places below the output folder only: leave it out.")
    if part.startswith("."):
        raise UsageError(f"The pattern has {part}, and names that begin with a dot are hidden. Begin it with something else.")
    if part != part.strip(" ") or part.endswith("."):
        raise UsageError(f"The pattern has {part!r}, and not every disk takes names with a blank or dot at an end. Leave it out.")
    if _TOKEN.search(part) is None and part.split(".")[0].casefold() in _RESERVED:
        raise UsageError(f"The pattern has {part}, which Windows keeps for itself. Choose another name.")
    if len(os.fsencode(_TOKEN.sub("", part))) > LONGEST // 2:
        raise UsageError(f"The pattern has a name of more than {LONGEST // 2} bytes before any photo's is put in. Shorten it.")


def _check_variant(text: str, variant: Variant) -> None:
    what = f"The variant's name {variant.name!r}"
    _check_characters(what, variant.name)
    if "/" in variant.name or variant.name.strip(" .") != variant.name or len(os.fsencode(variant.name)) > LONGEST // 4:
        raise UsageError(f"{what} does not fit into a file's name. Use a few letters, digits, - and _.")
    bare = text if variant.name else _without_variant(text)
    if not bare or bare.endswith("/"):
        raise UsageError("The pattern names a variant only, and one of them has no name. Put {name} or {number} into it.")
