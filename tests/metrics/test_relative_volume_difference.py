"""Relative volume difference: its sign, both conventions, large volumes, and the MONAI metric."""

import math

import pytest
import torch

from medkd.metrics import RelativeVolumeDifferenceMetric, compute_relative_volume_difference


def volumes(*counts, size=10):
    """Return (1, C, size): a channel of each count of voxels."""
    return torch.stack([(torch.arange(size) < count).float() for count in counts])[None]


def test_a_negative_value_means_under_segmentation():
    value = compute_relative_volume_difference(volumes(8, 2, 0), volumes(4, 4, 4))
    assert value.dtype == torch.float32 and value.tolist() == [[1.0, -0.5, -1.0]]


def test_the_convention_of_the_lits_code_divides_by_the_prediction():
    value = compute_relative_volume_difference(volumes(8, 2), volumes(4, 4), "lits_code")
    assert value.tolist() == [[-0.5, 1.0]]


def test_an_empty_denominator_gives_nan():
    assert compute_relative_volume_difference(volumes(3), volumes(0)).isnan().all()
    assert compute_relative_volume_difference(volumes(0), volumes(3), "lits_code").isnan().all()


def test_volumes_above_2_to_the_24_are_counted_exactly():
    y = torch.ones(1, 1, 2**24 + 2, dtype=torch.uint8)
    y_pred = y.clone()
    y_pred[..., 0] = 0
    expected = torch.tensor(-1 / (2**24 + 2), dtype=torch.float64).float()
    assert compute_relative_volume_difference(y_pred, y).item() == expected.item() != 0


def test_invalid_arguments_are_refused():
    with pytest.raises(ValueError, match=r"RVD: y_pred \(1, 1, 10\) and y \(1, 2, 10\) must have the same shape"):
        compute_relative_volume_difference(volumes(1), volumes(1, 2))
    with pytest.raises(ValueError, match="convention must be 'truth' or 'lits_code', found 'medpy'"):
        compute_relative_volume_difference(volumes(1), volumes(1), "medpy")


class TestMetric:
    def test_it_accumulates_and_leaves_an_empty_ground_truth_out(self):
        metric = RelativeVolumeDifferenceMetric(get_not_nans=True)
        metric(y_pred=volumes(5, 8), y=volumes(1, 4))
        metric(y_pred=volumes(5, 8), y=volumes(1, 0))
        metric(y_pred=volumes(5, 1), y=volumes(1, 4))
        value, count = metric.aggregate()
        assert value.item() == pytest.approx((1.0 - 0.75) / 2) and count.item() == 2

    def test_the_background_counts_on_request(self):
        metric = RelativeVolumeDifferenceMetric(include_background=True, reduction="none")
        metric(y_pred=volumes(5, 8), y=volumes(1, 4))
        assert metric.aggregate().tolist() == [[4.0, 1.0]]

    def test_it_takes_the_convention_of_the_function(self):
        metric = RelativeVolumeDifferenceMetric(convention="lits_code", reduction="none")
        metric(y_pred=volumes(5, 8), y=volumes(1, 4))
        (value,) = metric.aggregate().flatten().tolist()
        assert math.isclose(value, -0.5)
