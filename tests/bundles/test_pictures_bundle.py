"""The bundle of a user's own pictures: every verb on phantoms, as a user runs them."""

import json
from functools import cache

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

from medkd.data import load_datalist
from medkd.data_prep import pictures
from medkd.deploy.runtime import OnnxModel, infer
from medkd.phantoms import make_pictures

SMALL = ["--teacher_width", 4, "--student_width", 4, "--image_size", "[32,32]", "--max_epochs", 1, "--batch_size", 4]
CLASSES = {"grey16": "organ,cyst,stone", "rgb": "organ"}


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """Form -> folder of ten prepared phantoms, ``data``, and their files, ``raw``."""
    folders = {}
    for form, classes in CLASSES.items():
        folder = folders[form] = tmp_path_factory.mktemp(form)
        make_pictures(folder / "raw", cases=10, size=40, classes=len(classes.split(",")), form=form)
        pictures.prepare(
            folder / "raw/images",
            folder / "raw/masks",
            folder / "data",
            classes=classes,
            split=folder / "raw/patients.csv",
            workers=1,
        )
    return folders


NETWORKS = {"grey16": ("UNetPlusPlus", "UNet", "hlfd"), "rgb": ("TransUNet", "ResNetFCN", "kd")}


@pytest.fixture(scope="module")
def run_of(sources, medkd_run, tmp_path_factory):
    """Form -> folder of a teacher and a student, trained when they are first asked for."""

    @cache
    def train(form):
        teacher, student, method = NETWORKS[form]
        folder, data = tmp_path_factory.mktemp(f"runs_{form}"), ["--dataset_dir", sources[form] / "data"]
        role = ["--role", "teacher", "--teacher_architecture", teacher, "--teacher_layers", 1]
        options = [*SMALL, *data, "--output_dir", folder / "teacher"]
        assert medkd_run("train", "pictures", *role, *options, tiny=False) == 0
        # the teacher's architecture, width and layers are in its record
        choice = ["--student_architecture", student, "--method", method, "--teacher", folder / "teacher"]
        options = [*SMALL[2:], *data, "--output_dir", folder / "student"]
        assert medkd_run("distill", "pictures", *choice, *options, tiny=False) == 0
        return folder

    return train


def test_the_record_has_what_weights_do_not_show(run_of):
    record = yaml.safe_load((run_of("grey16") / "student/config.yaml").read_text())["trained_with"]
    assert record["form"] == "grey16" and record["classes"] == {1: "organ", 2: "cyst", 3: "stone"}
    assert record["image_size"] == [32, 32] and record["target"] == "all" and record["window"][1] < 4096
    rows = pd.read_csv(run_of("grey16") / "student/metrics.csv")
    assert set(rows["class"]) == {"organ", "cyst", "stone"}


@pytest.mark.slow
@pytest.mark.parametrize("form", CLASSES)
def test_inference_with_and_without_torch(form, sources, run_of, medkd_run, tmp_path):
    student, data = run_of(form) / "student", sources[form] / "data"
    inputs = ["--input", sources[form] / "raw/images", "--output_dir", tmp_path / "out", "--save_probabilities", "True"]
    assert medkd_run("infer", "pictures", "--model", student, *inputs, tiny=False) == 0
    options = ["--model", student, "--dataset_dir", data, "--output_dir", tmp_path / "onnx"]
    assert medkd_run("export", "pictures", "--format", "onnx", *options, tiny=False) == 0
    infer(OnnxModel(tmp_path / "onnx/student.onnx"), sources[form] / "raw/images", tmp_path / "without", True)
    for path in (tmp_path / "without").glob("*.png"):
        ours, theirs = (np.asarray(Image.open(file)).astype(int) for file in (tmp_path / "out" / path.name, path))
        if path.stem.endswith("_probabilities"):
            assert np.abs(ours - theirs).max() <= 1
            assert form == "rgb" or len(np.unique(ours)) > 1  # ResNetFCN has one logit for 32 x 32 pixels
        else:
            np.testing.assert_array_equal(ours, theirs)
            assert ours.shape == (40, 50)
            assert set(np.unique(ours).tolist()) <= ({0, 255} if form == "rgb" else {0, 1, 2, 3})
    for entry in load_datalist(data, "test"):
        stored = np.asarray(Image.open(student / f"predictions/{entry['case']}.png"))
        np.testing.assert_array_equal(stored, np.asarray(Image.open(tmp_path / f"out/{entry['case']}.png")))


def test_pictures_of_another_form_are_refused(sources, run_of, medkd_run, tmp_path, capsys):
    options = ["--model", run_of("grey16") / "student", "--input", sources["rgb"] / "raw/images/frame_000.jpg"]
    assert medkd_run("infer", "pictures", *options, "--output_dir", tmp_path / "a", tiny=False) in (1, 2)
    assert "frame_000.jpg: found RGB, expected grey of 16 bit as in training" in capsys.readouterr().err
    options += ["--convert", "True", "--output_dir", tmp_path / "b"]
    assert medkd_run("infer", "pictures", *options, tiny=False) in (1, 2)
    assert "as in training: 8 bit scaled to 16 would be white" in capsys.readouterr().err


@pytest.mark.slow
def test_pictures_of_another_form_are_converted(sources, run_of, medkd_run, tmp_path):
    Image.open(sources["rgb"] / "raw/images/frame_000.jpg").convert("L").save(tmp_path / "grey.png")
    options = ["--model", run_of("rgb") / "student", "--input", tmp_path / "grey.png"]
    assert medkd_run("infer", "pictures", *options, "--output_dir", tmp_path / "a", tiny=False) in (1, 2)
    assert (
        medkd_run("infer", "pictures", *options, "--convert", "True", "--output_dir", tmp_path / "b", tiny=False) == 0
    )
    assert (tmp_path / "b/grey.png").is_file()


@pytest.mark.slow
def test_evaluation_repeats_the_test_and_packs(sources, run_of, medkd_run, tmp_path):
    student = run_of("grey16") / "student"
    options = ["--model", student, "--dataset_dir", sources["grey16"] / "data"]
    assert medkd_run("evaluate", "pictures", *options, "--output_dir", tmp_path / "evaluation", tiny=False) == 0
    tables = [pd.read_csv(folder / "metrics.csv") for folder in (student, tmp_path / "evaluation")]
    pd.testing.assert_frame_equal(*tables)
    assert medkd_run("pack", "pictures", "--model", student, "--output_dir", tmp_path / "packed", tiny=False) == 0
    metadata = json.loads((tmp_path / "packed/configs/metadata.json").read_text())
    image = metadata["network_data_format"]["inputs"]["image"]
    assert (image["num_channels"], image["channel_def"]) == (1, {"0": "grey"})


@pytest.mark.slow
def test_a_data_set_of_another_form_is_refused(sources, run_of, medkd_run, tmp_path, capsys):
    options = ["--teacher", run_of("rgb") / "teacher", "--dataset_dir", sources["grey16"] / "data", *SMALL]
    assert medkd_run("distill", "pictures", *options, "--output_dir", tmp_path / "x", tiny=False) in (1, 2)
    assert "trained on data with form rgb, this data set has grey16" in capsys.readouterr().err
