"""Written predictions: geometry bit for bit on oblique, flipped and anisotropic volumes, and pictures."""

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.transforms import Compose, Invertd, LoadImaged, Orientationd
from PIL import Image

from medkd.data import SaveImagePredictiond


def rotation(degrees):
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]])


GRIDS = {
    "RAS": np.diag([0.7, 0.8, 3.0]),
    "LPS": np.diag([-0.7, -0.8, 3.0]),
    "KiTS19": np.array([[0, 0, -0.7], [0, -0.7, 0], [-5.0, 0, 0]]),
    "oblique": rotation(20) @ np.diag([0.7, 0.8, 3.0]),
    "coronal, flipped": np.array([[-0.9, 0, 0], [0, 0, 4.0], [0, -0.9, 0]]),
}


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("form", ["sform", "qform"])
def test_labels_come_back_on_the_grid_of_the_image(tmp_path, grid, form):
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = GRIDS[grid], (-11.3, 7.77, 123.456)
    array = np.random.default_rng(0).integers(0, 3, (5, 6, 7)).astype(np.int16)
    image = nib.Nifti1Image(array, affine)
    if form == "qform":
        image.set_qform(affine, code=1)
        image.set_sform(None, code=0)
    image.header.set_xyzt_units("mm")
    nib.save(image, tmp_path / "scan.nii.gz")

    preprocessing = Compose(
        [LoadImaged("image", ensure_channel_first=True), Orientationd("image", axcodes="IPL", labels=None)]
    )
    item = preprocessing({"image": str(tmp_path / "scan.nii.gz"), "case": "scan"})
    item["pred"] = item["image"].clone()
    item = Invertd("pred", preprocessing, orig_keys="image", nearest_interp=False)(item)
    item["pred"] = item["pred"].to(torch.uint8)
    SaveImagePredictiond("pred", tmp_path / "out")(item)

    source, written = nib.load(tmp_path / "scan.nii.gz"), nib.load(tmp_path / "out/scan.nii.gz")
    np.testing.assert_array_equal(np.asarray(written.dataobj), array)
    assert written.get_data_dtype() == np.uint8
    assert np.array_equal(written.affine, source.affine)
    for name in ("pixdim", "qform_code", "sform_code", "srow_x", "srow_y", "srow_z", "quatern_b", "xyzt_units"):
        np.testing.assert_array_equal(written.header[name], source.header[name], err_msg=name)


def test_scaling_of_the_image_does_not_reach_the_labels(tmp_path):
    image = nib.Nifti1Image(np.full((3, 4, 5), 2, np.int16), np.eye(4))
    image.header.set_slope_inter(2.0, -1024)
    nib.save(image, tmp_path / "scan.nii.gz")
    item = LoadImaged("image", ensure_channel_first=True)({"image": str(tmp_path / "scan.nii.gz"), "case": "scan"})
    item["image"] = (item["image"] * 0 + 1).to(torch.uint8)
    SaveImagePredictiond("image", tmp_path / "out")(item)
    assert set(np.unique(nib.load(tmp_path / "out/scan.nii.gz").get_fdata())) == {1.0}


def test_a_fourth_axis_of_one_and_the_kind_of_nifti_stay(tmp_path):
    nib.save(nib.Nifti2Image(np.zeros((3, 4, 5, 1), np.int16), np.eye(4)), tmp_path / "scan.nii.gz")
    item = LoadImaged("image", ensure_channel_first=True)({"image": str(tmp_path / "scan.nii.gz"), "case": "scan"})
    item["image"] = item["image"].to(torch.uint8)
    SaveImagePredictiond("image", tmp_path / "out")(item)
    written = nib.load(tmp_path / "out/scan.nii.gz")
    assert written.shape == (3, 4, 5, 1) and isinstance(written, nib.Nifti2Image)


def test_pictures_are_grey_and_upright(tmp_path):
    Image.new("RGB", (7, 4)).save(tmp_path / "frame.png")
    load = LoadImaged("image", reader="PILReader", reverse_indexing=False, ensure_channel_first=True)
    item = load({"image": str(tmp_path / "frame.png"), "case": "frame"})
    assert item["image"].shape == (3, 4, 7)
    labels = item["image"][:1].to(torch.uint8) * 0
    labels[0, 1, 6] = 1  # second row, last column
    item["image"] = labels
    SaveImagePredictiond("image", tmp_path / "out")(item)
    written = np.asarray(Image.open(tmp_path / "out/frame.png"))
    assert written.shape == (4, 7) and written[1, 6] == 255 and written.sum() == 255
