"""`medkd experiment` on phantoms: Snakemake runs it, a failed run leaves a hole, what is missing is done by the next call."""

import os
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest
import yaml

from medkd.__main__ import main

pytest.importorskip("snakemake", reason="the workflow extra is not installed")
pytestmark = pytest.mark.slow

PLAN = {
    "title": "Two methods",
    "metrics": ["dice"],
    "baseline": "alone",
    "seeds": [0, 1],
    "teacher_seeds": [0],
    "options": {"image_size": [32, 32], "teacher_width": 2, "student_width": 2, "max_epochs": 1, "device": "cpu"},
    "tasks": {"kits19": {}},
    "rows": {
        "T": {"role": "teacher"},
        "alone": {},
        "kd": {"method": "kd"},
        "broken": {"method": "kd", "seeds": [0], "options": {"batch_size": 0}},
    },
}


@pytest.fixture(scope="module")
def experiment(kits19_data, tmp_path_factory):
    """Words of the command and its folder."""
    folder = tmp_path_factory.mktemp("experiment")
    (folder / "own.yaml").write_text(yaml.safe_dump(PLAN))
    out = folder / "out"
    data = f"{{'kits19': '{kits19_data}'}}"
    return ["experiment", str(folder / "own.yaml"), "--data", data, "--output_dir", str(out), "--cores", "2"], out


def test_a_failed_run_leaves_a_hole_and_the_others_end(experiment, capfd):
    words, out = experiment
    assert main(words) == 1
    assert "1 of 6 runs did not end, the table has holes: the first is" in capfd.readouterr().err.splitlines()[-1]
    table = pd.read_csv(out / "table.csv").set_index("row")
    assert table["seeds"].to_dict() == {"T": 1, "alone": 2, "kd": 2, "broken": 0}
    text = (out / "table.md").read_text()
    assert "no run ended" in text and "Runs that did not end: broken (seed 0)" in text
    assert "batch_size" in (out / "logs/kits19/broken/seed_0.log").read_text().splitlines()[-1]


def test_more_seeds_join_and_what_is_there_stays(experiment, capfd):
    words, out = experiment
    before = {path: path.stat().st_mtime_ns for path in out.glob("kits19/*/seed_*/summary.json")}
    assert main([*words, "--rows", "['T', 'alone', 'kd']", "--seeds", "[0, 1, 2]"]) == 0
    assert pd.read_csv(out / "table.csv").set_index("row")["seeds"].to_dict() == {"T": 1, "alone": 3, "kd": 3}
    assert before == {path: path.stat().st_mtime_ns for path in before}
    capfd.readouterr()
    assert main([*words, "--options", "{'max_epochs': 2}"]) == 1
    assert "was run with other options: choose another folder" in capfd.readouterr().err
    assert main(["report", "--experiment", str(out), "--output_dir", str(out / "again")]) == 0
    assert (out / "again/table.tex").exists()


def test_a_killed_experiment_goes_on(kits19_data, experiment, tmp_path):
    words, _ = experiment
    out = tmp_path / "out"
    words = [out if word == str(experiment[1]) else word for word in words]
    words = [*map(str, words), "--rows", "['T', 'alone']", "--seeds", "[0]", "--options", "{'max_epochs': 30}"]
    running = subprocess.Popen([sys.executable, "-m", "medkd", *words], start_new_session=True)
    resume, limit = out / "kits19/alone/seed_0/resume.pt", time.monotonic() + 240
    while not resume.exists() and time.monotonic() < limit:
        time.sleep(0.2)
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    assert resume.exists() and not (out / "kits19/alone/seed_0/summary.json").exists()
    assert main([*words, "--unlock"]) in (0, 1)  # Snakemake's own lock, which the kill left
    assert main(words) == 0
    assert "--resume" in (out / "kits19/alone/seed_0/environment.json").read_text()
