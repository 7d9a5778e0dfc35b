"""All tables of an experiment: computed, rendered and written."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from .conditions import conditions
from .experiment import Experiment, results
from .notes import costs, notes
from .render import task_tables, write_tables

__all__ = ["Report", "write_report"]


class Report(NamedTuple):
    """What was written."""

    tables: Mapping[str, pd.DataFrame]
    """Of `task_tables`: title -> to read."""
    notes: Mapping[str, list[str]]
    """Title -> sentences below the table; "" -> about all tables."""
    text: str
    """The Markdown."""


def write_report(experiment: Experiment, folder: Path) -> Report:
    """Writes ``table.md``, ``table.tex`` and ``table.csv``, the experiment being finished or not."""
    table, (known, unmeasured) = results(experiment), costs(experiment)
    compared = [task for task in experiment.runs if conditions(experiment, task).as_published]
    tables = task_tables(table, known, experiment.baseline, compared)
    sentences = notes(experiment, tables)
    sentences[""] += unmeasured
    text = write_tables(folder, experiment.title, tables, table, sentences)
    return Report(tables, sentences, text)
