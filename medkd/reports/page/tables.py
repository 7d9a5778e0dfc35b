"""Tables as the page shows them: cells with the number that a click sorts them by."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pandas as pd

from medkd.reports.tables import Experiment, Report

__all__ = ["Cell", "Table", "task_tables_of", "triplet"]

_NUMBER = re.compile(r"[-+]?\d[\d,]*\.?\d*(?:e[-+]?\d+)?")


class Cell(NamedTuple):
    """What is read, and what it is sorted by: None stands last."""

    text: str
    number: float | None


class Table(NamedTuple):
    """One task, or one class of it."""

    title: str
    columns: list[str]
    rows: list[tuple[str, list[Cell]]]
    notes: Sequence[str]


def task_tables_of(report: Report, task: str) -> list[Table]:
    """The tables of one task, with the notes that stand below them."""
    return [
        _table(title, shown, report.notes.get(title, []))
        for title, shown in report.tables.items()
        if title == task or title.startswith(f"{task}, ")
    ]


def _table(title: str, shown: pd.DataFrame, notes: Sequence[str]) -> Table:
    rows = [
        (str(row), [_cell(str(text)) for text in line]) for row, line in zip(shown.index, shown.to_numpy(), strict=True)
    ]
    return Table(title, list(map(str, shown.columns)), rows, notes)


def _cell(text: str) -> Cell:
    found = _NUMBER.match(text.strip())
    if found is None:
        return Cell(text, None)
    # a hyphen is too short to be seen as the sign that it is; of an exponent it stays
    shown = "−" + text[1:] if text.startswith("-") else text
    return Cell(shown, float(found[0].replace(",", "")))


def triplet(table: Table, experiment: Experiment, methods: Sequence[str]) -> list[tuple[str, Mapping[str, str]]]:
    """A table turned over: (what, row -> text) of teacher, student alone and every method."""
    wanted = [row for row in (experiment.teacher, experiment.baseline, *methods) if row]
    of_row = {title: cells for title, cells in table.rows if title in wanted}
    return [
        (column, {row: of_row[row][place].text for row in wanted if row in of_row})
        for place, column in enumerate(table.columns)
    ]
