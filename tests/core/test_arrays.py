import numpy as np
import pytest

from bgdesk.core.arrays import Pixels, quantise, to_uint8


def test_8_bit_stays_the_same_array() -> None:
    pixels = np.zeros((2, 3, 3), np.uint8)
    assert to_uint8(pixels) is pixels


def test_16_bit_is_rounded_at_every_value() -> None:
    values = np.arange(65536, dtype=np.uint16).reshape(256, 256, 1)
    assert np.array_equal(to_uint8(values), np.floor(values / 257 + 0.5).astype(np.uint8))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_quantising_gives_back_every_level(dtype: type) -> None:
    top = np.iinfo(dtype).max
    levels: Pixels = np.arange(top + 1).astype(dtype)
    assert np.array_equal(quantise((levels / top).astype(np.float32), dtype), levels)


def test_quantising_clips() -> None:
    assert quantise(np.array([-0.5, 1.5], np.float32), np.uint8).tolist() == [0, 255]
