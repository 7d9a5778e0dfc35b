"""Packed students in other programs, which are installed in environments of their own: `.ci/run` makes these.

MEDKD_MONAI_LABEL and MEDKD_MONAI_DEPLOY name the folders of the two environments.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from PIL import Image

from tests.deploy.bundle.packed_forms import FORMS, scribbler

HERE = Path(__file__).parent
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def jobs(students, kits19_data, cvc_data, medkd_run, tmp_path_factory) -> dict[str, tuple[Path, Path, Path]]:
    """Kind of input -> packed bundle, an image, and the prediction of `medkd infer`."""
    folder = tmp_path_factory.mktemp("jobs")
    scan = next(kits19_data.parent.glob("raw/data/*/imaging.nii.gz"))
    frame = min(file for file in cvc_data.rglob("*.png") if file.parent.name == "images")
    if samples := os.environ.get("MEDKD_SAMPLE_DATA"):
        scan = Path(samples) / "ct_sarcoma/imagesTr/STS_001.nii.gz"
        frame = Path(samples) / "cvc612/images/1.png"
    made = {}
    torch.manual_seed(2)  # this network finds both classes in the scan, the student of volumes none
    network = scribbler(FORMS["kits19", "3d"][0](width=2))
    for kind, (task, student, _) in students.items():
        if kind == "volumes":
            student = shutil.copytree(student, folder / "both_classes")
            torch.save(network.state_dict(), student / "model.pt")
        image = frame if kind == "pictures" else scan
        bundle, predictions = folder / f"{kind}_segmentation", folder / f"{kind}_ours"
        pack = ["--model", student, "--output_dir", bundle, "--inference_only"]
        assert medkd_run("pack", task, *pack, tiny=False) == 0
        infer = ["--model", student, "--input", image, "--output_dir", predictions, "--device", "cpu"]
        assert medkd_run("infer", task, *infer, tiny=False) == 0
        made[kind] = bundle, image, next(predictions.glob("*.*g*"))
    return made


def environment(name: str) -> Path:
    """Return the folder of a program's environment; skip the test if it is not named, except in CI."""
    if name not in os.environ:
        assert "CI" not in os.environ, f"{name} is not set: .ci/run makes the environment"
        pytest.skip(f"{name} names no environment: tests/clients/make_environment makes it")
    return Path(os.environ[name])


def run(python: Path, *words: object) -> str:
    done = subprocess.run([python, "-W", "ignore", *map(str, words)], cwd=HERE, capture_output=True, text=True)
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    return done.stdout


def read(path: Path) -> np.ndarray:
    if path.suffix == ".npy":
        return np.load(path)
    return np.asarray(nib.load(path).dataobj if path.name.endswith(".nii.gz") else Image.open(path))


def assert_equal_labels(jobs, outputs: dict[str, Path]) -> None:
    for kind, (_, _, expected) in jobs.items():
        ours, theirs = read(expected), read(outputs[kind])
        if kind == "pictures":  # ours are grey values
            ours, theirs = ours > 0, theirs > 0
        np.testing.assert_array_equal(theirs, ours, err_msg=kind)
        assert 0.0001 < (ours > 0).mean() < 0.9999, kind


def test_monai_label_predicts_what_medkd_predicts_and_offers_no_trainer(jobs, tmp_path):
    label = environment("MEDKD_MONAI_LABEL")
    outputs = {kind: tmp_path / f"{kind}{'.png' if kind == 'pictures' else '.nii.gz'}" for kind in jobs}
    words = [path for kind, (bundle, image, _) in jobs.items() for path in (bundle, image, outputs[kind])]
    app = label / "monailabel/sample-apps/monaibundle"
    said = run(label / "bin/python", HERE / "run_monai_label.py", app, tmp_path, *words)
    assert_equal_labels(jobs, outputs)
    for kind in ("slices", "volumes"):
        np.testing.assert_allclose(nib.load(outputs[kind]).affine, nib.load(jobs[kind][1]).affine, atol=1e-4)
    lines = [line.partition(" ") for line in said.splitlines()]
    assert [json.loads(text) for word, _, text in lines if word == "TRAINERS"] == [[]]
    labels = [json.loads(text) for word, _, text in lines if word == "LABELS"]
    assert labels == [{"tumour": 1}, {"tumour": 1}, {"polyp": 1}]


def test_monai_deploy_predicts_what_medkd_predicts(jobs, tmp_path):
    deploy = environment("MEDKD_MONAI_DEPLOY")
    outputs = {kind: tmp_path / f"{kind}.npy" for kind in jobs}
    words = [path for kind, (bundle, image, _) in jobs.items() for path in (bundle, image, outputs[kind])]
    run(deploy / "bin/python", HERE / "run_monai_deploy.py", *words)
    assert_equal_labels(jobs, outputs)
