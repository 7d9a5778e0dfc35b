"""The tables of single runs, without files."""

from medkd.reports.tables import tables_of_runs

from .test_folders import leave


def test_single_runs_are_rows_with_the_cost_of_their_network(tmp_path):
    teacher = leave(tmp_path / "t", "teacher", 0, [0.9, 0.8])
    student = leave(tmp_path / "s", "none", 0, [0.5, 0.4])
    (table,) = tables_of_runs({"teacher": teacher, "student": student}).values()
    assert table["Dice, %"].to_dict() == {"teacher": "85.00", "student": "45.00"}
    assert table.loc["teacher", "Dice, % minus student"] == "+40.00"
    assert table["parameters"].ne("").all() and table["ms per slice"].ne("").all()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["s", "t"]
