"""Whole numbers of any type."""

import numpy as np
import pytest

from medkd.io import whole_numbers


def test_whole_numbers_within_a_tolerance():
    array = np.array([[[1.0004, -2.0]]], np.float32)
    assert whole_numbers(array, np.int16, "HU").tolist() == [[[1, -2]]]
    for value, message in [(0.5, "HU: 0.5 is not a whole number"), (np.nan, "HU: NaN or infinite values")]:
        with pytest.raises(ValueError, match=message):
            whole_numbers(np.full((1, 1, 1), value), np.int16, "HU")
    for value in (-1, 256):
        with pytest.raises(ValueError, match=f"labels: {value} is outside 0 to 255"):
            whole_numbers(np.full((1, 1, 1), value), np.uint8, "labels")
