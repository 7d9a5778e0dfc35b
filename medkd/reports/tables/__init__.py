"""Results of experiments and runs as tables. Importing this package does not import torch."""

from .conditions import Conditions, TrainingCases, conditions, training_cases
from .cost import Cost, cost_of_run
from .experiment import ON_REQUEST, Experiment, results
from .folders import experiment_of_runs
from .published import Published, load_published
from .render import NAMES, task_tables, write_tables
from .write import Report, tables_of_runs, write_report

__all__ = [
    "NAMES",
    "ON_REQUEST",
    "Conditions",
    "Cost",
    "Experiment",
    "Published",
    "Report",
    "TrainingCases",
    "conditions",
    "cost_of_run",
    "experiment_of_runs",
    "load_published",
    "results",
    "tables_of_runs",
    "task_tables",
    "training_cases",
    "write_report",
    "write_tables",
]
