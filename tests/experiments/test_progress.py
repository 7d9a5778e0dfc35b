"""The lines of runs that end: title, seed, Dice, time, number and time left."""

import json
import os
import time
from datetime import UTC, datetime

import pytest

from medkd.experiments.plan import Plan
from medkd.experiments.progress import finished_lines, print_finished

CONTENT = {
    "seeds": [0, 1],
    "teacher_seeds": [0],
    "tasks": {"kits19": None},
    "rows": {"T": {"role": "teacher"}, "alone": None, "KD, weight 0.5": {"method": "kd"}},
}


@pytest.fixture
def plan(tmp_path):
    content = {**CONTENT, "tasks": {"kits19": {}}, "rows": {row: spec or {} for row, spec in CONTENT["rows"].items()}}
    return Plan(content, {"kits19": "data"}, tmp_path)


def end(plan, row, seed, dice, seconds, metric="dice"):
    """Write what a run leaves that began some seconds ago."""
    job = next(job for job in plan.jobs.values() if (job.row, job.seed) == (row, seed))
    folder = plan.folder / job.folder
    folder.mkdir(parents=True)
    now = time.time()
    started = datetime.fromtimestamp(now - seconds, UTC).isoformat()
    environment = {"command": ["medkd"], "seed": seed, "started": started, "versions": {}, "machine": {}}
    (folder / "environment.json").write_text(json.dumps(environment))
    summary = {name: {metric: {"mean": value, "std": 0, "n": 1}} for name, value in dice.items()}
    (folder / "summary.json").write_text(json.dumps(summary))
    os.utime(folder / "summary.json", (now, now))


def test_each_run_is_one_line_with_its_number(plan, monkeypatch):
    clock = [1000.0]
    monkeypatch.setattr("medkd.experiments.progress.time.monotonic", lambda: clock[0])
    end(plan, "T", 0, {"kidney": 0.9}, 500)
    lines = finished_lines(plan)
    assert next(lines) == ["[1/5] T, seed 0: Dice 90.0 %"]  # of an earlier call
    assert next(lines) == []
    clock[0] += 120
    end(plan, "alone", 1, {"kidney": 0.8, "tumour": 0.5}, 120)
    # three more of two minutes, one at a time
    assert next(lines) == ["[2/5] alone, seed 1: Dice 65.0 %, 2 min 0 s, about 6 min 0 s left"]
    clock[0] += 60
    end(plan, "alone", 0, {"kidney": 0.7}, 120)
    end(plan, "KD, weight 0.5", 0, {"kidney": 0.71}, 120, "agreement_dice")
    first, second = next(lines)
    # 360 s of runs in 180 s: two at a time
    assert first.startswith("[3/5] alone, seed 0: Dice 70.0 %, 2 min 0 s, about ")
    assert second == "[4/5] KD, weight 0.5, seed 0: agreement (Dice) 71.0 %, 2 min 0 s, about 2 min 0 s left"
    end(plan, "KD, weight 0.5", 1, {"kidney": None}, 60)
    assert next(lines) == ["[5/5] KD, weight 0.5, seed 1: no Dice, 1 min 0 s"]


def test_lines_are_printed_while_runs_go_on_and_at_the_end(plan, capsys):
    end(plan, "T", 0, {"kidney": 0.9}, 5)
    with print_finished(plan):
        end(plan, "alone", 0, {"kidney": 0.5}, 5)
        for _ in range(100):
            if shown := capsys.readouterr().out:
                break
            time.sleep(0.1)
        assert shown.startswith("[2/5] alone, seed 0: Dice 50.0 %, 5 s, about ")
        end(plan, "alone", 1, {"kidney": 0.6}, 5)
    assert capsys.readouterr().out.startswith("[3/5] alone, seed 1: Dice 60.0 %")
