"""Phantoms of a user's own volumes: two folders of equal names on one grid."""

import nibabel as nib
import numpy as np
import pytest

from medkd.phantoms import make_nifti


def test_folders_hold_pairs_of_one_grid(tmp_path):
    names = make_nifti(tmp_path / "a", cases=2, size=32, slices=(8, 9), seed=3)
    assert names == ["patient_00", "patient_01"]
    for folder in ("images", "labels"):
        assert sorted(path.name for path in (tmp_path / "a" / folder).iterdir()) == [f"{n}.nii.gz" for n in names]
    image, label = (nib.load(tmp_path / "a" / kind / "patient_01.nii.gz") for kind in ("images", "labels"))
    np.testing.assert_array_equal(image.affine, label.affine)
    assert image.shape == label.shape and set(np.unique(label.dataobj)) == {0, 1}
    assert np.asarray(image.dataobj).min() < -900 and nib.aff2axcodes(image.affine) == ("I", "P", "L")
    make_nifti(tmp_path / "b", cases=2, size=32, slices=(8, 9), seed=3)
    again = nib.load(tmp_path / "b/images/patient_01.nii.gz")
    np.testing.assert_array_equal(image.dataobj, again.dataobj)


def test_refuses_sizes(tmp_path):
    with pytest.raises(ValueError, match="make_nifti: cases=1, size=16"):
        make_nifti(tmp_path, cases=1, size=16)
