"""Exact restart: killed with SIGKILL in the middle, resumed, equal bit for bit; and what is refused."""

import os
import re
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest
import torch
from ignite.engine import Engine, Events

from medkd.runs.resume import ResumableRun, _differences


def options(teacher, data, output):
    words = {
        "method": "hlfd",
        "teacher": teacher,
        "dataset_dir": data,
        "output_dir": output,
        "image_size": "[32,32]",
        "teacher_width": 2,
        "student_width": 2,
        "batch_size": 2,
        "max_epochs": 6,
        "device": "cpu",
        "patience": 50,
    }
    return [word for name, value in words.items() for word in (f"--{name}", str(value))]


def test_killed_and_resumed_equals_uninterrupted(teachers, kits19_data, medkd_run, tmp_path, assert_equal, capsys):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    words = options(teachers["kits19"], kits19_data, broken)
    process = subprocess.Popen(
        [sys.executable, "-m", "medkd", "distill", "kits19", *words],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if "epoch 2/6" in line:
            time.sleep(0.3)  # somewhere within epoch 3
            break
    process.kill()
    process.wait()
    stopped = torch.load(broken / "resume.pt", weights_only=True)["trainer"]["epoch"]
    assert 2 <= stopped < 6
    assert not (broken / "metrics.csv").exists()

    # The uninterrupted run and the resumed one are in this process, which has imported everything.
    assert medkd_run("distill", "kits19", *options(teachers["kits19"], kits19_data, whole)) == 0
    capsys.readouterr()
    assert medkd_run("distill", "kits19", *words, "--resume", "True") == 0
    output = capsys.readouterr().out
    assert f"epoch {stopped + 1}/6" in output and f"epoch {stopped}/6" not in output

    first, second = (torch.load(folder / "resume.pt", weights_only=True) for folder in (whole, broken))
    assert_equal(first, second)
    assert_equal(*(torch.load(folder / "model.pt", weights_only=True) for folder in (whole, broken)))
    for name in ("metrics.csv", "summary.json"):
        assert (whole / name).read_text() == (broken / name).read_text()


@pytest.fixture(scope="module")
def finished(teachers, kits19_data, medkd_run, tmp_path_factory):
    output = tmp_path_factory.mktemp("finished") / "run"
    assert medkd_run("train", "kits19", "--dataset_dir", kits19_data, "--output_dir", output) == 0
    return output


def test_a_finished_run_is_left_as_it_is(finished, kits19_data, medkd_run, capsys):
    before = (finished / "model.pt").read_bytes()
    options = ["--dataset_dir", kits19_data, "--output_dir", finished, "--resume", "True"]
    assert medkd_run("train", "kits19", *options) == 0
    assert "the run ended after 1 epochs, nothing to resume" in capsys.readouterr().out
    assert (finished / "model.pt").read_bytes() == before


def test_an_early_stop_is_the_end_of_a_run(kits19_data, medkd_run, tmp_path, capsys):
    # a learning rate of 0 never improves the first validation, and equal ones do not count as better
    options = ["--dataset_dir", kits19_data, "--output_dir", tmp_path / "run", "--max_epochs", 9, "--patience", 2]
    assert medkd_run("train", "kits19", *options, "--learning_rate", 0.0) == 0
    epochs = torch.load(tmp_path / "run/resume.pt", weights_only=True)["trainer"]["epoch"]
    assert epochs < 9
    capsys.readouterr()
    assert medkd_run("train", "kits19", *options, "--learning_rate", 0.0, "--resume", "True") == 0
    assert f"the run ended after {epochs} epochs" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--seed", 1], r"resume.pt is of another run: found .*'seed': 0.* expected .*'seed': 1"),
        (["--batch_size", 1], "resume.pt is of another run: .*'epoch_length'"),
    ],
)
def test_another_run_is_refused(finished, kits19_data, medkd_run, capsys, options, message):
    words = ["--dataset_dir", kits19_data, "--output_dir", finished, "--resume", "True", "--max_epochs", 3, *options]
    assert medkd_run("train", "kits19", *words) in (1, 2)
    (line,) = capsys.readouterr().err.strip().splitlines()[-1:]
    assert re.search(message, line)


def test_other_options_are_refused(kits19_data, medkd_run, tmp_path, capsys):
    options = ["--dataset_dir", kits19_data, "--output_dir", tmp_path / "run"]
    assert medkd_run("train", "kits19", *options) == 0
    capsys.readouterr()
    changed = [*options, "--resume", "True", "--max_epochs", 3, "--learning_rate", 0.5, "--lr_scheduler::eta_min", 0.1]
    assert medkd_run("train", "kits19", *changed) in (1, 2)
    (error,) = capsys.readouterr().err.splitlines()[-1:]
    assert "is of a run with other options: max_epochs was 1, is 3; learning_rate was 0.001, is 0.5" in error
    assert re.search(r"lr_scheduler::eta_min was \S+, is 0\.1", error) and len(error) < 400


def test_a_run_killed_in_its_first_epoch_begins_anew(finished, kits19_data, medkd_run, tmp_path, capsys, assert_equal):
    (tmp_path / "run").mkdir()
    (tmp_path / "run/model.pt").write_bytes((finished / "model.pt").read_bytes())
    options = ["--dataset_dir", kits19_data, "--output_dir", tmp_path / "run", "--resume", "True"]
    assert medkd_run("train", "kits19", *options) == 0
    assert "stopped in its first epoch and begins anew" in capsys.readouterr().out
    first, second = (torch.load(f / "resume.pt", weights_only=True)["objects"] for f in (finished, tmp_path / "run"))
    assert_equal(first, second)


def test_the_gradient_scaler_is_kept(tmp_path):
    def trainer(scale):
        engine = Engine(lambda e, b: None)
        engine.state.rank, engine.state.max_epochs = 0, 2
        engine.scaler = torch.amp.GradScaler("cpu", init_scale=scale)
        engine.data_loader = SimpleNamespace(dataset=None)
        return engine

    saved, fresh = trainer(1024.0), trainer(2.0)
    saved.state.epoch_length = fresh.state.epoch_length = 3
    ResumableRun(tmp_path / "resume.pt", {}, 0)._save(saved)
    ResumableRun(tmp_path / "resume.pt", {}, 0)._load(fresh)
    assert fresh.scaler.get_scale() == 2.0  # MONAI makes its scaler when the run starts, and so it is filled then
    fresh.fire_event(Events.STARTED)
    assert fresh.scaler.get_scale() == 1024.0


def test_nothing_to_resume(kits19_data, medkd_run, tmp_path, capsys):
    """No folder: the name is wrong. A folder of other results: they are not to be written over."""
    (tmp_path / "evaluated").mkdir()
    (tmp_path / "evaluated/metrics.csv").touch()
    for name in ("new", "evaluated"):
        options = ["--dataset_dir", kits19_data, "--output_dir", tmp_path / name, "--resume", "True"]
        assert medkd_run("train", "kits19", *options) in (1, 2)
        assert "resume.pt: no such file, expected one of an earlier, unfinished run" in capsys.readouterr().err
    assert [path.name for path in tmp_path.rglob("*")] == ["evaluated", "metrics.csv"]


def test_a_run_killed_before_it_wrote_begins_from_its_start(
    finished, kits19_data, medkd_run, tmp_path, capsys, assert_equal
):
    (tmp_path / "run").mkdir()
    (tmp_path / "run/slurm-17.out").touch()
    options = ["--dataset_dir", kits19_data, "--output_dir", tmp_path / "run", "--resume", "True"]
    assert medkd_run("train", "kits19", *options) == 0
    assert "nothing of a run is in its folder: it begins from its start" in capsys.readouterr().out
    first, second = (torch.load(f / "resume.pt", weights_only=True)["objects"] for f in (finished, tmp_path / "run"))
    assert_equal(first, second)


def test_a_run_into_the_folder_of_another_is_refused(finished, kits19_data, medkd_run, capsys):
    assert medkd_run("train", "kits19", "--dataset_dir", kits19_data, "--output_dir", finished) in (1, 2)
    assert (
        "already holds results (model.pt): choose another folder, or go on with --resume True"
        in capsys.readouterr().err
    )


def test_none_is_written_in_two_ways():
    assert _differences({"a": "$None", "b": {"c": None}}, {"a": None, "b": {"c": "$None"}}) == []
    assert _differences({"a": "$None"}, {"a": 1}) == ["a was None, is 1"]


def test_seeding_depends_on_seed_epoch_and_rank_alone():
    def draw(seed, epoch, rank=0):
        trainer = SimpleNamespace(
            state=SimpleNamespace(epoch=epoch, rank=rank), data_loader=SimpleNamespace(dataset=None)
        )
        ResumableRun("unused", {}, seed)._seed_epoch(trainer)
        return torch.rand(1).item()

    assert draw(0, 1) == draw(0, 1)
    assert len({draw(0, 1), draw(0, 2), draw(1, 1), draw(0, 1, rank=1)}) == 4


class _Code:
    def __reduce__(self):
        return open, ("executed", "w")


def test_code_in_a_checkpoint_is_not_executed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"run": {}, "objects": {}, "trainer": _Code()}, tmp_path / "resume.pt")
    with pytest.raises(ValueError, match=r"resume: .*resume.pt: .*\(nothing in it was executed\)"):
        ResumableRun(tmp_path / "resume.pt", {}, seed=0)._load(None)
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize(
    ("before", "now", "reason"),
    [
        (
            {"max_epochs": 3, "train": {"a": 1}},
            {"max_epochs": 2, "train": {"b": 1}},
            "is of a run with other options: max_ep",
        ),
        # the bundles of another version: an option that was not there, another template
        (
            {"max_epochs": 2, "train": {"a": 1}},
            {"max_epochs": 2, "unlabelled": "data", "train": {"b": 1}},
            "another version",
        ),
    ],
)
def test_options_and_versions_are_told_apart(tmp_path, before, now, reason):
    def run(config):
        network = torch.nn.Linear(1, 1)
        return ResumableRun(tmp_path / "resume.pt", {"network": network}, 0, None, config)

    trainer = Engine(lambda engine, batch: None)
    trainer.state.device = torch.device("cpu")
    run(before)._save(SimpleNamespace(state=trainer.state, scaler=None, should_terminate=False))
    with pytest.raises(ValueError, match=reason):
        run(now)._load(SimpleNamespace(state=trainer.state))
