"""Predictions of a run for the page."""

from medkd.reports.page.predictions import predictions
from medkd.reports.page.runs import run_facts


def test_stored_predictions_are_read(made_experiment):
    run = next(run for run in run_facts(made_experiment) if run.task == "kidney" and run.ended)
    labels, sentence = predictions(run.folder, [{"case": "case_a"}])
    assert labels["case_a"].shape == (12, 32, 32) and sentence == ""
