"""Metrics of agreement with a teacher: no name says ground truth, and what was written before is read."""

import pandas as pd
import pytest

from medkd.runs.metric_table import agreement_summary, read_table, text_table

TABLE = pd.DataFrame({"case": ["a"], "class": ["x"], "dice": [0.5], "volume_truth": [3.0], "empty_truth": [0]})


def test_columns_of_agreement_name_the_teacher(tmp_path):
    text_table(TABLE, is_agreement=True).to_csv(tmp_path / "metrics.csv", index=False)
    header = (tmp_path / "metrics.csv").read_text().splitlines()[0]
    assert header == "case,class,agreement_dice,agreement_volume_teacher,agreement_empty_teacher"
    table = read_table(tmp_path / "metrics.csv")
    assert list(table) == [*TABLE, "reference"] and table["volume_truth"].tolist() == [3.0]
    assert list(agreement_summary({"x": {"dice": {}, "empty_truth": {}}})["x"]) == [
        "agreement_dice",
        "agreement_empty_teacher",
    ]


@pytest.mark.parametrize("is_agreement", [True, False])
def test_tables_written_before_are_read(tmp_path, is_agreement):
    names = [name if name in ("case", "class") or not is_agreement else f"agreement_{name}" for name in TABLE]
    TABLE.set_axis(names, axis=1).to_csv(tmp_path / "metrics.csv", index=False)
    assert list(read_table(tmp_path / "metrics.csv")) == [*TABLE, *(["reference"] if is_agreement else [])]


def test_a_count_that_is_text_is_refused(tmp_path):
    (tmp_path / "metrics.csv").write_text("case,class,agreement_empty_teacher\na,x,none\n")
    assert read_table(tmp_path / "metrics.csv") is None
