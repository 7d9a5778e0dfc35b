"""A table of patients (CSV): who the cases belong to, and perhaps the part of each."""

from __future__ import annotations

import csv
import warnings
from collections import Counter
from collections.abc import Collection
from pathlib import Path

from medkd.data import SPLITS, check_leaks, natural_key

__all__ = ["read_patients"]


def read_patients(path: Path, cases: Collection[str]) -> tuple[dict[str, str], dict[str, list[str]] | None]:
    """Return case -> patient of the listed cases, and the cases of each part where the table has a column ``part``.

    Args:
        path: CSV with a head line; columns ``patient``, ``case`` (where it is missing, patients are called as their case)
            and ``part`` (training, validation or test), in any order; further columns are passed over.
        cases: that there are; those that are not listed are left out, with a warning.

    Raises:
        FileNotFoundError, ValueError: no such file, no column ``patient``, an unknown case or part, a case listed twice, a
            patient in two parts, a part without a case.
    """
    rows = _rows(path)
    names = [row["case"] for row in rows]
    if unknown := [name for name in names if name not in cases]:
        raise ValueError(
            f"{path}: no such case: {_some(unknown)} (there are {_some(sorted(cases, key=natural_key), 3)})"
        )
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise ValueError(f"{path}: listed more than once: {_some(twice)}")
    if nameless := [row["case"] for row in rows if not row["patient"]]:
        raise ValueError(f"{path}: no patient is named for {_some(nameless)}")
    parts = _parts(path, rows) if "part" in rows[0] else None
    if left_out := sorted(set(cases) - set(names), key=natural_key):
        warnings.warn(f"{path}: {len(left_out)} cases are not listed and left out: {_some(left_out)}", stacklevel=3)
    return {row["case"]: row["patient"] for row in sorted(rows, key=lambda row: natural_key(row["case"]))}, parts


def _parts(path: Path, rows: Collection[dict[str, str]]) -> dict[str, list[str]]:
    for row in rows:
        if row["part"] not in SPLITS:
            raise ValueError(f"{path}: case {row['case']}: part {row['part']!r}, expected one of {', '.join(SPLITS)}")
    listed = {part: [row for row in rows if row["part"] == part] for part in SPLITS}
    try:
        check_leaks(listed)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    if empty := [part for part in SPLITS if not listed[part]]:
        raise ValueError(f"{path}: no case for {' and '.join(empty)}, expected one at least of {', '.join(SPLITS)}")
    return {part: sorted((row["case"] for row in listed[part]), key=natural_key) for part in SPLITS}


def _rows(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        raise FileNotFoundError(f"split {str(path)!r}: no such file")
    try:
        text = path.read_text(encoding="utf-8-sig")  # spreadsheets put a mark in front
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not a CSV file in UTF-8 ({error})") from error
    lines = [line for line in text.splitlines() if line.strip()]
    delimiter = ";" if lines and ";" in lines[0] else ","
    head, *body = [[cell.strip() for cell in cells] for cells in csv.reader(lines, delimiter=delimiter)] or [[]]
    head = [name.lower() for name in head]
    if "patient" not in head:
        raise ValueError(f"{path}: the head line is {head}, expected the column patient, and perhaps case and part")
    if not body:
        raise ValueError(f"{path}: no row below the head line")
    rows = [dict(zip(head, [*cells, *[""] * len(head)], strict=False)) for cells in body]
    return [{"case": row["patient"], **row} for row in rows]


def _some(names: Collection[str], limit: int = 10) -> str:
    shown = ", ".join(list(names)[:limit])
    return shown if len(names) <= limit else f"{shown} and {len(names) - limit} more"
