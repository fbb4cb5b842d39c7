"""Metrics: known values, published pairs, and laws."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgdesk.bench.cases import metrics

ERRORS = [metrics.mae, metrics.sad, metrics.mse, metrics.gradient, metrics.connectivity]
Error = Callable[..., float]

#: The test data of Sharma, Wu, Dalal 2005, table 1: two colours and their difference.
SHARMA = """
50 2.6772 -79.7751 50 0 -82.7485 2.0425
50 3.1571 -77.2803 50 0 -82.7485 2.8615
50 2.8361 -74.0200 50 0 -82.7485 3.4412
50 -1.3802 -84.2814 50 0 -82.7485 1.0000
50 -1.1848 -84.8006 50 0 -82.7485 1.0000
50 -0.9009 -85.5211 50 0 -82.7485 1.0000
50 0 0 50 -1 2 2.3669
50 -1 2 50 0 0 2.3669
50 2.4900 -0.0010 50 -2.4900 0.0009 7.1792
50 2.4900 -0.0010 50 -2.4900 0.0010 7.1792
50 2.4900 -0.0010 50 -2.4900 0.0011 7.2195
50 2.4900 -0.0010 50 -2.4900 0.0012 7.2195
50 -0.0010 2.4900 50 0.0009 -2.4900 4.8045
50 -0.0010 2.4900 50 0.0010 -2.4900 4.8045
50 -0.0010 2.4900 50 0.0011 -2.4900 4.7461
50 2.5 0 50 0 -2.5 4.3065
50 2.5 0 73 25 -18 27.1492
50 2.5 0 61 -5 29 22.8977
50 2.5 0 56 -27 -3 31.9030
50 2.5 0 58 24 15 19.4535
50 2.5 0 50 3.1736 0.5854 1.0000
50 2.5 0 50 3.2972 0 1.0000
50 2.5 0 50 1.8634 0.5757 1.0000
50 2.5 0 50 3.2592 0.3350 1.0000
60.2574 -34.0099 36.2677 60.4626 -34.1751 39.4387 1.2644
63.0109 -31.0961 -5.8663 62.8187 -29.7946 -4.0864 1.2630
61.2901 3.7196 -5.3901 61.4292 2.2480 -4.9620 1.8731
35.0831 -44.1164 3.7933 35.0232 -40.0716 1.5901 1.8645
22.7233 20.0904 -46.6940 23.0331 14.9730 -42.5619 2.0373
36.4612 47.8580 18.3852 36.2715 50.5065 21.2231 1.4146
90.8027 -2.0831 1.4410 91.1528 -1.6435 0.0447 1.4441
90.9257 -0.5406 -0.9208 88.6381 -0.8985 -0.7239 1.5381
6.7747 -0.2908 -2.4247 5.8714 -0.0985 -2.2286 0.6377
2.0776 0.0795 -1.1350 0.9033 -0.0636 -0.5514 0.9082
"""


def test_delta_e2000_gives_the_published_differences() -> None:
    table = np.array([[float(value) for value in line.split()] for line in SHARMA.split("\n") if line])
    assert len(table) == 34
    found = metrics.delta_e2000(table[:, :3], table[:, 3:6])
    np.testing.assert_allclose(found, table[:, 6], atol=5e-5)
    np.testing.assert_allclose(metrics.delta_e2000(table[:, 3:6], table[:, :3]), found, atol=1e-9)


@pytest.mark.parametrize(
    ("colour", "expected"),
    [
        ((0, 0, 0), (0, 0, 0)),
        ((255, 255, 255), (100, 0, 0)),
        ((255, 0, 0), (53.24, 80.09, 67.20)),
        ((0, 255, 0), (87.73, -86.18, 83.18)),
        ((0, 0, 255), (32.30, 79.19, -107.86)),
        ((119, 119, 119), (50.03, 0, 0)),
    ],
)
def test_lab(colour: tuple[int, int, int], expected: tuple[float, float, float]) -> None:
    np.testing.assert_allclose(metrics.lab(np.array(colour, np.uint8)), expected, atol=0.01)
    np.testing.assert_allclose(metrics.lab(np.array(colour, np.uint16) * 257), expected, atol=0.01)
    np.testing.assert_allclose(metrics.lab(np.array(colour) / 255), expected, atol=0.01)


def block(side: int = 40, value: float = 1.0) -> np.ndarray:
    alpha = np.zeros((side, side), np.float32)
    alpha[10:30, 10:30] = value
    return alpha


def test_known_values() -> None:
    truth, answer = block(), block()
    answer[10:30, 30:35] = 1  # 100 pixels too many, beside 400 right ones
    assert metrics.iou(answer > 0.5, truth > 0.5) == pytest.approx(0.8)
    assert metrics.f1(answer > 0.5, truth > 0.5) == pytest.approx(800 / 900)
    assert metrics.sad(answer, truth) == pytest.approx(0.1)
    assert metrics.mae(answer, truth) == pytest.approx(100 / 1600)
    assert metrics.mse(np.float32(0.5) * answer, truth) == pytest.approx(500 * 0.25 / 1600)
    region = np.zeros(truth.shape, bool)
    region[:, 30:35] = True
    assert metrics.mae(answer, truth, region) == pytest.approx(0.5)
    assert metrics.iou(answer > 0.5, truth > 0.5, region) == 0
    assert metrics.mse(answer, truth, np.zeros(truth.shape, bool)) == 0


def test_empty_masks_agree() -> None:
    nothing = np.zeros((4, 4), bool)
    assert metrics.iou(nothing, nothing) == 1
    assert metrics.f1(nothing, nothing) == 1
    assert metrics.iou(~nothing, nothing) == 0


def test_gradient_of_a_ramp() -> None:
    """A kernel of unit length answers a ramp of slope s with s·Σ(u·slope)·Σ(bell) / length."""
    ramp = np.tile(np.linspace(0, 1, 101, dtype=np.float32), (101, 1))
    inner = np.zeros(ramp.shape, bool)
    inner[20:80, 20:80] = True
    u = np.arange(-4, 5)
    bell = np.exp(-(u**2) / (2 * 1.4**2))
    slope = u * bell
    gain = (u * slope).sum() * bell.sum() / (np.linalg.norm(bell) * np.linalg.norm(slope))
    assert metrics.gradient(ramp, np.zeros_like(ramp), inner) == pytest.approx(3600 * (0.01 * gain) ** 2 / 1000, rel=1e-4)
    assert metrics.gradient(ramp, ramp.T.copy(), inner) == pytest.approx(0, abs=1e-9)  # as steep, only turned


def test_an_island_is_a_connectivity_error_and_a_bridge_is_not() -> None:
    truth = block()
    island, bridge = block(), block()
    island[15:20, 33:38] = 0.6
    bridge[15:20, 30:35] = 0.6
    # Neither is connected in both: what the truth lacks cannot belong. The island and the bridge are 25 pixels at 0.6.
    assert metrics.connectivity(island, truth) == pytest.approx(25 * 0.6 / 1000)
    assert metrics.connectivity(bridge, truth) == pytest.approx(25 * 0.6 / 1000)
    # Something that both have but that hangs together with nothing counts the same on both sides.
    assert metrics.connectivity(island, island) == 0
    # A faint haze below the slack is forgiven.
    haze = block()
    haze[haze == 0] = 0.1
    assert metrics.connectivity(haze, truth) == 0


@pytest.mark.parametrize("error", ERRORS)
def test_errors_are_zero_for_the_truth_symmetric_and_grow(error: Error) -> None:
    random = np.random.default_rng(3)
    truth = random.random((32, 48), np.float32)
    truth[8:24, 8:40] = 1
    wrong = np.clip(truth + 0.4 * random.standard_normal(truth.shape).astype(np.float32), 0, 1)
    assert error(truth, truth) == 0
    assert error(wrong, truth) == pytest.approx(error(truth, wrong))
    steps = [error(truth + share * (wrong - truth), truth) for share in np.linspace(0, 1, 5, dtype=np.float32)]
    assert steps[-1] > 0
    assert all(a <= b + 1e-9 for a, b in pairwise(steps)) or error is metrics.connectivity
    half = np.zeros(truth.shape, bool)
    half[:, :24] = True
    if error in (metrics.sad, metrics.gradient, metrics.connectivity):  # sums over parts add up
        assert error(wrong, truth, half) + error(wrong, truth, ~half) == pytest.approx(error(wrong, truth))


@given(st.integers(0, 2**16 - 1), st.integers(0, 2**16 - 1))
def test_iou_and_f1_belong_together(first: int, second: int) -> None:
    a, b = ((np.arange(16) & 15 == np.arange(16)) & ((n >> np.arange(16)) & 1 == 1) for n in (first, second))
    iou, f1 = metrics.iou(a, b), metrics.f1(a, b)
    assert f1 == pytest.approx(2 * iou / (1 + iou))
    assert metrics.iou(b, a) == iou


def test_sizes_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match="cannot be compared"):
        metrics.sad(np.zeros((2, 2), np.float32), np.zeros((3, 2), np.float32))
