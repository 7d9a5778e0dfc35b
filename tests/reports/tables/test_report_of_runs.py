"""`medkd report --runs`: means over seeds and paired differences by hand; what is refused."""

import json

import pandas as pd
import pytest
import yaml

from medkd.cli.main import main

NETWORK = {"_target_": "medkd.networks.UNet", "spatial_dims": 2, "in_channels": 1, "out_channels": 2, "width": 2}


@pytest.fixture
def runs(tmp_path):
    """Student with seeds 0, 1, 2; kd with 2, 0, 1 in this order and gains of 0.1, 0.2, 0.3; a teacher with one."""
    folders = {}
    plan = {"teacher": {7: 0.9}, "student": {0: 0.4, 1: 0.5, 2: 0.6}, "kd": {2: 0.9, 0: 0.5, 1: 0.7}}
    for title, seeds in plan.items():
        folders[title] = []
        for seed, dice in seeds.items():
            folder = tmp_path / f"{title}_{seed}"
            folder.mkdir()
            cases = {"case": ["a", "b"], "class": "polyp", "dice": [dice - 0.1, dice + 0.1], "iou": 0.5, "hd95": 3.0}
            pd.DataFrame({**cases, "missed": 0.0}).to_csv(folder / "metrics.csv", index=False)
            method = {"student": "none"}.get(title, title)
            config = {
                "bundle_root": "bundles/isic2018",
                "method": method,
                "image_size": [32, 32],
                "network_def": NETWORK,
            }
            (folder / "config.yaml").write_text(yaml.safe_dump(config))
            (folder / "summary.json").write_text("{}")
            (folder / "environment.json").write_text(json.dumps({"seed": seed}))
            folders[title].append(str(folder))
    folders["teacher"] = folders["teacher"][0]
    return folders


def test_by_hand(runs, tmp_path, capsys):
    words = ["report", "--runs", str(runs), "--baseline", "student", "--output_dir", str(tmp_path / "out")]
    assert main(words) == 0
    assert (tmp_path / "out/table.md").read_text().strip() in capsys.readouterr().out
    table = pd.read_csv(tmp_path / "out/table.csv").query("metric == 'dice'").set_index("row")
    assert table["mean"].round(6).to_dict() == {"teacher": 90.0, "student": 50.0, "kd": 70.0}
    assert table["std"].round(6).fillna(-1).to_dict() == {"teacher": -1.0, "student": 10.0, "kd": 20.0}
    # paired by seed: 10, 20, 30 points
    assert (round(table.loc["kd", "difference"], 6), round(table.loc["kd", "difference_std"], 6)) == (20.0, 10.0)
    assert table.loc["kd", "gap_closed"] == pytest.approx(0.5)
    assert r"20.00 $\pm$ 10.00" in (tmp_path / "out/table.tex").read_text()
    assert main(words) in (1, 2)
    assert "already holds results (table.csv)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda runs: runs.update(kd="nowhere"), "run kd: nowhere: no such folder"),
        (lambda runs: runs["kd"].append(runs["kd"][0]), "a second run with seed 2"),
        (lambda runs: runs.pop("student"), "baseline: found 'student', expected one of teacher, kd"),
    ],
)
def test_what_is_refused(runs, tmp_path, capsys, change, message):
    change(runs)
    assert main(["report", "--runs", str(runs), "--baseline", "student", "--output_dir", str(tmp_path / "out")]) in (
        1,
        2,
    )
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_runs_must_be_a_dictionary(tmp_path, capsys):
    assert main(["report", "--runs", "somewhere", "--output_dir", str(tmp_path / "out")]) in (1, 2)
    assert "--runs: found 'somewhere', expected titles and folders" in capsys.readouterr().err
