"""Volumes of a preparation: pairs on one grid, whole numbers, stored axes and label values."""

import nibabel as nib
import numpy as np
import pytest

from medkd.data import read_volume
from medkd.data_prep._cases import CaseFiles
from medkd.data_prep._volume_images import to_stored_axes
from medkd.data_prep._volumes import (
    VolumePair,
    ct_label_values,
    ct_properties,
    discover_ct_pairs,
    read_pair,
    store_volumes,
    without_negative,
)

from .own_volumes import CT, make_ct, save


@pytest.mark.parametrize("codes", ["IPL", "RAS", "LPS", "SLA"])
def test_stored_axes_keep_every_voxel_at_its_millimetres(codes):
    image = nib.Nifti1Image(np.arange(24, dtype=np.int16).reshape(2, 3, 4), CT)
    ornt = nib.orientations.ornt_transform(nib.io_orientation(CT), nib.orientations.axcodes2ornt(codes))
    image = image.as_reoriented(ornt)
    (stored,), affine = to_stored_axes(np.asarray(image.dataobj)[None], image.affine)
    assert nib.aff2axcodes(affine) == ("I", "P", "L") and stored.shape == (4, 3, 2)
    for index in ((0, 0, 0), (3, 1, 0)):
        original = np.rint(np.linalg.inv(image.affine) @ affine @ [*index, 1])[:3].astype(int)
        assert stored[index] == image.dataobj[tuple(original)]


def test_a_pair_is_on_one_grid(tmp_path):
    image, label = make_ct()
    save(tmp_path / "image.nii.gz", image)
    turned = nib.Nifti1Image(label, CT).as_reoriented([[1, -1], [0, 1], [2, -1]])
    save(tmp_path / "label.nrrd", np.asarray(turned.dataobj), turned.affine)
    pair = read_pair(CaseFiles((tmp_path / "image.nii.gz",), tmp_path / "label.nrrd"))
    assert np.array_equal(pair.image[0], image.transpose(2, 1, 0)[::-1]) and pair.orientation == "LPS"
    assert np.array_equal(pair.label, label.transpose(2, 1, 0)[::-1]) and pair.label.dtype == np.uint8
    save(tmp_path / "moved.nii.gz", label, CT + 0.3 * np.eye(4, k=3))
    with pytest.raises(
        ValueError,
        match=r"differ by up to 0.3: corners lie 0.375 voxels apart \(tolerance 0.25\)",
    ):
        read_pair(CaseFiles((tmp_path / "image.nii.gz",), tmp_path / "moved.nii.gz"))
    save(tmp_path / "flat.nii.gz", image * 0 + 7)
    with pytest.raises(ValueError, match="every voxel is 7, expected an image"):
        read_pair(CaseFiles((tmp_path / "flat.nii.gz",), tmp_path / "label.nrrd"))


@pytest.mark.parametrize("angle", [0.0, np.pi / 4, 0.8])
def test_a_mask_on_other_axes_of_the_grid_is_turned_to_its_image(tmp_path, angle):
    """Near 45 degrees rounding decides how axes are called: the mask follows its image, not its own names."""
    image, label = make_ct()
    affine = nib.affines.from_matvec(nib.eulerangles.euler2mat(angle) @ CT[:3, :3], [10, 20, 30])
    save(tmp_path / "image.nii.gz", image, affine)
    rounded = affine * (1 + 1e-6)
    rounded[3, 3] = 1
    pairs = []
    for number, axes in enumerate(([[0, 1], [1, 1], [2, 1]], [[2, -1], [0, 1], [1, -1]])):
        turned = nib.Nifti1Image(label, rounded).as_reoriented(axes)
        nib.save(turned, tmp_path / f"label{number}.nii.gz")
        pairs.append(read_pair(CaseFiles((tmp_path / "image.nii.gz",), tmp_path / f"label{number}.nii.gz")))
    assert np.array_equal(pairs[0].label, pairs[1].label) and np.array_equal(pairs[0].image, pairs[1].image)
    assert np.median(pairs[0].image[0][pairs[0].label == 2]) > 150


def test_the_tolerance_is_a_share_of_the_voxel(tmp_path):
    image, label = make_ct()
    for size, moved, is_refused in ((0.001, 0.0002, False), (0.001, 0.0005, True), (5.0, 0.5, False), (5.0, 2.5, True)):
        affine = np.diag([-size, -size, size, 1])
        save(tmp_path / "image.nii.gz", image, affine)
        save(tmp_path / "label.nii.gz", label, affine + moved * np.eye(4, k=3))
        if is_refused:
            with pytest.raises(ValueError, match="corners lie 0.5 voxels apart"):
                read_pair(CaseFiles((tmp_path / "image.nii.gz",), tmp_path / "label.nii.gz"))
        else:
            assert read_pair(CaseFiles((tmp_path / "image.nii.gz",), tmp_path / "label.nii.gz")).notes == ()


def test_notes_name_the_files_of_a_pair_and_explain_a_refusal(tmp_path):
    image, label = make_ct()
    for name, array in (("image", image), ("label", label)):
        bare = nib.Nifti1Image(array, CT)
        bare.set_sform(None, 0)
        bare.set_qform(None, 0)
        nib.save(bare, tmp_path / f"{name}.nii.gz")
    (note,) = read_pair(CaseFiles((tmp_path / "image.nii.gz",), tmp_path / "label.nii.gz")).notes
    assert note.startswith("image and mask: the header has no orientation")
    save(tmp_path / "label.nii.gz", label)
    with pytest.raises(ValueError, match="affines of image and mask differ .*; image: the header has no orientation"):
        read_pair(CaseFiles((tmp_path / "image.nii.gz",), tmp_path / "label.nii.gz"))


def test_stored_volumes_have_the_stored_values(tmp_path):
    label = np.zeros((3, 4, 4), np.uint8)
    label[1, 0, 0], label[2, 1, 1] = 5, 9
    pair = VolumePair(np.zeros((1, 3, 4, 4), np.int16), label, np.diag([3.0, 0.5, 0.5, 1]), "RAS")
    entry = store_volumes("c", "p", pair.image, pair, tmp_path, {0: 0, 5: 1, 9: 2})
    assert (entry["case"], entry["patient"]) == ("c", "p")
    assert entry["spacing"] == [3.0, 0.5, 0.5] and entry["slices_with"] == {"1": [1], "2": [2]}
    stored, affine = read_volume(tmp_path / entry["label"])
    assert np.array_equal(stored, np.where(label == 5, 1, np.where(label == 9, 2, 0)))
    np.testing.assert_array_equal(affine, pair.affine)
    with pytest.raises(ValueError, match=r"label values \[9\] in the mask .*, expected only \[0, 5\]"):
        store_volumes("d", "p", pair.image, pair, tmp_path, {0: 0, 5: 1})


def test_cases_without_negative_values_are_listed():
    assert without_negative({"a": -1000.0}) == ""
    assert without_negative({"a": 0.0, "b": -1.0}).startswith("a: no voxel is below 0")
    assert " and 2 more: no voxel" in without_negative({f"c{number}": 0.0 for number in range(12)})


def test_values_and_properties_of_ct():
    assert ct_label_values("lits", "lits") == {0: 0, 1: 1, 2: 2} and ct_label_values("lits", "tumour") == {0: 0, 1: 2}
    with pytest.raises(ValueError, match="--label_values: found 'kits19', expected one of lits, tumour, organ"):
        ct_label_values("lits", "kits19")
    assert ct_properties("liver", "lits")["labels"] == {"0": "background", "1": "liver", "2": "tumour"}


def test_pairs_of_folders_of_ct(tmp_path):
    assert discover_ct_pairs(tmp_path) is None
    for folder in ("images", "masks"):
        save(tmp_path / folder / "a.nii.gz", make_ct()[0])
    assert list(discover_ct_pairs(tmp_path).files) == ["a"]
    for folder in ("imagesTr", "labelsTr"):
        save(tmp_path / folder / "b.mha", make_ct()[0])
    (tmp_path / "imagesTr" / "notes").mkdir()  # no DICOM series
    cases = discover_ct_pairs(tmp_path)
    assert list(cases.files) == ["b"] and not cases.refused
