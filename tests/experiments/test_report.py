"""The tables of a plan: all its rows, tasks and seeds, whether they have ended or not."""

from medkd.experiments.report import _experiment_of_plan, report

from .plans import make_plan


def test_an_experiment_without_runs_has_a_table_of_holes(tmp_path, capsys):
    plan = make_plan("plckd-table2", tmp_path / "runs")
    output_dir = tmp_path / "tables"
    output_dir.mkdir()
    text = report(plan, output_dir)
    assert "no run ended" in text and text in capsys.readouterr().out
    assert {path.name for path in output_dir.iterdir()} == {"table.md", "table.tex", "table.csv"}


def test_roles_and_folders_come_from_the_plan(tmp_path):
    experiment = _experiment_of_plan(make_plan("hlfd-table2", tmp_path))
    assert (experiment.teacher, experiment.baseline) == ("Teacher", "Student (w/o KD)")
    assert list(experiment.runs) == ["kits19", "lits"] and experiment.kinds == {"kits19": "kits19", "lits": "lits"}
    assert list(experiment.runs["lits"]["Teacher"]) == [0, 1, 2]
    assert all(folder.is_relative_to(tmp_path) for folder in experiment.runs["lits"]["Teacher"].values())
