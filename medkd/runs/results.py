"""The metrics of several runs as one table: one row for each run, class and case."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from .folder import RunFolder

__all__ = ["COLLAPSED", "collapsed_runs", "read_cases", "trained_run"]

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


def collapsed_runs(cases: pd.DataFrame) -> list[int]:
    """Return the seeds of the runs that collapsed to background, see `COLLAPSED`.

    Args:
        cases: rows of one class, from `read_cases`.
    """
    has_missed = len(cases) > 0 and "missed" in cases  # a table of another program may lack it
    missed = cases.groupby("seed")["missed"].mean() if has_missed else pd.Series(dtype=float)
    return [int(seed) for seed in missed.index[missed >= COLLAPSED]]


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
