"""Intensities as whole numbers in the range of int16."""

import numpy as np
import pytest

from medkd.io import normalise_case


def test_percentiles_become_0_and_1000_and_nothing_is_cut_off():
    array = np.linspace(-3, 7, 2001)
    scaled = normalise_case(array, per_case=True)
    assert np.array_equal(scaled, np.rint(scaled))
    np.testing.assert_allclose(np.percentile(scaled, [0.5, 99.5]), [0, 1000], atol=1)
    assert scaled[0] < 0 and scaled[-1] > 1000


def test_a_common_scale_is_rounded_and_clipped_to_int16():
    array = np.array([-1000.4, 40.6, 1e6, -1e6])
    assert normalise_case(array, per_case=False).tolist() == [-1000, 41, 32767, -32768]


def test_an_image_of_one_value_cannot_be_scaled():
    with pytest.raises(ValueError, match="nearly all voxels are 7: nothing to scale"):
        normalise_case(np.full(10, 7), per_case=True)
    assert normalise_case(np.full(10, 7), per_case=False).tolist() == [7] * 10
