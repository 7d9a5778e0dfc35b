"""Every volume format gives the same voxels at the same millimetres."""

import gzip

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from monai.transforms import LoadImage

from medkd.data import VolumeFileReader
from medkd.io import read_volume_file

ARRAY = np.arange(4 * 5 * 6, dtype=np.int16).reshape(4, 5, 6) - 50
TURN = np.array([[0.8, -0.6, 0], [0.6, 0.8, 0], [0, 0, 1]])


def lps_image(array=ARRAY, direction=TURN, spacing=(0.7, 0.9, 2.5), origin=(10, -20, 30)):
    image = sitk.GetImageFromArray(array.T)
    image.SetSpacing(spacing)
    image.SetOrigin(origin)
    image.SetDirection(direction.ravel().tolist())
    return image


@pytest.mark.parametrize("flip", [1, -1])
@pytest.mark.parametrize("suffix", [".nii.gz", ".nii", ".nrrd", ".nhdr", ".mha", ".mhd", ".seg.nrrd"])
def test_voxels_and_millimetres(tmp_path, suffix, flip):
    image = lps_image(direction=TURN * [1, flip, flip])  # a turn of half a circle about the first axis
    path = tmp_path / f"volume{suffix}"
    sitk.WriteImage(image, str(path))
    array, affine = read_volume_file(path)
    np.testing.assert_array_equal(array, ARRAY)
    for index in ((0, 0, 0), (3, 1, 5)):
        world = np.array([-1, -1, 1]) * image.TransformIndexToPhysicalPoint(index)
        np.testing.assert_allclose((affine @ [*index, 1])[:3], world, atol=1e-3)
    loaded = LoadImage(reader=VolumeFileReader)(path)
    np.testing.assert_array_equal(loaded, ARRAY)
    np.testing.assert_allclose(loaded.affine, affine)


def test_a_fourth_axis_of_one_is_no_axis(tmp_path):
    nib.save(nib.Nifti1Image(ARRAY[..., None], np.eye(4)), tmp_path / "a.nii.gz")
    assert read_volume_file(tmp_path / "a.nii.gz")[0].shape == ARRAY.shape


def write(image, name):
    return lambda folder: sitk.WriteImage(image, str(folder / name))


def no_affine(folder):
    text = "NRRD0004\ntype: uchar\ndimension: 3\nspace: left-posterior-superior\nsizes: 2 2 2\n"
    text += "space directions: (0,0,0) (0,1,0) (0,0,1)\nencoding: ascii\nspace origin: (0,0,0)\n\n1 2 3 4 5 6 7 8\n"
    (folder / "a.nrrd").write_text(text)


def short(name):
    def spoil(folder):
        write(lps_image(), name)(folder)
        (folder / name).write_bytes((folder / name).read_bytes()[:-40])

    return spoil


def header(name, *shape):
    """A NIfTI file whose header says another shape than its voxels have."""

    def spoil(folder):
        content = bytearray(nib.Nifti1Image(ARRAY, np.eye(4)).to_bytes())
        content[40:56] = np.array([len(shape), *shape, *[1] * (7 - len(shape))], "<i2").tobytes()
        (folder / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)

    return spoil


@pytest.mark.parametrize(
    ("spoil", "name", "message"),
    [
        (write(sitk.GetImageFromArray(ARRAY[0]), "a.mha"), "a.mha", "2 axes, expected three axes"),
        (write(sitk.GetImageFromArray(ARRAY[0]), "a.nii.gz"), "a.nii.gz", "expected three axes"),
        (write(sitk.JoinSeries([lps_image()] * 2), "a.nrrd"), "a.nrrd", "4 axes, expected three axes"),
        (
            write(sitk.Compose([lps_image(), lps_image()]), "a.seg.nrrd"),
            "a.seg.nrrd",
            "2 values per voxel .overlapping segments",
        ),
        (no_affine, "a.nrrd", "affine without a volume|unreadable"),
        (short("a.mha"), "a.mha", "unreadable or truncated"),
        (short("a.nrrd"), "a.nrrd", "unreadable or truncated"),
        (
            lambda folder: (folder / "a.mhd").write_text("no image"),
            "a.mhd",
            r"found text \(.no image.\), expected MetaImage",
        ),
        (header("a.nii", 4, -5, 6), "a.nii", r"the header says shape \(4, -5, 6\), expected lengths above 0"),
        (header("a.nii.gz", *[32767] * 3), "a.nii.gz", r"the header says shape .* bytes, the file has \d+"),
        (header("a.nii", *[32767] * 7), "a.nii", r"the header says shape .* bytes, the fil"),
        (header("a.nii.gz", 0, 5, 6), "a.nii.gz", "expected three axes"),
    ],
)
def test_refused_files(tmp_path, spoil, name, message):
    spoil(tmp_path)
    with pytest.raises(ValueError, match=message) as error:
        read_volume_file(tmp_path / name)
    assert str(tmp_path / name) in str(error.value) and "\n" not in str(error.value)
