"""External teachers through the command line, as a user names them."""

import json

import pytest
import torch
import yaml
from monai.networks.nets import UNet as MonaiUNet
from torch import nn

from tests.interruption import stopped_after_a_save


@pytest.fixture(scope="module")
def external(nnunet_model, teachers, tmp_path_factory):
    """Kind -> what --teacher is given, and the options that it needs."""
    root = tmp_path_factory.mktemp("external")
    nnunet_model(root / "nnUNetTrainer__nnUNetPlans__2d", classes=3)
    network = MonaiUNet(2, 1, 2, (4, 8, 16), (2, 2)).eval()
    torch.jit.script(network).save(str(root / "teacher.ts"))
    for name in ("configs", "models"):
        (root / "bundle" / name).mkdir(parents=True)
    definition = {"_target_": "UNet", "spatial_dims": 2, "in_channels": 1, "out_channels": 2, "channels": [4, 8, 16]}
    scaling = {"_target_": "ScaleIntensityRanged", "keys": "image", "a_min": -100, "a_max": 200, "b_min": 0, "b_max": 1}
    config = {"network_def": {**definition, "strides": [2, 2]}, "preprocessing": {"transforms": [scaling]}}
    (root / "bundle/configs/inference.json").write_text(json.dumps(config))
    torch.save(network.state_dict(), root / "bundle/models/model.pt")
    paths = [str(path) for path in (root / "teacher.ts", root / "bundle", teachers["kits19"])]
    return {
        "nnunet": (root / "nnUNetTrainer__nnUNetPlans__2d", ["--teacher_classes", "[0,0,1]"]),
        "bundle": (root / "bundle", []),
        "torchscript": (root / "teacher.ts", ["--teacher_intensity", "[-100,200,0,1]"]),
        "ensemble": (paths, ["--teacher_intensity", "[-100,200,0,1]"]),
    }


def distil(medkd_run, data, output, teacher, *options):
    words = ["--teacher", teacher, "--dataset_dir", data, "--output_dir", output, "--batch_size", 2]
    return medkd_run("distill", "kits19", *words, *options)


@pytest.mark.parametrize("kind", ["nnunet", "bundle", "torchscript", "ensemble"])
def test_each_kind_teaches(external, kits19_data, medkd_run, tmp_path, kind):
    teacher, options = external[kind]
    assert distil(medkd_run, kits19_data, tmp_path / "run", teacher, "--method", "kd", *options) == 0
    recorded = yaml.safe_load((tmp_path / "run/config.yaml").read_text())["teacher"]
    assert recorded == (teacher if kind == "ensemble" else str(teacher))


@pytest.mark.slow
def test_a_run_with_probabilities_goes_on(kits19_data, medkd_run, tmp_path, monkeypatch, assert_equal, capsys):
    """A stop after the first of two epochs, then --resume: as without the stop; another --teacher_output is refused."""
    network = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.Softmax(1))
    torch.jit.script(network).save(str(tmp_path / "t.ts"))
    words = ["--max_epochs", 2, "--teacher_intensity", "zscore", "--teacher_output"]
    with stopped_after_a_save(monkeypatch):
        distil(medkd_run, kits19_data, tmp_path / "a", tmp_path / "t.ts", *words, "probabilities")
    assert torch.load(tmp_path / "a/resume.pt", weights_only=True)["trainer"]["epoch"] == 1
    capsys.readouterr()
    resumed = [*words, "logits", "--resume", "True"]
    assert distil(medkd_run, kits19_data, tmp_path / "a", tmp_path / "t.ts", *resumed) in (1, 2)
    assert "other options: teacher_output was probabilities, is logits" in capsys.readouterr().err
    for name, more in (("a", ["--resume", "True"]), ("b", [])):
        assert distil(medkd_run, kits19_data, tmp_path / name, tmp_path / "t.ts", *words, "probabilities", *more) == 0
    first, second = (torch.load(tmp_path / name / "resume.pt", weights_only=True)["objects"] for name in "ab")
    assert_equal(first, second)


def test_stages_of_an_nnunet_and_of_a_bundle_are_read(external, kits19_data, medkd_run, tmp_path):
    teacher, options = external["nnunet"]
    assert distil(medkd_run, kits19_data, tmp_path / "a", teacher, "--method", "fitnet", *options) == 0
    late = ["--method", "hlfd", "--method_args::late", "final", "--method_args::terms", "['ufd','ifd','ipd']"]
    assert distil(medkd_run, kits19_data, tmp_path / "c", teacher, *late, *options) == 0
    named = ["--method", "spkd", "--teacher_taps", "{'encoder': ['network.model.1.submodule.1.submodule']}"]
    assert distil(medkd_run, kits19_data, tmp_path / "b", external["bundle"][0], *named) == 0


def test_soft_labels_of_an_ensemble_are_stored(external, kits19_data, medkd_run, tmp_path):
    words = ["--soft_labels", "cached", "--soft_labels_dir", tmp_path / "s"]
    teacher, options = external["ensemble"]
    assert distil(medkd_run, kits19_data, tmp_path / "run", teacher, *words, *options) == 0
    assert len(list((tmp_path / "s").iterdir())) == 1


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        (
            "torchscript",
            ["--method", "fitnet"],
            "method fitnet reads .* there are logits alone: use a method that reads no",
        ),
        ("nnunet", [], "found 3 channels, expected the 2 classes of the task"),
        ("bundle", ["--target", "both"], "found 2 channels, expected the 3 classes of the task"),
        ("ensemble", ["--method", "hlfd"], "method hlfd reads .* .ensemble of 3. there are logits alone"),
        ("ensemble", ["--window", "[0,5]"], r"was trained with --window \[-200, 300\], this command has \[0, 5\]"),
        ("torchscript", ["--method", "plckd"], "method plckd: similarity reads the penultimate map"),
        ("torchscript", ["--teacher", "[1,2]"], "--teacher: found \\[1, 2\\], expected a path"),
    ],
)
def test_what_is_refused_in_one_line(external, kits19_data, medkd_run, tmp_path, capsys, kind, options, message):
    import re

    teacher, _ = external[kind]
    assert distil(medkd_run, kits19_data, tmp_path / "run", teacher, *options) in (1, 2)
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("medkd: error: ")]
    assert len(errors) == 1 and re.search(message, errors[0]), errors
    assert not (tmp_path / "run").exists()


def test_a_teacher_has_the_width_that_it_was_trained_with(kits19_data, teachers, medkd_run, tmp_path):
    """No --teacher_width: the bundle's own is 64, the teacher's record says 2."""
    from medkd.cli.main import main

    words = ["--teacher", teachers["kits19"], "--dataset_dir", kits19_data, "--output_dir", tmp_path / "run"]
    words += ["--image_size", "[32,32]", "--student_width", 2, "--max_epochs", 1, "--device", "cpu", "--batch_size", 2]
    assert main(["distill", "kits19", *map(str, words)]) == 0


def test_assistants_learn_from_a_teacher_from_external(external, kits19_data, medkd_run, tmp_path, capsys):
    teacher, options = external["nnunet"]
    words = [*options, "--method", "plckd", "--false_pixel_assistant::queue_capacity", 64]
    assert distil(medkd_run, kits19_data, tmp_path / "a", teacher, *words) in (1, 2)
    assert "expected one medkd run: use --init scratch" in capsys.readouterr().err
    for role in ("false_pixel_assistant", "boundary_assistant"):
        words += [f"--{role}::init", "scratch", f"--{role}::freeze_norm", False]
    assert distil(medkd_run, kits19_data, tmp_path / "b", teacher, *words) == 0


def test_a_bundle_of_volumes_sees_its_axes(kits19_data, medkd_run, tmp_path, capsys):
    network, folder = MonaiUNet(3, 1, 2, (4, 8, 16), (2, 2)), tmp_path / "bundle"
    for name in ("configs", "models"):
        (folder / name).mkdir(parents=True)
    definition = {"_target_": "UNet", "spatial_dims": 3, "in_channels": 1, "out_channels": 2, "channels": [4, 8, 16]}
    transforms = [{"_target_": "Orientationd", "axcodes": "RAS"}, {"_target_": "Spacingd", "pixdim": [1, 1, 5]}]
    config = {"network_def": {**definition, "strides": [2, 2]}, "preprocessing": {"transforms": transforms}}
    (folder / "configs/inference.json").write_text(json.dumps(config))
    torch.save(network.state_dict(), folder / "models/model.pt")
    words = ["--mode", "3d", "--patch_size", "[16,32,32]", "--spacing", "[2.5,1,1]", "--image_size", "[16,32,32]"]
    words += ["--patches_per_case", 1, "--method", "spkd", "--teacher_intensity", "[-100,200,0,1]"]
    words += ["--teacher_taps", "{'encoder': ['network.model.1.submodule.1.submodule']}"]
    assert distil(medkd_run, kits19_data, tmp_path / "run", folder, *words) == 0
    out = capsys.readouterr().out
    assert "trained at a spacing of [5, 1, 1] mm (slices, rows, columns), this task has [2.5, 1, 1] (--spacing)" in out
    assert "axis directions" not in out
