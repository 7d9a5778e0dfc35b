"""Tables of the page: each cell with the number by which a click sorts it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd

from medkd.reports.tables import Experiment, Report

__all__ = ["Cell", "Table", "task_tables_of", "triplet"]

_NUMBER = re.compile(r"[-+]?\d[\d,]*\.?\d*(?:e[-+]?\d+)?")


class Cell(NamedTuple):
    """Text of a cell, and the number by which it is sorted; None comes last."""

    text: str
    number: float | None


class Table(NamedTuple):
    """The table of a task, or of one of its classes."""

    title: str
    columns: list[str]
    rows: list[tuple[str, list[Cell]]]
    notes: Sequence[str]


def task_tables_of(report: Report, task: str) -> list[Table]:
    """Return the tables of one task with the notes below them."""
    return [
        _table(title, table, report.notes.get(title, []))
        for title, table in report.tables.items()
        if title == task or title.startswith(f"{task}, ")
    ]


def _table(title: str, table: pd.DataFrame, notes: Sequence[str]) -> Table:
    rows = [
        (str(row), [_cell(str(text)) for text in line]) for row, line in zip(table.index, table.to_numpy(), strict=True)
    ]
    return Table(title, list(map(str, table.columns)), rows, notes)


def _cell(text: str) -> Cell:
    match = _NUMBER.match(text.strip())
    if match is None:
        return Cell(text, None)
    # a hyphen is too short for a minus sign; the hyphen of an exponent stays
    displayed = "−" + text[1:] if text.startswith("-") else text
    return Cell(displayed, float(match[0].replace(",", "")))


def triplet(table: Table, experiment: Experiment, methods: Sequence[str]) -> list[tuple[str, dict[str, str]]]:
    """Transpose a table: (column, row -> text) of teacher, student alone and each method."""
    rows = [row for row in (experiment.teacher, experiment.baseline, *methods) if row]
    of_row = {title: cells for title, cells in table.rows if title in rows}
    return [
        (column, {row: of_row[row][index].text for row in rows if row in of_row})
        for index, column in enumerate(table.columns)
    ]
