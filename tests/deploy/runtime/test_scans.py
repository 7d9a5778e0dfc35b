"""A scan is turned to the network's axes and intensities, and predictions are turned back."""

import dataclasses

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from medkd.deploy.runtime.scans import Scan, read_image


def save_scan(path, array, affine):
    nib.save(nib.Nifti1Image(array, affine), path)
    return path


@pytest.mark.parametrize("axcodes", ["RAS", "LPI", "SRA"])
def test_axes_spacing_and_the_way_back(spec, tmp_path, axcodes):
    array = np.random.default_rng(0).integers(-200, 300, (5, 6, 7)).astype(np.int16)
    turn = nib.orientations.inv_ornt_aff(nib.orientations.axcodes2ornt(axcodes), (5, 6, 7))
    affine = np.diag([2.0, 3.0, 4.0, 1.0]) @ turn  # mm of left-right, back-front, feet-head
    scan = Scan([save_scan(tmp_path / "a.nii.gz", array, affine)], spec)
    assert scan.spacing == pytest.approx((4.0, 3.0, 2.0))  # slices from head to feet, rows, columns
    np.testing.assert_allclose((scan.image[0] + 1) / 2 * 500 - 200, oriented(array, affine), atol=1e-3)
    np.testing.assert_allclose((scan.as_in_file(scan.image)[0] + 1) / 2 * 500 - 200, array, atol=1e-3)
    assert np.array_equal(scan.affine, affine)


def oriented(array, affine):
    """The array with slices to the feet, rows to the back, columns to the left: nibabel's axes I, P, L."""
    canonical = nib.as_closest_canonical(nib.Nifti1Image(array, affine)).get_fdata()
    return canonical[::-1, ::-1, ::-1].transpose(2, 1, 0)


def test_intensities_outside_the_window_are_clipped(spec, tmp_path):
    array = np.array([-1000, -200, 50, 300, 2000], np.int16).reshape(5, 1, 1)
    path = save_scan(tmp_path / "a.nii.gz", array, np.eye(4))
    assert sorted(Scan([path], spec).image.ravel().tolist()) == [-1, -1, 0, 1, 1]
    assert Scan([path], dataclasses.replace(spec, clip=False)).image.max() > 1


def test_what_cannot_be_used_is_refused(spec, tmp_path):
    array = np.full((2, 3, 4), np.nan, np.float32)
    with pytest.raises(ValueError, match="24 voxels with NaN or infinity"):
        Scan([save_scan(tmp_path / "a.nii.gz", array, np.eye(4))], spec)
    with pytest.raises(ValueError, match="found a network of pictures, expected one of scans"):
        Scan([tmp_path / "a.nii.gz"], dataclasses.replace(spec, kind="pictures", orientation=None))


def test_pictures_keep_their_size(spec, tmp_path):
    Image.fromarray(np.array([[[0, 255, 51]] * 3] * 2, np.uint8)).save(tmp_path / "a.png")
    image = read_image(tmp_path / "a.png", dataclasses.replace(spec, intensities=(0, 255), clip=False))
    assert image.shape == (3, 2, 3)
    np.testing.assert_allclose(image[:, 0, 0], [-1, 1, -0.6], atol=1e-6)
