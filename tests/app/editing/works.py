"""A work full of noise, and everything that undo has to bring back."""

from pathlib import Path

import numpy as np

from bgdesk.app.editing.work import Work
from bgdesk.core.geometry import Size

SIZE = Size(300, 200)


def a_work(seed: int = 1) -> Work:
    rng = np.random.default_rng(seed)
    result = Work.awaiting(rng.integers(0, 256, (SIZE.height, SIZE.width, 3), np.uint8), Path("a.jpg"))
    trimap = rng.choice(np.array([0, 128, 255], np.uint8), (SIZE.height, SIZE.width))
    result.replace(trimap, rng.random(trimap.shape, np.float32), result.source.copy(), {})
    return result


def state(work: Work) -> tuple[object, ...]:
    return work.labels.tobytes(), work.solved.tobytes(), work.debt, work.recipe, work.edit_id
