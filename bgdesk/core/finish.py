"""Finish a solved alpha: shift its edge, smooth it, feather it, steepen it, in this order.

Everything is computed in blocks that lie on one grid over the photo, each from the block's own surroundings, so that any part of
the photo comes out bit for bit as in the whole. A block without an edge in reach is copied.

A clean edge, hard or soft, moves by measure: its half line goes exactly so far, its profile stays. Hair has no line that could be
moved: strands stay where the photo shows them, and fade or fill up with the density around them, which moves in their stead.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache

import cv2
import numpy as np

from bgdesk.core.arrays import Alpha
from bgdesk.core.contour import MARGIN, Contour, contour
from bgdesk.core.cutout import Cutout
from bgdesk.core.filters import Field, blur, blur_reach, extended, field, share_below, slope, smooth_step, standing_at
from bgdesk.core.geometry import Rect, Size
from bgdesk.core.recipe import EdgeRecipe

#: Side of a block. Smaller ones skip more of a photo, larger ones compute less of it twice.
BLOCK = 256
#: A contour is measured for the next of these shifts, so that a slider's next value finds it ready.
_SPANS = (2.5, 5.0, 10.0, 20.0)
#: How far from the half line a clean soft edge still changes alpha: over three times the softness up to which edges are moved by measure.
_TAIL = 17.0
#: Softness (standard deviation in pixels) up to which an edge is moved by measure, and from where by density.
_CLEAN, _BLURRED = 3.0, 5.0
#: The same for how much of an edge is made of what is thinner than 5 px: strands and the gaps between them.
_SOLID, _HAIRY = 0.15, 0.6
#: What is fainter than this, squared, is no strand: the grain of a glass or a flag.
_GRAIN = np.float32(0.002)
#: Standard deviation of the density around hair: this much of the shift, and a pixel. Less, and strands get halos.
_DENSITY = 0.8
#: What lies nearer to the old half line than this and is left over when the edge has moved on, is taken away.
_RIM = 3.0
_ROUNDING = np.float32(1e-6)
#: An opacity that nobody sees: half a step of 8 bits.
_NOTHING = np.float32(0.002)
_THIN = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))


def finish(solved: Alpha, edge: EdgeRecipe, rect: Rect | None = None) -> Alpha:
    """Finish a photo's alpha, or a part of it.

    Parameters
    ----------
    solved
        float32 H×W in [0, 1]: the alpha of the whole photo. (A crop that holds `rect` and `reach` around it gives the same to
        rounding, but not bit for bit, unless it starts at a multiple of BLOCK.)
    edge
        How.
    rect
        The part that is wanted, inside the photo; default all.

    Returns
    -------
    Alpha
        float32 in [0, 1] of the size of `rect`; `solved` itself, or a view of it, where nothing is to be done.
    """
    return Finisher(solved).finish(edge, rect)


def finished(cutout: Cutout, edge: EdgeRecipe) -> Cutout:
    """The cut-out with its alpha finished."""
    return cutout if edge.neutral else replace(cutout, alpha=finish(cutout.alpha, edge))


def reach(edge: EdgeRecipe) -> int:
    """How far away, in pixels, alpha still has a say in what a pixel becomes."""
    return sum(stage.reach for stage in _stages(edge))


class Finisher:
    """Finishes one photo again and again, and keeps what does not depend on the recipe. One thread at a time.

    solved: as in `finish`; not copied. remember: keep what was measured between calls.
    """

    def __init__(self, solved: Alpha, *, remember: bool = False) -> None:
        self._solved = solved
        self._edges: dict[tuple[float, Rect], _Edges] | None = {} if remember else None

    def changed(self, solved: Alpha, rect: Rect) -> None:
        """Read from `solved` from now on, which differs in `rect` alone."""
        self._solved = solved
        if self._edges is not None:
            self._edges = {key: kept for key, kept in self._edges.items() if not _shift_window(*key).overlaps(rect)}

    def forget(self, outside: Rect) -> None:
        """Drop what was kept for blocks that do not touch `outside`."""
        if self._edges is not None:
            self._edges = {key: kept for key, kept in self._edges.items() if key[1].overlaps(outside)}

    def finish(self, edge: EdgeRecipe, rect: Rect | None = None) -> Alpha:
        """As `finish`."""
        photo = Rect.of_shape(self._solved.shape)
        if edge.neutral and rect is None:
            return self._solved
        wanted = photo if rect is None else rect
        stages = _stages(edge)
        # From the last stage back: what each needs of the one before it, in whole blocks.
        needs = [wanted]
        for stage in reversed(stages[1:]):
            needs.insert(0, _in_blocks(needs[0], photo).grow(stage.reach).intersect(photo))
        picture, place = self._solved, photo
        for stage, need in zip(stages, needs, strict=False):
            picture, place = self._run(stage, picture, place, _in_blocks(need, photo), photo)
        return _hardened(picture[wanted.shift(-place.left, -place.top).slices], edge.contrast)

    def _run(self, stage: "_Stage", picture: Alpha, place: Rect, target: Rect, photo: Rect) -> tuple[Alpha, Rect]:
        """Take `picture`, which lies at `place` of the photo, one stage on, in the blocks of `target`."""
        result = np.empty((target.height, target.width), np.float32)

        def work(block: Rect) -> None:
            window = block.grow(stage.reach).intersect(photo)
            values = picture[window.shift(-place.left, -place.top).slices]
            lowest, highest, _, _ = cv2.minMaxLoc(values)
            part = block.shift(-window.left, -window.top)
            out = values[part.slices] if lowest == highest else stage.apply(self, np.ascontiguousarray(values), part, block)
            result[block.shift(-target.left, -target.top).slices] = out

        blocks = list(target.tiles(BLOCK))
        if len(blocks) == 1:
            work(blocks[0])
        else:
            list(_pool().map(work, blocks))
        return result, target

    def edges(self, values: Alpha, part: Rect, block: Rect, span: float) -> "_Edges":
        """The edges in `part` of `values`, which is `block` of the photo, measured for shifts up to `span`."""
        if self._edges is None:
            return _Edges.measured(values, part, span)
        if (span, block) not in self._edges:
            self._edges[span, block] = _Edges.measured(values, part, span)
        return self._edges[span, block]


@dataclass(frozen=True)
class _Stage:
    """One step of a recipe: its block of the photo is the result of `apply`."""

    reach: int  #: how far it reads, in pixels
    apply: Callable[[Finisher, Alpha, Rect, Rect], Alpha]  #: of the finisher, the block's surroundings, the block in them and in the photo


def _stages(edge: EdgeRecipe) -> list[_Stage]:
    """The steps that change anything and need neighbours; contrast needs none."""

    def shifted(finisher: Finisher, values: Alpha, part: Rect, block: Rect) -> Alpha:
        return _shifted(values, part, finisher.edges(values, part, block, _span(edge.shift)), edge.shift)

    def smoothed(finisher: Finisher, values: Alpha, part: Rect, block: Rect) -> Alpha:
        return _smoothed(values, part, edge.smooth)

    def feathered(finisher: Finisher, values: Alpha, part: Rect, block: Rect) -> Alpha:
        return _feathered(values, part, edge.feather)

    stages = []
    if edge.shift:
        stages.append(_Stage(_shift_reach(edge.shift), shifted))
    if edge.smooth:
        stages.append(_Stage(_smooth_reach(edge.smooth), smoothed))
    if edge.feather:
        stages.append(_Stage(blur_reach(edge.feather / 2), feathered))
    return stages


# Shift.


def _span(amount: float) -> float:
    return next(span for span in _SPANS if abs(amount) <= span)


def _shift_reach(amount: float) -> int:
    by_measure = int(np.ceil(_span(amount) + _TAIL)) + MARGIN
    by_density = blur_reach(_density_sigma(amount)) + 1
    return max(by_measure, by_density, _character_reach(_span(amount)))


def _shift_window(span: float, block: Rect) -> Rect:
    return block.grow(_shift_reach(span))


def _density_sigma(amount: float) -> float:
    return _DENSITY * abs(amount) + 1


@dataclass(frozen=True, eq=False)
class _Edges:
    """What a shift needs to know of a block.

    by_density: from 0, where a clean edge is moved by measure, to 1, where hair is filled or thinned.
    """

    line: Contour | None
    softness: Field
    by_density: Field

    @classmethod
    def measured(cls, values: Alpha, part: Rect, span: float) -> "_Edges":
        softness, hairy = _character(values, part, span)
        by_density = 1 - (1 - smooth_step(hairy, _SOLID, _HAIRY)) * smooth_step(softness, _BLURRED, _CLEAN)
        needed = np.where(by_density < 1, np.float32(span) + _tail(softness), np.float32(0))
        return cls(contour(values, part, needed), softness, by_density)


def _tail(softness: Field) -> Field:
    """How far from its half line an edge still changes alpha."""
    return np.minimum(3 * softness + 2, np.float32(_TAIL))


def _shifted(values: Alpha, part: Rect, edges: _Edges, amount: float) -> Alpha:
    alpha, line = values[part.slices], edges.line
    moved = alpha if line is None else _moved(alpha, line, edges.softness, line.depth + np.float32(amount))
    if not edges.by_density.any():
        return moved
    density = blur(values, _density_sigma(amount))
    thinning = slope(density)[part.slices]
    density = np.clip(density[part.slices], _ROUNDING, 1 - _ROUNDING)
    # A logistic edge, moved: its odds grow by this much from pixel to pixel. A blurred edge's tails are no steeper than that.
    growth = np.minimum(thinning / (density * (1 - density)), np.float32(3 / _density_sigma(amount)))
    odds = density * np.exp(np.float32(amount) * growth)
    filled = _lifted(alpha, density, odds / (odds + 1 - density))
    return np.clip(moved + edges.by_density * (filled - moved), 0, 1)


def _character_radius(span: float) -> int:
    return int(np.ceil(_DENSITY * span)) + 3


def _character_reach(span: float) -> int:
    return 2 * _character_radius(span) + 5


def _character(values: Alpha, part: Rect, span: float) -> tuple[Field, Field]:
    """(softness in pixels, how much is hair) of the edges around each pixel, as far as a shift by `span` looks."""
    steepness = slope(values)
    squared = steepness * steepness
    thin = np.maximum(values - cv2.morphologyEx(values, cv2.MORPH_OPEN, _THIN), cv2.morphologyEx(values, cv2.MORPH_CLOSE, _THIN) - values)
    sums = np.stack([squared * steepness, squared, thin * thin], axis=-1)
    side = 2 * _character_radius(span) + 1
    for _ in range(2):
        sums = cv2.blur(sums, (side, side), borderType=cv2.BORDER_REPLICATE)
    cubed, squared, thin = np.moveaxis(np.maximum(sums[part.slices], 0), -1, 0)
    return _softness(cubed, squared), thin / (squared + _GRAIN)


def _softness(cubed: Field, squared: Field) -> Field:
    """Standard deviation, in pixels, of the edges whose steepness has these sums of cubes and squares; 0 is as hard as can be."""
    # For a Gaussian edge the sums are as 1/(√(3π)·σ). The difference of neighbours adds a third of a pixel to the variance.
    steepness = (cubed + _ROUNDING) / (squared + _ROUNDING)  # hard where there is no edge
    variance = (np.float32(1 / np.sqrt(3 * np.pi)) / np.maximum(steepness, np.float32(0.02))) ** 2 - np.float32(1 / 3)
    return np.minimum(np.sqrt(np.maximum(variance, 0)), np.float32(_BLURRED))


def _moved(alpha: Alpha, line: Contour, softness: Field, depth: Field) -> Alpha:
    """The edge moved so that what lay at `line.depth` lies at `depth`, with what a clean edge does not explain left in place."""
    before, after = line.profile(line.depth, softness), line.profile(depth, softness)
    moved = _lifted(alpha, before, after)
    # Beside the old line, something is left where alpha was no clean hard edge.
    left_over = np.clip(np.float32(_RIM) - np.abs(line.depth), 0, 1) * np.clip(np.abs(depth - line.depth) - np.float32(0.7), 0, 1)
    left_over *= _hard(softness)
    grows = depth > line.depth
    moved = np.where(grows & (line.depth > 0), 1 - (1 - moved) * (1 - left_over), moved)
    return np.where(~grows & (line.depth < 0), moved * (1 - left_over), moved)


def _hard(softness: Field) -> Field:
    """1 for edges as sharp as solved ones are, 0 for soft ones, whose shape is meant."""
    return np.clip(3 - 2 * softness, 0, 1)


def _lifted(alpha: Alpha, before: Field, after: Field) -> Alpha:
    """Alpha where the opacity around it goes from `before` to `after`: fainter, or less clear, in proportion."""
    fainter = alpha * (1 - _lost(before, after))
    fuller = 1 - (1 - alpha) * (1 - _lost(1 - before, 1 - after))
    return np.where(after < before, fainter, np.where(after > before, fuller, alpha))


def _lost(before: Field, after: Field) -> Field:
    """Which part of `before` is gone; none where there was next to nothing, so that rounding decides nothing."""
    lost = (before - after) / np.maximum(before, _ROUNDING)
    return field(np.clip(lost, 0, 1) * np.clip(before / _NOTHING, 0, 1))


# Smooth.


def _smooth_sigma(radius: float) -> float:
    # Blurred by this, a corner's half line is an arc of about `radius`.
    return radius / 2


def _smooth_reach(radius: float) -> int:
    sigma = _smooth_sigma(radius)
    return blur_reach(sigma) + max(int(_TAIL) + MARGIN, _character_reach(sigma))


def _smoothed(values: Alpha, part: Rect, radius: float) -> Alpha:
    """The half line blurred, and the edge moved there as sharp as it was; hair becomes its density."""
    sigma = _smooth_sigma(radius)
    around = part.grow(blur_reach(sigma)).intersect(Rect.of_shape(values.shape))
    inner = part.shift(-around.left, -around.top)
    softness, hairy = _character(values, around, sigma)
    by_density = smooth_step(hairy, _SOLID, _HAIRY)
    smoothed = alpha = values[part.slices]
    side = 2 * blur_reach(sigma) + 1
    measured = cv2.dilate((by_density < 1).view(np.uint8), np.ones((side, side), np.uint8))
    line = contour(values, around, _tail(np.hypot(softness, np.float32(1))) * measured)
    if line is not None:
        # A soft profile blurs without depending on where pixels lie. Beyond the photo's border, the line goes on straight.
        width = np.hypot(softness, np.float32(1))
        cut = [blur_reach(sigma) - room for room in (inner.left, inner.top, around.width - inner.right, around.height - inner.bottom)]
        wide = share_below(extended(field(line.depth / width), *cut))
        blurred = blur(wide, sigma)[inner.shift(cut[0], cut[1]).slices]
        z = standing_at(np.clip(blurred, np.float32(1e-4), np.float32(1 - 1e-4)))
        z += np.copysign(4 * smooth_step(np.abs(blurred - np.float32(0.5)), 0.499, 0.4999), z)  # far from the line is quite opaque or clear
        depth = z * np.hypot(width, np.float32(sigma))[inner.slices]
        line, softness = line.cropped(inner), softness[inner.slices]
        smoothed = _moved(alpha, line, softness, depth)
        # What a clean hard edge does not explain beside the line are jags.
        jags = np.clip(2 - np.abs(line.depth), 0, 1) * _hard(softness) * np.float32(min(1, radius / 2))
        smoothed = field(np.clip(smoothed + jags * (line.profile(depth, softness) - smoothed), 0, 1))
    else:
        softness = softness[inner.slices]
    by_density = by_density[inner.slices]
    if not by_density.any():
        return smoothed
    sharpened = np.hypot(softness, np.float32(sigma)) / np.maximum(softness, np.float32(0.3))
    filled = share_below(standing_at(blur(values, sigma)[part.slices]) * sharpened)
    return field(smoothed + by_density * (filled - smoothed))


# Feather and contrast.


def _feathered(values: Alpha, part: Rect, radius: float) -> Alpha:
    """Blurred so that 95 % of a hard edge's softness lies within `radius` to each side."""
    soft = blur(values, radius / 2)[part.slices]
    # Kernels sum up to 1 only in exact arithmetic.
    return np.where(soft > 1 - _ROUNDING, np.float32(1), np.where(soft < _ROUNDING, np.float32(0), soft))


def _hardened(alpha: Alpha, percent: float) -> Alpha:
    """Steeper about one half; at 100 percent, one half and more is opaque, the rest clear."""
    if percent == 0:
        return alpha
    if percent == 100:
        return (alpha >= 0.5).astype(np.float32)
    half = np.float32(0.5)
    return field(np.clip((alpha - half) * np.float32(100 / (100 - percent)) + half, 0, 1))


def _in_blocks(rect: Rect, photo: Rect) -> Rect:
    """`rect` made larger to whole blocks, or to the photo's border."""
    left, top = rect.left // BLOCK * BLOCK, rect.top // BLOCK * BLOCK
    return Rect(left, top, -(-rect.right // BLOCK) * BLOCK, -(-rect.bottom // BLOCK) * BLOCK).clip(Size(photo.right, photo.bottom))


@lru_cache(maxsize=1)
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(min(8, os.cpu_count() or 1), thread_name_prefix="finish")
