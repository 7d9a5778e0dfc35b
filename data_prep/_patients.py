"""The table of patients that a user gives: the patient of each case, and perhaps its split."""

from __future__ import annotations

import csv
import io
import json
import re
import unicodedata
import warnings
from collections import Counter
from collections.abc import Collection, Mapping
from pathlib import Path

from medkd.data import SPLITS, check_leaks, natural_key
from medkd.io.paths import PathLike
from medkd.runs.errors import counted

__all__ = ["is_table", "read_other_patients", "read_patients"]

TABLES = (".csv", ".tsv", ".txt")
WORKBOOKS = (".xlsx", ".xls", ".xlsm", ".xlsb", ".ods", ".numbers")
DELIMITERS = ",;\t|"
# What R, pandas, databases and spreadsheets write where a value is missing.
MISSING = {"", "na", "n/a", "nan", "null", "none", "<na>", "#n/a", "#ref!", "#name?", "#value!"}
# Blanks around a name, and the marks without a width that web pages and messengers put there.
_INVISIBLE = re.compile(r"^[\s\u200b-\u200f\u2060\ufeff]+|[\s\u200b-\u200f\u2060\ufeff]+$")


def is_table(split: PathLike) -> bool:
    """Return whether the value of ``--split`` is the path of a table of patients."""
    return Path(split).suffix.lower() in (*TABLES, *WORKBOOKS)


def read_patients(
    path: Path, cases: Collection[str], others: bool = False
) -> tuple[dict[str, str], dict[str, list[str]] | None]:
    """Read a table of patients (CSV): the patient of each case, and perhaps the split of each case.

    Empty rows are passed over, as spreadsheets leave them.

    Args:
        path: CSV with a head line; cells end with a comma, a semicolon, a tab or a bar. Columns in any order:
            ``patient``; ``case``, which defaults to the patient's name; ``part`` or ``split`` (training, validation or
            test). Further columns are ignored, with a warning.
        cases: the discovered cases; a case that is not listed is left out, with a warning.
        others: whether rows of other cases are left to `read_other_patients`, in place of being refused.

    Returns:
        case -> patient of the listed cases, and the cases of each split, or None without a column ``part``.

    Raises:
        FileNotFoundError: no such file.
        ValueError: a workbook, an encoding outside of Unicode, no column ``patient``, an unknown case or split, a
            case listed twice, a patient in two splits, a split without a case.
    """
    rows = _read_rows(path)
    rows = [row for row in rows if row["case"] in cases or not row["case"]] if others else rows
    names = [row["case"] for row in rows]
    if caseless := [row["patient"] for row in rows if not row["case"]]:
        raise ValueError(f"{path}: no case is named for the patients {_shorten(caseless)}")
    if unknown := [name for name in names if name not in cases]:
        raise ValueError(
            f"{path}: no such case: {_shorten(unknown)} (there are {_shorten(sorted(cases, key=natural_key), 3)})"
            f"{_zeros_lost(unknown, cases)}"
        )
    if repeated := [name for name, count in Counter(names).items() if count > 1]:
        raise ValueError(f"{path}: listed more than once: {_shorten(repeated)}")
    if nameless := [row["case"] for row in rows if row["patient"].lower() in MISSING]:
        raise ValueError(f"{path}: no patient is named for {_shorten(nameless)}")
    splits = _splits(path, rows) if any("part" in row for row in rows) else None
    if left_out := sorted(set(cases) - set(names), key=natural_key):
        warnings.warn(
            f"{path}: {counted(len(left_out), 'case')} not listed and left out: {_shorten(left_out)}", stacklevel=3
        )
    return {row["case"]: row["patient"] for row in sorted(rows, key=lambda row: natural_key(row["case"]))}, splits


def read_other_patients(path: Path, others: Collection[str], cases: Collection[str]) -> dict[str, str]:
    """Return the patients of images without labels that a table lists beside those of the cases.

    Args:
        path: see `read_patients`. The column ``part`` of their rows is empty, ``unlabelled`` or ``training``.
        others: names of the images without labels.
        cases: names of the cases, whose rows are passed over.

    Raises:
        ValueError: an unknown name, a name that is listed twice, a row without a patient, another part.
    """
    rows = [row for row in _read_rows(path) if row["case"] not in cases]
    names = [row["case"] for row in rows]
    if unknown := [name or "''" for name in names if name not in others]:
        raise ValueError(
            f"{path}: no such case, with a label or without: {_shorten(unknown)}{_zeros_lost(unknown, others)}"
        )
    if repeated := [name for name, count in Counter(names).items() if count > 1]:
        raise ValueError(f"{path}: listed more than once: {_shorten(repeated)}")
    for row in rows:
        if row["patient"].lower() in MISSING:
            raise ValueError(f"{path}: no patient is named for {row['case']}")
        if (part := row.get("part", "").lower()) not in ("", "training", "unlabelled"):
            raise ValueError(f"{path}: case {row['case']}: found part {part!r}, expected unlabelled: it has no label")
    return {row["case"]: row["patient"] for row in rows}


def _zeros_lost(unknown: Collection[str], cases: Collection[str]) -> str:
    """Return a hint where the unknown names are those of cases without their leading zeros."""
    lost = {name.lstrip("0") for name in unknown} & {case.lstrip("0") for case in cases}
    return "; a spreadsheet drops the zeros that a number begins with: format the column as text" if lost else ""


def _splits(path: Path, rows: Collection[Mapping[str, str]]) -> dict[str, list[str]]:
    for row in rows:
        if row["part"].lower() not in SPLITS:
            raise ValueError(f"{path}: case {row['case']}: part {row['part']!r}, expected one of {', '.join(SPLITS)}")
    listed = {split: [row for row in rows if row["part"].lower() == split] for split in SPLITS}
    try:
        check_leaks(listed)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    if empty := [split for split in SPLITS if not listed[split]]:
        raise ValueError(f"{path}: no case for {' and '.join(empty)}, expected one at least of {', '.join(SPLITS)}")
    return {split: sorted((row["case"] for row in listed[split]), key=natural_key) for split in SPLITS}


def _read_rows(path: Path) -> list[dict[str, str]]:
    """Return the rows as column -> cell."""
    head, body = _read_cells(path, _read_text(path))
    if "patient" not in head:
        raise ValueError(f"{path}: the head line is {head}, expected the column patient, and perhaps case and part")
    if repeated := [name for name, count in Counter(filter(None, head)).items() if count > 1]:
        raise ValueError(f"{path}: the head line has {_shorten(repeated)} more than once, expected each column once")
    if not body:
        raise ValueError(f"{path}: no row below the head line")
    head = _columns(path, head)
    rows = []
    for line, cells in body.items():
        if any(cells[len(head) :]):
            raise ValueError(
                f"{path}: line {line}: found {len(cells)} cells, expected {len(head)} as in the head line: a name that "
                "holds the delimiter needs quotes, and R writes no row names with row.names = FALSE"
            )
        rows.append(dict(zip(head, [*cells, *[""] * len(head)], strict=False)))
    return [{"case": row["patient"], **row} for row in rows]


def _columns(path: Path, head: list[str]) -> list[str]:
    """Return the names of the columns; ``split`` is another name for ``part``, and what is ignored is said."""
    columns = ["part" if name == "split" and "part" not in head else name for name in head]
    if ignored := [name for name in columns if name not in ("", "patient", "case", "part")]:
        warnings.warn(f"{path}: columns that are ignored: {_shorten(ignored)}", stacklevel=5)
    return columns


def _read_text(path: Path) -> str:
    if not path.is_file():
        raise FileNotFoundError(f"--split {path}: no such file")
    content = path.read_bytes()
    # Workbooks are zip files or, before 2007, compound files, whatever their name is.
    if path.suffix.lower() in WORKBOOKS or content.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise ValueError(f"{path}: found a workbook of a spreadsheet program, expected a table of text: save it as CSV")
    # Spreadsheets begin UTF-8 with a byte order mark, or with two, and call UTF-16 "Unicode text".
    try:
        text = content.decode(json.detect_encoding(content)).lstrip("\ufeff")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not a text in UTF-8 ({error}); Excel: save as 'CSV UTF-8'") from error
    if control := re.search(r"[\x00-\x08\x0e-\x1f\x7f]", text):
        raise ValueError(f"{path}: found the control character {control[0]!a}, expected a table of text")
    return unicodedata.normalize("NFC", text)


def _read_cells(path: Path, text: str) -> tuple[list[str], dict[int, list[str]]]:
    """Return the head line in lower case, and the other rows that are not empty by the number of their line."""
    if text.lower().startswith("sep="):  # Excel's own first line
        text = f"\n{text.partition(chr(10))[2]}"
    first = next((line for line in text.splitlines() if line.strip()), "")
    rows = _parse(path, text, max(DELIMITERS, key=first.count))
    head = [cell.lower() for cell in rows.pop(next(iter(rows), 0), [])]
    # A head line typed by hand above rows that a spreadsheet wrote.
    if len(head) > 1 and rows and all(len(cells) == 1 for cells in rows.values()):
        for delimiter in DELIMITERS:
            others = dict(list(_parse(path, text, delimiter).items())[1:])
            if all(len(cells) == len(head) for cells in others.values()):
                warnings.warn(
                    f"{path}: the rows are read with the delimiter {delimiter!r}, the head line has another",
                    stacklevel=5,
                )
                return head, others
    return head, rows


def _parse(path: Path, text: str, delimiter: str) -> dict[int, list[str]]:
    # Blanks between a quote and a delimiter: csv passes over those before the quote, not over those behind it.
    quoted = rf'((?:^|[{delimiter}]) *"(?:[^"]|"")*") *(?=[{delimiter}\r\n]|\Z)'
    text = re.sub(quoted, r"\1", text, flags=re.MULTILINE)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True, skipinitialspace=True)
    rows: dict[int, list[str]] = {}
    try:
        for row in reader:
            if any(cells := [_INVISIBLE.sub("", cell) for cell in row]):
                rows[reader.line_num] = cells
    except csv.Error as error:
        raise ValueError(f"{path}: line {reader.line_num}: not CSV ({error})") from error
    return rows


def _shorten(names: Collection[str], limit: int = 10) -> str:
    listed = ", ".join(list(names)[:limit])
    return listed if len(names) <= limit else f"{listed} and {len(names) - limit} more"
