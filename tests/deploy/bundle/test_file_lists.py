"""Lists of labelled files in train.json, as MONAI Label hands them over; tests/clients runs that program itself."""

import shutil

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser


@pytest.fixture
def scans(tmp_path):
    """Three scans with two classes, of which the second is the smaller one."""
    entries = []
    for seed in range(3):
        image = np.random.default_rng(seed).normal(40, 200, (40, 36, 20)).astype(np.int16)
        label = np.zeros(image.shape, np.uint8)
        label[8:30, 8:30, 5:15] = 1
        label[10:20, 10:20, 8:12] = 2
        entries.append({key: str(tmp_path / f"{seed}_{key}.nii.gz") for key in ("image", "label")})
        for array, path in ((image, entries[-1]["image"]), (label, entries[-1]["label"])):
            nib.save(nib.Nifti1Image(array, np.diag([-1, -1, 2.5, 1])), path)
    return entries


@pytest.mark.parametrize("mode", ["2d", "3d"])
def test_several_classes_of_own_data_reach_training_and_validation(packed, scans, tmp_path, mode):
    """The values of MONAI Label: lists over those of train.json, and no data set of medkd anywhere."""
    bundle = shutil.copytree(packed("nifti", mode), tmp_path / "nifti_segmentation")
    parser = ConfigParser(ConfigParser.load_config_file(bundle / "configs/train.json"))
    parser.update({"bundle_root": str(bundle), "device": "cpu", "train#dataset#data": scans[:2]})
    parser.update({"validate#dataset#data": scans[2:], "train#trainer#max_epochs": 1})
    parser.get_parsed_content("prepared_lists")
    batch = next(iter(parser.get_parsed_content("train::dataloader")))
    assert batch["image"].shape[2:] == (32, 32) if mode == "2d" else (16, 32, 32)
    assert batch["image"].min() >= -1 and batch["image"].max() <= 1 and batch["image"].std() > 0.1
    item = parser.get_parsed_content("validate::samples")[0]
    values, counts = torch.as_tensor(item["label"]).unique(return_counts=True)
    assert values.tolist() == [0, 1, 2]
    assert counts.tolist() == [40 * 36 * 20 - 22 * 22 * 10, 22 * 22 * 10 - 400, 400]
    assert parser.get_parsed_content("output_dir") == f"{bundle}/trained_on_lists/run"
    assert parser.get_parsed_content("test::part") == "validation"


def test_without_lists_a_prepared_data_set_is_read(packed, kits19_data):
    parser = ConfigParser(ConfigParser.load_config_file(packed("kits19", "2d") / "configs/train.json"))
    parser.update({"dataset_dir": str(kits19_data), "device": "cpu"})
    assert [len(parser.get_parsed_content(name)) for name in ("validate::samples::data", "test::data")] == [1, 1]
    assert parser.get_parsed_content("test::part") == "test"
