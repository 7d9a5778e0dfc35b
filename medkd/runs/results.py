"""What finished runs left in their folders, as one table with a row a run, a class and a case."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

__all__ = ["COLLAPSED", "collapsed_runs", "has_ended", "last_line", "read_cases"]

# A run that finds nothing in this share of the cases that hold a class has collapsed to background.
COLLAPSED = 0.9


def has_ended(folder: str | Path) -> bool:
    """Whether a run's test was done: ``summary.json`` is written last."""
    return all((Path(folder) / name).is_file() for name in ("metrics.csv", "summary.json"))


def last_line(log: Path) -> str:
    """What a run said last: the last line of its log that is not blank, "" where there is none."""
    text = log.read_text(encoding="utf-8", errors="replace") if log.is_file() else ""
    # a bar on a terminal draws over its line
    lines = [line.strip() for line in text.replace("\r", "\n").splitlines() if line.strip()]
    return lines[-1] if lines else ""


def read_cases(runs: Mapping[int, Path]) -> pd.DataFrame:
    """The rows of each run's ``metrics.csv`` with its ``seed``; runs that did not end are left out.

    Args:
        runs: seed -> output folder.
    """
    tables = []
    for seed, folder in runs.items():
        if has_ended(folder):
            # nothing but an empty cell is no value: a case may be called NA, or null
            names = {"case": str, "class": str}
            table = pd.read_csv(Path(folder) / "metrics.csv", dtype=names, keep_default_na=False, na_values=[""])
            tables.append(table.assign(seed=seed))
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=["case", "class", "seed"])


def collapsed_runs(cases: pd.DataFrame) -> list[int]:
    """Seeds of the runs that predict nothing of a class, see `COLLAPSED`, from the rows of one class."""
    missed = cases.groupby("seed")["missed"].mean() if len(cases) else pd.Series(dtype=float)
    return [int(seed) for seed in missed.index[missed >= COLLAPSED]]
