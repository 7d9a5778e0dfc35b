"""LiTS phantoms: layout, axes, types, values, livers and tumours; the same seed gives the same voxels."""

import nibabel as nib
import numpy as np
import pytest
from scipy.ndimage import binary_dilation

from medkd.phantoms import make_lits


@pytest.fixture(scope="module")
def livers(tmp_path_factory):
    folder = tmp_path_factory.mktemp("livers")
    assert make_lits(folder, cases=6, size=64, slices=(16, 20)) == [f"volume-{n}" for n in range(6)]
    return folder


def load_liver(folder, number):
    return [nib.load(next(folder.glob(f"*/{kind}-{number}.nii"))) for kind in ("volume", "segmentation")]


def test_layout_axes_types_and_values(livers):
    batches = {path.name: sorted(file.name for file in path.glob("volume-*")) for path in livers.iterdir()}
    assert batches["Training Batch 1"] == ["volume-0.nii", "volume-1.nii"] and len(batches["Training Batch 2"]) == 4
    for number in range(6):
        image, label = load_liver(livers, number)
        oblique = number % 3 == 2
        assert nib.aff2axcodes(image.affine) == tuple(("LPS", "RAS", "LAS")[number % 3])
        assert (np.abs(nib.affines.obliquity(image.affine)).max() > 0.05) == oblique
        assert np.array_equal(image.affine, label.affine) and image.shape == label.shape
        assert image.shape[:2] == (64, 64) and 16 <= image.shape[2] <= 20
        assert image.get_data_dtype() == (np.float32 if oblique else np.int16) and label.get_data_dtype() == np.uint8
        hu, classes = np.asarray(image.dataobj), np.asarray(label.dataobj)
        assert np.array_equal(hu, np.rint(hu)) and hu[0, 0].mean() < -900 and hu.max() > 250
        assert np.unique(classes).tolist() == ([0, 1] if number == 1 else [0, 1, 2])


def test_tumours_are_dark_and_in_the_liver_on_the_right(livers):
    for number in range(6):
        file, labels = (nib.as_closest_canonical(file) for file in load_liver(livers, number))
        hu, label = np.asarray(file.dataobj), np.asarray(labels.dataobj)
        liver, tumour = label == 1, label == 2
        # in RAS the first axis goes to the patient's right side last
        assert (label[32:] > 0).sum() > 2 * (label[:32] > 0).sum()
        assert 70 <= hu[liver].mean() <= 140
        if number != 1:
            assert (binary_dilation(liver, iterations=2) & tumour).any() and tumour.sum() >= 10
            assert 10 < hu[liver].mean() - hu[tumour].mean() < 80 and hu[tumour].std() > 10


def test_is_deterministic(livers, tmp_path):
    make_lits(tmp_path / "same", cases=6, size=64, slices=(16, 20))
    make_lits(tmp_path / "other", cases=1, size=64, slices=(16, 20), seed=1)
    for number in range(6):
        for here, same in zip(load_liver(livers, number), load_liver(tmp_path / "same", number), strict=True):
            assert np.array_equal(here.dataobj, same.dataobj) and np.array_equal(here.affine, same.affine)
    here, other = load_liver(livers, 0)[0], load_liver(tmp_path / "other", 0)[0]
    assert here.shape != other.shape or not np.array_equal(here.dataobj, other.dataobj)


def test_sizes_that_are_too_small(tmp_path):
    with pytest.raises(ValueError, match=r"make_lits: .*slices=\(4, 8\); expected cases >= 1, size >= 32"):
        make_lits(tmp_path, slices=(4, 8))
