"""A data folder like those that people have, made of drawn scenes."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from bgdesk.bench.cases import scenes
from bgdesk.bench.cases.corpus import Case, SubjectKind


@pytest.fixture(scope="session")
def drawn() -> list[Case]:
    """One small case of every kind."""
    return [recipe.make() for recipe in scenes.generated((0.03,), 1)]


@pytest.fixture(scope="session")
def matting_folder(tmp_path_factory: pytest.TempPathFactory, drawn: list[Case]) -> Path:
    """image/, alpha/, trimap1/ with one hairy and one hard cut-out."""
    folder = tmp_path_factory.mktemp("matting")
    for case in drawn:
        if case.kind not in (SubjectKind.HAIR, SubjectKind.HARD):
            continue
        trimap = np.full(case.alpha.shape, 128, np.uint8)
        trimap[cv2.erode(case.alpha, np.ones((7, 7))) >= 1] = 255
        trimap[cv2.dilate(case.alpha, np.ones((7, 7))) <= 0] = 0
        for name, picture in (
            ("image", case.composite[..., ::-1]),
            ("alpha", np.rint(case.alpha * 255).astype(np.uint8)),
            ("trimap1", trimap),
        ):
            (folder / name).mkdir(exist_ok=True)
            assert cv2.imwrite(str(folder / name / f"{case.kind.value}.png"), picture)
    return folder
