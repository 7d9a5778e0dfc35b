"""Facts about runs: their state, and the method that the page shows first."""

from medkd.reports.page.runs import chosen_method, run_facts


def test_states_of_runs(made_experiment):
    states = {(run.row, run.seed): run.state for run in run_facts(made_experiment) if run.task == "skin"}
    assert states["HLFD", 0] == "ended" and states["HLFD", 1] == "unfinished" and states["Never", 0] == "no result"


def test_the_reason_is_the_last_line_of_the_log(made_experiment):
    (run,) = (run for run in run_facts(made_experiment) if run.task == "skin" and run.row == "Never")
    assert run.reason == "medkd: error: batch_size 0 <found>"


def test_the_last_method_of_a_paper_is_shown_first(made_experiment):
    facts = run_facts(made_experiment)
    assert chosen_method(made_experiment, facts, "skin") == "HLFD"
    assert chosen_method(made_experiment, [], "skin") == "Never"  # no method is known: the last row
