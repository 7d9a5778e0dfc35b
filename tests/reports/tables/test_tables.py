"""The table of teacher, student and student with distillation."""

import json

import pytest

from medkd.reports.tables import Run, triplet_table


def test_cells_say_mean_deviation_and_count(tmp_path):
    for name, dice in (("teacher", 0.9), ("student", None)):
        (tmp_path / name).mkdir()
        values = {"mean": dice, "std": 0.05 if dice else None, "n": 4 if dice else 0}
        (tmp_path / name / "summary.json").write_text(json.dumps({"tumour": {"dice": values}}))
    runs = [Run("teacher", tmp_path / "teacher", 36171458, 12.34), Run("student", tmp_path / "student", 10, 1.0)]
    table = triplet_table(runs, metrics=("dice",))
    assert table.loc["tumour dice"].to_dict() == {"teacher": "0.900 ± 0.050 (4)", "student": "no case"}
    assert table.loc["parameters", "teacher"] == "36,171,458"
    assert table.loc["ms per slice", "student"] == "1.0"
    assert "cases" in table.index.name


def test_a_run_that_was_not_evaluated_is_named(tmp_path):
    with pytest.raises(
        FileNotFoundError,
        match="summary.json: no such file, expected the summary of a run, written by `medkd evaluate`",
    ):
        triplet_table([Run("kd", tmp_path, 1, 1.0)])
