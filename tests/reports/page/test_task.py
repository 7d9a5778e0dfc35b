"""The content of the page for one task."""

import pytest

from medkd.reports.page.task import Limits, task_content
from medkd.reports.tables import write_report


@pytest.fixture(scope="module")
def content(made_experiment, tmp_path_factory):
    """The content of the pictures' task."""
    report = write_report(made_experiment, tmp_path_factory.mktemp("report"))
    return task_content(made_experiment, report, "skin", Limits(cases=2, attention=1))


def test_rows_begin_with_teacher_and_student_alone(content):
    assert content.rows[:2] == ["Teacher", "Student alone"] and content.chosen == "HLFD"
    assert content.colours["Teacher"] == "var(--teacher)"
    assert content.colours["KD <b>& co</b>"] == "var(--m0)"  # by the name of the method
    assert len(set(content.colours.values())) == len(content.rows)


def test_limits_are_kept(content):
    assert [case.name for case in content.cases] == ["case_b", "case_c"] and len(content.attention) == 1


def test_failed_and_collapsed_runs_are_listed(content):
    assert {run.name for run in content.failed} == {"HLFD, seed 1", "Never, seed 0"}
    assert content.collapsed == ["KD <b>& co</b>, seed 1: tumour"]
