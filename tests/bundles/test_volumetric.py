"""--mode 3d: the whole way on phantoms, and that what was trained in one mode is not used in the other."""

import json

import nibabel as nib
import numpy as np
import pytest
import torch

from medkd.cli.workflow import compose
from medkd.networks import UNet

VOLUMES = ["--mode", "3d", "--patch_size", "[16,32,32]", "--spacing", "[2.5,1.0,1.0]", "--image_size", "[16,32,32]"]
SHORT = ["--patches_per_case", 1, "--batch_size", 2]


@pytest.fixture(scope="module")
def run(kits19_data, medkd_run):
    def call(verb, folder, *options, short=True):
        words = [*VOLUMES, *SHORT] if short else []
        return medkd_run(verb, "kits19", *words, "--dataset_dir", kits19_data, "--output_dir", folder, *options)

    return call


@pytest.fixture(scope="module")
def teacher(run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("volumes") / "teacher"
    assert run("train", folder, "--role", "teacher") == 0
    return folder


@pytest.fixture(scope="module")
def student(run, teacher, tmp_path_factory):
    folder = tmp_path_factory.mktemp("volumes") / "student"
    assert run("distill", folder, "--teacher", teacher, "--method", "hlfd") == 0
    return folder


def test_a_student_of_volumes(student):
    state = torch.load(student / "model.pt", weights_only=True)
    assert state["head.weight"].shape[2:] == (1, 1, 1)
    summary = json.loads((student / "summary.json").read_text())
    assert summary["tumour"]["dice"]["n"] == 1
    assert list((student / "overlays").glob("worst_*.png"))


def test_plckd_in_volumes(run, teacher, tmp_path):
    assert run("distill", tmp_path / "plckd", "--teacher", teacher, "--method", "plckd") == 0
    report = json.loads((tmp_path / "plckd/correction.json").read_text())
    assert report["wrong_pixels_after"]["wrong"]["SC"] == 0


def test_evaluate_takes_mode_and_sizes_from_the_record(student, kits19_data, medkd_run, tmp_path, capsys):
    words = ["--model", student, "--dataset_dir", kits19_data, "--output_dir", tmp_path / "again", "--device", "cpu"]
    assert medkd_run("evaluate", "kits19", *words, tiny=False) == 0
    assert "volumetric.yaml" in capsys.readouterr().out
    assert (tmp_path / "again/metrics.csv").read_text() == (student / "metrics.csv").read_text()


@pytest.fixture(scope="module")
def scribbler(student, tmp_path_factory):
    """An untrained network with the student's record, whose predictions have both classes in every place."""
    torch.manual_seed(3)
    network = UNet(3, 1, 2, width=2).eval()
    logits = network(torch.rand(2, 1, 16, 32, 32) * 2 - 1)
    network.head.bias.data[1] += (logits[:, 0] - logits[:, 1]).median().detach()
    folder = tmp_path_factory.mktemp("scribbler3d")
    torch.save(network.state_dict(), folder / "model.pt")
    (folder / "config.yaml").write_text((student / "config.yaml").read_text())
    return folder


def test_inference_is_the_evaluations_prediction(scribbler, kits19_data, medkd_run, tmp_path):
    """Through the raw NIfTI and through the store, with and without probabilities: voxel for voxel."""
    words = ["--model", scribbler, "--device", "cpu"]
    evaluation = [*words, "--dataset_dir", kits19_data, "--output_dir", tmp_path / "evaluated"]
    assert medkd_run("evaluate", "kits19", *evaluation, tiny=False) == 0
    (expected,) = (tmp_path / "evaluated/predictions").glob("*.nii.gz")
    case = expected.name.removesuffix(".nii.gz")
    raw = kits19_data.parent / "raw/data" / case / "imaging.nii.gz"
    wanted = np.asarray(nib.load(expected).dataobj)
    assert 0.02 < (wanted > 0).mean() < 0.98
    for name, more in (("plain", []), ("soft", ["--save_probabilities", "True"])):
        inference = [*words, "--input", raw, "--output_dir", tmp_path / name, *more]
        assert medkd_run("infer", "kits19", *inference, tiny=False) == 0
        found = nib.load(tmp_path / name / f"{case}.nii.gz")
        np.testing.assert_array_equal(np.asarray(found.dataobj), wanted)
        np.testing.assert_allclose(found.affine, nib.load(raw).affine)


def placed(array, affine):
    """A prediction as the millimetres of its foreground voxels, sorted."""
    points = nib.affines.apply_affine(affine, np.argwhere(array > 0))
    return points[np.lexsort(points.round(3).T)]


@pytest.mark.parametrize("turn", ["flipped", "transposed", "oblique"])
def test_predictions_lie_at_the_same_millimetres_however_the_scan_is_stored(
    scribbler, kits19_data, medkd_run, tmp_path, turn
):
    case = "case_00000"
    raw = nib.load(kits19_data.parent / "raw/data" / case / "imaging.nii.gz")
    array, affine = np.asarray(raw.dataobj), raw.affine
    moved = np.eye(4)
    if turn == "oblique":
        c, s = np.cos(0.2), np.sin(0.2)
        moved[:3, :3] = [[c, -s, 0], [s, c, 0], [0, 0, 1]]
        other, other_affine = array, moved @ affine
    else:
        axes = [[0, 1], [1, -1], [2, -1]] if turn == "flipped" else [[2, 1], [0, -1], [1, 1]]
        other = nib.orientations.apply_orientation(array, axes)
        other_affine = affine @ nib.orientations.inv_ornt_aff(np.array(axes), array.shape)
    found = {}
    for name, (voxels, matrix) in {"as_it_is": (array, affine), turn: (other, other_affine)}.items():
        (tmp_path / name).mkdir()
        nib.save(nib.Nifti1Image(voxels, matrix), tmp_path / name / "scan.nii.gz")
        words = [
            "--model",
            scribbler,
            "--device",
            "cpu",
            "--input",
            tmp_path / name,
            "--output_dir",
            tmp_path / f"{name}_out",
        ]
        assert medkd_run("infer", "kits19", *words, tiny=False) == 0
        prediction = nib.load(tmp_path / f"{name}_out/scan.nii.gz")
        np.testing.assert_allclose(prediction.affine, matrix, atol=1e-5)
        found[name] = placed(np.asarray(prediction.dataobj), prediction.affine)
    expected = nib.affines.apply_affine(moved, found["as_it_is"])
    np.testing.assert_allclose(found[turn], expected[np.lexsort(expected.round(3).T)], atol=1e-3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--mode", "2d", "--image_size", "[32,32]"],
            "is a network of volumes (it was trained with --mode 3d), this command is",
        ),
        (
            ["--spacing", "[3.0,1.0,1.0]"],
            "was trained with --spacing [2.5, 1.0, 1.0], this command has [3.0, 1.0, 1.0]",
        ),
        (
            ["--patch_size", "[64,32,32]", "--image_size", "[64,32,32]"],
            "--patch_size [64, 32, 32]: 64 slices are more than any training volume has",
        ),
        (
            ["--patch_size", "[16,32]", "--image_size", "[16,32]"],
            "--image_size: found [16, 32], expected --patch_size SLICES ROWS COLUMNS",
        ),
        (["--soft_labels", "cached"], "with --mode 3d use --soft_labels online"),
    ],
)
def test_what_does_not_fit_is_told_in_one_line(run, teacher, tmp_path, capsys, options, message):
    words = ["--teacher", teacher, "--method", "kd", *options]
    assert run("distill", tmp_path / "run", *words, short="2d" not in options) in (1, 2)
    assert message in capsys.readouterr().err
    assert not (tmp_path / "run/model.pt").exists()


def test_the_window_of_inference_may_be_another(scribbler, kits19_data, medkd_run, tmp_path, capsys):
    raw = kits19_data.parent / "raw/data/case_00000/imaging.nii.gz"
    words = ["--model", scribbler, "--device", "cpu", "--input", raw]
    assert (
        medkd_run("infer", "kits19", *words, "--output_dir", tmp_path / "a", "--patch_size", "[16,48,48]", tiny=False)
        == 0
    )
    assert medkd_run(
        "infer", "kits19", *words, "--output_dir", tmp_path / "b", "--patch_size", "[7,7,7]", tiny=False
    ) in (1, 2)
    assert "UNet: image size (7, 7, 7) found" in capsys.readouterr().err


@pytest.mark.parametrize(("mode", "option"), [("2d", "--patch_size"), ("2d", "--spacing"), ("3d", "--slice_batch")])
def test_options_of_the_other_mode_are_refused(medkd_run, kits19_data, tmp_path, capsys, mode, option):
    words = ["--mode", mode, option, "[16,16,16]", "--dataset_dir", kits19_data, "--output_dir", tmp_path / "run"]
    assert medkd_run("train", "kits19", *words, tiny=False) in (1, 2)
    assert f"{option}: has no effect with --mode {mode}" in capsys.readouterr().err and not (tmp_path / "run").exists()


def test_a_task_of_pictures_has_no_volumes():
    with pytest.raises(ValueError, match="isic2018 is a task of pictures"):
        compose("train", "isic2018", {"dataset_dir": "D", "output_dir": "O"}, mode="3d")
