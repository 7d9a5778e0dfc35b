"""Compute, render and write all tables of an experiment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from .conditions import conditions, training_cases
from .cost import Cost
from .experiment import Experiment, results
from .folders import experiment_of_runs
from .notes import costs, notes
from .render import task_tables, write_tables

__all__ = ["Report", "tables_of_runs", "write_report"]


class Report(NamedTuple):
    """The tables and their notes as they were written."""

    tables: Mapping[str, pd.DataFrame]
    """Title -> table of text, see `task_tables`."""
    notes: Mapping[str, list[str]]
    """Title -> sentences below the table; "" -> sentences about all tables."""
    text: str
    """The Markdown."""
    results: pd.DataFrame
    """The long form, see `results`."""
    costs: Mapping[tuple[str, str], Cost]
    """(task, row) -> cost of its network."""


def write_report(experiment: Experiment, folder: Path) -> Report:
    """Write ``table.md``, ``table.tex`` and ``table.csv`` of an experiment, which may be unfinished."""
    table, (cost_of, unmeasured) = results(experiment), costs(experiment)
    compared = [task for task in experiment.runs if conditions(experiment, task).as_published]
    cases = {task: training_cases(experiment, task) for task in experiment.runs}
    tables = task_tables(table, cost_of, experiment.baseline, compared, cases)
    sentences = notes(experiment, tables)
    sentences[""] += unmeasured
    text = write_tables(folder, experiment.title, tables, table, sentences)
    return Report(tables, sentences, text, table, cost_of)


def tables_of_runs(
    runs: Mapping[str, str | Path | Sequence[str | Path]], baseline: str | None = None
) -> Mapping[str, pd.DataFrame]:
    """Return the tables of single runs, with the costs of their networks, without writing anything.

    Args:
        runs: title -> output folder, or folders of several seeds, see `experiment_of_runs`.
        baseline: title of the row that differences are to; None: the student alone, if there is one.

    Returns:
        Title of a table -> table of text, see `task_tables`.
    """
    experiment = experiment_of_runs(runs, baseline)
    return task_tables(results(experiment), costs(experiment)[0], experiment.baseline)
