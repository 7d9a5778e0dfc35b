"""The task nifti, run as a user runs it: one class and two, every format in, predictions at the same millimetres out."""

import json

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
import torch
import yaml

from medkd.configs.bundles import BUNDLES
from medkd.data import dataset_property, load_datalist
from medkd.networks import UNet
from medkd.phantoms import write_dicom

SHAPE = (20, 22, 8)
AFFINES = {
    "plain": np.diag([-0.8, -0.9, 3.0, 1.0]),
    "flipped": np.array([[0, 0, 3.0, -20], [0.8, 0, 0, 5], [0, -0.9, 0, 7], [0, 0, 0, 1]]),
    "oblique": np.array([[-0.64, 0.54, 0, 12], [-0.48, -0.72, 0, -30], [0, 0, 3.0, 400], [0, 0, 0, 1]]),
}


def case(seed, is_mr):
    label = np.zeros(SHAPE, np.uint8)
    label[4:12, 5:13, 2:6], label[14:18, 8:14, 3:5] = 1, 2
    image = np.random.default_rng(seed).normal(40, 5, SHAPE) + 100 * label
    image[:2] = -1000
    return (image.astype(np.float32) + 1000) * (seed + 1) * 0.37 if is_mr else np.rint(image).astype(np.int16), label


@pytest.fixture(scope="module", params=["ct, one class", "mr, two classes"])
def prepared(request, medkd_run, tmp_path_factory):
    """Data set, its raw images, and names of the classes."""
    is_mr, folder = request.param.startswith("mr"), tmp_path_factory.mktemp("nifti")
    for number in range(5):
        image, label = case(number, is_mr)
        affine = list(AFFINES.values())[number % 3]
        for kind, array in (("images", image), ("labels", label if is_mr else (label > 0).astype(np.uint8))):
            (folder / kind).mkdir(exist_ok=True)
            nib.save(nib.Nifti1Image(array, affine), folder / kind / f"c{number}.nii.gz")
    names = ["kidney", "tumour"] if is_mr else ["organ"]
    words = ["--images", folder / "images", "--labels", folder / "labels", "--split", "sorted", "--fold", 2]
    given = ["--classes", ",".join(names), "--dataset_dir", folder / "data"]
    assert medkd_run("prepare", "nifti", *words, *given, tiny=False) == 0
    return folder / "data", folder / "images", names


@pytest.fixture(scope="module")
def student(prepared, medkd_run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("student") / "run"
    assert medkd_run("train", "nifti", "--dataset_dir", prepared[0], "--output_dir", folder) == 0
    return folder


def scribble(folder, record, classes):
    """An untrained UNet whose predictions hold every class, beside the record of a run."""
    torch.manual_seed(3)
    network = UNet(2, 1, classes + 1, width=2).eval()
    logits = network(torch.rand(4, 1, 32, 32) * 2 - 1).detach()
    network.head.bias.data -= logits.movedim(1, 0).flatten(1).quantile(0.6, dim=1)
    folder.mkdir()
    torch.save(network.state_dict(), folder / "model.pt")
    (folder / "config.yaml").write_text((record / "config.yaml").read_text())
    return ["--model", folder]


def infer(medkd_run, *options):
    return medkd_run("infer", "nifti", *options, "--student_width", 2, "--device", "cpu", tiny=False)


def test_a_run_and_its_record(prepared, student):
    _, _, names = prepared
    assert list(json.loads((student / "summary.json").read_text())) == names
    config = yaml.safe_load((student / "config.yaml").read_text())
    record = config["trained_with"]
    assert record["classes"] == dict(enumerate(names, 1)) and record["target"] == "all"
    assert record["per_case"] is (len(names) == 2) and len(record["window"]) == 2 and config["image_size"] == [32, 32]
    assert list((student / "overlays").glob("*.png"))


def test_distil_evaluate_and_infer(prepared, student, medkd_run, tmp_path, capsys):
    data, images, names = prepared
    runs = ["--dataset_dir", data, "--output_dir"]
    assert medkd_run("train", "nifti", "--role", "teacher", *runs, tmp_path / "teacher") == 0
    options = ["--method", "hlfd", "--teacher", tmp_path / "teacher", "--student_architecture", "ResNetFCN"]
    assert medkd_run("distill", "nifti", *options, *runs, tmp_path / "hlfd") == 0
    assert medkd_run("evaluate", "nifti", "--model", student, *runs, tmp_path / "again") == 0
    assert (tmp_path / "again/metrics.csv").read_text() == (student / "metrics.csv").read_text()
    # window, classes, image size and network are read off the record
    words = ["--model", tmp_path / "hlfd", "--input", images, "--output_dir", tmp_path / "out"]
    assert medkd_run("infer", "nifti", *words, tiny=False) == 0
    assert len(list((tmp_path / "out").glob("*.nii.gz"))) == 5
    assert f'"{names[0]}"' in (tmp_path / "out/itksnap_labels.txt").read_text()
    capsys.readouterr()
    assert medkd_run("evaluate", "nifti", "--model", student, *runs, tmp_path / "no", "--window", "[0,5]") in (1, 2)
    assert "was trained with --window" in capsys.readouterr().err


def test_one_class_of_several(prepared, medkd_run, tmp_path, capsys):
    data, images, names = prepared
    words = ["--dataset_dir", data, "--output_dir", tmp_path / "run"]
    assert medkd_run("train", "nifti", *words, "--target", "liver") in (1, 2)
    assert f"target 'liver' is unknown, expected all or one of {', '.join(names)}" in capsys.readouterr().err
    assert medkd_run("train", "nifti", *words, "--target", names[-1]) == 0
    assert list(json.loads((tmp_path / "run/summary.json").read_text())) == [names[-1]]
    words = ["--model", tmp_path / "run", "--input", images / "c0.nii.gz", "--output_dir", tmp_path / "out"]
    assert medkd_run("infer", "nifti", *words, tiny=False) == 0
    assert set(np.unique(nib.load(tmp_path / "out/c0.nii.gz").dataobj)) <= {0, 1}


def test_inference_agrees_with_evaluation_voxel_for_voxel(prepared, student, medkd_run, tmp_path):
    """MR is rescaled case by case in both; the case is flipped or oblique."""
    data, images, names = prepared
    options = scribble(tmp_path / "model", student, len(names))
    runs = ["--dataset_dir", data, "--output_dir", tmp_path / "evaluated"]
    assert medkd_run("evaluate", "nifti", *options, *runs) == 0
    (entry,) = load_datalist(data, "test")
    words = ["--input", images / f"{entry['case']}.nii.gz", "--output_dir", tmp_path / "inferred"]
    assert infer(medkd_run, *options, *words) == 0
    paths = (tmp_path / "inferred", tmp_path / "evaluated/predictions")
    ours, stored = (nib.as_closest_canonical(nib.load(path / f"{entry['case']}.nii.gz")) for path in paths)
    np.testing.assert_allclose(ours.affine, stored.affine, atol=1e-3)
    np.testing.assert_array_equal(np.asarray(ours.dataobj), np.asarray(stored.dataobj))
    assert set(np.unique(ours.dataobj)) == set(range(len(names) + 1))


def write_formats(folder, image, affine):
    """One volume in every format."""
    folder.mkdir()
    lps = np.diag([-1, -1, 1, 1]) @ affine
    spacing = np.linalg.norm(lps[:3, :3], axis=0)
    volume = sitk.GetImageFromArray(image.T)
    volume.SetSpacing(spacing.tolist())
    volume.SetDirection((lps[:3, :3] / spacing).ravel().tolist())
    volume.SetOrigin(lps[:3, 3].tolist())
    for suffix in ("nrrd", "nhdr", "mha", "mhd"):
        sitk.WriteImage(volume, str(folder / f"{suffix}.{suffix}"))
    nib.save(nib.Nifti1Image(image, affine), folder / "nii.nii")
    nib.save(nib.Nifti1Image(image, affine).as_reoriented([[2, 1], [0, -1], [1, 1]]), folder / "turned.nii.gz")
    write_dicom(folder / "dicom", image, affine)


@pytest.mark.parametrize("prepared", ["ct, one class"], indirect=True)
@pytest.mark.parametrize("name", AFFINES)
def test_predictions_lie_where_the_input_lies(student, prepared, medkd_run, tmp_path, name):
    """A network that marks what is bright: the blob's middle in mm must be that of the image's blob."""
    image = np.full(SHAPE, -200, np.int16)
    image[3:7, 12:19, 1:3] = 400
    affine = AFFINES[name]
    write_formats(tmp_path / "in", image, affine)
    network = torch.nn.Conv2d(1, 2, 1)
    network.weight.data[:, 0, 0, 0], network.bias.data = torch.tensor([-1.0, 1.0]), torch.zeros(2)
    (tmp_path / "model").mkdir()
    torch.save(network.state_dict(), tmp_path / "model/model.pt")
    (tmp_path / "model/config.yaml").write_text((student / "config.yaml").read_text())
    overlay = tmp_path / "bright.yaml"
    overlay.write_text("network_def: {_target_: torch.nn.Conv2d, in_channels: 1, out_channels: 2, kernel_size: 1}\n")
    options = ["--model", tmp_path / "model", "--overlay", overlay]
    assert infer(medkd_run, *options, "--input", tmp_path / "in", "--output_dir", tmp_path / "out") == 0
    expected = affine @ [*np.argwhere(image == 400).mean(0), 1]
    found = sorted((tmp_path / "out").glob("*.nii.gz"))
    assert [path.name.split(".")[0] for path in found] == ["dicom", "mha", "mhd", "nhdr", "nii", "nrrd", "turned"]
    for path in found:
        prediction = nib.load(path)
        blob = np.asarray(prediction.dataobj) == 1
        assert blob.sum() == 4 * 7 * 2, path
        np.testing.assert_allclose(prediction.affine @ [*np.argwhere(blob).mean(0), 1], expected, atol=1e-3)
        # another program's reading of the same file
        if path.name != "turned.nii.gz":
            middle = np.argwhere(sitk.GetArrayFromImage(sitk.ReadImage(str(path))) == 1).mean(0)[::-1]
            world = sitk.ReadImage(str(path)).TransformContinuousIndexToPhysicalPoint(middle.tolist())
            np.testing.assert_allclose(np.array([-1, -1, 1]) * world, expected[:3], atol=1e-3)


@pytest.mark.parametrize("prepared", ["ct, one class"], indirect=True)
def test_a_dicom_folder_by_itself_and_a_bad_one(student, prepared, medkd_run, tmp_path, capsys):
    data, _, names = prepared
    options = scribble(tmp_path / "model", student, len(names))
    image = case(0, False)[0]
    write_dicom(tmp_path / "in/good", image, AFFINES["plain"])
    assert infer(medkd_run, *options, "--input", tmp_path / "in/good", "--output_dir", tmp_path / "out") == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "good.nii.gz",
        "itksnap_labels.txt",
        "volumes.csv",
    ]
    write_dicom(tmp_path / "in/bad", image, AFFINES["plain"])
    sorted((tmp_path / "in/bad").iterdir())[3].unlink()
    content = bytearray(nib.Nifti1Image(image, AFFINES["plain"]).to_bytes())
    content[42:48] = np.array([32767] * 3, "<i2").tobytes()  # more than memory, and than the file, holds
    (tmp_path / "in/huge.nii").write_bytes(content)
    capsys.readouterr()
    assert infer(medkd_run, *options, "--input", tmp_path / "in", "--output_dir", tmp_path / "both") in (1, 2)
    said = capsys.readouterr().err
    assert "in/bad: DICOM slices are missing or uneven" in said.replace("in/bad: " + str(tmp_path), "")
    assert "2 of 3 cases failed: bad, huge" in said and (tmp_path / "both/good.nii.gz").is_file()
    pytest.importorskip("highdicom")
    words = ["--input", tmp_path / "in", "--output_dir", tmp_path / "dicom", "--format", "dicom-seg"]
    assert infer(medkd_run, *options, *words, "--dicom_seg", "labelmap") in (1, 2)
    said = capsys.readouterr().err
    assert "huge.nii: found a file, expected a folder with a DICOM series" in said
    assert "2 of 3 cases failed: bad, huge" in said
    assert [path.name for path in (tmp_path / "dicom").glob("*.[dn]*")] == ["good.dcm"]


def test_volumes(prepared, medkd_run, tmp_path):
    """By what prepare proposed, thin volumes: eight slices of 3 mm are padded to a patch of sixteen."""
    data, images, names = prepared
    words = ["--mode", "3d", "--dataset_dir", data, "--patches_per_case", 1, "--student_width", 2]
    words += ["--max_epochs", 1, "--device", "cpu", "--output_dir", tmp_path / "run"]
    assert medkd_run("train", "nifti", *words, tiny=False) == 0
    config = yaml.safe_load((tmp_path / "run/config.yaml").read_text())
    assert config["patch_size"] == config["image_size"] == dataset_property(data, "patch_3d")
    assert config["trained_with"]["spacing"] == dataset_property(data, "spacing_3d")
    model, inputs, outputs = (
        ("--model", tmp_path / "run"),
        ("--input", images / "c2.nii.gz"),
        ("--output_dir", tmp_path / "out"),
    )
    assert medkd_run("infer", "nifti", *model, *inputs, *outputs, "--device", "cpu", tiny=False) == 0
    found, source = (nib.load(path) for path in (tmp_path / "out/c2.nii.gz", images / "c2.nii.gz"))
    assert found.shape == source.shape and np.allclose(found.affine, source.affine)
    assert list(json.loads((tmp_path / "run/summary.json").read_text())) == names


def test_a_model_without_a_record_is_one_line(tmp_path, medkd_run, capsys):
    (tmp_path / "model.pt").write_bytes(b"")
    (tmp_path / "scan.nii").write_bytes(b"")
    words = ["--model", tmp_path / "model.pt", "--input", tmp_path / "scan.nii", "--output_dir", tmp_path / "out"]
    assert infer(medkd_run, *words) in (1, 2)
    assert "no config.yaml beside it says its " in capsys.readouterr().err


def test_the_bundle_is_that_of_kits19_but_for_what_the_data_set_says():
    ours, kits = ((BUNDLES / task / "configs/train.yaml").read_text() for task in ("nifti", "kits19"))
    own = {line.split(":")[0].strip(" -{_") for line in set(ours.splitlines()) - set(kits.splitlines())}
    words = "target window image_size patch_size spacing classes values channels per_case trained_with mode".split()
    words += ["student_architecture", "student_width"]
    assert own - {line for line in own if line.startswith("#")} == set(words)
