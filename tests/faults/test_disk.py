"""A disk that is full, and folders that may not be read or written: one line, and nothing half-written."""

import shutil

import numpy as np
import pytest
import SimpleITK as sitk


def words(verb, task, data, teachers, source, output):
    model = ["--role", "teacher", "--model", teachers[task]]
    return {
        "train": [task, "--dataset_dir", data, "--output_dir", output],
        "evaluate": [task, *model, "--dataset_dir", data, "--output_dir", output],
        "infer": [task, *model, "--input", source, "--output_dir", output],
    }[verb]


def half_written(folder):
    return [path for path in folder.rglob("*") if ".partial-" in path.name]


@pytest.mark.parametrize("task", ["kits19", "nifti"])
def test_a_full_disk_in_preparing_volumes(task, pairs, refused, disk_of, tmp_path):
    folders = ["--images", pairs / "imagesTr", "--labels", pairs / "labelsTr"]
    source = ["--source", pairs] if task == "kits19" else folders
    with disk_of(300):
        refused(
            "c\\d.b2nd: cannot be written, is the disk full", "prepare", task, *source, "--dataset_dir", tmp_path / "d"
        )


def test_a_full_disk_in_preparing_pictures(pictures, refused, disk_of, tmp_path):
    options = ["--source", pictures, "--dataset_dir", tmp_path / "d", "--split", "sorted"]
    with disk_of(300):
        refused("File too large", "prepare", "cvc_endoscene", *options)


# what is written is more than that; the largest lets a training come to its checkpoint
FULL = [("train", "kits19", 16000), ("train", "cvc_endoscene", 16000), ("evaluate", "kits19", 4000)]
FULL += [("evaluate", "cvc_endoscene", 4000), ("infer", "kits19", 4000)]  # the mask of a picture has a few bytes alone


@pytest.mark.parametrize(("verb", "task", "size"), FULL)
def test_a_full_disk_in_a_run(verb, task, size, data, teachers, volume, medkd_run, disk_of, tmp_path, capfd):
    source = tmp_path / "c0.nii.gz"
    volume(source, np.random.default_rng(0).integers(0, 255, (96, 96, 8)).astype(np.uint8))
    options = words(verb, task, data[task], teachers, source, tmp_path / "output")
    with disk_of(size):
        code = medkd_run(verb, *options, *(["--save_probabilities", "True"] if verb == "infer" else []))
    (line,) = capfd.readouterr().err.strip().splitlines()
    assert code == 1
    assert line.startswith("medkd: error: ") and str(tmp_path / "output") in line
    assert "File too large" in line or "is the disk full" in line
    assert half_written(tmp_path) == []
    for name in ("model.pt", "resume.pt", "metrics.csv", "summary.json", "c0.nii.gz", "p0.png"):
        assert not (tmp_path / "output" / name).exists()


@pytest.mark.parametrize("verb", ["train", "evaluate", "infer", "prepare"])
def test_a_folder_that_may_not_be_written(verb, data, teachers, pairs, refused, ordinary_user, tmp_path):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o555)
    if verb == "prepare":
        given = ["kits19", "--source", pairs, "--dataset_dir", closed / "data"]
    else:
        given = words(verb, "kits19", data["kits19"], teachers, pairs / "imagesTr/c0.nii.gz", closed / "output")
    with ordinary_user():
        refused("Permission denied: .*closed", verb, *given)


@pytest.mark.parametrize("suffix", [".nii.gz", ".nii", ".nrrd", ".mha"])
def test_a_scan_that_may_not_be_read(suffix, pairs, refused, ordinary_user, tmp_path):
    scan, image = pairs / f"imagesTr/c1{suffix}", sitk.ReadImage(pairs / "imagesTr/c1.nii.gz")
    (pairs / "imagesTr/c1.nii.gz").unlink()
    sitk.WriteImage(image, scan)
    scan.chmod(0)
    options = ["--images", pairs / "imagesTr", "--labels", pairs / "labelsTr", "--dataset_dir", tmp_path / "data"]
    with ordinary_user():
        message = f"1 of 5 cases refused, nothing was written: c1: .*c1{suffix} cannot be opened: Permission denied"
        line = refused(message, "prepare", "nifti", *options)
    assert "truncated" not in line


def test_a_model_that_may_not_be_read(teachers, pairs, refused, ordinary_user, tmp_path):
    shutil.copytree(teachers["kits19"], tmp_path / "run")
    (tmp_path / "run/model.pt").chmod(0)
    options = ["--role", "teacher", "--model", tmp_path / "run", "--input", pairs / "imagesTr"]
    with ordinary_user():
        message = "model.pt: not a readable file of weights: Permission denied"
        refused(message, "infer", "kits19", *options, "--output_dir", tmp_path / "output")


def test_a_data_set_that_may_not_be_read(kits19_data, refused, ordinary_user, tmp_path):
    shutil.copytree(kits19_data, tmp_path / "data")
    (tmp_path / "data/datalist.json").chmod(0)
    with ordinary_user():
        options = ["--dataset_dir", tmp_path / "data", "--output_dir", tmp_path / "output"]
        refused("Permission denied: .*datalist.json", "train", "kits19", *options)


def test_folders_that_may_not_be_read(pairs, refused, ordinary_user, tmp_path):
    (pairs / "imagesTr").chmod(0)
    try:
        with ordinary_user():
            options = ["--images", pairs / "imagesTr", "--labels", pairs / "labelsTr", "--dataset_dir", tmp_path / "d"]
            refused("Permission denied: .*imagesTr", "prepare", "nifti", *options)
    finally:
        (pairs / "imagesTr").chmod(0o755)
