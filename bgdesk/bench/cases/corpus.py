"""Composites with known truth: pictures of which opacity, foreground and background are known at every pixel.

Two sources, one kind of case. `scenes.py` draws subjects; this file makes composites of real cut-outs: a folder with
image/ and alpha/ (captured opacity), over other photos. Everything is deterministic: the noise follows the case's name.
"""

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from bgdesk.core.arrays import Alpha, Mask, to_uint8
from bgdesk.core.errors import UsageError
from bgdesk.core.geometry import Size
from bgdesk.files.find import has_photo_suffix
from bgdesk.files.load import load

Colours = NDArray[np.float32]
Bytes = NDArray[np.uint8]

#: Opacities between these are soft: neither clear nor opaque to the eye.
CLEAR, OPAQUE = 0.04, 0.96
#: The rule that sorts captured cut-outs, at a longer side of 800 pixels: mean width of the soft zone along the contour
#: above which an edge counts as hair or fur, depth from which a soft area is not an edge, and how much of the subject such
#: areas have to cover before it counts as semi-transparent.
_SIDE, _HAIR_WIDTH, _BROAD_DEPTH, _BROAD_SHARE = 800, 3.0, 8.0, 0.15
#: Sensor noise in a photo's values: variance = _SHOT · value + _READ² (a camera at ISO 400 or so).
_SHOT, _READ = 1.5e-4, 3e-3


class SubjectKind(Enum):
    """What a subject's edge is like."""

    HAIR = "hair"  #: hair or fur
    HARD = "hard"  #: as sharp as a lens draws
    SEMI = "semi"  #: semi-transparent over a broad area
    BLUR = "blur"  #: moved, or out of focus


@dataclass(frozen=True, kw_only=True, eq=False)
class Case:
    """A composite and its truth, all of one size."""

    name: str  #: unique; the random numbers follow the name
    kind: SubjectKind  #: what the edge is like
    composite: Bytes  #: H×W×3 uint8: alpha·foreground + (1 − alpha)·background, rounded
    alpha: Alpha  #: float32 H×W in [0, 1]
    foreground: Bytes  #: H×W×3 uint8
    background: Bytes  #: H×W×3 uint8
    captured: bool = False  #: whether the subject is a real photo's, and not drawn

    @property
    def soft(self) -> Mask:
        """Where the truth is neither clear nor opaque."""
        return np.asarray((self.alpha > CLEAR) & (self.alpha < OPAQUE), np.bool_)


@dataclass(frozen=True)
class CaseRecipe:
    """A case that is made when it is wanted: pictures of 24 MP do not all fit into memory at once."""

    name: str  #: the case's
    kind: SubjectKind  #: the case's
    megapixels: float  #: the case's size, in million pixels
    make: Callable[[], Case]  #: makes the case


def random_of(name: str) -> np.random.Generator:
    """Return a generator that gives the same numbers for the same name, on every machine."""
    return np.random.default_rng(zlib.crc32(name.encode()))


def size_of(shape: Sequence[int], megapixels: float) -> Size:
    """Return the size of this shape (height first) with so many million pixels."""
    scale = (megapixels * 1e6 / (shape[0] * shape[1])) ** 0.5
    return Size(max(8, round(shape[1] * scale)), max(8, round(shape[0] * scale)))


def resized(array: Colours, size: Size) -> Colours:
    """Resize floats H×W or H×W×3: by Lanczos where they grow, by area where they shrink; clipped to [0, 1]."""
    smaller = size.width < array.shape[1]
    return np.clip(cv2.resize(array, size, interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LANCZOS4), 0, 1).astype(np.float32)


def compose(name: str, kind: SubjectKind, alpha: Alpha, foreground: Colours, background: Colours, captured: bool = False) -> Case:
    """Put a case together, with the same sensor noise in both layers, so that the composite has it too.

    Parameters
    ----------
    name
        Of the case; the noise follows the name.
    kind
        What the edge is like.
    alpha
        float32 H×W in [0, 1].
    foreground, background
        float32 H×W×3 in [0, 1].
    captured
        Whether the subject is a real photo's.
    """
    random = random_of(name)
    alpha = np.clip(alpha, 0, 1).astype(np.float32)
    grain = random.standard_normal(foreground.shape, np.float32)
    # Demosaicing spreads a pixel's noise over its neighbours; the scale keeps its strength.
    grain = cv2.GaussianBlur(grain, (0, 0), 0.5).astype(np.float32, copy=False)
    grain /= np.float32(grain.std())
    brightness = alpha[..., None] * foreground + (1 - alpha[..., None]) * background
    grain *= np.sqrt(np.float32(_SHOT) * brightness + np.float32(_READ**2))
    del brightness
    front = np.rint(np.clip(foreground + grain, 0, 1) * 255).astype(np.uint8)
    back = np.rint(np.clip(background + grain, 0, 1) * 255).astype(np.uint8)
    return Case(
        name=name, kind=kind, composite=composite(alpha, front, back), alpha=alpha, foreground=front, background=back, captured=captured
    )


def composite(alpha: Alpha, foreground: Bytes, background: Bytes) -> Bytes:
    """Return alpha·foreground + (1 − alpha)·background, H×W×3 uint8, rounded."""
    part = alpha[..., None]
    mixed: Bytes = np.rint(part * foreground + (1 - part) * background).astype(np.uint8)
    return mixed


def kind_of(alpha: Alpha) -> SubjectKind:
    """Return the kind of a captured alpha (H×W), from the width of its soft zone along the contour and inside the subject.

    BLUR is never returned: a wide captured ramp counts as HAIR, because that is what it usually stands for in a photo.
    """
    scale = _SIDE / max(alpha.shape)
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    small = alpha if scale == 1 else cv2.resize(alpha, None, fx=scale, fy=scale, interpolation=interpolation)
    soft = ((small > CLEAR) & (small < OPAQUE)).astype(np.uint8)
    inside = (small >= 0.5).astype(np.uint8)
    contour = int(cv2.morphologyEx(inside, cv2.MORPH_GRADIENT, np.ones((2, 2), np.uint8)).sum())
    broad = int(np.count_nonzero(cv2.distanceTransform(soft, cv2.DIST_L2, 5) > _BROAD_DEPTH))
    if broad > _BROAD_SHARE * max(1, int(inside.sum()) + broad):
        return SubjectKind.SEMI
    return SubjectKind.HAIR if int(soft.sum()) > _HAIR_WIDTH * max(1, contour) else SubjectKind.HARD


def blurred(alpha: Alpha, foreground: Colours, kernel: Colours) -> tuple[Alpha, Colours]:
    """Blur a subject as a lens does, which mixes premultiplied light.

    Parameters
    ----------
    alpha
        float32 H×W in [0, 1].
    foreground
        float32 H×W×3 in [0, 1].
    kernel
        float32, such as `motion` or `defocus` give.

    Returns
    -------
    alpha, foreground
        Blurred, of the same shapes.
    """
    kernel = kernel / kernel.sum()
    mean = cv2.filter2D(alpha, cv2.CV_32F, kernel, borderType=cv2.BORDER_REPLICATE)
    light = cv2.filter2D(alpha[..., None] * foreground, cv2.CV_32F, kernel, borderType=cv2.BORDER_REPLICATE)
    wide = np.float32(1e-3)
    colours = np.where(mean[..., None] > wide, light / np.maximum(mean, wide)[..., None], foreground)
    # The filter's rounding must not leave opaque ground a hair below 1.
    mean[mean > 1 - 1e-4] = 1
    mean[mean < 1e-4] = 0
    return np.clip(mean, 0, 1), np.clip(colours, 0, 1).astype(np.float32)


def motion(length: float, angle: float) -> Colours:
    """Return the kernel of a straight motion of `length` pixels at `angle` radians."""
    side = 2 * (int(np.ceil(length / 2)) + 1) + 1
    kernel = np.zeros((side, side), np.float32)
    along = np.linspace(-length / 2, length / 2, max(2, int(4 * length)))
    where = np.stack([along * np.cos(angle), along * np.sin(angle)]) + side // 2
    left, upper = np.floor(where).astype(int)
    fx, fy = where[0] - left, where[1] - upper
    for dx, dy, part in ((0, 0, (1 - fx) * (1 - fy)), (1, 0, fx * (1 - fy)), (0, 1, (1 - fx) * fy), (1, 1, fx * fy)):
        np.add.at(kernel, (upper + dy, left + dx), part.astype(np.float32))
    return kernel


def defocus(radius: float) -> Colours:
    """Return the kernel of a lens out of focus: a disc of `radius` pixels, its rim smoothed over a pixel."""
    half = int(np.ceil(radius)) + 1
    y, x = np.mgrid[-half : half + 1, -half : half + 1]
    return np.asarray(np.clip(radius + 0.5 - np.hypot(x, y), 0, 1), np.float32)


def veil(alpha: Alpha, random: np.random.Generator) -> Alpha:
    """Return alpha (H×W) with part of the subject made thin: its opacity falls smoothly to about a third, with soft folds."""
    height, width = alpha.shape
    angle, phase = random.uniform(0, 2 * np.pi, 2)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    x, y = x / width - 0.5, y / height - 0.5
    along = x * np.float32(np.cos(angle)) + y * np.float32(np.sin(angle))
    folds = 0.08 * np.sin(18 * along + 5 * (y * np.float32(np.cos(angle)) - x * np.float32(np.sin(angle))) + phase)
    thin = np.clip((along + 0.1) / 0.3, 0, 1)
    return np.asarray(alpha * (1 - thin * (0.6 + folds)), np.float32)


# --- real cut-outs ---------------------------------------------------------------------------------------------------


def pictures(folder: Path) -> list[Path]:
    """Return the photos of a folder, sorted by name; empty if the folder does not exist."""
    return sorted(file for file in folder.iterdir() if has_photo_suffix(file.name)) if folder.is_dir() else []


def pairs(folder: Path) -> list[tuple[Path, Path]]:
    """Return (photo, alpha) for the files of the same names in image/ and alpha/. Raises UsageError if there are none."""
    answers = {file.stem: file for file in pictures(folder / "alpha")}
    found = [(photo, answers[photo.stem]) for photo in pictures(folder / "image") if photo.stem in answers]
    if not found:
        raise UsageError(f"{folder} must hold image/ and alpha/ with pictures of the same names.")
    return found


def read_colours(path: Path) -> Colours:
    """Read a photo as float32 H×W×3 in [0, 1]. Raises LoadError."""
    return np.asarray(to_uint8(load(path).pixels).astype(np.float32) / 255)


def read_alpha(path: Path) -> Alpha:
    """Read a grey picture as float32 H×W in [0, 1]. Raises UsageError."""
    grey = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if grey is None:
        raise UsageError(f"{path} could not be read as a grey picture.")
    return np.asarray(grey.astype(np.float32) / 255)


def backdrop(photo: Path, size: Size, name: str) -> Colours:
    """Return a part of `photo` of this size, slightly out of focus as backgrounds are; float32 H×W×3 in [0, 1].

    `name` decides which part.
    """
    picture = read_colours(photo)
    random = random_of(f"{name} behind")
    scale = max(size.width / picture.shape[1], size.height / picture.shape[0])
    width, height = min(picture.shape[1], int(size.width / scale)), min(picture.shape[0], int(size.height / scale))
    left, top = (int(random.integers(0, most + 1)) for most in (picture.shape[1] - width, picture.shape[0] - height))
    part = resized(np.ascontiguousarray(picture[top : top + height, left : left + width]), size)
    return np.asarray(cv2.GaussianBlur(part, (0, 0), max(0.5, size.area**0.5 / 1500)), np.float32)


def cutouts(folder: Path, backgrounds: Sequence[Path] = (), sizes: Sequence[float] = (2, 6, 24)) -> list[CaseRecipe]:
    """Return cases of real cut-outs over other photos, some of them blurred or made thin.

    Every photo gives one case of its own kind, every second one also a blurred case, every third a semi-transparent one. The
    foreground comes from pymatting's estimator on the true alpha: without pymatting, making a case raises ImportError.

    Parameters
    ----------
    folder
        Holds image/ and alpha/ with files of the same names.
    backgrounds
        Photos; empty: other photos of the folder.
    sizes
        In million pixels, taken in turn.

    Raises
    ------
    UsageError
        When the folder holds no such files.
    """
    found = pairs(folder)
    turn = 0
    recipes = []
    for index, (photo, answer) in enumerate(found):
        behind = backgrounds[index % len(backgrounds)] if backgrounds else found[(index + len(found) // 2) % len(found)][0]
        own = kind_of(read_alpha(answer))
        made = [own] + [SubjectKind.BLUR] * (index % 2 == 0) + [SubjectKind.SEMI] * (index % 3 == 1 and own is not SubjectKind.SEMI)
        for kind in made:
            size = sizes[turn % len(sizes)]
            turn += 1
            name = f"{photo.stem}-{kind.value}-{size:g}mp"
            recipes.append(CaseRecipe(name, kind, size, _cutout(name, kind, photo, answer, behind, size, made=kind is not own)))
    return recipes


def _cutout(name: str, kind: SubjectKind, photo: Path, answer: Path, behind: Path, megapixels: float, made: bool) -> Callable[[], Case]:
    def make() -> Case:
        from pymatting import estimate_foreground_ml

        random = random_of(f"{name} made")
        alpha, picture = read_alpha(answer), read_colours(photo)
        foreground = np.clip(estimate_foreground_ml(picture.astype(np.float64), alpha.astype(np.float64)), 0, 1).astype(np.float32)
        size = size_of(alpha.shape, megapixels)
        alpha, foreground = resized(alpha, size), resized(foreground, size)
        # Lanczos rings a little beside sharp edges: pixels that were opaque or clear stay so.
        alpha[alpha < 0.01], alpha[alpha > 0.99] = 0, 1
        side = max(size)
        if made and kind is SubjectKind.BLUR:
            moved = random.random() < 0.5
            kernel = (
                motion(side * random.uniform(0.008, 0.025), random.uniform(0, np.pi))
                if moved
                else defocus(side * random.uniform(0.003, 0.009))
            )
            alpha, foreground = blurred(alpha, foreground, kernel)
        elif made and kind is SubjectKind.SEMI:
            alpha = veil(alpha, random)
        return compose(name, kind, alpha, foreground, backdrop(behind, size, name), captured=True)

    return make
