"""Tables of experiments, from the files that runs leave: pairs, holes, gaps, collapsed runs."""

import json
import math

import pandas as pd
import pytest
import yaml
from scipy.stats import wilcoxon

from medkd.reports import Experiment, Published, conditions, results, task_tables, write_tables
from medkd.reports.statistics import adjusted, gap_closed, paired_by_case

DICE = {
    "Teacher": {0: [0.9, 0.8, 0.7, 0.8]},
    "Student": {0: [0.5, 0.4, 0.3, 0.6], 1: [0.6, 0.5, 0.5, 0.4]},
    "KD": {0: [0.6, 0.6, 0.5, 0.7], 1: [0.7, 0.6, 0.6, 0.5], 2: None},
    "Bad": {0: [0.0, 0.0, 0.0, 0.0], 1: None},
    "Never": {0: None},
}


@pytest.fixture
def experiment(tmp_path):
    runs = {}
    for row, of_row in DICE.items():
        for seed, values in of_row.items():
            folder = tmp_path / row / str(seed)
            runs.setdefault(row, {})[seed] = folder
            if values is None:
                continue
            folder.mkdir(parents=True)
            cases = pd.DataFrame({"case": ["007", "b", "c", "d"], "class": "tumour", "dice": values})
            cases["missed"] = (cases["dice"] == 0).astype(float)
            cases.to_csv(folder / "metrics.csv", index=False)
            (folder / "config.yaml").write_text(yaml.safe_dump({"image_size": [64, 64], "max_epochs": 120}))
    published = Published(
        "somewhere", {"image_size": [512, 512], "max_epochs": 120}, {}, {"k": {"KD": {"dice": [50.0, 1.0]}}}
    )
    return Experiment("t", {"k": runs}, ["dice"], "Student", "Teacher", published)


def test_deviation_is_over_seeds_and_differences_are_paired(experiment):
    table = results(experiment).set_index("row")
    student, kd = [45.0, 50.0], [60.0, 60.0]
    assert table.loc["Student", "mean"] == pytest.approx(sum(student) / 2)
    assert table.loc["Student", "std"] == pytest.approx(5.0 / math.sqrt(2))
    assert (table.loc["KD", "seeds"], table.loc["KD", "planned"], table.loc["KD", "cases"]) == (2, 3, 4)
    assert table.loc["KD", "difference"] == pytest.approx((15.0 + 10.0) / 2)
    assert table.loc["KD", "difference_std"] == pytest.approx(5.0 / math.sqrt(2))
    assert table.loc["KD", "gap_closed"] == pytest.approx((sum(kd) - sum(student)) / 2 / (80.0 - 47.5))
    assert table.loc["KD", "published"] == "50.00 ± 1.00"
    # each case the mean of its seeds: 0.10, 0.15, 0.15, 0.10
    assert table.loc["KD", "p"] == pytest.approx(wilcoxon([0.10, 0.15, 0.15, 0.10]).pvalue)
    assert math.isnan(table.loc["Teacher", "std"])


def test_a_row_without_runs_and_a_collapsed_one_are_shown(experiment, tmp_path):
    table = results(experiment)
    shown = task_tables(table, {}, "Student")["k"]
    assert shown.loc["Never", "Dice, %"] == "no run ended" and shown.loc["Never", "runs"] == "0 of 1"
    assert shown.loc["Bad", "runs"] == "1 of 2, 1 collapsed" and shown.loc["Bad", "Dice, %"] == "0.00"
    assert shown.loc["KD", "Dice, %"] == "60.00 ± 0.00" and shown.loc["KD", "runs"] == "2 of 3"
    # the paper has a figure of one row alone: the others have none, and not a number that is none
    assert shown["Dice, % (paper†)"].to_dict() == {**dict.fromkeys(DICE, ""), "KD": "50.00 ± 1.00"}
    text = write_tables(tmp_path, "Title", {"k": shown}, table, {"": ["General."], "k": ["64 x 64 & 100 %"]})
    assert all(cell in text for cell in shown.to_numpy().flatten())  # "0.00" is not 0, "+12.50" keeps its sign
    assert "# Title" in text and "- 64 x 64 & 100 %" in text and (tmp_path / "table.md").read_text() == text
    latex = (tmp_path / "table.tex").read_text()
    assert r"64 x 64 \& 100 \%" in latex and r"60.00 $\pm$ 0.00" in latex
    assert len(pd.read_csv(tmp_path / "table.csv")) == len(DICE)


def test_conditions_are_named_row_by_row(experiment, tmp_path):
    (tmp_path / "datalist.json").write_text(json.dumps({"training": [1, 2], "validation": [], "test": [3]}))
    student = {"network_def": {"_target_": "medkd.networks.UNet"}, "student_width": 8, "teacher_width": 64}
    record = {"image_size": [64, 64], "max_epochs": 120, "training_cases": 1, **student}
    for runs in experiment.runs["k"].values():
        for folder in runs.values():
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "config.yaml").write_text(yaml.safe_dump(record))
    teacher = {"network_def": "%teacher_def", "teacher_def": {"_target_": "a.b.UNetPlusPlus"}, "teacher_width": 16}
    teacher |= {"image_size": [64, 64], "max_epochs": 15, "training_cases": None}
    (experiment.runs["k"]["Teacher"][0] / "config.yaml").write_text(yaml.safe_dump(teacher))
    experiment.data, experiment.kinds = {"k": tmp_path}, {"k": "kits19"}
    published = Published("s", experiment.published.conditions, {"kits19": {"training": 1, "test": 42}}, {})
    experiment.published = published
    found = conditions(experiment, "k")
    assert not found.as_published
    assert found.phrases == [
        "image_size 64 x 64 (paper: 512 x 512)",
        "student_network UNet",
        "student_width 8",
        "teacher_network UNetPlusPlus",
        "teacher_width 16",
        "max_epochs 120 (Teacher: 15; paper: 120)",
        "training cases 1 (Teacher: 2; paper: 1)",
        "test cases 1 (paper: 42)",
    ]
    experiment.published = None  # without a paper the conditions stand there all the same
    assert (
        conditions(experiment, "k").as_published
        and "max_epochs 120 (Teacher: 15)" in conditions(experiment, "k").phrases
    )


def test_published_figures_of_other_conditions_have_a_dagger(experiment):
    table = results(experiment)
    assert "Dice, % (paper†)" in task_tables(table, {}, "Student")["k"].columns
    assert "Dice, % (paper)" in task_tables(table, {}, "Student", ["k"])["k"].columns
    assert not any("Student" in name for name in task_tables(table, {}, "")["k"].columns)


def test_statistics():
    assert gap_closed(0.6, 0.5, 0.9) == pytest.approx(0.25)
    assert math.isnan(gap_closed(0.6, 0.5, 0.5))  # no gap
    # Benjamini and Hochberg by hand: 0.01 * 3 / 1, then 0.03 * 3 / 2 and 0.04 * 3 / 3, the smaller of which counts for both
    assert adjusted([0.01, float("nan"), 0.04, 0.03])[::2] == pytest.approx([0.03, 0.04])
    same = pd.DataFrame({"seed": 0, "case": ["a", "b", "c"], "dice": [0.1, 0.2, 0.3]})
    assert paired_by_case(same, same, "dice") == (1.0, 3)
    assert math.isnan(paired_by_case(same[:1], same[:1], "dice")[0])
