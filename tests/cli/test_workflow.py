"""Runs of a bundle: their command line of MONAI."""

import ast
import shlex

import pytest

from medkd.cli.workflow import compose, run_bundle


def test_command_line_is_that_of_monai():
    options = {"dataset_dir": "D x", "output_dir": "5", "image_size": [96, 96], "resume": True}
    run = compose("distill", "kits19", options, overlays=["mine.yaml"], soft_labels="cached")
    program = shlex.split(run.command_line)
    assert program[:4] == ["python", "-m", "monai.bundle", "run"]
    files = ast.literal_eval(program[program.index("--config_file") + 1])
    assert [name.rpartition("/")[2] for name in files] == ["train.yaml", "distill.yaml", "cached.yaml", "mine.yaml"]
    values = dict(zip(program[4::2], program[5::2], strict=True))
    assert values["--dataset_dir"] == "D x" and values["--output_dir"] == "'5'" and values["--image_size"] == "[96, 96]"
    assert {"--meta_file", "--logging_file", "--bundle_root"} <= values.keys()


def test_processes_of_torchrun_train_together_by_an_overlay_the_last_of_all(monkeypatch):
    def last(verb, *overlays):
        return compose(verb, "kits19", {}, overlays=overlays).files[-1].rpartition("/")[2]

    assert last("distill") == "distill.yaml"
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert last("distill", "mine.yaml") == last("train") == "multi_gpu_train.yaml"
    files = compose("distill", "kits19", {}, overlays=["bundles/overlays/multi_gpu_train.yaml"]).files
    assert sum("multi_gpu" in file for file in files) == 1
    assert last("evaluate") == "evaluate.yaml"


def test_teachers_predict_with_their_network():
    assert compose("infer", "kits19", {}, role="teacher").options["network_def"] == "%teacher_def"


@pytest.mark.parametrize("role", ["teacher", "false_pixel_assistant", "boundary_assistant"])
def test_network_of_an_overlay_is_the_student_s(role, tmp_path):
    overlay = tmp_path / "networks.yaml"
    overlay.write_text("network_def: {_target_: medkd.networks.ResNetFCN}\n")
    run = compose("train", "kits19", {}, role=role, overlays=[str(overlay)])
    assert run.options["network_def"] == "%teacher_def"
    assert "network_def" not in compose("train", "kits19", {}, role=role).options
    assert "network_def" not in compose("train", "kits19", {}, overlays=[str(overlay)]).options


def test_options_are_checked_before_anything_is_printed(capsys):
    with pytest.raises(ValueError, match="did you mean --max_epochs"):
        run_bundle(compose("train", "kits19", {"max_epoch": 3}))
    assert capsys.readouterr().out == ""
