"""The numbers behind ECE and a reliability diagram, from bins made by hand."""

import math

import numpy as np
import pytest

from medkd.metrics.calibration import expected_calibration_error, reliability

# voxels, sum of probabilities, voxels of the class; the last bin is empty
FIRST = np.array([[4.0, 1.0, 0.0], [1.0, 0.8, 0.0], [2.0, 1.0, 0.0]])
SECOND = np.array([[4.0, 0.0, 0.0], [0.6, 0.0, 0.0], [0.0, 0.0, 0.0]])


def test_a_reliability_diagram_is_over_all_cases():
    points = reliability([FIRST, SECOND])
    assert points == {
        "voxels": [8, 1, 0],
        "probability": [pytest.approx(0.2), pytest.approx(0.8), None],
        "frequency": [0.25, 1.0, None],
    }


def test_ece_weights_each_bin_by_its_voxels():
    assert expected_calibration_error(FIRST) == pytest.approx((1.0 + 0.2) / 5)
    assert math.isnan(expected_calibration_error(np.zeros((3, 3))))
