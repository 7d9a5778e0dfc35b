"""The split of a data set: which case is in training, validation and test, and who its patient is."""

from __future__ import annotations

import csv
import json
import warnings
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from monai.config import PathLike
from PIL import Image

from medkd.data import SPLITS, VALIDATION_SHARE, check_leaks, natural_key, split_cases

from ._cases import DiscoveredCases

__all__ = [
    "check_splits",
    "hold_out",
    "read_patients",
    "require_published",
    "save_split",
    "split_discovered",
    "warn_without_target",
]


def split_discovered(cases: DiscoveredCases, split: PathLike, fold: int, folds: int, seed: int) -> dict[str, list[str]]:
    """Return the case names of each split; the arguments are those of ``medkd.data.split_cases``."""
    if split == cases.split_name:
        return {name: [case for case in cases.patients if cases.published.get(case) == name] for name in SPLITS}
    return split_cases(cases.patients, split, fold, folds, seed)


def check_splits(source: Path, splits: Mapping[str, Sequence[Any]], origin: str) -> None:
    """Raise ValueError when a split has no case; ``origin`` says how the split came about."""
    if empty := [split for split in SPLITS if not splits[split]]:
        raise ValueError(
            f"source {source}: no usable case for {' and '.join(empty)} ({origin}), expected one at least; "
            "nothing was written"
        )


def save_split(
    folder: Path, listed: Mapping[str, Sequence[Mapping[str, Any]]], origin: Mapping[str, Any], left_out: Sequence[str]
) -> None:
    """Write ``split.json``, which is accepted as ``split=`` again.

    Args:
        folder: folder of the data set.
        listed: split -> entries of the data list.
        origin: how the split was made: its name, fold, seed and so on.
        left_out: case names that no split has.
    """
    names = {split: [entry["case"] for entry in listed[split]] for split in SPLITS}
    content = {**origin, **names, "left_out": list(left_out)}
    (folder / "split.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def warn_without_target(folder: Path, validation: Sequence[Mapping[str, Any]], labels: Mapping[str, str]) -> None:
    """Warn of classes that no validation case has: training would run without a score to choose a model by."""
    values = [value for value in labels if value != "0"]
    absent = [labels[value] for value in values if not any(_has_value(folder, entry, value) for entry in validation)]
    if absent:
        names = ", ".join(absent)
        warnings.warn(
            f"no validation case has {names}: the best model could not be chosen by it; split otherwise", stacklevel=3
        )


def _has_value(folder: Path, entry: Mapping[str, Any], value: str) -> bool:
    if "slices_with" in entry:
        return bool(entry["slices_with"].get(value, True))  # masks that never hold a class do not lack it
    with Image.open(folder / entry["label"]) as mask:
        return int(value) in mask.tobytes()


def require_published(source: PathLike, cases: DiscoveredCases, split: PathLike, files: str) -> None:
    """Raise ValueError when the published split is requested and these files have none.

    Args:
        source: the source, for the message.
        cases: the discovered cases.
        split: the value of ``--split``.
        files: the files that have no published split, for the message.
    """
    if split == "published" and not cases.published:
        raise ValueError(
            f"source {source}: no published split for {files}; pass split='random', 'sorted' or a JSON file"
        )


def hold_out(cases: DiscoveredCases, seed: int) -> None:
    """Move a tenth of the published training patients (at least one), sampled by the seed, into validation.

    Refused cases take part in the sampling: a file that is repaired later moves no other case.
    """
    training = [case for case, split in cases.published.items() if split == "training"]
    patients = sorted({cases.patients[case] for case in training}, key=natural_key)
    count = max(1, round(VALIDATION_SHARE * len(patients)))
    chosen = {patients[k] for k in np.random.default_rng(seed).permutation(len(patients))[:count]}
    for case in training:
        if cases.patients[case] in chosen:
            cases.published[case] = "validation"
    cases.held_out = f"validation: {count} of {len(patients)} training patients, drawn by the seed; not published"


def read_patients(path: Path, cases: Collection[str]) -> tuple[dict[str, str], dict[str, list[str]] | None]:
    """Read a table of patients (CSV): the patient of each case, and perhaps the split of each case.

    Args:
        path: CSV with a head line. Columns in any order: ``patient``; ``case``, which defaults to the patient's name;
            ``part`` (training, validation or test). Further columns are ignored.
        cases: the discovered cases; a case that is not listed is left out, with a warning.

    Returns:
        case -> patient of the listed cases, and the cases of each split, or None without a column ``part``.

    Raises:
        FileNotFoundError: no such file.
        ValueError: no column ``patient``, an unknown case or split, a case listed twice, a patient in two splits, a split
            without a case.
    """
    rows = _read_rows(path)
    names = [row["case"] for row in rows]
    if unknown := [name for name in names if name not in cases]:
        raise ValueError(
            f"{path}: no such case: {_shorten(unknown)} (there are {_shorten(sorted(cases, key=natural_key), 3)})"
        )
    if repeated := [name for name, count in Counter(names).items() if count > 1]:
        raise ValueError(f"{path}: listed more than once: {_shorten(repeated)}")
    if nameless := [row["case"] for row in rows if not row["patient"]]:
        raise ValueError(f"{path}: no patient is named for {_shorten(nameless)}")
    splits = _splits(path, rows) if "part" in rows[0] else None
    if left_out := sorted(set(cases) - set(names), key=natural_key):
        warnings.warn(f"{path}: {len(left_out)} cases are not listed and left out: {_shorten(left_out)}", stacklevel=3)
    return {row["case"]: row["patient"] for row in sorted(rows, key=lambda row: natural_key(row["case"]))}, splits


def _splits(path: Path, rows: Collection[dict[str, str]]) -> dict[str, list[str]]:
    for row in rows:
        if row["part"] not in SPLITS:
            raise ValueError(f"{path}: case {row['case']}: part {row['part']!r}, expected one of {', '.join(SPLITS)}")
    listed = {split: [row for row in rows if row["part"] == split] for split in SPLITS}
    try:
        check_leaks(listed)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    if empty := [split for split in SPLITS if not listed[split]]:
        raise ValueError(f"{path}: no case for {' and '.join(empty)}, expected one at least of {', '.join(SPLITS)}")
    return {split: sorted((row["case"] for row in listed[split]), key=natural_key) for split in SPLITS}


def _read_rows(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        raise FileNotFoundError(f"split {str(path)!r}: no such file")
    try:
        text = path.read_text(encoding="utf-8-sig")  # spreadsheets write a byte order mark
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


def _shorten(names: Collection[str], limit: int = 10) -> str:
    listed = ", ".join(list(names)[:limit])
    return listed if len(names) <= limit else f"{listed} and {len(names) - limit} more"
