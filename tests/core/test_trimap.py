import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bgdesk.core.trimap import SURE_BACKGROUND, SURE_FOREGROUND, Label, from_gray, from_matte


def disc(side: int, blur: float) -> np.ndarray:
    ys, xs = np.mgrid[:side, :side]
    sharp = (np.hypot(xs - side / 2, ys - side / 2) < side / 4).astype(np.float32)
    answer: np.ndarray = cv2.GaussianBlur(sharp, (0, 0), blur) if blur else sharp
    return answer


@pytest.mark.parametrize(("gray", "label"), [(0, 0), (63, 0), (64, 128), (128, 128), (191, 128), (192, 255), (255, 255)])
def test_any_grey_picture_becomes_a_trimap(gray: int, label: int) -> None:
    assert from_gray(np.full((1, 1), gray, np.uint8))[0, 0] == label


def test_the_band_follows_the_mattes_own_softness() -> None:
    widths = []
    for blur in (0, 2, 6):
        band = from_matte(disc(256, blur))[128] == Label.UNKNOWN
        widths.append(int(band.sum()))
    assert 2 <= widths[0] <= 10
    assert widths[0] * 1.5 < widths[1]
    assert widths[1] * 1.5 < widths[2]


@pytest.mark.parametrize("side", [64, 256, 1500])
@pytest.mark.parametrize("blur", [0, 3])
def test_both_sides_of_the_edge_keep_their_label(side: int, blur: float) -> None:
    trimap = from_matte(disc(side, blur))
    assert set(np.unique(trimap)) == {0, 128, 255}
    assert trimap[side // 2, side // 2] == Label.FOREGROUND
    assert trimap[0, 0] == Label.BACKGROUND


@pytest.mark.parametrize(("value", "label"), [(0.0, Label.BACKGROUND), (1.0, Label.FOREGROUND), (0.5, Label.UNKNOWN)])
def test_a_constant_matte(value: float, label: Label) -> None:
    assert (from_matte(np.full((30, 40), value, np.float32)) == label).all()


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(8, 60), st.integers(8, 60))
def test_known_pixels_agree_with_a_sure_matte(seed: int, height: int, width: int) -> None:
    matte = cv2.GaussianBlur(np.random.default_rng(seed).random((height, width), np.float32), (0, 0), 2)
    matte = np.clip((matte - 0.5) * 6 + 0.5, 0, 1)
    trimap = from_matte(matte)
    assert (matte[trimap == Label.FOREGROUND] >= SURE_FOREGROUND).all()
    assert (matte[trimap == Label.BACKGROUND] <= SURE_BACKGROUND).all()
