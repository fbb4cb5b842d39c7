"""Photos with known masks, as they are and in trouble: a cut-out's confidence is calibrated and measured on them.

Troubles are those of shop photos: too dark, blurred, grainy, packed too hard, the subject cut off, tiny, one of two, or of
its backdrop's colour. Everything is deterministic: the random numbers follow the trial's name.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from bgdesk.app.system import paths
from bgdesk.bench.cases import corpus, scenes
from bgdesk.bench.cases.corpus import Bytes, Colours, SubjectKind, random_of
from bgdesk.bench.cases.folders import Data
from bgdesk.core.arrays import Alpha, to_uint8
from bgdesk.core.geometry import Rect, Size
from bgdesk.files.load import load

#: A truth's mask: 255 subject, 0 background, 128 not counted.
Truth = NDArray[np.uint8]
#: How much a trial counts in the calibration: a photo as it was taken, a photo in trouble, a drawn picture.
_TAKEN, _TROUBLED, _DRAWN = 1.0, 0.5, 0.25
#: Longest side in pixels: the network sees the photo at about this size.
_SIDE = 1024
_MEGAPIXELS = 0.4


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A photo whose truth is known, made when it is wanted."""

    name: str  #: unique; the random numbers follow the name
    group: str  #: trials of one subject have the same, and must not lie on both sides of a cross-validation
    weight: float  #: how much the trial counts in the calibration
    taken: bool  #: whether the photo is as it was taken, without trouble
    make: Callable[[], tuple[Bytes, Truth]]  #: makes the photo (H×W×3 uint8) and its truth (H×W)


def trials(data: Data, each: int = 3) -> list[Trial]:
    """Return all trials: given photos as they are, each of them in several kinds of trouble, and drawn pictures.

    Parameters
    ----------
    data
        The folders that a person gave.
    each
        Kinds of trouble with every photo.
    """
    found: list[Trial] = []
    for folder in data.objects:
        found += _of_masks(folder, each)
    for folder in data.matting:
        found += _of_cutouts(folder, data.backgrounds, each)
    for recipe in scenes.generated((_MEGAPIXELS,), 2 * each):
        if recipe.kind is not SubjectKind.SEMI:  # a cut-out of half a veil is neither good nor bad
            found.append(Trial(name=recipe.name, group=recipe.name, weight=_DRAWN, taken=False, make=_drawn(recipe)))
    return found


def _drawn(recipe: corpus.CaseRecipe) -> Callable[[], tuple[Bytes, Truth]]:
    def make() -> tuple[Bytes, Truth]:
        case = recipe.make()
        return case.composite, _split(case.alpha)

    return make


def _split(alpha: Alpha) -> Truth:
    return np.where(alpha >= 0.5, np.uint8(255), np.uint8(0))


def _read(photo: Path, answer: Path) -> tuple[Bytes, Alpha]:
    pixels = to_uint8(load(photo).pixels)
    alpha = corpus.read_alpha(answer)
    size = Size(pixels.shape[1], pixels.shape[0]).fit(_SIDE)
    if size.width < pixels.shape[1]:
        pixels = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
    return pixels, np.asarray(cv2.resize(alpha, size, interpolation=cv2.INTER_NEAREST), np.float32)


# --- photos with masks -----------------------------------------------------------------------------------------------


def _of_masks(folder: Path, each: int) -> Iterator[Trial]:
    names = list(_TROUBLES)
    for index, (photo, answer) in enumerate(corpus.pairs(folder)):
        # Frames of one scene are told apart by their number.
        group = photo.stem.rstrip("0123456789").rstrip("_-") or photo.stem
        yield Trial(name=photo.stem, group=group, weight=_TAKEN, taken=True, make=_masked(photo, answer, None))
        for turn in range(each):
            trouble = names[(index * each + turn) % len(names)]
            yield Trial(name=f"{photo.stem} {trouble}", group=group, weight=_TROUBLED, taken=False, make=_masked(photo, answer, trouble))


def _masked(photo: Path, answer: Path, trouble: str | None) -> Callable[[], tuple[Bytes, Truth]]:
    def make() -> tuple[Bytes, Truth]:
        pixels, mask = _read(photo, answer)
        truth = np.rint(255 * mask).astype(np.uint8)
        return _TROUBLES[trouble](pixels, truth, random_of(f"{photo.stem} {trouble}")) if trouble else (pixels, truth)

    return make


def _dark(pixels: Bytes, truth: Truth, random: np.random.Generator) -> tuple[Bytes, Truth]:
    return _grain(pixels * random.uniform(0.1, 0.3), 5, random), truth


def _pale(pixels: Bytes, truth: Truth, random: np.random.Generator) -> tuple[Bytes, Truth]:
    mean = pixels.mean(axis=(0, 1))
    return _grain(mean + random.uniform(0.1, 0.3) * (pixels - mean), 1, random), truth


def _soft(pixels: Bytes, truth: Truth, random: np.random.Generator) -> tuple[Bytes, Truth]:
    sigma = max(pixels.shape) * random.uniform(0.002, 0.006)
    return np.asarray(cv2.GaussianBlur(pixels, (0, 0), sigma), np.uint8), truth


def _grainy(pixels: Bytes, truth: Truth, random: np.random.Generator) -> tuple[Bytes, Truth]:
    return _grain(pixels.astype(np.float64), random.uniform(25, 60), random), truth


def _packed(pixels: Bytes, truth: Truth, random: np.random.Generator) -> tuple[Bytes, Truth]:
    _, packed = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, int(random.integers(3, 12))])
    return np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), np.uint8), truth


def _cut_off(pixels: Bytes, truth: Truth, random: np.random.Generator) -> tuple[Bytes, Truth]:
    """The part of the photo on one side of a line through the subject."""
    whole, box = Rect.of_shape(truth.shape), Rect.bounding(truth == 255)
    if box.empty:
        return pixels, truth
    x = box.left + round(box.width * random.uniform(0.3, 0.7))
    y = box.top + round(box.height * random.uniform(0.3, 0.7))
    parts = Rect(0, 0, x, whole.bottom), Rect(x, 0, whole.right, whole.bottom), Rect(0, 0, whole.right, y), Rect(0, y, *whole[2:])
    part = parts[int(random.integers(len(parts)))]
    return np.ascontiguousarray(pixels[part.slices]), np.ascontiguousarray(truth[part.slices])


def _grain(values: NDArray[np.floating[Any]], sigma: float, random: np.random.Generator) -> Bytes:
    return np.clip(values + random.normal(0, sigma, values.shape), 0, 255).astype(np.uint8)


_TROUBLES: Mapping[str, Callable[[Bytes, Truth, np.random.Generator], tuple[Bytes, Truth]]] = {
    "dark": _dark,
    "cut off": _cut_off,
    "pale": _pale,
    "soft": _soft,
    "grainy": _grainy,
    "packed": _packed,
}


# --- cut-outs with captured opacity, before other backgrounds --------------------------------------------------------


def _of_cutouts(folder: Path, backgrounds: Sequence[Path], each: int) -> Iterator[Trial]:
    found = corpus.pairs(folder)
    behind = [*backgrounds, *corpus.pictures(paths.resource("samples"))]
    names = list(_SCENES)
    for index, (photo, answer) in enumerate(found):
        other = found[(index + len(found) // 2) % len(found)]
        yield Trial(name=photo.stem, group=photo.stem, weight=_TAKEN, taken=True, make=_captured(photo, answer))
        for turn in range(each):
            scene = names[(index * each + turn) % len(names)]
            name = f"{photo.stem} {scene}"
            back = behind[(index * each + turn) % len(behind)]
            yield Trial(name=name, group=photo.stem, weight=_TROUBLED, taken=False, make=_staged(name, scene, (photo, answer), other, back))


def _captured(photo: Path, answer: Path) -> Callable[[], tuple[Bytes, Truth]]:
    def make() -> tuple[Bytes, Truth]:
        pixels, alpha = _read(photo, answer)
        return pixels, _split(alpha)

    return make


@dataclass(frozen=True, eq=False)
class _Layer:
    """A subject."""

    colours: Colours  #: float32 H×W×3 in [0, 1]
    alpha: Alpha  #: float32 H×W in [0, 1]

    def placed(self, scale: float, dx: float, dy: float) -> "_Layer":
        """Return the subject scaled around the middle, and moved by shares of the width and the height."""
        height, width = self.alpha.shape
        matrix = np.array([[scale, 0, width * ((1 - scale) / 2 + dx)], [0, scale, height * ((1 - scale) / 2 + dy)]])
        alpha, colours = (cv2.warpAffine(each, matrix, (width, height), flags=cv2.INTER_AREA) for each in (self.alpha, self.colours))
        return _Layer(np.asarray(colours, np.float32), np.asarray(alpha, np.float32))


def _staged(name: str, scene: str, own: tuple[Path, Path], other: tuple[Path, Path], behind: Path) -> Callable[[], tuple[Bytes, Truth]]:
    def make() -> tuple[Bytes, Truth]:
        random = random_of(name)
        first = _layer(*own)
        size = Size(first.alpha.shape[1], first.alpha.shape[0])
        back = corpus.backdrop(behind, size, name)
        if scene in _CALM:  # far out of focus, so that nothing in it looks like a subject
            back = np.asarray(cv2.GaussianBlur(back, (0, 0), max(size) / 40), np.float32)
        layers, back = _SCENES[scene](first, _layer(*other, size), back, random)
        alpha, colours = np.zeros_like(first.alpha), back
        for layer in layers:
            part = layer.alpha[..., None]
            colours = part * layer.colours + (1 - part) * colours
            alpha = np.maximum(alpha, layer.alpha)
        return corpus.compose(name, SubjectKind.HARD, np.ones_like(alpha), colours, back).composite, _split(alpha)

    return make


def _layer(photo: Path, answer: Path, size: Size | None = None) -> _Layer:
    pixels, alpha = _read(photo, answer)
    layer = _Layer(pixels.astype(np.float32) / np.float32(255), alpha)
    if size is None:
        return layer
    return _Layer(*(np.asarray(cv2.resize(each, size, interpolation=cv2.INTER_AREA), np.float32) for each in (layer.colours, layer.alpha)))


Staged = tuple[list[_Layer], Colours]


def _elsewhere(first: _Layer, second: _Layer, back: Colours, random: np.random.Generator) -> Staged:
    return [first], back


def _tiny(first: _Layer, second: _Layer, back: Colours, random: np.random.Generator) -> Staged:
    return [first.placed(random.uniform(0.08, 0.3), *random.uniform(-0.3, 0.3, 2))], back


def _leaving(first: _Layer, second: _Layer, back: Colours, random: np.random.Generator) -> Staged:
    angle = random.uniform(0, 2 * np.pi)
    return [first.placed(random.uniform(0.8, 1.4), 0.45 * np.cos(angle), 0.45 * np.sin(angle))], back


def _two(first: _Layer, second: _Layer, back: Colours, random: np.random.Generator) -> Staged:
    return [first.placed(0.5, -0.25, random.uniform(-0.1, 0.2)), second.placed(0.5, 0.25, random.uniform(-0.1, 0.2))], back


def _alike(first: _Layer, second: _Layer, back: Colours, random: np.random.Generator) -> Staged:
    """The subject before a wall of its own colour."""
    weight = first.alpha[..., None]
    colour = (first.colours * weight).sum(axis=(0, 1)) / max(float(weight.sum()), 1e-6)
    shade = scenes.cloud(Size(back.shape[1], back.shape[0]), random, 3)[..., None]
    return [first], np.asarray(np.clip(colour * (0.9 + 0.2 * shade), 0, 1), np.float32)


_SCENES: Mapping[str, Callable[[_Layer, _Layer, Colours, np.random.Generator], Staged]] = {
    "elsewhere": _elsewhere,
    "tiny": _tiny,
    "alike": _alike,
    "leaving": _leaving,
    "two": _two,
    "busy": _elsewhere,
}
_CALM = ("elsewhere", "tiny", "two")
