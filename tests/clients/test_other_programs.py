"""Packed students in other programs, which are installed in environments of their own: `.ci/run` makes these.

MEDKD_MONAI_LABEL and MEDKD_MONAI_DEPLOY name the folders of the two environments.
"""

import json
import os
import shutil
import subprocess
import sysconfig
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from PIL import Image

from medkd.runs import RunFolder
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


@pytest.fixture(scope="module")
def trainings(students, medkd_run, tmp_path_factory) -> dict[str, Path]:
    """Kind of input -> folder with a packed bundle that can be trained, and a server's studies: three labelled images."""
    folder = tmp_path_factory.mktemp("trainings")
    for kind, (task, student, data) in students.items():
        bundle = folder / kind / f"{kind}_segmentation"
        assert medkd_run("pack", task, "--model", student, "--output_dir", bundle, tiny=False) == 0
        (folder / kind / "studies/labels/final").mkdir(parents=True)
        write_labelled = write_frames if kind == "pictures" else write_scans
        write_labelled(data, folder / kind / "studies")
    return {kind: folder / kind for kind in students}


def write_scans(data: Path, studies: Path) -> None:
    """Labels hold what the model predicts: 1 is the tumour, which is 2 in KiTS19's masks."""
    for case in sorted(data.parent.glob("raw/data/*"))[:3]:
        shutil.copy(case / "imaging.nii.gz", studies / f"{case.name}.nii.gz")
        mask = nib.load(case / "segmentation.nii.gz")
        tumour = (np.asarray(mask.dataobj) == 2).astype(np.uint8)
        nib.save(nib.Nifti1Image(tumour, mask.affine), studies / f"labels/final/{case.name}.nii.gz")


def write_frames(data: Path, studies: Path) -> None:
    for image in sorted((data / "images").iterdir())[:3]:
        shutil.copy(image, studies / image.name)
        shutil.copy(data / "labels" / image.name, studies / "labels/final" / image.name)


def train_in_label(trainings: dict[str, Path], work: Path, packages: str) -> tuple[list[str], dict[str, Path]]:
    """Return what the script printed, and kind of input -> the bundle that MONAI Label has trained."""
    label = environment("MEDKD_MONAI_LABEL")
    app = label / "monailabel/sample-apps/monaibundle"
    said = run(
        label / "bin/python", HERE / "run_monai_label_training.py", app, work, packages, *trainings.values()
    ).splitlines()
    bundles = [Path(json.loads(line.removeprefix("TRAINED "))) for line in said if line.startswith("TRAINED ")]
    return said, dict(zip(trainings, bundles, strict=True))


def test_monai_label_trains_the_student_and_infers_with_it(trainings, medkd_run, tmp_path):
    _, bundles = train_in_label(trainings, tmp_path, sysconfig.get_path("purelib"))
    for kind, bundle in bundles.items():
        packed = torch.load(next(trainings[kind].glob("*_segmentation")) / "models/model.pt", weights_only=True)
        trained = torch.load(bundle / "models/model.pt", weights_only=True)
        assert trained.keys() == packed.keys()
        assert not torch.equal(trained["head.weight"], packed["head.weight"]), kind
        # it goes on from the packed weights: an epoch moves them a little
        assert (trained["head.weight"] - packed["head.weight"]).abs().max() < 0.1, kind
        run_folder = RunFolder(bundle / "trained_on_lists/run")
        assert run_folder.has_ended and run_folder.require_config()["student_width"] == 2
        image = next(path for path in (trainings[kind] / "studies").iterdir() if path.is_file())
        inferred = next(trainings[kind].glob("inferred.*"))
        image = min(p for p in (trainings[kind] / "studies").glob(f"*{''.join(inferred.suffixes)}"))
        words = ["--model", bundle / "models", "--input", image, "--output_dir", tmp_path / kind, "--device", "cpu"]
        assert medkd_run("infer", "cvc_endoscene" if kind == "pictures" else "kits19", *words, tiny=False) == 0
        ours = next(file for file in (tmp_path / kind).iterdir() if file.name.startswith(image.name.partition(".")[0]))
        np.testing.assert_array_equal(read(inferred) > 0, read(ours) > 0, err_msg=kind)


def test_monai_label_says_that_training_needs_medkd(trainings, tmp_path):
    slices = {"slices": trainings["slices"]}
    said, bundles = train_in_label(slices, tmp_path, "-")
    (stopped,) = [line for line in said if line.startswith("STOPPED")]
    assert stopped.startswith("STOPPED medkd: error: this training needs medkd in the environment of the program")
    packed = next(slices["slices"].glob("*_segmentation")) / "models/model.pt"
    assert (bundles["slices"] / "models/model.pt").read_bytes() == packed.read_bytes()
