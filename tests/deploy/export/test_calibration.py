"""Windows are sampled as inference cuts them, half of them with the target."""

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.inferers import SliceInferer

from medkd.deploy.export.calibration import sample_windows


@pytest.mark.parametrize("count", [4, 5, 12])  # fewer windows than cases, one of each, several of each
def test_windows_are_seeded_and_half_of_them_hold_the_target(count):
    def sample(seed):
        inferer = SliceInferer(spatial_dim=0, roi_size=(8, 8), sw_batch_size=3, cval=-1)
        return sample_windows([{"case": str(n)} for n in range(5)], noisy, inferer, count, seed)

    def noisy(item):
        image = torch.randn(1, 9, 8, 8, generator=torch.Generator().manual_seed(int(item["case"])))
        label = torch.zeros(1, 9, 8, 8)
        label[0, 3:6] = 1
        image[0, 3:6] += 100
        return {"image": MetaTensor(image), "label": MetaTensor(label)}

    first, again, other = sample(0), sample(0), sample(1)
    assert len(first) == count and all(window.shape == (1, 1, 8, 8) for window in first)
    assert all(np.array_equal(*pair) for pair in zip(first, again, strict=True))
    assert not all(np.array_equal(*pair) for pair in zip(first, other, strict=True))
    assert sum(float(window.max()) > 50 for window in first) == count // 2


def one_slice_of_target(item):
    image = torch.zeros(1, 4, 8, 8)
    image[0, 1, 2:6, 2:6] = 0.5
    return {**item, "image": MetaTensor(image), "label": MetaTensor((image == 0.5).float())}


def test_one_case_gives_windows_of_both_kinds():
    inferer = SliceInferer(spatial_dim=0, roi_size=(8, 8), sw_batch_size=3, cval=-1)
    windows = sample_windows([{"case": "a"}], one_slice_of_target, inferer, 3, 0)
    assert sorted(float(window.max()) for window in windows)[-1] == 0.5 and len(windows) == 3
    assert sum(float(window.max()) == 0.5 for window in windows) == 1


def test_an_image_without_a_label_gives_windows_too():
    def unlabelled(item):
        return {**item, "image": one_slice_of_target(item)["image"]}

    inferer = SliceInferer(spatial_dim=0, roi_size=(8, 8), sw_batch_size=3, cval=-1)
    windows = sample_windows([{"case": "a"}], unlabelled, inferer, 3, 0)
    assert len(windows) == 3 and all(window.shape == (1, 1, 8, 8) for window in windows)
