"""Single runs as an experiment, and the command that makes their page."""

import json

import pandas as pd
import pytest
import yaml

from medkd.cli.main import main
from medkd.reports.tables import experiment_of_runs


def leave(folder, method, seed, dice=None, task="kits19"):
    """What a run leaves; without dice it has not ended."""
    folder.mkdir(parents=True)
    network = {"_target_": "medkd.networks.UNet", "spatial_dims": 2, "in_channels": 1, "out_channels": 2, "width": 1}
    config = {"bundle_root": f"x/{task}", "method": method, "image_size": [32, 32], "network_def": network}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    (folder / "environment.json").write_text(json.dumps({"seed": seed, "command": []}))
    if dice is not None:
        rows = {"case": ["a", "b"], "class": "t", "dice": dice, "iou": dice, "hd95": 1.0, "missed": 0.0}
        pd.DataFrame(rows).to_csv(folder / "metrics.csv", index=False)
        (folder / "summary.json").write_text("{}")
    return folder


@pytest.fixture
def runs(tmp_path):
    (tmp_path / "no").mkdir()  # of a run that failed at its start
    return {
        "T": str(leave(tmp_path / "t", "teacher", 7, [0.9, 0.8])),
        "alone": [str(leave(tmp_path / f"s{seed}", "none", seed, [0.5, 0.4])) for seed in (3, 4)],
        "kd": [
            str(leave(tmp_path / "k", "kd", 3, [0.6, 0.5])),
            str(leave(tmp_path / "k4", "kd", 4)),
            str(tmp_path / "no"),
        ],
    }


def test_rows_tasks_and_seeds_come_from_the_records(runs, tmp_path):
    result = experiment_of_runs(runs)
    assert list(result.runs) == ["kits19"] and (result.teacher, result.baseline) == ("T", "alone")
    assert result.runs["kits19"]["kd"] == {3: tmp_path / "k", 4: tmp_path / "k4", 0: tmp_path / "no"}
    assert experiment_of_runs(runs, "kd").baseline == "kd"
    assert list(experiment_of_runs({1: runs["T"]}).runs["kits19"]) == ["1"]  # a title is text
    two = experiment_of_runs({"a": runs["T"], "b": leave(tmp_path / "other", "none", 0, [1, 1], "lits")})
    assert {task: list(rows) for task, rows in two.runs.items()} == {"kits19": ["a"], "lits": ["b"]}


def test_what_cannot_be_a_report_is_refused(runs, tmp_path):
    with pytest.raises(ValueError, match="baseline: found 'x', expected one of T, alone, kd"):
        experiment_of_runs(runs, "x")
    with pytest.raises(ValueError, match="a second run with seed 7"):
        experiment_of_runs({"T": [runs["T"], runs["T"]]})
    with pytest.raises(ValueError, match="no config.yaml in any of"):
        experiment_of_runs({"T": str(tmp_path / "nothing")})
    for text, found in (("", "found no content"), ("{: broken", "not YAML")):
        (tmp_path / "t/config.yaml").write_text(text)
        with pytest.raises(ValueError, match=f"t/config.yaml: {found}.*, expected the record of a run"):
            experiment_of_runs(runs)


def test_the_command_writes_tables_and_page_with_holes(runs, tmp_path, capsys):
    words = ["report", "--runs", str(runs), "--html", "--output_dir", str(tmp_path / "out")]
    assert main(words) == 0
    assert capsys.readouterr().out.strip().endswith("report.html")
    page = (tmp_path / "out/report.html").read_text()
    assert "kd, seed 4" in page and "began and did not end" in page and "left no result" in page
    assert "1 of 3" in page and "Runs that did not end: kd (seeds 4, 0)" in (tmp_path / "out/table.md").read_text()
    assert main(words) in (1, 2) and "already holds results" in capsys.readouterr().err


def test_a_network_that_cannot_be_built_costs_its_row_no_results(runs, tmp_path):
    file = tmp_path / "k/config.yaml"
    file.write_text(file.read_text().replace("medkd.networks.UNet", "gone.elsewhere.UNet"))
    assert main(["report", "--runs", str(runs), "--output_dir", str(tmp_path / "out")]) == 0
    text = (tmp_path / "out/table.md").read_text()
    assert "Cost of kd (kits19) unknown: " in text and "gone" in text
    cells = [[cell.strip() for cell in line.split("|")] for line in text.splitlines() if line.startswith("|")]
    of_kd = dict(zip(cells[0], next(line for line in cells if line[1] == "kd"), strict=True))
    assert of_kd["Dice, %"] == "55.00" and of_kd["parameters"] == ""


def test_an_experiments_page(tmp_path, capsys):
    plan = {"title": "P", "metrics": ["dice"], "baseline": "alone", "seeds": [0], "tasks": {"kits19": {}}}
    plan["rows"] = {"T": {"role": "teacher"}, "alone": {}, "kd": {"method": "kd"}}
    (tmp_path / "plan.yaml").write_text(yaml.safe_dump({"plan": plan, "data": {"kits19": str(tmp_path / "moved")}}))
    leave(tmp_path / "kits19/alone/seed_0", "none", 0, [0.5, 0.4])
    leave(tmp_path / "kits19/teacher/seed_0", "teacher", 0, [0.7, 0.8])
    assert main(["report", "--experiment", str(tmp_path), "--html", "--output_dir", str(tmp_path / "out")]) == 0
    page = (tmp_path / "out/report.html").read_text()
    assert "kd, seed 0" in page and "no run ended" in page and "<title>P: report</title>" in page
    words = ["report", "--experiment", str(tmp_path), "--baseline", "kd", "--output_dir", str(tmp_path / "other")]
    assert main(words) in (1, 2) and "--baseline: has no effect with --experiment" in capsys.readouterr().err


def add_columns(folder, **columns):
    table = pd.read_csv(f"{folder}/metrics.csv")
    table.assign(**columns).to_csv(f"{folder}/metrics.csv", index=False)


def test_metrics_on_request_are_columns_where_a_run_has_them(runs, tmp_path, capsys):
    for folder in (*runs["alone"], runs["kd"][0]):
        add_columns(folder, ece=[0.1, 0.2] if "/s" in folder else [0.04, 0.1], nsd=0.5, nsd_tolerance=2.0)
    words = [f"--run={title}={','.join([f] if isinstance(f, str) else f)}" for title, f in runs.items()]
    assert main(["report", *words, "--baseline", "alone", "--output_dir", str(tmp_path / "out")]) == 0
    table = pd.read_csv(tmp_path / "out/table.csv").query("metric == 'ece'").set_index("row")
    assert table.loc["kd", "difference"] == pytest.approx(-8.0) and table.loc["alone", "mean"] == pytest.approx(15.0)
    text = (tmp_path / "out/table.md").read_text()
    (header,) = (line for line in text.splitlines() if "ECE, % minus alone" in line)
    names = [cell.strip() for cell in header.split("|")]
    for row, cells in {"kd": ("50.00", "7.00", "-8.00"), "T": ("not measured", "not measured", "")}.items():
        (line,) = (line for line in text.splitlines() if line.startswith(f"| {row} "))
        values = dict(zip(names, (cell.strip() for cell in line.split("|")), strict=True))
        assert tuple(values[name] for name in ("NSD, %", "ECE, %", "ECE, % minus alone")) == cells
    assert "NSD: share of both surfaces within a tolerance of the other one, 2 mm" in text
    add_columns(runs["kd"][0], nsd_tolerance=3.0)
    assert main(["report", *words, "--output_dir", str(tmp_path / "two")]) == 0
    assert (
        "2 or 3 mm (for pictures pixels); 0 without a prediction. Runs have different tolerances"
        in capsys.readouterr().out
    )


def test_an_evaluation_has_the_record_of_its_model(runs, tmp_path):
    evaluation = leave(tmp_path / "again", "none", 0, [0.7, 0.7])
    (evaluation / "config.yaml").rename(evaluation / "evaluate_config.yaml")
    (evaluation / "environment.json").rename(evaluation / "evaluate_environment.json")
    record = {"bundle_root": "x/kits19", "method": "none", "model": str(tmp_path / "k")}
    (evaluation / "evaluate_config.yaml").write_text(yaml.safe_dump(record))
    result = experiment_of_runs({"alone": runs["alone"], "kd": str(evaluation)})
    assert result.runs["kits19"]["kd"] == {3: evaluation} and result.baseline == "alone"
