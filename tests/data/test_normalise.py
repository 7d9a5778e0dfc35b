"""Intensities of MR: percentiles of each case, whole numbers, the same whatever the order of the voxels."""

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from medkd.data import NormaliseCased

MR = np.random.default_rng(0).gamma(2.0, 3000.0, (9, 20, 30))


def test_percentiles_become_0_and_1000():
    found = NormaliseCased("image")({"image": MR})["image"]
    np.testing.assert_allclose(np.percentile(found, [0.5, 99.5]), [0, 1000], atol=1)
    low, high = np.percentile(MR.astype(np.float32), [0.5, 99.5])
    np.testing.assert_allclose(found, (MR - low) / (high - low) * 1000, atol=0.51)  # nothing is cut off, all is rounded
    assert found.max() > 1100 and np.array_equal(found, np.rint(found))


def test_any_scale_gives_the_same():
    first, second = (NormaliseCased("image")({"image": MR * factor})["image"] for factor in (1, 0.125))
    np.testing.assert_array_equal(first, second)


def test_axes_kinds_and_meta_data_do_not_matter():
    stored = NormaliseCased("image")({"image": MR})["image"]
    image = MetaTensor(torch.from_numpy(MR.transpose(2, 0, 1)[None].astype(np.float32)), affine=torch.eye(4) * 2)
    read = NormaliseCased("image")({"image": image})["image"]
    assert isinstance(read, MetaTensor) and torch.equal(read.affine, image.affine)
    np.testing.assert_array_equal(read[0].numpy().transpose(1, 2, 0), stored)


def test_what_has_a_scale_is_rounded_alone():
    image = np.array([[[-1000.4, 0.6, 3071.0]]])
    np.testing.assert_array_equal(
        NormaliseCased("image", per_case=False)({"image": image})["image"], [[[-1000, 1, 3071]]]
    )


def test_far_outliers_stay_in_int16():
    image = MR.copy()
    image[0, 0, 0] = 1e12
    assert NormaliseCased("image")({"image": image})["image"].max() == 32767


def test_an_empty_image_is_named():
    with pytest.raises(ValueError, match="case c1, image: nearly all voxels are 7: nothing to scale"):
        NormaliseCased("image")({"image": np.full((4, 4, 4), 7), "case": "c1"})


def test_each_channel_has_its_own_rule():
    image = np.stack([np.linspace(-1000, 900, 64), np.linspace(3, 9, 64)]).reshape(2, 4, 4, 4)
    found = NormaliseCased("image", [False, True])({"image": image})["image"]
    assert np.array_equal(found[0], np.rint(image[0]))
    assert np.array_equal(found[1], NormaliseCased("image")({"image": image[1]})["image"])
    with pytest.raises(ValueError, match="found 2 channels, expected 3"):
        NormaliseCased("image", [False, True, True])({"image": image})
