"""Slices of another width, as KiTS19's case_00160 has: image and mask stay together from the store to the prediction."""

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import torch
from monai.bundle import ConfigParser

from medkd.configs.bundles import BUNDLES
from medkd.data import SPLITS, load_datalist
from medkd.data_prep import kits19

AFFINE = np.array([[0, 0, -0.7, 0], [0, -0.8, 0, 0], [-3.0, 0, 0, 0], [0, 0, 0, 1.0]])
WIDE = ("case_00000", "case_00002")  # of test and of training
THRESHOLD = "network_def: {_target_: torch.nn.Conv2d, in_channels: 1, out_channels: 2, kernel_size: 1}\n"


@pytest.fixture(scope="module")
def telltale(tmp_path_factory):
    """Five cases in which the HU are 200 where the tumour is and -100 elsewhere: any shift between the two shows."""
    folder = tmp_path_factory.mktemp("odd")
    random = np.random.default_rng(0)
    for number in range(5):
        name = f"case_{number:05d}"
        label = np.zeros((6, 40, 62 if name in WIDE else 40), np.uint8)
        for k in range(6):
            row, column = random.integers(0, 30), random.integers(0, label.shape[2] - 12)
            label[k, row : row + 9, column : column + 11] = 2
        (folder / "raw" / name).mkdir(parents=True)
        image = np.where(label == 2, 200, -100).astype(np.int16)
        nib.save(nib.Nifti1Image(image, AFFINE), folder / "raw" / name / "imaging.nii.gz")
        nib.save(nib.Nifti1Image(label, AFFINE), folder / "raw" / name / "segmentation.nii.gz")
    kits19.prepare(folder / "raw", folder / "data", split="sorted")
    return folder / "data"


@pytest.fixture(scope="module")
def threshold(tmp_path_factory):
    """A network that says tumour where the image is above 0, as the options that name it."""
    folder = tmp_path_factory.mktemp("threshold")
    torch.save({"weight": torch.tensor([-1.0, 1.0]).reshape(2, 1, 1, 1), "bias": torch.zeros(2)}, folder / "model.pt")
    (folder / "threshold.yaml").write_text(THRESHOLD)
    return ["--model", folder / "model.pt", "--overlay", folder / "threshold.yaml"]


def test_the_wide_cases_are_where_they_should_be(telltale):
    shapes = {e["case"]: (part, e["shape"][2]) for part in SPLITS for e in load_datalist(telltale, part)}
    assert shapes["case_00000"] == ("test", 62) and shapes["case_00002"] == ("training", 62)


@pytest.mark.parametrize("size", [[32, 32], [48, 48], [40, 40]], ids=["cropped", "padded", "both"])
def test_training_crops_and_pads_image_and_mask_together(telltale, tmp_path, size):
    parser = ConfigParser(ConfigParser.load_config_file(BUNDLES / "kits19/configs/train.yaml"))
    for name, value in {"dataset_dir": str(telltale), "output_dir": str(tmp_path), "image_size": size}.items():
        parser[name] = value
    dataset = parser.get_parsed_content("train::dataset")
    assert len(dataset) == 18
    seen = 0
    for _ in range(3):
        for item in dataset:
            assert item["image"].shape == item["label"].shape == (1, *size)
            assert torch.equal(item["image"] > 0, item["label"] > 0)
            seen += int((item["label"] > 0).sum())
    assert seen > 1000


@pytest.mark.parametrize("soft_labels", ["online", "cached"])
def test_a_run_on_slices_of_two_widths(telltale, medkd_run, tmp_path, soft_labels):
    options = ["--dataset_dir", telltale, "--batch_size", 4]
    assert medkd_run("train", "kits19", "--role", "teacher", *options, "--output_dir", tmp_path / "teacher") == 0
    options += ["--method", "kd", "--teacher", tmp_path / "teacher", "--soft_labels", soft_labels]
    options += ["--soft_labels_dir", tmp_path / "store"] if soft_labels == "cached" else []
    assert medkd_run("distill", "kits19", *options, "--output_dir", tmp_path / "student") == 0
    assert nib.load(tmp_path / "student/predictions/case_00000.nii.gz").shape == (6, 40, 62)


def test_evaluation_and_inference_cover_the_whole_slice(telltale, threshold, medkd_run, tmp_path):
    options = [*threshold, "--dataset_dir", telltale, "--output_dir", tmp_path / "evaluated"]
    assert medkd_run("evaluate", "kits19", *options) == 0
    table = pd.read_csv(tmp_path / "evaluated/metrics.csv").set_index("case")
    assert table.loc["case_00000", "dice"] == 1 and table.loc["case_00000", "hd95"] == 0
    scan = telltale.parent / "raw/case_00000/imaging.nii.gz"
    assert medkd_run("infer", "kits19", *threshold, "--input", scan, "--output_dir", tmp_path / "inferred") == 0
    truth = nib.load(scan.with_name("segmentation.nii.gz"))
    for folder in ("evaluated/predictions", "inferred"):
        prediction = nib.load(tmp_path / folder / "case_00000.nii.gz")
        assert np.allclose(prediction.affine, truth.affine)
        np.testing.assert_array_equal(np.asarray(prediction.dataobj) == 1, np.asarray(truth.dataobj) == 2)
