"""KiTS19 phantoms: axes, types, values, kidneys and tumours; the same seed gives the same voxels."""

import nibabel as nib
import numpy as np
import pytest
from scipy.ndimage import binary_dilation

from medkd.phantoms import make_kits19


@pytest.fixture(scope="module")
def kits(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kits")
    assert make_kits19(folder, cases=4, size=64, slices=(16, 20)) == [f"case_{n:05d}" for n in range(4)]
    return folder


def load(folder, case):
    return [nib.load(folder / "data" / f"case_{case:05d}" / f"{kind}.nii.gz") for kind in ("imaging", "segmentation")]


def test_axes_types_and_values(kits):
    spacings = set()
    for case in range(4):
        image, label = load(kits, case)
        assert nib.aff2axcodes(image.affine) == ("I", "P", "L")
        assert np.array_equal(image.affine, label.affine) and image.shape == label.shape
        assert 16 <= image.shape[0] <= 20 and image.shape[1:] == (64, 64)
        step, row, column = image.header.get_zooms()
        assert 1 <= step <= 5 and 0.6 <= row <= 0.9 and row == column
        spacings.add((float(step), float(row)))
        assert image.get_data_dtype() == np.int16
        assert label.get_data_dtype() == (np.uint16 if case == 3 else np.uint8)
        hu, classes = np.asarray(image.dataobj), np.asarray(label.dataobj)
        assert np.unique(classes).tolist() == [0, 1, 2]
        assert hu[:, 0, 0].mean() < -900 and hu.max() > 250
    assert len(spacings) == 4


def test_kidneys_left_and_right_of_the_spine_and_tumours_at_them(kits):
    for case in range(4):
        image, label = (np.asarray(file.dataobj) for file in load(kits, case))
        kidney, tumour = label == 1, label == 2
        assert kidney[:, :, :28].sum() > 100 and kidney[:, :, 36:].sum() > 100 and not kidney[:, :, 30:34].any()
        assert (binary_dilation(kidney, iterations=2) & tumour).any()
        assert 20 <= image[kidney].mean() <= 210
        assert 15 < image[kidney].mean() - image[tumour].mean() < 90
        assert image[tumour].std() > 10  # textured and noisy: no threshold gives it away


def test_small_tumours(kits):
    sizes = [(np.asarray(load(kits, case)[1].dataobj) == 2).sum() for case in range(4)]
    assert sizes[2] == min(sizes) and sizes[2] >= 10


def test_is_deterministic(kits, tmp_path):
    make_kits19(tmp_path / "same", cases=2, size=64, slices=(16, 20))
    make_kits19(tmp_path / "other", cases=2, size=64, slices=(16, 20), seed=1)
    for case in range(2):
        for here, same in zip(load(kits, case), load(tmp_path / "same", case), strict=True):
            assert np.array_equal(here.dataobj, same.dataobj) and np.array_equal(here.affine, same.affine)
    here, other = load(kits, 0)[0], load(tmp_path / "other", 0)[0]
    assert here.shape != other.shape or not np.array_equal(here.dataobj, other.dataobj)


def test_one_wide_case(kits, tmp_path):
    make_kits19(tmp_path, cases=2, size=64, slices=(16, 20), wide_case=1)
    image, label = load(tmp_path, 1)
    assert image.shape[1:] == (64, 100) and label.shape == image.shape
    assert np.unique(label.dataobj).tolist() == [0, 1, 2]
    assert np.array_equal(load(tmp_path, 0)[0].dataobj, load(kits, 0)[0].dataobj)  # the others stay as they are


def test_sizes_that_are_too_small(tmp_path):
    with pytest.raises(ValueError, match="make_kits19: .*size=16, .*expected cases >= 1, size >= 32"):
        make_kits19(tmp_path, size=16)
