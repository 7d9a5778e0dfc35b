"""Means over seeds and paired differences, by hand; what is refused."""

import json

import pytest

from medkd.__main__ import main
from medkd.reports import seeds_table


@pytest.fixture
def runs(tmp_path):
    """Student with seeds 0, 1, 2; kd with 2, 0, 1 in this order and gains of 0.1, 0.2, 0.3; a teacher with one."""
    found = {}
    plan = {
        "teacher": {7: 0.9},
        "student": {0: 0.4, 1: 0.5, 2: 0.6},
        "kd": {2: 0.9, 0: 0.5, 1: 0.7},
    }
    for title, seeds in plan.items():
        found[title] = []
        for seed, dice in seeds.items():
            folder = tmp_path / f"{title}_{seed}"
            folder.mkdir()
            summary = {
                "polyp": {"dice": {"mean": dice, "std": 0.3, "n": 9}, "iou": {"mean": None, "std": None, "n": 0}}
            }
            (folder / "summary.json").write_text(json.dumps(summary))
            (folder / "environment.json").write_text(json.dumps({"seed": seed}))
            found[title].append(str(folder))
    found["teacher"] = found["teacher"][0]
    return found


def test_by_hand(runs):
    table = seeds_table(runs, baseline="student")
    assert table["polyp dice"].to_dict() == {
        "teacher": "0.900 (1)",
        "student": "0.500 ± 0.100 (3)",
        "kd": "0.700 ± 0.200 (3)",
    }
    # paired by seed: 0.1, 0.2, 0.3
    assert table["polyp dice vs student"].to_dict() == {"teacher": "none", "student": "", "kd": "+0.200 ± 0.100 (3)"}
    assert set(table["polyp iou"]) == {"none"}


def test_the_command_writes_it(runs, tmp_path, capsys):
    words = ["report", "--runs", str(runs), "--baseline", "student", "--output_dir", str(tmp_path / "out")]
    assert main(words) == 0
    printed = capsys.readouterr().out
    assert "+0.200 ± 0.100 (3)" in printed and (tmp_path / "out/table.md").read_text().strip() in printed
    assert (tmp_path / "out/table.csv").is_file()
    assert main(words) == 1
    assert "already holds results (table.csv)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda runs: runs.update(kd="nowhere"), "run kd: nowhere/summary.json: no such file"),
        (lambda runs: runs["kd"].append(runs["kd"][0]), "a second run with seed 2"),
        (lambda runs: runs.pop("student"), "baseline: found 'student', expected one of teacher, kd"),
    ],
)
def test_what_is_refused(runs, tmp_path, capsys, change, message):
    change(runs)
    assert main(["report", "--runs", str(runs), "--baseline", "student", "--output_dir", str(tmp_path / "out")]) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_runs_must_be_a_dictionary(tmp_path, capsys):
    assert main(["report", "--runs", "somewhere", "--output_dir", str(tmp_path / "out")]) == 1
    assert "--runs: found 'somewhere', expected titles and folders" in capsys.readouterr().err
