"""--mode 3d: the whole way on phantoms, and that what was trained in one mode is not used in the other."""

import json
import shutil

import nibabel as nib
import numpy as np
import pytest
import torch

from medkd.cli.workflow import compose
from medkd.data import map_grid, maps_shape
from medkd.data.volume_store import read_maps
from medkd.networks import UNet
from tests.interruption import stopped_after_a_save

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


def test_a_student_without_decoder(run, kits19_data, medkd_run, tmp_path):
    """Its record names it: `evaluate` needs no option."""
    assert run("train", tmp_path / "run", "--student_architecture", "ResNetFCN") == 0
    assert not any("decoder" in name for name in torch.load(tmp_path / "run/model.pt", weights_only=True))
    words = ["--model", tmp_path / "run", "--dataset_dir", kits19_data, "--output_dir", tmp_path / "again"]
    assert medkd_run("evaluate", "kits19", *words, "--device", "cpu", tiny=False) == 0
    assert (tmp_path / "again/metrics.csv").read_text() == (tmp_path / "run/metrics.csv").read_text()


def test_plckd_in_volumes(run, teacher, tmp_path):
    assert run("distill", tmp_path / "plckd", "--teacher", teacher, "--method", "plckd") == 0
    report = json.loads((tmp_path / "plckd/correction.json").read_text())
    assert report["wrong_pixels_after"]["wrong"]["SC"] == 0


COARSER = ["--spacing", "[4.0,1.5,1.5]", "--patch_size", "[16,32,16]", "--image_size", "[16,32,16]"]


def test_a_cached_teacher_teaches_at_another_spacing(run, teacher, kits19_data, tmp_path, capsys):
    words = ["--teacher", teacher, "--method", "kd", "--soft_labels", "cached", "--soft_labels_dir", tmp_path / "soft"]
    assert run("distill", tmp_path / "kd", *words, *COARSER) == 0
    printed = capsys.readouterr().out
    assert f"teacher {teacher}: windows of 16 x 32 x 32 voxels of 2.5 x 1 x 1 mm" in printed
    assert "soft labels of 3 volumes, 3 of them new" in printed and "cached_volumetric.yaml" in printed
    files = sorted((tmp_path / "soft").glob("volumes-*/*.b2nd"))
    entries = json.loads((kits19_data / "datalist.json").read_text())["training"]
    sizes = [map_grid(e["shape"], e["spacing"], (16, 32, 16), (4.0, 1.5, 1.5)).size for e in entries]
    assert sorted(maps_shape(file)[1:] for file in files) == sorted(sizes)


@pytest.mark.slow
def test_the_batches_are_the_same_online_and_cached(run, teacher, tmp_path):
    words = ["--teacher", teacher, "--method", "kd", "--method_args::weight", 0.0]
    for way in ("online", "cached"):
        assert run("distill", tmp_path / way, *words, "--soft_labels", way) == 0
    online, cached = (torch.load(tmp_path / way / "model.pt", weights_only=True) for way in ("online", "cached"))
    assert all(torch.equal(online[name], cached[name]) for name in online)


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        ["--method", "plckd"],
        ["--method", "swap", "--training_cases", 1, "--unlabelled", "rest"],
        ["--method", "kd", "--training_cases", 0, "--unlabelled", "rest"],
    ],
    ids=["plckd", "swap", "without a label"],
)
def test_a_cached_run_resumes_bit_for_bit(run, teacher, tmp_path, monkeypatch, options):
    words = ["--teacher", teacher, *options, "--soft_labels", "cached", "--max_epochs", 2, "--batch_size", 2]
    words += ["--augmentation", "strong", "--soft_labels_dir", tmp_path / "soft"]
    members = [w for name in ("false_pixel", "boundary") for w in (f"--{name}_assistant", teacher)]
    words += members if "plckd" in options else []
    assert run("distill", tmp_path / "whole", *words) == 0
    with stopped_after_a_save(monkeypatch):
        run("distill", tmp_path / "resumed", *words)
    shutil.rmtree(tmp_path / "soft")  # computed again, the same
    assert run("distill", tmp_path / "resumed", *words, "--resume", "True") == 0
    whole, resumed = (torch.load(tmp_path / name / "model.pt", weights_only=True) for name in ("whole", "resumed"))
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


@pytest.mark.slow
def test_five_folds_teach_one_student(run, nnunet_model, tmp_path, capsys):
    """As bundles/nifti/docs/README.md draws it: each fold is a network of its own, at the spacing and patch of its plans."""
    model = tmp_path / "nnUNetTrainer__nnUNetPlans__3d_fullres"
    for fold in range(5):
        nnunet_model(tmp_path / str(fold) / model.name, dims=3)
        (tmp_path / str(fold) / model.name / "fold_0").rename(tmp_path / f"fold_{fold}")
    (tmp_path / "0" / model.name).rename(model)
    for fold in range(5):
        (tmp_path / f"fold_{fold}").rename(model / f"fold_{fold}")
    plans = json.loads((model / "plans.json").read_text())
    plans["configurations"]["3d_fullres"] |= {"spacing": [3.0, 1.2, 1.2], "patch_size": [8, 24, 24]}
    (model / "plans.json").write_text(json.dumps(plans))
    folds = [f"{model}/fold_{fold}" for fold in range(5)]
    words = ["--teacher", *folds, "--method", "kd", "--soft_labels", "cached", "--soft_labels_dir", tmp_path / "soft"]
    assert run("distill", tmp_path / "student", *words) == 0
    printed = capsys.readouterr().out
    assert all(f"teacher {fold}: windows of 8 x 24 x 24 voxels of 3 x 1.2 x 1.2 mm" in printed for fold in folds)
    assert "soft labels of 3 volumes, 3 of them new" in printed
    (file, *_) = (tmp_path / "soft").glob("*/*.b2nd")
    logits = torch.from_numpy(read_maps(file, (slice(0, 4), slice(0, 8), slice(0, 8)))).float()
    torch.testing.assert_close(logits.exp().sum(0), torch.ones(4, 8, 8), atol=0.01, rtol=0)


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
        (["--soft_labels", "cached", "--method", "at"], "method at reads maps of the teacher"),
        (["--teacher_spacing", "[2,1,1]"], "--teacher_spacing"),
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
