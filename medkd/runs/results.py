"""The metrics of several runs as one table: one row for each run, class and case."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from .folder import RunFolder

__all__ = [
    "COLLAPSED",
    "collapsed_runs",
    "distance_unit",
    "has_patients",
    "read_cases",
    "read_rows",
    "still_rising_runs",
    "training_minutes",
    "trained_run",
]

# A run that misses a class in this share of the cases that hold the class has collapsed to background.
COLLAPSED = 0.9


def read_cases(runs: Mapping[int, Path]) -> pd.DataFrame:
    """Return the rows of each run's ``metrics.csv`` with its ``seed``. Runs that did not end are left out.

    Args:
        runs: seed -> output folder.

    Raises:
        ValueError: for a ``metrics.csv`` that is not of a run.
    """
    folders = {seed: RunFolder(path) for seed, path in runs.items()}
    tables = [folder.require_metrics().assign(seed=seed) for seed, folder in folders.items() if folder.has_ended]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=["case", "class", "seed"])


def read_rows(rows: Mapping[str, Mapping[int, Path]]) -> dict[str, pd.DataFrame]:
    """Return the cases of each row, see `read_cases`, with the column ``patient``, over which statistics are computed.

    A run that was evaluated before patients were recorded takes them from the other runs. Where no run names patients, or
    all cases are of one, each case counts for itself.

    Args:
        rows: row -> seed -> output folder. All rows are of one data set.

    Raises:
        ValueError: for a ``metrics.csv`` that is not of a run.
    """
    tables = {row: read_cases(runs) for row, runs in rows.items()}
    listed = [table[["case", "patient"]].dropna() for table in tables.values() if "patient" in table]
    patient_of = {case: patient for pairs in listed for case, patient in pairs.itertuples(index=False)}
    if len(set(patient_of.values())) == 1:
        patient_of = {}
    return {
        row: table.assign(patient=[patient_of.get(case, case) for case in table["case"]])
        for row, table in tables.items()
    }


def has_patients(cases: pd.DataFrame) -> bool:
    """Return whether a patient of a table of `read_rows` has several cases.

    Example:
        >>> has_patients(pd.DataFrame({"case": ["a", "b", "c"], "patient": ["x", "x", "y"]}))
        True
    """
    return bool(cases["patient"].nunique() < cases["case"].nunique())


def collapsed_runs(cases: pd.DataFrame) -> list[int]:
    """Return the seeds of the runs that collapsed to background, see `COLLAPSED`.

    Args:
        cases: rows of one class, from `read_cases`.
    """
    has_missed = len(cases) > 0 and "missed" in cases  # a table of another program may lack it
    missed = cases.groupby("seed")["missed"].mean() if has_missed else pd.Series(dtype=float)
    return [int(seed) for seed in missed.index[missed >= COLLAPSED]]


def distance_unit(rows: Mapping[str, Mapping[int, Path]]) -> str:
    """Return the unit of distances: mm for volumes, pixels for pictures; an empty text where no run kept a prediction.

    Args:
        rows: row -> seed -> output folder. All rows are of one data set.
    """
    for folder in (RunFolder(path).predictions for runs in rows.values() for path in runs.values()):
        first = next(iter(folder.glob("*")), None) if folder.is_dir() else None
        if first is not None:
            return "mm" if first.name.endswith((".nii.gz", ".nii")) else "pixels"
    return ""


def still_rising_runs(runs: Mapping[int, Path]) -> list[int]:
    """Return the seeds of the runs whose validation was still rising at the end, see `medkd.runs.describe_improvement`.

    Runs that did not end are left out, and runs that were trained before this was recorded.

    Args:
        runs: seed -> output folder.
    """
    environments = {seed: trained_run(path).read_environment() or {} for seed, path in runs.items()}
    return [seed for seed, path in runs.items() if RunFolder(path).has_ended and environments[seed].get("still_rising")]


def training_minutes(runs: Mapping[int, Path]) -> list[float]:
    """Return the minutes of each training, in the order of the seeds; the test at its end is not part of them.

    Runs that did not end are left out, and those that do not tell: they were resumed, or trained before this was recorded.

    Args:
        runs: seed -> output folder.
    """
    records = [trained_run(path).read_environment() or {} for path in runs.values() if RunFolder(path).has_ended]
    seconds = [record.get("training_seconds") for record in records]
    return [number / 60 for number in seconds if isinstance(number, int | float)]


def trained_run(folder: str | Path) -> RunFolder:
    """Return the folder with the record of a network's training: the run's own, or of an evaluation that of its model.

    Args:
        folder: what `medkd train`, `distill` or `evaluate` wrote.

    Raises:
        ValueError: for a damaged record.
    """
    run, evaluation = RunFolder(folder), RunFolder(folder, prefix="evaluate_")
    if run.config.exists() or not evaluation.config.exists():
        return run
    model = evaluation.require_config().get("model")
    trained = RunFolder.of_model(model) if isinstance(model, str) else run
    return trained if trained.config.exists() else run
