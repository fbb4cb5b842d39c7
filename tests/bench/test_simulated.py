"""The simulated network's errors: of the size that real ones have, and never a missing subject."""

import cv2
import numpy as np

from bgdesk.bench.cases import metrics
from bgdesk.bench.cases.corpus import Case
from bgdesk.bench.cases.simulated import simulated_matte


def test_a_matte_is_near_the_truth_and_not_the_truth(drawn: list[Case]) -> None:
    for case in drawn:
        matte = simulated_matte(case.alpha, case.name)
        assert matte.shape == case.alpha.shape
        assert matte.dtype == np.float32
        assert matte.min() >= 0
        assert matte.max() <= 1
        assert metrics.iou(matte > 0.5, case.alpha > 0.5) > (0.5 if case.kind.value == "semi" else 0.85)
        assert metrics.mae(matte, case.alpha) > 0.003
        # Far inside and far outside nothing is wrong.
        deep = cv2.erode(case.alpha, np.ones((25, 25))) >= 1
        assert deep.any()
        assert matte[deep].min() > 0.98
        assert matte[cv2.dilate(case.alpha, np.ones((25, 25))) <= 0].max() < 0.02


def test_a_coarser_network_errs_more_and_the_same_name_gives_the_same(drawn: list[Case]) -> None:
    alpha = cv2.resize(drawn[1].alpha, (1600, 1200), interpolation=cv2.INTER_CUBIC).clip(0, 1)
    fine, coarse = simulated_matte(alpha, "a"), simulated_matte(alpha, "a", 512)
    assert metrics.sad(coarse, alpha) > 1.3 * metrics.sad(fine, alpha)
    np.testing.assert_array_equal(fine, simulated_matte(alpha, "a"))
    assert (fine != simulated_matte(alpha, "b")).any()


def test_single_hairs_fade() -> None:
    alpha = np.zeros((600, 800), np.float32)
    alpha[:300] = 1
    alpha[300:, ::60] = 1  # hairs one pixel wide
    matte = simulated_matte(alpha, "hairs", 800)
    hairs = matte[330:, ::60]
    assert hairs.mean() < 0.5
    assert matte[:270].min() > 0.98
