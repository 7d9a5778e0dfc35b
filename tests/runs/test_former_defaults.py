"""Runs that began before `memory_format` and `--amp auto` go on with their numbers."""

import pytest
import torch

from medkd.runs.former_defaults import add_former_defaults

EXPRESSION = "$'cuda' in str(@device)"
FORMER = ("--amp", "False", "--memory_format", "contiguous")


@pytest.mark.parametrize("amp", [True, False])
def test_what_a_user_chose_stays(amp):
    config = {"amp": amp, "train": {"trainer": {"amp": "@amp"}}}
    assert add_former_defaults(config, is_cuda=False)["amp"] is amp
    assert add_former_defaults({**config, "memory_format": "auto"}, is_cuda=False)["memory_format"] == "auto"
    assert config == {"amp": amp, "train": {"trainer": {"amp": "@amp"}}}


@pytest.mark.parametrize("is_cuda", [True, False])
def test_precision_was_mixed_on_cuda_alone(is_cuda):
    config = {"amp": EXPRESSION, "train": {"trainer": {}}}
    assert add_former_defaults(config, is_cuda)["amp"] is is_cuda


def test_configurations_without_our_trainer_are_left_alone():
    for config in ({}, {"train": "@other"}, {"train": {"handlers": []}}):
        assert add_former_defaults(config, is_cuda=False) == config


def former_student(definition):
    kept = {name: value for name, value in definition.items() if name != "architecture"}
    return {**kept, "_target_": "medkd.networks.ResNetFCN"}


def test_students_of_volumes_were_named_by_their_class():
    today = {"_target_": "medkd.networks.build_student", "architecture": "@student_architecture", "width": "@width"}
    saved = {"spacing": None, "mode": "2d", "network_def": former_student(today)}
    assert add_former_defaults(saved, is_cuda=False) == {
        **saved,
        "student_architecture": "ResNetFCN",
        "network_def": today,
    }
    teacher = {"spacing": None, "mode": "3d", "network_def": "%teacher_def"}
    assert add_former_defaults(teacher, is_cuda=False) == {**teacher, "student_architecture": "UNet"}
    chosen = {**saved, "student_architecture": "UNet", "network_def": today}
    assert add_former_defaults(chosen, is_cuda=False) == chosen


def test_a_run_of_before_is_resumed(kits19_data, medkd_run, tmp_path, capsys):
    words = ["train", "kits19", "--dataset_dir", kits19_data, "--output_dir", tmp_path / "run", "--device", "cpu"]
    assert medkd_run(*words, *FORMER) == 0
    state = torch.load(tmp_path / "run/resume.pt", weights_only=True)
    assert state.pop("settings") == {"precision": "float32", "memory_format": "contiguous"}
    for content in (state["config"], state["config"]["train"]["trainer"]):
        del content["memory_format"], content["compile"]
    del state["config"]["student_architecture"]
    state["config"]["network_def"] = former_student(state["config"]["network_def"])
    state["config"]["amp"] = EXPRESSION
    torch.save(state, tmp_path / "run/resume.pt")
    assert medkd_run(*words, "--resume", "True", *FORMER) == 0
    assert "the run ended after 1 epochs" in capsys.readouterr().out
    assert medkd_run(*words, "--resume", "True") == 1
    error = capsys.readouterr().err
    assert "other options: " in error and "amp was False, is auto" in error
    assert "memory_format was contiguous, is auto" in error and "compile" not in error
