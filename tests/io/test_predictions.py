"""Predictions on the grid of their source, from arrays."""

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from medkd.io import write_prediction

LABELS = np.zeros((1, 2, 3, 4), np.uint8)
LABELS[0, 1, 2, 3] = 2


def test_nifti_keeps_the_header_of_its_source(tmp_path):
    source = nib.Nifti1Image(np.arange(24, dtype=np.int16).reshape(2, 3, 4, 1), np.diag([0.5, 0.75, 3, 1]))
    source.header.set_xyzt_units("mm")
    source.header["cal_max"] = 400
    nib.save(source, tmp_path / "a.nii")
    written = nib.load(write_prediction(LABELS, tmp_path / "out", "a", str(tmp_path / "a.nii")))
    assert written.shape == (2, 3, 4, 1) and written.get_data_dtype() == np.uint8 and written.header["cal_max"] == 0
    assert np.array_equal(written.affine, source.affine) and written.header.get_xyzt_units()[0] == "mm"
    assert np.array_equal(np.asarray(written.dataobj)[..., 0], LABELS[0])


def test_other_volumes_take_the_affine_and_channels_become_the_fourth_axis(tmp_path):
    affine = np.diag([1.0, 2.0, 3.0, 1.0])
    probabilities = np.random.default_rng(0).random((3, 2, 3, 4), np.float32)
    path = write_prediction(probabilities, tmp_path, "a_prob", "a.nrrd", affine)
    written = nib.load(path)
    assert path == tmp_path / "a_prob.nii.gz" and np.array_equal(written.affine, affine)
    assert np.array_equal(written.dataobj, np.moveaxis(probabilities, 0, -1))


@pytest.mark.parametrize(
    ("array", "classes", "grey"),
    [
        (np.array([[[0, 1, 2]]], np.uint8), 3, [0, 1, 2]),
        (np.array([[[0, 1]]], np.uint8), 2, [0, 255]),
        (np.array([[[0.0, 0.2]], [[0.4, 0.9]]], np.float32), 3, [102, 255]),
    ],
    ids=["three classes", "two classes", "probabilities"],
)
def test_pictures_have_numbers_of_classes_or_grey_values(tmp_path, array, classes, grey):
    path = write_prediction(array, tmp_path, "a", "folder/a.JPG", num_classes=classes)
    assert path.name == "a.png" and np.asarray(Image.open(path)).tolist() == [grey]
