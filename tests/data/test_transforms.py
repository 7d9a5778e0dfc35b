"""The task's classes out of raw labels, and image checks that name the file."""

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from medkd.data import CheckImaged, MapLabelsd, target_values

RAW = np.array([[[0, 1], [2, 1]]], np.uint8)


@pytest.mark.parametrize(
    ("target", "mapped"),
    [("tumour", [[0, 0], [1, 0]]), ("organ", [[0, 1], [1, 1]]), ("both", [[0, 1], [2, 1]])],
)
def test_targets(target, mapped):
    for label in (RAW, torch.from_numpy(RAW), MetaTensor(torch.from_numpy(RAW), meta={"filename_or_obj": "f"})):
        for given in (target, target_values(target)):
            found = MapLabelsd("label", given)({"label": label, "case": "c"})["label"]
            assert type(found) is type(label) and found.dtype == label.dtype
            assert np.asarray(found).tolist() == [mapped]
    assert found.meta["filename_or_obj"] == "f"
    assert RAW.tolist() == [[[0, 1], [2, 1]]]  # the input is left alone


def test_values_in_other_data_sets():
    assert target_values("tumour", organ=5, tumour=7) == {0: 0, 5: 0, 7: 1}
    swap = MapLabelsd("label", {0: 0, 1: 2, 2: 1})
    assert swap({"label": RAW})["label"].tolist() == [[[0, 2], [1, 2]]]


def test_target_refuses():
    with pytest.raises(ValueError, match="target 'tumor' is unknown, expected one of tumour, organ, both"):
        MapLabelsd("label", "tumor")
    with pytest.raises(ValueError, match=r"case c, slice 4, label: found label value 3, expected one of \[0, 1, 2\]"):
        MapLabelsd("label")({"label": RAW + 1, "case": "c", "slice": 4})


def test_check_passes_images_through():
    image = torch.zeros(1, 4, 5, 6)
    assert CheckImaged("image", channels=1, spatial_dims=3)({"image": image})["image"] is image
    CheckImaged("image")({"image": np.zeros((7, 3), np.int16)})


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_check_names_the_file(bad):
    image = torch.zeros(1, 2, 3, 4)
    image[0, 1, 1, 1] = image[0, 0, 0, 0] = bad
    with pytest.raises(ValueError, match=r"^/d/x\.nii\.gz: 2 voxels with NaN or infinity"):
        CheckImaged("image")({"image": MetaTensor(image, meta={"filename_or_obj": "/d/x.nii.gz"})})


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((1, 2, 3, 4, 5), r"4 spatial axes in \(1, 2, 3, 4, 5\), expected 3"),
        ((1, 2, 3), "2 spatial axes"),
        ((9, 2, 3, 4), r"9 channels in \(9, 2, 3, 4\), expected 1"),
    ],
)
def test_check_shapes(shape, message):
    with pytest.raises(ValueError, match=message):
        CheckImaged("image", channels=1, spatial_dims=3)({"image": np.zeros(shape)})


def test_finite_voxels_pass_though_their_sum_is_infinite():
    image = torch.full((1, 4, 4), 3e38)
    assert CheckImaged("image")({"image": image})["image"] is image
