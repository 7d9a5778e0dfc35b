"""Methods over several seeds: the mean over cases of each run, then mean ± deviation over the runs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

__all__ = ["seeds_table"]


def seeds_table(
    runs: Mapping[str, str | Path | Sequence[str | Path]],
    baseline: str | None = None,
    metrics: Sequence[str] = ("dice", "iou"),
) -> pd.DataFrame:
    """One row a method: mean ± standard deviation over seeds of a run's mean over cases, and the number of runs.

    The deviation is the sample's, over seeds and never over cases; a single run has none.

    Args:
        runs: title -> output folder of a run, or of its runs with several seeds.
        baseline: a title; the columns "vs ..." then hold paired differences to it, seed by seed, mean ± deviation (pairs).
        metrics: names in ``summary.json``.

    Raises:
        FileNotFoundError: for a folder without ``summary.json`` or ``environment.json``.
        ValueError: when the baseline is no title, two runs of a title have one seed, or classes differ.
    """
    if baseline is not None and baseline not in runs:
        raise ValueError(f"baseline: found {baseline!r}, expected one of {', '.join(runs)}")
    values = {title: _by_seed(title, folders, metrics) for title, folders in runs.items()}
    columns = list(next(iter(values.values())).columns)
    rows = {}
    for title, table in values.items():
        if list(table.columns) != columns:
            raise ValueError(f"run {title}: holds {', '.join(table)}, expected {', '.join(columns)}")
        row = {name: _cell(table[name]) for name in columns}
        if baseline is not None:
            pairs = (table - values[baseline]).dropna(how="all")
            row |= {f"{name} vs {baseline}": "" if title == baseline else _cell(pairs[name], "+") for name in columns}
        rows[title] = row
    found = pd.DataFrame.from_dict(rows, orient="index")
    found.index.name = "mean over cases, ± over seeds (runs)"
    return found


def _by_seed(title: str, folders: str | Path | Sequence[str | Path], metrics: Sequence[str]) -> pd.DataFrame:
    """Rows are seeds, columns "<class> <metric>"."""
    rows: dict[int, dict[str, float]] = {}
    for folder in [folders] if isinstance(folders, str | Path) else folders:
        summary, environment = (_read(title, Path(folder) / name) for name in ("summary.json", "environment.json"))
        seed = environment["seed"]
        if seed in rows:
            raise ValueError(f"run {title}: {folder}: a second run with seed {seed}")
        rows[seed] = {
            f"{name} {metric}": np.nan if of[metric]["mean"] is None else of[metric]["mean"]
            for name, of in summary.items()
            for metric in metrics
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def _read(title: str, file: Path) -> dict:
    if not file.is_file():
        raise FileNotFoundError(f"run {title}: {file}: no such file, expected the output folder of a finished run")
    return json.loads(file.read_text())


def _cell(values: pd.Series, sign: str = "") -> str:
    values = values.dropna()
    if values.empty:
        return "none"
    deviation = f" ± {values.std(ddof=1):.3f}" if len(values) > 1 else ""
    return f"{values.mean():{sign}.3f}{deviation} ({len(values)})"
