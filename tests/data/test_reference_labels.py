"""A teacher's label maps in the place of labels: their grid, their values, what is refused."""

import json

import numpy as np
import pytest
import torch
from torch import nn

from medkd.data import has_labels, load_datalist, load_unlabelled, read_volume, reference_folder, write_reference_labels
from medkd.data_prep import nifti, pictures
from tests.data_prep.own_volumes import make_ct, save
from tests.data_prep.test_unlabelled import write_images


class Bright(nn.Module):
    """Class 1 where the image is bright, class 2 nowhere."""

    def forward(self, image):
        first = image[:, :1]
        return torch.cat([-first, first, torch.full_like(first, -1e3)], 1)


def volumes(root, **options):
    for seed in range(6):
        save(root / f"scans/s{seed}.nii.gz", make_ct(seed)[0])
    return nifti.prepare(root / "scans", target=root / "out", unlabelled_only=True, classes="kidney,tumour", **options)


def write(folder, run, **options):
    def load(item):
        return {**item, "image": torch.from_numpy(read_volume(item["image"])[0].astype(np.float32))[None] - 70}

    def decide(item):
        return {**item, "pred": item["pred"].argmax(0, keepdim=True)}

    classes = {1: "kidney", 2: "tumour"}
    return write_reference_labels(folder, run, Bright(), lambda x, net: net(x), load, decide, classes, **options)


def test_volumes_without_labels_are_split_and_measured_by_the_images_alone(tmp_path):
    summary = volumes(tmp_path)
    assert summary["cases"] == {"unlabelled": 3, "validation": 1, "test": 2}
    content = json.loads((tmp_path / "out/datalist.json").read_text())
    assert content["without_labels"] is True and content["training"] == []
    assert content["labels"] == {"0": "background", "1": "kidney", "2": "tumour"}
    assert not any("label" in entry for split in ("validation", "test", "unlabelled") for entry in content[split])
    low, high = content["window"]
    assert -60 < low < 40 and 100 < high < 250 and content["image_size_2d"] == [32, 32]
    assert len(load_unlabelled(tmp_path / "out")) == 3 and not has_labels(tmp_path / "out")
    assert "its agreement with that teacher" in (tmp_path / "out/report.md").read_text()


def test_label_maps_lie_on_the_grid_of_the_image(tmp_path):
    volumes(tmp_path)
    folder = write(tmp_path / "out", tmp_path / "run")
    assert folder == reference_folder(tmp_path / "run") == reference_folder(tmp_path / "run/model.pt")
    case, *_ = load_datalist(tmp_path / "out", "test", folder)
    (image, affine), (label, label_affine) = read_volume(case["image"]), read_volume(case["label"])
    assert np.array_equal(label, (image > 70).astype(np.uint8)) and np.array_equal(affine, label_affine)
    assert label.any()


def test_a_resumed_run_keeps_its_label_maps_and_another_run_does_not(tmp_path):
    volumes(tmp_path)
    folder = write(tmp_path / "out", tmp_path / "run")
    case, *_ = load_datalist(tmp_path / "out", "test", folder)
    with open(case["label"], "rb") as file:
        before = file.read()
    with open(case["label"], "wb") as file:
        file.write(b"kept")
    write(tmp_path / "out", tmp_path / "run", resume=True)
    with open(case["label"], "rb") as file:
        assert file.read() == b"kept"
    write(tmp_path / "out", tmp_path / "run")
    with open(case["label"], "rb") as file:
        assert len(file.read()) == len(before)


def test_without_a_teacher_or_its_label_maps_there_is_nothing_to_measure_by(tmp_path):
    volumes(tmp_path)
    with pytest.raises(ValueError, match="found a data set without labels, expected one with labels"):
        load_datalist(tmp_path / "out", "training")
    with pytest.raises(FileNotFoundError, match="no such label map of the teacher"):
        load_datalist(tmp_path / "out", "test", tmp_path / "run")


def test_pictures_without_labels(tmp_path):
    write_images(tmp_path / "in", *range(8))
    summary = pictures.prepare(tmp_path / "in", target=tmp_path / "out", unlabelled_only=True, classes="polyp", size=20)
    assert summary["cases"] == {"unlabelled": 5, "validation": 1, "test": 2}
    content = json.loads((tmp_path / "out/datalist.json").read_text())
    assert content["form"] == "rgb" and content["image_size_2d"] == [32, 32] and content["without_labels"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"classes": None}, "--classes: found none, expected the names of the teacher's classes"),
        ({"labels": "masks"}, "--unlabelled_only True: found --labels, expected --images alone"),
    ],
)
def test_wrong_options_are_told(tmp_path, options, message):
    write_images(tmp_path / "in", *range(8))
    for prepare in (pictures.prepare, nifti.prepare):
        with pytest.raises(ValueError, match=message):
            prepare(
                **{
                    **{"images": tmp_path / "in", "target": tmp_path / "out", "unlabelled_only": True, "classes": "a"},
                    **options,
                }
            )
