"""`medkd experiment` on phantoms: Snakemake runs it, a failed run leaves a hole, what is missing is done by the next call."""

import re
import signal
import subprocess
import sys
import time

import pandas as pd
import psutil
import pytest
import yaml

from medkd.cli.main import main

pytest.importorskip("snakemake", reason="the workflow extra is not installed")

PLAN = {
    "title": "Two methods",
    "metrics": ["dice"],
    "baseline": "alone",
    "seeds": [0],
    "teacher_seeds": [0],
    "options": {"image_size": [32, 32], "teacher_width": 2, "student_width": 2, "max_epochs": 1, "device": "cpu"},
    "tasks": {"kits19": None},
    "rows": {
        "T": {"role": "teacher"},
        "alone": None,
        "kd": {"method": "kd"},
        "broken": {"method": "kd", "options": {"training_cases": 1000}},
    },
}


@pytest.fixture
def experiment(kits19_data, tmp_path_factory):
    """Words of the command and its folder."""
    # blanks, quotes and braces: Snakemake formats its commands, a shell reads them
    folder = tmp_path_factory.mktemp("experiment") / "it's {an} experiment"
    folder.mkdir()
    (folder / "own.yaml").write_text(yaml.safe_dump(PLAN))
    out = folder / "out"
    data = f"{{'kits19': '{kits19_data}'}}"
    return ["experiment", str(folder / "own.yaml"), "--data", data, "--output_dir", str(out)], out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--sedes", "[1]"], "unrecognized arguments: --sedes (did you mean --seeds?)"),
        (["--executor", "slrm"], "invalid choice: 'slrm'"),
        (["--cores", "0"], "--cores: found 0, expected a whole number from 1 on"),
        (["--rows", "['KD']"], "--rows: 'KD' is not in the plan"),
        (["--seeds", "['a']"], "seeds: found ['a'], expected a list of different whole numbers"),
        (["--options", "{'method_args::wieght': 1}", "--dry-run"], "row kd: method kd has no argument 'wieght'"),
    ],
)
def test_a_wrong_option_is_one_line(experiment, capsys, options, message):
    words, out = experiment
    assert main([*words, *options]) in (1, 2)
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line and not out.exists()


def test_a_folder_that_is_at_work_and_one_run_with_other_options(experiment, tmp_path, capsys):
    words, _ = experiment
    words = [*words[:-1], str(tmp_path)]
    run = tmp_path / "kits19/kd/seed_0"
    run.mkdir(parents=True)
    holder = subprocess.Popen(
        [sys.executable, "-c", "import fcntl, os, sys; fcntl.flock(os.open(sys.argv[1], 0), 2); print(); input()", run],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    holder.stdout.readline()
    try:
        assert main(words) in (1, 2)
        assert "a run that an earlier call began goes on in kits19/kd/seed_0" in capsys.readouterr().err
    finally:
        holder.communicate(b"\n")
    (run / "resume.pt").touch()
    (tmp_path / "plan.yaml").write_text(yaml.safe_dump({"commands": {"kits19/kd/seed_0": "medkd distill other"}}))
    assert main(words) in (1, 2)
    assert "kits19/kd/seed_0 was run with other options" in capsys.readouterr().err


def test_the_lock_of_another_machine_is_not_lifted(experiment, tmp_path, capsys):
    words, _ = experiment
    words = [*words[:-1], str(tmp_path)]
    lock = tmp_path / ".snakemake/locks/0.input.lock"
    lock.parent.mkdir(parents=True)
    lock.touch()
    (tmp_path / "plan.yaml").write_text(yaml.safe_dump({"machine": "login2", "commands": {}}))
    for _ in range(2):  # the first call must not have put this machine's name there
        assert main(words) in (1, 2)
        assert "Snakemake has locked it on login2" in capsys.readouterr().err
    assert lock.exists()


def test_a_dry_run_estimates_each_kind_of_run(experiment, capfd):
    words, out = experiment
    assert main([*words, "--rows", "['kd', 'broken']", "--seeds", "[0, 1]", "--dry-run"]) == 0
    lines = capfd.readouterr().out.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("estimate from 3 training steps"))
    teacher, broken, kd, whole = (line.strip() for line in lines[start + 1 :])
    assert re.fullmatch(r"kits19, teacher: \d+ steps of \S+ s, about \d+ s a run, 1 to do", teacher)
    assert re.fullmatch(r"kits19, kd: \d+ steps of \S+ s, about \d+ s a run, 2 to do", kd)
    assert broken.startswith("kits19, broken: no estimate: --training_cases 1000: expected 1 to")
    assert whole.startswith("in all about") and not (out / "plan.yaml").exists() and not (out / "kits19").exists()


@pytest.mark.slow
def test_a_failed_run_leaves_a_hole_and_more_seeds_join(experiment, capfd):
    words, out = experiment
    words = [*words, "--cores", "2"]
    assert main([*words, "--dry-run"]) == 0 and not (out / "plan.yaml").exists()
    capfd.readouterr()
    assert main(words) in (1, 2)
    output = capfd.readouterr()
    assert "1 of 4 runs did not end, the table has holes: the first is" in output.err.splitlines()[-1]
    assert "kits19/broken/seed_0: medkd: error: --training_cases 1000: expected 1 to" in output.out
    table = pd.read_csv(out / "table.csv").set_index("row")
    assert table["seeds"].to_dict() == {"T": 1, "alone": 1, "kd": 1, "broken": 0}
    text = (out / "table.md").read_text()
    assert "no run ended" in text and "Runs that did not end: broken (seed 0)" in text

    before = {path: path.stat().st_mtime_ns for path in out.glob("kits19/*/seed_*/summary.json")}
    chosen = ["--rows", "['T', 'alone']"]
    assert main([*words, *chosen, "--seeds", "[0, 1]"]) == 0
    assert pd.read_csv(out / "table.csv").set_index("row")["seeds"].to_dict() == {"T": 1, "alone": 2}
    assert before == {path: path.stat().st_mtime_ns for path in before}
    capfd.readouterr()
    assert main([*words, "--options", "{'max_epochs': 2, 'training_cases': 3}"]) in (1, 2)
    told = capfd.readouterr()
    assert "was run with other options: choose another folder" in told.err
    assert "note: --options training_cases has no effect on kits19/broken: the plan sets it there" in told.out
    assert main(["report", "--experiment", str(out), "--output_dir", str(out / "again")]) == 0
    assert (out / "again/table.tex").exists()


@pytest.fixture(scope="module")
def whole(kits19_data, tmp_path_factory):
    """The run that is killed below, left in peace."""
    folder = tmp_path_factory.mktemp("whole")
    options = ["--image_size", "[32,32]", "--teacher_width", "2", "--student_width", "2", "--device", "cpu"]
    options += ["--max_epochs", "12", "--val_interval", "12", "--seed", "0", "--dataset_dir", str(kits19_data)]
    assert main(["train", "kits19", *options, "--output_dir", str(folder)]) == 0
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_killed_experiment_goes_on(experiment, whole, tmp_path, capfd, how):
    words, _ = experiment
    # validated at its end alone: when it is killed there is no model yet, only what it resumes from
    options = "{'max_epochs': 12, 'val_interval': 12}"
    words = [*words[:-1], str(tmp_path / "out"), "--rows", "['alone']", "--options", options]
    run = tmp_path / "out/kits19/alone/seed_0"
    running = psutil.Popen([sys.executable, "-m", "medkd", *words])
    limit = time.monotonic() + 200
    while not (run / "resume.pt").exists() and running.poll() is None and time.monotonic() < limit:
        time.sleep(0.05)
    children = running.children(recursive=True)
    if how == signal.SIGKILL:  # nobody ends the training, except the watcher
        next(child for child in running.children() if "snakemake" in child.cmdline()).kill()
    running.send_signal(how)
    assert running.wait(60) == (143 if how == signal.SIGTERM else -9)
    _, alive = psutil.wait_procs(children, timeout=30)
    assert not alive and (run / "resume.pt").exists() and not (run / "model.pt").exists()
    capfd.readouterr()
    assert main(words) == 0
    assert ("the lock of a Snakemake that was killed is removed" in capfd.readouterr().out) == (how == signal.SIGKILL)
    assert "--resume" in (run / "environment.json").read_text()
    assert (run / "metrics.csv").read_text() == (whole / "metrics.csv").read_text()
