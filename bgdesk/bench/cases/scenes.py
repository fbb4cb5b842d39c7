"""Drawn subjects with exactly known opacity, over the sample photos or saturated backdrops: they need no data.

Everything is drawn in units of the picture's shorter side, so that a scene looks the same at every size, and its finest
hairs get finer than a pixel in a small one.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from bgdesk.app.system import paths
from bgdesk.bench.cases.corpus import (
    Case,
    CaseRecipe,
    Colours,
    SubjectKind,
    backdrop,
    blurred,
    compose,
    defocus,
    motion,
    pictures,
    random_of,
)
from bgdesk.core.arrays import Alpha
from bgdesk.core.geometry import Size

#: Bits behind the binary point in coordinates that OpenCV draws at.
_SHIFT = 4
#: So many layers of so many strands leave the body, and so many strands lie over it.
_LAYERS, _STRANDS, _INSIDE = 6, 260, 1500

#: N×2, (x, y) in pixels.
Points = NDArray[np.float64]


def generated(sizes: Sequence[float] = (2, 2, 6), each: int = 3) -> list[CaseRecipe]:
    """Return drawn cases of every kind, over the sample photos and saturated backdrops.

    Parameters
    ----------
    sizes
        In million pixels, taken in turn.
    each
        How many cases of a kind.
    """
    behind: list[Path | None] = [*pictures(paths.resource("samples")), None]
    recipes = []
    for kind in SubjectKind:
        for index in range(each):
            megapixels = sizes[index % len(sizes)]
            name = f"drawn-{kind.value}-{index}-{megapixels:g}mp"
            recipes.append(CaseRecipe(name, kind, megapixels, _scene(name, kind, megapixels, behind[index % len(behind)])))
    return recipes


def saturated(kind: SubjectKind, hue: float, megapixels: float = 2) -> CaseRecipe:
    """Return a case over a strongly coloured, nearly plain backdrop, whose light shows in every soft pixel.

    Parameters
    ----------
    kind
        What the subject's edge is like.
    hue
        Of the backdrop, in [0, 1).
    megapixels
        The case's size, in million pixels.
    """
    name = f"saturated-{kind.value}-{hue:.2f}-{megapixels:g}mp"
    return CaseRecipe(name, kind, megapixels, _scene(name, kind, megapixels, None, hue))


def _scene(name: str, kind: SubjectKind, megapixels: float, behind: Path | None, hue: float | None = None) -> Callable[[], Case]:
    def make() -> Case:
        random = random_of(name)
        height = max(16, round((megapixels * 1e6 * 3 / 4) ** 0.5))
        size = Size(max(16, round(height * 4 / 3)), height)
        alpha, foreground = _DRAWN[kind](size, random)
        background = plain(size, random, hue) if behind is None else backdrop(behind, size, name)
        return compose(name, kind, alpha, foreground, background)

    return make


def plain(size: Size, random: np.random.Generator, hue: float | None = None) -> Colours:
    """Return a saturated backdrop with a little shading, like a studio wall: float32 H×W×3 in [0, 1]. hue in [0, 1), or None."""
    colour = hue_colour(random.random() if hue is None else hue, 0.9, 0.75)
    return np.clip(colour * (0.85 + 0.3 * cloud(size, random, 3))[..., None], 0, 1).astype(np.float32)


def hue_colour(hue: float, saturation: float, value: float) -> Colours:
    """Return an sRGB colour, three float32 in [0, 1], from hue in [0, 1), saturation and value in [0, 1]."""
    hsv = np.array([[[360 * (hue % 1), saturation, value]]], np.float32)
    return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)[0, 0], np.float32)


def cloud(size: Size, random: np.random.Generator, octaves: int = 6) -> Alpha:
    """Return smooth random values in [0, 1], float32 H×W: noise of many wavelengths, the longer the stronger."""
    total = np.zeros((size.height, size.width), np.float32)
    for octave in range(octaves):
        cells = (min(size.height, 2 + 2 ** (octave + 1)), min(size.width, 2 + 2 ** (octave + 1)))
        total += cv2.resize(random.random(cells, np.float32), size, interpolation=cv2.INTER_CUBIC) * np.float32(0.6**octave)
    low, high = float(total.min()), float(total.max())
    return np.asarray((total - low) / (high - low), np.float32)


def texture(size: Size, random: np.random.Generator, hue: float) -> Colours:
    """Return a pattern in shades around one hue, float32 H×W×3 in [0, 1]."""
    first, second = hue_colour(hue, random.uniform(0.3, 0.8), 0.8), hue_colour(hue + random.uniform(-0.12, 0.12), 0.6, 0.35)
    mix = cloud(size, random, 9)[..., None]
    return np.asarray(first * mix + second * (1 - mix), np.float32)


def silhouette(size: Size, random: np.random.Generator, bumps: int = 5, rough: float = 0.12) -> Points:
    """Return a closed outline around the middle, N×2 (x, y) in pixels: a circle with smooth bumps."""
    angle = np.linspace(0, 2 * np.pi, 720, endpoint=False)
    radius = np.full(angle.shape, 1.0)
    for wave in range(2, 2 + bumps):
        radius += rough / wave**0.5 * random.uniform(-1, 1) * np.cos(wave * angle + random.uniform(0, 2 * np.pi))
    scale = 0.3 * size.height
    centre = size.width * random.uniform(0.44, 0.56), size.height * random.uniform(0.46, 0.56)
    return np.stack([centre[0] + scale * radius * np.cos(angle), centre[1] + scale * radius * np.sin(angle)], axis=1)


def filled(outline: Points, size: Size) -> Alpha:
    """Return the alpha (float32 H×W) of a filled outline; at the edge it is the covered share of each pixel."""
    mask = np.zeros((4 * size.height, size.width * 4), np.uint8)
    points = np.rint((4 * outline) * 2**_SHIFT).astype(np.int32)
    cv2.fillPoly(mask, [points], 255, shift=_SHIFT)
    return np.asarray(cv2.resize(mask, size, interpolation=cv2.INTER_AREA).astype(np.float32) / 255, np.float32)


def lens(alpha: Alpha, sigma: float = 0.6) -> Alpha:
    """Blur alpha (float32 H×W) as a sharp lens does, by about half a pixel. Opaque and clear areas stay exactly so."""
    soft = cv2.GaussianBlur(alpha, (0, 0), sigma)
    soft[soft > 0.997], soft[soft < 0.003] = 1, 0
    return np.asarray(np.clip(soft, 0, 1), np.float32)


def _hard(size: Size, random: np.random.Generator) -> tuple[Alpha, Colours]:
    """A smooth body, a straight-edged plate across it, and a hole."""
    hue = random.random()
    body = filled(silhouette(size, random), size)
    angle, middle = random.uniform(0, np.pi), np.array([size.width, size.height]) * random.uniform(0.4, 0.6, 2)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    plate = (np.array([[-0.42, -0.06], [0.42, -0.08], [0.42, 0.08], [-0.42, 0.05]]) * size.height) @ turn.T + middle
    corners = np.concatenate([np.linspace(a, b, 8, endpoint=False) for a, b in zip(plate, np.roll(plate, -1, 0), strict=True)])
    hole = (silhouette(size, random, 2, 0.05) - middle) * 0.25 + middle
    bar = filled(corners, size)
    alpha = np.asarray(np.maximum(body, bar) * (1 - filled(hole, size)), np.float32)
    colours = np.where((bar > 0)[..., None], texture(size, random, hue + 0.4), texture(size, random, hue))
    return lens(alpha), colours.astype(np.float32)


def _hair(size: Size, random: np.random.Generator) -> tuple[Alpha, Colours]:
    """A head of hair: an opaque body with thousands of thinning, curling strands that leave it, alone and in locks."""
    hue = random.uniform(0.02, 0.15)
    outline = silhouette(size, random, 4, 0.08)
    clear = 1 - filled(outline, size)
    centre = outline.mean(axis=0)
    scale = size.height
    colours = np.rint(255 * texture(size, random, hue)).astype(np.uint8)
    for _ in range(_INSIDE):  # hair lies over the body as well, where it changes the colours alone
        root = centre + (outline[random.integers(len(outline))] - centre) * random.uniform(0.05, 0.95)
        _colour(colours, _strand(root, centre, scale, random), scale, hue, random)
    for _layer in range(_LAYERS):
        mask = np.zeros((size.height, size.width), np.uint8)
        for _ in range(_STRANDS):
            points = _strand(outline[random.integers(len(outline))], centre, scale, random)
            _draw(mask, points, scale * random.uniform(0.0004, 0.0016))
            _colour(colours, points, scale, hue, random)
        clear *= 1 - lens(np.asarray(mask / np.float32(255), np.float32), 0.5)
    alpha = 1 - clear
    alpha[alpha > 0.995], alpha[alpha < 0.004] = 1, 0
    return np.asarray(alpha, np.float32), cv2.GaussianBlur(colours, (0, 0), 0.7).astype(np.float32) / np.float32(255)


def _strand(root: Points, centre: Points, scale: float, random: np.random.Generator) -> Points:
    """One hair's way from its root outwards, N×2: away from the centre, bent and curled."""
    out = (root - centre) / np.linalg.norm(root - centre)
    side = np.array([-out[1], out[0]])
    t = np.linspace(0, 1, 24)[:, None]
    length = scale * random.gamma(3, 0.02)
    bend, curl, phase = random.normal(0, 0.7), random.uniform(0, 0.05), random.uniform(0, 2 * np.pi)
    sideways = bend * t**2 + curl * np.sin(9 * t + phase) + random.normal(0, 0.25) * t
    return np.asarray(root - 0.01 * scale * out + length * (t * out + sideways * side))


def _draw(mask: NDArray[np.uint8], points: Points, width: float) -> None:
    """A hair that may be finer than a pixel (it then covers its share), and that thins out towards its end."""
    where = np.rint(points * 2**_SHIFT).astype(np.int32)
    pieces = 4
    for piece in range(pieces):
        part = where[piece * len(where) // pieces : (piece + 1) * len(where) // pieces + 1]
        here = width * (1 - 0.8 * piece / pieces)
        cv2.polylines(mask, [part], False, round(255 * min(1.0, here)), max(1, round(here)), cv2.LINE_AA, _SHIFT)


def _colour(colours: NDArray[np.uint8], points: Points, scale: float, hue: float, random: np.random.Generator) -> None:
    """The colour of one hair, and of what surrounds it: wider than the hair, so that its soft edge has it too."""
    shade = 255 * hue_colour(hue + random.uniform(-0.02, 0.02), random.uniform(0.3, 0.7), random.uniform(0.25, 0.9))
    where = np.rint(points * 2**_SHIFT).astype(np.int32)
    cv2.polylines(colours, [where], False, shade.tolist(), max(3, round(scale * 0.003)), cv2.LINE_8, _SHIFT)


def _semi(size: Size, random: np.random.Generator) -> tuple[Alpha, Colours]:
    """A veil with folds around an opaque core, or a glass: a thin clear wall with an opaque rim and reflections."""
    hue = random.random()
    outline = silhouette(size, random, 3, 0.06)
    whole = filled(outline, size)
    centre = outline.mean(axis=0)
    core = filled((outline - centre) * 0.45 + centre, size)
    if random.random() < 0.5:
        x = np.linspace(0, 1, size.width, dtype=np.float32)[None, :]
        folds = 0.5 + 0.5 * np.sin(2 * np.pi * (9 * x + 3 * cloud(size, random, 2)))
        body = 0.3 + 0.35 * folds * cloud(size, random, 4)
    else:
        rim = filled((outline - centre) * 0.94 + centre, size)
        shine = np.clip(cloud(size, random, 3) * 5 - 3.6, 0, 1)
        body = np.maximum(0.9 * (1 - rim), 0.15 + 0.6 * shine)
    alpha = whole * np.maximum(body, core)
    return lens(alpha.astype(np.float32, copy=False)), texture(size, random, hue)


def _blur(size: Size, random: np.random.Generator) -> tuple[Alpha, Colours]:
    """A hard-edged subject that moved, or was out of focus."""
    alpha, colours = _hard(size, random)
    if random.random() < 0.5:
        kernel = motion(size.height * random.uniform(0.012, 0.035), random.uniform(0, np.pi))
    else:
        kernel = defocus(size.height * random.uniform(0.004, 0.012))
    return blurred(alpha, colours, kernel)


_DRAWN: Mapping[SubjectKind, Callable[[Size, np.random.Generator], tuple[Alpha, Colours]]] = {
    SubjectKind.HAIR: _hair,
    SubjectKind.HARD: _hard,
    SubjectKind.SEMI: _semi,
    SubjectKind.BLUR: _blur,
}
