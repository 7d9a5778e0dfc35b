"""Removal of components as a dictionary transform."""

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from medkd.data import RemoveComponentsd


def labels(affine=None):
    array = torch.zeros(1, 2, 4, 9, dtype=torch.uint8)
    array[0, :, :2, :2] = 1  # 8 voxels
    array[0, 0, 3, 5:] = 1  # 4 voxels
    return MetaTensor(array, affine=affine)


@pytest.mark.parametrize("tilt", [0.0, 3.0])
def test_volume_is_that_of_the_sheared_grid_and_the_raw_labels_are_kept(tilt):
    affine = torch.tensor([[-10.0, 0, 0, 0], [0, -10, 0, 0], [0, tilt, 10, 0], [0, 0, 0, 1]], dtype=torch.float64)
    item = RemoveComponentsd("pred", min_volume=5.0)({"pred": labels(affine), "case": "a"})
    assert item["pred"].sum() == 8 and item["pred_raw"].sum() == 12
    assert item["pred"].dtype == torch.uint8 and torch.equal(item["pred"].affine, affine)


def test_nothing_is_done_without_a_wish():
    item = {"pred": labels()}
    assert RemoveComponentsd("pred")(item) == item


def test_pictures_count_pixels():
    picture = MetaTensor(labels()[:, 0], affine=np.diag([9.0, 9, 9, 1]))
    item = RemoveComponentsd("pred", min_volume=5)({"pred": picture})
    assert item["pred"].sum() == 0
    assert RemoveComponentsd("pred", min_volume=4)({"pred": picture})["pred"].sum() == 8
    assert RemoveComponentsd("pred", largest=True)({"pred": picture})["pred"].sum() == 4


def test_a_volume_below_zero_is_refused():
    with pytest.raises(ValueError, match="min_volume: found -1, expected a number from 0 on"):
        RemoveComponentsd("pred", min_volume=-1)
