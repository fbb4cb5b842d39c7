"""What a hand painted."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

from bgdesk.core.brush import RIM
from bgdesk.core.geometry import Rect
from bgdesk.core.trimap import Label


@dataclass(frozen=True)
class Stroke:
    """What was painted, to paint it again over another trimap: points are (x, y) in image coordinates."""

    label: Label
    radius: float
    points: tuple[tuple[float, float], ...]

    @cached_property
    def rect(self) -> Rect:
        """No pixel outside it was painted."""
        xs, ys = [x for x, _ in self.points], [y for _, y in self.points]
        reach = max(0.5, self.radius) + RIM
        return Rect(
            math.floor(min(xs) - reach), math.floor(min(ys) - reach), math.ceil(max(xs) + reach) + 1, math.ceil(max(ys) + reach) + 1
        )
