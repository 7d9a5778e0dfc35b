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

from medkd.networks import UNet
from medkd.phantoms import make_nifti, make_pictures
from medkd.runs import RunFolder
from tests.deploy.bundle.packed_forms import FORMS, scribbler

HERE = Path(__file__).parent
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def channels(tmp_path_factory, medkd_run) -> tuple[Path, Path]:
    """Student of two channels, ct and t1, that finds the organ in many places; folder of 4-D files, labels beside it."""
    folder = tmp_path_factory.mktemp("channels")
    make_nifti(folder, cases=5, size=48, slices=(16, 17), channels=2)
    data = ["--images", folder / "images", "--labels", folder / "labels", "--channels", "ct,t1"]
    assert medkd_run("prepare", "nifti", *data, "--dataset_dir", folder / "data", tiny=False) == 0
    options = ["--dataset_dir", folder / "data", "--output_dir", folder / "student", "--training_cases", "1"]
    assert medkd_run("train", "nifti", *options) == 0
    (folder / "together").mkdir()
    for label in (folder / "labels").iterdir():
        files = [nib.load(folder / f"images/{label.name.removesuffix('.nii.gz')}_000{n}.nii.gz") for n in range(2)]
        array = np.stack([file.get_fdata(dtype=np.float32) for file in files], axis=-1)
        nib.save(nib.Nifti1Image(array, files[0].affine), folder / "together" / label.name)
    torch.manual_seed(6)
    network = UNet(2, 2, 2, width=2).eval()
    scaled = torch.from_numpy((array - array.min((0, 1, 2))) / np.ptp(array, axis=(0, 1, 2)) * 2 - 1)
    logits = network(scaled.permute(2, 3, 0, 1))  # slices, channels, rows, columns
    with torch.no_grad():
        network.head.bias[0] += (logits[:, 1] - logits[:, 0]).median()
    torch.save(network.state_dict(), folder / "student/model.pt")
    return folder / "student", folder / "together"


@pytest.fixture(scope="module")
def jobs(students, channels, kits19_data, cvc_data, medkd_run, tmp_path_factory) -> dict[str, tuple[Path, Path, Path]]:
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
    images = {"slices": scan, "volumes": scan, "pictures": frame, "channels": min(channels[1].iterdir())}
    for kind, task, student in (
        *((kind, *made[:2]) for kind, made in students.items()),
        ("channels", "nifti", channels[0]),
    ):
        if kind == "volumes":
            student = shutil.copytree(student, folder / "both_classes")
            torch.save(network.state_dict(), student / "model.pt")
        image = images[kind]
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


def fail(python: Path, *words: object) -> str:
    done = subprocess.run([python, "-W", "ignore", *map(str, words)], cwd=HERE, capture_output=True, text=True)
    assert done.returncode != 0
    return done.stdout + done.stderr


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
    for kind in ("slices", "volumes", "channels"):
        np.testing.assert_allclose(nib.load(outputs[kind]).affine, nib.load(jobs[kind][1]).affine, atol=1e-4)
    lines = [line.partition(" ") for line in said.splitlines()]
    assert [json.loads(text) for word, _, text in lines if word == "TRAINERS"] == [[]]
    labels = [json.loads(text) for word, _, text in lines if word == "LABELS"]
    assert labels == [{"tumour": 1}, {"tumour": 1}, {"polyp": 1}, {"foreground": 1}]


def test_monai_deploy_predicts_what_medkd_predicts(jobs, tmp_path):
    deploy = environment("MEDKD_MONAI_DEPLOY")
    outputs = {kind: tmp_path / f"{kind}.npy" for kind in jobs}
    words = [path for kind, (bundle, image, _) in jobs.items() for path in (bundle, image, outputs[kind])]
    run(deploy / "bin/python", HERE / "run_monai_deploy.py", *words)
    assert_equal_labels(jobs, outputs)


def test_one_channel_of_several_is_refused(jobs, channels, tmp_path):
    """The programs hand over one file for a case: it must hold all channels."""
    bundle, one = jobs["channels"][0], min((channels[1].parent / "images").iterdir())
    label, deploy = environment("MEDKD_MONAI_LABEL"), environment("MEDKD_MONAI_DEPLOY")
    said = fail(deploy / "bin/python", HERE / "run_monai_deploy.py", bundle, one, tmp_path / "one.npy")
    assert "item['image']: 2 spatial axes in" in said and "expected 3 after an axis of 2 channels" in said
    app = label / "monailabel/sample-apps/monaibundle"
    said = fail(label / "bin/python", HERE / "run_monai_label.py", app, tmp_path, bundle, one, tmp_path / "one.nii.gz")
    assert f"{one.name}: found one channel (shape" in said and "expected 2 channels (ct, t1)" in said


@pytest.fixture(scope="module")
def trainings(students, channels, medkd_run, tmp_path_factory) -> dict[str, Path]:
    """Kind of input -> folder with a packed bundle that can be trained, and a server's studies: three labelled images."""
    folder = tmp_path_factory.mktemp("trainings")
    own = {"channels": ("nifti", channels[0], channels[1])}
    for kind, (task, student, data) in {**students, **own}.items():
        bundle = folder / kind / f"{kind}_segmentation"
        assert medkd_run("pack", task, "--model", student, "--output_dir", bundle, tiny=False) == 0
        (folder / kind / "studies/labels/final").mkdir(parents=True)
        write_labelled = {"pictures": write_frames, "channels": write_together}.get(kind, write_scans)
        write_labelled(data, folder / kind / "studies")
    return {kind: folder / kind for kind in (*students, *own)}


def write_together(images: Path, studies: Path) -> None:
    for image in sorted(images.iterdir())[:3]:
        shutil.copy(image, studies)
        shutil.copy(images.parent / "labels" / image.name, studies / "labels/final")


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
        inferred = next(trainings[kind].glob("inferred.*"))
        image = min(p for p in (trainings[kind] / "studies").glob(f"*{''.join(inferred.suffixes)}"))
        words = ["--model", bundle / "models", "--input", image, "--output_dir", tmp_path / kind, "--device", "cpu"]
        task = {"pictures": "cvc_endoscene", "channels": "nifti"}.get(kind, "kits19")
        assert medkd_run("infer", task, *words, tiny=False) == 0
        ours = next(file for file in (tmp_path / kind).iterdir() if file.name.startswith(image.name.partition(".")[0]))
        np.testing.assert_array_equal(read(inferred) > 0, read(ours) > 0, err_msg=kind)


@pytest.mark.parametrize("form", ["grey16", "rgb"])
def test_monai_label_trains_a_student_of_own_pictures(medkd_run, tmp_path, form):
    """TIFF of 16 bit, and JPEG in colours; labels hold the numbers of three classes."""
    make_pictures(tmp_path / "raw", cases=10, size=40, classes=3, form=form)
    words = [
        "--images",
        tmp_path / "raw/images",
        "--labels",
        tmp_path / "raw/masks",
        "--dataset_dir",
        tmp_path / "data",
    ]
    assert medkd_run("prepare", "pictures", *words, "--classes", "organ,cyst,stone", "--workers", 1, tiny=False) == 0
    train = ["--dataset_dir", tmp_path / "data", "--output_dir", tmp_path / "student", "--student_width", 4]
    train += [
        "--image_size",
        "[32,32]",
        "--max_epochs",
        25,
        "--batch_size",
        2,
        "--learning_rate",
        0.01,
        "--device",
        "cpu",
    ]
    assert medkd_run("train", "pictures", *train, tiny=False) == 0
    job = tmp_path / "own"
    bundle = job / "own_segmentation"
    assert medkd_run("pack", "pictures", "--model", tmp_path / "student", "--output_dir", bundle, tiny=False) == 0
    shutil.copytree(tmp_path / "raw/images", job / "studies")
    shutil.copytree(tmp_path / "raw/masks", job / "studies/labels/final")
    work = tmp_path / "work"
    work.mkdir()
    _, bundles = train_in_label({"own": job}, work, sysconfig.get_path("purelib"))
    before, after = (torch.load(folder / "models/model.pt", weights_only=True) for folder in (bundle, bundles["own"]))
    assert before.keys() == after.keys() and not torch.equal(before["head.weight"], after["head.weight"])
    run_folder = RunFolder(bundles["own"] / "trained_on_lists/run")
    assert run_folder.has_ended and set(run_folder.read_summary()) == {"organ", "cyst", "stone"}
    assert (
        run_folder.require_config()["trained_with"] == RunFolder(tmp_path / "student").require_config()["trained_with"]
    )
    image = min((tmp_path / "raw/images").iterdir())
    infer = [
        "--model",
        bundles["own"] / "models",
        "--input",
        image,
        "--output_dir",
        tmp_path / "ours",
        "--device",
        "cpu",
    ]
    assert medkd_run("infer", "pictures", *infer, tiny=False) == 0
    ours = read(next((tmp_path / "ours").glob("*.png")))
    np.testing.assert_array_equal(read(next(job.glob("inferred.*"))), ours)
    assert len(np.unique(ours)) > 1


def test_monai_label_says_that_training_needs_medkd(trainings, tmp_path):
    slices = {"slices": trainings["slices"]}
    said, bundles = train_in_label(slices, tmp_path, "-")
    (stopped,) = [line for line in said if line.startswith("STOPPED")]
    assert stopped.startswith("STOPPED medkd: error: this training needs medkd in the environment of the program")
    packed = next(slices["slices"].glob("*_segmentation")) / "models/model.pt"
    assert (bundles["slices"] / "models/model.pt").read_bytes() == packed.read_bytes()
