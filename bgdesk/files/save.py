"""Writing cut-outs: beside the target, reopened and checked, and only then put in its place."""

import os
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import cast

import numpy as np

from bgdesk.core.arrays import Pixels, quantise
from bgdesk.core.cutout import Cutout
from bgdesk.core.errors import SaveError
from bgdesk.core.formats import Format
from bgdesk.core.recipe import ExportRecipe
from bgdesk.core.tasks import Progress, silent
from bgdesk.files.atomic import Unwritable, opened, patiently, staged
from bgdesk.files.metadata import LoadedImage
from bgdesk.files.writers import png

__all__ = ["save"]

_Writer = Callable[[Cutout, Path, ExportRecipe, LoadedImage | None, Progress], None]

_CHECK_ROWS = 256


def save(
    cutout: Cutout,
    path: str | os.PathLike[str],
    recipe: ExportRecipe | None = None,
    metadata: LoadedImage | None = None,
    protect: Collection[Path] = (),
    progress: Progress = silent,
    replace: bool = True,
) -> Path:
    """Write a cut-out: beside the target, read back and compared, then put in its place in one step.

    PNG holds straight alpha, in 8 or 16 bits as the source; PSD holds the untouched source, and the subject under a layer mask.

    Parameters
    ----------
    cutout
        What to write.
    path
        The file, in a folder that exists. A symbolic link stands for what it names.
    recipe
        How it is written; unless said otherwise, as the suffix of `path` says.
    metadata
        The photo that the cut-out came from: its resolution, EXIF and XMP travel along.
    protect
        Files that are never overwritten, under whatever name they are reached; nor is the photo itself.
    progress
        Hears Stage.SAVE, and may raise Cancelled.
    replace
        Whether another file that is there is replaced. Without, SaveError has Cause.EXISTS, even if the file appeared meanwhile.

    Returns
    -------
    Path
        The file that was written.

    Raises
    ------
    SaveError
        The text names the file and says what to do. What was at `path` before is still there, and nothing is left beside it.
    """
    path, recipe = Path(path), recipe or ExportRecipe()
    format_ = recipe.format or _format_of(path)
    _check_fits(cutout, path, format_, recipe.alpha_only)
    path = _follow(path)
    _refuse_sources(path, [*protect, *([metadata.path] if metadata else [])])
    progress("save", 0.0)
    with staged(path, replace) as temporary:
        _WRITERS[format_](cutout, temporary, recipe, metadata, progress)
        # A photo may have been moved to this name meanwhile.
        _refuse_sources(path, [*protect, *([metadata.path] if metadata else [])])
    progress("save", 1.0)
    return path


def _format_of(path: Path) -> Format:
    known = Format.of_path(path)
    if known is not None:
        return known
    what = f"'{path.suffix}' files" if path.suffix else "files without a suffix"
    raise SaveError(f"{path.name or path} could not be saved: bgdesk does not write {what}. Choose a name that ends in {Format.known()}.")


def _check_fits(cutout: Cutout, path: Path, format_: Format, alpha_only: bool) -> None:
    facts = format_.facts
    if alpha_only and not facts.opacity_alone:
        titles, suffixes = Format.titles_with_opacity_alone(), Format.known(opacity_alone=True)
        raise SaveError(
            f"{path.name} could not be saved: opacity alone is written as {titles} only. Choose a name that ends in {suffixes}."
        )
    shape = cutout.source.shape
    height, width = shape[:2]
    if max(width, height) > facts.largest_side:
        larger = next(each for each in Format if each.facts.largest_side >= max(width, height))
        limit = f"a {facts.title} has at most {facts.largest_side} pixels a side, this photo is {width} × {height}"
        raise SaveError(f"{path.name} could not be saved: {limit}. Export {larger.facts.title} instead.")
    if cutout.alpha.shape != shape[:2] or cutout.foreground.shape != shape or cutout.foreground.dtype != cutout.source.dtype:
        raise SaveError(f"{path.name} could not be saved: the parts of the cut-out differ in size or depth. Cut the photo out again.")


def _follow(path: Path) -> Path:
    """The file that a symbolic link leads to: replacing the link would leave that file as it was."""
    try:
        return path.resolve() if path.is_symlink() else path
    except (OSError, RuntimeError, ValueError):  # a ring of links, or not permitted: writing will report that
        return path


def _refuse_sources(path: Path, sources: Collection[Path]) -> None:
    """Raise SaveError if `path` is one of `sources`, whatever links, letter case or mounts lead to it."""
    for source in sources:
        try:
            same = os.path.samefile(path, source)
        except (OSError, ValueError):
            continue
        if same:
            raise SaveError(f"{path.name} could not be saved: it is the photo itself, which bgdesk never overwrites. Choose another name.")


def _save_png(cutout: Cutout, temporary: Path, recipe: ExportRecipe, metadata: LoadedImage | None, progress: Progress) -> None:
    import cv2

    height, width = cutout.alpha.shape
    dtype = cutout.source.dtype
    channels = 1 if recipe.alpha_only else 4

    def rows(top: int, bottom: int) -> Pixels:
        alpha = quantise(cutout.alpha[top:bottom], dtype)[:, :, None]
        if recipe.alpha_only:
            return alpha
        # Twice as quick as numpy's concatenate, which copies pixel by pixel.
        return cast(Pixels, cv2.merge([np.ascontiguousarray(cutout.foreground[top:bottom]), alpha]))

    chunks = png.metadata_chunks(metadata, width, height, colour=not recipe.alpha_only)
    with opened(temporary, progress, "save") as file:
        png.write(file, rows, (height, width, channels), dtype.itemsize * 8, chunks)
    _check_png(temporary, rows, (height, width, channels), progress)


def _check_png(temporary: Path, rows: png.Rows, shape: tuple[int, int, int], progress: Progress) -> None:
    """Read the file back with OpenCV's decoder, and compare every pixel."""
    import cv2

    data = np.frombuffer(temporary.read_bytes(), np.uint8)
    found = patiently(lambda: cv2.imdecode(data, cv2.IMREAD_UNCHANGED), progress, "save", 0.75)
    if found is None:
        raise Unwritable(_SPOILT)
    found = found.reshape(*found.shape[:2], -1)
    if found.shape != shape:
        raise Unwritable(_SPOILT)
    for top in range(0, shape[0], _CHECK_ROWS):
        progress("save", 0.85 + 0.15 * top / shape[0])
        part = found[top : top + _CHECK_ROWS]
        part = part if shape[2] == 1 else part[:, :, [2, 1, 0, 3]]
        wanted = rows(top, min(top + _CHECK_ROWS, shape[0]))
        if part.dtype != wanted.dtype or not np.array_equal(part, wanted):
            raise Unwritable(_SPOILT)


def _save_psd(cutout: Cutout, temporary: Path, recipe: ExportRecipe, metadata: LoadedImage | None, progress: Progress) -> None:
    from bgdesk.files.writers import psd  # psd-tools takes a while to import

    document = psd.build(cutout, metadata, progress)
    with opened(temporary, progress, "save") as file:
        psd.write(document, file)
    if not psd.check(temporary, cutout, progress):
        raise Unwritable(_SPOILT)


_SPOILT = "what was read back is not what was written. The disk may be failing: choose another one."

_WRITERS: Mapping[Format, _Writer] = {Format.PNG: _save_png, Format.PSD: _save_psd}
