"""Which of a team is trained before the student, with which options, and that all is checked before."""

from pathlib import Path

import pytest
import torch
import yaml

from medkd.cli.team import team_first
from medkd.configs.bundles import config_files
from medkd.configs.merge import merge_files
from medkd.networks import UNet


def config_of(role, overlays=()):
    kind = ("distill", "cvc_endoscene", role, "cached") if role == "student" else ("train", "cvc_endoscene", role)
    return merge_files([*config_files(*kind), *overlays])


def options_of(words):
    """Words of a command line as options."""
    return {name.removeprefix("--"): value for name, value in zip(words[::2], words[1::2], strict=True)}


def plan(tmp_path, *words, overlays=(), models=None):
    """What would be trained, as (role, options), and the student's options."""
    trained = {}
    common = {"dataset_dir": "D", "output_dir": str(tmp_path / "out"), "method": "plckd"}
    options = {name: str(v) if isinstance(v, Path) else v for name, v in {**common, **options_of(words)}.items()}
    student = team_first(
        models or tmp_path / "models", options, lambda role: config_of(role, overlays), trained.__setitem__
    )
    return trained, student


def test_what_is_missing_is_trained_in_order_with_the_options_that_it_has(tmp_path):
    words = ["--max_epochs", 7, "--soft_labels_dir", "S", "--team_figures::width", 3, "--learning_rate", 0.5]
    own = ["--teacher::max_epochs", 9, "--boundary_assistant::boundary_width", 2]
    trained, student = plan(tmp_path, *words, *own)
    assert list(trained) == ["teacher", "false_pixel_assistant", "boundary_assistant"]
    team = tmp_path / "out/team"
    common = {"dataset_dir": "D", "max_epochs": 7}
    assert trained["teacher"] == {**common, "max_epochs": 9, "output_dir": str(team / "teacher")}
    assistant = {**common, "teacher": str(team / "teacher")}
    assert trained["false_pixel_assistant"] == {**assistant, "output_dir": str(team / "false_pixel_assistant")}
    assert trained["boundary_assistant"] == {
        **assistant,
        "boundary_width": 2,
        "output_dir": str(team / "boundary_assistant"),
    }
    assert student["soft_labels_dir"] == "S" and student["learning_rate"] == 0.5
    assert {role: student[role] for role in trained} == {role: str(team / role) for role in trained}
    assert not any("::max_epochs" in name or "::boundary" in name for name in student)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--boundary_assistant::boundry_width", 3], r"--boundry_width \(did you mean --boundary_width"),
        (["--learning_rate", "fast"], "--learning_rate: found 'fast', expected a number"),
        (["--max_epoch", 3], r"--max_epoch \(did you mean --max_epochs"),
        (["--method_args::bse", "kd"], "method plckd has no argument 'bse'"),
    ],
)
def test_everything_is_checked_before_anything_is_trained(tmp_path, words, message):
    options = {"dataset_dir": "D", "output_dir": str(tmp_path), "method": "plckd", **options_of(words)}
    with pytest.raises(ValueError, match=message):
        team_first(tmp_path, options, config_of, lambda *run: pytest.fail(f"trained {run}"))


def test_the_method_may_stand_in_an_overlay_and_its_arguments_in_one_option(tmp_path):
    trained, _ = plan(tmp_path, "--method_args", {"false_pixel": False, "boundary": False})
    assert list(trained) == ["teacher"]
    overlay = tmp_path / "o.yaml"
    overlay.write_text("method: plckd\nmethod_args: {boundary: false}\n")
    trained = []
    options = {"dataset_dir": "D", "output_dir": str(tmp_path / "out")}
    team_first(tmp_path, options, lambda role: config_of(role, [str(overlay)]), lambda role, _: trained.append(role))
    assert trained == ["teacher", "false_pixel_assistant"]


def test_other_methods_train_nobody(tmp_path):
    for method in ("kd", "hlfd", "none"):
        options = {"dataset_dir": "D", "output_dir": "O", "method": method}
        assert team_first(tmp_path, options, config_of, lambda *run: pytest.fail("trained")) == options


def test_what_is_there_is_used_resumed_or_refused(tmp_path):
    team = tmp_path / "out/team"
    for role in ("teacher", "false_pixel_assistant"):
        (team / role).mkdir(parents=True)
        torch.save(UNet(2, 3, 2, width=2).state_dict(), team / role / "model.pt")
    (team / "teacher/metrics.csv").touch()
    (team / "teacher/config.yaml").write_text(
        yaml.safe_dump({"bundle_root": "b", "max_epochs": 9, "train": {"trainer": {"amp": True}}})
    )
    elsewhere = tmp_path / "elsewhere.pt"
    elsewhere.touch()
    trained, student = plan(tmp_path, "--teacher::max_epochs", 9, "--boundary_assistant", elsewhere)
    # killed between its best model and its first resume file
    assert list(trained) == ["false_pixel_assistant"] and trained["false_pixel_assistant"]["resume"] is True
    assert student["boundary_assistant"] == str(elsewhere)
    for name, value in (("max_epochs", 8), ("train::trainer::amp", False)):
        with pytest.raises(ValueError, match=f"was trained with --{name}"):
            plan(tmp_path, f"--teacher::{name}", value)


@pytest.mark.parametrize("role", ["teacher", "boundary_assistant"])
def test_a_path_that_is_not_there_is_told_before_anything_is_trained(tmp_path, role):
    options = {"dataset_dir": "D", "output_dir": str(tmp_path), "method": "plckd", role: "nowhere"}
    with pytest.raises(FileNotFoundError, match=f"{role} nowhere: no such file"):
        team_first(tmp_path, options, config_of, lambda *run: pytest.fail(f"trained {run}"))


def test_an_ensemble_teaches_a_team_without_similarity(tmp_path):
    paths = [str(tmp_path / name) for name in ("a.pt", "b.pt")]
    for path in paths:
        torch.save(UNet(2, 3, 2, width=2).state_dict(), path)
    trained, student = plan(tmp_path, "--teacher", paths, "--method_args::similarity", False)
    assert list(trained) == ["false_pixel_assistant", "boundary_assistant"]
    assert trained["false_pixel_assistant"]["teacher"] == paths and student["teacher"] == paths
    options = {"dataset_dir": "D", "output_dir": str(tmp_path), "method": "plckd", "teacher": paths}
    with pytest.raises(ValueError, match="method plckd: similarity reads the penultimate map of the teacher"):
        team_first(tmp_path, options, config_of, lambda *run: pytest.fail(f"trained {run}"))
