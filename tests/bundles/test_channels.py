"""A data set of four channels and eight classes through the nifti bundle: training in 2-D and 3-D, and inference."""

import json

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import torch

from medkd.cli.main import main
from medkd.networks import UNet, load_weights
from medkd.phantoms import make_nifti
from medkd.teachers import load_teacher

CLASSES = 8
CHANNELS = ["ct", "t1", "t2", "flair"]
ORDER = [3, 0, 2, 1]  # of `reordered`
SMALL = ["--student_width", "4", "--max_epochs", "1", "--training_cases", "2", "--image_size", "32", "32"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("channels")
    make_nifti(root, cases=6, size=32, slices=(16, 17), channels=4)
    for path in (root / "labels").iterdir():
        split_class(path)
    run("prepare", "nifti", "--images", root / "images", "--labels", root / "labels", "--channels", "ct,t1,t2,flair",
        "--dataset_dir", root / "data")  # fmt: skip
    run("train", "nifti", "--dataset_dir", root / "data", "--output_dir", root / "student", *SMALL)
    return root


def split_class(path):
    """Give each eighth of the organ's voxels a class of its own."""
    label = nib.load(path)
    voxels = np.asarray(label.dataobj).copy()
    for number, part in enumerate(np.array_split(np.flatnonzero(voxels), CLASSES), 1):
        voxels.flat[part] = number
    nib.save(nib.Nifti1Image(voxels, label.affine), path)


def run(*words):
    assert main([str(word) for word in words]) == 0


def test_the_run_records_its_channels_and_infers_from_each_form_alike(folder):
    config = (folder / "student/config.yaml").read_text()
    assert "flair" in config
    assert set(pd.read_csv(folder / "student/metrics.csv")["class"]) == {f"class_{n}" for n in range(1, CLASSES + 1)}
    images = {n: [nib.load(folder / f"images/patient_{n:02d}_{c:04}.nii.gz") for c in range(4)] for n in range(2)}
    for number, channels in images.items():
        case = folder / f"cases/patient_{number:02d}"
        case.mkdir(parents=True)
        for name, channel in zip(("ct", "t1", "t2", "flair"), channels, strict=True):
            nib.save(channel, case / f"{name}.nii.gz")
        together = np.stack([np.asarray(channel.dataobj, dtype=np.float32) for channel in channels], axis=-1)
        (folder / "together").mkdir(exist_ok=True)
        nib.save(nib.Nifti1Image(together, channels[0].affine), folder / f"together/patient_{number:02d}.nii.gz")
    for form in ("cases", "together"):
        run("infer", "--model", folder / "student", "--input", folder / form, "--output_dir", folder / f"{form}_out")
    for number in images:
        one, other = (folder / f"{form}_out/patient_{number:02d}.nii.gz" for form in ("cases", "together"))
        assert np.array_equal(np.asarray(nib.load(one).dataobj), np.asarray(nib.load(other).dataobj))


def test_a_case_that_lacks_a_channel_is_named_and_the_others_go_on(folder, capsys):
    (folder / "some").mkdir()
    for image in (folder / "images").glob("patient_0[01]_*"):
        if image.name != "patient_00_0002.nii.gz":
            (folder / "some" / image.name).symlink_to(image)
    words = ["infer", "--model", folder / "student", "--input", folder / "some", "--output_dir", folder / "some_out"]
    assert main([str(word) for word in words]) in (1, 2)
    said = capsys.readouterr().err
    assert f"{folder}/some/patient_00: lacks the channel t2: found" in said
    assert "1 of 2 cases failed: patient_00" in said
    assert [path.name for path in (folder / "some_out").glob("*.nii.gz")] == ["patient_01.nii.gz"]


@pytest.fixture(scope="module")
def packed(folder):
    run("pack", "--model", folder / "student", "--output_dir", folder / "packed")
    return folder / "packed"


@pytest.fixture(scope="module")
def reordered(folder):
    """The same data set with its channels in another order: flair, ct, t2, t1."""
    datalist = json.loads((folder / "data/datalist.json").read_text())
    (folder / "reordered").mkdir()
    for name in ("imagesTr", "labelsTr"):
        (folder / "reordered" / name).symlink_to(folder / "data" / name)
    for name in ("window", "per_case"):
        datalist[name] = [datalist[name][number] for number in ORDER]
    datalist["modality"] = {str(number): CHANNELS[other] for number, other in enumerate(ORDER)}
    for split in ("training", "validation", "test"):
        for entry in datalist[split]:
            entry["image"] = [entry["image"][number] for number in ORDER]
    (folder / "reordered/datalist.json").write_text(json.dumps(datalist))
    return folder / "reordered"


def test_a_packed_teacher_takes_its_channels_in_its_own_order(folder, packed, reordered):
    """By the names that it states, by names, and by numbers: its logits are those of its own order."""
    listed = json.loads((reordered / "datalist.json").read_text())
    task = UNet(2, 4, CLASSES + 1, width=2)
    names = [CHANNELS[number] for number in ORDER]
    student = load_weights(UNet(2, 4, CLASSES + 1, width=4), folder / "student").eval()
    image = torch.rand(2, 4, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
    expected = student(image)
    for option in (None, CHANNELS, ",".join(CHANNELS), [ORDER.index(number) for number in range(4)]):
        teacher = load_teacher(
            packed,
            task,
            CLASSES + 1,
            listed["window"],
            per_case=listed["per_case"],
            channels=option,
            channel_names=names,
        )
        torch.testing.assert_close(teacher(image[:, ORDER]), expected, atol=1e-4, rtol=1e-4)
    with pytest.raises(ValueError, match=r"--teacher_channels: found \['ct', 't1'\], expected 4 channels"):
        load_teacher(
            packed,
            task,
            CLASSES + 1,
            listed["window"],
            per_case=listed["per_case"],
            channels="ct,t1",
            channel_names=names,
        )


@pytest.mark.slow
def test_a_packed_teacher_teaches_online_and_cached(folder, packed, reordered, capsys):
    words = ["distill", "nifti", "--dataset_dir", reordered, "--method", "kd", "--teacher", packed, *SMALL]
    runs = {
        "by_name": [],
        "by_number": ["--teacher_channels", ",".join(str(ORDER.index(number)) for number in range(4))],
        "cached": ["--soft_labels", "cached"],
    }
    for name, options in runs.items():
        run(*words, "--output_dir", folder / name, *options)
    assert "channels by name: ct, t1, t2, flair" in capsys.readouterr().out
    states = [torch.load(folder / name / "model.pt") for name in ("by_name", "by_number")]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_a_packed_bundle_names_its_channels(packed):
    image = json.loads((packed / "configs/metadata.json").read_text())["network_data_format"]["inputs"]["image"]
    assert image["num_channels"] == 4
    assert image["channel_def"] == {"0": "ct", "1": "t1", "2": "t2", "3": "flair"}


def test_a_model_is_used_with_data_of_its_channels_alone(folder, capsys):
    datalist = json.loads((folder / "data/datalist.json").read_text())
    datalist["modality"]["1"] = "pet"
    (folder / "other").mkdir()
    for name in ("imagesTr", "labelsTr"):
        (folder / "other" / name).symlink_to(folder / "data" / name)
    (folder / "other/datalist.json").write_text(json.dumps(datalist))
    words = [
        "evaluate",
        "--model",
        folder / "student",
        "--dataset_dir",
        folder / "other",
        "--output_dir",
        folder / "evaluation",
    ]
    assert main([str(word) for word in words]) in (1, 2)
    assert "was trained on data with channels ['ct', 't1', 't2', 'flair']" in capsys.readouterr().err


@pytest.mark.slow
def test_volumes_are_trained_and_distilled(folder):
    small = ["--dataset_dir", folder / "data", "--mode", "3d", "--max_epochs", "1", "--training_cases", "2",
             "--patch_size", "16", "32", "32", "--patches_per_case", "2",
             "--student_width", "2", "--teacher_width", "2"]  # fmt: skip
    run("train", "nifti", "--role", "teacher", "--output_dir", folder / "teacher", *small)
    run(
        "distill", "nifti", "--teacher", folder / "teacher", "--method", "hlfd", "--output_dir", folder / "hlfd", *small
    )
    assert set(pd.read_csv(folder / "hlfd/metrics.csv")["class"]) == {f"class_{n}" for n in range(1, CLASSES + 1)}
