"""Teacher, student alone and student with distillation, always side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from medkd.runs.folder import RunFolder

__all__ = ["Run", "triplet_table"]


class Run(NamedTuple):
    """One column of the table."""

    title: str
    output_dir: Path
    parameters: int
    milliseconds: float
    """Of one slice, see `medkd.metrics.milliseconds_per_slice`."""


def triplet_table(
    runs: Sequence[Run], metrics: Sequence[str] = ("dice", "iou", "rvd", "abs_rvd", "hd95")
) -> pd.DataFrame:
    """One row a metric and class, one column a run: mean ± standard deviation over cases, and the number of cases.

    The deviation is over cases, not over seeds, and the index says so.

    Raises:
        FileNotFoundError: for a run without summary.json.
    """
    columns = {}
    for run in runs:
        summary = RunFolder(run.output_dir).require_summary()
        cells = {f"{name} {metric}": _cell(values[metric]) for name, values in summary.items() for metric in metrics}
        cells["parameters"] = f"{run.parameters:,}"
        cells["ms per slice"] = f"{run.milliseconds:.1f}"
        columns[run.title] = cells
    table = pd.DataFrame(columns)
    table.index.name = "mean ± std over cases (n)"
    return table


def _cell(values: dict) -> str:
    if not values["n"]:
        return "no case"
    return f"{values['mean']:.3f} ± {values['std']:.3f} ({values['n']})"
