"""Tables of the page: the number by which a cell is sorted, and the transposed table."""

from medkd.reports.page.sortable_tables import Table, _cell, triplet
from medkd.reports.tables import Experiment


def test_cells_sort_by_their_number():
    assert _cell("-5.62 ± 10.33") == ("−5.62 ± 10.33", -5.62)
    assert _cell("6.3e-07 (2.5e-06)").number == 6.3e-07 and _cell("1,944,520").number == 1944520
    assert _cell("2 (1 collapsed)").number == 2 and _cell("-35%").number == -35
    assert _cell("no run ended").number is None and _cell("").number is None


def test_teacher_and_student_alone_come_first_when_a_table_is_transposed():
    rows = [(row, [_cell(text)]) for row, text in (("KD", "3"), ("alone", "2"), ("T", "1"))]
    experiment = Experiment("t", {}, ["dice"], "alone", "T")
    assert triplet(Table("t", ["Dice"], rows, []), experiment, ["KD"]) == [
        ("Dice", {"T": "1", "alone": "2", "KD": "3"})
    ]
