"""The correction of soft labels on the page."""

from medkd.reports.page.correction import correction
from medkd.reports.page.runs import run_facts


def test_errors_after_each_step_and_scores(made_experiment):
    run = next(run for run in run_facts(made_experiment) if run.row == "PLC-KD")
    content = correction(run)
    assert content.errors == [("wrong", ["40 (4.00%)", "30 (3.00%)", "20 (2.00%)", "0 (0.00%)"])]
    scores = dict(content.scores)
    assert scores["T: teacher"][0] == "66.0" and scores["TA_f: false-pixel assistant"][-1] == "0.200 (0.100 to 0.300)"
    assert [case for case, _ in content.pictures] == ["case_t"] and content.left_out == 0


def test_a_run_of_another_method_has_none(made_experiment):
    run = next(run for run in run_facts(made_experiment) if run.row == "HLFD")
    assert correction(run) is None
