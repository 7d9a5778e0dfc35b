"""Tables of experiments, from the files that runs leave: pairs, holes, gaps, collapsed runs."""

import json
import math

import pandas as pd
import pytest
import yaml

from medkd.reports.tables import Experiment, Published, conditions, results, task_tables, training_cases, write_tables
from medkd.reports.tables.notes import notes
from medkd.runs.results import read_cases

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
            (folder / "config.yaml").write_text(
                yaml.safe_dump({"bundle_root": "b", "image_size": [64, 64], "max_epochs": 120})
            )
            (folder / "summary.json").write_text("{}")
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
    # two seeds: no p value, and an interval that says how little two seeds tell
    assert table["p"].isna().all() and table["p_adjusted"].isna().all()
    assert table.loc["KD", "difference_low"] < 0 < 25 < table.loc["KD", "difference_high"]
    # the teacher of all seeds is as far from the mean of all students, not from the one that has its seed
    assert table.loc["Teacher", "difference"] == pytest.approx(80.0 - 47.5)
    assert math.isnan(table.loc["Teacher", "std"]) and math.isnan(table.loc["Teacher", "difference_std"])


def test_a_run_whose_test_was_cut_off_is_a_hole(experiment, tmp_path):
    (tmp_path / "KD/0/summary.json").unlink()
    result = results(experiment).set_index("row")
    assert (result.loc["KD", "seeds"], result.loc["KD", "planned"], result.loc["KD", "mean"]) == (1, 3, 60.0)


def test_distances_tell_of_how_many_cases_they_are(experiment, tmp_path):
    for row, of_row in {"Student": {0: [3, 5, "", 4], 1: ["", "", "", 6]}, "Bad": {0: [""] * 4}}.items():
        for seed, values in of_row.items():
            file = tmp_path / row / str(seed) / "metrics.csv"
            pd.read_csv(file).assign(hd95=values).to_csv(file, index=False)
    for file in tmp_path.glob("[TK]*/*/metrics.csv"):
        pd.read_csv(file).assign(hd95=1.0).to_csv(file, index=False)
    experiment.metrics = ["dice", "hd95"]
    rendered = task_tables(results(experiment), {}, "Student")["k"]["HD95"].to_dict()
    assert rendered["Student"] == "5.00 ± 1.41 (of 1 to 3 cases)" and rendered["KD"] == "1.00 ± 0.00"
    assert rendered["Bad"] == "no case" and rendered["Never"] == "no run ended"


def test_cases_may_be_called_as_pandas_calls_nothing(tmp_path):
    (tmp_path / "metrics.csv").write_text("case,class,dice\nNA,1,0.5\n007,1,\n")
    (tmp_path / "summary.json").write_text("{}")
    result = read_cases({0: tmp_path})
    assert result["case"].tolist() == ["NA", "007"] and result["class"].tolist() == ["1", "1"]
    assert result["dice"].isna().tolist() == [False, True]


def test_rows_and_metrics_with_bars_are_one_cell_each(experiment, tmp_path):
    table = results(experiment).replace({"metric": {"dice": "abs_rvd"}, "row": {"KD": "a | b"}})
    table["mean"] /= 100
    rendered = task_tables(table, {}, "")
    text = write_tables(tmp_path, "Title", rendered, table, {})
    lines = [line.replace(r"\|", "") for line in text.splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in lines}) == 1 and r"a \| b" in text and r"\|RVD\|" in text
    assert rendered["k"].loc["a | b", "|RVD|"] == "0.600 ± 0.000"  # as many decimals as the papers print


def test_a_row_without_runs_and_a_collapsed_one_are_shown(experiment, tmp_path):
    table = results(experiment)
    rendered = task_tables(table, {}, "Student")["k"]
    assert rendered.loc["Never", "Dice, %"] == "no run ended" and rendered.loc["Never", "runs"] == "0 of 1"
    assert rendered.loc["Bad", "runs"] == "1 of 2 (1 collapsed)" and rendered.loc["Bad", "Dice, %"] == "0.00"
    assert rendered.loc["KD", "Dice, %"] == "60.00 ± 0.00" and rendered.loc["KD", "runs"] == "2 of 3"
    # the paper has a figure of one row alone: the others have none, and not a number that is none
    assert rendered["Dice, % (paper†)"].to_dict() == {**dict.fromkeys(DICE, ""), "KD": "50.00 ± 1.00"}
    text = write_tables(tmp_path, "Title", {"k": rendered}, table, {"": ["General."], "k": ["64 x 64 & 100 %"]})
    assert all(cell in text for cell in rendered.to_numpy().flatten())  # "0.00" is not 0, "+12.50" keeps its sign
    assert "# Title" in text and "- 64 x 64 & 100 %" in text and (tmp_path / "table.md").read_text() == text
    latex = (tmp_path / "table.tex").read_text()
    assert r"64 x 64 \& 100 \%" in latex and r"60.00 $\pm$ 0.00" in latex
    assert len(pd.read_csv(tmp_path / "table.csv")) == len(DICE)


def test_conditions_are_named_row_by_row(experiment, tmp_path):
    (tmp_path / "datalist.json").write_text(json.dumps({"training": [1, 2], "validation": [], "test": [3]}))
    student = {"network_def": {"_target_": "medkd.networks.UNet"}, "student_width": 8, "teacher_width": 64}
    record = {"bundle_root": "b", "image_size": [64, 64], "max_epochs": 120, "training_cases": 1, **student}
    for runs in experiment.runs["k"].values():
        for folder in runs.values():
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "config.yaml").write_text(yaml.safe_dump(record))
    teacher = {"network_def": "%teacher_def", "teacher_def": {"_target_": "a.b.UNetPlusPlus"}, "teacher_width": 16}
    teacher |= {"bundle_root": "b", "image_size": [64, 64], "max_epochs": 15, "training_cases": None}
    (experiment.runs["k"]["Teacher"][0] / "config.yaml").write_text(yaml.safe_dump(teacher))
    experiment.data, experiment.kinds = {"k": tmp_path}, {"k": "kits19"}
    published = Published("s", experiment.published.conditions, {"kits19": {"training": 1, "test": 42}}, {})
    experiment.published = published
    result = conditions(experiment, "k")
    assert not result.as_published
    assert result.phrases == [
        "image_size 64 x 64 (paper: 512 x 512)",
        "student_network UNet",
        "student_width 8",
        "teacher_network UNetPlusPlus",
        "teacher_width 16",
        "max_epochs 120 (Teacher: 15; paper: 120)",
        "training cases 1 (Teacher: 2; paper: 1)",
        "test cases 1 (paper: 42)",
    ]
    # what cannot be compared any more is not said to be the paper's
    as_paper = Published("s", {"max_epochs": 120}, {"kits19": {"training": 1, "test": 1}}, {})
    experiment.published = as_paper
    experiment.runs["k"].pop("Teacher")
    assert conditions(experiment, "k").as_published
    (tmp_path / "datalist.json").unlink()
    assert not conditions(experiment, "k").as_published
    assert conditions(experiment, "k").phrases[-1] == "numbers of cases unknown, the data set no longer exists"
    experiment.published = None  # without a paper the conditions stand there all the same
    assert conditions(experiment, "k").as_published and "max_epochs 120" in conditions(experiment, "k").phrases


def test_labelled_and_unlabelled_cases_have_columns_where_rows_differ(experiment, tmp_path):
    lists = {"training": [1] * 30, "validation": [], "test": [3], "unlabelled": [4] * 5}
    (tmp_path / "datalist.json").write_text(json.dumps(lists))
    chosen = {
        "Student": {"method": "none", "training_cases": 4},
        "KD": {"method": "kd", "training_cases": 4, "unlabelled": "rest"},
        "Bad": {"method": "kd", "training_cases": 0, "unlabelled": "all"},
        "Teacher": {"method": "teacher", "training_cases": None},
    }
    for row, record in chosen.items():
        for folder in experiment.runs["k"][row].values():
            folder.mkdir(parents=True, exist_ok=True)
            record = {"bundle_root": "b", "dataset_dir": str(tmp_path), **record}
            (folder / "config.yaml").write_text(yaml.safe_dump(record))
    for experiment.data in ({"k": tmp_path}, {}):  # of an experiment; of single runs, whose records name it
        cases = {"k": training_cases(experiment, "k")}
        table = task_tables(results(experiment), {}, "Student", cases=cases)["k"]
        assert list(table.columns[:2]) == ["labelled cases", "unlabelled cases"]
        assert table["labelled cases"].to_dict() == {
            "Teacher": "30",
            "Student": "4",
            "KD": "4",
            "Bad": "0",
            "Never": "",
        }
        unlabelled = {"Teacher": "0", "Student": "0", "KD": "26", "Bad": "35", "Never": ""}
        assert table["unlabelled cases"].to_dict() == unlabelled
    experiment.data = {"k": tmp_path}
    phrases = conditions(experiment, "k").phrases
    assert "training cases 4 (Teacher: 30; Bad: 0)" in phrases
    assert "unlabelled cases 0 (KD: 26; Bad: 35)" in phrases
    same = {"k": {row: cases["k"]["KD"] for row in cases["k"]}}
    assert "labelled cases" not in task_tables(results(experiment), {}, "Student", cases=same)["k"]
    (tmp_path / "datalist.json").unlink()
    assert training_cases(experiment, "k")["KD"] == (4, None)


def test_published_figures_of_other_conditions_have_a_dagger(experiment):
    table = results(experiment)
    assert "Dice, % (paper†)" in task_tables(table, {}, "Student")["k"].columns
    assert "Dice, % (paper)" in task_tables(table, {}, "Student", ["k"])["k"].columns
    assert not any("Student" in name for name in task_tables(table, {}, "")["k"].columns)


def name_patients(folder, patients):
    file = folder / "metrics.csv"
    pd.read_csv(file).assign(patient=patients).to_csv(file, index=False)


def test_means_and_tests_over_patients_where_they_have_several_cases(experiment, tmp_path):
    before = results(experiment).set_index("row")
    assert "patients" not in before
    # the runs of the others were evaluated before patients were recorded
    name_patients(tmp_path / "Student/0", ["x", "x", "x", "y"])
    table = results(experiment)
    of_row = table.set_index("row")
    assert (of_row["mean"].dropna() == before["mean"].dropna()).all()
    # seed 0: (0.4 + 0.6) / 2, seed 1: (1.6 / 3 + 0.4) / 2
    assert of_row.loc["Student", "mean_over_patients"] == pytest.approx((50.0 + (160 / 3 + 40) / 2) / 2)
    assert of_row.loc["Student", "patients"] == 2 and of_row.loc["Never", "patients"] == 0
    # KD gains 0.1, 0.2, 0.2 of x and 0.1 of y with seed 0; 0.1, 0.1, 0.1 and 0.1 with seed 1
    assert of_row.loc["KD", "difference"] == pytest.approx(((50 / 3 + 10) / 2 + 10) / 2)
    teacher = of_row.loc["Teacher", "mean_over_patients"]
    assert of_row.loc["KD", "gap_closed"] == pytest.approx(
        of_row.loc["KD", "difference"] / (teacher - of_row.loc["Student", "mean_over_patients"])
    )
    rendered = task_tables(table, {}, "Student")["k"]
    assert rendered.loc["Student", "Dice, %"] == "47.50 ± 3.54"
    assert rendered.loc["Student", "Dice, % over patients"] == "48.33 ± 2.36" and rendered.loc["KD", "patients"] == "2"
    assert rendered.loc["KD", "Dice, % over patients minus Student"] == "+11.67 ± 2.36"
    assert "Dice, % minus Student" not in rendered
    assert notes(experiment, ["k"])["k"][-2].startswith("Several cases are of one patient.")


def test_cases_of_a_single_patient_are_tested_as_cases_and_a_note_says_so(experiment, tmp_path):
    before = results(experiment)
    name_patients(tmp_path / "Student/0", ["x"] * 4)
    pd.testing.assert_frame_equal(results(experiment), before)
    assert "All test cases are of one patient" in " ".join(notes(experiment, ["k"])["k"])


def write_seeds(folder, dice, still_rising=None):
    """Runs of as many seeds as there are values, with 12 cases around each."""
    runs = {}
    for seed, value in enumerate(dice):
        runs[seed] = folder / str(seed)
        runs[seed].mkdir(parents=True)
        cases = pd.DataFrame({"case": [*"abcdefghijkl"], "class": "c", "missed": 0.0})
        cases.assign(dice=[value + 0.01 * number for number in range(12)]).to_csv(
            runs[seed] / "metrics.csv", index=False
        )
        (runs[seed] / "summary.json").write_text("{}")
        record = {} if still_rising is None else {"still_rising": seed in still_rising, "training_seconds": 60 * seed}
        (runs[seed] / "environment.json").write_text(json.dumps({"seed": seed, **record}))
    return runs


def test_p_values_begin_with_five_seeds(tmp_path):
    alone = [0.50, 0.53, 0.47, 0.51, 0.49]
    runs = {
        "alone": write_seeds(tmp_path / "alone", alone),
        "five": write_seeds(tmp_path / "five", [value + 0.1 + 0.01 * (-1) ** n for n, value in enumerate(alone)]),
        "four": write_seeds(tmp_path / "four", [value + 0.1 for value in alone[:4]]),
    }
    table = results(Experiment("t", {"k": runs}, ["dice"], "alone")).set_index("row")
    assert table.loc["five", "p"] < 0.01 and math.isnan(table.loc["four", "p"])
    assert 5 < table.loc["five", "difference_low"] < 10.2 < table.loc["five", "difference_high"] < 15
    rendered = task_tables(table.reset_index(), {}, "alone")["k"]
    assert rendered.loc["four", "p (adjusted)"] == "" != rendered.loc["five", "p (adjusted)"]
    assert rendered.loc["five", "95 % interval"].count("+") == 2
    few = task_tables(
        results(Experiment("t", {"k": {n: runs[n] for n in ("alone", "four")}}, ["dice"], "alone")), {}, "alone"
    )
    assert "p (adjusted)" not in few["k"] and "95 % interval" in few["k"]


def test_a_gap_within_its_noise_closes_nothing(tmp_path):
    runs = {
        "teacher": write_seeds(tmp_path / "teacher", [0.55]),
        "alone": write_seeds(tmp_path / "alone", [0.40, 0.60, 0.50]),
        "kd": write_seeds(tmp_path / "kd", [0.45, 0.66, 0.54]),
    }
    noisy = results(Experiment("t", {"k": runs}, ["dice"], "alone", "teacher")).set_index("row")
    assert math.isnan(noisy.loc["kd", "gap_closed"]) and noisy.loc["teacher", "difference_low"] < 0
    assert noisy.loc["kd", "difference"] == pytest.approx(5.0)
    runs["teacher"] = write_seeds(tmp_path / "better", [0.9])
    sure = results(Experiment("t", {"k": runs}, ["dice"], "alone", "teacher")).set_index("row")
    assert sure.loc["kd", "gap_closed"] == pytest.approx(5 / 40)
    assert sure.loc["kd", "gap_closed_low"] < 5 / 40 < sure.loc["kd", "gap_closed_high"]
    text = task_tables(sure.reset_index(), {}, "alone")["k"].loc["kd", "gap closed (95 % interval)"]
    assert text.startswith("13% (") and " to " in text
    # one seed of the student: how much seeds differ is unknown
    one = {row: {0: of_row[0]} for row, of_row in runs.items()}
    single = results(Experiment("t", {"k": one}, ["dice"], "alone", "teacher")).set_index("row")
    assert math.isnan(single.loc["kd", "gap_closed"]) and single.loc["kd", "difference"] == pytest.approx(5.0)


def test_runs_that_were_still_rising_are_counted_and_older_runs_are_read(tmp_path):
    runs = {
        "new": write_seeds(tmp_path / "new", [0.5] * 3, still_rising=[1, 2]),
        "old": write_seeds(tmp_path / "old", [0.5]),
    }
    rendered = task_tables(results(Experiment("t", {"k": runs}, ["dice"], "old")), {}, "old")["k"]
    assert rendered["runs"].to_dict() == {"new": "3 (2 still rising)", "old": "1"}
    assert rendered["minutes of training"].to_dict() == {"new": "1", "old": ""}
    old = results(Experiment("t", {"k": {"old": runs["old"]}}, ["dice"], "old"))
    assert "minutes of training" not in task_tables(old, {}, "old")["k"]


def test_metrics_of_overlap_have_a_share_of_the_gap_and_distances_have_none(tmp_path):
    runs = {
        "teacher": write_seeds(tmp_path / "teacher", [0.9]),
        "alone": write_seeds(tmp_path / "alone", [0.40, 0.60, 0.50]),
        "kd": write_seeds(tmp_path / "kd", [0.45, 0.66, 0.54]),
    }
    for folder in (folder for of_row in runs.values() for folder in of_row.values()):
        cases = pd.read_csv(folder / "metrics.csv")
        cases.assign(iou=cases["dice"], hd95=1 - cases["dice"]).to_csv(folder / "metrics.csv", index=False)
    table = results(Experiment("t", {"k": runs}, ["iou", "hd95"], "alone", "teacher")).set_index(["row", "metric"])
    assert table.loc[("kd", "iou"), "gap_closed"] == pytest.approx(5 / 40)
    assert math.isnan(table.loc[("kd", "hd95"), "gap_closed"])
