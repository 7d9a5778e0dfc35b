"""Channels of an image: the forms in which folders hold them, what is refused, and reading them onto one grid."""

import re

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk

from medkd.io import discover_channels, read_channels

NAMES = ["t1", "T2", "flair"]
FORMS = {
    "nnU-Net's names": ["a_0000.nii.gz", "a_0001.nii.gz", "a_0002.mha", "b_0000.nii", "b_0001.nii", "b_0002.nii"],
    "a folder for each channel": ["t1/a.nii", "t2/a.nii", "Flair/a.nrrd", "t1/b.nii", "t2/b.nii", "Flair/b.nii"],
    "the channel's name behind": ["a_t1.nii", "a-t2.nii", "a_flair.nii", "b_T1.nii", "b_t2.nii", "b_flair.nii"],
    "a folder for each case": [
        "a/t1.nii",
        "a/a_t2.nii",
        "a/x.flair.nii",
        "b/b_0000.nii",
        "b/b_0001.nii",
        "b/b_0002.nii",
    ],
    "one 4-D file": ["a.nii.gz", "b.nii.gz"],
}


def touch(folder, names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


@pytest.mark.parametrize("form", FORMS)
def test_each_form_is_found_and_its_channels_are_in_the_order_of_their_names(tmp_path, form):
    touch(tmp_path, [*FORMS[form], ".hidden_0000.nii"])
    found = discover_channels(tmp_path, NAMES)
    assert found.form.startswith(form) and not found.refused and not found.rest
    expected = FORMS[form][:3] if "4-D" not in form else FORMS[form][:1]
    assert sorted(found.files) == ["a", "b"] and found.files["a"] == tuple(tmp_path / name for name in expected)


def test_files_named_by_their_channels_alone_are_one_case(tmp_path):
    touch(tmp_path / "patient", ["t1.nii", "t2.nii", "flair.nii", "seg.nii"])
    found = discover_channels(tmp_path / "patient", NAMES)
    assert list(found.files) == ["patient"] and [path.name for path in found.rest] == ["seg.nii"]


def test_numbers_are_channels_unless_they_are_names_of_cases(tmp_path):
    touch(tmp_path, [f"scan_{number:04}.nii" for number in range(6)])
    assert len(discover_channels(tmp_path, NAMES).files) == 6  # of a 4-D file each
    assert len(discover_channels(tmp_path, NAMES, ["scan_0003"]).files) == 6


def test_a_channel_whose_name_ends_in_that_of_another(tmp_path):
    touch(tmp_path, ["a_t1.nii", "a_t1-gd.nii", "a_gd.nii"])
    names = [path.name for path in discover_channels(tmp_path, ["gd", "t1", "t1-gd"]).files["a"]]
    assert names == ["a_gd.nii", "a_t1.nii", "a_t1-gd.nii"]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["b_0001.nii"], "lacks the channel t1 and flair: found .*b_0001.nii; add it"),
        (["b_0000.nii", "b_0001.nii", "b_0001.nrrd", "b_0002.nii"], "several files of one channel: .*b_0001.nii, "),
        ([f"b_{n:04}.nii" for n in range(4)], "found b_0003.nii, expected the 3 channels t1, T2, flair"),
    ],
)
def test_a_case_of_other_channels_is_refused_by_name(tmp_path, names, message):
    touch(tmp_path, [*FORMS["nnU-Net's names"][:3], *names])
    found = discover_channels(tmp_path, NAMES)
    assert list(found.files) == ["a"] and re.match(message, found.refused["b"])


def test_what_no_case_has_is_one_error(tmp_path):
    touch(tmp_path / "numbered", [f"{case}_{n:04}.nii" for case in "ab" for n in range(2)])
    with pytest.raises(
        ValueError, match=r"channels: found 3 names .*, expected 2: each case .* \(a_0000.nii, a_0001.nii\)"
    ):
        discover_channels(tmp_path / "numbered", NAMES)
    touch(tmp_path / "folders", ["t1/a.nii", "t2/a.nii"])
    with pytest.raises(ValueError, match="found the folders t1, t2, expected flair too"):
        discover_channels(tmp_path / "folders", NAMES)


RNG = np.random.default_rng(0)
IMAGE = RNG.normal(size=(3, 6, 5, 4)).astype(np.float32)
AFFINE = np.diag([-1.0, -1.0, 2.0, 1.0])


def save(path, array, affine=AFFINE):
    nib.save(nib.Nifti1Image(array, affine), path)
    return path


def test_files_and_a_4d_file_give_the_same_image(tmp_path):
    files = [save(tmp_path / f"{n}.nii", channel) for n, channel in enumerate(IMAGE)]
    turned = nib.Nifti1Image(IMAGE[1], AFFINE).as_reoriented([[1, -1], [0, 1], [2, -1]])  # the same grid on other axes
    nib.save(turned, files[1])
    together = save(tmp_path / "all.nii.gz", np.moveaxis(IMAGE, 0, -1))
    vectors = save(tmp_path / "vectors.nii.gz", np.moveaxis(IMAGE, 0, -1)[:, :, :, None])
    image = sitk.GetImageFromArray(IMAGE.transpose(3, 2, 1, 0), isVector=True)
    image.SetSpacing([1, 1, 2])
    sitk.WriteImage(image, str(tmp_path / "all.nrrd"))
    for found in (files, [together], [vectors], [tmp_path / "all.nrrd"]):
        array, affine, _ = read_channels(found, NAMES)
        assert np.array_equal(array, IMAGE), found
        np.testing.assert_allclose(affine, AFFINE, atol=1e-6)
    with pytest.raises(ValueError, match=r"all.nii.gz: found shape \(6, 5, 4, 3\), expected 2 channels \(t1, T2\)"):
        read_channels([together], NAMES[:2])


@pytest.mark.parametrize(
    ("array", "affine", "message"),
    [
        (IMAGE[1][:-1], AFFINE, r"shape \(5, 5, 4\), expected \(6, 5, 4\)"),
        (IMAGE[1], AFFINE + 0.3 * np.eye(4, k=3), "corners 0.3 voxels apart"),
    ],
)
def test_a_channel_on_another_grid_is_refused_or_resampled(tmp_path, array, affine, message):
    files = [save(tmp_path / "0.nii", IMAGE[0]), save(tmp_path / "1.nii", array, affine)]
    with pytest.raises(
        ValueError, match=rf"channel T2: found another grid than that of t1 \({message}.*--resample_channels"
    ):
        read_channels(files, NAMES[:2])
    image, _, notes = read_channels(files, NAMES[:2], resample=True)
    assert image.shape == (2, 6, 5, 4) and re.search("channel T2: resampled .* onto the grid of t1", notes[0])
    if affine is AFFINE:
        np.testing.assert_allclose(image[1][:-1], array, atol=1e-5)


def test_grids_that_differ_by_rounding_alone_are_one(tmp_path):
    files = [save(tmp_path / "0.nii", IMAGE[0]), save(tmp_path / "1.nii", IMAGE[1], AFFINE + 0.2 * np.eye(4, k=3))]
    assert np.array_equal(read_channels(files, NAMES[:2]).array, IMAGE[:2])


def test_colours_and_complex_numbers_are_no_channel(tmp_path):
    files = [save(tmp_path / "0.nii", IMAGE[0]), save(tmp_path / "1.nii", IMAGE[1].astype(np.complex64))]
    with pytest.raises(ValueError, match="1.nii has voxels of type complex64"):
        read_channels(files, NAMES[:2])


def test_files_that_are_not_the_channels_are_counted(tmp_path):
    files = [save(tmp_path / f"{n}.nii", channel) for n, channel in enumerate(IMAGE)]
    with pytest.raises(ValueError, match=r"found 3 files \(0.nii, 1.nii, 2.nii\), expected 2 channels \(t1, T2\)"):
        read_channels(files, NAMES[:2])
    with pytest.raises(ValueError, match=r"found 3 files .* expected 1 channel \(image\): name all .*--channels"):
        read_channels(files, ["image"])
    with pytest.raises(
        ValueError, match=r"0.nii: found one channel \(shape .*, expected 2 channels \(t1, T2\), in files"
    ):
        read_channels(files[:1], NAMES[:2])


def test_how_much_a_resampled_channel_covers_is_said(tmp_path):
    half, far = AFFINE.copy(), AFFINE.copy()
    half[2, 3], far[2, 3] = 4, 400
    files = [save(tmp_path / "0.nii", IMAGE[0]), save(tmp_path / "1.nii", IMAGE[1], half)]
    image, _, notes = read_channels(files, NAMES[:2], resample=True)
    assert "it covers 50% of that, the rest has its lowest value" in notes[0]
    assert np.all(image[1][:, :, :2] == IMAGE[1].min()) and np.allclose(image[1][:, :, 2:], IMAGE[1][:, :, :2])
    with pytest.raises(ValueError, match="channel T2: lies outside the grid of t1, expected the same part of the body"):
        read_channels([files[0], save(tmp_path / "2.nii", IMAGE[1], far)], NAMES[:2], resample=True)


def test_a_resampled_channel_reaches_the_border_of_its_outermost_voxels(tmp_path):
    # both channels cover the same 8 mm on each axis, with voxels of 1 and of 2 mm
    coarse = np.diag([2.0, 2, 2, 1])
    coarse[:3, 3] = 0.5
    for name, array, affine in (("a", np.zeros((8, 8, 8)), np.eye(4)), ("b", np.full((4, 4, 4), 7.0), coarse)):
        array = array.copy()
        array[1, 1, 1] = -50  # the lowest value
        nib.save(nib.Nifti1Image(array.astype(np.float32), affine), tmp_path / f"{name}.nii")
    image, _, notes = read_channels([tmp_path / "a.nii", tmp_path / "b.nii"], ("a", "b"), resample=True)
    assert image[1][7].min() == image[1][:, 7].min() == image[1][0, 7].min() == 7 and "covers" not in notes[0]
